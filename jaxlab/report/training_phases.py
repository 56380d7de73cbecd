"""The table of a training in phases: what each trained, and what it reached."""

from collections.abc import Mapping
from typing import Any

from jaxlab.figures import Table
from jaxlab.report import statistics, wording


def table(results: Mapping[str, Any]) -> Table | None:
    """What each phase of a training trained and reached (before it is run: would train); None for one phase."""
    found = results.get('training_phases') or []
    if not found:
        return None
    names = list(dict.fromkeys(name for phase in found for name in phase.get('metrics') or {}))
    rows = []
    for number, phase in enumerate(found, 1):
        values = [wording.values_of((phase.get('metrics') or {}).get(name) or []) for name in names]
        reached = [wording.plus_minus(statistics.mean(each), statistics.std(each)) if each else '–' for each in values]
        rows.append((number, phase['epochs'], phase['trained'], phase['parameters'], *reached))
    note = 'Metrics at the end of each phase; nothing was chosen by them.' if names else ''
    columns = ('phase', 'epochs', 'trained', 'parameters', *map(wording.label, names))
    return Table('training_phases', 'Phases of the training', note, columns, rows, '>><>' + '>' * len(names))
