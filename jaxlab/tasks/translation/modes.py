"""`--mode=translate`: a user's own sentences, from the command line, a file, a pipe, or one by one at a prompt."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from jaxlab.modes import Done, Mode, Option, Trained

PROMPT = '> '
DRAWN = 8  # sentences whose attention is drawn


def translate(trained: Trained, options: Mapping[str, Any]) -> Done:
    """A translation a line, in order; with `attention` a map of the first ones in `translations/`."""
    given = _given(trained, options)  # what cannot be read is said before a run is looked for
    state, step = trained.restore()
    run = _translator(trained, state, options)
    facts: dict[str, Any] = {'name': trained.config.name, 'step': step}
    if given is None:
        return Done({**facts, 'translations': [], 'answered': _answers(lambda text: run([text])[0]['translation'])})
    rows = run([one['text'] for one in given])
    figures = [_map(trained, state, row, number) for number, row in enumerate(rows[: options['attention']], 1)]
    kept = [{name: value for name, value in row.items() if name not in ('source', 'written')} for row in rows]
    return Done({**facts, 'translations': kept}, 'translations', [one for one in figures if one is not None])


def _given(trained: Trained, options: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """The texts, or None where a prompt is to ask for them."""
    feature = trained.data.input_feature
    if options['attention'] > DRAWN:
        raise UserError(f'--attention={options["attention"]}; valid: a whole number from 0 to {DRAWN}')
    if options['text'] and options['input']:
        raise UserError('--text and --input exclude each other; valid: one of them')
    if options['text']:
        return feature.given(options['text'].split('\n'))[0]
    if options['input']:
        return feature.read(Path(options['input']))[0]
    return None if sys.stdin.isatty() else feature.read(Path('-'))[0]


def _translator(
    trained: Trained, state: Any, options: Mapping[str, Any]
) -> Callable[[Sequence[str]], list[dict[str, Any]]]:
    """Texts -> rows {text, translation, score, unknown, cut, source ids, written ids}; one program serves all blocks."""
    import jax
    import numpy as np

    from jaxlab.data.features import BLOCK

    task, tokenizer = trained.task, trained.task.texts['source'].tokenizer
    write = jax.jit(lambda block: task.write(state, block, options['beam'], options['penalty'] / 100))

    def run(texts: Sequence[str]) -> list[dict[str, Any]]:
        rows = []
        room = tokenizer.frame.longest - tokenizer.frame.marks
        for at in range(0, len(texts), BLOCK):
            part = texts[at : at + BLOCK]
            ids = tokenizer.ids(part)
            source = tokenizer.frame.apply(ids)
            size = 1 if len(texts) == 1 else BLOCK
            filled = np.concatenate([source, np.repeat(source[:1], size - len(source), axis=0)])
            found = write(filled)
            for k, text in enumerate(part):
                written = np.asarray(found.tokens[k])
                row = {'text': text, 'translation': task.said(written[None])[0], 'score': float(found.score[k])}
                row |= {'cut': len(ids[k]) > room, 'unknown': ids[k].count(getattr(tokenizer, 'unknown', None))}
                rows.append({**row, 'source': source[k], 'written': written})
        return rows

    return run


def _answers(answer: Callable[[str], str]) -> int:
    """A prompt until Ctrl-D; how many lines it answered."""
    count = 0
    while True:
        try:
            text = input(PROMPT)
        except EOFError:
            print()
            return count
        if text.strip():
            print(answer(text), flush=True)
            count += 1


def _map(trained: Trained, state: Any, row: Mapping[str, Any], number: int) -> Any:
    """Where the translation looked, or None for a network that looks nowhere."""
    from jaxlab.tasks.translation import attention

    task = trained.task
    found = attention.maps(task, state, row['source'][None], row['written'][None])
    if not found:
        return None
    one, note = attention.of_one(found, 0), "a user's own sentence"
    return attention.whole(task, one, row['source'], row['written'], f'attention_{number:04d}', note)


def lines(facts: Mapping[str, Any]) -> Sequence[str]:
    """Translations, one a line, and nothing else but what was lost of a text: they can be piped on."""
    found = []
    for row in facts['translations']:
        said = [f'{row["unknown"]} unknown word(s)'] * bool(row['unknown']) + ['cut'] * row['cut']
        found.append(row['translation'] + (f'    [{", ".join(said)}]' if said else ''))
    return found + ([f'attention: {facts["picture"]}'] if 'picture' in facts else [])


TRANSLATE = Mode(
    'your own sentences in the other language',
    {
        'text': Option('', 'SENTENCE, or several with line breaks between'),
        'input': Option('', 'FILE with a sentence a line, or - for a pipe; neither: a prompt, or what is piped in'),
        'beam': Option(4, 'sequences that are kept while writing (1: greedy)', least=1),
        'penalty': Option(60, 'power of the length penalty in per cent (0: none, short ones win)'),
        'attention': Option(0, f'of how many sentences the attention is drawn, at most {DRAWN}'),
    },
    translate,
    lines,
)
MODES = {'translate': TRANSLATE}
