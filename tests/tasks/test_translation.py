"""The task `translation`: what the loss counts, what is written and scored, the identity task, coins, attention, modes."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import common
from jaxlab.data.sets import sentence_pairs
from jaxlab.data.sources import Request
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.tasks.translation import attention
from jaxlab.tasks.translation.report import _nearest

SMALL = {'width': 16, 'heads': 2, 'hidden': 32, 'encoder_layers': 1, 'decoder_layers': 1, 'dropout': 0.0}
RECURRENT = {'embedding': 8, 'features': (16,), 'attention': 'before'}


def prepared(model='encoder_decoder', block=None, task=None, options=None, **data):
    config = common.experiment('words', task='translation', data='phrases', model=model)
    config.aim = 'A test.'
    config.model.update(SMALL if block is None else block)
    config.task.update(task or {})
    config.data.update({'batch_size': 5, 'options': options or {}, **data})
    config.optimizer = common.adam(1e-2)
    config.parallel.devices = 1
    return prepare(config)


@pytest.fixture(scope='module')
def toy():
    """(task, data, state, the five phrases as a batch)."""
    made = prepared()
    return made.task, made.data, *start(made)


def start(made):
    batch = given(made)
    return jax.jit(made.task.init)(jax.random.key(0), batch), batch


def any_start(made):
    """The same with parameters that are drawn on the host, where any will do: there is no start to be compiled."""
    batch, rng = given(made), np.random.default_rng(0)
    shapes = jax.eval_shape(made.task.init, jax.random.key(0), batch)
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    params = jax.tree.map(lambda leaf: rng.normal(0, 0.3, leaf.shape).astype(leaf.dtype), shapes['model'].params)
    return {'model': state['model'].replace(params=params)}, batch


def given(made):
    batch = {name: jnp.asarray(value) for name, value in made.data.splits['train'].arrays.items()}
    return batch | {'weight': jnp.ones(5)}


@pytest.fixture(scope='module')
def evaluate(toy):
    """`eval_step` of the five phrases, compiled once."""
    return jax.jit(toy[0].eval_step)


def mean(sums, name):
    total, weight = sums[name]
    return float(total / weight)


def test_17_tokens_are_scored(toy, evaluate):
    """A network of zeros guesses evenly: ln 14. Padding counts for nothing, an example without weight neither."""
    task, _, state, batch = toy
    zero = {'model': state['model'].replace(params=jax.tree.map(np.zeros_like, state['model'].params))}
    sums, outputs = evaluate(zero, batch, None)
    assert mean(sums, 'loss') == pytest.approx(math.log(14), abs=1e-6) == pytest.approx(2.639057330, abs=1e-6)
    assert float(sums['loss'][1]) == float(sums['token_accuracy'][1]) == 17 and outputs['written'].shape == (5, 5)
    sums, _ = evaluate(zero, {**batch, 'weight': jnp.array([0.0, 1, 1, 1, 1])}, None)
    assert float(sums['loss'][1]) == 15
    _, weight, true = dataclasses.replace(task, count_padding=True)._labels(batch)
    assert weight.sum() == 25 and true.sum() == 17


def test_padding_moves_nothing(toy, evaluate):
    """Five more places of padding on both sides: the same loss, the same translations."""
    task, _, state, batch = toy
    wide = {**batch} | {side: jnp.pad(batch[side], ((0, 0), (0, 5))) for side in ('source', 'target')}
    sums, outputs = evaluate(state, batch, None)
    more, others = evaluate(state, wide, None)
    assert mean(sums, 'loss') == pytest.approx(mean(more, 'loss'), abs=1e-5)
    assert (np.asarray(outputs['written']) == np.asarray(others['written'])).all()


def test_it_learns_with_smoothed_labels(toy, evaluate):
    """Smoothing is of training alone: (1 - s) CE + s (log sum exp - mean)."""
    task, data, state, batch = toy
    step, key = jax.jit(dataclasses.replace(task, label_smoothing=0.2).train_step), jax.random.key(1)
    _, first = step(state, batch, key)
    logits = jax.jit(task.model.apply)(state['model'].variables(), *task.inputs(batch))
    logits = np.asarray(logits, np.float64)
    even = np.log(np.exp(logits).sum(-1)) - logits.mean(-1)
    smoothed = 0.8 * mean(evaluate(state, batch, None)[0], 'loss') + 0.2 * even[batch['target'][:, 1:] > 0].mean()
    assert mean(first, 'loss') == pytest.approx(smoothed, abs=1e-5)
    for _ in range(60):
        state, _ = step(state, batch, key)
    sums, outputs = evaluate(state, batch, None)
    assert mean(sums, 'token_accuracy') == 1.0
    found = dataclasses.replace(task, sentence_bleu=True).score({}, outputs, data.splits['test'])
    assert found['exact_match'] == 1 and found['bleu'] == pytest.approx(100) and found['chrf'] == pytest.approx(100)
    assert found['sentence_bleu'] == pytest.approx(0.844277718, abs=1e-8)  # B25, mended
    assert found['with_end_sentence_bleu'] == pytest.approx(0.336869815, abs=1e-8)  # B25, as printed
    searched = jax.jit(lambda: task.write(state, batch['source'], 4).tokens)()
    assert task.said(searched) == list(sentence_pairs.PHRASES[1])  # a beam wider than what is likely finds the same


def test_the_identity_task_is_a_copy():
    """Unshifted, the token asked for is the one given; without a frame, writing begins where it is told to."""
    options = {'framed': 'none', 'unknown': 'left_out', 'order': 'frequency', 'longest': 15}
    made = prepared('seq2seq', RECURRENT, {'shifted': False, 'count_padding': True, 'start': 1}, options)
    state, batch = any_start(made)
    task = made.task
    source, given = task.inputs(batch)
    labels, weight, _ = task._labels(batch)
    assert (given == labels).all() and weight.sum() == 75 and task.rules == (1, -1, 0, 15, ())
    written = jax.jit(task.write)(state, source).tokens
    assert written.shape == (5, 15)  # nothing ends it
    with pytest.raises(UserError, match=r'config\.task\.start'):
        _ = prepared('seq2seq', RECURRENT, {}, options)


def test_coins_are_for_recurrent_writers():
    made = prepared('seq2seq', RECURRENT, {'teacher_forcing': 0.0})
    state, batch = any_start(made)
    always = dataclasses.replace(made.task, teacher_forcing=1.0)
    said = lambda task, network: task.forward(network, network.params, batch, jax.random.key(0))[0]
    logits, true = jax.jit(lambda network: [said(task, network) for task in (made.task, always)])(state['model'])
    np.testing.assert_allclose(logits[:, 0], true[:, 0], atol=1e-5)  # the start token is given in any case
    assert np.abs(logits - true).max() > 1e-3
    with pytest.raises(UserError, match='encoder_decoder takes 1 alone'):
        prepared(task={'teacher_forcing': 0.5})


@pytest.mark.parametrize('model', ['encoder_decoder', 'before', 'after', 'none'])
def test_attention_adds_up_to_one(model):
    block = SMALL if model == 'encoder_decoder' else {**RECURRENT, 'attention': model}
    made = prepared('encoder_decoder' if block is SMALL else 'seq2seq', block)
    state, batch = any_start(made)
    source, written = np.asarray(batch['source']), np.asarray(batch['target'])[:, 1:]
    found = attention.maps(made.task, state, source, written)
    if model == 'none':
        assert found == {}
        return
    heads = (2,) if block is SMALL else (1,)
    assert [weights.shape for weights in found.values()] == [(5, count, 5, 3) for count in heads]
    for weights in found.values():
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
        assert (weights[0, :, :, 1:] == 0).all()  # the first phrase is one word long
    one = attention.of_one(found, 1)
    drawn = attention.whole(made.task, one, source[1], written[1], 'map', 'note')
    assert drawn.column_names == ['how', 'are', 'you'] and drawn.row_names == ['wie', 'geht', 'es', 'dir', '<eos>']
    assert attention.by_head(made.task, one, source[1], written[1], 'h', '').images.shape == (sum(heads), 5, 3, 1)


def test_what_is_written_goes_on_as_it_was_taught(toy):
    """Row t of a map belongs to token t: the weights are those that the steps of decoding had."""
    task, _, state, batch = toy
    written = jax.jit(task.write)(state, batch['source']).tokens
    given = jnp.concatenate([jnp.full((5, 1), task.rules.start), written[:, :-1]], axis=1)
    logits = jax.jit(task.model.apply)(state['model'].variables(), batch['source'], given)
    alive = np.cumsum(np.asarray(written) == task.rules.end, axis=1) - (np.asarray(written) == task.rules.end) == 0
    assert (np.asarray(logits.argmax(-1)) == np.asarray(written))[alive].all()


def test_a_translation_memory():
    known, targets = ['the red house', 'the old dog', 'a cat'], ['rotes Haus', 'alter Hund', 'Katze']
    assert _nearest(known, targets, ['the dog', 'my cat', 'nothing']) == ['alter Hund', 'Katze', '']
    assert _nearest(['', ''], ['x', 'y'], ['a']) == ['']


@pytest.mark.parametrize(
    ('task', 'said'),
    [
        ({'label_smoothing': 1.5}, 'label_smoothing = 1.5'),
        ({'beam': 0}, 'config.task.beam = 0'),
        ({'beams': 2}, 'unknown field config.task.beams'),
    ],
)
def test_wrong_options(task, said):
    with pytest.raises(UserError, match=said):
        prepared(task=task)


def test_pairs_are_needed():
    config = common.experiment('words', task='translation', data='gates', model='seq2seq')
    config.aim, config.data.batch_size = 'A test.', 4
    with pytest.raises(UserError, match='has no pairs of texts'):
        prepare(config)
    assert sentence_pairs.read_phrases(Request('phrases')).parts['train'].groups is None
