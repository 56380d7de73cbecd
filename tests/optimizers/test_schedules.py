"""Schedules against their closed forms and against PyTorch's schedulers."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.optimizers import SCHEDULES, Plateau, reduce_on_plateau
from jaxlab.optimizers.schedules import OPTIONS, build_schedule

pytestmark = pytest.mark.usefixtures('float64')
PER_EPOCH, TOTAL = 5, 60


def values(name, warmup=0, **options):
    schedule = build_schedule(name, options, warmup, PER_EPOCH, TOTAL)
    return np.asarray(jax.vmap(schedule)(jnp.arange(TOTAL, dtype=jnp.int32)))


def test_tables_name_the_same_schedules():
    assert set(SCHEDULES) == set(OPTIONS)


def test_constant_needs_no_schedule():
    assert build_schedule('constant', {}, 0, PER_EPOCH, TOTAL) is None


def test_warmup():
    expected = np.minimum(1, (np.arange(TOTAL) + 1) / 8)
    np.testing.assert_allclose(values('constant', 8), expected)


def test_step_in_epochs_and_in_steps():
    t = np.arange(TOTAL)
    np.testing.assert_allclose(values('step', decay_rate=0.5, every=2), 0.5 ** (t // 10))
    np.testing.assert_allclose(values('step', decay_rate=0.5, every=7, unit='steps'), 0.5 ** (t // 7))


def test_exponential():
    np.testing.assert_allclose(values('exponential', decay_rate=0.9), 0.9 ** (np.arange(TOTAL) / 5), rtol=1e-12)


def test_cosine_with_warmup_and_floor():
    t = np.arange(TOTAL)
    x = np.clip((t - 10) / 50, 0, 1)
    expected = np.minimum(1, (t + 1) / 10) * (0.1 + 0.9 * (1 + np.cos(np.pi * x)) / 2)
    np.testing.assert_allclose(values('cosine', 10, floor=0.1), expected, rtol=1e-12)


def test_linear_reaches_its_floor_and_can_wait():
    """CycleGAN: constant for half of the epochs, then down to 0."""
    t = np.arange(TOTAL)
    np.testing.assert_allclose(values('linear', floor=0.2), 1 - 0.8 * t / 60, rtol=1e-12)
    expected = np.where(t < 30, 1, (60 - t) / 30)
    np.testing.assert_allclose(values('linear', start=6), expected, rtol=1e-12)
    np.testing.assert_allclose(values('linear', end=6)[30:], 0)


def test_linear_in_stairs_is_that_of_cyclegan():
    """200 epochs of 7 steps from 2e-4: 1 - max(0, e - 100) / 101, the same all through an epoch."""
    schedule = build_schedule('linear', {'start': 100, 'end': 201, 'held': 1}, 0, 7, 1400)
    for epoch, rate in ((0, 2e-4), (99, 2e-4), (100, 2e-4), (101, 1.980198e-4), (150, 1.009901e-4), (200, 1.980198e-6)):
        for step in (0, 3, 6):
            assert 2e-4 * float(schedule(jnp.int32(7 * epoch + step))) == pytest.approx(rate, rel=1e-6)
    with pytest.raises(UserError, match="'linear': 'held' must be a time from 0, got -5"):
        build_schedule('linear', {'held': -1}, 0, 5, 60)


def test_rsqrt_is_the_transformers_schedule():
    """d^-0.5 min(n^-0.5, n w^-1.5), n from 1, up to its constant (arXiv 1706.03762, equation 3)."""
    n = np.arange(1, TOTAL + 1)
    expected = np.minimum(n**-0.5, n * 12**-1.5) / 12**-0.5
    np.testing.assert_allclose(values('rsqrt', 12), expected, rtol=1e-12)
    np.testing.assert_allclose(values('rsqrt', timescale=2), np.sqrt(10 / np.maximum(n, 10)), rtol=1e-12)


def test_piecewise():
    t = np.arange(TOTAL)
    passed = (t >= 20).astype(int) + (t >= 40)
    np.testing.assert_allclose(values('piecewise', boundaries=(4, 8), decay_rate=0.1), 0.1**passed)
    factors = (1.0, 0.3, 0.7)
    np.testing.assert_allclose(values('piecewise', boundaries=(4, 8), factors=factors), np.array(factors)[passed])


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'decay_rate': 0.1}, "'boundaries' is missing"),
        ({'boundaries': (1,)}, "one of 'decay_rate' and 'factors'"),
        ({'boundaries': (1, 2), 'factors': (1, 2)}, 'one more'),
        ({'boundaries': (2, 1), 'decay_rate': 0.1}, 'must rise'),
    ],
)
def test_wrong_piecewise(options, words):
    with pytest.raises(UserError, match=words):
        values('piecewise', **options)


@pytest.mark.parity
@pytest.mark.parametrize(
    ('name', 'options', 'scheduler', 'arguments'),
    [
        ('step', {'decay_rate': 0.3, 'every': 7}, 'StepLR', {'step_size': 7, 'gamma': 0.3}),
        ('exponential', {'decay_rate': 0.95}, 'ExponentialLR', {'gamma': 0.95}),
        ('cosine', {}, 'CosineAnnealingLR', {'T_max': TOTAL}),
        ('linear', {'floor': 0.1}, 'LinearLR', {'start_factor': 1.0, 'end_factor': 0.1, 'total_iters': TOTAL}),
        ('piecewise', {'boundaries': (9, 30), 'decay_rate': 0.2}, 'MultiStepLR', {'milestones': [9, 30], 'gamma': 0.2}),
    ],
)
def test_equals_torch(name, options, scheduler, arguments):
    torch = pytest.importorskip('torch')
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = getattr(torch.optim.lr_scheduler, scheduler)(optimizer, **arguments)
    expected = []
    for _ in range(TOTAL):
        expected.append(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()
    np.testing.assert_allclose(values(name, unit='steps', **options), expected, rtol=1e-9, atol=1e-12)


def plateau(losses, **options):
    state, scales = Plateau.from_block({'metric': 'validation_loss'} | options), []
    for loss in losses:
        state = reduce_on_plateau(state, loss)
        scales.append(state.scale)
    return state, scales


def test_plateau_counts_patience():
    _, scales = plateau([1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5], factor=0.5, patience=2)
    assert scales == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_plateau_of_an_accuracy_with_a_floor_and_nan():
    state, scales = plateau(
        [math.nan, 0.5, math.nan, 0.4, 0.6, 0.1, 0.1], factor=0.1, patience=0, mode='max', min_scale=0.05
    )
    assert scales == pytest.approx([1, 1, 0.1, 0.05, 0.05, 0.05, 0.05])
    assert state.best == 0.6


def test_plateau_survives_json():
    import json

    state, _ = plateau([1.0, 0.9, 0.95, 0.95], factor=0.5, patience=1)
    assert Plateau.from_block(json.loads(json.dumps(state.as_json()))) == state


@pytest.mark.parametrize(
    ('block', 'words'),
    [
        ({'metric': 'x', 'patienc': 1}, "did you mean 'patience'"),
        ({'factor': 0.5}, 'metric is missing'),
        ({'metric': 'x', 'factor': 2.0}, 'below 1'),
        ({'metric': 'x', 'mode': 'minimum'}, "did you mean 'min'"),
    ],
)
def test_wrong_plateau(block, words):
    with pytest.raises(UserError, match=words):
        Plateau.from_block(block)


@pytest.mark.parity
def test_plateau_equals_torch():
    torch = pytest.importorskip('torch')
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=3, threshold=0.01, threshold_mode='abs', min_lr=0.1
    )
    losses, expected = np.random.default_rng(0).normal(size=80) ** 2 + 1, []
    for loss in losses:
        optimizer.step()
        reference.step(loss)
        expected.append(optimizer.param_groups[0]['lr'])
    found = plateau(losses, factor=0.5, patience=3, min_delta=0.01, min_scale=0.1)[1]
    assert found == pytest.approx(expected)
