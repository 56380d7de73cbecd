"""How a split is measured: every batch with a key of its own, one program for equal shapes, no copy too many."""

import dataclasses
import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.data.examples import Split
from jaxlab.experiments.prepare import prepare
from jaxlab.measures.sums import sums
from jaxlab.models.recurrent import SequenceModel
from jaxlab.models.transformer import TransformerClassifier
from jaxlab.protocol import ALL
from jaxlab.report import statistics, summary
from jaxlab.tasks.classification.step import Classification
from jaxlab.training import machine as engine
from jaxlab.training import model_table
from jaxlab.training.programs import EVALUATE, key_for
from tests.training import lab

HELD_OUT = {'data__validation_fraction': 0.1, 'data__eval_limit': 48}


class Drawing(Classification):
    """Measures a random number of each batch, and counts two of something an example."""

    def eval_step(self, state, batch, key):
        weight = batch['weight']
        drawn = jnp.full(weight.shape, jax.random.uniform(key))
        return {**sums(weight, drawn=drawn), 'accuracy': (weight.sum(), 2 * weight.sum())}, {'drawn': drawn}


def machine_of(config, kind=Drawing, streamed=False):
    ready = prepare(config)
    task = kind(**{field.name: getattr(ready.task, field.name) for field in dataclasses.fields(ready.task)})
    data = ready.data
    if streamed:
        splits = {
            name: Split(part.size, None, np.arange(part.size), lambda rows, part=part: part.read(rows))
            for name, part in data.splits.items()
        }
        data = dataclasses.replace(data, splits=splits)
    return engine.Machine(ready.config, task, data)


class Confusing(Classification):
    """Adds a matrix of confusions up over batches; its score is taken from that, or from the kept classes."""

    scored = ('called',)

    def eval_step(self, state, batch, key):
        logits = self.model.apply(state['model'].variables(), *self.inputs(batch), train=False)
        called = logits.argmax(-1)
        cells = jnp.zeros((10, 10)).at[batch['label'], called].add(batch['weight'])
        return {**sums(batch['weight'], loss=logits[:, 0]), 'cells': (cells, jnp.ones(()))}, {
            'called': called,
            'logits': logits,
        }

    def score(self, totals, outputs, part):
        assert set(totals) == {'cells'} and set(outputs) == {'called'}
        right = np.mean(outputs['called'] == part.arrays['label'])
        return {'from_totals': np.trace(totals['cells']) / totals['cells'].sum(), 'from_outputs': float(right)}


@pytest.mark.parametrize('batch', [5, 12, 48])
@pytest.mark.parametrize('keep', [0, 7, ALL])
def test_totals_and_outputs_do_not_depend_on_batches(batch, keep, monkeypatch):
    """47 examples: the two ways to the same number agree, and of the outputs only what was asked for comes back."""
    monkeypatch.setattr(engine, 'EVALUATED', 12)
    found = machine_of(lab.small(data__eval_limit=47, data__eval_batch_size=batch), kind=Confusing)
    result = found.evaluate(found.placement.state(found.init()), 'test', keep=keep)
    whole = found.evaluate(found.placement.state(found.init()), 'test', keep=ALL).outputs[0]
    assert result.metrics['from_totals'] == pytest.approx(result.metrics['from_outputs'])
    assert result.metrics['from_outputs'][0] == np.mean(whole['called'] == found.data.splits['test'].arrays['label'])
    assert set(result.counts) == {'loss'}
    kept = result.outputs[0]
    assert {name: len(each) for name, each in kept.items()} == (
        {'called': min(keep, 47), 'logits': min(keep, 47)} if keep else {}
    )
    for name, each in kept.items():
        np.testing.assert_array_equal(each, whole[name][:keep])
        assert each.base is None or len(each) == 47  # seven examples do not hold the memory of all


@pytest.mark.parametrize('streamed', [False, True])
@pytest.mark.parametrize('limit', [24, 1024])
def test_every_batch_has_its_own_key(streamed, limit, monkeypatch):
    """48 examples in batches of 12: four different draws, whether they come in one call or in four, from memory or not."""
    monkeypatch.setattr(engine, 'EVALUATED', limit)
    found = machine_of(lab.small(data__eval_limit=48, data__eval_batch_size=12), streamed=streamed)
    state = found.placement.state(found.init())
    drawn = found.evaluate(state, 'test', keep=ALL).outputs[0]['drawn'].reshape(4, 12)
    assert len(np.unique(drawn[:, 0])) == 4 and (drawn == drawn[:, :1]).all()
    expected = [float(jax.random.uniform(key_for(jnp.uint32(0), EVALUATE, jnp.int32(batch)))) for batch in range(4)]
    np.testing.assert_allclose(drawn[:, 0], expected, rtol=1e-6)


def test_one_program_serves_splits_of_equal_shapes(monkeypatch):
    """Validation and test, measured twice each: one compilation; the training split is another shape."""
    found = lab.machine(lab.small(**HELD_OUT, data__limit=480, data__eval_batch_size=24))
    assert found.data.splits['validation'].size == found.data.splits['test'].size == 48
    compiled = []
    compile_it = type(found.placement).compile
    monkeypatch.setattr(type(found.placement), 'compile', lambda *a, **k: compiled.append(1) or compile_it(*a, **k))
    state = found.placement.state(found.init())
    for split in ('validation', 'test') * 2:
        found.evaluate(state, split)
    assert len(compiled) == 1
    found.evaluate(state, 'train')
    assert len(compiled) == 2


