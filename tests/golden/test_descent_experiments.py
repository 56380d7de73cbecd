"""The published sizes, updates and numbers of B03 (batch sizes), B04 (optimizers) and B06 (batch norm, augmentation).

The optimizer traces of B04 are in tests/optimizers/test_rules.py, its networks' sizes also in tests/models.
"""

import functools
import math
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import batchnorm_augmentation_cifar10, common, gradient_descent_mnist, optimizers_cifar10
from jaxlab.data.transforms import Context, compose
from jaxlab.layers import BatchNorm
from jaxlab.measures.losses import cross_entropy
from jaxlab.models import build_model
from jaxlab.optimizers import build_optimizer
from jaxlab.training.feeding import Feed, rows_of_update
from tests.models.drawn import started
from tests.training import lab

DIGITS = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])  # of MNIST's 60,000, by class
SHARES = DIGITS / DIGITS.sum()
REAL = Path(os.environ.get('JAXLAB_DATA_DIR', '')) / 'mnist'


def start(config: common.Config, shape: tuple[int, ...], key: jax.Array):
    """The first variables of a config's network."""
    return build_model(config.model, classes=10).init(key, jnp.zeros((1, *shape)), train=False)


def shapes(config: common.Config, shape: tuple[int, ...]):
    """Their shapes."""
    return jax.eval_shape(lambda key: start(config, shape, key), jax.random.key(0))


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


# ---- B03: how many examples an update sees --------------------------------------------------------------------------


@pytest.mark.parametrize('variant, updates', [('full_batch', 15), ('mini_batch', 14_070), ('single_sample', 900_000)])
def test_updates_of_b03(variant, updates):
    """The same 900,000 examples; the last of the mini-batches holds 32."""
    config = gradient_descent_mnist.get_config()
    changes = config.variants[variant].to_dict()
    rows = rows_of_update(changes.get('data.batch_size', config.data.batch_size), 60_000)
    feed = Feed(60_000, rows, False, True, (0,))
    assert feed.steps_per_epoch * config.training.epochs == updates
    if variant == 'mini_batch':
        assert (feed.epoch(0)[0, -1] >= 0).sum() == 32


def test_the_network_of_b03():
    config = gradient_descent_mnist.get_config()
    variables = jax.jit(lambda key: start(config, (28, 28, 1), key))(jax.random.key(0))
    assert {name: count(layer) for name, layer in variables['params'].items()} == {
        'Dense_0': 100_480,
        'Dense_1': 8_256,
        'Dense_2': 650,
    }
    assert count(variables) == 109_386
    for layer, fan_in in (('Dense_0', 784), ('Dense_1', 128), ('Dense_2', 64)):
        kernel, bias = (
            float(jnp.abs(variables['params'][layer][leaf]).max()) * fan_in**0.5 for leaf in ('kernel', 'bias')
        )
        assert 0.95 < kernel <= 1 and 0.5 < bias <= 1  # PyTorch: both within 1 / sqrt(fan_in)


def test_only_batch_and_rule_differ():
    """Same network, start, data order and examples in every variant of B03."""
    for changes in gradient_descent_mnist.get_config().variants.values():
        mine = {path for path in changes if path not in ('published', 'tuning', 'parallel.devices')}
        assert mine <= {'data.batch_size', 'optimizer.momentum'}


TOY = {  # w after epochs 1, 2, 3 (spec B03): batch size, momentum -> values
    (4, 0.0): (0.3, 0.555, 0.77175),
    (2, 0.0): (0.575, 0.9846875, 1.27658984375),
    (1, 0.0): (0.99453568, 1.49452075060, 1.74587932512),
    (4, 0.9): (0.3, 0.825, 1.47375),
}


@pytest.mark.usefixtures('float64')
@pytest.mark.parametrize('batch, momentum', TOY)
def test_the_toy_trace_of_b03(batch, momentum):
    """x = 1, 2, 3, 4, y = 2x, model wx, mean squared error, w = 0, rate 0.01, fixed order."""
    x = np.arange(1.0, 5.0)
    rule = build_optimizer(common.sgd(0.01, momentum), 1, 3)
    feed = Feed(4, rows_of_update(0 if batch == 4 else batch, 4), False, False, (0,))

    @jax.jit
    def update(w, state, some):
        gradient = jax.grad(lambda w: jnp.mean((w * some - 2 * some) ** 2))(w)
        updates, state = rule.update(gradient, state, w)
        return optax.apply_updates(w, updates), state

    w, found = jnp.zeros(()), []
    state = rule.init(w)
    for epoch in range(3):
        for rows in feed.epoch(epoch)[0]:
            w, state = update(w, state, x[rows])
        found.append(float(w))
    assert found == pytest.approx(TOY[batch, momentum], abs=1e-10)


def plateau(rate: float, momentum: float) -> float:
    """The loss of a network of which only the output biases still move (spec B03): label entropy plus their noise."""
    entropy = -(SHARES * np.log(SHARES)).sum()
    return entropy + rate / (4 * (1 - momentum)) * (SHARES * (1 - SHARES)).sum()


