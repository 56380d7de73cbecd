"""Texts with a class: IMDB's files, a user's own, options, the stand-in, and A06's golden review on the real data."""

import os
from pathlib import Path

import numpy as np
import pytest

from jaxlab import data
from jaxlab.data import description
from jaxlab.data.sets import text_stand_in
from jaxlab.data.settings import checked
from jaxlab.errors import UserError

REAL = Path(os.environ.get('JAXLAB_DATA_DIR', '') or '/nowhere')
KERAS = {
    'rule': 'keras',
    'cut': 'front',
    'pad': 'front',
    'specials': ('<pad>', '<start>', '<unk>', '<unused>'),
    'start': '<start>',
    'unique': False,
}
TRAIN = 'text,label,stars\n"Good,\nbetter ""best""",1,9\nbad,0,2\nbad,0,1\nfine film,1,8\n'
TEST = 'text,label,stars\nbad,0,2\nnever seen,1,8\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'imdb').mkdir()
    (tmp_path / 'imdb' / 'train.csv').write_text(TRAIN)
    (tmp_path / 'imdb' / 'test.csv').write_text(TEST)
    return tmp_path


def load(name, folder, **options):
    return data.load({'name': name, 'options': options}, folder)


def test_reviews_in_the_order_of_the_files(folder):
    found = load('imdb', folder, **KERAS, longest=4)
    feature, train = found.input_feature, found.splits['train']
    assert feature.source('train', train).arrays['text'][0] == 'Good,\nbetter "best"'
    assert train.arrays['label'].tolist() == [1, 0, 0, 1] and found.answer_feature.names == ('negative', 'positive')
    assert feature.tokenizer.words[:5] == ('<pad>', '<start>', '<unk>', '<unused>', 'bad')
    assert train.arrays['text'][1].tolist() == [0, 0, 1, 4] and not feature.length
    assert found.splits['test'].arrays['text'][1].tolist() == [0, 1, 2, 2]  # start, two words that training never had


def test_no_text_is_in_two_splits(folder):
    found = load('imdb', folder, longest=4)
    assert [found.splits[part].size for part in ('train', 'test')] == [3, 1]
    assert found.notes[:2] == (
        '1 texts of train that occurred before are left out.',
        '1 texts of test that occurred before are left out.',
    )
    first = load('imdb', folder, unique=False, first=(1, 1))
    assert first.splits['train'].arrays['label'].tolist() == [1, 0] and first.splits['test'].size == 2


@pytest.mark.parametrize('options', [{}, {'tokens': 'ngrams', 'least': 1}, {'tokens': 'pieces', 'vocabulary': 300}])
def test_a_run_needs_no_texts(folder, options):
    """What it keeps numbers a text as before, and makes the same splits again."""
    found = load('imdb', folder, longest=8, **options)
    again = description.from_json(description.as_json(found, checked({'options': {}})))
    texts = ['fine film', 'never', '', 'bad 😀 fine']
    np.testing.assert_array_equal(
        again.input_feature.tokenizer.apply(texts), found.input_feature.tokenizer.apply(texts)
    )
    settings = {'name': 'imdb', 'options': {'longest': 8, **options}}
    fitted = data.load(settings, folder, fitted=again.fitted)
    np.testing.assert_array_equal(fitted.splits['train'].arrays['text'], found.splits['train'].arrays['text'])


def test_texts_of_ones_own(tmp_path):
    (tmp_path / 'mine.tsv').write_text('kind\tmessage\n' + 'ham\tsee "you\nspam\twin £9 now\n' * 5)
    found = load('text', tmp_path, path='mine.tsv', text='message', label='kind', unique=False)
    assert found.answer_feature.names == ('ham', 'spam') and sum(split.size for split in found.splits.values()) == 10
    assert '"' in found.input_feature.tokenizer.words
    with pytest.raises(UserError, match="no column 'label'"):
        load('text', tmp_path, path='mine.tsv', text='message')
    with pytest.raises(UserError, match='has 5 values in 5 rows'):
        (tmp_path / 'own.csv').write_text('text,label\n' + ''.join(f'a,{k}\n' for k in range(5)))
        load('text', tmp_path, path='own.csv')
    with pytest.raises(UserError, match='needs data.options.path'):
        load('text', tmp_path)


@pytest.mark.parametrize(
    'options, said',
    [
        ({'tokens': 'letters'}, 'data.options.tokens'),
        ({'rule': 'kears'}, 'keras'),
        ({'start': '<go>'}, "data.options.start='<go>'"),
        ({'cut': 'middle'}, "data.options.cut='middle'"),
        ({'longest': 1}, 'longest is a number from 3'),
        ({'tokens': 'pieces', 'pieces': 'none.txt'}, 'is no file'),
    ],
)
def test_what_is_wrong_is_said(folder, options, said):
    with pytest.raises(UserError, match=said):
        load('imdb', folder, **options)


def test_the_stand_in():
    """As many of each opinion, nothing of the test part in training, negation that a bag of words cannot read."""
    found = data.load({'name': 'imdb', 'source': 'embedded'})
    assert found.stand_in and abs(found.splits['train'].arrays['label'].mean() - 0.5) < 0.05
    texts, labels = text_stand_in.draw(300, 0)
    again, _ = text_stand_in.draw(300, 0)
    assert texts == again and 0 < labels.sum() < 300
    assert any(' not ' in text for text in texts) and any(', but ' in text for text in texts)


@pytest.mark.skipif(not (REAL / 'imdb').is_dir(), reason='JAXLAB_DATA_DIR has no imdb')
@pytest.mark.slow
def test_a06_on_the_real_reviews():
    """The first review that the source decodes comes out word for word; 88,075 words; 42.7 % are cut."""
    found = load('imdb', REAL, **KERAS, longest=5000, vocabulary=0)
    train, tokenizer = found.splits['train'], found.input_feature.tokenizer
    assert [split.size for split in found.splits.values()] == [25_000, 25_000]
    assert tokenizer.size == 88_075 + 4
    lengths = (train.arrays['text'] > 0).sum(axis=1)
    assert np.median(lengths) == 178 and round(100 * np.mean(lengths > 200), 1) == 42.7
    texts = found.input_feature.source('train', train).arrays['text']
    (row,) = [at for at, text in enumerate(texts) if text.lower().startswith('this film was just brilliant,casting')]
    ids = train.arrays['text'][row][-218:]
    ids = np.where(ids > 9999, 2, ids)  # 10,000 ids
    assert tokenizer.names(ids[:7]) == ['<start>', 'this', 'film', 'was', 'just', 'brilliant', 'casting']
    assert np.flatnonzero(ids == 2).tolist() == [26, 37, 86, 132, 141, 157] and len(set(ids.tolist())) == 120
    assert tokenizer.names(ids[18:24]) == ['and', 'you', 'could', 'just', 'imagine', 'being']
    assert train.arrays['text'][row][-219] == 0 and train.arrays['label'][row] == 1
    assert tokenizer.names(ids[-6:]) == ['that', 'was', 'shared', 'with', 'us', 'all']
