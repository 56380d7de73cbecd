"""Fixtures of tests that prepare (`ready`, `prepared`) a small experiment of their own."""

import pytest

from jaxlab.experiments import run as experiments
from jaxlab.experiments.watching import Printing
from tests.training import lab
from tests.undrawn import undrawn


@pytest.fixture(scope='module')
def batch(ready):
    """Sixteen training examples of what is `ready`, the last six padding."""
    return lab.padded(ready)


@pytest.fixture(scope='module')
def run(prepared, tmp_path_factory):
    """(results, folder) of a training of what was `prepared`."""
    folder = tmp_path_factory.mktemp('run')
    with undrawn():
        return experiments.train_once(prepared, folder, Printing(quiet=True)), folder
