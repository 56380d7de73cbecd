"""What can be done with a trained network besides training it: each kind of learning has its own modes, by name.

A mode is data and one function, and importing it costs nothing: `--mode=help` lists those of an experiment without JAX.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from jaxlab.errors import UserError, closest


@dataclasses.dataclass(frozen=True)
class Option:
    """`--NAME=VALUE` of a mode. default None: it must be given."""

    default: Any
    meaning: str
    least: int = 0  # of whole numbers

    def read(self, mode: str, name: str, text: str) -> Any:
        """The value of what was typed."""
        if not isinstance(self.default, int):
            return text
        if not text.lstrip('-').isdigit() or int(text) < self.least:
            raise UserError(f'--{name}={text} of --mode={mode}; valid: a whole number from {self.least} up')
        return int(text)


class Trained(Protocol):
    """A finished run, as a mode sees it."""

    @property
    def config(self) -> Any:
        """The checked config."""

    @property
    def task(self) -> Any:
        """What was learned."""

    @property
    def data(self) -> Any:
        """The data as the run's weights know them."""

    def restore(self) -> tuple[Any, int]:
        """(the first replica's state, the step that it was saved at); raises UserError where nothing was trained."""


@dataclasses.dataclass(frozen=True)
class Done:
    """What a mode gives: facts as JSON, and what is written beside the run (figures are drawn, arrays kept as .npz).

    images: a file's name without its ending -> [H, W, C] float in [0, 1], each written as a PNG of 8 bits.
    """

    facts: Mapping[str, Any]
    folder: str = ''
    figures: Sequence[Any] = ()
    arrays: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    images: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def one_a_file(rows: Sequence[Mapping[str, Any]], said: Callable[[Mapping[str, Any]], str]) -> list[str]:
    """A line a row: its `file`, and what is said of it, or the `error` for which it could not be read."""
    return [f'{row["file"]}: {row["error"] if "error" in row else said(row)}' for row in rows]


@dataclasses.dataclass(frozen=True)
class Mode:
    """lines: the facts as lines for a terminal. needs_data: whether `run` looks at examples of the data set; others find
    in `Trained.data` all but these (features, sizes), and work where the training data are gone. ask: what answers line by
    line, where a line can be an example: a terminal then asks for them when the mode is given no option."""

    meaning: str
    options: Mapping[str, Option]
    run: Callable[[Trained, Mapping[str, Any]], Done]
    lines: Callable[[Mapping[str, Any]], Sequence[str]]
    needs_data: bool = False
    ask: Callable[[Trained], Callable[[str], Sequence[str]]] | None = None

    def read(self, name: str, given: Mapping[str, str]) -> dict[str, Any]:
        """The options, from what was typed."""
        typed = {
            option: how.read(name, option, given[option]) for option, how in self.options.items() if option in given
        }
        return self.checked(name, {**given, **typed})

    def checked(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """All options: these, and the defaults of the others."""
        for option in given:
            if option not in self.options:
                raise UserError(f'--mode={name} has no option --{option}; {closest(option, self.options)}')
        for option, how in self.options.items():
            if how.default is None and option not in given:
                raise UserError(f'--mode={name} needs --{option}={how.meaning}')
        return {option: given.get(option, how.default) for option, how in self.options.items()}
