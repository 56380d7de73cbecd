"""`--mode=predict`: what a network says of a user's own examples, read as the training examples were."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from jaxlab.modes import Done, Mode, Option, Trained

SHOWN = 60  # letters of a text that are repeated beside its answer


def predict(trained: Trained, options: Mapping[str, Any]) -> Done:
    """One answer an example. The task has `predict(state, *inputs)`."""
    who, blocks = _read(trained.data.input_feature, options)
    first = next(blocks)  # what cannot be read is said before a run is looked for
    state, step = trained.restore()
    rows = _answers(trained, who, predicted(trained, state, itertools.chain([first], blocks)))
    return Done({'name': trained.config.name, 'step': step, 'predictions': rows})


def ask(trained: Trained) -> Callable[[str], Sequence[str]]:
    """What answers a text that a user types, as lines."""
    (state, _), feature, run = trained.restore(), trained.data.input_feature, _program(trained)

    def answer(text: str) -> Sequence[str]:
        who, blocks = feature.given([text])
        (row,) = _answers(trained, who, _through(run, state, blocks))
        return [_said(row)]

    return answer


def _read(feature: Any, options: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Iterator[Any]]:
    """A user's examples: typed, in a file, or through a pipe."""
    if options.get('text'):
        return feature.given(options['text'].split('\n'))
    source = options.get('input') or ('-' if feature.typed and not sys.stdin.isatty() else '')
    if not source:
        raise UserError(f'--mode=predict needs --input={INPUT}')
    return feature.read(Path(source))


def _answers(trained: Trained, who: Iterable[Mapping[str, Any]], found: Iterable[Any]) -> list[dict[str, Any]]:
    answers = (row for block in found for row in trained.data.answer_feature.answers(block))
    return [dict(one) if 'error' in one else {**one, **said} for one, said in zip(who, answers, strict=True)]


def predicted(trained: Trained, state: Any, blocks: Iterable[Any]) -> Iterator[Any]:
    """The task's predictions, block by block: a folder of any size takes no more memory than one block.

    A task that says several things of an example gives a tuple of arrays a block.
    """
    return _through(_program(trained), state, blocks)


def _program(trained: Trained) -> Callable[..., Any]:
    import jax

    task, data = trained.task, trained.data
    return jax.jit(lambda state, block: task.predict(state, *task.inputs(data.prepare({data.input: block}))))


def _through(run: Callable[..., Any], state: Any, blocks: Iterable[Any]) -> Iterator[Any]:
    import jax
    import numpy as np

    from jaxlab.data.features import BLOCK

    for block in blocks:
        filled = np.repeat(block[:1], BLOCK - len(block), axis=0)  # so that one program serves all
        made = run(state, np.concatenate([block, filled]))
        given = slice(len(block))
        yield jax.tree.map(lambda part, given=given: np.asarray(part)[given], made)


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """The answers as lines for a terminal, one an example."""
    return [line(row) for row in facts['predictions']]


def line(row: Mapping[str, Any]) -> str:
    """One example as a line: its file or row, and the answer with its probability."""
    return f'{_who(row)}: {_said(row)}'


def _who(row: Mapping[str, Any]) -> str:
    if 'text' not in row:
        return row.get('file') or f'row {row["row"]}'
    text = ' '.join(row['text'].split())
    return f'"{text}"' if len(text) <= SHOWN else f'"{text[: SHOWN - 1]}…"'


def _said(row: Mapping[str, Any]) -> str:
    if 'error' in row:
        return row['error']
    if 'class' not in row:
        return f'{row["target"]} {row["value"]:,.6g} {row["unit"]}'.rstrip()
    shown = list(row['probabilities'].items())[: 5 if 'row' in row else 1]
    return ', '.join(f'{name} ({probability:.1%})' for name, probability in shown)


INPUT = 'IMAGE, FOLDER of images, ROWS.csv, or TEXTS.txt'
PREDICT = Mode(
    'what the network says of your own examples',
    {
        'input': Option('', f'{INPUT} with one text a line; - reads texts from a pipe'),
        'text': Option('', 'a text; with neither, a terminal asks for texts line by line, until Ctrl-D'),
    },
    predict,
    lines,
    ask=ask,
)
MODES = {'predict': PREDICT}
