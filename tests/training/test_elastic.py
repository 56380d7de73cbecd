"""A run goes on with another number of devices: the same batches in the same order, the same losses within rounding."""

import numpy as np
import pytest

from jaxlab.training.checkpoints import Checkpoints
from jaxlab.training.loop import Interrupted
from tests.training import lab

SHIFTED = {'data__transforms': (('shift', {'pixels': 2}),)}
FEWER = (4, 1)


def test_float64_agrees_to_1e_10(float64, tmp_path):
    """Ten updates on eight devices, a checkpoint, ten on four or one: every loss as if nothing had happened."""
    eight = lab.small(parallel__devices=8)
    whole, half = lab.steps(eight, 4, np.float64), lab.steps(eight, 2, np.float64)
    with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
        checkpoints.save(10, half.state, {})
        checkpoints.wait()
        saved = checkpoints.read(10, half.state).state
    assert lab.equal(saved, half.state)
    for devices in FEWER:
        rest = lab.steps(lab.small(parallel__devices=devices), 2, np.float64, first=2, start=saved)
        assert rest.logs['loss'].shape == (1, 10, 2) and rest.logs['loss'].dtype == np.float64
        lab.close(rest.logs, {name: log[:, 10:] for name, log in whole.logs.items()}, 1e-10)
        lab.close(rest.state, whole.state, 1e-10)
        lab.close(rest.evaluation, whole.evaluation, 1e-10)


def test_a_run_that_lost_devices_within_an_epoch(tmp_path):
    """Stopped after update 3 of 5 of the first epoch: the rest of it takes the examples that had not been seen."""
    quick = {**SHIFTED, 'training__steps_per_call': 1}
    undisturbed = lab.train(lab.small(**SHIFTED, parallel__devices=8), tmp_path / 'whole').record
    with pytest.raises(Interrupted):
        lab.train(lab.small(**quick, parallel__devices=8), tmp_path / 'run', lab.Listener(stop_at=3))
    listener = lab.Listener()
    found = lab.train(lab.small(**quick, parallel__devices=4), tmp_path / 'run', listener).record
    assert any('restored step 3' in line for line in listener.said)
    assert len(found.history) == 2
    for one, other in zip(found.history, undisturbed.history):
        np.testing.assert_allclose(one['train_loss'], other['train_loss'], rtol=2e-5)
    lab.close(found.states, undisturbed.states, 5e-5)