def test_what_theory_says_of_the_dead_network():
    assert -(SHARES * np.log(SHARES)).sum() == pytest.approx(2.301159173, abs=1e-9)
    assert (SHARES**2).sum() == pytest.approx(0.100288159, abs=1e-9)
    assert SHARES.max() == pytest.approx(0.112367, abs=1e-6) and SHARES.argmax() == 1
    assert plateau(0.01, 0.9) == pytest.approx(2.3236520, abs=1e-7)
    assert plateau(0.001, 0.9) == pytest.approx(2.3034085, abs=1e-7) == plateau(0.01, 0.0)
    lines = gradient_descent_mnist.get_config().report.lines.train_loss.to_dict()
    assert sorted(lines.values()) == pytest.approx([math.log(10), plateau(0.01, 0.9)], abs=1e-6)


@pytest.mark.parametrize(
    'rate, momentum, low, high',
    [(0.01, 0.9, 2.3226, 2.3248), (0.01, 0.0, 2.3029, 2.3041), (0.001, 0.9, 2.3029, 2.3041)],
)
def test_biases_alone_sit_on_that_plateau(rate, momentum, low, high):
    """The last layer's bias taught by single labels of MNIST's shares: spec 2.3236 to 2.3245, and 2.3034 to 2.3036."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), DIGITS))
    rule = build_optimizer(common.sgd(rate, momentum), 1, 1)

    @jax.jit
    def epoch(carry, labels):
        def step(carry, label):
            bias, state = carry
            loss, gradient = jax.value_and_grad(lambda b: cross_entropy(b[None], label[None], 0.0)[0])(bias)
            updates, state = rule.update(gradient, state, bias)
            return (bias + updates, state), (loss, bias.argmax() == label)

        return jax.lax.scan(step, carry, labels)

    bias = jnp.zeros(10)
    carry, _ = epoch((bias, rule.init(bias)), jnp.asarray(labels))
    _, (losses, right) = epoch(carry, jnp.asarray(np.random.default_rng(1).permutation(labels)))
    assert low < float(losses.mean()) < high
    if momentum and rate == 0.01:
        assert 0.0995 < float(right.mean()) < 0.1065  # the report: 10.05 to 10.68 %


def full_batch(**changes) -> np.ndarray:
    """Losses before each of 15 updates with all examples."""
    config = gradient_descent_mnist.get_config()
    given = {'data.batch_size': 0, 'variants': {}, 'parallel.devices': 1, **changes}
    return lab.steps(common.override(config, given), 15, evaluated=False).logs['loss'][0, :, 0]


def test_full_batches_fall_steadily():
    """On the embedded digits: from about ln 10, down with every update, and hardly anywhere in 15."""
    losses = full_batch(**{'data.source': 'embedded'})
    losses = losses / 1437
    assert losses[0] == pytest.approx(2.30, abs=0.02)
    assert (np.diff(losses) < 0).all() and losses[-1] > 2.0


@pytest.mark.skipif(not REAL.is_dir(), reason='needs MNIST in JAXLAB_DATA_DIR')
@pytest.mark.parametrize('momentum, low, high', [(0.9, 2.16, 2.26), (0.0, 2.275, 2.295)])
def test_full_batches_on_ten_thousand_digits(momentum, low, high):
    """Spec: from 2.30 +- 0.02 into 2.16 to 2.26, every update lower; without momentum to 2.285."""
    losses = full_batch(**{'data.source': 'files', 'data.limit': 10_000, 'optimizer.momentum': momentum}) / 10_000
    assert losses[0] == pytest.approx(2.30, abs=0.02) and low < losses[-1] < high
    assert (np.diff(losses) < 0).all()


# ---- B04 and B06: a small convolutional network ----------------------------------------------------------------------


def test_the_network_of_b04():
    variables = shapes(optimizers_cifar10.get_config(), (32, 32, 3))
    sizes = {name: count(layer) for name, layer in variables['params'].items()}
    assert sizes == {'conv_1': 896, 'conv_2': 18_496, 'dense_1': 524_416, 'dense_2': 1_290}
    assert count(variables) == 545_098


def test_the_start_of_b04():
    """Loss 2.30 +- 0.03 on noise in [-1, 1], whatever the labels."""
    config = optimizers_cifar10.get_config()

    @jax.jit
    def loss(key):
        images = jax.random.uniform(key, (64, 32, 32, 3), minval=-1.0)
        logits = build_model(config.model, classes=10).apply(start(config, (32, 32, 3), key), images, train=False)
        return cross_entropy(logits, jnp.arange(64) % 10, 0.0).mean()

    assert float(loss(jax.random.key(0))) == pytest.approx(2.30, abs=0.03)


def test_updates_of_b04_and_b06():
    """12,500 batches of 4 (62,500 updates); 782 of 64, the last of 16, and 157 to test with."""
    b04, b06 = optimizers_cifar10.get_config(), batchnorm_augmentation_cifar10.get_config()
    few, many = (Feed(50_000, config.data.batch_size, False, True, (0,)) for config in (b04, b06))
    assert few.steps_per_epoch == 12_500 and b04.training.epochs * few.steps_per_epoch == 62_500
    assert many.steps_per_epoch == 782 and b06.training.epochs * many.steps_per_epoch == 7_820
    assert (many.epoch(0)[0, -1] >= 0).sum() == 16
    assert Feed(10_000, 64, False, False, (0,)).steps_per_epoch == 157


def test_the_rules_of_b04():
    """As published: rate 0.001, no momentum in SGD, PyTorch's RMSprop; the tuned ones are the same rules."""
    variants = optimizers_cifar10.get_config().variants
    blocks = {name: variants[f'{name}_as_published'].optimizer.to_dict() for name in ('sgd', 'adam', 'rmsprop')}
    assert all(block['learning_rate'] == 0.001 for block in blocks.values())
    assert blocks['sgd']['momentum'] == 0
    rmsprop = blocks['rmsprop']
    assert (rmsprop['decay'], rmsprop['eps'], rmsprop['eps_mode']) == (0.99, 1e-8, 'outside')
    assert variants.adam.optimizer.to_dict() == blocks['adam'] and variants.rmsprop.optimizer.to_dict() == rmsprop
    assert all('data.batch_size' not in changes for name, changes in variants.items() if not name.endswith('_64'))


