"""The published sizes, starts and numbers of the four core experiments: A01, A04, A08, E2."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.measures.losses import discriminator_loss, generator_loss
from jaxlab.models.gan import Discriminator, Generator
from jaxlab.models.lenet import SEQUENTIAL_NAMES, CompactLeNet, LeNet, lenet_function, sequential_lenet
from jaxlab.models.mlp import MLP
from jaxlab.training.feeding import Feed
from tests.models.drawn import numbers, started

IMAGES = numbers(3, 28, 28, 1, seed=7)


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def params_of(module, images=IMAGES):
    """The parameters that a module begins with."""
    return started(module, images, train=False)['params']


def uniform_within(leaf, limit: float) -> None:
    """All values within the limit, and some close to it."""
    largest = float(np.abs(leaf).max())
    assert largest <= limit * (1 + 1e-6) and (leaf.size < 100 or largest > 0.95 * limit)


# ---- A01: the perceptron learns AND ----------------------------------------------------------------------------------


def test_the_perceptron_learns_and(launch, tmp_path):
    """w = [-0.2, 0.2, 0.2], errors [2, 0], in two epochs of four samples."""
    found = launch('--config=configs/perceptron_and.py', f'--workdir={tmp_path}', '--json').json()
    values = [found['metrics'][name]['mean'] for name in ('bias', 'weight_1', 'weight_2')]
    assert values == pytest.approx([-0.2, 0.2, 0.2], abs=1e-6)
    rows = [json.loads(line) for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()]
    assert [row['train_error'] for row in rows] == [[2.0], [0.0]]
    assert found['metrics']['epochs']['mean'] == 2 and found['stopped']['epoch'] == 2
    assert found['data']['examples'] == {'train': 4}


def test_the_perceptron_does_not_learn_xor(launch, tmp_path):
    """Eight errors in each of twenty epochs, back at zero in the end."""
    xor = "--config.data.options={'gate':'xor','coding':'bipolar'}"
    found = launch('--config=configs/perceptron_and.py', f'--workdir={tmp_path}', xor, '--json').json()
    rows = [json.loads(line) for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()]
    assert [row['train_error'] for row in rows] == [[8.0]] * 20
    assert [found['metrics'][name]['mean'] for name in ('bias', 'weight_1', 'weight_2')] == [0, 0, 0]


# ---- A04: one hidden layer -------------------------------------------------------------------------------------------


def test_the_mlp_of_a04():
    """101,770 parameters, 280 batches an epoch, 2,800 updates; weights and biases within scikit-learn's limits."""
    params = params_of(MLP((128,), 10, init_scheme='sklearn'))
    assert count(params) == 101_770
    for layer, limit in (('Dense_0', 0.0811107106), ('Dense_1', 0.2085144141)):
        uniform_within(params[layer]['kernel'], limit)
        uniform_within(params[layer]['bias'], limit)
    feed = Feed(56_000, 200, False, True, (42,))
    assert feed.steps_per_epoch == 280 and 10 * feed.steps_per_epoch == 2_800
    assert (feed.epoch(0) >= 0).all()


# ---- E2: LeNet-5, written four ways ----------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def lenet():
    return params_of(LeNet())


def test_lenet_has_61706_parameters(lenet):
    sizes = {name: count(layer) for name, layer in lenet.items()}
    assert sizes == {'conv1': 156, 'conv2': 2_416, 'dense1': 48_120, 'dense2': 10_164, 'dense3': 850}
    assert count(lenet) == 61_706


def test_the_keras_variant_has_82826():
    """32x32 images and still SAME padding in the first convolution: 6x6x16 before the dense layers."""
    params = params_of(LeNet(init_scheme='keras'), jnp.zeros((1, 32, 32, 1)))
    assert count(params) == 82_826
    uniform_within(params['dense1']['kernel'], (6 / (576 + 120)) ** 0.5)
    assert not np.any(params['conv1']['bias'])


def test_lenet_starts_within_pytorchs_bounds(lenet):
    """Kernels and biases U(+-1/sqrt(fan_in))."""
    for layer, fan_in in (('conv1', 25), ('conv2', 150), ('dense1', 400), ('dense2', 120), ('dense3', 84)):
        uniform_within(lenet[layer]['kernel'], fan_in**-0.5)
        uniform_within(lenet[layer]['bias'], fan_in**-0.5)


def test_four_styles_agree(lenet):
    """From the same parameters: setup, compact, Sequential and a pure function."""

    @jax.jit
    def answers(params):
        named = {SEQUENTIAL_NAMES[name]: layer for name, layer in params.items()}
        return {
            'setup': LeNet().apply({'params': params}, IMAGES, train=False),
            'compact': CompactLeNet().apply({'params': params}, IMAGES, train=False),
            'sequential': sequential_lenet().apply({'params': named}, IMAGES),
            'function': lenet_function(params, IMAGES),
        }

    others = answers(lenet)
    expected = others.pop('setup')
    assert expected.shape == (3, 10) and len(others) == 3
    for style, logits in others.items():
        np.testing.assert_allclose(logits, expected, atol=1e-6, err_msg=style)


