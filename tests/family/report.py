"""What a counter shows, and what can be done with it."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.modes import Done, Mode, Option
from jaxlab.protocol import Record, Report


@dataclasses.dataclass(frozen=True)
class VowelsReport:
    task: Any
    data: Dataset

    @classmethod
    def from_config(cls, config, task, data):
        return cls(task, data)

    def keeps(self, split):
        return 10 if split == 'test' else 0

    def report(self, record: Record) -> Report:
        """Ten test words with their counts."""
        counts, split, rows = record.outputs['test'][0]['count'], self.data.splits['test'], np.arange(10)
        beside = {'said': counts[rows].round(2).tolist(), 'true': split.arrays['target'][rows].tolist()}
        figure = self.data.input_feature.figure('words', 'Ten words', '', split, self.data.input, rows, beside)
        return Report((figure,), answer=f'{record.metrics["test_exact"][0]:.0%} of the words are counted right.')


def count(trained, options):
    """Each word of a text file."""
    who, blocks = trained.data.input_feature.read(Path(options['input']))
    state, step = trained.restore()
    found = np.concatenate([np.asarray(trained.task.predict(state, block)) for block in blocks])
    words = [{**one, 'vowels': round(float(n))} for one, n in zip(who, found, strict=True)]
    return Done({'step': step, 'words': words})


def lines(facts):
    return [f'{row["word"]}: {row["vowels"]}' for row in facts['words']]


MODES = {'count': Mode('counts the vowels', {'input': Option(None, 'FILE with one word a line')}, count, lines)}
