"""Batches of sequences are cut to one of a few lengths: the same results, every sequence once, less padding."""

import itertools

import numpy as np
import pytest

from jaxlab.data import buckets
from jaxlab.errors import UserError
from jaxlab.protocol import ALL
from jaxlab.training.batches import Layout
from jaxlab.training.feeding import Feed
from jaxlab.training.loop import Interrupted
from tests.training import lab, ragged

LENGTHS = ragged.sequences(0, 100, 20)['length']
FORMS = {
    'unrolled': {'replicas': 2},
    'vmap': {'replicas': 2, 'replica_form': 'vmap'},
    'mesh': {'parallel__devices': 4},
    'pmap': {'parallel__devices': 4, 'parallel__mode': 'pmap'},
}


@pytest.fixture(autouse=True, scope='module')
def known():
    """The data set and the task are in their tables."""
    with lab.in_tables('ragged', ragged.read, 'reading', 'tests.training.ragged:Reading'):
        yield


def whole(**changes):
    """A machine with the order of buckets that cuts nothing."""
    machine = lab.machine(ragged.config(**changes))
    object.__setattr__(machine.programs, 'layout', Layout())
    return machine


def steps(machine, epochs=2):
    state, logs = machine.placement.state(machine.init()), []
    for epoch in range(epochs):
        rows = machine.placement.split(machine.feed.epoch(epoch), axis=2)
        count = machine.feed.steps_per_epoch
        state, log, _ = machine.train(state, machine.resident, rows, 0, count, epoch * count)
        logs.append(log)
    found = machine.evaluate(state, 'test', keep=ALL)
    return machine.host_state(state), logs, found


@pytest.mark.parametrize('count', [1, 2, 3, 5, 30])
def test_bounds_leave_the_least_padding(count):
    """Against all choices of ends."""
    lengths = np.array([1, 1, 2, 2, 2, 3, 5, 8, 8, 9, 30, 31])
    values = np.unique(lengths).tolist()
    found = buckets.bounds(lengths, count).tolist()

    def cells(ends):
        return sum(min(end for end in ends if end >= length) for length in lengths.tolist())

    choices = [(*few, 31) for few in itertools.combinations(values[:-1], min(count, len(values)) - 1)]
    assert found == sorted(set(found)) and len(found) <= count and found[-1] == 31
    assert cells(found) == min(map(cells, choices))
    assert count < 30 or cells(found) == lengths.sum()


def test_bounds_of_very_many_lengths():
    """Some of them are not looked at; the longest is always held."""
    found = buckets.bounds(np.arange(1, 5001), 4)
    assert found[-1] == 5000 and len(found) == 4 and np.abs(found - [1250, 2500, 3750, 5000]).max() < 10


def test_shapes_of_two_fields():
    """The sum is bounded; each field is cut to its longest in the bucket, the last is as wide as the arrays."""
    lengths = {'source': np.array([1, 2, 9, 10]), 'target': np.array([2, 1, 11, 8])}
    shapes = buckets.shapes(lengths, {'source': 12, 'target': 16}, 2)
    assert shapes == ({'source': 2, 'target': 2}, {'source': 12, 'target': 16})
    assert buckets.numbers(lengths, shapes).tolist() == [0, 0, 1, 1]
    assert buckets.numbers({'source': np.array([1]), 'target': np.array([3])}, shapes).tolist() == [1]


def test_an_epoch_sees_each_once_in_mixed_batches_of_one_length():
    numbers = np.digitize(LENGTHS, buckets.bounds(LENGTHS, 4)[:-1], right=True)
    feed = Feed(100, 8, False, True, (0, 1), buckets=numbers)
    seen = [feed.epoch(epoch) for epoch in range(3)]
    for block in seen:
        assert block.shape == (2, 13, 8) and all(sorted(one[one >= 0]) == list(range(100)) for one in block)
        for one in block:
            kinds = [set(numbers[rows].tolist()) for rows in one[:-1]]
            assert sum(len(kind) > 1 for kind in kinds) <= 3 and (one[-1, 4:] == -1).all()
            longest = [max(kind) for kind in kinds]
            assert longest != sorted(longest)  # mixed, not from short to long
    np.testing.assert_array_equal(seen[1], Feed(100, 8, False, True, (0, 1), buckets=numbers).epoch(1))
    np.testing.assert_array_equal(seen[1][1], Feed(100, 8, False, True, (1,), buckets=numbers).epoch(1)[0])
    one, other = ([set(rows.tolist()) for rows in block[0]] for block in seen[:2])
    assert not any(batch in other for batch in one)  # partners change
    widest = numbers[np.maximum(seen[0][:, :-1], 0)].max(axis=2)
    assert (widest[0] == widest[1]).mean() > 0.7  # two seeds: the same lengths at the same time, but for the borders
    assert Feed(100, 8, True, True, (0,), buckets=numbers).epoch(0).shape == (1, 12, 8)