def test_four_styles_start_with_the_same_shapes(lenet):
    key = jax.random.key(0)
    compact = jax.eval_shape(lambda: CompactLeNet().init(key, IMAGES, train=False))['params']
    sequential = jax.eval_shape(lambda: sequential_lenet().init(key, IMAGES))['params']
    assert jax.tree.map(jnp.shape, compact) == jax.tree.map(jnp.shape, lenet)
    assert {SEQUENTIAL_NAMES[name]: jax.tree.map(jnp.shape, layer) for name, layer in lenet.items()} == jax.tree.map(
        jnp.shape, dict(sequential)
    )


@pytest.mark.parity
def test_pytorchs_lenet_with_the_same_weights(lenet):
    """PyTorch flattens channel by channel, JAX place by place: rows of the first dense kernel change their order."""
    torch = pytest.importorskip('torch')
    from benchmarks import torch_models

    net = torch_models.lenet()
    assert sum(p.numel() for p in net.parameters()) == 61_706
    kernels = {name: np.asarray(layer['kernel']) for name, layer in lenet.items()}
    kernels['dense1'] = kernels['dense1'].reshape(5, 5, 16, 120).transpose(2, 0, 1, 3).reshape(400, 120)
    layers = [layer for layer in net if hasattr(layer, 'weight')]
    with torch.no_grad():
        for (name, kernel), layer in zip(kernels.items(), layers, strict=True):
            order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
            layer.weight.copy_(torch.tensor(kernel.transpose(order)))
            layer.bias.copy_(torch.tensor(np.asarray(lenet[name]['bias'])))
        logits = net(torch.tensor(np.asarray(IMAGES).transpose(0, 3, 1, 2))).numpy()
    ours = jax.jit(lambda params: LeNet().apply({'params': params}, IMAGES, train=False))(lenet)
    np.testing.assert_allclose(ours, logits, atol=1e-5)


# ---- A08: two networks that play against each other ------------------------------------------------------------------


@pytest.fixture(scope='module')
def networks():
    noise = jnp.zeros((2, 100))
    return (
        started(Generator(), noise, train=False),
        started(Discriminator(), jnp.zeros((2, 28, 28, 1)), train=False, seed=1),
    )


def test_parameters_of_a08(networks):
    """2,330,944 (25,472 of them running statistics) and 212,865."""
    generator, discriminator = networks
    assert count(generator) == 2_330_944 and count(generator['batch_stats']) == 25_472
    assert count(discriminator) == 212_865


def test_glorot_limits_of_a08(networks):
    def kernels(variables):
        leaves = jax.tree_util.tree_leaves_with_path(variables['params'])
        return [leaf for path, leaf in leaves if path[-1].key == 'kernel']

    generator, discriminator = map(kernels, networks)
    limits = {
        (100, 12544): 0.02178379,
        (5, 5, 128, 256): 0.025,
        (5, 5, 64, 128): 0.03535534,
        (5, 5, 1, 64): 0.06076436,
        (5, 5, 1, 64, 'D'): 0.06076436,
        (5, 5, 64, 128, 'D'): 0.03535534,
        (6272, 1): 0.03092701,
    }
    for leaf in generator:  # transposed kernels are [..., out, in]
        uniform_within(leaf, limits[leaf.shape])
    for leaf in discriminator:
        uniform_within(leaf, limits.get((*leaf.shape, 'D'), limits.get(leaf.shape)))
    assert len(generator) == 4 and len(discriminator) == 3


def test_shapes_and_ranges_of_a08(networks):
    generator, discriminator = networks
    noise = jax.random.normal(jax.random.key(3), (2, 100))
    images = jax.jit(lambda v, z: Generator().apply(v, z, train=False))(generator, noise)
    assert images.shape == (2, 28, 28, 1) and float(jnp.abs(images).max()) <= 1
    logits = jax.jit(lambda v, x: Discriminator().apply(v, x, train=False))(discriminator, images)
    assert logits.shape == (2,) and logits.dtype == jnp.float32


def test_losses_of_a08(float64):
    real, fake = jnp.array([2.0, -1.0, 0.5]), jnp.array([-1.0, 0.0, 1.5])
    parts = [float(part.mean()) for part in discriminator_loss(real, fake)]
    assert parts == pytest.approx([0.6380888942, 0.9026073820], abs=1e-10)
    assert float(generator_loss(fake).mean()) == pytest.approx(0.7359407154, abs=1e-10)
    zero = jnp.zeros(4)
    assert sum(float(part.mean()) for part in discriminator_loss(zero, zero)) == pytest.approx(1.3862943611, abs=1e-10)
    assert float(generator_loss(zero).mean()) == pytest.approx(0.6931471806, abs=1e-10)


def test_updates_of_a08():
    """235 batches an epoch, the last with 96 real images; 11,750 updates."""
    feed = Feed(60_000, 256, False, True, (0,))
    assert 50 * feed.steps_per_epoch == 11_750
    assert int((feed.epoch(3)[0, -1] >= 0).sum()) == 96


@pytest.mark.parametrize(
    'name, parameters', [('lenet_mnist', 61_706), ('mlp_mnist', 101_770), ('gan_mnist', 2_330_944 + 212_865)]
)
def test_describe_knows_these_sizes(name, parameters, launch, monkeypatch):
    """At full size, without training; what an update costs, for which it is compiled, is looked at in tests/cli."""
    monkeypatch.setattr('jaxlab.training.describe._cost', lambda machine, state: {})
    assert launch(f'--config=configs/{name}.py', '--mode=describe', '--json').json()['parameters'] == parameters
