"""From the `optimizer` block of an experiment to an Optax transformation.

The order is PyTorch's: clip the gradient, add coupled decay, apply the rule, add decoupled decay, multiply by the rate;
last comes the proximal step of L1 where that is asked for.
Defaults that a block leaves out (or gives as None) are PyTorch's as well.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax

from jaxlab.errors import UserError, closest, lookup
from jaxlab.optimizers import groups as grouping
from jaxlab.optimizers import rules
from jaxlab.optimizers.schedules import build_schedule


class Optimizer(NamedTuple):
    """A rule, its options with their defaults, and how it decays weights when nothing is said."""

    rule: Callable[[rules.Options], optax.GradientTransformation]
    defaults: dict[str, Any]
    decay_mode: str = 'coupled'
    weight_decay: float = 0.0
    after_decay: Callable[[], optax.GradientTransformation] | None = None


_ADAM = {'b1': 0.9, 'b2': 0.999, 'eps': 1e-8, 'eps_mode': 'outside'}
_RMSPROP = {'decay': 0.99, 'eps': 1e-8, 'eps_mode': 'outside', 'centered': False, 'momentum': 0.0}

OPTIMIZERS: dict[str, Optimizer] = {
    'sgd': Optimizer(rules.sgd, {'momentum': 0.0, 'nesterov': False}),
    'momentum': Optimizer(rules.sgd, {'momentum': 0.9, 'nesterov': False}),
    'nesterov': Optimizer(rules.sgd, {'momentum': 0.9, 'nesterov': True}),
    'adam': Optimizer(rules.adam, _ADAM),
    'adamw': Optimizer(rules.adam, _ADAM, 'decoupled', 0.01),
    'rmsprop': Optimizer(rules.rmsprop, _RMSPROP),
    'adagrad': Optimizer(rules.adagrad, {'eps': 1e-10, 'eps_mode': 'outside', 'initial_accumulator': 0.0}),
    'adadelta': Optimizer(rules.adadelta, {'decay': 0.9, 'eps': 1e-6}),
    'lion': Optimizer(rules.lion, {'b1': 0.9, 'b2': 0.99}, 'decoupled'),
    'lamb': Optimizer(rules.adam, _ADAM | {'eps': 1e-6}, 'decoupled', after_decay=rules.trust_ratio),
}

COMMON = {  # what every optimizer understands; 0 and None switch off
    'name': None,
    'learning_rate': None,
    'weight_decay': None,
    'weight_decay_mode': None,
    'weight_decay_mask': 'all',
    'l1': 0.0,
    'l1_mask': 'kernels',
    'l1_mode': 'subgradient',
    'schedule': 'constant',
    'schedule_options': None,
    'warmup': 0,
}
WHOLE = {
    'clip_norm': None,
    'clip_value': None,
    'groups': (),
    'plateau': None,
    'accumulate': 1,
}  # of the network, never of one group
CHOICES = {
    'weight_decay_mode': ('coupled', 'decoupled'),
    'weight_decay_mask': tuple(grouping.MASKS),
    'l1_mask': tuple(grouping.MASKS),
    'l1_mode': ('subgradient', 'proximal'),
}


def optimizer_fields() -> tuple[str, ...]:
    """Every option that some optimizer understands, in the order of the documentation."""
    own = dict.fromkeys(option for entry in OPTIMIZERS.values() for option in entry.defaults)
    return tuple(dict.fromkeys([*COMMON, *own, *WHOLE]))


def build_optimizer(
    block: Mapping, steps_per_epoch: int, total_steps: int, where: str = 'optimizer'
) -> optax.GradientTransformation:
    """block: `config.optimizer` or one network's block of it; `plateau` in it is the engine's (`Plateau`).

    accumulate: the parameters move once in so many steps, by the mean of their gradients: as one batch so many times as
    large would move them (batch norm still sees the small ones).

    `where` is the block's place in the config, for error messages ('optimizer.generator'). Build it once a run: a
    second object of equal content would compile everything again.
    """
    try:
        return _build(block, steps_per_epoch, total_steps, where)
    except UserError as error:  # every message below starts with the place 'optimizer'
        raise UserError(str(error).replace('optimizer', f'config.{where}', 1)) from None


def _build(block: Mapping, steps_per_epoch: int, total_steps: int, where: str) -> optax.GradientTransformation:
    block = as_dict(block)
    if block.get('plateau') and where != 'optimizer':
        raise UserError(
            "optimizer.plateau: only a task with one network follows a plateau; valid: a schedule, such as 'cosine'"
        )
    batches = block.get('accumulate', 1)
    if not isinstance(batches, int) or isinstance(batches, bool) or batches < 1:
        raise UserError(f'optimizer.accumulate is {batches!r}; valid: a whole number from 1 up')
    if batches > 1:  # the schedule counts updates of the parameters
        whole = {**block, 'accumulate': 1}
        rule = _build(whole, max(steps_per_epoch // batches, 1), max(total_steps // batches, 1), where)
        return optax.MultiSteps(rule, batches).gradient_transformation()
    patterns = _patterns(block.get('groups') or ())
    clip = _clip(block)
    rest = _one_group(_without_whole(block), steps_per_epoch, total_steps)
    if not patterns:
        return optax.chain(*clip, rest)
    labels = grouping.labeller(tuple(pattern for pattern, _ in patterns), f'config.{where}.groups')
    each = {grouping.REST: rest}
    ignored = set()
    for i, (_, overrides) in enumerate(patterns):
        name = grouping.group_name(i)
        if overrides is None:
            each[name] = rules.frozen()
            ignored.add(name)
        else:
            each[name] = _one_group(_merge(block, overrides), steps_per_epoch, total_steps)
    if clip:
        # Frozen parts must not count in the norm that is clipped.
        mask = lambda params: jax.tree.map(lambda label: label in ignored, labels(params))
        clip = [optax.masked(optax.set_to_zero(), mask), *clip]
    return optax.chain(*clip, optax.multi_transform(each, labels))


def as_dict(block: Mapping) -> dict[str, Any]:
    """The block as a plain dict, without the options that are None."""
    block = block.to_dict() if hasattr(block, 'to_dict') else dict(block)
    return {option: value for option, value in block.items() if value is not None}


def _without_whole(block: dict) -> dict:
    return {option: value for option, value in block.items() if option not in WHOLE}


def _merge(block: dict, overrides: dict) -> dict:
    """A group's block. Another optimizer's name drops the options that only the first one knows."""
    for option in overrides:
        if option in WHOLE:
            raise UserError(f'optimizer.groups: {option!r} is for the whole network; set optimizer.{option}')
    base = _without_whole(block)
    if overrides.get('name', block.get('name')) != block.get('name'):
        base = {option: value for option, value in base.items() if option in COMMON}
    return base | overrides


def _patterns(groups: Any) -> list[tuple[str, dict | None]]:
    """`((pattern, overrides), ...)`, overrides None where the group is frozen."""
    found: list[tuple[str, dict | None]] = []
    for entry in groups:
        if not isinstance(entry, (tuple, list)) or len(entry) != 2:
            raise UserError(f"optimizer.groups: {entry!r} is not a pair; valid: ('Dense_0', {{...}}) or (.., 'freeze')")
        pattern, overrides = entry
        if overrides == 'freeze':
            found.append((pattern, None))
        elif isinstance(overrides, Mapping):
            found.append((pattern, as_dict(overrides)))
        else:
            raise UserError(f"optimizer.groups: {overrides!r} for {pattern!r}; valid: a dict of options, or 'freeze'")
    return found


def _clip(block: dict) -> list[optax.GradientTransformation]:
    """Each gradient entry into [-clip_value, clip_value], then the whole gradient's norm to at most clip_norm."""
    found = []
    for option, make in (('clip_value', optax.clip), ('clip_norm', optax.clip_by_global_norm)):
        limit = block.get(option)
        if limit:
            _number(option, limit, positive=True)
            found.append(make(limit))
    return found


