"""A run whose examples are read from a source, which notes what was read; as a program, one process of it."""

import dataclasses
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from configs import common
from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.experiments.prepare import prepare
from jaxlab.training import machine, run, runtime
from jaxlab.training.feeding import gather
from tests.training import lab


def streamed(dataset: Dataset, noted: list | None = None, seconds: float = 0.0) -> Dataset:
    """The same examples, read from a source a block at a time. noted: (rows of the source, when it was done) is added."""
    lock = threading.Lock()

    def stream(split: Split) -> Split:
        whole, first = split.arrays or {}, split.origin
        places = {row: place for place, row in enumerate(first.tolist())}

        def read(rows: np.ndarray) -> dict[str, np.ndarray]:
            time.sleep(seconds)
            with lock:
                if noted is not None:
                    noted.append((rows.tolist(), time.perf_counter()))
            return {name: array[[places[row] for row in rows.tolist()]] for name, array in whole.items()}

        return dataclasses.replace(split, arrays=None, reader=read)

    return dataclasses.replace(dataset, splits={name: stream(split) for name, split in dataset.splits.items()})


def config(devices: int) -> common.Config:
    """Devices share batches of 24, the last of an epoch holds 4; three blocks an epoch."""
    return lab.small(parallel__devices=devices, data__eval_batch_size=4 * devices)


def _noting(asked: list, split: Split, indices: np.ndarray) -> dict[str, np.ndarray]:
    """`gather`; (size of the split, examples that were asked for, without padding) is added."""
    asked.append((split.size, indices[indices >= 0].tolist()))
    return gather(split, indices)


def train(workdir: Path, devices: int) -> dict[str, Any]:
    """What the run measured, how many rows of the source were read for its index blocks, and which examples of the
    training split were asked for, block by block."""
    machine.STREAM_BYTES = 2 * 24 * (784 + 4)
    noted: list = []
    asked: list = []
    ready = prepare(config(devices))
    machine.gather = lambda split, indices: _noting(asked, split, indices)
    found = run.train(ready.config, ready.task, streamed(ready.data, noted), workdir, lab.Listener())
    return {
        'rows': [len(rows) for rows, _ in noted],
        'asked': [rows for split, rows in asked if split == ready.data.splits['train'].size],
        'loss': [row['train_loss'] for row in found.record.history],
        'test': found.record.metrics['test_loss'],
        'digest': found.facts['params_digest'],
    }


if __name__ == '__main__':
    runtime.start()
    print(json.dumps(train(Path(sys.argv[1]), int(sys.argv[2]))))
