"""Steps that several worked pages have in common."""

from typing import Any

from jaxlab.figures import Step
from jaxlab.worked.delta_rule import DeltaTrace
from jaxlab.worked.perceptron import PerceptronTrace
from jaxlab.worked.show import latex

UnitTrace = DeltaTrace | PerceptronTrace  # of one sample


def matrix_step(what: str, formula: str, result: Any, numbers: str = '', mark: str = '') -> Step:
    """A step whose result is a matrix; a vector is shown as a row."""
    return Step(what, formula, numbers, latex.matrix(result), mark)


def net_step(at: UnitTrace, epoch: int, sample: int, more: str = '') -> Step:
    """The net of one unit, the first step of a sample: its heading names the sample, both counted from 0, and its target."""
    part = f'Epoch {epoch + 1}, sample {sample + 1}: x = {latex.text_vector(at.inputs)}, '
    part += f'target {latex.text_number(at.target)}{more}'
    return Step('Net', r'z = w \cdot x', latex.products(at.weights_before, at.inputs), latex.number(at.net), part=part)


def error_step(at: UnitTrace, what: str, formula: str, mark: str = '') -> Step:
    """The error of one unit on a sample: its target less its output."""
    return Step(what, formula, f'{latex.number(at.target)} - {latex.factor(at.output)}', latex.number(at.error), mark)
