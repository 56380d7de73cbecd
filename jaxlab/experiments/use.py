"""A trained network put to use: the modes of its task, and what an experiment would cost."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from jaxlab.experiments import run_data
from jaxlab.experiments.facts import facts
from jaxlab.experiments.prepare import Prepared
from jaxlab.experiments.watching import Watcher
from jaxlab.modes import Mode


def describe(prepared: Prepared) -> dict[str, Any]:
    """The experiment without training: model table, data and its source, steps, memory, operations."""
    from jaxlab.training.describe import describe as cost

    if not prepared.data.splits:
        return facts(prepared)
    return {**facts(prepared), **cost(prepared.config, prepared.task, prepared.data)}


WEIGHTS = 'weights.safetensors'  # of a run that was given away (`jaxlab/experiments/export.py`)


@dataclasses.dataclass(frozen=True)
class Run:
    """The newest checkpoint of a run (with `restore_best` the best one)."""

    prepared: Prepared
    workdir: Path
    watcher: Watcher
    allow_change: bool = False

    @property
    def config(self) -> Any:
        """The checked config."""
        return self.prepared.config

    @property
    def task(self) -> Any:
        """What was learned."""
        return self.prepared.task

    @property
    def data(self) -> Any:
        """The data as the run's weights know them."""
        return self.prepared.data

    def restore(self) -> tuple[Any, int]:
        """(the first replica's state, the step that it was saved at)."""
        from jaxlab.training.run import restore

        if (self.workdir / WEIGHTS).is_file() and not (self.workdir / 'checkpoints').is_dir():
            return self._given(), self.prepared.config.training.steps
        if not (self.workdir / 'checkpoints').is_dir():
            raise UserError(f'no checkpoint in {self.workdir}; train first: the same command with --mode=train')
        arguments = (self.config, self.task, self.data, self.workdir, self.watcher, self.allow_change)
        machine, state, progress, _ = restore(*arguments)
        return machine.replica(state, 0), progress.step

    def _given(self) -> Any:
        """The state of a run that was given away: its weights alone."""
        import jax
        import jax.numpy as jnp

        from jaxlab.training.start import Start

        blank = {name: jnp.zeros(one.shape, one.dtype) for name, one in self.task.example.items()}
        file = self.workdir / WEIGHTS
        try:
            return Start.read(file).apply(self.task.init(jax.random.key(0), blank))
        except UserError as error:
            why = str(error).removeprefix(f'config.start.weights={str(file)!r}').partition('; valid: ')[0].lstrip(': ')
            raise UserError(f'{file}: {why}; valid: the files of one export together') from error


def use(
    prepared: Prepared, workdir: Path, watcher: Watcher, mode: Mode, options: Mapping[str, Any], allow_change: bool
) -> dict[str, Any]:
    """Runs a mode and writes what it gives; returns its facts, with `picture`, `arrays` and `images` naming the files."""
    import numpy as np

    from jaxlab.data.images import write_png
    from jaxlab.files import storable, write_atomically
    from jaxlab.report.draw import draw

    prepared = run_data.as_in_run(prepared, workdir)
    done = mode.run(Run(prepared, workdir, watcher, allow_change), options)
    folder, result = workdir / done.folder, dict(done.facts)
    for figure in done.figures:
        result['picture'] = str(draw(figure, folder))
    if done.arrays:
        file = folder / f'{done.figures[0].name}.npz'
        with write_atomically(file) as stream:
            arrays: Any = {name: storable(array) for name, array in done.arrays.items()}
            np.savez_compressed(stream, **arrays)
        result['arrays'] = str(file)
    if done.images:
        result['images'] = [str(write_png(folder / f'{name}.png', image)) for name, image in done.images.items()]
    return result


def asked(
    prepared: Prepared, workdir: Path, watcher: Watcher, mode: Mode, allow_change: bool
) -> Callable[[str], Sequence[str]] | None:
    """What answers line by line; None where a line is no example of this data set."""
    if mode.ask is None or not prepared.data.input_feature.typed:
        return None
    return mode.ask(Run(run_data.as_in_run(prepared, workdir), workdir, watcher, allow_change))
