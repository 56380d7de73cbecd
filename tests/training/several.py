"""One of several processes: replicas on devices of their own, and a split state that is saved and read in pieces."""

import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxlab.training import runtime
from jaxlab.training.checkpoints import Checkpoints, digest
from jaxlab.training.split_digest import is_split, split_digest
from tests.training import lab


def replicas() -> dict[str, Any]:
    """Three replicas on two devices: the first process has two of them."""
    found = lab.steps(lab.small(replicas=3, parallel__replica_axis=2, parallel__devices=2), 1)
    return {
        'loss': found.logs['loss'][:, :, 0].tolist(),
        'test': found.evaluation['loss'],
        'digest': digest(found.state),
    }


def pieces(workdir: Path) -> dict[str, Any]:
    """Trained for three updates, saved, read again."""
    machine = lab.machine(lab.small(parallel__devices=2, parallel__shard='fsdp'))
    rows = machine.placement.split(machine.feed.epoch(0), axis=2)
    state, logs, _ = machine.train(machine.placement.state(machine.init()), machine.resident, rows, 0, 3, 0)
    with Checkpoints(workdir / 'checkpoints') as checkpoints:
        checkpoints.save(3, machine.placement.kept(state), {})
        checkpoints.wait()
        found = checkpoints.read(3, machine.template(machine.init())(3)).state
    host = machine.host_state(found)
    kernel = jax.tree.leaves(found)[np.argmax([leaf.size for leaf in jax.tree.leaves(found)])]
    return {
        'loss': logs['loss'][0, :3, 0].tolist(),
        'split': is_split(found),
        'mine': kernel.addressable_shards[0].data.size / kernel.size * len(kernel.addressable_shards),
        'same': split_digest(found) == split_digest(state) == split_digest(host),
        'digest': digest(host),
    }


def measured(workdir: Path) -> dict[str, Any]:
    """Both."""
    return {'replicas': replicas(), 'pieces': pieces(workdir)}


if __name__ == '__main__':
    runtime.start()
    print(json.dumps(measured(Path(sys.argv[1]))))
