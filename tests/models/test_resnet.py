"""ResNet: parameter counts of the papers and specs, shapes, start, padding rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.resnet import Block, ResNet
from tests.models.drawn import drawn, numbers, started


def parameters(module, size=64):
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, size, size, 3)), False))
    return shapes['params'], shapes['batch_stats']


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    'arguments, expected',
    [
        ({'classes': 1000}, 11_689_512),
        ({'classes': 2}, 11_177_538),  # E3a
        ({'classes': 10}, 11_181_642),  # B10c
        ({'classes': 5}, 11_179_077),  # B13
        ({'classes': 10, 'stem': 'cifar'}, 11_173_962),
        ({'classes': 10, 'stem': 'cifar', 'skip': False}, 11_173_962 - 8_448 - 33_280 - 132_096),  # three projections
        ({'classes': 1000, 'depth': 34}, 21_797_672),
        ({'classes': 1000, 'depth': 50}, 25_557_032),
    ],
)
def test_parameter_counts(arguments, expected):
    assert count(parameters(ResNet(**arguments))[0]) == expected


def test_counts_by_stage_of_e3a():
    params, statistics = parameters(ResNet(2))
    stage = lambda k: sum(count(params[f'stage_{k}_block_{b}']) for b in (1, 2))
    assert count(params['stem']) == 9_536
    assert [stage(k) for k in (1, 2, 3, 4)] == [147_968, 525_568, 2_099_712, 8_393_728]
    assert count(params['head']) == 1_026
    assert count(statistics) == 9_600


def test_narrow_network_runs_and_padding_rows_change_nothing():
    model = ResNet(3, 18, width=2)
    images = jnp.asarray(np.random.default_rng(0).standard_normal((6, 32, 32, 3)), jnp.float32)
    weight = jnp.array([1.0, 1, 1, 1, 0, 0])
    variables = drawn(model, images, False)
    run = jax.jit(lambda images: model.apply(variables, images, True, weight, mutable=['batch_stats']))
    logits, updates = run(images)
    assert logits.shape == (6, 3) and np.isfinite(logits).all()
    again, same = run(images.at[4:].set(9.0))
    np.testing.assert_array_equal(again[:4], logits[:4])
    jax.tree.map(np.testing.assert_array_equal, updates, same)


@pytest.mark.parametrize('kind', ['basic', 'bottleneck'])
def test_skip_adds_the_input_and_plain_does_not(kind):
    """With the last scale at 0, F(x) is 0: what is left is relu(x), and nothing without the skip."""
    width = {'basic': 8, 'bottleneck': 2}[kind]
    common = {'train': False, 'weight': None, 'dtype': None, 'kind': kind, 'features': width, 'stride': 1}
    x = numbers(2, 6, 6, 8)
    plain, residual = Block(**common, skip=False), Block(**common)
    variables = started(plain, x, seed=1)
    assert 'projection' not in variables['params']
    assert float(jnp.abs(jax.jit(plain.apply)(variables, x)).max()) > 0.1
    last = {'basic': 'conv_2_norm', 'bottleneck': 'conv_3_norm'}[kind]
    variables['params'][last]['scale'] = jnp.zeros(8)
    np.testing.assert_array_equal(jax.jit(plain.apply)(variables, x), 0)
    np.testing.assert_array_equal(jax.jit(residual.apply)(variables, x), jnp.maximum(x, 0))


def test_starts_as_torchvision():
    model = ResNet(10, stem='cifar', width=32)

    @jax.jit
    def started():  # what is not returned is not drawn, which saves compiling it
        params = model.init(jax.random.key(1), jnp.zeros((1, 8, 8, 3)), False)['params']
        return params['stage_4_block_1']['conv_2']['kernel'], params['head']['kernel']

    kernel, head = started()
    assert abs(float(kernel.std()) / (2 / (9 * 256)) ** 0.5 - 1) < 0.01
    assert 0.95 / 16 < np.abs(head).max() <= 1 / 16


@pytest.mark.parametrize('wrong', [{'depth': 19}, {'stem': 'cifra'}])
def test_wrong_arguments(wrong):
    with pytest.raises(UserError, match='18, 34, 50|cifar'):
        parameters(ResNet(10, **wrong))


@pytest.mark.parity
def test_equal_to_torch_with_its_weights():
    """Loss, logits and running statistics of the benchmark's PyTorch network after copying its parameters."""
    torch = pytest.importorskip('torch')
    from benchmarks import torch_models

    torch.manual_seed(0)
    theirs = torch_models.ResNet18(10, width=8)
    model = ResNet(10, stem='cifar', width=8)
    images = numbers(4, 16, 16, 3)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(1), images, False))
    statistics = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes['batch_stats'])
    variables = {'params': torch_models.resnet_parameters(theirs), 'batch_stats': statistics}
    out = theirs(torch.tensor(np.asarray(images.transpose(0, 3, 1, 2))))
    logits, updates = jax.jit(lambda v, x: model.apply(v, x, True, mutable=['batch_stats']))(variables, images)
    np.testing.assert_allclose(logits, out.detach().numpy(), atol=2e-4)
    stored = updates['batch_stats']['stem']['conv_norm']
    np.testing.assert_allclose(stored['var'] + 0.9, theirs.stem[1].running_var.numpy(), rtol=1e-4)  # PyTorch from 1
