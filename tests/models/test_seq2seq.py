"""Recurrent translators: the counts of B16, D3.2 and D3.3, padding, one step at a time, where gradients go."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.seq2seq import Seq2Seq
from tests.models.drawn import count, drawn

SOURCE = jnp.array([[4, 7, 5, 0, 0], [6, 3, 8, 9, 4]])
TARGET = jnp.array([[1, 5, 6, 4], [1, 7, 3, 8]])


def test_parameter_counts():
    plain = count(Seq2Seq(1000, 1000), SOURCE, TARGET)
    assert plain['source_embedding'] + plain['encoder'] == 1_832_960  # B16
    assert plain['target_embedding'] + plain['decoder'] + plain['head'] == 2_345_960
    attentive = count(Seq2Seq(1000, 1000, attention='before'), SOURCE, TARGET)
    assert attentive['decoder'] == 2_625_536 and attentive['looking'] == 1_050_624
    assert sum(attentive.values()) - sum(plain.values()) == 2_099_200
    shape_demo = Seq2Seq(5000, 5000, 64, (128,), attention='after', score='dot', init_scheme='keras')
    assert sum(count(shape_demo, SOURCE, TARGET).values()) == 2_122_632  # D3.2
    assert (
        sum(count(shape_demo.clone(source_vocabulary=2700, target_vocabulary=1700), SOURCE, TARGET).values()) == 916_132
    )  # D3.3
    logits = jax.eval_shape(lambda: shape_demo.init_with_output(jax.random.key(0), SOURCE, TARGET)[0])
    assert logits.shape == (2, 4, 5000)


FORMS = {
    'none': {},
    'before': {'attention': 'before'},
    'additive': {'attention': 'before', 'score': 'additive', 'cell': 'gru'},
    'after': {'attention': 'after', 'score': 'dot', 'features': (8, 8)},
}


@pytest.fixture(params=FORMS, scope='module')
def translator(request):
    """(model, variables, compiled apply, logits under teacher forcing)"""
    model = Seq2Seq(10, 12, **{'embedding': 6, 'features': (8,)} | FORMS[request.param])
    variables, apply = drawn(model, SOURCE, TARGET), jax.jit(model.apply)
    return model, variables, apply, apply(variables, SOURCE, TARGET)


def test_padding_moves_no_logit(translator):
    model, variables, apply, logits = translator
    np.testing.assert_allclose(apply(variables, SOURCE[:1, :3], TARGET[:1]), logits[:1], atol=1e-5)
    published = model.clone(mask_encoder=False, mask_attention=False)
    read = jax.jit(published.apply)(variables, SOURCE, TARGET)
    assert np.abs(read[0] - logits[0]).max() > 1e-3
    np.testing.assert_allclose(read[1], logits[1], atol=1e-5)


def test_steps_equal_teacher_forcing(translator):
    model, variables, _, logits = translator
    context, state = model.apply(variables, SOURCE, 4, method='begin')
    step = jax.jit(lambda state, token, t: model.apply(variables, context, state, token, t, method='step'))
    for t in range(4):
        found, state = step(state, TARGET[:, t], t)
        np.testing.assert_allclose(found, logits[:, t], atol=1e-5)


def test_coins_choose_between_the_true_and_the_likeliest_token(translator):
    _, variables, apply, logits = translator
    all_true = apply(variables, SOURCE, TARGET, coins=jnp.array([False, True, True, True]))
    np.testing.assert_allclose(all_true, logits, atol=1e-5)
    mixed = apply(variables, SOURCE, TARGET, coins=jnp.array([True, True, False, True]))
    said = TARGET.at[:, 2].set(logits[:, 1].argmax(-1))
    np.testing.assert_allclose(mixed, apply(variables, SOURCE, said), atol=1e-5)


def test_gradients_reach_the_source_through_attention(translator):
    """D3.2's layer went through NumPy: no gradient passed. Here the encoder learns from attention alone too."""
    model, variables, *_ = translator
    if model.attention == 'none':
        return

    def loss(context, state):
        return (model.apply(variables, context, state, TARGET[:, 0], 0, method='step')[0] ** 2).sum()

    context, state = model.apply(variables, SOURCE, 1, method='begin')
    keys, values = jax.jit(jax.grad(lambda keys, values: loss((keys, values, context[2]), state), (0, 1)))(*context[:2])
    assert np.abs(keys[1]).max() > 1e-6 and np.abs(values[1]).max() > 1e-6
    assert not values[0, 3:].any() and values[0, :3].any()


def test_unknown_arguments():
    with pytest.raises(UserError, match="did you mean 'before'"):
        Seq2Seq(10, 10, attention='befor').init(jax.random.key(0), SOURCE, TARGET)
    with pytest.raises(UserError, match="did you mean 'additive'"):
        Seq2Seq(10, 10, attention='after', score='aditive').init(jax.random.key(0), SOURCE, TARGET)
