"""What a field of a batch is: how it is shown, how a user's own files become it, how an answer in it reads.

A data set names its fields (`Dataset.features`: field -> feature), and whatever depends on the kind of data asks the
feature. Names follow TensorFlow Datasets where it has one. `answer`: whether a network predicts the field (it is then no
input). `fitted`: what was learned from training rows to make the field, or None. A run keeps its features
(`jaxlab/data/description.py`): they are dataclasses of plain values.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from jaxlab.data import plain
from jaxlab.data.boxes import Boxes
from jaxlab.data.classes import ClassAnswer
from jaxlab.data.examples import Split
from jaxlab.data.fitted.columns import Preprocessing
from jaxlab.data.images import Decoding, decode_all, user_files
from jaxlab.data.mask import Mask
from jaxlab.data.scaling import Batch, scaler
from jaxlab.data.schema import Schema
from jaxlab.data.sheets import read_sheet
from jaxlab.errors import UserError
from jaxlab.figures import Figure, Images, Table

BLOCK = 64  # examples of a user's own that are read and computed at a time
MOST_COLUMNS = 10  # wider tables cannot be read
MANY_CATEGORIES = 100  # of one column, from which on it is said

Splits = dict[str, Split]
Notes = tuple[str, ...]
Beside = Mapping[str, Sequence[Any]]  # beside an example: name -> one value an example; `confidence` is a share
Read = tuple[list[dict[str, Any]], Iterator[np.ndarray]]  # who each example is, and the field in blocks of BLOCK


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An array of numbers, of which nothing else is known."""

    answer: ClassVar[bool] = False
    words: ClassVar[str] = 'numbers'
    typed: ClassVar[bool] = False  # whether a user can type an example as a line

    @property
    def fitted(self) -> Any:
        """What was learned from training rows to make it."""
        return None

    @property
    def length(self) -> str:
        """The field with the true length of each example where they differ: beyond it this one's second axis is padding."""
        return ''

    @property
    def sizes(self) -> Mapping[str, int]:
        """What a network must be made for: argument of the model -> number (`vocabulary`)."""
        return {}

    @property
    def codes(self) -> tuple[tuple[int, int], ...]:
        """(first, end) of the numbers that stand for one category each time."""
        return ()

    def flat(self, values: np.ndarray) -> Any:
        """[N, F] float64, dense or sparse, for rules that know rows of numbers only."""
        return np.asarray(values, np.float64).reshape(len(values), -1)

    def made(self, field: str, splits: Splits, fitted: Any) -> tuple[Splits, Self, Notes]:
        """(splits with this field in them, what it is now, notes). fitted: as a run has it; None: fit on the training rows."""
        del field, fitted
        return splits, self, ()

    def prepare(self, field: str, settings: Mapping[str, Any]) -> Callable[[Batch], Batch]:
        """What happens to the field on the device, in training and evaluation. settings: of `config.data`."""
        del field
        for option in ('mean', 'std'):
            if settings[option]:
                raise UserError(f'data.options.{option} scales images; this data set has none')
        return lambda batch: batch

    def source(self, part: str, split: Split) -> Split:
        """The examples of a part as they came, before any resampling, where that is known."""
        del part
        return split

    def read(self, source: Path) -> Read:
        """Refused: plain numbers cannot be read from a file of the user's own."""
        raise UserError(f'--input={source}: the inputs here are {self.words}; nothing can be read from a file')

    def given(self, texts: Sequence[str]) -> Read:
        """Refused: an example cannot be typed."""
        raise UserError(f'--text: the inputs here are {self.words}; valid: --input')

    def figure(
        self, name: str, title: str, note: str, split: Split, field: str, rows: Any, beside: Beside, wrong: Any = ()
    ) -> Figure:
        """A table of the first columns of some examples."""
        values = self.flat(split.read(rows)[field])[:, :MOST_COLUMNS]
        names = tuple(f'x{number}' for number in range(1, values.shape[1] + 1))
        return _table(name, title, note, names, [tuple(map(float, row)) for row in values], beside)


