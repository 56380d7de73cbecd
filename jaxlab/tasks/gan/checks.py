"""What the options of an adversarial task may be: said before anything is trained."""

import math
from collections.abc import Callable
from typing import Any

import jax

from jaxlab.errors import UserError, closest
from jaxlab.measures.losses import GAN_FORMS

ORDERS = ('simultaneous', 'alternating')
PASSED_ON = (
    'reshape',
    'squeeze',
    'convert_element_type',
    'broadcast_in_dim',
    'transpose',
    'slice',
    'copy',
)  # primitives that change no value


def check_options(options: dict[str, Any], classes: int) -> None:
    """Refuses values that the task does not know, and options that contradict one another."""
    form = options.get('form', 'non_saturating')
    if form not in GAN_FORMS:
        raise UserError(f'config.task.form = {form!r}; valid: {", ".join(GAN_FORMS)}')
    if not 0 <= options.get('ema', 0) < 1:
        raise UserError(f'config.task.ema = {options["ema"]!r}; valid: a number from 0 up to, not including, 1')
    order = options.get('order', ORDERS[0])
    if order not in ORDERS:
        raise UserError(f'config.task.order = {order!r}; {closest(order, ORDERS)}')
    steps = options.get('critic_steps', 1)
    if steps < 1:
        raise UserError(f'config.task.critic_steps = {steps!r}; valid: a whole number from 1 up')
    if steps > 1 and order != 'alternating':
        raise UserError(f"config.task.critic_steps = {steps} with order = {order!r}; valid: order = 'alternating'")
    for name in ('penalty', 'discriminator_weight'):
        value = options.get(name, 1.0)
        if not (0 <= value < float('inf')) or (name == 'discriminator_weight' and not value):
            raise UserError(
                f'config.task.{name} = {value!r}; valid: a number {"from" if name == "penalty" else "above"} 0'
            )
    if options.get('conditional') and not classes:
        raise UserError('config.task.conditional: these data have no classes; valid: False')


STRIDES = (1, 2, 2)  # of a generator that names none


def sizes_of(block: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """What a generator must be told to make images [H, W, C] of this shape, where its block does not say it."""
    height, width, channels = shape
    stretch = math.prod(block.get('strides', STRIDES))
    found: dict[str, Any] = {'channels': channels, 'image_shape': shape}
    if height == width and not height % stretch:
        found['size'] = height // stretch
    return found


def check_made(network: Any, codes: Any, shape: tuple[int, ...]) -> None:
    """Refuses a generator whose images are not of the shape that the data have. codes: the shape of what it is given."""
    run = lambda codes: network.init_with_output(jax.random.key(0), codes, train=False)[0]
    made = tuple(jax.eval_shape(run, codes).shape[1:])
    if made != shape:
        mine, theirs = ('x'.join(map(str, one)) for one in (made, shape))
        stretch, (height, width, channels) = math.prod(getattr(network, 'strides', STRIDES)), shape
        ways = [f'config.model.generator.channels={channels}'] if made[2] != channels else []
        if height != width or height % stretch:  # no size of it makes these
            ways.append(f'data.options.image_size={max(round(max(height, width) / stretch), 1) * stretch}')
        elif made[:2] != shape[:2]:
            ways.append(f'config.model.generator.size={height // stretch}')
        raise UserError(
            f'config.model.generator makes images of {mine}, the data have {theirs}; valid: {" and ".join(ways)}, '
            'or another generator whose size times its strides is that of the data'
        )


def check_discriminator(
    output: Callable[..., jax.Array], variables: Any, images: Any, form: str, penalised: bool
) -> None:
    """Refuses a discriminator that the loss is not made for. output: (variables, images) -> what the loss is given;
    variables, images: their shapes."""
    if form != 'least_squares' and ends_in_sigmoid(output, variables, images):
        raise UserError(
            f'config.model.discriminator ends in a sigmoid, and form = {form!r} takes what comes before it; valid: a network '
            "without it, or config.task.form = 'least_squares'"
        )
    statistics = jax.tree_util.tree_leaves_with_path(variables.get('batch_stats', {}))
    if penalised and any(getattr(path[-1], 'key', '') == 'var' for path, _ in statistics):
        raise UserError(
            "config.task.penalty: batch norm in config.model.discriminator makes one image's slope depend on the others; valid: "
            'a network without it, or penalty = 0'
        )


def ends_in_sigmoid(function: Callable[..., jax.Array], *examples: Any) -> bool:
    """Whether what a function gives are values of a sigmoid; read off its program, nothing is computed."""
    program = jax.make_jaxpr(function)(*examples).jaxpr
    return _is_sigmoid(program, program.outvars[0])


def _is_sigmoid(program: Any, variable: Any) -> bool:
    for equation in program.eqns:
        places = [place for place, other in enumerate(equation.outvars) if other is variable]
        if not places:
            continue
        if equation.primitive.name == 'logistic':
            return True
        if equation.primitive.name in PASSED_ON:
            return _is_sigmoid(program, equation.invars[0])
        inner = equation.params.get('jaxpr') or equation.params.get('call_jaxpr')
        inner = getattr(inner, 'jaxpr', inner)  # of a closed one
        return inner is not None and _is_sigmoid(inner, inner.outvars[places[0]])
    return False
