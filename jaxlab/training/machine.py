"""A task, its data and its compiled programs on the devices at hand: what the loop drives."""

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError
from jaxlab.layers.conv_geometry import images_a_block
from jaxlab.optimizers import without_optimizer
from jaxlab.protocol import Task
from jaxlab.training import control, forms, phases
from jaxlab.training.batches import Layout
from jaxlab.training.feeding import Feed, blocks, gather, prefetched
from jaxlab.training.placement import Placement
from jaxlab.training.programs import SNAPSHOT, Programs, key_for
from jaxlab.training.replica_axis import placement
from jaxlab.training.start import Start

CALL_SECONDS = 0.5  # what a call of several updates should take: progress is seen, Ctrl-C is heard
STREAM_BYTES = 4 << 20  # of a block of streamed examples; nothing is computed while the first of an epoch is read
EVALUATED = 1024  # examples of an evaluation between two looks at signals (or one batch of them)
SMALL = 2**24  # bytes of a call's outputs that may come back unasked, which saves compiling a second program


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """metrics: name -> one value a replica; outputs: one dict a replica, name -> [n, ...], the first n in the split's order.

    counts: name -> over how many it is the mean (examples, pixels, tokens: what its task counts), the first replica's.
    """

    metrics: dict[str, list[float]]
    outputs: list[dict[str, np.ndarray]]
    counts: dict[str, float]


