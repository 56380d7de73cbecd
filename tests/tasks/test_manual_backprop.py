"""The task whose gradients are written by hand: its report has a value for every replica."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare
from jaxlab.protocol import Record, Report


@pytest.fixture(scope='module')
def ready():
    config = configs.load(configs.main_folder() / 'manual_backprop_cifar10.py', 'smoke')
    return prepare(configs.apply(config, {'variants': {}, 'data.limit': 60, 'data.eval_limit': 20}, 'test'))


def test_each_replica_has_its_own_gradient_check(ready, monkeypatch):
    """Three states, of which one is not a number: its difference is its own."""
    example = ready.data.prepare({**ready.data.splits['train'].read([0, 1]), 'weight': jnp.ones(2)})
    init = jax.jit(ready.task.init)
    states = [init(jax.random.key(seed), example) for seed in range(3)]
    spoilt = states[1]['model']
    states[1] = {'model': spoilt.replace(params=jax.tree.map(lambda leaf: np.asarray(leaf) * np.nan, spoilt.params))}
    monkeypatch.setattr(
        'jaxlab.tasks.classification.report.ClassificationReport.report', lambda *_: Report(metrics={'kept': [1.0] * 3})
    )
    found = ready.reporter.report(Record(states, [], {}, [], {}, jax.random.key(0)))
    differences = found.metrics['gradient_difference']
    assert len(differences) == 3 and found.metrics['kept'] == [1.0] * 3
    assert 0 <= differences[0] < 1e-12 and not differences[1] < 1e-12 and 0 <= differences[2] < 1e-12
