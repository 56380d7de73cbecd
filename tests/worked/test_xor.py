"""XOR by online backpropagation (A02): the seed-42 run to the last digit, and a thousand starts at once."""

import jax
import numpy as np
import pytest

from jaxlab.worked import network, online
from jaxlab.worked.cases.xor import A02, A02_BY_SEED

pytestmark = pytest.mark.usefixtures('float64')


@pytest.fixture(scope='module')
def run():
    with jax.enable_x64(True):
        return online.train_online(online.legacy_start(42, A02.sizes), A02.inputs, A02.targets, A02.activations)


def test_start_and_first_sample():
    weights = online.legacy_start(42, (2, 2, 1))
    np.testing.assert_allclose(
        weights[0],
        [[-0.2341533747, 0.4967141530, 0.6476885381], [-0.2341369569, -0.1382643012, 1.5230298564]],
        atol=1e-10,
    )
    np.testing.assert_allclose(weights[1], [[-0.4694743859, 1.5792128155, 0.7674347292]], atol=1e-10)
    outputs = network.forward(A02.inputs, weights, A02.activations)[-1].output[0]
    np.testing.assert_allclose(outputs, [0.6380955584, 0.7470135498, 0.6761826926, 0.7754853842], atol=1e-8)
    assert np.mean((outputs - np.array(A02.targets)) ** 2) == pytest.approx(0.2943508288, abs=1e-8)
    after, trace = network.backprop_epoch(weights, A02.inputs, A02.targets, A02.activations, 0.1)
    first = jax.tree.map(lambda values: values[0], trace)
    np.testing.assert_allclose(first.forward[0].output[:, 0], [0.4417276587, 0.4417317074], atol=1e-8)
    # the page's deltas point downhill: (t - a) a (1 - a)
    np.testing.assert_allclose(-first.backward[1].delta.ravel(), [-0.1473551628], atol=1e-8)
    np.testing.assert_allclose(-first.backward[0].delta.ravel(), [-0.0573861014, -0.0278874203], atol=1e-8)
    np.testing.assert_allclose(first.weights[1], [[-0.4842099022, 1.5727037304, 0.7609255844]], atol=1e-8)
    np.testing.assert_allclose(first.weights[0][:, 0], [-0.2398919849, -0.2369256990], atol=1e-8)
    np.testing.assert_array_equal(first.weights[0][:, 1:], weights[0][:, 1:])
    np.testing.assert_allclose(
        after[0], [[-0.2395986623, 0.4951442863, 0.6451932194], [-0.2368511033, -0.1388271755, 1.5217753011]], atol=1e-8
    )
    np.testing.assert_allclose(after[1], [[-0.4855778400, 1.5700922594, 0.7574663382]], atol=1e-8)


def test_converges_in_3283_epochs(run):
    assert run.epochs == 3283 and run.converged
    expected = np.full(3283, 0.5)
    expected[32:53], expected[688:3282], expected[3282] = 0.25, 0.25, 0.0
    np.testing.assert_array_equal(run.errors, expected)
    assert run.mse[0] == pytest.approx(0.2954702912, abs=1e-8)
    np.testing.assert_allclose(
        run.mse[np.array([10, 100, 500, 1000, 2000, 3000, 3283]) - 1],
        [0.2774440109, 0.2546015475, 0.2530243122, 0.2487065917, 0.2121533994, 0.1579484262, 0.1310235042],
        atol=1e-8,
    )
    np.testing.assert_allclose(run.predictions[-1], [0.2009032605, 0.6095534376, 0.7148132672, 0.4999519039], atol=1e-8)
    np.testing.assert_allclose(
        run.weights[0],
        [[-0.9271796532, 4.0050155102, 4.4572840533], [-1.4849739307, 1.0073465358, 1.7419352050]],
        atol=1e-8,
    )
    np.testing.assert_allclose(run.weights[1], [[-2.0555623012, 4.2272894031, -2.8356999011]], atol=1e-8)
    final = network.forward(A02.inputs, run.weights, A02.activations)[-1].output[0]
    np.testing.assert_allclose(final, [0.2008762437, 0.6112014960, 0.7109607245, 0.4895731018], atol=1e-8)
    assert np.mean((final - np.array(A02.targets)) ** 2) == pytest.approx(0.1286852666, abs=1e-8)