@pytest.mark.parametrize('count, batch', [(1, 8), (4, 0), (4, 100), (4, 1)])
def test_an_epoch_of_one_length_or_of_one_batch(count, batch):
    machine = lab.machine(ragged.config(data__buckets=count, data__batch_size=batch))
    rows = machine.feed.epoch(3)
    assert sorted(rows[rows >= 0]) == list(range(100)) and rows.shape[1] == -(-100 // (batch or 100))


def test_a_dropped_remainder_is_of_all_lengths():
    """What is left out is chosen before the lengths are looked at: no sequence is left out in every epoch."""
    feed = Feed(100, 8, True, True, (0,), buckets=np.repeat([0, 1], 50))
    left = [set(range(100)) - set(feed.epoch(epoch).ravel().tolist()) for epoch in range(30)]
    assert all(len(rows) == 4 for rows in left) and 0.3 < np.mean([row >= 50 for rows in left for row in rows]) < 0.7


def test_losses_and_outputs_are_those_of_full_padding(float64):
    """The same rows in the same order, cut and not cut: losses, weights and outputs; dropout draws alike."""
    changes = {'task__recurrent': True, 'data__buckets': 2}
    state, logs, found = steps(lab.machine(ragged.config(**changes)))
    other, full, expected = steps(whole(**changes))
    lab.close(state, other, 1e-6)
    lab.close([log['loss'] for log in logs], [log['loss'] for log in full], 1e-6)
    lab.close(found.outputs, expected.outputs, 1e-6)
    assert found.metrics['loss'][0] == pytest.approx(expected.metrics['loss'][0], rel=1e-6)
    assert {*full[0]['width'][0, :, 0]} == {24 * 8, 24 * 4}


def test_the_smallest_length_that_holds_the_batch_is_computed(monkeypatch):
    """Of every update and every batch of an evaluation; at least half of the padding is gone. Each length is traced once."""
    traced, step = [], ragged.Reading.train_step
    monkeypatch.setattr(ragged.Reading, 'train_step', lambda *a: traced.append(a[2]['text'].shape[1]) or step(*a))
    machine = lab.machine(ragged.config())
    shapes = [shape['text'] for shape in machine.layout.shapes]
    assert len(shapes) == 4 and shapes[-1] == ragged.WIDTH and shapes == sorted(shapes)
    _, logs, found = steps(machine)
    assert sorted(traced) == shapes
    for epoch, log in enumerate(logs):
        rows = machine.feed.epoch(epoch)[0]
        longest = np.where(rows >= 0, LENGTHS[rows], 0).max(axis=1)
        expected = [min(shape for shape in shapes if shape >= length) for length in longest]
        assert (log['width'][0, :, 0] / log['width'][0, :, 1]).tolist() == expected
        assert log['width'][0, :, 0].sum() - LENGTHS.sum() < 0.5 * (100 * ragged.WIDTH - LENGTHS.sum())
    assert found.metrics['width'][0] < 0.7 * ragged.WIDTH


@pytest.mark.parametrize('size', [7, 50])
def test_output_i_belongs_to_example_i(size):
    """Whatever the batch size is; outputs of single tokens are as long as ever."""
    machine = lab.machine(ragged.config(data__eval_batch_size=size))
    found = machine.evaluate(machine.placement.state(machine.init()), 'test', keep=ALL)
    test = machine.data.splits['test'].arrays
    np.testing.assert_array_equal(found.outputs[0]['length'], test['length'])
    np.testing.assert_array_equal(found.outputs[0]['tokens'], np.where(test['text'] > 0, test['text'] + 0.5, 0))
    assert test['length'].max() > LENGTHS.max()


@pytest.fixture(scope='module')
def alone(known):
    return steps(lab.machine(ragged.config(data__buckets=2)), 1)


@pytest.mark.parametrize('form', FORMS)
def test_replicas_and_devices(form, alone):
    """All take the same length; the first replica is the run alone."""
    machine = lab.machine(ragged.config(**FORMS[form], data__buckets=2))
    state, logs, found = steps(machine, 1)
    lab.close(machine.replica(state, 0), alone[0][0], 1e-5)
    lab.close([log['loss'][0] for log in logs], [log['loss'][0] for log in alone[1]], 1e-5)
    lab.close(found.outputs[0], alone[2].outputs[0], 1e-5)


def test_interrupted_equals_uninterrupted(tmp_path):
    """Whatever the calls are."""
    config = ragged.config(training__steps_per_call=3, data__buckets=2)
    with pytest.raises(Interrupted):
        lab.train(config, tmp_path / 'parts', lab.Listener(stop_at=5))
    parts, one = lab.train(config, tmp_path / 'parts'), lab.train(ragged.config(data__buckets=2), tmp_path / 'one')
    assert parts.facts['params_digest'] == one.facts['params_digest'] and one.facts['steps'] == 26
    assert parts.record.history[-1]['train_loss'] == one.record.history[-1]['train_loss']


def test_what_is_refused():
    with pytest.raises(UserError, match=r'data.buckets = 4 needs one set of sequences .* valid for mnist: 0'):
        lab.machine(lab.small(data__buckets=4))
    with pytest.raises(UserError, match='valid with data.shuffle=False: 0'):
        lab.machine(ragged.config(data__shuffle=False))
