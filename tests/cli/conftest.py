"""Configs for the command line."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope='session')
def lenet() -> str:
    """The smoke profile of a classifier."""
    return '--config=configs/lenet_mnist.py:smoke'


@pytest.fixture
def write_config(tmp_path):
    """Writes a config file; returns `--config=...`."""

    def write(text: str, name: str = 'mine') -> str:
        path = tmp_path / f'{name}.py'
        path.write_text(text)
        return f'--config={os.fspath(Path(path))}'

    return write
