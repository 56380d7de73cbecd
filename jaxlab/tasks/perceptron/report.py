"""What a perceptron shows: every number of its training, and whether it could have learned at all."""

import dataclasses
from typing import Any, Self

import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.protocol import Record, Report
from jaxlab.tasks.perceptron.step import Perceptron
from jaxlab.worked import perceptron, show
from jaxlab.worked.show.latex import text_vector
from jaxlab.worked.show.many_gates import gate_table


@dataclasses.dataclass(frozen=True)
class PerceptronReport:
    """all_epochs: whether the page goes through every epoch, not the first alone (`config.worked.show`)."""

    task: Perceptron
    data: Dataset
    all_epochs: bool

    @classmethod
    def from_config(cls, config: Any, task: Perceptron, data: Dataset) -> Self:
        return cls(task, data, bool(config.worked.show))

    def report(self, record: Record) -> Report:
        """The trace of every sample, the errors, the boundary; whether the targets can be separated at all."""
        task = self.task
        batch = self.data.splits['train'].read(np.arange(self.data.splits['train'].size))
        start = task.start or (0.0,) * (task.inputs + 1)
        epochs = max(1, len(record.history))
        run = perceptron.train_perceptron(
            np.asarray(start, np.float32),
            batch['inputs'],
            batch['target'],
            task.learning_rate,
            epochs,
            task.fires_at_zero,
            task.coding,
            task.tie,
        )
        weights = np.asarray(record.states[0]['weights'])
        assert np.array_equal(weights, run.weights), 'the trace must end where the training ended'
        whole = run.epochs if self.all_epochs else 1
        figures = show.perceptron_figures(run, batch['inputs'], batch['target'], task.fires_at_zero, whole)
        if task.inputs == 2:
            figures.append(gate_table(task.learning_rate, 20, ('binary', 'bipolar')))
        metrics = {'bias': [float(weights[0])]} | {f'weight_{i}': [float(w)] for i, w in enumerate(weights[1:], 1)}
        metrics['epochs'] = [float(run.epochs)]
        words = perceptron.verdict(run, batch['inputs'], batch['target'])
        answer = f'{words[:1].upper()}{words[1:]}. Weights (bias first): {text_vector(weights)}.'
        printed = ('perceptron_worked', 'perceptron_trace', 'perceptron_separability')
        return Report(tuple(figures), metrics, (words,), printed, answer)
