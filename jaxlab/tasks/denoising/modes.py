"""`--mode=denoise`: a user's own images, of any size, without their noise."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.modes import Done, Mode, Option, Trained, one_a_file

SHOWN = 8  # images that are drawn beside what was made of them; all are written


def denoise(trained: Trained, options: Mapping[str, Any]) -> Done:
    """`denoised/NAME.png` for each image; with `noise` they are spoiled first, and their PSNR is said."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxlab.measures.images import psnr
    from jaxlab.tasks.whole_images import through, whole_images

    task = trained.task
    how = trained.data.input_feature.decoding
    given, broken = whole_images(Path(options['input']), how)  # what cannot be read is said before a run is looked for
    state, step = trained.restore()
    network = jax.jit(lambda images: task.denoise(state, images))
    rows, written, figures = [], {}, []
    for number, (file, clean) in enumerate(given):
        level = options['noise'] / 100
        key = jax.random.fold_in(jax.random.key(options['seed']), number)
        draws = jax.random.normal(key, (1, *clean.shape))
        noisy = task.spoiled(jnp.asarray(clean)[None], draws, level)[0] if level else jnp.asarray(clean)
        made = through(network, task.model, np.asarray(noisy))
        name = f'{number + 1:04d}_{file.stem}'
        row: dict[str, Any] = {'file': str(file), 'denoised': f'{name}.png', 'size': list(clean.shape[:2])}
        if level:
            for word, image in (('noisy_psnr', noisy), ('psnr', made)):
                row[word] = float(psnr(jnp.asarray(image)[None], jnp.asarray(clean)[None])[0])
        rows.append(row)
        written[name] = made
        if number < SHOWN:
            figures.append(_figure(f'{name}_beside', file.name, noisy, made, clean, row))
    return Done(
        {'name': trained.config.name, 'step': step, 'denoised': rows + broken}, 'denoised', figures, images=written
    )


def _figure(name: str, title: str, noisy: Any, made: Any, clean: Any, row: Mapping[str, Any]) -> Any:
    """Noisy, denoised, and the clean image where the noise was ours."""
    import numpy as np

    from jaxlab.figures import Images

    images, captions = [noisy, made], ['given', 'denoised']
    if 'psnr' in row:
        images, captions = [noisy, made, clean], [f'{row[w]:.2f} dB' for w in ('noisy_psnr', 'psnr')] + ['given']
    return Images(
        name, title, "a user's own image", np.stack([np.asarray(image) for image in images]), captions, columns=3
    )


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """One an image."""
    return one_a_file(facts['denoised'], _said)


def _said(row: Mapping[str, Any]) -> str:
    gain = f', {row["noisy_psnr"]:.2f} -> {row["psnr"]:.2f} dB' if 'psnr' in row else ''
    return f'{row["denoised"]}{gain}'


MODES = {
    'denoise': Mode(
        'your own images without their noise',
        {
            'input': Option(None, 'IMAGE or FOLDER of images, of any size'),
            'noise': Option(0, 'noise that is added first, in per cent of the range (0: yours has its own)'),
            'seed': Option(0, 'which noise'),
        },
        denoise,
        lines,
    )
}