def _one_group(block: dict, steps_per_epoch: int, total_steps: int) -> optax.GradientTransformation:
    """The gradient transformation of one group of parameters, as an Optax chain."""
    entry, options = _checked(block)
    mask = grouping.MASKS[options['weight_decay_mask']]
    decay = options['weight_decay']
    chain = []
    l1, proximal, l1_mask = options['l1'], options['l1_mode'] == 'proximal', grouping.MASKS[options['l1_mask']]
    if l1 and not proximal:
        chain.append(optax.masked(rules.signs(l1), l1_mask) if l1_mask else rules.signs(l1))
    if decay and options['weight_decay_mode'] == 'coupled':
        chain.append(optax.add_decayed_weights(decay, mask))
    chain.append(entry.rule(options))
    if decay and options['weight_decay_mode'] == 'decoupled':
        chain.append(optax.add_decayed_weights(decay, mask))
    if entry.after_decay:
        chain.append(entry.after_decay())
    schedule = build_schedule(
        options['schedule'], options['schedule_options'] or {}, options['warmup'], steps_per_epoch, total_steps
    )
    rate = options['learning_rate']
    chain.append(optax.scale_by_learning_rate(rate if schedule is None else lambda step: rate * schedule(step)))
    if l1 and proximal:
        shrink = rules.shrink(lambda step: l1 * rate * (1.0 if schedule is None else schedule(step)))
        chain.append(optax.masked(shrink, l1_mask) if l1_mask else shrink)
    return optax.chain(*chain)


