"""The weights that `config.start` names, and what must be said of them."""

import re
from collections.abc import Mapping
from typing import Any

from jaxlab.data.sources import named_dir
from jaxlab.errors import UserError, closest
from jaxlab.experiments.prepare import Prepared
from jaxlab.experiments.watching import Watcher
from jaxlab.files import readable
from jaxlab.models.pretrained.source import beneath, published
from jaxlab.protocol import Needed
from jaxlab.training.start import Start, named

HEAD = 'params.head.'  # the classifier of published weights


def start_of(prepared: Prepared, needs: Mapping[str, Needed], watcher: Watcher) -> Start | None:
    """What the networks begin with over their initialisation; None where that is all."""
    block = prepared.config.start
    if not block:
        if any(phase.get('train', ()) for phase in prepared.config.training.phases):
            watcher.say('no weights are loaded: what a phase does not train is random, as it was initialised.')
        return None
    skip = tuple(block.get('skip', ()))
    if 'layout' in block:
        return _published(prepared, block, skip, watcher)
    if 'weights' in block:
        return Start.read(readable(block['weights']), skip)
    if block['needs'] not in needs:
        raise UserError(f'config.start.needs = {block["needs"]!r}; {closest(block["needs"], needs)} of config.needs')
    return Start(named(needs[block['needs']].state), skip, f'config.start.needs = {block["needs"]!r}')


def _published(prepared: Prepared, block: Mapping[str, Any], skip: tuple[str, ...], watcher: Watcher) -> Start:
    """Into the one network of a task, or into one module of it: what is outside of it stays as it is initialised."""
    network, *more = prepared.task.networks()
    if more:
        raise UserError(f'config.start.layout with the networks {network}, {", ".join(more)}; valid: a task with one')
    module = block.get('beneath', '')
    found = published(block['layout'], block.get('weights', ''), named_dir(prepared.data_dir), skip)
    for note in found.notes:
        watcher.say(note)
    watcher.say(f'the network begins with the {found.where}.')
    chosen = _outputs(found.weights, tuple(block.get('outputs', ())), found.where)
    if 'classifier' in block:  # nothing but the published one, into this dense layer
        head = {name: array for name, array in chosen.items() if name.startswith(HEAD)}
        chosen = {name.replace(HEAD, f'params.{block["classifier"]}.', 1): array for name, array in head.items()}
    weights = {f'{network}.{name}': array for name, array in beneath(chosen, module).items()}
    outside = (rf'^{network}\.\w+\.(?!{re.escape(module)}\.)',) if module else ()
    return Start(weights, (*skip, *outside), f'config.start: {found.where}')


def _outputs(weights: Mapping[str, Any], wanted: tuple[int, ...], where: str) -> Mapping[str, Any]:
    """The weights with these outputs of the published classifier alone, in this order; all of them where none are named."""
    if not wanted:
        return weights
    head = {name: array for name, array in weights.items() if name.startswith(HEAD)}
    count = min((array.shape[-1] for array in head.values()), default=0)
    if not all(0 <= number < count for number in wanted):
        raise UserError(
            f'config.start.outputs = {wanted}: {where} have {count} outputs; valid: numbers of theirs, from 0'
        )
    return {**weights, **{name: array[..., list(wanted)] for name, array in head.items()}}
