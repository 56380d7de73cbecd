"""The engine's short way: a task without training data is reported, not trained."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError
from jaxlab.protocol import Needed, Record, Reporter, Task
from jaxlab.training.events import Events
from jaxlab.training.identity import config_id
from jaxlab.training.loop import Listener
from jaxlab.training.run import Outcome, summary


def compute(
    config: Any,
    task: Task,
    data: Dataset,
    workdir: Path,
    listener: Listener,
    reporter: Reporter,
    needs: Mapping[str, Needed] | None = None,
    allow_change: bool = False,
) -> Outcome:
    """The report and the facts for results.json. There are no steps, so there is nothing to resume."""
    if config.replicas > 1:
        raise UserError(f'config.replicas = {config.replicas}: a worked computation has no seed; valid: 1')
    events = Events(workdir, jax.process_index() == 0)
    begun = time.perf_counter()
    try:
        events.start([])
        key = jax.random.key(config.training.seed)
        report = reporter.report(Record([], [], {}, [], {}, key, needs or {}))
    finally:
        events.close()
    seconds = round(time.perf_counter() - begun, 3)
    facts = {
        'config_id': config_id(config),
        'metrics': {name: summary(list(values)) for name, values in report.metrics.items()},
        'seconds': seconds,
        'phases': {'report': seconds},
        'remarks': list(report.remarks),
    }
    return Outcome(Record([], [], {}, [], {}, key), report, facts)
