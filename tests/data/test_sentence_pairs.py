"""Pairs of sentences as data: parted by source, numbered by training text alone, a grammar in place of real ones."""

import gzip
import json

import numpy as np
import pytest

from jaxlab import data
from jaxlab.data import description
from jaxlab.data.sets import sentence_grammar
from jaxlab.data.sets.sentence_pairs import PARTS, PHRASES
from jaxlab.data.settings import checked
from jaxlab.errors import UserError

LINES = [f'Source {number // 3}.\tCible {number}.' for number in range(60)]  # three translations a sentence


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    (folder / 'translation' / 'multi30k').mkdir(parents=True)
    (folder / 'translation' / 'fra.txt').write_text('\n'.join(LINES) + '\n', encoding='utf-8')
    for part in PARTS.values():
        for end in ('de', 'en', 'fr'):
            text = f'{part} one in {end}\n\n{part}\u00a0three'
            (folder / 'translation' / 'multi30k' / f'{part}.{end}.gz').write_bytes(gzip.compress(text.encode()))
    return folder


def load(name, folder=None, fitted=None, options=None, **settings):
    return data.load({'name': name, 'options': options or {}, **settings}, folder, fitted=fitted)


def texts(dataset, field='source'):
    feature = dataset.features[field]
    return {part: list(feature.source(part, split).arrays[field]) for part, split in dataset.splits.items()}


def test_translations_of_one_sentence_stay_together(folder):
    """Held out is one of each: 4 of 20 sentences to test, 2 of the other 16 to validate, 42 pairs to train."""
    made = load('tatoeba', folder, test_fraction=0.2, validation_fraction=0.125)
    found = texts(made)
    assert {part: len(rows) for part, rows in found.items()} == {'train': 42, 'validation': 2, 'test': 4}
    kinds = {part: set(rows) for part, rows in found.items()}
    assert not (kinds['train'] & kinds['test'] or kinds['train'] & kinds['validation'])
    assert len(kinds['test']) == 4 and len(kinds['train']) == 14
    assert made.source == 'files' and made.input == 'source' and not made.answer
    pooled = load('tatoeba', folder, test_fraction=0.2, split='pooled')  # no rule parts them otherwise
    assert not set(texts(pooled)['train']) & set(texts(pooled)['test'])


def test_the_other_way_round_each_target_is_a_source(folder):
    made = load('tatoeba', folder, options={'source': 'fra', 'target': 'eng'})
    assert texts(made)['test'][0].startswith('Cible') and made.splits['train'].size == 48
    with pytest.raises(UserError, match='valid: eng and one of'):
        load('tatoeba', folder, options={'source': 'fra', 'target': 'rus'})


def test_vocabularies_are_of_training_text(folder):
    made = load('tatoeba', folder, test_fraction=0.2, limit=5)
    words = made.features['target'].tokenizer.words
    assert words[:4] == ('<pad>', '<sos>', '<eos>', '<unk>')
    assert set(words[4:]) == set(' '.join(texts(made, 'target')['train']).replace('.', ' .').lower().split())
    row = made.splits['train'].arrays['target'][0]
    assert row[0] == 1 and row[-1] == 2 and made.splits['train'].arrays['target_length'][0] == len(row) == 5


def test_a_run_keeps_what_numbers_the_texts(folder):
    made = load('tatoeba', folder, options={'unit': 'pieces', 'vocabulary': 300})
    settings = checked({'name': 'tatoeba'})
    known = description.from_json(json.loads(json.dumps(description.as_json(made, settings))))
    again = load('tatoeba', folder, fitted=known.fitted, options={'unit': 'pieces', 'vocabulary': 280})
    assert known.fitted == made.fitted and known.lengths == made.lengths
    assert (again.splits['test'].arrays['target'] == made.splits['test'].arrays['target']).all()


def test_multi30k_has_its_own_parts(folder):
    made = load('multi30k', folder, validation_fraction=0.1)
    assert texts(made) == {part: [f'{file} one in de', '', f'{file} three'] for part, file in PARTS.items()}
    assert texts(made, 'target')['test'][0] == 'test_2016_flickr one in en'
    (folder / 'translation' / 'multi30k' / 'val.fr.gz').write_bytes(gzip.compress(b'one'))
    with pytest.raises(UserError, match='val has 3 and 1 lines'):
        load('multi30k', folder, options={'target': 'fra'})
    (folder / 'translation' / 'multi30k' / 'val.fr.gz').write_bytes(b'no archive')
    with pytest.raises(UserError, match='cannot be read'):
        load('multi30k', folder, options={'target': 'fra'})


