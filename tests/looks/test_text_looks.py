"""Looks into networks that read: importance adds up, gradients are counted from the last word, lengths and accuracies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import looks
from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare
from jaxlab.looks.subject import Subject
from jaxlab.looks.text import attention, words
from jaxlab.models.bag import Bag
from jaxlab.models.recurrent import SequenceModel
from jaxlab.models.text_encoder import TextClassifier
from jaxlab.protocol import Record
from tests.models.drawn import drawn

TOKENS = jnp.array([[3, 5, 2, 4, 0], [1, 2, 0, 0, 0]])
ENCODER = {'width': 8, 'layers': 1, 'heads': 2, 'hidden': 8, 'max_length': 8, 'pool': 'mean'}
MODELS = [
    Bag(2, 6),
    SequenceModel(2, 'lstm', (5,), vocabulary=6, embedding=4, padding=0),
    TextClassifier(vocabulary=6, **ENCODER),
]


@pytest.mark.parametrize('model', MODELS, ids=['linear', 'lstm', 'encoder'])
def test_importance_adds_up(model):
    """To the difference between the text and a text of zero vectors; exact where the network is linear."""
    variables = drawn(model, TOKENS)
    found, logits = words.attributed(model, variables, TOKENS, 64)
    vectors, answer = words._reader(model, variables, TOKENS)
    np.testing.assert_allclose(logits, jax.jit(model.apply)(variables, TOKENS), rtol=1e-5)
    centred = lambda logits: np.asarray(logits) - np.asarray(logits).mean(-1, keepdims=True)
    rows, chosen = np.arange(2), np.asarray(logits).argmax(1)
    expected = centred(logits)[rows, chosen] - centred(jax.jit(answer)(0 * vectors))[rows, chosen]
    np.testing.assert_allclose(np.asarray(found).sum(axis=1), expected, rtol=0.02, atol=2e-3)
    if isinstance(model, Bag):
        table = np.asarray(variables['params']['embedding']['embedding'])[TOKENS]
        there = np.asarray(TOKENS > 0) / np.sqrt(np.sum(TOKENS > 0, axis=1, keepdims=True))
        np.testing.assert_allclose(found, there * (centred(table)[rows, :, chosen]), rtol=1e-4, atol=1e-6)


@pytest.fixture(scope='module')
def subject():
    config = configs.load(configs.main_folder() / 'lstm_gru_imdb.py', 'smoke')
    changes = {
        'data.source': 'embedded',
        'data.limit': 64,
        'data.eval_limit': 40,
        'model.features': (6,),
        'model.embedding': 4,
    }
    found = prepare(configs.apply(config, changes, 'test'))
    example = {name: jnp.zeros(one.shape, one.dtype) for name, one in found.task.example.items()}
    state = jax.jit(found.task.init)(jax.random.key(0), example)
    logits = np.eye(2)[found.data.splits['test'].arrays['label']]  # all right
    record = Record([state], [], {'test': [{'logits': logits}, {'logits': 1 - logits}]}, [], {}, jax.random.key(0))
    return Subject(found.task, Record(**{**vars(record), 'start': lambda: state}), found.data)


def test_lengths_and_accuracy(subject):
    """One replica is right everywhere, one nowhere: a half in every group."""
    (lengths,) = words.text_lengths(subject)
    assert {name: len(values) for name, values in lengths.samples.items()}.keys() == subject.data.splits.keys()
    assert lengths.samples['train'].max() <= 40 and lengths.samples['train'].min() > 0
    (bars,) = words.accuracy_by_length(subject)
    np.testing.assert_allclose(bars.heights['accuracy'], 0.5)
    read = subject.data.splits['test'].read(np.arange(len(subject.record.outputs['test'][0]['logits'])))
    tokens = (read[subject.data.input] > 0).sum(axis=1)
    ranges = [[int(end) for end in name.split(' to ')] for name in bars.categories]
    assert 2 <= len(ranges) <= words.GROUPS and (ranges[0][0], ranges[-1][-1]) == (tokens.min(), tokens.max())
    assert all(one[-1] < other[0] for one, other in zip(ranges, ranges[1:]))  # no length stands in two
    counts = [int(((tokens >= one[0]) & (tokens <= one[-1])).sum()) for one in ranges]
    assert f'in parts of {", ".join(map(str, counts))};' in bars.note and sum(counts) == len(tokens)


def test_gradients_reach_no_padding(subject):
    (lines,) = words.gradient_by_step(subject, examples=16)
    x, y = lines.series['trained']
    assert x[0] == 0 and (y > 0).all() and len(x) <= 40 and set(lines.series) == {'untrained', 'trained'}


def test_words_of_short_texts(subject):
    figures = words.word_importance(subject, texts=2)
    assert [figure.name for figure in figures] == ['word_importance_1', 'word_importance_2']
    assert all(len(figure.categories) == len(figure.heights['importance']) for figure in figures)
    (table,) = words.answers(subject, texts=('the film was good', ''))
    assert [row[0] for row in table.rows] == ['the film was good', ''] and [row[3] for row in table.rows] == [4, 0]
    assert words.answers(subject) == []
    wanted = ('answers', 'word_importance', 'gradient_by_step', 'text_lengths', 'accuracy_by_length')
    assert set(wanted) <= set(looks.LOOKS)


class Reader:
    """What a look needs of a subject: an encoder of two layers with two heads over the texts of another subject."""

    def __init__(self, of):
        self.data, self.split, self.classes = of.data, of.split, of.classes
        size = of.data.input_feature.tokenizer.size
        self.module = TextClassifier(vocabulary=size, **{**ENCODER, 'layers': 2, 'max_length': 64})
        self.variables = {'trained': drawn(self.module, jnp.ones((1, 4), jnp.int32))}


def test_where_tokens_look(subject):
    """The map is the mean of the last layer's heads; each row of each head adds up to 1."""
    reader = Reader(subject)
    whole, heads = attention.self_attention(reader)
    assert heads.images.shape[0] == 4 and list(heads.row_labels) == ['layer 1', 'layer 2'] and heads.columns == 2
    np.testing.assert_allclose(heads.images.sum(axis=2), 1, rtol=1e-5)
    np.testing.assert_allclose(whole.values, heads.images[2:, ..., 0].mean(axis=0), rtol=1e-6)
    assert len(whole.row_names) == len(whole.values) <= 14 and heads.images.std() > 0.01
    assert heads.high == heads.images.max() < 1  # the colours tell weights apart
    (alone,) = attention.self_attention(reader, longest=1)  # the shortest text there is, too long for numbers
    assert alone.images.shape[1] <= len(whole.row_names)
    assert attention.self_attention(subject) == []  # recurrent: nothing looks
