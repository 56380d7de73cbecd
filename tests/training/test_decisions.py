"""What the loop decides between epochs: when to evaluate, to stop, to lower the rate; and what ends a run early."""

import dataclasses
import json

import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.experiments import many
from jaxlab.experiments.prepare import prepare
from jaxlab.files import write_atomically, write_json
from jaxlab.protocol import Report
from jaxlab.tasks.classification.report import ClassificationReport
from jaxlab.training import control
from jaxlab.training.checkpoints import Checkpoints
from jaxlab.training.control import Diverged
from jaxlab.training.loop import Interrupted
from jaxlab.training.run import lines_without_a_curve
from launch.progress import Watcher
from tests.training import lab

HELD_OUT = {'data__validation_fraction': 0.1, 'data__eval_limit': 48}


def names(row) -> set[str]:
    return {name for name in row if isinstance(row[name], list)}


def test_steps_take_the_place_of_epochs(tmp_path):
    """Seven updates: an epoch of five and two more, which are an epoch of their own in the log."""
    found = lab.train(lab.small(training__steps=7, training__epochs=50), tmp_path)
    assert found.facts['steps'] == 7 and [row['step'] for row in found.record.history] == [5, 7]
    assert lab.equal(
        lab.plain(found.record.states),
        lab.plain(lab.train(lab.small(training__steps=7), tmp_path / 'again').record.states),
    )


def test_no_training_at_all(tmp_path):
    """Zero epochs: the start is evaluated."""
    found = lab.train(lab.small(training__epochs=0), tmp_path)
    assert found.facts['steps'] == 0 and found.record.history == [] and found.facts['steps_per_second'] is None
    assert 'test_loss' in found.facts['metrics'] and 'train_loss' not in found.facts['metrics']


@pytest.mark.parametrize('every, evaluated', [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (0, [])])
def test_eval_every(every, evaluated, tmp_path):
    found = lab.train(lab.small(**HELD_OUT, training__epochs=5, training__eval_every=every), tmp_path)
    history = found.record.history
    assert [row['epoch'] for row in history if 'validation_loss' in row] == evaluated
    assert all(names(row) >= {'train_loss', 'train_accuracy'} for row in history)
    assert not any(name.startswith('test_') for row in history for name in row)  # never looked at while training
    assert {'validation_loss', 'test_loss'} <= set(found.facts['metrics'])


def test_early_stopping_restores_the_best(tmp_path):
    """Wanted: a loss that grows. So the first epoch is the best, two more are borne, then the best comes back."""
    config = lab.small(
        **HELD_OUT,
        training__epochs=20,
        training__best_metric='validation_loss',
        training__best_mode='max',
        training__patience=2,
        training__restore_best=True,
        training__min_delta=100.0,
    )
    listener = lab.Listener()
    found = lab.train(config, tmp_path, listener)
    stopped = found.facts['stopped']
    assert stopped['best_epoch'] == 1 and stopped['epoch'] == 3 and found.facts['epochs'] == 3
    assert 'validation_loss was not better than' in listener.said[-1] and 'epoch 1' in listener.said[-1]
    losses = [row['validation_loss'][0] for row in found.record.history]
    best = losses[int(np.argmax(losses))]
    assert found.facts['metrics']['validation_loss']['mean'] == best  # to the last bit
    assert found.facts['restored'] == {'epoch': 1, 'step': 5}
    assert found.facts['metrics']['train_loss']['values'] == found.record.history[0]['train_loss']
    again = lab.train(config, tmp_path, lab.Listener())  # a stopped run stays stopped
    assert again.facts['steps'] == found.facts['steps'] and again.facts['params_digest'] == found.facts['params_digest']


def test_patience_counts_evaluations_not_epochs(tmp_path):
    config = lab.small(
        **HELD_OUT,
        training__epochs=20,
        training__eval_every=2,
        training__best_metric='validation_loss',
        training__best_mode='max',
        training__patience=2,
        training__min_delta=100.0,
    )
    assert lab.train(config, tmp_path).facts['epochs'] == 6