def _checked(block: dict) -> tuple[Optimizer, dict[str, Any]]:
    """The optimizer and all of its options, or a `UserError` that names the wrong one."""
    if 'name' not in block:
        raise UserError(f'optimizer.name is missing; {closest("", sorted(OPTIMIZERS))}')
    entry = lookup(OPTIMIZERS, block['name'], 'optimizer.name')
    own = {'weight_decay': entry.weight_decay, 'weight_decay_mode': entry.decay_mode}
    valid = COMMON | own | entry.defaults
    for option in block:
        if option not in valid:
            raise UserError(f'optimizer.{option} is unknown to {block["name"]!r}; {closest(option, [*valid, *WHOLE])}')
    options = valid | block
    if 'learning_rate' not in block:
        raise UserError('optimizer.learning_rate is missing; valid: a number above 0')
    _check_values(options, entry)
    return entry, options


def _check_values(options: dict[str, Any], entry: Optimizer) -> None:
    modes = ('outside', 'inside', 'keras') if entry.rule is rules.adam else ('outside', 'inside')
    for option, choices in (CHOICES | {'eps_mode': modes}).items():
        if option in options and options[option] not in choices:
            raise UserError(f'optimizer.{option} is {options[option]!r}; {closest(options[option], choices)}')
    for option in ('learning_rate', 'weight_decay', 'l1', 'warmup', 'eps', 'initial_accumulator'):
        _number(option, options.get(option, 0.0))
    for option in ('momentum', 'b1', 'b2', 'decay'):
        if not 0 <= _number(option, options.get(option, 0.0)) < 1:
            raise UserError(f'optimizer.{option} is {options[option]!r}; valid: at least 0 and below 1')
    if options.get('nesterov') and not options['momentum']:
        raise UserError('optimizer.nesterov needs optimizer.momentum above 0')
    if options['name'] == 'adamw' and options['weight_decay_mode'] == 'coupled':
        raise UserError("optimizer.weight_decay_mode 'coupled' contradicts 'adamw'; valid: 'decoupled', or name 'adam'")


def _number(option: str, value: Any, positive: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0 or (positive and value == 0):
        raise UserError(f'optimizer.{option} is {value!r}; valid: a number {"above" if positive else "from"} 0')
    return value
