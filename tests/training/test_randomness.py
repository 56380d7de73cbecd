"""Orders, keys and decisions of a whole training, seen through a task that writes down what it is given."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments.prepare import prepare
from jaxlab.measures.sums import sums
from jaxlab.protocol import Report
from jaxlab.tasks.classification.step import Classification
from jaxlab.training import control
from jaxlab.training import run as engine
from jaxlab.training.checkpoints import Checkpoints
from tests.training import lab

HELD_OUT = {'data__validation_fraction': 0.1, 'data__eval_limit': 48}


class Notebook(Classification):
    """Learns nothing; logs the mean of a batch's labels, what the augmentation drew, and its own key's number."""

    def train_step(self, state, batch, key):
        weight = batch['weight']
        drawn = jnp.full(weight.shape, jax.random.uniform(key))
        return state, sums(weight, loss=batch['label'], augmented=batch['image'].mean((1, 2, 3)), drawn=drawn)

    def report(self, record, data):
        return Report()


def logs(tmp_path, **changes) -> dict[str, np.ndarray]:
    """metric -> [epochs, replicas, steps] of a training whose images are nothing but their augmentation's draw."""
    ready = prepare(lab.small(training__epochs=3, training__log_steps=True, **changes))
    task = Notebook(**{field.name: getattr(ready.task, field.name) for field in dataclasses.fields(ready.task)})

    def augment(batch, key):
        return {**batch, 'image': jnp.full_like(batch['image'], jax.random.uniform(key))}

    data = dataclasses.replace(ready.data, augment=augment)
    found = engine.train(ready.config, task, data, tmp_path, lab.Listener()).record.step_logs
    assert [epoch for epoch, _ in found] == [1, 2, 3]
    return {name: np.stack([epoch[name] for _, epoch in found]) for name in ('loss', 'augmented', 'drawn')}


def test_every_epoch_has_an_order_of_its_own(tmp_path):
    """The batches of three epochs differ; without shuffling they are the same ones in the same order."""
    order = logs(tmp_path / 'shuffled')['loss'][:, 0]
    assert len({tuple(epoch) for epoch in order.round(4)}) == 3
    fixed = logs(tmp_path / 'fixed', data__shuffle=False)['loss'][:, 0]
    np.testing.assert_array_equal(fixed, np.broadcast_to(fixed[:1], fixed.shape))


def test_every_step_draws_anew(tmp_path):
    """Fifteen updates of two replicas: thirty augmentations and thirty keys for the task, all different; and uniform."""
    found = logs(tmp_path, replicas=2)
    for name in ('augmented', 'drawn'):
        assert len(np.unique(found[name].round(6))) == 30, name
        assert 0.3 < found[name].mean() < 0.7 and found[name].min() < 0.25 and found[name].max() > 0.75
    assert not np.intersect1d(found['augmented'].round(6), found['drawn'].round(6)).size


def rows(*values) -> list[dict]:
    return [{'epoch': number, 'm': list(each)} for number, each in enumerate(values, 1)]


def stopped(history, **training):
    config = lab.small(training__best_metric='m', **{f'training__{name}': value for name, value in training.items()})
    return control.reason_to_stop(config.training, history)


def test_early_stopping_counts_what_is_better_by_enough():
    """0.9, 0.85 are better than 1.0 by less than 0.2: they count as no better; by more than 0 they do."""
    history = rows([1.0], [0.9], [0.85])
    assert stopped(history, patience=2, min_delta=0.2)['best_epoch'] == 1
    assert stopped(history, patience=2, min_delta=0.01) is None
    assert stopped(rows([1.0], [0.7], [0.6]), patience=2, min_delta=0.2) is None  # 0.7 is, 0.6 waits for the first time


def test_early_stopping_looks_at_all_replicas():
    """The first one gets better and better, the mean does not; and the other way round."""
    assert stopped(rows([1.0, 1.0], [0.9, 1.4], [0.8, 1.6]), patience=2)['best_epoch'] == 1
    assert stopped(rows([1.0, 1.0], [1.1, 0.4], [1.2, 0.2]), patience=2) is None


def test_early_stopping_knows_which_way_is_better():
    assert stopped(rows([0.5], [0.6], [0.7]), patience=2, best_mode='max') is None
    assert stopped(rows([0.5], [0.4], [0.3]), patience=2, best_mode='max')['best_epoch'] == 1
    assert stopped(rows([0.5], [0.4], [0.3]), patience=2) is None


def test_an_aim_is_reached_when_every_replica_has_reached_it():
    aim = {'stop_at': {'metric': 'm', 'value': 0.5}}
    assert stopped(rows([0.4, 0.6]), **aim) is None
    assert stopped(rows([0.5, 0.1]), **aim)['epoch'] == 1


@pytest.mark.parametrize('replicas', [1, 2])
def test_the_score_of_a_checkpoint_is_the_mean_over_replicas(replicas, tmp_path, monkeypatch):
    """Of the metric that is asked for, of the epoch that the checkpoint ends."""
    scores = {}
    save = Checkpoints.save

    def noted(self, step, state, meta, score=None, replace=False):
        scores[step] = score
        save(self, step, state, meta, score, replace)

    monkeypatch.setattr(Checkpoints, 'save', noted)
    config = lab.small(**HELD_OUT, replicas=replicas, training__epochs=2, training__best_metric='validation_loss')
    history = lab.train(config, tmp_path).record.history
    assert scores == {row['step']: pytest.approx(np.mean(row['validation_loss'])) for row in history}
    if replicas == 2:
        assert all(row['validation_loss'][0] != row['validation_loss'][1] for row in history)