def test_grid(run):
    axis = np.linspace(-0.5, 1.5, 200)
    grid = np.stack([values.ravel() for values in np.meshgrid(axis, axis)])
    output = np.asarray(network.forward(grid, run.weights, A02.activations)[-1].output)
    assert (output >= 0.5).sum() == 24_061
    np.testing.assert_allclose([output.min(), output.max()], [0.0984302, 0.7481593], atol=1e-7)


def test_without_the_stop_rule():
    run = online.train_online(online.legacy_start(42, A02.sizes), A02.inputs, A02.targets, A02.activations, stop=False)
    assert run.epochs == 10_000
    final = network.forward(A02.inputs, run.weights, A02.activations)[-1].output[0]
    np.testing.assert_allclose(final, [0.0541714990, 0.9504517031, 0.9500516767, 0.0534442360], atol=1e-8)
    assert np.mean((final - np.array(A02.targets)) ** 2) == pytest.approx(0.0026851766, abs=1e-8)


def test_float32_needs_the_same_epochs():
    with jax.enable_x64(False):
        run = online.train_online(online.legacy_start(42, A02.sizes), A02.inputs, A02.targets, A02.activations)
        assert run.weights[0].dtype == np.float32 and run.epochs == 3283
        np.testing.assert_allclose(
            run.predictions[-1], [0.2009032605, 0.6095534376, 0.7148132672, 0.4999519039], atol=1e-6
        )


def test_a_thousand_starts():
    starts = online.train_starts(online.legacy_starts(range(1000), A02.sizes), A02.inputs, A02.targets, A02.activations)
    epochs, converged = np.asarray(starts.epochs), np.asarray(starts.converged)
    assert abs(converged.sum() - 716) <= 5
    needed = epochs[converged]
    assert np.percentile(needed, [25, 50, 75]) == pytest.approx([2215.5, 3145.5, 4530.75], rel=0.01)
    assert (needed.min(), needed.max()) == (266, 9922)
    hundred = epochs[:100][converged[:100]]
    assert abs(len(hundred) - 77) <= 1
    assert np.percentile(hundred, [25, 50, 75]) == pytest.approx([2320, 3365, 4513], rel=0.01)
    assert (hundred.min(), hundred.max()) == (379, 9337)
    outputs = jax.vmap(lambda *w: network.forward(A02.inputs, w, A02.activations)[-1].output[0])(*starts.weights)
    stuck = np.mean((np.asarray(outputs) - np.array(A02.targets)) ** 2, axis=1)[:100][~converged[:100]]
    np.testing.assert_allclose([stuck.min(), stuck.max()], [0.1275, 0.2497], atol=5e-5)
    assert np.median(stuck) == pytest.approx(0.128, abs=5e-4)
    assert epochs[42] == 3283 and not converged[1]
    for seed, needed in A02_BY_SEED.items():
        assert epochs[seed] == needed
    np.testing.assert_array_equal(epochs[~converged], 10_000)


def test_other_sizes_and_codings_learn():
    rng = np.random.RandomState(0)
    starts = tuple(rng.randn(8, *shape) for shape in ((4, 3), (3, 5), (1, 4)))
    result = online.train_starts(starts, A02.inputs, (-1, 1, 1, -1), ('tanh', 'tanh', 'tanh'), 0.1, 2000, 'bipolar')
    assert int(result.converged.sum()) >= 6
    best = int(np.argmax(result.converged))
    again = online.train_online(
        [w[best] for w in starts], A02.inputs, (-1, 1, 1, -1), ('tanh',) * 3, 0.1, 2000, coding='bipolar'
    )
    assert again.epochs == int(result.epochs[best])
