"""Forward passes by hand: every Z and A, published beside right (C07, C08, C10, C13, C15, C16, C17, C24 to C26)."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Table, Worked
from jaxlab.layers.activations import ACTIVATIONS
from jaxlab.protocol import Report
from jaxlab.worked import museum, network
from jaxlab.worked.cases.forward import FORWARD, ForwardCase
from jaxlab.worked.cases.slips import slips_of
from jaxlab.worked.pages.parts import by_name, once
from jaxlab.worked.quantities import forward_quantities
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import latex, passes

MAIN = 'C08'  # two layers, and the mistake that runs through three pages


def page(settings: Settings) -> Report:
    """Each case worked, as it is right and, where that differs, as it was published; the register of disagreements."""
    figures: list[Figure] = []
    for case in sorted(FORWARD.values(), key=lambda case: case.name != MAIN):
        figures += case_figures(case)
    figures += [
        passes.slip_table(slips_of('C24'), 'C24', 'C24: the same passes by hand, slips of the page'),
        composition_table(FORWARD['C15']),
        activation_table(FORWARD['C07']),
    ]
    register = register_table()
    figures.insert(0, register)
    by_name(figures)
    goldens = [golden for case in FORWARD.values() for golden in case.golden if golden.published is not None]
    wrong = sum(not golden.agrees for golden in goldens)
    found = {name: quantities(case) for name, case in FORWARD.items()}
    metrics = once(
        c08_first_output=found['C08']['A2'][0, 0],
        c10_first_output=found['C10']['A1'][0, 0],
        c15_last_net_of_row_1=found['C15']['Z2'][0, 2],
        c16_first_output=found['C16']['A1'][0, 0],
        c13_last_output=found['C13']['A2'][2, 2],
        c07_last_output_of_row_2=found['C07']['A1'][1, 2],
        c17_largest_output=found['C17']['A1'][0, 1],
        printed_matrices=len(goldens),
        wrong_matrices=wrong,
    )
    return Report(
        figures,
        metrics,
        (
            'C25 repeats C16 and C26 repeats C13: nothing new is in them.',
            'In the page of C08 the second print of the padded input is mislabelled: the hidden layer was meant.',
        ),
        (f'forward_{MAIN}', f'published_{MAIN}', register.name),
        f'{len(goldens) - wrong} of the {len(goldens)} printed matrices are right; the other {wrong} come from a wrong '
        'sigmoid (C08, C10) and a wrong input and weight matrix of the second layer (C15).',
    )


def quantities(case: ForwardCase) -> dict[str, np.ndarray]:
    """Every matrix of a worked case, computed (not as printed)."""
    return forward_quantities(network.forward(case.inputs, case.weights, case.activations))


def case_figures(case: ForwardCase) -> list[Figure]:
    """The worked pass, the published one beside it where it differs, the printed matrices, the entries that are wrong."""
    layers, title = network.forward(case.inputs, case.weights, case.activations), f'{case.name}: {case.title}'
    right = passes.forward_worked(layers, case.activations, case.name, title, case.note)
    found, figures = forward_quantities(layers), [right]
    if case.wrong_activations or case.wrong_weights:
        figures.append(as_published(case, right, title))
    table = passes.published_table(found, case.golden, case.name, f'{title}; published beside right')
    wrong = [golden for golden in case.golden if not golden.agrees]
    extra = [
        passes.deviation_table(
            found, golden, f'{case.name}_{golden.quantity}', f'{case.name}: {golden.quantity}, entry by entry'
        )
        for golden in wrong[-1:]
    ]
    return [*figures, table, *extra]


def as_published(case: ForwardCase, right: Worked, title: str) -> Worked:
    """The computation that was really executed, each result that differs from the right one marked."""
    layers, entries = museum.forward_as_published(case), museum.executed(case)
    drawn = passes.forward_worked(layers, entries, f'{case.name}_as_published', f'{title}; as published')
    causes = {golden.quantity: golden.cause for golden in case.golden if not golden.agrees}
    steps = []
    for step, same in zip(drawn.steps, right.steps):
        if step.result != same.result or step.numbers != same.numbers:
            layer = step.what.removeprefix('Layer ').partition(':')[0]
            cause = causes.get(f'Z{layer}' if step.what.endswith(': net') else f'A{layer}', 'follows')
            what = step.what.replace('precedence_sigmoid', 'the sigmoid as executed')
            step = dataclasses.replace(step, what=what, mark=f'slip: {cause}')
        steps.append(step)
    return dataclasses.replace(drawn, steps=steps, note='What was executed; the results that differ are marked.')


def register_table() -> Table:
    """All disagreements of the printed matrices in one place."""
    return Table(
        'register',
        'Register of disagreements',
        'As published and corrected; everything else agrees.',
        ('page', 'quantity', 'as published', 'corrected', 'cause'),
        [
            (
                case.name,
                golden.quantity,
                latex.as_matrix(golden.published or ''),
                latex.text_matrix(found[golden.quantity]),
                golden.cause,
            )
            for case, found in ((case, quantities(case)) for case in FORWARD.values())
            for golden in case.golden
            if not golden.agrees
        ],
        '<<<<<',
    )


def composition_table(case: ForwardCase) -> Table:
    """Layer 2 must move when layer 1 does: adds 1 to every weight of layer 1 and looks at the net of layer 2."""
    moved = (tuple(tuple(w + 1 for w in row) for row in case.weights[0]), *case.weights[1:])
    rows = []
    for label, replay in (('corrected', False), ('as published', True)):
        nets = []
        for weights in (case.weights, moved):
            each = dataclasses.replace(case, weights=weights, wrong_weights=None, every_layer_reads_inputs=replay)
            nets.append(np.asarray(museum.forward_as_published(each)[1].net))
        rows.append(
            (
                label,
                latex.text_matrix(nets[0]),
                latex.text_matrix(nets[1]),
                'moves' if np.any(nets[0] != nets[1]) else 'does not move: layer 1 is not used',
            )
        )
    return Table(
        'composition',
        f'{case.name}: does layer 2 depend on layer 1?',
        'Every weight of layer 1 is raised by 1.',
        ('wiring', 'Z2 before', 'Z2 after', 'verdict'),
        rows,
        '<<<<',
    )


def activation_table(case: ForwardCase) -> Table:
    """A table: the net input of one layer put through every activation."""
    net = jnp.asarray(quantities(case)['Z1'])
    rows = [
        (name, latex.text_matrix(np.asarray(entry.function(net)), 4))
        for name, entry in ACTIVATIONS.items()
        if entry.elementwise
    ]
    return Table(
        'every_activation',
        f'{case.name}: the same net through every activation',
        f'Z1 = {latex.text_matrix(net)}.',
        ('activation', 'A1'),
        rows,
        '<<',
    )
