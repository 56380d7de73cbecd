"""Two networks on the same examples: where one is right and the other wrong. One training each is enough for this test."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.figures import Table
from jaxlab.report import statistics, wording


def to_keep(right: Sequence[bool] | np.ndarray, examples: str) -> dict[str, Any]:
    """As `judged.json` holds it: eight examples a byte. examples: a fingerprint of what was judged."""
    bits = np.asarray(right, bool)
    return {'right': np.packbits(bits).tobytes().hex(), 'count': len(bits), 'examples': examples}


def right_of(kept: Mapping[str, Any]) -> np.ndarray:
    """[N] bool, as they were before `to_keep`."""
    bits = np.frombuffer(bytes.fromhex(kept['right']), np.uint8)
    return np.unpackbits(bits, count=kept['count']).astype(bool)


def table(found: Mapping[str, Mapping[str, Any]], reference: str) -> Table:
    """McNemar's exact test of each variant against the reference, where both judged the same examples. found: `to_keep`."""
    base = found.get(reference) or {}
    count, alike = base.get('count', 0), {}
    for variant, one in found.items():
        if base and variant != reference and one and all(one[key] == base[key] for key in ('examples', 'count')):
            alike[variant] = (right_of(one), right_of(base))
    p = [statistics.mcnemar(*pair).p for pair in alike.values()]
    further = [tuple(map(wording.p_value, each)) for each in (zip(p, statistics.holm(p)) if len(p) > 1 else zip(p))]
    counts = [
        tuple(int(np.sum(cell)) for cell in (right & other, right & ~other, ~right & other, ~right & ~other))
        for right, other in alike.values()
    ]
    rows = [(variant, *cells, *tests) for variant, cells, tests in zip(alike, counts, further, strict=True)]
    note = (
        f'How many of n = {count:,} examples are right, of {reference} (the reference) and of each variant, by their first '
        "replicas. McNemar's exact test, two-sided: could as many be gained and lost by chance? It says nothing of another "
        'seed, and knows one training of each.'
    )
    columns = ['variant', 'both', 'it alone', 'reference alone', 'neither', 'p', 'p (Holm)']
    columns = columns[: 7 if len(p) > 1 else 6]
    title = f'The same examples: {reference} and the others'
    return Table('same_examples', title, note, columns, rows, align='<' + '>' * (len(columns) - 1))
