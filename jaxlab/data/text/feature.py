"""Text as a field: token ids on the device, the text itself on the host."""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from jaxlab.data import plain
from jaxlab.data.examples import Split
from jaxlab.data.features import BLOCK, Beside, Notes, Read, Splits, Tensor
from jaxlab.data.text.tokens import Tokenizer
from jaxlab.data.text.words import lines_of, read_lines
from jaxlab.errors import UserError
from jaxlab.figures import Figure, Table

SHOWN = 300  # letters of a text that a table shows
MANY_UNKNOWN = 0.05  # a share of unknown words from which on it is said

Fit = Callable[[Sequence[str]], Tokenizer]


@dataclasses.dataclass(frozen=True, eq=False)
class Text(Tensor):
    """[N, T] int32 ids, made of text. fit: training texts -> tokenizer. fitted: that tokenizer, which a run keeps.

    length: the field with each example's number of ids, where padding stands at the end. texts: split -> its examples as
    they came, the field then [N] str (dtype object); they never go to a device.
    """

    fit: Fit | None = dataclasses.field(default=None, metadata=plain.LEFT_OUT)
    fitted: Tokenizer | None = None
    length: str = ''
    texts: Mapping[str, Split] = dataclasses.field(default_factory=dict, metadata=plain.LEFT_OUT)
    words: ClassVar[str] = 'text'
    typed: ClassVar[bool] = True

    def made(self, field: str, splits: Splits, fitted: Tokenizer | None) -> tuple[Splits, Self, Notes]:
        """The texts of each split as ids, by a tokenizer that has seen those of training alone."""
        assert self.fit is not None
        how = self.fit(_texts(splits['train'], field)) if fitted is None else fitted
        length = f'{field}_length' if how.frame.pad == 'back' else ''
        found, notes = {}, []
        for name, split in splits.items():
            rows = how.ids(_texts(split, field))
            arrays = {**(split.arrays or {}), field: how.frame.apply(rows)}
            arrays |= {length: how.frame.lengths(rows)} if length else {}
            found[name] = dataclasses.replace(split, arrays=arrays)
            notes += _notes(field, name, rows, how)
        return found, dataclasses.replace(self, fitted=how, length=length, texts=splits), tuple(notes)

    @property
    def tokenizer(self) -> Tokenizer:
        """What was fitted."""
        assert self.fitted is not None
        return self.fitted

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many ids there are."""
        return {'vocabulary': self.tokenizer.size}

    def flat(self, values: np.ndarray) -> Any:
        """[N, size] float64, sparse: how often each id occurs, padding left out."""
        from scipy import sparse

        rows, columns = np.nonzero(values != self.tokenizer.frame.padding)
        shape = (len(values), self.tokenizer.size)
        return sparse.csr_matrix((np.ones(len(rows)), (rows, values[rows, columns])), shape)

    def source(self, part: str, split: Split) -> Split:
        """The examples of a part with their texts, before any resampling."""
        return self.texts.get(part, split)

    def read(self, source: Path) -> Read:
        """A user's texts, one a line: a file, or what is piped in ('-'). A blank line is an empty text: line i is answer i."""
        if str(source) == '-':
            return self.given(lines_of(sys.stdin.read()))
        if not Path(source).is_file():
            raise UserError(f'--input={source}: no such file; valid: a text file with one text a line, or - for a pipe')
        return self.given(read_lines(source))

    def given(self, texts: Sequence[str]) -> Read:
        """Texts that are there already, such as those of a command line."""
        if not texts:
            raise UserError('there is no text; valid: one text a line')
        parts = (texts[at : at + BLOCK] for at in range(0, len(texts), BLOCK))
        blocks: Iterator[np.ndarray] = (self.tokenizer.apply(part) for part in parts)
        return [{'text': text} for text in texts], blocks

    def figure(
        self, name: str, title: str, note: str, split: Split, field: str, rows: Any, beside: Beside, wrong: Any = ()
    ) -> Figure:
        """A table of the texts, long ones shortened."""
        values = split.read(rows)[field]
        texts = values if values.dtype == object else [self.tokenizer.text(row) for row in values]
        shown = [[f'{one:.1%}' for one in column] if key == 'confidence' else column for key, column in beside.items()]
        lines = [(*rest, _short(text)) for *rest, text in zip(*shown, texts, strict=True)]
        return Table(name, title, note, (*beside, field), lines, decimals=3)


def as_objects(texts: Sequence[str]) -> np.ndarray:
    """[N] of dtype object: as long as each text is, where NumPy's own strings are all as long as the longest."""
    found = np.empty(len(texts), object)
    found[:] = list(texts)
    return found


def _texts(split: Split, field: str) -> list[str]:
    return [str(text) for text in (split.arrays or {})[field]]


def _notes(field: str, name: str, rows: Sequence[Sequence[int]], how: Tokenizer) -> list[str]:
    """What is lost of a split's texts: those cut, and words that training never had."""
    room = how.frame.longest - how.frame.marks
    cut, unknown = sum(len(row) > room for row in rows), getattr(how, 'unknown', None)
    notes = []
    if cut:
        notes.append(f'{cut} of {len(rows)} texts ({field}) of {name} are longer than {room} tokens and are cut.')
    total = sum(map(len, rows))
    strange = sum(one == unknown for row in rows for one in row) if unknown is not None else 0
    if total and strange / total >= MANY_UNKNOWN:
        notes.append(f'{strange / total:.0%} of the words ({field}) of {name} are unknown to the vocabulary.')
    return notes


def _short(text: str) -> str:
    text = ' '.join(str(text).split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + '…'
