"""A small real experiment for tests: 100 embedded digits, an MLP with BatchNorm and Dropout, batches that do not fit."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import serialization

from configs import common
from jaxlab import data, models
from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare
from jaxlab.protocol import ALL
from jaxlab.tasks import names
from jaxlab.training import run as engine
from jaxlab.training.machine import Evaluation, Machine


@contextlib.contextmanager
def in_tables(dataset: str, read: Callable, task: str, step: str) -> Iterator[None]:
    """A data set and a task of tests, which reports nothing, stand in their tables for a while. step: its class, as text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.DATASETS, dataset, read)
        patch.setitem(names.TASKS, task, names.Kind(step, 'tests.training.unpaired:Nothing'))
        yield


@contextlib.contextmanager
def with_networks(dataset: str, read: Callable, *kinds: type[nn.Module]) -> Iterator[None]:
    """A data set and networks of tests stand in their tables for a while; a network's name is its class's, in small letters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.DATASETS, dataset, read)
        for kind in kinds:
            patch.setitem(models.MODELS, kind.__name__.lower(), f'{kind.__module__}:{kind.__name__}')
        yield


def dotted(changes: Mapping[str, Any]) -> dict[str, Any]:
    """{path: value} of keyword arguments, which have `__` for the dots of a path."""
    return {name.replace('__', '.'): value for name, value in changes.items()}


def changed(config: common.Config, **changes: Any) -> common.Config:
    """The config with some fields changed, checked."""
    return configs.apply(config, dotted(changes), 'test')


def small(**changes: Any) -> common.Config:
    """Five updates an epoch, the last of 4 examples (24 each); keys are dotted paths with `__` for the dots."""
    config = common.experiment('small', task='classification', data='mnist', model='mlp')
    config.aim = 'A test.'
    config.data.update({'source': 'embedded', 'limit': 100, 'eval_limit': 50, 'batch_size': 24, 'eval_batch_size': 24})
    config.model.update({'features': (16,), 'batch_norm': True, 'dropout': 0.5})
    config.optimizer = common.sgd(0.1, 0.9)
    config.training.epochs = 2
    config.parallel.devices = 1
    return changed(config, **changes)


def gan(**changes: Any) -> common.Config:
    """Both networks at width 4 with the smallest kernels, noise and dropout drawn per example."""
    config = common.experiment('small_gan', task='gan', data='mnist')
    config.model = {'generator': {'name': 'dcgan_generator'}, 'discriminator': {'name': 'dcgan_discriminator'}}
    for network in (config.model.generator, config.model.discriminator):
        network.width, network.kernel_size = 4, 3
    config.task.latent = 8
    config.optimizer = {'generator': common.sgd(0.05), 'discriminator': common.sgd(0.05)}
    config.data.update({'source': 'embedded', 'limit': 40, 'eval_limit': 40, 'batch_size': 16, 'eval_batch_size': 40})
    config.data.scale = (-1.0, 1.0)
    config.parallel.devices = 1
    return changed(config, **changes)


def padded(ready: Any) -> dict[str, Any]:
    """A prepared batch of sixteen training examples, of which the last six are padding."""
    rows = ready.data.splits['train'].read(np.arange(16))
    return ready.data.prepare({**rows, 'weight': jnp.asarray([1.0] * 10 + [0.0] * 6)})


class Listener:
    """Keeps what the engine says; asks it to stop once `stop_at` updates are done."""

    def __init__(self, stop_at: int = 0, signal: int = 15):
        self.said: list[str] = []
        self.rows: list[Mapping[str, Any]] = []
        self.calls: list[int] = []
        self.stop_at, self.signal, self.step = stop_at, signal, 0

    def started(self, step: int, total_steps: int, steps_per_epoch: int) -> None:
        self.step = step

    def progress(self, step: int, values: Mapping[str, float]) -> None:
        self.calls.append(step - self.step)
        self.step = step

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.rows.append(row)

    def say(self, text: str) -> None:
        self.said.append(text)

    def stop_requested(self) -> int:
        return self.signal if self.stop_at and self.step >= self.stop_at else 0


def train(config: common.Config, workdir: Path, listener: Listener | None = None, **options: Any) -> engine.Outcome:
    """A run of the engine, as the command line makes it."""
    ready = prepare(config)
    return engine.train(
        ready.config, ready.task, ready.data, workdir, listener or Listener(), ready.reporter, **options
    )


def machine(config: common.Config) -> Machine:
    """A machine for a config."""
    ready = prepare(config)
    return Machine(ready.config, ready.task, ready.data)


@dataclasses.dataclass(frozen=True)
class Steps:
    """logs: metric -> [replicas, all steps, 2]; state: host arrays; evaluation, outputs: of the test split."""

    logs: Mapping[str, np.ndarray]
    state: Any
    evaluation: Mapping[str, list[float]]
    outputs: list[Mapping[str, np.ndarray]]


def steps(
    config: common.Config, epochs: int, dtype: Any = None, first: int = 0, start: Any = None, evaluated: bool = True
) -> Steps:
    """Whole epochs with nothing around them; `dtype`: of all floating-point numbers in the state.

    first: the number of the first of these epochs; start: the host state that it begins with; evaluated: whether it is
    (that is a program of its own).
    """
    lab = machine(config)
    start = lab.init() if start is None else start
    if dtype is not None:
        start = jax.tree.map(lambda leaf: leaf.astype(dtype) if np.issubdtype(leaf.dtype, np.floating) else leaf, start)
    state, logs = lab.placement.state(start), []
    count = lab.feed.steps_per_epoch
    for epoch in range(first, first + epochs):
        rows = lab.placement.split(lab.feed.epoch(epoch), axis=2)
        state, log, _ = lab.train(state, lab.resident, rows, 0, count, epoch * count)
        logs.append(log)
    found = lab.evaluate(state, 'test', keep=ALL) if evaluated else Evaluation({}, [], {})
    joined = {name: np.concatenate([log[name] for log in logs], axis=1) for name in logs[0]}
    return Steps(joined, lab.host_state(state), found.metrics, found.outputs)


def plain(tree: Any) -> Any:
    """Nested dicts of arrays: two runs' states differ in their static parts."""
    return serialization.to_state_dict(tree)


def close(one: Any, other: Any, tolerance: float) -> None:
    """Trees of numbers agree to `tolerance` (absolute, and relative to the largest number of each leaf)."""

    def check(path: Any, left: Any, right: Any) -> None:
        left, right = np.asarray(left), np.asarray(right)
        assert left.shape == right.shape, jax.tree_util.keystr(path)
        scale = max(1.0, float(np.abs(left).max(initial=0.0)))
        error = float(np.abs(left - right).max(initial=0.0)) / scale
        assert error <= tolerance, f'{jax.tree_util.keystr(path)} differs by {error:.3g}'

    jax.tree_util.tree_map_with_path(check, plain(one), plain(other))


def equal(one: Any, other: Any) -> bool:
    """Trees of numbers have the same bits."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)
