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


def config() -> common.Config:
    """Two devices share batches of 24, the last of an epoch holds 4; three blocks an epoch."""
    return lab.small(parallel__devices=2, data__eval_batch_size=10)


def train(workdir: Path) -> dict[str, Any]:
    """What the run measured, and the rows of the source that were read for its index blocks."""
    machine.STREAM_BYTES = 2 * 24 * (784 + 4)
    noted: list = []
    ready = prepare(config())
    found = run.train(ready.config, ready.task, streamed(ready.data, noted), workdir, lab.Listener())
    return {
        'rows': [len(rows) for rows, _ in noted],
        'loss': [row['train_loss'] for row in found.record.history],
        'test': found.record.metrics['test_loss'],
        'digest': found.facts['params_digest'],
    }


if __name__ == '__main__':
    runtime.start()
    print(json.dumps(train(Path(sys.argv[1]))))
