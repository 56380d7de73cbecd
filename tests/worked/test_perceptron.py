"""The perceptron rule: golden traces of A01, C05, C14, C22, separability, errors."""

import itertools

import jax
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.worked import separability as geometry
from jaxlab.worked.delta_rule import least_squares
from jaxlab.worked.perceptron import cycle, epochs_from_starts, perceptron_epoch, train_perceptron, verdict

BIPOLAR = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], float)
BINARY = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
AND, OR, XOR = (np.array(gate, float) for gate in ((0, 0, 0, 1), (0, 1, 1, 1), (0, 1, 1, 0)))
ZERO = np.zeros(3)


pytestmark = pytest.mark.usefixtures('float64')


def test_a01_trace():
    run = train_perceptron(ZERO, BIPOLAR, [-1, -1, -1, 1], 0.1)
    np.testing.assert_allclose(run.weights, [-0.2, 0.2, 0.2], atol=1e-12)
    np.testing.assert_array_equal(run.errors, [2, 0])
    np.testing.assert_allclose(run.trace.net, [[0, -0.2, -0.2, 0.2], [-0.6, -0.2, -0.2, 0.2]], atol=1e-12)
    assert run.trace.output[0, 0] == 1 and run.trace.error[0, 0] == -2
    np.testing.assert_allclose(run.trace.weights[0], np.tile([-0.2, 0.2, 0.2], (4, 1)), atol=1e-12)
    np.testing.assert_array_equal(run.trace.inputs[0, 1], [1, -1, 1])
    assert verdict(run, BIPOLAR, [-1, -1, -1, 1]) == 'converged in 2 epochs (1 update)'


def test_a01_float32_gives_the_same():
    with jax.enable_x64(False):
        weights, _ = perceptron_epoch(ZERO, BIPOLAR, [-1, -1, -1, 1], 0.1)
        assert weights.dtype == np.float32
        np.testing.assert_allclose(weights, [-0.2, 0.2, 0.2], atol=1e-6)


def test_a01_convention_at_zero_changes_the_trace_not_the_end():
    run = train_perceptron(ZERO, BIPOLAR, [-1, -1, -1, 1], 0.1, fires_at_zero=False, tie=1e-12)
    np.testing.assert_array_equal(run.errors, [2, 4, 0])
    np.testing.assert_allclose(run.weights, [-0.2, 0.2, 0.2], atol=1e-12)


def test_a01_learning_rate_only_scales():
    for rate in (0.01, 1.0):
        run = train_perceptron(ZERO, BIPOLAR, [-1, -1, -1, 1], rate)
        np.testing.assert_allclose(run.weights, np.array([-2, 2, 2]) * rate, atol=1e-12)
        np.testing.assert_array_equal(run.errors, [2, 0])


def test_a01_all_orders():
    counts = {}
    for order in itertools.permutations(range(4)):
        run = train_perceptron(ZERO, BIPOLAR[list(order)], np.array([-1, -1, -1, 1.0])[list(order)], 0.1, tie=1e-12)
        np.testing.assert_allclose(run.weights, [-0.2, 0.2, 0.2], atol=1e-12)
        counts.setdefault(tuple(run.errors), []).append(order)
    assert {errors: len(orders) for errors, orders in counts.items()} == {(2, 0): 8, (6, 0): 12, (4, 2, 0): 4}
    assert all(order[0] == 0 or order[:2] == (3, 0) for order in counts[2, 0])
    assert all(order[0] in (1, 2) for order in counts[6, 0])


def test_a01_boundary_margin_and_bound():
    weights = np.array([-0.2, 0.2, 0.2])
    line = -(weights[0] + weights[1] * np.array([-2, 2])) / weights[2]
    np.testing.assert_allclose(line, [3, -1])
    distances = np.abs(weights[0] + BIPOLAR @ weights[1:]) / np.linalg.norm(weights[1:])
    np.testing.assert_allclose(distances, [2.121320, 0.7071068, 0.7071068, 0.7071068], atol=1e-6)
    assert geometry.distance_to_line(weights, BIPOLAR, [-1, -1, -1, 1]) == pytest.approx(0.7071068, abs=1e-7)
    assert geometry.margin(weights, BIPOLAR) == pytest.approx(0.5773503, abs=1e-7)
    assert geometry.mistake_bound(weights, BIPOLAR) == pytest.approx(9)


def test_a01_least_squares_draws_the_same_line():
    weights, _ = least_squares(BIPOLAR, [-1, -1, -1, 1])
    np.testing.assert_allclose(weights, [-0.5, 0.5, 0.5], atol=1e-12)


