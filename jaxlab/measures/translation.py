"""How good a translation is, on the host: BLEU and chrF through sacrebleu, exact match, token accuracy, and the BLEU of B25.

Hypotheses and references are detokenised text with its capitals, one reference a sentence. Import this module where a score
is made: sacrebleu takes a while.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from jaxlab.data.text.words import one_line


class Score(NamedTuple):
    """value: 0 to 100. signature: what exactly was computed, as sacrebleu words it."""

    value: float
    signature: str


def bleu(hypotheses: Sequence[str], references: Sequence[str], lower: bool = False, tokenize: str = '13a') -> Score:
    """Corpus BLEU (Papineni et al. 2002; Post, arXiv 1804.08771). Texts of fewer than four words have no 4-grams: mean it over
    a corpus, never over sentences."""
    metric = BLEU(lowercase=lower, tokenize=tokenize, force=True)  # force: no warning where words stand apart
    return _scored(metric, hypotheses, references)


def bleu_interval(hypotheses: Sequence[str], references: Sequence[str], draws: int = 200) -> tuple[float, float]:
    """Where 95 % of the BLEUs of so many resamplings of the sentences lie (Koehn 2004); NaN where there is none."""
    _same_number(hypotheses, references)
    if not hypotheses:
        return float('nan'), float('nan')
    texts = [one_line(one) for one in hypotheses], [[one_line(one) for one in references]]
    found = BLEU(force=True).corpus_score(*texts, n_bootstrap=draws)  # its seed is fixed
    return float(found._mean - found._ci), float(found._mean + found._ci)


def chrf(hypotheses: Sequence[str], references: Sequence[str], word_order: int = 0) -> Score:
    """Character n-gram F-score (Popović 2015); word_order 2: chrF++."""
    return _scored(CHRF(word_order=word_order), hypotheses, references)


def _scored(metric: BLEU | CHRF, hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    _same_number(hypotheses, references)
    if not hypotheses:
        return Score(float('nan'), '')
    # sacrebleu wants a list a *set* of references, each as long as the hypotheses: one list, not one a sentence.
    found = metric.corpus_score([one_line(one) for one in hypotheses], [[one_line(one) for one in references]])
    return Score(float(found.score), str(metric.get_signature()))


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Share of texts that are the same but for blanks."""
    _same_number(hypotheses, references)
    return float(np.mean([one_line(one) == one_line(other) for one, other in zip(hypotheses, references)]))


def token_accuracy(predicted: np.ndarray, target: np.ndarray, padding: int = 0) -> float:
    """Share of the tokens [N, T] that are no padding which were predicted under teacher forcing; one weight a token."""
    true = target != padding
    return float((predicted == target)[true].mean()) if true.any() else float('nan')


def smoothed_sentence_bleu(hypothesis: Sequence[str], reference: Sequence[str]) -> float:
    """BLEU-4 of one sentence, 0 to 1, with NLTK's smoothing method 4 (Chen and Cherry 2014), as B25 has it.

    Orders without a match count `ln L / (5 2^k)`, k = 1, 2, ... of them so far; orders that L has no room for as well, unless
    L is 1, when they are left out. Exact copies of short sentences are far from 1.
    """
    length, zeros, logs = len(hypothesis), 0, []
    for order in range(1, 5):
        grams, known = _grams(hypothesis, order), _grams(reference, order)
        matches: float = sum((grams & known).values())
        if not matches:
            if order == 1:
                return 0.0
            if length > 1:
                zeros += 1
                matches = math.log(length) / (5 * 2**zeros)
        if matches:
            logs.append(math.log(matches / max(1, length - order + 1)) / 4)
    brevity = 1.0 if length > len(reference) else math.exp(1 - len(reference) / length)
    return brevity * math.exp(math.fsum(logs))


def _grams(words: Sequence[str], order: int) -> Counter:
    return Counter(tuple(words[at : at + order]) for at in range(len(words) - order + 1))


def _same_number(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if len(hypotheses) != len(references):
        raise ValueError(f'{len(hypotheses)} hypotheses, {len(references)} references')
