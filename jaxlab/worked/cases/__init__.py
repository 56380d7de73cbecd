"""The cases as explicit data, one module a kind: inputs, weights, targets, rates, printed numbers beside right ones.

`case('forward', 'C08')` looks one up; `by_spec()` says which cases a section of the reports became.
"""

from typing import Any

from jaxlab.errors import lookup
from jaxlab.worked.cases.attention import ATTENTION
from jaxlab.worked.cases.backward import BACKWARD
from jaxlab.worked.cases.base import by_name
from jaxlab.worked.cases.delta import DELTA
from jaxlab.worked.cases.forward import FORWARD
from jaxlab.worked.cases.gates import GATES
from jaxlab.worked.cases.perceptron import PERCEPTRON
from jaxlab.worked.cases.xor import A02

KINDS: dict[str, dict[str, Any]] = {
    'gates': GATES,
    'perceptron': PERCEPTRON,
    'delta': DELTA,
    'xor': by_name(A02),
    'forward': FORWARD,
    'backward': BACKWARD,
    'attention': ATTENTION,
}


def case(kind: str, name: str) -> Any:
    """One case, or a `UserError` that names the closest one."""
    return lookup(lookup(KINDS, kind, 'kind of case'), name, f'{kind} case')


def by_spec() -> dict[str, list[tuple[str, str]]]:
    """Spec ID -> its cases as (kind, name)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for kind, table in KINDS.items():
        for name, each in table.items():
            for spec in each.spec:
                found.setdefault(spec, []).append((kind, name))
    return found
