"""From a checked config to data, task and report, and to the same experiment with other values."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs import common
from jaxlab import data as data_sets
from jaxlab.data.dataset import Dataset
from jaxlab.experiments import config as configs
from jaxlab.files import cache_folder
from jaxlab.protocol import Reporter, Task
from jaxlab.tasks.build import build_report, build_task
from jaxlab.training import control, phases
from jaxlab.training.feeding import Feed
from jaxlab.training.identity import flat
from jaxlab.training.machine import check_sizes


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A checked config with its data, its task and what shows it; `chosen`: who set a field, where it was not the experiment.

    variant: its name, where it is one of `config.variants`. described: whether the data are a run's own description,
    without examples. reported: whether a report will be asked for; its options are then checked at once.
    """

    config: common.Config
    data: Dataset
    chosen: Mapping[str, str]
    adapted: list[dict[str, Any]]
    data_dir: str | None
    command: str = ''
    variant: str = ''
    described: bool = False
    reported: bool = True

    @functools.cached_property
    def task(self) -> Task:
        """What is learned."""
        return build_task(self.config, self.data, *_steps(self.config, self.data))

    @functools.cached_property
    def reporter(self) -> Reporter:
        """What shows a finished run."""
        return build_report(self.config, self.task, self.data)

    def labelled(self, **labels: Any) -> 'Prepared':
        """The same under another `variant`, with other `adapted` fields; what was built stays."""
        made = dataclasses.replace(self, **labels)
        vars(made).update({name: built for name, built in vars(self).items() if name in ('task', 'reporter')})
        return made


def prepare(
    config: common.Config,
    data_dir: str | None = None,
    chosen: Mapping[str, str] | None = None,
    command: str = '',
    like: Prepared | None = None,
    described: Dataset | None = None,
    reported: bool = True,
) -> Prepared:
    """Loads the data, adapts the config to stand-in data.

    like: a sibling (the experiment of a variant, another trial); its data are taken where the config asks for the same.
    described: a run's own description of its data, which takes their place. reported: whether a report will be asked for:
    what is wrong with its options is then said here.
    """
    chosen = dict(chosen or {})
    shared = like is not None and like.config.data == config.data and like.data_dir == data_dir
    data = described or (like.data if like is not None and shared else _load(config, data_dir))
    adapted: list[dict[str, Any]] = []
    if data.stand_in and config.stand_in:
        changes = {path: value for path, value in config.stand_in.items() if path not in chosen}
        adapted = _adaptations(config, changes, data)
        config = configs.apply(config, changes, f'stand_in of configs/{config.name}.py')
        chosen |= dict.fromkeys(changes, 'stand-in data')
        if described is None and any(path.startswith('data.') for path in changes):
            data = _load(config, data_dir)
    made = Prepared(config, data, chosen, adapted, data_dir, command, '', described is not None, reported)
    # Mistakes in their options show here. Of variants each says so itself: an option may be that of one's network alone.
    if not config.variants:
        _ = made.reporter if reported and described is None else made.task
    return made


def _steps(config: common.Config, data: Dataset) -> tuple[int, int]:
    """Updates an epoch and of the whole training; none where the data set has no splits (worked computations)."""
    if not data.splits:
        return 0, 0
    check_sizes(config, data.draws)
    feed = Feed.of(config.data, data, (0,))
    return feed.steps_per_epoch, config.training.steps or phases.epochs(config) * feed.steps_per_epoch


def _load(config: common.Config, data_dir: str | None) -> Dataset:
    return data_sets.load(config.data, data_dir, cache_folder() / 'data')


def _adaptations(config: common.Config, changes: Mapping[str, Any], data: Dataset) -> list[dict[str, Any]]:
    why = f'{data.splits["train"].size:,} stand-in examples'
    flat = config.to_dict()
    found = []
    for path, value in changes.items():
        before: Any = flat
        for part in path.split('.'):
            before = before.get(part) if isinstance(before, Mapping) else None
        found.append({'field': path, 'value': value, 'instead_of': before, 'why': why})
    return found


def variant(prepared: Prepared, workdir: Path, name: str) -> tuple[Prepared, Path]:
    """One of `config.variants`, prepared, and the folder it is kept in."""
    own, reset = _variant_changes(prepared, name)
    return changed(prepared, own, f'variant {name}', reset).labelled(variant=name), workdir / 'variants' / name


def check_variants(prepared: Prepared) -> None:
    """Says what is wrong with any of `config.variants`, as far as that shows without data of its own."""
    for name in prepared.config.variants:
        own, reset = _variant_changes(prepared, name)
        control.check_decisions(configs.apply(prepared.config, {**own, **reset}, f'variant {name}'))


def _variant_changes(prepared: Prepared, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that a variant sets, and those that are set whatever it says.

    What the command line chose stays, inside a block that the variant replaces too.
    """
    changes, chosen = prepared.config.variants[name].to_dict(), prepared.chosen
    own = {path: value for path, value in changes.items() if path not in chosen}
    inside = [path for path in chosen if any(path.startswith(f'{block}.') for block in own)]
    kept = {path: configs.current(prepared.config, path) for path in inside if chosen[path] == configs.COMMAND_LINE}
    return own, {'variants': {}, **kept}


def changed(prepared: Prepared, changes: Mapping[str, Any], who: str, reset: Mapping[str, Any]) -> Prepared:
    """The experiment with other values, chosen by `who`; reset: further values, of which who chose them stays as it is.

    Already adapted to stand-in data, it is not adapted again.
    """
    config = configs.apply(prepared.config, {**changes, **reset, 'stand_in': {}}, who)
    own = {path: who for path in (*changes, *flat(changes)) if path not in reset}
    described = prepared.data if prepared.described else None
    chosen = {**prepared.chosen, **own}
    arguments = (prepared.data_dir, chosen, prepared.command, prepared, described, prepared.reported)
    return prepare(config, *arguments).labelled(adapted=prepared.adapted, variant=prepared.variant)
