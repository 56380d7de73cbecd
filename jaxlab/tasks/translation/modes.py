"""`--mode=translate`: a user's own sentences, from the command line, a file, a pipe, or line by line in a terminal."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from jaxlab.modes import Done, Mode, Option, Trained

DRAWN = 8  # sentences whose attention is drawn
BEAM, PENALTY = 4, 60  # the search where nothing else is said
Run = Callable[[Sequence[str]], list[dict[str, Any]]]


def translate(trained: Trained, options: Mapping[str, Any]) -> Done:
    """A translation a line, in order; with `attention` maps of the first ones in `translations/`."""
    texts = _given(trained, options)  # what cannot be read is said before a run is looked for
    state, step = trained.restore()
    rows = _translator(trained, state, options['beam'], options['penalty'] / 100)(texts)
    figures = [_map(trained, state, row, number) for number, row in enumerate(rows[: options['attention']], 1)]
    kept = [{name: value for name, value in row.items() if name not in ('source', 'written')} for row in rows]
    facts = {'name': trained.config.name, 'step': step, 'translations': kept}
    return Done(facts, 'translations', [one for one in figures if one is not None])


def ask(trained: Trained) -> Callable[[str], Sequence[str]]:
    """What translates a line that a user types."""
    state, _ = trained.restore()
    run = _translator(trained, state, BEAM, PENALTY / 100)
    return lambda text: [_line(row) for row in run([text])]


def _given(trained: Trained, options: Mapping[str, Any]) -> list[str]:
    """The texts, one a line."""
    feature = trained.data.input_feature
    if options['attention'] > DRAWN:
        raise UserError(f'--attention={options["attention"]}; valid: a whole number from 0 to {DRAWN}')
    if options['text'] and options['input']:
        raise UserError('--text and --input exclude each other; valid: one of them')
    if options['text']:
        return [one['text'] for one in feature.given(options['text'].split('\n'))[0]]
    if not options['input'] and sys.stdin.isatty():
        raise UserError('--mode=translate with other options needs --text or --input; alone it asks line by line')
    return [one['text'] for one in feature.read(Path(options['input'] or '-'))[0]]


def _translator(trained: Trained, state: Any, beam: int, penalty: float) -> Run:
    """Texts -> rows {text, translation, score, unknown, cut, source ids, written ids}; one program serves all blocks."""
    import jax
    import numpy as np

    from jaxlab.data.features import BLOCK

    task, tokenizer = trained.task, trained.task.texts['source'].tokenizer
    room, unknown = tokenizer.frame.longest - tokenizer.frame.marks, getattr(tokenizer, 'unknown', None)
    write = jax.jit(lambda block: task.write(state, block, beam, penalty))

    def run(texts: Sequence[str]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        size = min(len(texts), BLOCK)
        for at in range(0, len(texts), size):
            part = texts[at : at + size]
            ids = tokenizer.ids(part)
            source = tokenizer.frame.apply(ids)
            found = write(np.concatenate([source, np.repeat(source[:1], size - len(source), axis=0)]))
            tokens, scores = np.asarray(found.tokens), np.asarray(found.score)
            for k, text in enumerate(part):
                said = {'text': text, 'translation': task.said(tokens[k : k + 1])[0], 'score': float(scores[k])}
                lost = {'unknown': ids[k].count(unknown), 'cut': len(ids[k]) > room}
                rows.append({**said, **lost, 'source': source[k], 'written': tokens[k]})
        return rows

    return run


def _map(trained: Trained, state: Any, row: Mapping[str, Any], number: int) -> Any:
    """Where the translation looked, or None for a network that looks nowhere."""
    from jaxlab.tasks.translation import attention

    found = attention.maps(trained.task, state, row['source'][None], row['written'][None])
    if not found:
        return None
    one, note = attention.of_one(found, 0), "a user's own sentence"
    return attention.whole(trained.task, one, row['source'], row['written'], f'attention_{number:04d}', note)


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """Translations, one a line, and nothing else but what was lost of a text: they can be piped on."""
    found = [_line(row) for row in facts['translations']]
    return found + ([f'attention: {facts["picture"]}'] if 'picture' in facts else [])


def _line(row: Mapping[str, Any]) -> str:
    lost = [f'{row["unknown"]} unknown word(s)'] * bool(row['unknown']) + ['cut'] * row['cut']
    return row['translation'] + (f'    [{", ".join(lost)}]' if lost else '')


TRANSLATE = Mode(
    'your own sentences in the other language',
    {
        'text': Option('', 'SENTENCE, or several with line breaks between'),
        'input': Option(
            '', 'FILE with a sentence a line, - for a pipe; with no option at all a terminal asks line by line'
        ),
        'beam': Option(BEAM, 'sequences that are kept while writing (1: greedy)', least=1),
        'penalty': Option(PENALTY, 'power of the length penalty in per cent (0: none, short ones win)'),
        'attention': Option(0, f'of how many sentences the attention is drawn, at most {DRAWN}'),
    },
    translate,
    lines,
    ask=ask,
)
MODES = {'translate': TRANSLATE}
