"""What else can be done with a run: describe it, draw from it, predict with it."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxlab.data.images import Decoding, decode
from jaxlab.errors import UserError
from jaxlab.experiments import preprocessed
from jaxlab.experiments.facts import facts
from jaxlab.experiments.prepare import Prepared
from launch.progress import Watcher

BLOCK = 64  # examples read and computed at a time
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
    import numpy as np

    if not hasattr(prepared.task, 'predict'):
        raise UserError(
            f'--mode=predict: task {prepared.config.task.name} predicts nothing; valid: train, eval, describe'
        )
    if source is None:
        raise UserError('--mode=predict needs --input=IMAGE, --input=FOLDER or --input=ROWS.csv')
    data, path = prepared.data, Path(source)
    example = data.splits['train'].read([0])
    if 'image' in example:
        files = _images(path)
        how = data.decoding or Decoding(example['image'].shape[1:3], grey=example['image'].shape[3] == 1)
        who: list[dict[str, Any]] = [{'file': str(file)} for file in files]
        parts = [files[at : at + BLOCK] for at in range(0, len(files), BLOCK)]
        blocks: Iterator[Any] = ({'image': np.stack([_read(file, how) for file in part])} for part in parts)
    else:
        features = preprocessed.input_features(data, workdir, path)
        who = [{'row': number} for number in range(1, len(features) + 1)]
        blocks = ({'features': features[at : at + BLOCK]} for at in range(0, len(features), BLOCK))
    first = next(blocks)  # what cannot be read is said before a run is looked for
    state, step = _state(prepared, workdir, watcher, allow_change)
    blocks = itertools.chain([first], blocks)
    found = (row for block in _predicted(prepared, state, blocks) for row in preprocessed.answers(data, block))
    rows = [{**one, **said} for one, said in zip(who, found, strict=True)]
    return {'name': prepared.config.name, 'step': step, 'predictions': rows}


def _predicted(prepared: Prepared, state: Any, blocks: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """The task's predictions, block by block: a folder of any size takes no more memory than one block."""
    import jax
    import numpy as np

    from jaxlab.protocol import inputs_of

    run = jax.jit(lambda state, batch: prepared.task.predict(state, inputs_of(prepared.data.prepare(batch))))
    for block in blocks:
        count = len(next(iter(block.values())))
        # A short block is filled up, so that one program serves all.
        full = {
            name: np.concatenate([part, np.repeat(part[:1], BLOCK - count, axis=0)]) for name, part in block.items()
        }
        yield np.asarray(run(state, full))[:count]


def _state(prepared: Prepared, workdir: Path, watcher: Watcher, allow_change: bool) -> tuple[Any, int]:
    from jaxlab.training.run import restore

    if not (workdir / 'checkpoints').is_dir():
        raise UserError(f'no checkpoint in {workdir}; train first: the same command with --mode=train')
    machine, state, progress, _ = restore(prepared.config, prepared.task, prepared.data, workdir, watcher, allow_change)
    return machine.replica(state, 0), progress.step


def _images(source: Path) -> list[Path]:
    if source.is_dir():
        kinds = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.webp')
        files = sorted(file for file in source.rglob('*') if file.suffix.lower() in kinds)
        if not files:
            raise UserError(f'--input={source}: no image in this folder; valid: {", ".join(kinds)}')
        return files
    if not source.is_file():
        raise UserError(f'--input={source}: no such file or folder')
    return [source]


def _read(file: Path, how: Decoding) -> Any:
    """One image [H, W, C] uint8, decoded as the training images were."""
    try:
        return decode(file, how)
    except ValueError as error:
        raise UserError(f'--input={file}: not an image that can be read ({error})') from error
