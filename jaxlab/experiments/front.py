"""The front door for notebooks and scripts: `import jaxlab` gives `catalogue`, `experiment` and `open_run`."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from configs import common
from jaxlab.data import plain
from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.experiments import many, run_data, use
from jaxlab.experiments.prepare import Prepared, prepare
from jaxlab.experiments.watching import Printing, Watcher
from jaxlab.files import path_of, write_file
from jaxlab.modes import Done
from jaxlab.tasks.names import modes_of
from jaxlab.training import runtime
from jaxlab.training.events import read_log


def catalogue() -> dict[str, str]:
    """Name -> question of all experiments that ship with the project."""
    folder = configs.main_folder()
    return {name: configs.load(folder / f'{name}.py', 'full').aim for name in configs.names()}


def experiment(
    name: str | Path | common.Config, profile: str = 'full', data_dir: str | None = None, **overrides: Any
) -> 'Experiment':
    """An experiment by its name or file, with some fields changed: `experiment('lenet_mnist', training__epochs=3)`.

    A field's dots are written as two underscores, or as they are: `**{'training.epochs': 3}`. name: may be a config as well.
    """
    changes = {field.replace('__', '.'): value for field, value in overrides.items()}
    if isinstance(name, common.Config):
        config, chosen = configs.apply(name, changes, 'experiment(...)'), dict.fromkeys(changes, configs.COMMAND_LINE)
    else:
        config, chosen = configs.of_file(*configs.split_profile(f'{name}:{profile}'), changes, 'experiment(...)')
    return Experiment(config, data_dir, chosen)


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A checked config. chosen: field -> who set it, where that was not the experiment."""

    config: common.Config
    data_dir: str | None = None
    chosen: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def prepared(self) -> Prepared:
        """The experiment with its data loaded and its task and report built."""
        runtime.ask_for_devices(self.config.parallel)
        runtime.start()
        return prepare(self.config, self.data_dir, self.chosen)

    def describe(self) -> dict[str, Any]:
        """Model table, data and its source, steps, memory and operations; trains nothing."""
        return use.describe(self.prepared)

    def train(self, workdir: str | Path | None = None, watcher: Watcher | None = None) -> 'Run':
        """Trains (or goes on) in a folder, `runs/NAME` by default, as the command line does; prints a line an epoch."""
        folder = path_of(workdir or Path('runs') / self.config.name)
        many.train(self.prepared, folder, watcher or Printing())
        return open_run(folder, self.data_dir)


def open_run(folder: str | Path, data_dir: str | None = None) -> 'Run':
    """A run that was trained before, whoever trained it."""
    folder = path_of(folder)
    if not (folder / 'results.json').is_file():
        raise UserError(f'{folder} holds no finished run; valid: a folder with results.json')
    return Run(folder, data_dir)


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f'{file} cannot be read ({error})') from error
    if not isinstance(content, dict):
        raise UserError(f'{file} holds {type(content).__name__}; valid: what a training wrote')
    return content


