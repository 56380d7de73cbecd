"""A first look at somebody's own data: what kind they are, what is in them, what a first experiment should know of them."""

import dataclasses
import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.listing import Listing, scan
from jaxlab.data.names import in_order
from jaxlab.data.sheets import Form, Sheet, is_strange, mostly_numbers, read_sheet, strange_cell
from jaxlab.errors import UserError

RARE = 0.25  # share of all examples over that of an equal share, below which a class is rare
TABLES = ('.csv', '.tsv', '.txt')
TARGETS = (
    'target',
    'label',
    'class',
    'y',
    'outcome',
    'species',
    'survived',
    'diagnosis',
    'churn',
)  # names that a target often has, in any case
MOST_CLASSES = 20  # different whole numbers from which on a column is taken for numbers to predict
MOST_ODD = 3  # different cells that are no numbers among numbers
SIZES = (16, 32, 64, 96)  # pixels a side that a first network is given
FEW = 1000  # pictures a class; below, features of a network that learned of many photographs are worth a try
LARGE = 128  # pixels a side from which on they are


@dataclasses.dataclass(frozen=True)
class Look:
    """data: the data set's name; task; options of it; rows: how many examples; said: what was found; guessed: field -> why."""

    data: str
    task: str
    options: dict[str, Any]
    rows: int
    said: tuple[str, ...]
    guessed: dict[str, str]
    rare: str = ''  # the rare one of two classes
    parts: tuple[str, ...] = ()
    few: bool = False  # few photographs: what another network learned of many says more of them


def look_over(place: Path) -> Look:
    """Pictures in class folders, or a table: the file itself, or the only one of a folder."""
    if place.is_file():
        return table(place)
    listing = scan(place)
    if listing is not None:
        return pictures(place, listing)
    files = sorted(path for path in place.iterdir() if path.suffix.lower() in TABLES and path.name[:1] != '.')
    if len(files) == 1:
        return table(files[0])
    found = (
        f'{len(files)} tables ({", ".join(path.name for path in files[:5])})'
        if files
        else 'neither pictures nor a table'
    )
    raise UserError(f'{str(place)!r} holds {found}; valid: --data_dir=FOLDER of class folders, or --data_dir=FILE.csv')


