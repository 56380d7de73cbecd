"""The translating Transformer: counts of B25 and D3.4, causality, padding, kept keys and values, PyTorch's `nn.Transformer`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.encoder_decoder import EncoderDecoder

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


def sizes(model):
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), SOURCE, TARGET))['params']
    return {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in shapes.items()}


def test_parameter_counts():
    found = sizes(B25)
    assert found['encoder_0'] == 1_315_072 and found['decoder_2'] == 1_578_752 and found['head'] == 3_598
    assert sum(found.values()) == 8_693_262
    assert sum(found.values()) - found['head'] - found['source_embedding'] - found['target_embedding'] == 8_682_496
    found = sizes(D34)
    assert found['encoder_0'] == 33_472 and found['decoder_0'] == 50_240
    assert sum(found.values()) == 537_664 == 167_424 + 64 * 2560 + 129 * 1600
    tied = sizes(B25.clone(shared='all'))
    assert set(tied) - set(sizes(B25)) == {'output_bias'} and sum(tied.values()) == 8_682_496 + 14 * 256 + 14


def test_start_of_b25():
    params = jax.jit(B25.init)(jax.random.key(0), SOURCE, TARGET)['params']
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
    """(model, variables, logits under teacher forcing)"""
    model = EncoderDecoder(10, 12, 8, 2, 16, 2, 2, **FORMS[request.param])
    variables = jax.jit(model.init)(jax.random.key(0), SOURCE, TARGET)
    keys = iter(jax.random.split(jax.random.key(1), 200))
    variables = jax.tree.map(lambda leaf: leaf + 0.1 * jax.random.normal(next(keys), leaf.shape), variables)
    return model, variables, jax.jit(model.apply)(variables, SOURCE, TARGET)


def test_later_tokens_and_padding_move_no_logit(translator):
    model, variables, logits = translator
    apply = jax.jit(model.apply)
    later = apply(variables, SOURCE, TARGET.at[:, 2:].set(11))
    np.testing.assert_allclose(later[:, :2], logits[:, :2], atol=1e-5)
    assert np.abs(later[:, 2:] - logits[:, 2:]).max() > 1e-3
    padded = apply(variables, jnp.pad(SOURCE, ((0, 0), (0, 3))), jnp.pad(TARGET, ((0, 0), (0, 2))))
    np.testing.assert_allclose(padded[:, :4], logits, atol=1e-5)
    np.testing.assert_allclose(apply(variables, SOURCE[:1, :3], TARGET[:1]), logits[:1], atol=1e-5)
    moved = apply(variables, SOURCE.at[0, 1].set(2), TARGET)
    assert np.abs(moved[0] - logits[0]).max() > 1e-3  # the source is looked at


def test_steps_equal_teacher_forcing(translator):
    """With kept keys and values, the logits of every step; the cache has room to spare."""
    model, variables, logits = translator
    context, state = jax.jit(lambda v: model.apply(v, SOURCE, 6, method='begin'))(variables)
    step = jax.jit(lambda state, token, t: model.apply(variables, context, state, token, t, method='step'))
    for t in range(4):
        found, state = step(state, TARGET[:, t], t)
        np.testing.assert_allclose(found, logits[:, t], atol=1e-5)


def test_dropout_has_its_places():
    model = EncoderDecoder(10, 12, 8, 2, 16, 1, 1, 0.0, attention_dropout=0.5)
    variables = jax.jit(model.init)(jax.random.key(0), SOURCE, TARGET)
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
    theirs = torch.nn.Transformer(8, 2, 2, 2, 16, 0.0, batch_first=True, norm_first=norm_first)
    array = lambda tensor: jnp.asarray(tensor.detach().numpy())
    linear = lambda m: {'kernel': array(m.weight).T, 'bias': array(m.bias)}
    norm = lambda m: {'scale': array(m.weight), 'bias': array(m.bias)}

    def attention(m):
        parts = zip(('query', 'key', 'value'), m.in_proj_weight.chunk(3), m.in_proj_bias.chunk(3), strict=True)
        return {name: {'kernel': array(w).T, 'bias': array(b)} for name, w, b in parts} | {'out': linear(m.out_proj)}

    def layer(m, norms):
        found = {'attention': attention(m.self_attn)} | {f'norm_{k}': norm(getattr(m, f'norm{k}')) for k in norms}
        return found | {'feed_forward': {'dense_1': linear(m.linear1), 'dense_2': linear(m.linear2)}}

    model = EncoderDecoder(10, 12, 8, 2, 16, 2, 2, norm_first=norm_first, positions='none', max_length=8)
    params = jax.jit(model.init)(jax.random.key(0), SOURCE, TARGET)['params']
    for k in range(2):
        params[f'encoder_{k}'] = layer(theirs.encoder.layers[k], (1, 2))
        decoder = theirs.decoder.layers[k]
        params[f'decoder_{k}'] = layer(decoder, (1, 2, 3)) | {'memory_attention': attention(decoder.multihead_attn)}
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
    ours = lambda params: model.apply({'params': params}, SOURCE, TARGET)
    np.testing.assert_allclose(jax.jit(ours)(params), logits.detach().numpy(), atol=1e-5)
    slopes = jax.jit(jax.grad(lambda params: (ours(params) ** 2).sum()))(params)
    expected = np.zeros((10, 8), np.float32)
    np.add.at(expected, np.asarray(SOURCE), source.grad.numpy())
    np.testing.assert_allclose(slopes['source_embedding']['embedding'], expected, rtol=1e-4, atol=2e-4)
    theirs_kernel = theirs.decoder.layers[0].linear1.weight.grad.numpy().T
    np.testing.assert_allclose(
        slopes['decoder_0']['feed_forward']['dense_1']['kernel'], theirs_kernel, rtol=1e-4, atol=2e-4
    )