@dataclasses.dataclass(frozen=True)
class Run:
    """What a training left in its folder. Networks and data are loaded when they are asked for."""

    folder: Path
    data_dir: str | None = None

    @functools.cached_property
    def results(self) -> dict[str, Any]:
        """results.json: metrics, published values, parameters, settings, versions."""
        return _json(self.folder / 'results.json')

    @functools.cached_property
    def history(self) -> list[dict[str, Any]]:
        """One row an epoch: 'epoch', 'step', 'seconds', and each metric with one value a replica."""
        return read_log(self.folder)

    @property
    def variants(self) -> dict[str, 'Run']:
        """The runs of a comparison, by name."""
        return {name: Run(self.folder / 'variants' / name, self.data_dir) for name in self.results.get('variants', {})}

    @functools.cached_property
    def config(self) -> common.Config:
        """The config that was trained, tuned and adapted fields included."""
        file = self.folder / 'config.json'
        if not file.is_file():
            valid = ', '.join(f'run.variants[{name!r}]' for name in self.variants) or 'a run with config.json'
            raise UserError(f'{self.folder} holds several runs; valid: {valid}')
        try:
            return configs.completed({**plain.from_json(_json(file)), 'stand_in': {}})
        except ValueError as error:
            raise UserError(f'{file}: {error}; valid: the version of jaxlab that wrote it') from error

    @functools.cached_property
    def _use(self) -> use.Run:
        """By the run's own description of its data where it keeps one."""
        config = self.config  # a comparison says that it holds several runs
        saved = self.folder / 'checkpoints'  # empty after a training of no epochs
        if not saved.is_dir() and not run_data.has_weights(self.folder):
            raise UserError(
                f'{self.folder} holds no trained network; valid: a folder with checkpoints or {use.WEIGHTS}'
            )
        runtime.start()
        described = run_data.described(self.folder)
        if described is None and not saved.is_dir():
            raise UserError(f'{self.folder} lacks {run_data.FILE}; valid: the files of one export together')
        return self._with_data if described is None else self._of(prepare(config, described=described))

    @functools.cached_property
    def _with_data(self) -> use.Run:
        runtime.start()
        return self._of(run_data.as_in_run(prepare(self.config, self.data_dir), self.folder))

    def _of(self, prepared: Prepared) -> use.Run:
        return use.Run(prepared, self.folder, Printing(quiet=True), allow_change=True)

    @functools.cached_property
    def state(self) -> Any:
        """The first replica's state: network name -> TrainState."""
        return self._use.restore()[0]

    @property
    def parameters(self) -> dict[str, Any]:
        """Network name -> its parameters, nested by layer."""
        return {name: network.params for name, network in self.state.items() if hasattr(network, 'params')}

    def network(self, name: str = 'model') -> tuple[Any, Any]:
        """(Flax module, variables): `module.apply(variables, inputs, train=False)` in a script of one's own."""
        module, _ = self._use.task.networks()[name]
        return module, self.state[name].variables()

    def predict(self, examples: Any) -> list[dict[str, Any]]:
        """Of a file, a folder, a list of texts, or an array of examples [N, ...] as the data set holds them."""
        if isinstance(examples, str | Path):
            return list(self.mode('predict', input=str(examples)).facts['predictions'])
        from jaxlab.data.features import BLOCK
        from jaxlab.tasks.predicting import predicted

        data, values = self._use.data, np.asarray(examples)
        blocks = (values[at : at + BLOCK] for at in range(0, len(values), BLOCK))
        if values.dtype.kind == 'U':
            _, blocks = data.input_feature.given(list(examples))
        return [row for block in predicted(self._use, self.state, blocks) for row in data.answer_feature.answers(block)]

    def sample(self, count: int = 64, seed: int = 0) -> np.ndarray:
        """New examples [count, ...] in [0, 1], where something generative was trained."""
        return self.mode('sample', count=count, seed=seed).arrays['image']

    def mode(self, name: str, **options: Any) -> Done:
        """What `--mode=NAME --option=VALUE` computes, without writing anything: `run.mode('denoise', input='photo.png')`."""
        modes = modes_of(self.config)
        if name not in modes:
            raise UserError(f'{self.config.name} has no mode {name}; valid: {", ".join(modes) or "none"}')
        mode = modes[name]
        asked = mode.checked(name, options)
        return mode.run(self._with_data if mode.needs_data else self._use, asked)

    def save_weights(self, path: str | Path) -> dict[str, tuple[int, ...]]:
        """All parameters and running statistics as a safetensors file; returns its table of names: name -> shape.

        Names are paths such as `model.params.Dense_0.kernel`.
        """
        from safetensors.numpy import load

        written = self.weights()
        write_file(path_of(path), written)
        return {name: array.shape for name, array in load(written).items()}

    def weights(self) -> bytes:
        """What `save_weights` writes."""
        from safetensors.numpy import save

        from jaxlab.training.start import named

        return save(named(self.state))
