"""Points in numbers of CSV files: behind '1.234' stand three decimal places, or a thousand and more."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.errors import UserError

GROUPED = r'^[+-]?[1-9]\d{0,2}(\.\d{3})+$'


def said(path: Path, columns: Mapping[str, Any]) -> tuple[str, ...]:
    """Names a column of nothing but such cells, empty ones apart: nobody knows.

    columns: name -> texts without blanks, a pyarrow array.
    """
    import pyarrow.compute as pc

    for name, cells in columns.items():
        known = pc.filter(cells, pc.not_equal(cells, ''))
        if len(known) and pc.all(pc.match_substring_regex(known, GROUPED)).as_py():
            return (
                f'{path.name}: {str(known[0])!r} (column {name!r}) is read as a number with three decimal places, like all of '
                "its column; where points part thousands: data.options.thousands='.'.",
            )
    return ()


def refuse(path: Path, columns: Mapping[str, Any], rows: np.ndarray) -> None:
    """In a file with decimal commas points can only part thousands: 1.234 is refused, never taken for little more than 1.

    columns: as in `said`; rows: [N], the row of the file that each is.
    """
    import pyarrow.compute as pc

    for name, cells in columns.items():
        grouped = pc.match_substring_regex(cells, GROUPED)
        words = pc.match_substring_regex(cells, r'[^\d.+\s-]')
        if pc.any(grouped).as_py() and not pc.any(words).as_py():
            row = int(np.flatnonzero(np.asarray(grouped))[0])
            raise UserError(
                f'{path}, row {rows[row]}, column {name!r}: {str(cells[row])!r} has a point, where others have a decimal comma; '
                "valid: data.options.decimal=',' and thousands='.', or (tables) its name in categories"
            )
