"""The noise of gradients against the batch size, and update rules on a surface, against numbers worked out elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import common
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.looks.network import descent
from jaxlab.looks.subject import Subject
from jaxlab.optimizers.surfaces import RATES, SURFACES, best_path, descend
from jaxlab.protocol import Record
from tests.training import lab

SGD, MOMENTUM = common.sgd(1.0), common.sgd(1.0, momentum=0.9)


@pytest.fixture(scope='module')
def subject():
    ready = prepare(lab.small(model__batch_norm=False, model__dropout=0.0))
    state = lab.machine(ready.config).init()[0]
    record = Record([state], [], {}, [], {}, jax.random.key(0), start=lambda: state)
    return Subject(ready.task, record, ready.data)


def test_the_noise_is_that_of_the_single_gradients_over_b(subject):
    """sigma^2 / b with sigma^2 from all 64 single gradients; the mean's length exactly."""
    batch, params = subject.batch('train', np.arange(64)), subject.states['untrained'].params

    def loss(params, image, label):
        logits = subject.module.apply({'params': params}, image[None], train=True)[0]
        return -jax.nn.log_softmax(logits)[label]

    each = jax.jit(jax.vmap(jax.grad(loss), (None, 0, 0)))(params, batch['image'], batch['label'])
    flat = np.concatenate([np.asarray(leaf).reshape(64, -1) for leaf in jax.tree.leaves(each)], axis=1)
    sigma_squared = float(((flat - flat.mean(0)) ** 2).sum(1).mean())
    (figure,) = descent.gradient_variance(subject, sizes=(1, 4, 16), batches=400, pool=64)
    sizes, noise = figure.series['untrained']
    np.testing.assert_allclose(noise * sizes, sigma_squared, rtol=0.1)  # 400 batches: 3 % of standard error
    (length,) = {value for label, value in figure.horizontal.items() if 'untrained' in label}
    assert length == pytest.approx(float((flat.mean(0) ** 2).sum()), rel=1e-4)
    assert figure.x_log and figure.y_log and '64 training examples' in figure.note


def test_paths_are_the_golden_traces():
    """Along x the ravine is x^2 / 2 (spec B04, from -4), along y it is 50 y^2: y shrinks by 1 - 100 rate."""
    traces = {
        0.001: (SGD, [0.999, 0.998001, 0.997002999, 0.996005996, 0.995009990]),
        0.01: (MOMENTUM, [0.99, 0.9711, 0.944379, 0.91088631, 0.871634026]),
    }
    for rate, (block, trace) in traces.items():
        points, heights = descend(block, SURFACES['ravine'], 5, [rate])
        np.testing.assert_allclose(points[0, 1:, 0], -4 * np.asarray(trace), rtol=1e-6)
        np.testing.assert_allclose(heights, (points[..., 0] ** 2 + 100 * points[..., 1] ** 2) / 2, rtol=1e-5)
    points, _ = descend(SGD, SURFACES['ravine'], 5, [0.001])
    np.testing.assert_allclose(points[0, :, 1], 0.8 * 0.9 ** np.arange(6), rtol=1e-5)


def test_the_first_step_of_rmsprop_is_ten_rates_long():
    """1 / sqrt(1 - 0.99): nothing corrects the average that starts at zero; Adam's first step is one rate long."""
    for block, length in ((common.Config({'name': 'rmsprop', 'learning_rate': 1.0}), 0.1), (common.adam(1.0), 0.01)):
        points, _ = descend(block, SURFACES['beale'], 1, [0.01])
        np.testing.assert_allclose(np.abs(points[0, 1] - points[0, 0]), length, rtol=1e-3)


@pytest.mark.parametrize('name', SURFACES)
def test_the_minimum_is_one(name):
    surface = SURFACES[name]
    point = jnp.asarray(surface.minimum)
    assert float(surface.height(point)) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(jax.grad(surface.height)(point), 0, atol=1e-5)
    low, high = np.asarray(surface.ranges).T
    assert all((low < place).all() and (place < high).all() for place in np.asarray([surface.start, surface.minimum]))


def test_the_best_rate_is_the_one_that_ends_lowest():
    """On the ravine plain SGD diverges above 2 / 100; momentum gets far deeper in as many steps."""
    plain, heavy = (best_path(block, SURFACES['ravine'], 100) for block in (SGD, MOMENTUM))
    assert plain.rate in RATES and 0.005 < plain.rate < 0.02 and heavy.heights[-1] < plain.heights[-1] / 100
    assert plain.points.shape == (101, 2) and plain.heights[0] == heavy.heights[0] == pytest.approx(40)
    others = [float(descend(SGD, SURFACES['ravine'], 100, [rate])[1][0, -1]) for rate in RATES[::6]]
    assert plain.heights[-1] <= np.nanmin(others)


def test_the_figures_name_each_rule_with_its_rate(subject):
    rules = (('SGD', SGD.to_dict()), ('momentum', MOMENTUM.to_dict()))
    figures = descent.optimizer_paths(subject, rules=rules, surfaces=('beale',), steps=60)
    assert [figure.name for figure in figures] == ['optimizer_paths_beale', 'optimizer_heights_beale']
    best = best_path(SGD, SURFACES['beale'], 60)
    assert list(figures[0].lines)[0] == f'SGD (rate {best.rate:.2g})'
    assert [
        label.split(' (')[0] for label in descent.optimizer_paths(subject, surfaces=('ravine',), steps=2)[0].lines
    ] == ['SGD', 'momentum 0.9', 'RMSprop', 'Adam']
    assert all(path.shape == (61, 2) and tuple(path[0]) == (1.0, 1.5) for path in figures[0].lines.values())


def test_what_is_refused(subject):
    with pytest.raises(UserError, match="rules = .*valid: pairs \\('label'"):
        descent.optimizer_paths(subject, rules=('SGD',))
    with pytest.raises(UserError, match="surface.*'beele'.*did you mean 'beale'"):
        descent.optimizer_paths(subject, rules=(('SGD', SGD),), surfaces=('beele',))