def test_a01_xor_never_ends_and_is_said_to_be_inseparable():
    targets = [-1, 1, 1, -1]
    run = train_perceptron(ZERO, BIPOLAR, targets, 0.1, tie=1e-12)
    np.testing.assert_array_equal(run.errors, np.full(20, 8))
    np.testing.assert_allclose(run.weights, 0, atol=1e-12)
    assert verdict(run, BIPOLAR, targets) == 'not converged in 20 epochs: the targets are not linearly separable'


def test_a01_binary_coding_takes_six_epochs():
    run = train_perceptron(ZERO, BINARY, AND, 0.1, coding='binary', tie=1e-12)
    np.testing.assert_array_equal(run.errors, [2, 3, 3, 2, 1, 0])
    np.testing.assert_allclose(run.weights, [-0.3, 0.2, 0.1], atol=1e-12)


C05 = {'learning_rate': 1.0, 'max_epochs': 1000, 'fires_at_zero': False, 'coding': 'binary'}
C05_START = np.array([0.4077147925637835, 0.93321385, 0.37331598])


def test_c05_replay():
    run = train_perceptron(C05_START, BINARY, OR, **C05)
    assert run.epochs == 3 and run.converged
    np.testing.assert_array_equal(run.mistakes, [2, 1, 0])
    np.testing.assert_allclose(run.weights, [-0.5922852074362165, 0.93321385, 1.37331598], atol=1e-8)
    np.testing.assert_allclose(
        run.trace.net,
        [
            [0.4077147926, -0.2189692274, 1.3409286426, 2.7142446226],
            [0.4077147926, 0.7810307726, 0.3409286426, 1.7142446226],
            [-0.5922852074, 0.7810307726, 0.3409286426, 1.7142446226],
        ],
        atol=1e-8,
    )
    np.testing.assert_allclose(
        run.trace.weights[:, :, 0],
        [[-0.5922852074, 0.4077147926, 0.4077147926, 0.4077147926], [-0.5922852074] * 4, [-0.5922852074] * 4],
        atol=1e-8,
    )
    np.testing.assert_allclose(run.trace.weights[0, :2, 2], [0.37331598, 1.37331598], atol=1e-8)
    np.testing.assert_array_equal(run.trace.output[-1], OR)
    assert geometry.distance_to_line(run.weights, BINARY, OR) == pytest.approx(0.2053308355, abs=1e-9)


@pytest.mark.parametrize(
    ('seed', 'bias', 'weights'), [(0, -0.3972366239, [0.5488135039, 0.7151893664]), (42, -0.2680060582, None)]
)
def test_c05_seeds(seed, bias, weights):
    draws = np.random.RandomState(seed).rand(3)  # w first, then b
    run = train_perceptron(draws[[2, 0, 1]], BINARY, OR, **C05)
    assert run.epochs == 2
    assert run.weights[0] == pytest.approx(bias, abs=1e-9)
    if weights:
        np.testing.assert_allclose(run.weights[1:], weights, atol=1e-9)


def test_c05_zero_starts():
    run = train_perceptron(ZERO, BINARY, OR, **C05)
    np.testing.assert_array_equal(run.trace.weights[:, -1], [[1, 0, 1], [1, 1, 1], [0, 1, 1], [0, 1, 1]])
    run = train_perceptron(ZERO, BINARY, AND, **C05)
    assert run.epochs == 6
    np.testing.assert_array_equal(run.weights, [-2, 2, 1])
    assert not train_perceptron(ZERO, BINARY, XOR, **C05).converged


def test_c05_epochs_of_random_starts():
    starts = np.random.RandomState(1).rand(30_000, 3)
    epochs, converged = epochs_from_starts(starts, BINARY, OR, fires_at_zero=False, coding='binary')
    assert bool(converged.all())
    np.testing.assert_allclose([np.mean(epochs == n) for n in (2, 3, 4)], 1 / 3, atol=0.015)
    two = (starts[:, 0] + starts[:, 1] > 1) & (starts[:, 0] + starts[:, 2] > 1)
    four = (starts[:, 0] + starts[:, 1] <= 1) & (starts[:, 0] + starts[:, 2] <= 1)
    np.testing.assert_array_equal(np.asarray(epochs) == 2, two)
    np.testing.assert_array_equal(np.asarray(epochs) == 4, four)
    epochs, _ = epochs_from_starts(starts, BINARY, AND, fires_at_zero=False, coding='binary')
    np.testing.assert_allclose([np.mean(epochs == n) for n in (2, 5, 6, 8)], [1 / 6, 1 / 6, 1 / 2, 1 / 6], atol=0.015)


C14 = {'learning_rate': 1.0, 'max_epochs': 10, 'coding': 'binary'}


