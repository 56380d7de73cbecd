"""What else can be done with a run: describe it, draw from it, predict with it."""

from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from launch import preprocessed
from launch.experiment import Prepared, facts
from launch.progress import Watcher


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
    images = np.asarray(prepared.task.sample(state, jax.random.key(seed), count))
    columns = int(np.ceil(np.sqrt(count)))
    note = f'{count} samples after step {step}, seed {seed}'
    folder = workdir / 'samples'
    picture = draw(
        Images(f'seed_{seed}', f'New samples: {prepared.config.name}', note, images, columns=columns), folder
    )
    with write_atomically(folder / f'seed_{seed}.npz') as file:
        np.savez_compressed(file, image=storable(images))
    return {'name': prepared.config.name, 'step': step, 'count': count, 'seed': seed, 'picture': str(picture),
            'arrays': str(folder / f'seed_{seed}.npz')}  # fmt: skip


def predict(
    prepared: Prepared, workdir: Path, watcher: Watcher, source: str | None, allow_change: bool
) -> dict[str, Any]:
    """What the network says of a user's own image, folder of images, or rows of a CSV file."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxlab.tasks.protocol import inputs_of

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
        who: list[dict[str, Any]] = [{'file': str(file)} for file in files]
        batch = {'image': np.stack([_read(file, example['image'].shape[1:]) for file in files])}
    else:
        batch = {'features': preprocessed.input_features(data, workdir, path)}
        who = [{'row': number} for number in range(1, len(batch['features']) + 1)]
    state, step = _state(prepared, workdir, watcher, allow_change)
    found = np.asarray(prepared.task.predict(state, inputs_of(data.prepare(jax.tree.map(jnp.asarray, batch)))))
    rows = [{**one, **said} for one, said in zip(who, preprocessed.answers(data, found), strict=True)]
    return {'name': prepared.config.name, 'step': step, 'predictions': rows}


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


def _read(file: Path, shape: tuple[int, ...]) -> Any:
    """One image brought to the training images' size and channels, uint8."""
    import numpy as np
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = 50_000_000
    try:
        with Image.open(file) as image:
            fitted = image.convert('L' if shape[2] == 1 else 'RGB').resize(
                (shape[1], shape[0]), Image.Resampling.BILINEAR
            )
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f'--input={file}: not an image that can be read ({error})') from error
    return np.asarray(fitted, np.uint8).reshape(shape)