class Machine:
    """Compiles on first use, counts compile time apart, adapts the length of a call.

    begun: what the run's newest checkpoint says of it; it is gone on with in the same forms.
    weights: what the networks begin with.
    """

    def __init__(
        self,
        config: Any,
        task: Task,
        data: Dataset,
        begun: Mapping[str, Any] | None = None,
        weights: Start | None = None,
    ):
        self.config, self.task, self.data, self.weights = config, task, data, weights
        train = data.splits['train']
        self.seeds = tuple(config.training.seed + replica for replica in range(config.replicas))
        check_sizes(config, data.draws)
        examples = config.training.steps * (config.data.batch_size or data.draws) or phases.epochs(config) * data.draws
        self.forms = forms.choose(config, task, examples, begun or {})
        self.placement: Placement = placement(config, self.forms.replicas, self.forms.convolutions == 'onednn')
        self.feed = Feed.of(config.data, data, self.seeds, self.placement.devices)
        if config.data.batch_size % self.placement.devices:
            raise UserError(
                f'config.data.batch_size = {config.data.batch_size} cannot be shared out over {self.placement.devices} '
                'devices; valid: a multiple of it, or --config.parallel.devices=N'
            )
        self.streamed = train.arrays is None
        replicas = self.forms.replicas
        self.layout = Layout.of(data, config.data.buckets)
        self.programs = Programs(
            task, data.prepare, data.augment, config.replicas, replicas, self.streamed, self.layout
        )
        self.watched = control.watched(config, data.splits)
        control.check_metrics(config, self.watched)
        self.compile_seconds = self.evaluate_seconds = self.input_seconds = 0.0  # evaluations without compiling
        self.steps_per_call = config.training.steps_per_call or 1
        if config.training.phases and len(task.networks()) != 1:
            raise UserError('config.training.phases: this task has several networks; valid: () for them')
        self.phases = phases.of(config, self.feed.steps_per_epoch, self.total_steps)
        self._train: dict[int, Any] = {}  # by the number of the phase
        self._evaluate: dict[Any, Any] = {}
        self._large: set[Any] = set()  # shapes whose outputs come back only when they are asked for
        self._residents: dict[str, Any] = {}

    @property
    def total_steps(self) -> int:
        """Updates of the whole run."""
        return self.config.training.steps or phases.epochs(self.config) * self.feed.steps_per_epoch

    @property
    def resident(self) -> Any:
        """The training split on every device (in-memory data)."""
        return self._resident('train')

    def _resident(self, split: str) -> Any:
        """A split on every device, once, however often it is asked for."""
        if split not in self._residents:
            self._residents[split] = self.placement.whole(dict(self.data.splits[split].arrays or {}))
        return self._residents[split]

    @functools.cached_property
    def stream_block(self) -> int:
        """Updates whose examples are read at a time (streamed data)."""
        train = self.data.splits['train']
        example = gather(train, train.rows[:1])
        size = sum(array.nbytes for array in example.values()) * self.feed.batch_size * len(self.seeds)
        return int(np.clip(STREAM_BYTES // max(size, 1), 1, self.feed.steps_per_epoch))

    def read_ahead(self, split: str, chunks: Sequence[np.ndarray]) -> Iterator[Any]:
        """Streamed examples of blocks of indices [replicas, steps, batch], one after the other, on the devices.

        Each process reads the rows of its own devices; blocks are read and handed over while the one before is computed.
        """

        def read(chunk: np.ndarray) -> Any:
            size = chunk.shape[2]
            examples = gather(self.data.splits[split], chunk[:, :, self.placement.mine(size)])
            return self.placement.split_mine(examples, 2, size)

        blocks_read = iter(prefetched(read, chunks))
        for _ in chunks:
            begun = time.perf_counter()
            block = next(blocks_read)
            if split == 'train':
                self.input_seconds += time.perf_counter() - begun
            yield block

    @functools.cached_property
    def example(self) -> dict[str, np.ndarray]:
        """A batch in the form of the training split's with its weight, not prepared: shapes and dtypes for `init`."""
        train, size = self.data.splits['train'], self.feed.batch_size
        return {**train.blank(size), **self.layout.weights(np.zeros((size, *train.rows.shape[1:]), np.int32))}

    @functools.cached_property
    def _seeds(self) -> Any:
        return self.placement.each(np.asarray(self.seeds, np.uint32))

    def init(self) -> Any:
        """The state before the first step, as host arrays."""
        begun = time.perf_counter()
        seeds = np.asarray(self.seeds, np.uint32)
        if self.forms.replicas == 'vmap':
            state = self._init(seeds, self.example)
        else:  # one replica's program serves all: side by side it would take as many times as long to compile
            state = tuple(each for at in range(len(seeds)) for each in self._init(seeds[at : at + 1], self.example))
        state = jax.tree.map(np.asarray, state)
        self.compile_seconds += time.perf_counter() - begun
        if self.weights is not None:
            state = self.programs.each_replica(self.weights.apply, state)
        for phase in reversed(self.phases):  # all are tried before the first update; the first is entered
            entered = self.entered(state, phase)
        return entered

    def entered(self, state: Any, phase: phases.Phase) -> Any:
        """A host state as a phase begins with it."""
        return state if phase.rule is None else self.programs.each_replica(phase.entered, state)

    def template(self, start: Any, whole: bool = False) -> Callable[[int], Any]:
        """Step of a checkpoint -> what it is to be read as: a phase has an optimizer of its own. start: what `init` gave.

        whole: as host arrays, also where a training has its state split over devices.
        """

        def at(step: int) -> Any:
            state = self.entered(start, self.phases[phases.at(self.phases, step)])
            return state if whole else self.placement.read_as(state)

        return at

    @functools.cached_property
    def _init(self) -> Any:
        # It runs once. Compiled with less care it is there three times as soon on a CPU, and gives the same bits (but for
        # the last place of 40 of CycleGAN's 100,000 normal numbers). Who names a level in XLA_FLAGS has it here as well.
        level = 'xla_backend_optimization_level'
        asked = jax.default_backend() != 'cpu' or level in os.environ.get('XLA_FLAGS', '')
        return jax.jit(self.programs.init, compiler_options=None if asked else {level: 1})

    def train(
        self, state: Any, examples: Any, rows: Any, start: int, stop: int, first_step: int
    ) -> tuple[Any, Any, float]:
        """One call; the state given is consumed. (state, logs as numpy arrays [replicas, steps, 2], seconds)."""
        arguments = (state, examples, rows, self._seeds, *(np.int32(number) for number in (start, stop, first_step)))
        phase = phases.at(self.phases, first_step + start + 1)
        if phase not in self._train:
            begun = time.perf_counter()
            with self.phases[phase].trace():
                self._train[phase] = self._compiled(self.programs.train, arguments, donate=True)
            self.compile_seconds += time.perf_counter() - begun
        begun = time.perf_counter()
        state, logs = self._train[phase](*arguments)
        logs = self.placement.host(logs)
        return state, logs, time.perf_counter() - begun

    def _compiled(self, function: Callable, arguments: Sequence[Any], donate: bool) -> Callable:
        """With float32 products as exact as the config asks."""
        precision = self.config.training.matmul_precision
        with jax.default_matmul_precision(None if precision == 'default' else precision):
            return self.placement.compile(function, arguments, donate)

    def pace(self, steps: int, seconds: float) -> None:
        """Adapts the number of updates a call to the time that the last one took."""
        if self.config.training.steps_per_call or self.streamed:
            return
        fitting = int(CALL_SECONDS * steps / max(seconds, 1e-6))
        self.steps_per_call = self.agreed(max(1, min(fitting, 8 * self.steps_per_call)))

    @staticmethod
    def agreed(number: int) -> int:
        """The largest of what the processes say: all must make the same calls, and a signal may reach only one."""
        if jax.process_count() == 1:
            return number
        return int(multihost_utils.process_allgather(np.int32(number)).max())

    def evaluate(self, state: Any, split: str, keep: int = 0, heard: Callable[[], None] = lambda: None) -> Evaluation:
        """First what the task adds up and keeps, on the devices; then its scores of these, on the host.

        keep: of how many examples the outputs are given back. heard: called before each of the calls that it takes; what
        it raises (a signal came) ends the evaluation.
        """
        begun, compiled = time.perf_counter(), self.compile_seconds
        state = without_optimizer(state)
        source, scored = self.data.splits[split], tuple(getattr(self.task, 'scored', ()))
        devices = self.placement.devices
        size = min(self.config.data.eval_batch_size, source.size)
        size = -(-size // devices) * devices
        visited = self.layout.visited(source)
        order = blocks(source.rows[visited], size)
        step = batches_a_call(len(order), size)
        parts = [order[at : at + step] for at in range(0, len(order), step)]
        read = self.read_ahead(split, [part[None] for part in parts]) if self.streamed else [None] * len(parts)
        logs, outputs = [], []
        for number, (part, examples) in enumerate(zip(parts, read, strict=True)):
            heard()
            first = (
                0 if self.layout.lengths else number * step * size
            )  # with lengths, the first rows may be in any block
            names = None if first < keep else scored
            log, output = self._evaluate_blocks(state, split, part, examples, number * step, names)
            logs.append(log)
            outputs.append(output)
        joined = {name: np.concatenate([log[name] for log in logs], axis=1) for name in logs[0]}
        means = {name: log for name, log in joined.items() if log.ndim == 3}
        counts = {name: float(log[0, :, 1].sum(dtype=np.float64)) for name, log in means.items()}
        metrics, kept = control.epoch_means(means), _unpadded(outputs, visited, len(self.seeds))
        if hasattr(self.task, 'score'):
            totals = {
                name: log[:, :, 0].sum(axis=1, dtype=np.float64) for name, log in joined.items() if name not in means
            }
            found = [
                self.task.score({n: total[at] for n, total in totals.items()}, {n: kept[at][n] for n in scored}, source)
                for at in range(len(self.seeds))
            ]
            metrics |= {name: [each[name] for each in found] for name in found[0]}
        self.evaluate_seconds += time.perf_counter() - begun - (self.compile_seconds - compiled)
        return Evaluation(metrics, [_first(keep, one) for one in kept], counts)

    def _evaluate_blocks(
        self,
        state: Any,
        split: str,
        part: np.ndarray,
        read: Mapping[str, Any] | None,
        first: int,
        keep: tuple[str, ...] | None,
    ) -> tuple[Any, Any]:
        """Some batches of a split. read: their examples where the data are streamed; first: number of the first batch.

        keep: names of the outputs that come back at least (None: all).
        """
        place = self.placement
        examples = self._resident(split) if read is None else read
        arguments = (state, examples, place.split(part, axis=1), self._seeds, np.int32(first))
        shapes = tuple((array.shape, str(array.dtype)) for array in jax.tree.leaves(examples))
        same = (part.shape, jax.tree.structure(examples), shapes)  # one program for all splits of these shapes
        names = keep if same in self._large else None
        if (same, names) not in self._evaluate:
            begun = time.perf_counter()
            function = functools.partial(self.programs.evaluate, keep=names)
            self._evaluate[same, names] = self._compiled(function, arguments, donate=False)
            self.compile_seconds += time.perf_counter() - begun
        log, output = self._evaluate[same, names](*arguments)
        output = place.host_split(output, axis=2)
        if sum(leaf.nbytes for leaf in jax.tree.leaves(output)) > SMALL:
            self._large.add(same)
        return place.host(log), output if keep is None else {name: output[name] for name in keep}

    def host_state(self, state: Any) -> Any:
        """The state as host arrays, independent of devices."""
        return self.placement.host_state(state)

    def replica(self, host_state: Any, number: int) -> Any:
        """One replica of a host state."""
        return self.programs.replica(host_state, number)

    def snapshot(self, state: Any) -> Any:
        """What the task wants to be seen of the first replica, as host arrays (the same key every time), or None."""
        one = self.replica(self.host_state(state), 0)
        return jax.tree.map(np.asarray, self._snapshot(one, jnp.uint32(self.seeds[0])))

    @functools.cached_property
    def _snapshot(self) -> Any:
        return jax.jit(lambda state, seed: self.task.snapshot(state, key_for(seed, SNAPSHOT)))


def _unpadded(
    outputs: list[Mapping[str, np.ndarray]], visited: np.ndarray, replicas: int
) -> list[dict[str, np.ndarray]]:
    """Outputs [replicas, steps, batch, ...] of consecutive blocks as one dict a replica, name -> [size, ...].

    visited: position [size] of each output in its split; they come back in the split's order. What only the first blocks
    kept ends with them.
    """
    result: list[dict[str, np.ndarray]] = []
    for replica in range(replicas):
        flat = {}
        for name in outputs[0]:
            parts = [part[name][replica] for part in outputs if name in part]
            found = np.concatenate([part.reshape(-1, *part.shape[2:]) for part in parts])[: len(visited)]
            flat[name] = found[np.argsort(visited[: len(found)])]
        result.append(flat)
    return result


def _first(keep: int, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of the first examples, in memory of their own."""
    if not keep:
        return {}
    return {name: each if len(each) <= keep else each[:keep].copy() for name, each in outputs.items()}


def batches_a_call(batches: int, size: int) -> int:
    """How many of so many batches of that size go into a call of an evaluation: a divisor, so that one program serves all."""
    return images_a_block(batches, size, EVALUATED)


def check_sizes(config: Any, size: int) -> None:
    """A batch cannot be larger than the data."""
    if config.data.batch_size > size:
        raise UserError(
            f'config.data.batch_size = {config.data.batch_size} is larger than the {size} training examples; '
            f'valid: 1 to {size}, or 0: all of them'
        )
