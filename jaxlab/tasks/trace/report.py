"""What a worked computation shows: its page, or that of a network of one's own."""

import dataclasses
import importlib
from typing import Any, Self

import jax

from jaxlab.data.dataset import Dataset
from jaxlab.protocol import Record, Report
from jaxlab.tasks.trace.step import PAGES, RULES, Trace


@dataclasses.dataclass(frozen=True)
class TraceReport:
    """The page is computed when it is asked for."""

    task: Trace

    @classmethod
    def from_config(cls, config: Any, task: Trace, data: Dataset) -> Self:
        return cls(task)

    def report(self, record: Record) -> Report:
        """The whole computation, in double precision."""
        task = self.task
        module, function = (RULES[task.rule] if task.settings.own is not None else PAGES[task.page]).split(':')
        with jax.enable_x64(True):
            return getattr(importlib.import_module(module), function)(task.settings)
