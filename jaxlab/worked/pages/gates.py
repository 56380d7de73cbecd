"""Threshold gates: truth tables, nets, margins, XOR from three units (C01, C18, C19; C20 and C21 repeat them)."""

import dataclasses

import numpy as np

from jaxlab.figures import Figure
from jaxlab.protocol import Report
from jaxlab.worked.cases.gates import C19_TABLES, GATES
from jaxlab.worked.cases.slips import slips_of
from jaxlab.worked.pages.parts import by_name, once
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import gates as drawn
from jaxlab.worked.show import units
from jaxlab.worked.show.passes import slip_table

PUBLISHED = ('or', 'and', 'or_bipolar', 'and_bipolar', 'xor')
BEYOND = ('nand', 'nor', 'not', 'nand_bipolar', 'xor_bipolar')


def page(settings: Settings) -> Report:
    """The published gates with margins and C19's tables beside them, then the gates that the source leaves out."""
    figures: list[Figure] = [drawn.gate_worked(GATES['or']), drawn.gate_worked(GATES['xor'])]
    figures += [figure for name in PUBLISHED for figure in units.gate_figures(GATES[name])]
    figures += [units.margin_table([GATES[name] for name in PUBLISHED]), *by_hand()]
    figures += [drawn.hidden_plane(GATES['xor']), drawn.possible_table()]
    figures += [figure for name in BEYOND for figure in units.gate_figures(GATES[name])]
    by_name(figures)
    outputs = {name: output_of(name) for name in GATES}
    printed = [(GATES[name].published, outputs[name]) for name in PUBLISHED]
    printed += [(C19_TABLES[name], outputs[name]) for name in C19_TABLES]
    total = sum(len(output) for _, output in printed)
    wrong = sum(int(np.sum(np.asarray(page) != output)) for page, output in printed)
    right = sum(bool(np.array_equal(outputs[name], GATES[name].output)) for name in GATES)
    metrics = once(
        bipolar_or_of_no_and_no=outputs['or_bipolar'][0],
        xor_of_yes_and_yes=outputs['xor'][3],
        truth_tables=len(GATES),
        truth_tables_right=right,
        printed_entries=total,
        wrong_entries=wrong,
    )
    return Report(
        figures,
        metrics,
        (
            'C20 repeats C01 (its last output is cut off) and C21 repeats C18.',
            'C01 calls the 0/1 coding "polar"; binary is meant.',
            'NAND, NOR, NOT and the bipolar XOR are not in the source.',
        ),
        ('worked_or', 'gate_margins', 'gate_xor', 'gate_or_bipolar_by_hand', 'possible'),
        f'OR and AND, yes; XOR needs three units, since no threshold makes one unit do it. {total - wrong} of the {total} '
        'printed table entries are right; the other one is the bipolar OR of two noes in C19.',
    )


def output_of(name: str) -> np.ndarray:
    """A gate's column of answers, computed."""
    return np.asarray(GATES[name].traces()[-1].output[:, 0])


def by_hand() -> list[Figure]:
    """C19's four handwritten tables; one of the 16 entries is a slip."""
    tables = []
    for name, printed in C19_TABLES.items():
        table = units.gate_table(GATES[name], printed)
        tables.append(dataclasses.replace(table, name=f'{table.name}_by_hand', title=f'C19 by hand: {table.title}'))
    return [*tables, slip_table(slips_of('C19'), 'C19', 'C19: the slip')]
