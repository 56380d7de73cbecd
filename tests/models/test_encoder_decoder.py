"""The translating Transformer: counts of B25 and D3.4, causality, padding, kept keys and values, PyTorch's `nn.Transformer`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.encoder_decoder import EncoderDecoder
from tests.models.drawn import count, drawn

SOURCE = jnp.array([[4, 7, 5, 0, 0], [6, 3, 8, 9, 4]])
TARGET = jnp.array([[1, 5, 6, 4], [1, 7, 3, 8]])
B25 = EncoderDecoder(14, 14, hidden=2048, embedding_dropout=0.0)
D34 = EncoderDecoder(
    2560,
    1600,
    64,
    2,
    128,
    2,
    2,
    attention_dropout=0.0,
    inner_dropout=0.0,
    final_norm=False,
    epsilon=1e-6,
    scale_embeddings=True,
    max_length=1000,
    init_scheme='keras',
)


def test_parameter_counts():
    found = count(B25, SOURCE, TARGET)
    assert found['encoder_0'] == 1_315_072 and found['decoder_2'] == 1_578_752 and found['head'] == 3_598
    assert sum(found.values()) == 8_693_262
    assert sum(found.values()) - found['head'] - found['source_embedding'] - found['target_embedding'] == 8_682_496
    found = count(D34, SOURCE, TARGET)
    assert found['encoder_0'] == 33_472 and found['decoder_0'] == 50_240
    assert sum(found.values()) == 537_664 == 167_424 + 64 * 2560 + 129 * 1600
    tied = count(B25.clone(shared='all'), SOURCE, TARGET)
    assert (
        set(tied) - set(count(B25, SOURCE, TARGET)) == {'output_bias'}
        and sum(tied.values()) == 8_682_496 + 14 * 256 + 14
    )


def test_start_of_b25():
    small = B25.clone(encoder_layers=0, decoder_layers=1)
    params = jax.jit(small.init)(jax.random.key(0), SOURCE, TARGET)['params']
    layer = params['decoder_0']
    for kernel, limit in (
        (layer['attention']['query']['kernel'], (6 / 1024) ** 0.5),
        (layer['memory_attention']['out']['kernel'], (6 / 512) ** 0.5),
        (layer['feed_forward']['dense_1']['kernel'], (6 / 2304) ** 0.5),
        (params['head']['kernel'], 1 / 16),
    ):
        assert 0.97 * limit < np.abs(kernel).max() <= limit
    assert not layer['attention']['out']['bias'].any() and layer['feed_forward']['dense_1']['bias'].any()
    assert 0.9 < params['source_embedding']['embedding'].std() < 1.1


FORMS = {
    'b25': {},
    'd34': {'final_norm': False, 'scale_embeddings': True, 'init_scheme': 'keras'},
    'rotary, pre-norm, tied': {'positions': 'rotary', 'norm_first': True, 'shared': 'output'},
    'learned': {'positions': 'learned', 'output_bias': False, 'max_length': 10},
}


@pytest.fixture(params=FORMS, scope='module')
def translator(request):
    """(model, variables, compiled apply, logits under teacher forcing); one form has two layers, each with a cache."""
    model = EncoderDecoder(10, 12, 8, 2, 16, 1, 2 if request.param == 'b25' else 1, **FORMS[request.param])
    variables, apply = drawn(model, SOURCE, TARGET), jax.jit(model.apply)
    return model, variables, apply, apply(variables, SOURCE, TARGET)


def test_later_tokens_and_padding_move_no_logit(translator):
    _, variables, apply, logits = translator
    later = apply(variables, SOURCE, TARGET.at[:, 2:].set(11))
    np.testing.assert_allclose(later[:, :2], logits[:, :2], atol=1e-5)
    assert np.abs(later[:, 2:] - logits[:, 2:]).max() > 1e-3
    np.testing.assert_allclose(apply(variables, SOURCE[:1, :3], TARGET[:1]), logits[:1], atol=1e-5)
    moved = apply(variables, SOURCE.at[0, 1].set(2), TARGET)
    assert np.abs(moved[0] - logits[0]).max() > 1e-3  # the source is looked at


def test_steps_equal_teacher_forcing(translator):
    """With kept keys and values, the logits of every step; the cache has room to spare."""
    model, variables, _, logits = translator
    context, state = jax.jit(lambda v: model.apply(v, SOURCE, 6, method='begin'))(variables)
    step = jax.jit(lambda state, token, t: model.apply(variables, context, state, token, t, method='step'))
    for t in range(4):
        found, state = step(state, TARGET[:, t], t)
        np.testing.assert_allclose(found, logits[:, t], atol=1e-5)


def test_dropout_has_its_places():
    model = EncoderDecoder(10, 12, 8, 2, 16, 1, 1, 0.0, attention_dropout=0.5)
    variables = drawn(model, SOURCE, TARGET)
    train = lambda model: jax.jit(lambda v: model.apply(v, SOURCE, TARGET, True, rngs={'dropout': jax.random.key(1)}))(
        variables
    )
    still = jax.jit(model.apply)(variables, SOURCE, TARGET)
    assert not np.allclose(train(model), still, atol=1e-3)
    np.testing.assert_allclose(train(model.clone(attention_dropout=0.0)), still, atol=1e-6)


def test_wrong_arguments():
    with pytest.raises(UserError, match="did you mean 'output'"):
        EncoderDecoder(10, 12, shared='outputs').init(jax.random.key(0), SOURCE, TARGET)
    with pytest.raises(UserError, match='needs one vocabulary; there are two, of 10 and 12'):
        EncoderDecoder(10, 12, shared='all').init(jax.random.key(0), SOURCE, TARGET)
    with pytest.raises(UserError, match='max_length is 4, but 5 tokens are to be written'):
        model = EncoderDecoder(10, 12, 8, 2, 16, 1, 1, max_length=4)
        jax.eval_shape(lambda: model.init(jax.random.key(0), SOURCE[:, :4], 5, method='begin'))


@pytest.mark.parity
@pytest.mark.parametrize('norm_first', [False, True])
def test_equal_to_torch(norm_first):
    """`torch.nn.Transformer` with its weights copied, padded sources, outputs and the gradient to the source's vectors."""
    torch = pytest.importorskip('torch')
    torch.manual_seed(0)
    theirs = torch.nn.Transformer(8, 2, 1, 1, 16, 0.0, batch_first=True, norm_first=norm_first)
    array = lambda tensor: jnp.asarray(tensor.detach().numpy())
    linear = lambda m: {'kernel': array(m.weight).T, 'bias': array(m.bias)}
    norm = lambda m: {'scale': array(m.weight), 'bias': array(m.bias)}

    def attention(m):
        parts = zip(('query', 'key', 'value'), m.in_proj_weight.chunk(3), m.in_proj_bias.chunk(3), strict=True)
        return {name: {'kernel': array(w).T, 'bias': array(b)} for name, w, b in parts} | {'out': linear(m.out_proj)}

    def layer(m, norms):
        found = {'attention': attention(m.self_attn)} | {f'norm_{k}': norm(getattr(m, f'norm{k}')) for k in norms}
        return found | {'feed_forward': {'dense_1': linear(m.linear1), 'dense_2': linear(m.linear2)}}

    model = EncoderDecoder(10, 12, 8, 2, 16, 1, 1, norm_first=norm_first, positions='none', max_length=8)
    params, decoder = drawn(model, SOURCE, TARGET)['params'], theirs.decoder.layers[0]
    params['encoder_0'] = layer(theirs.encoder.layers[0], (1, 2))
    params['decoder_0'] = layer(decoder, (1, 2, 3)) | {'memory_attention': attention(decoder.multihead_attn)}
    params['encoder_norm'], params['decoder_norm'] = norm(theirs.encoder.norm), norm(theirs.decoder.norm)
    source, target = (
        torch.tensor(np.asarray(params[f'{side}_embedding']['embedding'][tokens]), requires_grad=True)
        for side, tokens in (('source', SOURCE), ('target', TARGET))
    )
    pad = torch.tensor(np.asarray(SOURCE == 0))
    causal = torch.nn.Transformer.generate_square_subsequent_mask(4)
    states = theirs(source, target, tgt_mask=causal, src_key_padding_mask=pad, memory_key_padding_mask=pad)
    kernel, bias = (torch.tensor(np.asarray(params['head'][name])) for name in ('kernel', 'bias'))
    logits = states @ kernel + bias
    (logits**2).sum().backward()

    def loss(params):
        found = model.apply({'params': params}, SOURCE, TARGET)
        return (found**2).sum(), found

    slopes, found = jax.jit(jax.grad(loss, has_aux=True))(params)
    np.testing.assert_allclose(found, logits.detach().numpy(), atol=1e-5)
    expected = np.zeros((10, 8), np.float32)
    np.add.at(expected, np.asarray(SOURCE), source.grad.numpy())
    np.testing.assert_allclose(slopes['source_embedding']['embedding'], expected, rtol=1e-4, atol=2e-4)
    theirs_kernel = theirs.decoder.layers[0].linear1.weight.grad.numpy().T
    np.testing.assert_allclose(
        slopes['decoder_0']['feed_forward']['dense_1']['kernel'], theirs_kernel, rtol=1e-4, atol=2e-4
    )
