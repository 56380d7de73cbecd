"""What a translation shows: texts beside their references, scores beside rules without a network, lengths, attention."""

import collections
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Self

import jax
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.text.pairs import seen_in
from jaxlab.figures import Bars, Figure, Lines, Table
from jaxlab.protocol import Record, Report
from jaxlab.tasks.reporting import TaskReport
from jaxlab.tasks.supervised import State
from jaxlab.tasks.translation import attention
from jaxlab.tasks.translation.step import Translation

BEAM = 4  # of the search that stands beside greedy writing
MAPS = 2  # sentences whose attention is drawn
BINS = ((1, 4), (5, 6), (7, 8), (9, 12), (13, 20), (21, 10_000))  # words of a source
DRAWS = 200  # resamplings of the test sentences behind an interval
MEMORY = 200_000  # training sentences among which the nearest is looked for
LONGEST_DRAWN = 14  # tokens of a sentence whose attention is drawn


@dataclasses.dataclass(frozen=True)
class TranslationReport(TaskReport[Translation]):
    """All figures are of the first replica on the test split, or the last that was evaluated; scores of the network of each."""

    batch_size: int

    @classmethod
    def from_config(cls, config: Any, task: Translation, data: Dataset) -> Self:
        return cls(task, data, config.report.examples, config.data.eval_batch_size)

    def report(self, record: Record) -> Report:
        """Texts, scores, lengths, attention."""
        if self.split not in record.outputs:
            return Report()
        part, written = self.data.splits[self.split], record.outputs[self.split][0]['written']
        held = part.read(np.arange(part.size))['source']
        said, references = (
            [self.task.said(one['written']) for one in record.outputs[self.split]],
            self.task.references(part),
        )
        sources = self.task.references(part, 'source')
        how, width = ('greedy', 1) if self.task.beam > 1 else (f'beam of {BEAM}', BEAM)
        searched = [self._written(state, held, width) for state in record.states]
        rules = self._rules(sources)
        answers = {'network, as scored': said[0], f'network, {how}': searched[0], **rules}
        unseen = ~seen_in(self.task.references(self.data.splits['train']), references)
        table, scores = _table(answers, references, unseen, f'{self.split} split, n = {len(sources):,}, first replica')
        figures: list[Figure] = [
            self._examples(sources, said[0], references),
            table,
            *_lengths(sources, said[0], references, self.split),
            *self._attention(record.states[0], held, written),
        ]
        metrics = {f'{self.split}_{how.split(" ")[0]}_bleu': [_bleu(one, references) for one in searched]}
        if unseen.any() and not unseen.all():
            metrics[f'{self.split}_new_targets_bleu'] = [_bleu(one, references, unseen) for one in said]
        metrics |= {f'{self.split}_{name.split(" ")[0]}_bleu': [scores[name]] * len(said) for name in rules}
        remarks = self._remarks(said[0], references, unseen)
        return Report(tuple(figures), metrics, remarks, answer=self._answer(record, scores))

    def _written(self, state: State, source: np.ndarray, width: int) -> list[str]:
        """What a beam of this width finds, block by block."""
        run = jax.jit(lambda state, block: self.task.write(state, block, width).tokens)
        size = min(self.batch_size, max(1, len(source)))
        padded = np.concatenate([source, np.repeat(source[:1], -len(source) % size, axis=0)])
        blocks = [np.asarray(run(state, padded[at : at + size])) for at in range(0, len(padded), size)]
        return self.task.said(np.concatenate(blocks)[: len(source)])

    def _rules(self, sources: Sequence[str]) -> dict[str, list[str]]:
        """What needs no network: the source itself, the commonest target, the target of the most similar training source."""
        train = self.data.splits['train']
        known, targets = self.task.references(train, 'source'), self.task.references(train)
        every = -(-len(known) // MEMORY)
        commonest = collections.Counter(targets).most_common(1)[0][0]
        return {
            'copy of the source': list(sources),
            'commonest training target': [commonest] * len(sources),
            'nearest training source': _nearest(known[::every], targets[::every], sources),
        }

    def _examples(self, sources: Sequence[str], said: Sequence[str], references: Sequence[str]) -> Table:
        count = min(self.examples_shown, len(said))
        rows = [
            (source, one, reference, '✓' if one == reference else '')
            for source, one, reference in zip(sources[:count], said[:count], references[:count], strict=True)
        ]
        note = f'the first {count} of {len(said):,} sentences of the {self.split} split; ✓: the reference itself'
        return Table('translations', 'Translations', note, ('source', 'written', 'reference', 'same'), rows)

    def _attention(self, state: State, source: np.ndarray, written: np.ndarray) -> list[Figure]:
        """Maps of the first sentences that are neither very short nor too long to be read."""
        padding = self.task.tokenizer.frame.padding
        lengths = (written != padding).sum(1)
        fits = np.flatnonzero((lengths > 2) & (lengths <= LONGEST_DRAWN))
        rows = (fits if len(fits) else np.arange(len(written)))[:MAPS]
        found = attention.maps(self.task, state, source[rows], written[rows])
        if not found:
            return []
        figures: list[Figure] = []
        for number, row in enumerate(rows, 1):
            one, name = attention.of_one(found, number - 1), f'attention_{number}'
            note = f'sentence {row + 1} of the {self.split} split'
            figures.append(attention.whole(self.task, one, source[row], written[row], name, note))
            if number == 1 and sum(map(len, one.values())) > 1:
                figures.append(attention.by_head(self.task, one, source[row], written[row], 'attention_by_head', note))
        return figures

    def _answer(self, record: Record, scores: dict[str, float]) -> str:
        bleu, exact = (float(np.mean(record.metrics[f'{self.split}_{name}'])) for name in ('bleu', 'exact_match'))
        memory = scores['nearest training source']
        return (
            f'BLEU {bleu:.1f} on the {self.split} split, {exact:.1%} of its sentences word for word as the reference. The '
            f'translation of the most similar training sentence has BLEU {memory:.1f}: the network is '
            f'{"better" if bleu > memory else "no better"}.'
        )

    def _remarks(self, said: Sequence[str], references: Sequence[str], unseen: np.ndarray) -> tuple[str, ...]:
        from jaxlab.measures.translation import bleu, chrf

        remarks = [
            f'BLEU and chrF (0 to 100) by sacrebleu, one reference a sentence, signatures {bleu(said, references).signature} '
            f'and {chrf(said, references).signature}; tokens are counted with the true words before them.',
            f'{1 - unseen.mean():.1%} of the references stand in the training split, letter for letter.',
        ]
        if not self.task.tokenizer.writes_text:
            remarks.append(
                'Hypotheses and references are words of the tokenizer with a blank between them: such scores do not compare with '
                'those of cased, detokenised text.'
            )
        return tuple(remarks)


def _nearest(known: Sequence[str], targets: Sequence[str], sources: Sequence[str]) -> list[str]:
    """A translation memory: the target of the training source whose words, weighed by their rarity, are most alike."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    count = TfidfVectorizer(token_pattern=r'\S+', lowercase=True)
    try:
        training = count.fit_transform(known)
    except ValueError:  # nothing but empty texts
        return [''] * len(sources)
    found: list[str] = []
    for at in range(0, len(sources), 256):
        alike = (count.transform(sources[at : at + 256]) @ training.T).tocsr()
        found += [targets[row.indices[row.data.argmax()]] if row.nnz else '' for row in alike]
    return found


def _bleu(said: Sequence[str], references: Sequence[str], among: np.ndarray | None = None) -> float:
    """Corpus BLEU of all sentences, or of those that are marked [N] bool; NaN where none is."""
    from jaxlab.measures.translation import bleu

    rows: list[int] = list(range(len(said))) if among is None else np.flatnonzero(among).tolist()
    return bleu([said[k] for k in rows], [references[k] for k in rows]).value


def _table(
    answers: dict[str, list[str]], references: Sequence[str], unseen: np.ndarray, note: str
) -> tuple[Table, dict[str, float]]:
    """BLEU with its interval, chrF and exact match by answerer; and BLEU by name."""
    from jaxlab.measures.translation import bleu_interval, chrf, exact_match

    rows, scores = [], {}
    for name, said in answers.items():
        scores[name], new = _bleu(said, references), _bleu(said, references, unseen)
        low, high = bleu_interval(said, references, DRAWS)
        shown = [
            f'{scores[name]:.1f} ({low:.1f} to {high:.1f})',
            '–' if np.isnan(new) else f'{new:.1f}',
            f'{chrf(said, references).value:.1f}',
        ]
        rows.append((name, *shown, f'{exact_match(said, references):.1%}'))
    note = (
        f'{note}; in brackets 95 % of {DRAWS} resamplings of its sentences; new: references that no training target is'
    )
    return Table(
        'scores', 'Scores beside rules without a network', note, ('what', 'BLEU', 'BLEU, new', 'chrF', 'exact'), rows
    ), scores


def _lengths(sources: Sequence[str], said: Sequence[str], references: Sequence[str], split: str) -> list[Figure]:
    """How long translations are, and how good by the length of the source."""
    from jaxlab.measures.translation import bleu, chrf

    words: Callable[[Sequence[str]], np.ndarray] = lambda texts: np.array([len(text.split()) for text in texts])
    length, names, values = words(sources), [], {'BLEU': [], 'chrF': []}  # type: ignore[var-annotated]
    for low, high in BINS:
        rows = np.flatnonzero((length >= low) & (length <= high)).tolist()
        if not rows:
            continue
        names.append(f'{low}–{high}\nn = {len(rows)}' if high < 10_000 else f'{low} and more\nn = {len(rows)}')
        pair = [said[k] for k in rows], [references[k] for k in rows]
        values['BLEU'].append(bleu(*pair).value)
        values['chrF'].append(chrf(*pair).value)
    note = f'{split} split, first replica; BLEU of very short texts is 0, since they have no four words in a row'
    heights = {name: np.array(each) for name, each in values.items()}
    lengths = {'written': words(said), 'reference': words(references)}
    places = np.arange(int(max(map(np.max, lengths.values()))) + 1)
    counts = {name: (places, np.bincount(values, minlength=len(places))) for name, values in lengths.items()}
    return [
        Bars(
            'by_length', 'Scores by the length of the source', note, names, heights, {}, 'words of the source', 'score'
        ),
        Lines('lengths', 'How long translations are', f'{split} split', counts, 'words', 'sentences', markers=True),
    ]
