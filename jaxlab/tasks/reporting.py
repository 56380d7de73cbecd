"""What reporters of trained networks have in common: their start, what they keep, and looks into the network."""

import dataclasses
from typing import Any, Self

from jaxlab import looks
from jaxlab.data.dataset import Dataset
from jaxlab.protocol import ALL, Record, Report
from jaxlab.tasks.supervised import Supervised


@dataclasses.dataclass(frozen=True)
class TaskReport[T]:
    """Reports a task as `config.report` asks; a subclass adds what it takes of the options, checked before training."""

    task: T
    data: Dataset
    examples_shown: int

    @classmethod
    def from_config(cls, config: Any, task: T, data: Dataset) -> Self:
        return cls(task, data, config.report.examples)

    @property
    def split(self) -> str:
        """The split that is reported."""
        return self.data.reported

    def keeps(self, split: str) -> int:
        """The outputs for all examples of the split that is reported, none of the others."""
        return ALL if split == self.split else 0


@dataclasses.dataclass(frozen=True)
class LookingReport[T: Supervised](TaskReport[T]):
    """A report that ends with looks into the trained network (`jaxlab/looks`)."""

    looks: tuple[looks.Wanted, ...]  # config.report.options.figures

    @classmethod
    def from_config(cls, config: Any, task: T, data: Dataset) -> Self:
        return cls(task, data, config.report.examples, looks_of(config, task))

    def report(self, record: Record) -> Report:
        """What the task's own report shows, then the looks."""
        return self.own(record).followed_by(Report(tuple(looks.figures(self.looks, self.task, record, self.data))))

    def own(self, record: Record) -> Report:
        """The report without the looks."""
        raise NotImplementedError


def looks_of(config: Any, task: Supervised) -> tuple[looks.Wanted, ...]:
    """The looks that a config asks for, checked against the network."""
    return looks.wanted(config.report.options.get('figures', ()), task.model, *task.inputs(task.example))