def test_stop_at_an_aim(tmp_path):
    config = lab.small(training__epochs=50, training__stop_at={'metric': 'train_loss', 'value': 1.5})
    found = lab.train(config, tmp_path)
    losses = [row['train_loss'][0] for row in found.record.history]
    assert losses[-1] <= 1.5 < min(losses[:-1]) and len(losses) < 50
    assert found.facts['stopped']['reason'] == f'train_loss reached 1.5 in epoch {len(losses)}'


def test_reduce_on_plateau(tmp_path):
    """Nothing is good enough: after one patient epoch each, the rate is halved without compiling anything anew."""
    plateau = {'metric': 'train_loss', 'mode': 'min', 'patience': 1, 'factor': 0.5, 'min_delta': 100.0}
    config = lab.small(training__epochs=6, optimizer__plateau=plateau)
    listener = lab.Listener()
    found = lab.train(config, tmp_path / 'whole', listener)
    said = [line for line in listener.said if 'rate' in line]
    assert said == ['epoch 3: learning rate scaled to 0.5', 'epoch 5: learning rate scaled to 0.25']
    assert float(found.record.states[0]['model'].learning_rate_scale) == 0.25
    with pytest.raises(Exception, match='stopped by signal'):
        lab.train(config, tmp_path / 'cut', lab.Listener(stop_at=22))
    assert lab.train(config, tmp_path / 'cut').facts['params_digest'] == found.facts['params_digest']


def test_decisions_without_their_metric_are_refused(tmp_path):
    with pytest.raises(UserError, match='restore_best needs config.training.best_metric'):
        lab.machine(lab.small(training__restore_best=True))
    with pytest.raises(UserError, match="best_metric = 'validation_loss' is not measured while training"):
        lab.machine(lab.small(training__best_metric='validation_loss'))
    with pytest.raises(UserError, match='stop_at.metric = .*validation_split|validation split'):
        lab.machine(lab.small(training__stop_at={'metric': 'validation_loss', 'value': 1}))
    with pytest.raises(UserError, match="plateau.metric = 'train_los' is not measured; did you mean 'train_loss'"):
        lab.train(lab.small(optimizer__plateau={'metric': 'train_los'}), tmp_path)


@pytest.mark.parametrize(
    'changes, field',
    [
        ({'training__best_metric': 'test_loss'}, 'training.best_metric'),
        ({'training__stop_at': {'metric': 'test_loss', 'value': 1.0}}, 'training.stop_at.metric'),
        ({'optimizer__plateau': {'metric': 'test_loss'}}, 'optimizer.plateau.metric'),
    ],
)
def test_the_test_split_chooses_nothing(changes, field):
    """Not even where its curve is watched."""
    with pytest.raises(
        UserError, match=f"config.{field} = 'test_loss' would choose by the test split.*'validation_loss'"
    ):
        lab.machine(lab.small(**HELD_OUT, **changes, training__watch=('validation', 'test')))


@pytest.mark.parametrize('every', [0, 5])
def test_the_best_epoch_is_restored_whatever_the_checkpoints_are(every, tmp_path):
    """The best of six epochs is the first or a middle one: by a loss that should grow, and by one that falls and grows."""
    for mode in ('max', 'min'):
        config = lab.small(
            **HELD_OUT,
            training__epochs=6,
            training__best_metric='validation_loss',
            training__best_mode=mode,
            training__restore_best=True,
            training__checkpoint_every=every,
            optimizer__learning_rate=1.0,
        )
        found = lab.train(config, tmp_path / mode)
        losses = [row['validation_loss'][0] for row in found.record.history]
        best = losses.index(min(losses) if mode == 'min' else max(losses))
        assert best < 5, 'the last epoch is the best one: this shows nothing'
        assert found.facts['restored'] == {'epoch': best + 1, 'step': 5 * (best + 1)}
        assert found.facts['metrics']['validation_loss']['mean'] == losses[best]  # to the last bit