def pictures(root: Path, listing: Listing) -> Look:
    """Classes, sizes, what is left out, equal files."""
    from PIL import Image

    files = [path for part in listing.files.values() for path in part]
    labels = [label for part in listing.labels.values() for label in part]
    sizes = []
    for path in files[:: max(1, len(files) // 400)]:
        try:
            with Image.open(path) as image:
                sizes.append(image.size)
        except OSError:
            continue  # training says which ones cannot be read
    if not sizes:
        raise UserError(f'{str(root)!r}: none of its pictures can be read')
    counts = Counter(listing.names[label] for label in labels)
    if len(counts) < 2:
        raise UserError(
            f'{str(root)!r} has one class only ({listing.names[0]!r}); valid: two folders of pictures or more'
        )
    said = [f'{len(files):,} pictures of {len(counts)} classes: {_counted(counts)}.', *listing.notes]
    (narrow, low), (wide, high) = np.min(sizes, axis=0).tolist(), np.max(sizes, axis=0).tolist()
    said.append(f'Sizes from {narrow} to {wide} pixels wide, {low} to {high} high.')
    said += _rarity(counts)
    prints: dict[str, set[str]] = {}
    for part, paths in listing.files.items():
        for path in paths:
            prints.setdefault(hashlib.blake2b(path.read_bytes()).hexdigest(), set()).add(part)
    equal = len(files) - len(prints)
    across = sum(len(parts) > 1 for parts in prints.values())
    said += [f'{equal:,} files are copies of others; {across:,} pictures stand in several parts.'] if equal else []
    side = float(np.median([min(size) for size in sizes]))
    chosen = max((size for size in SIZES if size <= side), default=SIZES[0])
    guessed = {'image_size': f'half of the pictures have a shorter side of {side:.0f} pixels or more'}
    options = {'path': '.', 'image_size': chosen, 'shorter_side': chosen}
    guessed['shorter_side'] = 'the middle is cut out; 0 squashes the whole picture instead'
    few = len(files) < FEW * len(counts) and side >= LARGE
    if few:
        said.append(
            'Few photographs: features of a pretrained network may say more of them (data.backbone); the file says how.'
        )
    parts = tuple(listing.files)
    return Look('folder', 'classification', options, len(files), tuple(said), guessed, _rare(counts), parts, few)


def table(path: Path) -> Look:
    """Target, kind, missing values, columns that say nothing or too much, equal rows."""
    sheet = read_sheet(path)
    odd, mixed = _odd(sheet)
    if odd:
        sheet = read_sheet(path, form=Form(missing=odd))
    rows, names = sheet.rows, list(sheet.rows.dtype.names or ())
    if len(names) < 2:
        raise UserError(f'{path} has one column; valid: a target and at least one column beside it')
    likely = sorted((name for name in names if name.lower() in TARGETS), key=lambda name: TARGETS.index(name.lower()))
    target = names[-1] if names[-1] in likely or not likely else likely[0]
    values, guessed = rows[target], {'target': 'its name says so' if target.lower() in TARGETS else 'the last column'}
    numbers = values.dtype.kind == 'f'
    whole = numbers and bool(np.all(values[np.isfinite(values)] % 1 == 0))
    kinds = np.unique(values[np.isfinite(values)] if numbers else values[values != ''])
    classifies = not numbers or whole and len(kinds) <= MOST_CLASSES
    if len(kinds) < 2:
        raise UserError(
            f'{path}: the target {target!r} is the same in every row; valid: a column to predict that differs'
        )
    if target in mixed:
        raise UserError(
            f'{path}, {strange_cell(target, values, sheet.numbers)}, most of the column are; valid: numbers, or a config of '
            'your own (data.options.decimal, thousands, missing, categories)'
        )
    guessed['kind'] = f'{target!r} has {len(kinds):,} different values' + (
        '' if classifies else ', all of them numbers'
    )
    said = [f'{len(rows):,} rows, {len(names)} columns; the target is {target!r}.', *sheet.notes]
    left: dict[str, str] = {}
    for name in names:
        why = '' if name == target else mixed.get(name) or _suspicious(rows[name], name)
        left |= {name: why} if why else {}
        missing = int(np.isnan(rows[name]).sum() if rows[name].dtype.kind == 'f' else (rows[name] == '').sum())
        said += [f'{missing:,} cells of {name!r} are missing.'] if missing else []
    said += [f'Left out: {name!r}, {why}.' for name, why in left.items()]
    equal = len(rows) - len(set(map(str, rows.tolist())))
    said += [f'{equal:,} rows are copies of others: they may stand in training and test.'] if equal else []
    options: dict[str, Any] = {
        'path': path.name,
        'target': target,
        'kind': 'classification' if classifies else 'regression',
    }
    if odd:
        options['missing'] = odd
        guessed['missing'] = f'{", ".join(map(repr, odd))} among numbers'
        said.append(f'Cells that are no numbers in columns of numbers are taken for missing: {", ".join(odd)}.')
    features = tuple(name for name in names if name != target and name not in left)
    if not features:
        raise UserError(
            f'{path}: no column can say anything of {target!r}: {"; ".join(f"{k!r} {v}" for k, v in left.items())}; valid: '
            "other columns, or a config of your own for texts (data='text') or a series (data='series'): docs/own_data.md"
        )
    if left:
        options['features'] = features
        guessed['features'] = f'without {", ".join(left)}'
    rare = ''
    if classifies:
        shown = [f'{value:g}' for value in values.tolist()] if numbers else values.tolist()
        counts = Counter({name: shown.count(name) for name in in_order(set(shown) - {'', 'nan'})})
        said.append(f'Classes: {_counted(counts)}.')
        said += _rarity(counts)
        rare = _rare(counts)
    task = 'classification' if classifies else 'regression'
    return Look('table', task, options, len(rows), tuple(said), guessed, rare)


def _odd(sheet: Sheet) -> tuple[tuple[str, ...], dict[str, str]]:
    """Of columns that are mostly of numbers: (the few kinds of other cells, taken for missing; columns with many, and why)."""
    columns = {name: sheet.rows[name] for name in sheet.rows.dtype.names or ()}
    mixed = {name: values for name, values in columns.items() if values.dtype.kind != 'f' and mostly_numbers(values)}
    found = {name: {cell for cell in values.tolist() if is_strange(cell)} for name, values in mixed.items()}
    many = {
        name: f'most of its cells are numbers, but {len(cells):,} kinds of them are none '
        f'({strange_cell(name, columns[name], sheet.numbers)})'
        for name, cells in found.items()
        if len(cells) > MOST_ODD
    }
    few = (cells for name, cells in found.items() if name not in many)
    return tuple(sorted(set().union(*few))), many


def _suspicious(values: np.ndarray, name: str) -> str:
    """Why a column should not be a feature; '' where nothing speaks against it."""
    kinds, size = np.unique(values), len(values)
    if len(kinds) == 1:
        return 'the same in every row'
    if values.dtype.kind != 'f':
        kinds, size = kinds[kinds != ''], int((values != '').sum())
        return f'a text of its own in {len(kinds):,} of {size:,} rows' if len(kinds) > max(20, size / 2) else ''
    steps = np.diff(values)
    counts_rows = size > 2 and bool(np.all(steps == steps[0])) and steps[0] != 0
    named = name.lower().split('_')[-1] in ('id', 'no', 'nr', 'number', 'index')
    is_id = named and len(kinds) == size and bool(np.all(values % 1 == 0))
    return 'it counts or names the rows' if counts_rows or is_id or (name.lower() == 'id') else ''


def _counted(counts: Counter[str]) -> str:
    shown = ', '.join(f'{name} {count:,}' for name, count in list(counts.items())[:12])
    return shown + (' ...' if len(counts) > 12 else '')


def _rarity(counts: Counter[str]) -> list[str]:
    few = [name for name, count in counts.items() if count < RARE * counts.total() / len(counts) * 2]
    if not few:
        return []
    always = max(counts.values()) / counts.total()
    return [f'Rare: {", ".join(map(repr, few))}. Whoever always says the most frequent class is right on {always:.1%}.']


def _rare(counts: Counter[str]) -> str:
    """The rare one of two classes."""
    (name, count) = min(counts.items(), key=lambda item: item[1]) if counts else ('', 0)
    return name if len(counts) == 2 and count < RARE * counts.total() else ''
