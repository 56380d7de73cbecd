"""Early stopping: the log that B07 printed, and what holds for every sequence of values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxlab.measures.stopping import stops_after, waiting
from jaxlab.training import control
from tests.training import lab

PRINTED = [0.5534, 0.5651, 0.5434, 0.5869, 0.6775, 0.7045, 0.7518, 0.7873]
numbers = st.lists(st.floats(-10, 10), min_size=1, max_size=20)


def test_the_printed_losses_of_b07():
    """Saves at epochs 1 and 3, counters 0 1 0 1 2 3 4 5, stop after epoch 8; best 0.5434 of epoch 3."""
    log = waiting(PRINTED)
    assert [one.waited for one in log] == [0, 1, 0, 1, 2, 3, 4, 5]
    assert [epoch for epoch, one in enumerate(log, 1) if one.improved] == [1, 3]
    assert (log[-1].best, log[-1].at + 1) == (0.5434, 3)
    assert stops_after([*PRINTED, 0.1], patience=5) == 7
    assert [stops_after(PRINTED, patience) for patience in (0, 1, 2, 3, 4, 6)] == [None, 1, 4, 5, 6, None]


def test_the_engine_decides_by_it():
    config = lab.small(training__best_metric='validation_loss', training__patience=5)
    history = [{'epoch': epoch, 'validation_loss': [loss]} for epoch, loss in enumerate(PRINTED, 1)]
    reasons = [control.reason_to_stop(config.training, history[:count]) for count in range(1, 9)]
    assert reasons[:7] == [None] * 7
    assert reasons[7]['epoch'] == 8 and reasons[7]['best_epoch'] == 3 and '0.5434 (epoch 3)' in reasons[7]['reason']


@pytest.mark.parametrize('min_delta, waited', [(0.0, [0, 1, 0, 0]), (0.15, [0, 1, 2, 0]), (0.5, [0, 1, 2, 3])])
def test_min_delta_is_what_counts_as_better(min_delta, waited):
    """An equal value never is; losses 1, 1, 0.9, 0.8."""
    assert [one.waited for one in waiting([1.0, 1.0, 0.9, 0.8], min_delta=min_delta)] == waited


def test_a_value_that_is_not_a_number_is_not_better():
    log = waiting([math.nan, 0.5, math.nan, 0.4])
    assert [one.waited for one in log] == [1, 0, 1, 0] and log[2].best == 0.5


@given(numbers)
def test_the_best_is_the_first_of_the_smallest(values):
    last = waiting(values)[-1]
    assert (
        last.best == min(values) and last.at == values.index(min(values)) and last.waited == len(values) - 1 - last.at
    )


@given(numbers)
def test_less_and_more_mirror_each_other(values):
    mirrored = waiting([-value for value in values], 'max')
    assert [(one.at, one.waited) for one in waiting(values)] == [(one.at, one.waited) for one in mirrored]


@given(numbers, st.integers(1, 5))
def test_more_patience_never_stops_earlier(values, patience):
    sooner, later = stops_after(values, patience), stops_after(values, patience + 1)
    assert later is None or (sooner is not None and sooner < later)