def test_what_counts_as_a_new_best():
    training = lab.small(training__best_metric='m').training
    rows = [{'m': [2.0]}, {}, {'m': [1.0]}, {'m': [1.0]}, {'m': [0.5, 1.7]}]
    found = [control.is_new_best(training, rows[: at + 1]) for at in range(5)]
    assert found == [True, False, True, False, False]  # an equal one is no better; replicas count by their mean
    training.best_mode = 'max'
    assert [control.is_new_best(training, rows[: at + 1]) for at in range(5)] == [True, False, False, False, False]
    training.best_metric = ''
    assert not control.is_new_best(training, rows[:1])


def test_replicas_that_followed_one_decision_are_called_so(tmp_path):
    stopping = {'training__best_metric': 'validation_loss', 'training__patience': 1, 'training__epochs': 2}

    def said(name: str, **changes) -> list[str]:
        facts = lab.train(lab.small(**HELD_OUT, **changes), tmp_path / name).facts
        return [line for line in facts['remarks'] if 'decided once' in line]

    (line,) = said('two', replicas=2, **stopping)
    assert line.startswith('When to stop was decided once for all 2 replicas, by the mean of their validation_loss')
    assert said('one', **stopping) == said('free', replicas=2, training__epochs=2) == []


def test_lines_that_no_curve_can_have_are_said():
    """Some metric of the config's lines was misspelt, or is never measured."""
    history = [{'epoch': 1, 'train_loss': [1.0]}, {'epoch': 2, 'train_loss': [0.9], 'test_accuracy': [0.5]}]
    lines = dict.fromkeys(('train_loss', 'accuracy', 'validation_accuracy', 'acuracy'), {'chance': 0.5})
    remarks = lines_without_a_curve(lines, history)
    assert [line.split()[4] for line in remarks] == ['validation_accuracy', 'acuracy']
    assert all(line.endswith('measured: test_accuracy, train_loss.') for line in remarks)
    assert lines_without_a_curve(lines, []) == []  # nothing was trained


@pytest.mark.parametrize('minutes, steps', [(1e-9, [1, 2, 3, 4, 5]), (10.0, [5]), (0, [5])])
def test_checkpoints_by_minutes(minutes, steps, tmp_path, monkeypatch):
    """Within an epoch of five calls, where the last one is older than that."""
    saved = []
    monkeypatch.setattr(Checkpoints, 'save', lambda self, step, *rest, **named: saved.append(step))
    config = lab.small(
        training__epochs=1,
        training__steps_per_call=1,
        training__checkpoint_every=0,
        training__checkpoint_minutes=minutes,
    )
    lab.train(config, tmp_path)
    assert saved == steps


def test_a_signal_during_an_evaluation_loses_no_update(tmp_path):
    """It comes once the epoch's last update is made: the epoch is kept, and evaluated when the run goes on."""
    config = lab.small(
        **HELD_OUT, training__epochs=3, training__restore_best=True, training__best_metric='validation_loss'
    )
    whole = lab.train(config, tmp_path / 'whole')
    for step in (5, 15):
        workdir = tmp_path / f'cut{step}'
        with pytest.raises(Interrupted, match=f'after step {step}'):
            lab.train(config, workdir, lab.Listener(stop_at=step))
        with Checkpoints(workdir / 'checkpoints') as checkpoints:
            meta = checkpoints.meta()
        assert meta['step'] == step and len(meta['history']) == step // 5 - 1 and meta['partial']
        found = lab.train(config, workdir)
        assert found.facts['params_digest'] == whole.facts['params_digest']
        for ours, theirs in zip(found.record.history, whole.record.history, strict=True):
            assert {**ours, 'seconds': 0} == {**theirs, 'seconds': 0}
        assert found.facts['restored'] == whole.facts['restored']
        with Checkpoints(workdir / 'checkpoints') as checkpoints:
            assert not checkpoints.meta()['partial']  # what was written unfinished is not what stays