@pytest.mark.parametrize('small, programs', [(engine.SMALL, 1), (0, 2)])
def test_a_second_program_only_where_outputs_are_large(small, programs, monkeypatch):
    """Measured in training, reported, measured again: large outputs come back only when they are asked for."""
    monkeypatch.setattr(engine, 'SMALL', small)
    found = machine_of(lab.small(data__eval_limit=48, data__eval_batch_size=24), kind=Confusing)
    compiled, back = [], []
    place = type(found.placement)
    compile_it, host_split = place.compile, place.host_split
    monkeypatch.setattr(place, 'compile', lambda *a, **k: compiled.append(1) or compile_it(*a, **k))
    monkeypatch.setattr(place, 'host_split', lambda *a, **k: back.append(set(a[1])) or host_split(*a, **k))
    state = found.placement.state(found.init())
    first, shown, again = (found.evaluate(state, 'test', keep=keep) for keep in (0, 7, 0))
    assert len(compiled) == programs
    assert back == [{'called', 'logits'}] * 2 + [{'called', 'logits'} if programs == 1 else {'called'}]
    assert first.metrics == shown.metrics == again.metrics and first.outputs == again.outputs == [{}]


def test_the_training_split_lies_on_the_device_once(monkeypatch):
    """Trained on and measured, and the splits themselves measured twice: one transfer each."""
    found = lab.machine(lab.small())
    moved = []
    whole = type(found.placement).whole
    monkeypatch.setattr(
        type(found.placement),
        'whole',
        lambda self, tree: (moved.append(1) if isinstance(tree, dict) else None, whole(self, tree))[1],
    )
    state = found.placement.state(found.init())
    rows = found.placement.split(found.feed.epoch(0), axis=2)
    state, _, _ = found.train(state, found.resident, rows, 0, 1, 0)
    for split in ('train', 'test', 'train', 'test'):
        found.evaluate(state, split)
    assert len(moved) == 2


def test_a_machine_that_is_done_is_forgotten():
    """Nothing global keeps its arrays and programs."""
    found = lab.machine(lab.small(data__limit=48))
    found.evaluate(found.placement.state(found.init()), 'test')
    gone = weakref.ref(found)
    del found
    gc.collect()
    assert gone() is None


def test_signals_are_heard_between_the_calls(monkeypatch):
    """48 examples, 12 a call: four looks, and the second one ends it."""
    monkeypatch.setattr(engine, 'EVALUATED', 12)
    found = lab.machine(lab.small(data__eval_limit=48, data__eval_batch_size=12))
    state, looks = found.placement.state(found.init()), []
    found.evaluate(state, 'test', heard=lambda: looks.append(1))
    assert len(looks) == 4

    def second() -> None:
        looks.append(1)
        if len(looks) == 6:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        found.evaluate(state, 'test', heard=second)
    assert len(looks) == 6


@pytest.mark.parametrize(
    'batches, size, calls', [(10, 1000, 1), (10, 100, 10), (12, 256, 4), (7, 512, 1), (1, 5000, 1)]
)
def test_batches_a_call(batches, size, calls):
    """As many as 1,024 examples, or one batch; always a divisor."""
    assert engine.batches_a_call(batches, size) == calls


def test_an_accuracy_counts_what_its_task_counts(tmp_path):
    """Two of something an example: Wilson's interval is that of twice as many."""
    found = machine_of(lab.small(data__eval_limit=48)).evaluate
    machine = found.__self__
    counted = found(machine.placement.state(machine.init()), 'test').counts
    assert counted == {'drawn': 48.0, 'accuracy': 96.0}
    results = {'metrics': {'test_accuracy': {'values': [0.5]}}, 'data': {'examples': {'test': 48}}}
    assert summary.interval_of('test_accuracy', results) == statistics.wilson(24, 48)  # a run of before: examples
    results['counts'] = {'test_accuracy': 96.0}
    assert summary.interval_of('test_accuracy', results) == statistics.wilson(48, 96)
    results['counts'] = {'test_loss': 48.0}
    assert summary.interval_of('test_accuracy', results) is None  # nobody says what was counted
    facts = lab.train(lab.small(), tmp_path).facts
    assert facts['counts'] == {'test_loss': 50.0, 'test_accuracy': 50.0}


def test_multiply_adds_of_recurrent_cells_and_attention():
    """By hand: an LSTM reads 7 steps of 32 numbers into 5 units, 4 gates; attention multiplies [8, 128] by [128, 8] and back."""
    model = SequenceModel(4, 'lstm', (5,), vocabulary=9, init_scheme='torch')
    found = {row['path']: row for row in model_table.rows(model, jax.ShapeDtypeStruct((1, 7), jnp.int32))}
    assert found['recurrent/lstm_0']['multiply_adds'] == 7 * (32 * 20 + 5 * 20)
    model = TransformerClassifier(10, vocabulary=100, max_length=8, dropout=0.0)
    found = {row['path']: row for row in model_table.rows(model, jax.ShapeDtypeStruct((1, 8), jnp.int32))}
    assert (
        found['layer_0/attention']['multiply_adds'] == 2 * 8 * 8 * 128 and found['layer_0/attention']['parameters'] == 0
    )
    assert found['layer_0/attention/query']['multiply_adds'] == 8 * 128 * 128
