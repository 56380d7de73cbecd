"""What a classifier shows: its answers, what stands beside it without a network, and looks into the network."""

import dataclasses
from typing import Any, Self

from jaxlab.data.dataset import Dataset
from jaxlab.data.labels import names_of
from jaxlab.protocol import ALL, Record, Report
from jaxlab.tasks import baselines, sparsity
from jaxlab.tasks.classification import classes, two_classes
from jaxlab.tasks.classification.step import Classification
from jaxlab.tasks.reporting import LookingReport, looks_of


@dataclasses.dataclass(frozen=True)
class ClassificationReport(LookingReport[Classification]):
    """Reports a classifier as `config.report` asks; its options are checked before training."""

    beside: baselines.Asked  # what needs no network: config.report.options.baselines
    positive: str  # of two classes the one that is looked for: config.report.options.positive
    weighed: bool  # whether it says how large the parameters are: config.report.options.sparsity

    @classmethod
    def from_config(cls, config: Any, task: Classification, data: Dataset) -> Self:
        wishes, wanted = config.report.options, looks_of(config, task)
        beside = baselines.asked(wishes, classifies=True)
        positive = wishes.get('positive', '')
        if positive:
            two_classes.positive_class(data, positive)  # said before training
        return cls(task, data, config.report.examples, wanted, beside, positive, bool(wishes.get('sparsity', False)))

    def keeps(self, split: str) -> int:
        """All of the split that is reported; of two classes the validation split's too, on which a threshold is chosen."""
        reported = split == 'test' or 'test' not in self.data.splits
        return ALL if reported or len(names_of(self.data)) == 2 else 0

    def own(self, record: Record) -> Report:
        """Examples, confusions, scores by class, surest mistakes of the first replica; of two classes the curves too.

        Then what needs no network.
        """
        found = classes.report(record, self.data, self.examples_shown)
        found = found.followed_by(two_classes.report(record, self.data, self.task.class_weights, self.positive))
        found = found.followed_by(baselines.report(record, self.data, self.beside))
        return found.followed_by(sparsity.report(record) if self.weighed else Report())