@dataclasses.dataclass(frozen=True)
class Image(Tensor):
    """[N, H, W, C] uint8, or float32 in [0, 1]. decoding: how image files become it."""

    decoding: Decoding
    words: ClassVar[str] = 'images'

    @classmethod
    def of(cls, shape: Sequence[int]) -> Self:
        """Of images [H, W, C] that came as arrays: files are squashed to that size."""
        return cls(Decoding((shape[0], shape[1]), grey=shape[2] == 1))

    def prepare(self, field: str, settings: Mapping[str, Any]) -> Callable[[Batch], Batch]:
        """uint8 to float32 in `scale`, then less `mean` over `std`, a channel."""
        channels = self.decoding.shape[-1]
        for option in ('mean', 'std'):
            if settings[option] and len(settings[option]) != channels:
                raise UserError(f'data.options.{option}={settings[option]}; valid: {channels} number(s), one a channel')
        return scaler(settings['scale'], settings['mean'], settings['std'], field)

    def flat(self, values: np.ndarray) -> Any:
        """Pixels in [0, 1]."""
        return super().flat(self.unit(values))

    @staticmethod
    def unit(values: np.ndarray) -> np.ndarray:
        """[N, H, W, C] float32 in [0, 1], as they are before any scaling."""
        return values.astype(np.float32) / 255.0 if values.dtype == np.uint8 else values

    def read(self, source: Path) -> Read:
        """A user's image, or all of a folder, decoded as the training images were.

        A file of a folder that cannot be read gets an `error` beside its name once its block was read; its pixels are 0.
        """
        files = user_files(source)
        who: list[dict[str, Any]] = [{'file': str(file)} for file in files]

        def blocks() -> Iterator[np.ndarray]:
            for at in range(0, len(files), BLOCK):
                images, bad, _ = decode_all(files[at : at + BLOCK], self.decoding)
                for row, why in bad.items():
                    who[at + row]['error'] = f'not an image that can be read ({why})'
                if all('error' in one for one in who):
                    raise UserError(f'--input={files[0]}: {who[0]["error"]}')
                yield images

        return who, blocks()

    def figure(
        self, name: str, title: str, note: str, split: Split, field: str, rows: Any, beside: Beside, wrong: Any = ()
    ) -> Figure:
        """A grid; what stands beside an example is its caption."""
        lines = list(zip(*beside.values(), strict=True))
        captions = [_caption(dict(zip(beside, line, strict=True))) for line in lines]
        return Images(name, title, note, self.unit(split.read(rows)[field]), captions, wrong)


@dataclasses.dataclass(frozen=True, eq=False)
class Columns(Tensor):
    """[N, F] float32, made from columns of a table. rows: split -> its rows as the file has them ('columns')."""

    schema: Schema
    fitted: Preprocessing | None = None
    rows: Mapping[str, Split] = dataclasses.field(default_factory=dict, metadata=plain.LEFT_OUT)
    words: ClassVar[str] = 'rows of a table'

    def made(self, field: str, splits: Splits, fitted: Preprocessing | None) -> tuple[Splits, Self, Notes]:
        """The columns of each split's rows as features."""
        schema = self.schema
        how = Preprocessing.fit(_rows(splits['train']), schema.target) if fitted is None else fitted
        known = tuple(column.name for column in how.columns)
        if known != schema.features:
            raise UserError(
                f'the preprocessing was fitted on the columns {", ".join(known)}; here are {", ".join(schema.features)}'
            )
        found: Splits = {}
        notes = [
            f'Column {column.name!r} has {len(column.categories):,} categories in {how.rows:,} training rows, each a feature of '
            'its own: leave it out of data.options.features if it names single rows or holds numbers.'
            for column in how.columns
            if len(column.categories) >= MANY_CATEGORIES or 20 <= len(column.categories) > how.rows / 2
        ]
        for name, split in splits.items():
            rows, rest = _rows(split), {key: array for key, array in (split.arrays or {}).items() if key != 'columns'}
            found[name] = Split(split.size, {field: how.apply(rows), **rest}, split.origin, labels=split.labels)
            notes += [
                f'{count} rows of {name} hold a category of {column!r} that no training row has; it counts as missing.'
                for column, count in how.unseen(rows).items()
            ]
        return found, dataclasses.replace(self, fitted=how, rows=splits), tuple(notes)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every feature, in order."""
        return self.fitted.feature_names if self.fitted is not None else self.schema.features

    @property
    def codes(self) -> tuple[tuple[int, int], ...]:
        """Where the features of each column of categories stand."""
        assert self.fitted is not None
        ends = np.cumsum([len(column.feature_names) for column in self.fitted.columns]).tolist()
        placed = zip(self.fitted.columns, [0, *ends], ends)
        return tuple((first, end) for column, first, end in placed if column.kind == 'category')

    def source(self, part: str, split: Split) -> Split:
        """The split with the columns as the file has them, before they became features."""
        return self.rows.get(part, split)

    def read(self, source: Path) -> Read:
        """The rows of a user's CSV file, prepared as the training rows were."""
        assert self.fitted is not None
        kinds = {kind: [one.name for one in self.fitted.columns if one.kind == kind] for kind in ('category', 'number')}
        try:
            sheet = read_sheet(source, kinds['category'], kinds['number'], self.schema.form)
            made = self.fitted.apply_to_input(self.schema.derive(sheet.rows), sheet.numbers)
        except UserError as error:
            raise UserError(f'--input={source}: {error}'.replace(f'{source}: {source}', str(source))) from None
        blocks = (made[at : at + BLOCK] for at in range(0, len(made), BLOCK))
        return [{'row': int(number)} for number in sheet.numbers], blocks

    def figure(
        self, name: str, title: str, note: str, split: Split, field: str, rows: Any, beside: Beside, wrong: Any = ()
    ) -> Figure:
        """The columns of the file, in their own units."""
        if 'columns' not in (split.arrays or {}):
            return super().figure(name, title, note, split, field, rows, beside)
        source = (split.arrays or {})['columns'][np.asarray(rows, np.int64)]
        names = tuple(source.dtype.names or ())[:MOST_COLUMNS]
        if len(self.names) > len(names):
            note = f'{note}; the first {len(names)} columns'
        return _table(name, title, note, names, [tuple(_shown(row[one]) for one in names) for row in source], beside)


