"""What else can be done with a run: describe it, draw from it, predict with it."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jaxlab.data.features import BLOCK
from jaxlab.errors import UserError
from jaxlab.experiments import kept
from jaxlab.experiments.facts import facts
from jaxlab.experiments.prepare import Prepared
from launch.progress import Watcher

SHOWN = 400  # samples in the picture; all of them are in the file of arrays


def describe(prepared: Prepared) -> dict[str, Any]:
    """The experiment without training: model table, data and its source, steps, memory, operations."""
    from jaxlab.training.describe import describe as cost

    if not prepared.data.splits:
        return facts(prepared)
    return {**facts(prepared), **cost(prepared.config, prepared.task, prepared.data)}


def sample(
    prepared: Prepared, workdir: Path, watcher: Watcher, count: int, seed: int, allow_change: bool
) -> dict[str, Any]:
    """New examples from a run's newest checkpoint: `samples/seed_S.png` and `.npz`."""
    import jax
    import numpy as np

    from jaxlab.figures import Images
    from jaxlab.report.draw import draw
    from jaxlab.training.files import storable, write_atomically

    if not hasattr(prepared.task, 'sample'):
        raise UserError(f'--mode=sample: task {prepared.config.task.name} draws nothing; valid: train, eval, describe')
    state, step = _state(prepared, workdir, watcher, allow_change)
    images = _sampled(prepared.task, state, jax.random.key(seed), count)
    shown = images[:SHOWN]
    columns = int(np.ceil(np.sqrt(len(shown))))
    some = f'{len(shown)} of ' if len(shown) < count else ''
    note = f'{some}{count} samples after step {step}, seed {seed}'
    folder = workdir / 'samples'
    picture = draw(Images(f'seed_{seed}', f'New samples: {prepared.config.name}', note, shown, columns=columns), folder)
    with write_atomically(folder / f'seed_{seed}.npz') as file:
        np.savez_compressed(file, image=storable(images))
    return {
        'name': prepared.config.name,
        'step': step,
        'count': count,
        'seed': seed,
        'picture': str(picture),
        'arrays': str(folder / f'seed_{seed}.npz'),
    }


def _sampled(task: Any, state: Any, key: Any, count: int) -> Any:
    """`count` new examples; many of them block by block, each from its own key."""
    import jax
    import numpy as np

    if count <= BLOCK:
        return np.asarray(task.sample(state, key, count))
    run = jax.jit(lambda state, key: task.sample(state, key, BLOCK))
    blocks = [np.asarray(run(state, jax.random.fold_in(key, number))) for number in range(-(-count // BLOCK))]
    return np.concatenate(blocks)[:count]


def predict(
    prepared: Prepared, workdir: Path, watcher: Watcher, source: str | None, allow_change: bool
) -> dict[str, Any]:
    """What the network says of a user's own image, folder of images, or rows of a CSV file."""
    if not hasattr(prepared.task, 'predict'):
        raise UserError(
            f'--mode=predict: task {prepared.config.task.name} predicts nothing; valid: train, eval, describe'
        )
    if source is None:
        raise UserError('--mode=predict needs --input=IMAGE, --input=FOLDER or --input=ROWS.csv')
    prepared = kept.as_in_run(prepared, workdir)
    data = prepared.data
    who, blocks = data.input_feature.read(Path(source))
    first = next(blocks)  # what cannot be read is said before a run is looked for
    state, step = _state(prepared, workdir, watcher, allow_change)
    found = _predicted(prepared, state, itertools.chain([first], blocks))
    answers = (row for block in found for row in data.answer_feature.answers(block))
    rows = [{**one, **said} for one, said in zip(who, answers, strict=True)]
    return {'name': prepared.config.name, 'step': step, 'predictions': rows}


def _predicted(prepared: Prepared, state: Any, blocks: Iterable[Any]) -> Iterator[Any]:
    """The task's predictions, block by block: a folder of any size takes no more memory than one block."""
    import jax
    import numpy as np

    task, data = prepared.task, prepared.data
    run = jax.jit(lambda state, block: task.predict(state, *task.inputs(data.prepare({data.input: block}))))
    for block in blocks:
        filled = np.repeat(block[:1], BLOCK - len(block), axis=0)  # so that one program serves all
        yield np.asarray(run(state, np.concatenate([block, filled])))[: len(block)]


def _state(prepared: Prepared, workdir: Path, watcher: Watcher, allow_change: bool) -> tuple[Any, int]:
    from jaxlab.training.run import restore

    if not (workdir / 'checkpoints').is_dir():
        raise UserError(f'no checkpoint in {workdir}; train first: the same command with --mode=train')
    machine, state, progress, _ = restore(prepared.config, prepared.task, prepared.data, workdir, watcher, allow_change)
    return machine.replica(state, 0), progress.step
