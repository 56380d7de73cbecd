"""What every case says of itself."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Case:
    """`spec`: the sections of the reports that became this case. `note`: what a reader should know of it."""

    name: str
    title: str
    _: dataclasses.KW_ONLY
    spec: tuple[str, ...]
    note: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkCase(Case):
    """Inputs as columns, weights with the bias column first. `wrong_activations`: what was executed in their place."""

    inputs: tuple
    weights: tuple
    activations: tuple[str, ...]
    wrong_activations: tuple[str, ...] | None = None  # names of the museum are allowed here


def by_name[Kind: Case](*cases: Kind) -> dict[str, Kind]:
    """The cases of one kind, looked up by their names."""
    return {case.name: case for case in cases}
