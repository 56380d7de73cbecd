"""Scores of translations: sacrebleu's own example, traps of form, and the BLEU of B25 and D3.3."""

import numpy as np
import pytest

from jaxlab.measures.translation import bleu, bleu_interval, chrf, exact_match, smoothed_sentence_bleu, token_accuracy

HYPOTHESES = ['The dog bit the man.', "It wasn't surprising.", 'The man had just bitten him.']
REFERENCES = ['The dog bit the man.', 'It was not unexpected.', 'The man bit him first.']  # sacrebleu's README
PHRASES = ['hallo', 'wie geht es dir', 'mir geht es gut', 'danke', 'guten morgen']  # B25


def test_one_reference_a_sentence():
    """Given transposed, sacrebleu scores one sentence and says 100."""
    score = bleu(HYPOTHESES, REFERENCES)
    assert score.value == pytest.approx(45.0675, abs=1e-4)
    assert score.signature.startswith('nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:')
    with pytest.raises(ValueError, match='3 hypotheses, 2 references'):
        bleu(HYPOTHESES, REFERENCES[:2])


def test_form_of_the_text():
    reference = "Je l'ai vu, hier soir, près de la gare."
    assert bleu([reference], [reference]).value == pytest.approx(100)
    assert bleu(['je' + reference[2:]], [reference]).value == pytest.approx(90.3602, abs=1e-4)
    lowered = bleu(['je' + reference[2:]], [reference], lower=True)
    assert lowered.value == pytest.approx(100) and 'case:lc' in lowered.signature
    spaced = "Je l ' ai vu , hier soir , près de la gare ."
    assert bleu([spaced], [reference]).value == pytest.approx(69.3098, abs=1e-4)
    assert bleu(['Go.'], ['Go.']).value == 0  # two tokens: no 4-grams in the corpus


def test_blanks_of_every_kind_are_one():
    assert exact_match(['Va\u202f!', 'Salut\xa0 !'], ['Va !', 'Salut !']) == 1
    assert exact_match(['Va !', 'Va'], ['Va !', 'Va !']) == 0.5
    assert bleu(['Je l’ai vu à la gare\xa0!'], ['Je l’ai vu à la gare !']).value == pytest.approx(100)


def test_chrf():
    assert chrf(REFERENCES, REFERENCES).value == pytest.approx(100)
    found = chrf(HYPOTHESES, REFERENCES)
    assert 30 < found.value < 80 and found.signature.startswith('nrefs:1|case:mixed|eff:yes|nc:6|nw:0')
    assert chrf(HYPOTHESES, REFERENCES, 2).value != found.value
    assert np.isnan(chrf([], []).value)


def test_report_bleu_of_b25():
    """The hypothesis keeps its end token, the reference has none: .3369 of a network that made no mistake."""
    words = [phrase.split() for phrase in PHRASES]
    flawed = [smoothed_sentence_bleu([*one, '<eos>'], one) for one in words]
    np.testing.assert_allclose(flawed, [0.067544361, 0.668740305, 0.668740305, 0.067544361, 0.211779741], atol=1e-9)
    assert np.mean(flawed) == pytest.approx(0.336869815, abs=1e-9)
    clean = [smoothed_sentence_bleu(one, one) for one in words]
    np.testing.assert_allclose(clean, [1, 1, 1, 1, 0.221388589], atol=1e-9)
    assert np.mean(clean) == pytest.approx(0.844277718, abs=1e-9)
    assert smoothed_sentence_bleu(['x'], ['y']) == 0
    assert exact_match(PHRASES, PHRASES) == 1
    copies = bleu(PHRASES, PHRASES).value
    assert copies == pytest.approx(100)


def test_corpus_bleu_of_d33():
    reference = 'the cat is sitting on the mat'
    found = bleu(['the cat is sitting on mat', 'a b c e'], [reference, 'a b c d'], tokenize='none')
    assert found.value / 100 == pytest.approx(0.6231838377, abs=1e-9)


def test_token_accuracy_counts_tokens():
    target = np.array([[4, 5, 2, 0], [6, 2, 0, 0]])
    predicted = np.array([[4, 9, 2, 7], [6, 2, 0, 0]])
    assert token_accuracy(predicted, target) == 0.8
    assert np.isnan(token_accuracy(predicted, np.zeros_like(target)))


def test_an_interval_holds_the_score():
    references = [f'the {k} men went to the old house number {k % 7}' for k in range(60)]
    hypotheses = [one if k % 3 else one.replace('old', 'new') for k, one in enumerate(references)]
    low, high = bleu_interval(hypotheses, references, 100)
    assert low < bleu(hypotheses, references).value < high < low + 15
    assert bleu_interval(hypotheses, references, 100) == (low, high)
    assert bleu_interval(references, references, 10) == pytest.approx((100, 100)) and np.isnan(bleu_interval([], [])[0])
