"""`--mode=predict`: what a network says of a user's own examples, read as the training examples were."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.modes import Done, Mode, Option, Trained


def predict(trained: Trained, options: Mapping[str, Any]) -> Done:
    """One answer an example. The task has `predict(state, *inputs)`."""
    data = trained.data
    who, blocks = data.input_feature.read(Path(options['input']))
    first = next(blocks)  # what cannot be read is said before a run is looked for
    state, step = trained.restore()
    found = predicted(trained, state, itertools.chain([first], blocks))
    answers = (row for block in found for row in data.answer_feature.answers(block))
    rows = [{**one, **said} for one, said in zip(who, answers, strict=True)]
    return Done({'name': trained.config.name, 'step': step, 'predictions': rows})


def predicted(trained: Trained, state: Any, blocks: Iterable[Any]) -> Iterator[Any]:
    """The task's predictions, block by block: a folder of any size takes no more memory than one block."""
    return (block for (block,) in _through(trained, state, blocks, lambda said: (said,)))


def blocks_through(trained: Trained, state: Any, first: Any, blocks: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """The same of a task that says several things of an example: a tuple of arrays a block."""
    return _through(trained, state, itertools.chain([first], blocks), tuple)


def _through(trained: Trained, state: Any, blocks: Iterable[Any], said: Callable[[Any], tuple]) -> Iterator[tuple]:
    import jax
    import numpy as np

    from jaxlab.data.features import BLOCK

    task, data = trained.task, trained.data
    run = jax.jit(lambda state, block: said(task.predict(state, *task.inputs(data.prepare({data.input: block})))))
    for block in blocks:
        filled = np.repeat(block[:1], BLOCK - len(block), axis=0)  # so that one program serves all
        yield tuple(np.asarray(part)[: len(block)] for part in run(state, np.concatenate([block, filled])))


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """The answers as lines for a terminal, one an example."""
    return [line(row) for row in facts['predictions']]


def line(row: Mapping[str, Any]) -> str:
    """One example as a line: its file or row, and the answer with its probability."""
    who = row.get('file') or f'row {row["row"]}'
    if 'class' not in row:
        return f'{who}: {row["target"]} {row["value"]:,.6g} {row["unit"]}'.rstrip()
    shown = list(row['probabilities'].items())[: 1 if 'file' in row else 5]
    return f'{who}: ' + ', '.join(f'{name} ({probability:.1%})' for name, probability in shown)


PREDICT = Mode(
    'what the network says of your own examples',
    {'input': Option(None, 'IMAGE, FOLDER of images, or ROWS.csv')},
    predict,
    lines,
)
MODES = {'predict': PREDICT}
