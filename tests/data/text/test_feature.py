"""Text as a field: fitted on training texts, ids on the device, text on the host, a user's own texts."""

import dataclasses
import io
import json
from functools import partial

import numpy as np
import pytest

from jaxlab.data import plain
from jaxlab.data.examples import in_memory
from jaxlab.data.features import BLOCK
from jaxlab.data.text.feature import SHOWN, Text, as_objects
from jaxlab.data.text.tokens import WordTokenizer
from jaxlab.data.text.words import RULES
from jaxlab.errors import UserError

FIT = partial(WordTokenizer.fit, rule=RULES['apart'], start='<unk>', longest=5)
SPLITS = {
    'train': in_memory({'text': as_objects(['a good film', 'a bad film', 'good']), 'label': np.array([1, 0, 1])}),
    'test': in_memory({'text': as_objects(['strange words all over the place', '']), 'label': np.array([0, 0])}, 3),
}


@pytest.fixture
def made():
    return Text(FIT).made('text', SPLITS, None)


def test_it_is_fitted_on_training_texts(made):
    splits, feature, notes = made
    assert feature.fitted.words == ('<pad>', '<unk>', 'a', 'good', 'film', 'bad')
    ids = splits['test'].arrays['text']
    assert ids.dtype == np.int32 and ids.tolist() == [[1] * 5, [1, 0, 0, 0, 0]]
    assert splits['train'].arrays['text'].tolist() == [[1, 2, 3, 4, 0], [1, 2, 5, 4, 0], [1, 3, 0, 0, 0]]
    assert (splits['test'].arrays['label'] == 0).all() and splits['test'].origin.tolist() == [3, 4]
    assert feature.length == 'text_length' and splits['train'].arrays['text_length'].tolist() == [4, 4, 2]
    assert feature.sizes == {'vocabulary': 6}
    assert notes == (
        '1 of 2 texts (text) of test are longer than 4 tokens and are cut.',
        '100% of the words (text) of test are unknown to the vocabulary.',
    )
    kept = plain.from_json(json.loads(json.dumps(plain.as_json(feature)))).fitted
    other = {'train': SPLITS['test'], 'test': SPLITS['train']}  # what a run kept is not fitted again
    again, feature, _ = Text(FIT).made('text', other, kept)
    assert again['test'].arrays['text'].tolist() == splits['train'].arrays['text'].tolist()


def test_the_text_stays_on_the_host(made):
    splits, feature, _ = made
    assert all(array.dtype != object for split in splits.values() for array in split.arrays.values())
    assert feature.source('train', splits['train']).arrays['text'][1] == 'a bad film'
    batch = {'text': splits['train'].arrays['text']}
    assert feature.prepare('text', {'mean': (), 'std': ()})(batch) is batch
    assert feature.flat(splits['train'].arrays['text']).toarray()[0].tolist() == [0, 1, 1, 1, 1, 0]


def test_a_users_own_texts(made, tmp_path, monkeypatch):
    _, feature, _ = made
    path = tmp_path / 'mine.txt'
    path.write_text('good film\n\nbad 😀\n', encoding='utf-8')
    who, blocks = feature.read(path)
    assert who == [{'text': 'good film'}, {'text': ''}, {'text': 'bad 😀'}]
    assert np.concatenate(list(blocks)).tolist() == [[1, 3, 4, 0, 0], [1, 0, 0, 0, 0], [1, 5, 1, 0, 0]]
    monkeypatch.setattr('sys.stdin', io.StringIO('good\r\nbad'))
    assert [one['text'] for one in feature.read(type(path)('-'))[0]] == ['good', 'bad']
    who, blocks = feature.given(['good'] * (BLOCK + 1))
    assert [len(block) for block in blocks] == [BLOCK, 1] and len(who) == BLOCK + 1
    with pytest.raises(UserError, match='no such file'):
        feature.read(tmp_path / 'none.txt')
    path.write_text('')
    with pytest.raises(UserError, match='there is no text'):
        feature.read(path)


def test_a_table_of_texts(made):
    splits, feature, _ = made
    table = feature.figure(
        't', 'T', '', feature.source('train', splits['train']), 'text', [0, 2], {'confidence': [0.9, 0.5]}
    )
    assert table.rows == [('90.0%', 'a good film'), ('50.0%', 'good')] and table.columns == ('confidence', 'text')
    table = feature.figure('t', 'T', '', splits['train'], 'text', [1], {})
    assert table.rows == [('a bad film',)]
    long = dataclasses.replace(SPLITS['train'], arrays={'text': as_objects(['x ' * 1000])})
    assert len(feature.figure('t', 'T', '', long, 'text', [0], {}).rows[0][0]) == SHOWN
