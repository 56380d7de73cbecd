"""`--mode=translate`: a user's own images, of any size, from one domain to the other and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from jaxlab.modes import Done, Mode, Option, Trained, one_a_file

SHOWN = 8  # images that are drawn beside what was made of them; all are written


def translate(trained: Trained, options: Mapping[str, Any]) -> Done:
    """`translated/NAME.png` for each image; the first ones are drawn beside it, with the way back."""
    import jax
    import numpy as np

    from jaxlab.figures import Images
    from jaxlab.tasks.whole_images import through, whole_images

    task = trained.task
    target = options['to'] or task.domains[1]
    if target not in task.domains:
        raise UserError(f'--to={target}; valid: {", ".join(task.domains)}')
    source = next(domain for domain in task.domains if domain != target)
    given, broken = whole_images(Path(options['input']), trained.data.features[f'image_{source}'].decoding)
    state, step = trained.restore()
    network = jax.jit(task.translated)
    params = {domain: state[f'generator_{domain}'].averaged()['params'] for domain in task.domains}
    rows, written, figures = [], {}, []
    for number, (file, image) in enumerate(given):
        made = through(lambda x: network(params[target], x), task.generator, image)
        name = f'{number + 1:04d}_{file.stem}'
        rows.append({'file': str(file), 'translated': f'{name}.png', 'size': list(image.shape[:2])})
        written[name] = made
        if number < SHOWN:
            again = through(lambda x: network(params[source], x), task.generator, np.round(made * 255) / 255)
            captions = ('given', f'as {target}', 'and back')
            beside = np.stack([image, made, again])
            figures.append(Images(f'{name}_beside', file.name, "a user's own image", beside, captions, columns=3))
    return Done(
        {'name': trained.config.name, 'step': step, 'to': target, 'translated': rows + broken},
        'translated',
        figures,
        images=written,
    )


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """One an image."""
    return one_a_file(facts['translated'], lambda row: f'{row["translated"]} (to {facts["to"]})')


MODES = {
    'translate': Mode(
        'your own images in the other domain',
        {
            'input': Option(None, 'IMAGE or FOLDER of images, of any size'),
            'to': Option('', 'the domain that they are translated to (the second one)'),
        },
        translate,
        lines,
    )
}
