"""`--mode=sample`: new examples drawn from what was learned."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxlab.modes import Done, Mode, Option, Trained

BLOCK = 64  # drawn at a time
SHOWN = 400  # in the picture; all of them are in the file of arrays


def sample(trained: Trained, options: Mapping[str, Any]) -> Done:
    """`samples/seed_S.png` and `.npz`, and `samples/seed_S/0001.png` ... The task has `sample(state, key, count)`."""
    import jax
    import numpy as np

    from jaxlab.figures import Images

    count, seed = options['count'], options['seed']
    state, step = trained.restore()
    images = sampled(trained.task, state, jax.random.key(seed), count)
    shown = images[:SHOWN]
    columns = int(np.ceil(np.sqrt(len(shown))))
    some = f'{len(shown)} of ' if len(shown) < count else ''
    note = f'{some}{count} samples after step {step}, seed {seed}'
    figure = Images(f'seed_{seed}', f'New samples: {trained.config.name}', note, shown, columns=columns)
    facts = {'name': trained.config.name, 'step': step, 'count': count, 'seed': seed}
    files = {f'seed_{seed}/{number:04d}': image for number, image in enumerate(images[: options['files']], 1)}
    return Done(facts, 'samples', (figure,), {'image': images}, files)


def sampled(task: Any, state: Any, key: Any, count: int) -> Any:
    """`count` new examples; many of them block by block, each from its own key."""
    import jax
    import numpy as np

    if count <= BLOCK:
        return np.asarray(task.sample(state, key, count))
    run = jax.jit(lambda state, key: task.sample(state, key, BLOCK))
    blocks = [np.asarray(run(state, jax.random.fold_in(key, number))) for number in range(-(-count // BLOCK))]
    return np.concatenate(blocks)[:count]


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """Names of the files that were written, as lines for a terminal."""
    return [f'{facts["count"]} samples of step {facts["step"]}: {facts["picture"]}']


SAMPLE = Mode(
    'new examples, as a picture and as arrays',
    {
        'count': Option(64, 'how many', least=1),
        'seed': Option(0, 'which ones'),
        'files': Option(0, 'how many of them as files of their own, too'),
    },
    sample,
    lines,
)
MODES = {'sample': SAMPLE}