def test_c14_and_c22_trace():
    run = train_perceptron(ZERO, BINARY, OR, **C14)
    assert run.epochs == 4 and run.mistakes.sum() == 5
    np.testing.assert_array_equal(run.trace.net, [[0, -1, 0, 1], [0, 0, -1, 2], [0, 0, 0, 1], [-1, 0, 0, 1]])
    np.testing.assert_array_equal(
        run.trace.weights,
        [
            [[-1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]],
            [[-1, 0, 1], [-1, 0, 1], [0, 1, 1], [0, 1, 1]],
            [[-1, 1, 1]] * 4,
            [[-1, 1, 1]] * 4,
        ],
    )
    np.testing.assert_array_equal(
        run.trace.weights_before.reshape(16, 3),
        [
            [0, 0, 0],
            [-1, 0, 0],
            [0, 0, 1],
            [0, 0, 1],
            [0, 0, 1],
            [-1, 0, 1],
            [-1, 0, 1],
            [0, 1, 1],
            [0, 1, 1],
            [-1, 1, 1],
            [-1, 1, 1],
            [-1, 1, 1],
            [-1, 1, 1],
            [-1, 1, 1],
            [-1, 1, 1],
            [-1, 1, 1],
        ],
    )
    np.testing.assert_array_equal(run.trace.output, [[1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1], [0, 1, 1, 1]])
    np.testing.assert_array_equal(run.trace.error, [[-1, 1, 0, 0], [-1, 0, 1, 0], [-1, 0, 0, 0], [0, 0, 0, 0]])
    assert geometry.distance_to_line(run.weights, BINARY, OR) == 0  # saved by the >= rule only


def test_c14_listed_and_targets():
    run = train_perceptron(ZERO, BINARY, AND, **C14)
    assert run.epochs == 6 and run.mistakes.sum() == 11
    np.testing.assert_array_equal(
        run.trace.weights[:, -1], [[0, 1, 1], [-1, 2, 1], [-2, 2, 1], [-2, 2, 2], [-3, 2, 1], [-3, 2, 1]]
    )
    np.testing.assert_array_equal(run.trace.net[-1], [-3, -2, -1, 0])
    np.testing.assert_array_equal(run.trace.output[-1], AND)


@pytest.mark.parametrize(
    ('targets', 'epochs', 'updates', 'weights'),
    [
        ([1, 1, 1, 0], 6, 10, [2, -2, -1]),
        ([1, 0, 0, 0], 4, 4, [0, -1, -1]),
        ([0, 0, 1, 0], 5, 7, [-1, 1, -2]),
        ([0, 1, 0, 0], 2, 3, [-1, -1, 1]),
    ],
)
def test_c14_other_gates(targets, epochs, updates, weights):
    run = train_perceptron(ZERO, BINARY, targets, **C14)
    assert (run.epochs, run.mistakes.sum()) == (epochs, updates)
    np.testing.assert_array_equal(run.weights, weights)


def test_c14_xor_cycles():
    run = train_perceptron(ZERO, BINARY, XOR, **C14)
    assert not run.converged and run.mistakes.sum() == 38
    np.testing.assert_array_equal(run.trace.weights[:, -1], [[-1, -1, 0]] + [[0, -1, 0]] * 9)
    assert cycle(run) == (2, 3) and cycle(train_perceptron(ZERO, BINARY, OR, **C14)) is None


def test_separability_of_all_sixteen_gates():
    for targets in itertools.product((0.0, 1.0), repeat=4):
        answer = geometry.separability(BINARY, targets)
        assert answer.separable == (targets not in ((0, 1, 1, 0), (1, 0, 0, 1)))
        if answer.separable and len(set(targets)) == 2:
            side = geometry.signs(targets) * (answer.weights[0] + BINARY @ answer.weights[1:])
            assert np.all(side > 0) and answer.margin > 0.1


def test_equal_samples_with_different_targets_are_inseparable():
    assert not geometry.separability([[1.0, 2.0], [1.0, 2.0]], [0, 1]).separable


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ((ZERO, BINARY, [-1, 1, 1]), '4 samples but 3 targets'),
        ((np.zeros(5), BINARY, [-1, 1, 1, 1]), '5 weights do not fit samples of 2 numbers'),
        ((ZERO, BINARY, [-1, 1, 2, 1]), 'target 2 is not in the bipolar coding'),
        ((ZERO, [[0, 1], [1]], [1, 1]), 'inputs: rows of different length'),
        ((ZERO, [0, 1], [1, 1]), 'inputs: expected 2 axes'),
    ],
)
def test_bad_shapes_are_one_clear_line(arguments, words):
    with pytest.raises(UserError, match=words) as caught:
        train_perceptron(*arguments)
    assert '\n' not in str(caught.value)