def test_the_phrases_of_b25():
    made = load('phrases')
    train = made.splits['train'].arrays
    assert [row[row > 0].tolist() for row in train['source']] == [[8], [9, 5, 13], [10, 4, 6], [12, 13], [7, 11]]
    assert [row[row > 0].tolist() for row in train['target']] == [
        [1, 10, 2],
        [1, 13, 7, 6, 5, 2],
        [1, 11, 7, 6, 8, 2],
        [1, 4, 2],
        [1, 9, 12, 2],
    ]
    assert made.features['source'].tokenizer.size == made.features['target'].tokenizer.size == 14
    assert texts(made)['test'] == list(PHRASES[0]) and '5 of test also in train' in made.notes[0]


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / 'mine.tsv'
    path.write_text('ein Hund\ta dog\neine Katze\ta cat\nein Haus\ta house\n')
    made = load('pairs', options={'path': str(path), 'reverse': True}, test_fraction=0.4)
    assert sorted(texts(made)['train'] + texts(made)['test']) == ['a cat', 'a dog', 'a house']
    with pytest.raises(UserError, match='needs data.options.path'):
        load('pairs')
    path.write_text('\n')
    with pytest.raises(UserError, match='holds no pair'):
        load('pairs', options={'path': str(path)})


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'unit': 'letters'}, "data.options.unit='letters'; did you mean|data.options.unit='letters'"),
        ({'least': 0}, 'a whole number from 1 up'),
        ({'unit': 'pieces', 'framed': 'none'}, 'valid for pieces: both'),
        ({'rule': 'none'}, 'data.options.rule'),
    ],
)
def test_wrong_options(options, said):
    with pytest.raises(UserError, match=said):
        load('phrases', options=options)


def test_words_that_training_never_had():
    """As a token of their own, as padding (B16), left out (D3.3); and no start or end (D3.3)."""
    made = {how: load('phrases', options={'unknown': how}) for how in ('token', 'padding', 'left_out')}
    rows = {how: one.features['source'].tokenizer.ids(['hello new you'])[0] for how, one in made.items()}
    assert rows == {'token': [8, 3, 13], 'padding': [7, 0, 12], 'left_out': [7, 12]}
    bare = load('phrases', options={'framed': 'none', 'unknown': 'left_out', 'order': 'frequency', 'longest': 15})
    tokenizer = bare.features['target'].tokenizer
    assert tokenizer.words[:3] == ('<pad>', 'geht', 'es') and tokenizer.frame.marks == 0
    assert bare.splits['train'].arrays['target'].shape == (5, 15)


EXAMPLE = (('my', 'old', 'dog'), 'sees', ('our', 'white', 'house'), 'often')
OTHER = (('my', '', 'cat'), 'loses', ('our', 'small', 'teacher'), 'today')


@pytest.mark.parametrize(
    ('language', 'first', 'second'),
    [
        ('eng', 'My old dog often sees our white house.', 'My cat loses our small teacher today.'),
        (
            'fra',
            'Mon vieux chien voit souvent notre maison blanche.',
            "Mon chat perd notre petit professeur aujourd'hui.",
        ),
        ('deu', 'Mein alter Hund sieht oft unser weißes Haus.', 'Meine Katze verliert heute unseren kleinen Lehrer.'),
        (
            'rus',
            'Моя старая собака часто видит наш белый дом.',
            'Сегодня мой кот теряет нашего маленького учителя.',
        ),
    ],
)
def test_a_sentence_in_four_languages(language, first, second):
    say = sentence_grammar.LANGUAGES[language]
    assert (say(EXAMPLE), say(OTHER)) == (first, second)


def test_the_grammar_has_one_translation_a_sentence():
    for language in ('fra', 'deu', 'rus'):
        sources, targets = sentence_grammar.pairs('eng', language, 4000)
        assert len(set(sources)) == len(set(targets)) == 4000
    made = load('tatoeba')
    assert made.stand_in and made.source == 'embedded' and 'stand in for real pairs' in made.notes[0]
    assert np.mean(made.splits['test'].arrays['target'] == 3) < 0.001  # no word that training lacks


def test_pairs_without_a_text_on_one_side(tmp_path):
    """They are left out and counted: a network would learn to say nothing."""
    (tmp_path / 'own.tsv').write_text(
        '\n'.join([*(f'one {at}\teins {at}' for at in range(20)), 'two\t', '\tdrei', 'four\t  '])
    )
    found = data.load({'name': 'pairs', 'options': {'path': 'own.tsv'}}, tmp_path)
    assert sum(split.size for split in found.splits.values()) == 20
    assert any('3 pairs without a text on one side are left out' in note for note in found.notes)