@dataclasses.dataclass(frozen=True)
class ClassLabel(ClassAnswer):
    """[N] int32: the number of a class. names: one a class."""

    words: ClassVar[str] = 'classes'

    def answers(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        """[N, C] -> one dict an example: its class, the probability of it, and all of them, the largest first."""
        rows = []
        for row in probabilities:
            order = row.argsort()[::-1]
            first = {'class': self.names[order[0]], 'probability': float(row[order[0]])}
            rows.append({**first, 'probabilities': {self.names[k]: float(row[k]) for k in order}})
        return rows


@dataclasses.dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of the training examples: a network learns (value - mean) / deviation."""

    mean: float
    deviation: float


@dataclasses.dataclass(frozen=True)
class Value:
    """[N] float32: a number. A value times `factor` is in `unit`: 4.13 times 100,000 is 413,000 USD.

    scaled: whether a network learns it less the mean of the training examples, over their deviation (`fitted`). Arrays hold the
    value itself, and so does all that is reported.
    """

    name: str = 'target'
    unit: str = ''
    factor: float = 1.0
    scaled: bool = False
    fitted: Spread | None = None
    answer: ClassVar[bool] = True
    length: ClassVar[str] = ''
    words: ClassVar[str] = 'numbers to predict'

    def made(self, field: str, splits: Splits, fitted: Spread | None) -> tuple[Splits, Self, Notes]:
        """With mean and deviation of the training examples, where it is scaled."""
        if not self.scaled:
            return splits, self, ()
        if fitted is None:
            values = (splits['train'].arrays or {})[field].astype(np.float64)
            fitted = Spread(float(values.mean()), float(values.std()) or 1.0)
        said = f'The network learns {self.name!r} less {fitted.mean:.6g}, over {fitted.deviation:.6g} (training rows); '
        note = 'its loss is in these units, all else in those of the file. data.options.scale_target=False leaves it.'
        return splits, dataclasses.replace(self, fitted=fitted), (said + note,)

    @property
    def scaling(self) -> tuple[float, float]:
        """(offset, factor): what a network says, times `factor` plus `offset`, is the value."""
        return (0.0, 1.0) if self.fitted is None else (self.fitted.mean, self.fitted.deviation)

    @property
    def unit_words(self) -> str:
        """'100,000 USD', 'points', or 'its own unit'."""
        if not self.unit:
            return 'its own unit'
        return self.unit if self.factor == 1 else f'{self.factor:,.0f} {self.unit}'

    def answers(self, values: np.ndarray) -> list[dict[str, Any]]:
        """[N] -> one dict an example, in the unit itself."""
        return [{'target': self.name, 'value': float(value) * self.factor, 'unit': self.unit} for value in values]


Feature = Tensor | ClassLabel | Value | Boxes | Mask


def _rows(split: Split) -> np.ndarray:
    """Rows of a table as a structured array [N]."""
    return (split.arrays or {})['columns']


def _table(name: str, title: str, note: str, names: tuple[str, ...], values: list[tuple], beside: Beside) -> Table:
    shown = [[f'{one:.1%}' for one in column] if key == 'confidence' else column for key, column in beside.items()]
    lines = [(*first, *rest) for first, rest in zip(zip(*shown, strict=True), values, strict=True)]
    return Table(name, title, note, (*beside, *names), lines, decimals=3)


def _shown(value: Any) -> Any:
    if isinstance(value, np.floating):
        return '–' if np.isnan(value) else int(value) if float(value).is_integer() else float(value)
    return str(value) or '–'


def _caption(line: Mapping[str, Any]) -> str:
    """'cat', or 'dog (83%)' above 'true: cat'."""
    if 'predicted' not in line:
        return ' '.join(map(str, line.values()))
    return f'{line["predicted"]} ({line["confidence"]:.0%})\ntrue: {line["true"]}'