class Undefined(ClassificationReport):
    """Reports a precision of a class that is absent in one seed, and an infinite one."""

    def report(self, record):
        return Report(metrics={'odd': [float('nan'), 0.5], 'infinite': [float('inf')] * 2, 'plain': [1.0, 2.0]})


def test_a_metric_of_the_report_that_is_not_finite(tmp_path):
    """results.json and the page are written: null, and a sentence that says which seed."""
    ready = prepare(lab.small(replicas=2, training__epochs=1))
    odd = Undefined(**{field.name: getattr(ready.reporter, field.name) for field in dataclasses.fields(ready.reporter)})
    vars(ready)['reporter'] = odd  # in the place of what is built when it is asked for
    many.train(ready, tmp_path, Watcher())
    results = json.loads((tmp_path / 'results.json').read_text())
    assert results['metrics']['odd'] == {'mean': None, 'std': None, 'values': [None, 0.5]}
    assert results['metrics']['infinite']['values'] == [None, None]
    assert results['metrics']['plain']['mean'] == 1.5
    said = ' '.join(results['remarks'])
    assert 'odd has no finite value (seed 0)' in said and 'infinite has no finite value (seed 0, 1)' in said
    assert 'odd has no finite value' in (tmp_path / 'report.html').read_text()


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    """The only update's loss is fine, what it leaves is not."""
    huge = {
        'training__steps': 1,
        'optimizer__learning_rate': 3e38,
        'data__scale': (0.0, 1000.0),
        'model__batch_norm': False,
    }
    with pytest.raises(
        Diverged, match=r'/params/.* is not finite after step 1; there is no checkpoint yet .*clip_norm'
    ):
        lab.train(lab.small(**huge), tmp_path)
    assert not [path for path in (tmp_path / 'checkpoints').iterdir() if path.name.isdigit()]


def test_an_evaluation_that_is_not_finite_is_said(tmp_path):
    """Weights near the largest number there is: finite, and good for nothing."""
    with pytest.raises(Diverged, match=r'test_loss/0 is not finite after step 1; .*clip_norm'):
        lab.train(lab.small(training__steps=1, optimizer__learning_rate=3e38, data__scale=(0.0, 100.0)), tmp_path)


def test_one_replica_that_diverges_is_named():
    logs = {'loss': np.ones((3, 5, 2)), 'accuracy': np.ones((3, 5, 2))}
    assert control.first_not_finite(logs, 0, 5) is None
    logs['loss'][2, 3, 0] = np.inf
    logs['loss'][1, 4, 0] = np.nan
    assert control.first_not_finite(logs, 0, 5) == ('loss', 2, 3)
    assert control.first_not_finite(logs, 4, 5) == ('loss', 1, 4)
    assert control.not_finite({'a': {'b': [1.0, float('nan')]}, 'c': 1}) == 'a/b/1'


def test_the_log_is_one_line_an_epoch(tmp_path):
    found = lab.train(lab.small(replicas=2), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()]
    assert lines == [dict(row) for row in found.record.history] and len(lines[0]['train_loss']) == 2


def test_files_are_whole_or_not_there(tmp_path):
    path = tmp_path / 'results.json'
    write_json(path, {'a': np.float32(0.5), 'b': np.arange(2)})
    before = path.read_text()
    with pytest.raises(ValueError, match='not JSON compliant'):
        write_json(path, {'a': float('nan')})
    with pytest.raises(KeyError), write_atomically(path, 'w') as file:
        file.write('half')
        raise KeyError
    assert path.read_text() == before and [item.name for item in tmp_path.iterdir()] == ['results.json']
