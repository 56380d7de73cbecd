"""`--mode=predict`: masks of a user's own images, as PNG, over the image, and as shares in JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.modes import Done, Mode, Option, Trained, one_a_file


def segment(trained: Trained, options: Mapping[str, Any]) -> Done:
    """`segmented/NAME_mask.png` (class k as a grey value) and `NAME_overlay.png`, in the size of the user's own image."""
    import numpy as np
    from PIL import Image

    from jaxlab.data.images import decode_whole
    from jaxlab.tasks.predicting import predicted
    from jaxlab.tasks.segmentation import overlay

    data, names = trained.data, trained.task.names
    who, blocks = data.input_feature.read(Path(options['input']))
    blocks = list(blocks)  # what cannot be read is said before a run is looked for
    state, step = trained.restore()
    masks = [mask for block in predicted(trained, state, blocks) for mask in block]
    rows, written = [], {}
    for number, (one, mask) in enumerate(zip(who, masks, strict=True)):
        if 'error' in one:
            rows.append(one)
            continue
        image = decode_whole(Path(one['file']), data.input_feature.decoding) / 255.0
        size = (image.shape[1], image.shape[0])
        whole = np.asarray(Image.fromarray(mask.astype(np.uint8)).resize(size, Image.Resampling.NEAREST))
        name = f'{number + 1:04d}_{Path(one["file"]).stem}'
        written[f'{name}_mask'] = whole[..., None] / (len(names) - 1)
        written[f'{name}_overlay'] = overlay.classes(image, whole)
        shares = {word: float((mask == label).mean()) for label, word in enumerate(names)}
        rows.append(
            {**one, 'size': list(size), 'shares': shares, 'mask': f'{name}_mask.png', 'overlay': f'{name}_overlay.png'}
        )
    return Done({'name': trained.config.name, 'step': step, 'predictions': rows}, 'segmented', images=written)


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """One an image."""
    return one_a_file(facts['predictions'], _said)


def _said(row: Mapping[str, Any]) -> str:
    return ', '.join(f'{name} {share:.1%}' for name, share in row['shares'].items()) + f'; {row["overlay"]}'


MODES = {
    'predict': Mode(
        'masks of your own images, and these over the images',
        {'input': Option(None, 'IMAGE or FOLDER of images')},
        segment,
        lines,
    )
}
