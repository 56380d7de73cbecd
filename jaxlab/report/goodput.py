"""Where the wall time of a run went, over all its starts."""

from collections.abc import Mapping
from typing import Any

from jaxlab.report import wording


def sentence(results: Mapping[str, Any]) -> str:
    """How much of the wall time of all starts were updates that count, in a sentence; '' where it is not known."""
    found = results.get('goodput') or {}
    if not found:
        return ''
    parts = {name: seconds for name, seconds in found['seconds'].items() if seconds >= 0.005 * found['wall']}
    shares = ', '.join(f'{100 * seconds / found["wall"]:.0f} % {name}' for name, seconds in parts.items())
    restarts = f'{found["restarts"]} restart' + ('' if found['restarts'] == 1 else 's')
    return f'{wording.seconds(found["wall"])} from start to end with {restarts}: {shares}'
