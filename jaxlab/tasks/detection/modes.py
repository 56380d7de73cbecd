"""`--mode=predict`: boxes in a user's own images, as JSON and drawn."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.modes import Done, Mode, Option, Trained, one_a_file

DRAWN = 24  # images that are drawn; all are in the JSON


def detect(trained: Trained, options: Mapping[str, Any]) -> Done:
    """`detected/NAME.png` for each image; boxes in pixels of the user's own image."""
    from jaxlab.data.boxes import FIELD
    from jaxlab.data.images import decode_whole
    from jaxlab.figures import Images
    from jaxlab.tasks.predicting import predicted

    data = trained.data
    who, blocks = data.input_feature.read(Path(options['input']))
    first = next(blocks)  # what cannot be read is said before a run is looked for
    state, step = trained.restore()
    least = options['score'] / 100
    found = [
        part
        for block in predicted(trained, state, itertools.chain([first], blocks))
        for part in zip(*block, strict=True)
    ]
    rows, figures = [], []
    for number, (one, (boxes, scores, labels)) in enumerate(zip(who, found, strict=True)):
        if 'error' in one:
            rows.append(one)
            continue
        image, sure = decode_whole(Path(one['file']), data.input_feature.decoding), scores >= max(least, 1e-9)
        size = (image.shape[1], image.shape[0])
        arguments = (boxes[sure], scores[sure], labels[sure], size)
        row = {**one, 'size': list(size), 'objects': data.features[FIELD].answers(*arguments)}
        if number < DRAWN:
            name = f'{number + 1:04d}_{Path(one["file"]).stem}'
            drawn = data.features[FIELD].drawn(boxes[sure], labels[sure], size, scores[sure])
            note = f'boxes with a score of {least:.2f} and more'
            figures.append(
                Images(name, Path(one['file']).name, note, image[None] / 255.0, columns=1, boxes=[drawn], widest=6.4)
            )
            row['drawn'] = f'{name}.png'
        rows.append(row)
    return Done({'name': trained.config.name, 'step': step, 'predictions': rows}, 'detected', figures)


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """One an image."""
    return one_a_file(facts['predictions'], _said)


def _said(row: Mapping[str, Any]) -> str:
    objects = [f'{one["class"]} ({one["score"]:.0%}) at {one["box"]}' for one in row['objects']]
    more = f' and {len(objects) - 8} more' if len(objects) > 8 else ''
    return (', '.join(objects[:8]) or 'nothing') + more


MODES = {
    'predict': Mode(
        'boxes in your own images, drawn and as JSON',
        {
            'input': Option(None, 'IMAGE or FOLDER of images'),
            'score': Option(50, 'least score that is shown, in per cent'),
        },
        detect,
        lines,
    )
}
