"""Bags of n-grams: each gram once, the rarest first, known ones alone."""

import json

import pytest
from sklearn.feature_extraction.text import CountVectorizer

from jaxlab.data import plain
from jaxlab.data.text.ngrams import NgramTokenizer
from jaxlab.data.text.words import RULES

TEXTS = ['not good at all, not good', 'good film', 'a good film at that', '']


@pytest.fixture(scope='module')
def made():
    return NgramTokenizer.fit(TEXTS, RULES['apart'], most=2, least=2, longest=4)


def test_grams_of_two_texts_at_least(made):
    assert set(made.grams[1:]) == {'good', 'film', 'at', 'good film'} and made.grams[:2] == ('<pad>', 'good')
    ids = made.ids(['good film, good film', 'GOOD', 'unheard of', ''])
    assert [sorted(made.names(row)) for row in ids] == [['film', 'good', 'good film'], ['good'], [], []]
    assert ids[0] == sorted(ids[0], reverse=True) and made.apply(['good'])[0].tolist() == [1, 0, 0, 0]
    assert plain.from_json(json.loads(json.dumps(plain.as_json(made)))) == made


def test_the_grams_are_those_of_scikit_learn():
    ours = NgramTokenizer.fit(TEXTS, RULES['spaces'], most=3, least=1)
    theirs = CountVectorizer(ngram_range=(1, 3), tokenizer=str.split, token_pattern=None).fit(TEXTS)
    assert set(ours.grams[1:]) == set(theirs.vocabulary_)
    capped = NgramTokenizer.fit(TEXTS, RULES['spaces'], most=3, least=1, size=3)
    assert capped.size == 3 and 'good' in capped.grams