def test_the_network_of_b06():
    config = batchnorm_augmentation_cifar10.get_config()
    plain = shapes(config, (32, 32, 3))
    normed = shapes(common.override(config, config.variants.both.to_dict()), (32, 32, 3))
    assert count(plain['params']) == 545_098 and count(normed['params']) == 545_546
    assert count(normed['batch_stats']) == 448


def test_the_two_by_two_table_of_b06():
    """The source changed both factors at once; here each is switched alone."""
    found = batchnorm_augmentation_cifar10.get_config().variants
    variants = {name: set(changes) - {'published'} for name, changes in found.items()}
    assert variants['baseline'] == set() and variants['both'] == variants['batch_norm'] | variants['augmentation']
    assert not variants['batch_norm'] & variants['augmentation']


@pytest.mark.usefixtures('float64')
def test_batch_norm_of_b06_by_hand():
    """Inputs 1, 2, 3, 4 (spec B06): outputs, running mean 0.25 and variance 1.0666667, and 2.5 in evaluation."""
    x = jnp.asarray(np.arange(1.0, 5.0)[:, None])
    expected = [-1.34163542, -0.44721181, 0.44721181, 1.34163542]
    for unbiased, variance in ((True, 1.0666667), (False, 1.025)):  # PyTorch, Flax
        module = BatchNorm(momentum=0.9, epsilon=1e-5, unbiased_variance=unbiased)
        variables = started(module, x, train=False)
        apply = jax.jit(functools.partial(module.apply, train=True, mutable=['batch_stats']))
        y, kept = jax.device_get(apply(variables, x))
        np.testing.assert_allclose(y[:, 0], expected, atol=1e-7)
        assert float(kept['batch_stats']['mean'][0]) == pytest.approx(0.25, abs=1e-7)
        assert float(kept['batch_stats']['var'][0]) == pytest.approx(variance, abs=1e-6)
        if unbiased:
            after = module.apply({**variables, **kept}, jnp.array([[2.5]]), train=False)
            assert float(after[0, 0]) == pytest.approx(2.17854292, abs=2e-7)


def augmented(image: np.ndarray, copies: int) -> np.ndarray:
    """So many versions of one image in [-1, 1], by B06's transforms."""
    transforms = dict(batchnorm_augmentation_cifar10.get_config().variants.augmentation)['data.transforms']
    batch = {
        'image': jnp.broadcast_to(jnp.asarray(image), (copies, *image.shape)),
        'label': jnp.zeros(copies, jnp.int32),
    }
    augment = compose(transforms, Context(-1.0, 1.0), batch)
    return np.asarray(jax.jit(augment)(batch, jax.random.key(0))['image'])


def test_an_image_has_162_versions():
    """A flip or none, 9 x 9 places of the crop."""
    image = np.random.default_rng(0).uniform(-1, 1, (32, 32, 3)).astype(np.float32)
    versions = augmented(image, 4_000)
    seen = {version.tobytes() for version in versions}
    assert len(seen) == 162
    pads = np.pad(image, ((4, 4), (4, 4), (0, 0)), constant_values=-1)
    crops = [pads[i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
    flipped = np.pad(image[:, ::-1], ((4, 4), (4, 4), (0, 0)), constant_values=-1)
    crops += [flipped[i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
    assert {np.ascontiguousarray(crop).tobytes() for crop in crops} == seen


def test_the_border_of_a_crop_is_black():
    """Zero before the normalisation, so -1 after it."""
    versions = augmented(np.ones((32, 32, 3), np.float32), 64)
    assert set(np.unique(versions)) == {-1.0, 1.0}
    assert (versions == 1).any(axis=(1, 2, 3)).all() and (versions == -1).all(axis=-1).sum(axis=(1, 2)).max() > 128
