"""Phases of a training: first the head, then everything. Each has a fresh optimizer and trains some parameters only.

What a phase does not train stays bit-identical, and batch norm there infers: it uses its running statistics and leaves
them as they are. Dropout stays on. A run without `config.training.phases` has one phase, in which nothing is changed.
"""

import contextlib
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax

from jaxlab.errors import UserError, closest
from jaxlab.layers import BatchNorm
from jaxlab.optimizers import TrainState, build_optimizer
from jaxlab.optimizers.groups import path_name, paths

OPTIONS = ('epochs', 'train', 'optimizer', 'batchnorm')
TRAINED, FROZEN = 'trained', 'frozen'  # labels of parameters; no state may be kept of the frozen ones
BATCH_NORM = ('infers', 'adapts')


@dataclasses.dataclass(frozen=True)
class Phase:
    """first, last: the updates first + 1 to last of the whole run. train: regexes of parameter paths, () for all.

    rule: the optimizer, None for the task's own. adapts: whether frozen batch norm uses and follows its batches all the
    same (what a training that only sets the trainable flags of layers does).
    """

    first: int
    last: int
    train: tuple[str, ...] = ()
    rule: optax.GradientTransformation | None = None
    adapts: bool = False

    def trains(self, path: str) -> bool:
        """Whether a parameter is trained. path: such as `Dense_0/kernel`."""
        return _matches(self.train, path)

    def entered(self, state: Any) -> Any:
        """One replica's state, on the host, as the phase begins with it: its parameters, nothing learned of their gradients."""
        if self.rule is None:
            return state
        (name, network), *more = state.items()
        assert isinstance(network, TrainState) and not more
        for pattern in self.train:
            names = paths(network.params)
            if not any(re.search(pattern, path) for path in names):
                raise UserError(f'config.training.phases: {pattern!r} matches no parameter; {closest(pattern, names)}')
        fresh = network.replace(
            tx=self.rule, opt_state=self.rule.init(network.params), learning_rate_scale=np.float32(1)
        )
        return {name: jax.tree.map(np.asarray, fresh)}

    def trace(self) -> contextlib.AbstractContextManager[Any]:
        """Around the tracing of an update: frozen batch norm infers."""
        if not self.train or self.adapts:
            return contextlib.nullcontext()
        return nn.intercept_methods(self._infer)

    def _infer(self, call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        norm = context.module
        if isinstance(norm, BatchNorm) and not self.trains('/'.join((*norm.path, 'scale'))):
            args, kwargs = (*args[:1], False, *args[2:]), {n: v for n, v in kwargs.items() if n != 'train'}
        return call(*args, **kwargs)


def of(config: Any, steps_per_epoch: int, total_steps: int) -> tuple[Phase, ...]:
    """The phases of a checked config; one that changes nothing where it has none."""
    blocks = [_checked(block) for block in config.training.phases]
    if not blocks:
        return (Phase(0, total_steps),)
    if config.training.steps:
        raise UserError(f'config.training.steps = {config.training.steps} with config.training.phases; valid: 0')
    found, first = [], 0
    for block in blocks:
        steps = block['epochs'] * steps_per_epoch
        options = {**config.optimizer.to_dict(), **block.get('optimizer', {})}
        options.pop('plateau', None)
        train = tuple(block.get('train', ()))
        rule = _of_the_trained(build_optimizer(options, steps_per_epoch, steps), train)
        found.append(Phase(first, first + steps, train, rule, block.get('batchnorm', 'infers') == 'adapts'))
        first += steps
    return tuple(found)


def _matches(train: tuple[str, ...], path: str) -> bool:
    return not train or any(re.search(pattern, path) for pattern in train)


def _of_the_trained(rule: optax.GradientTransformation, train: tuple[str, ...]) -> optax.GradientTransformation:
    """A rule that sees the trained parameters alone: also a norm that it clips is theirs."""
    if not train:
        return rule

    def labels(params: Any) -> Any:
        return jax.tree_util.tree_map_with_path(
            lambda path, _: TRAINED if _matches(train, path_name(path)) else FROZEN, params
        )

    return optax.multi_transform({TRAINED: rule, FROZEN: optax.set_to_zero()}, labels)


def epochs(config: Any) -> int:
    """Passes over the training data in all phases, or `config.training.epochs` where there are none."""
    return sum(_checked(block)['epochs'] for block in config.training.phases) or config.training.epochs


def at(phases: tuple[Phase, ...], step: int) -> int:
    """The number of the phase that update `step` belonged to (0: the first)."""
    return next(number for number, phase in enumerate(phases) if step <= phase.last or phase is phases[-1])


def table(phases: tuple[Phase, ...], state: Any, steps_per_epoch: int) -> list[dict[str, Any]]:
    """Per phase its epochs, what it trains and how many parameters that is; [] without phases."""
    if phases[0].rule is None:  # the state may then be anything
        return []
    params = next(iter(state.values())).params
    sizes = {path_name(path): int(np.prod(leaf.shape)) for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
    return [
        {
            'epochs': (phase.last - phase.first) // steps_per_epoch,
            'trained': ', '.join(phase.train) or 'all',
            'parameters': sum(size for path, size in sizes.items() if phase.trains(path)),
        }
        for phase in phases
    ]


def _checked(block: Any) -> Mapping[str, Any]:
    """One phase's options, or a `UserError` that names the wrong one."""
    where, block = 'config.training.phases', dict(block)
    for name in block:
        if name not in OPTIONS:
            raise UserError(f'{where}: unknown field {name!r}; {closest(name, OPTIONS)}')
    number, train = block.get('epochs'), block.get('train', ())
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise UserError(f'{where}: epochs = {number!r}; valid: a whole number from 1')
    if isinstance(train, str) or not all(isinstance(pattern, str) for pattern in train):
        raise UserError(
            f"{where}: train = {train!r}; valid: a tuple of regexes of parameter paths, such as ('Dense_2',)"
        )
    for pattern in train:
        try:
            re.compile(pattern)
        except re.error as error:
            raise UserError(
                f'{where}: {pattern!r} is not a regular expression ({error}); valid: such as Dense_2'
            ) from error
    if block.get('batchnorm', 'infers') not in BATCH_NORM:
        raise UserError(f'{where}: batchnorm = {block["batchnorm"]!r}; valid: {" or ".join(BATCH_NORM)}')
    return block
