"""Backward passes by hand: every delta, gradient and new weight, equal to `jax.grad` (C02, C11, C12, C27 to C30)."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Lines, Step, Table
from jaxlab.layers.activations import activation
from jaxlab.protocol import Report
from jaxlab.worked import museum, network
from jaxlab.worked.cases.backward import BACKWARD, ERROR_ROWS, BackwardCase
from jaxlab.worked.cases.printed import Golden
from jaxlab.worked.cases.slips import slips_of
from jaxlab.worked.gradient_check import check_gradients
from jaxlab.worked.pages.parts import by_name, once
from jaxlab.worked.quantities import epoch_quantities, iteration, update_quantities
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import latex, passes

MAIN, CASES = 'C02', ('C02', 'C12', 'C11')
RATES = (1.0, 0.1, 0.05, 0.01)


def page(settings: Settings) -> Report:
    """Each case iteration by iteration, beside automatic differentiation, what was printed, and the slips by hand."""
    figures: list[Figure] = [register_table()]
    for name in CASES:
        figures += case_figures(BACKWARD[name], settings.learning_rate)
    figures += [
        passes.slip_table(slips_of('C29'), 'C29', 'C29: the first iteration of C02 by hand, slips of the page'),
        passes.slip_table(slips_of('C27'), 'C27', 'C27: the three iterations of C12 by hand, slips of the page'),
        rate_curves(BACKWARD['C02']),
        loss_curves(BACKWARD['C12']),
        saturation(),
    ]
    by_name(figures)
    two, one, wrong = (trace_of(BACKWARD[name]) for name in CASES)
    checks = [check for name in CASES for check in checks_of(BACKWARD[name])]
    goldens = [g for name in CASES for g in published(BACKWARD[name])]
    differing = sum(not golden.agrees for golden in goldens)
    metrics = once(
        c02_first_error=two.error[0],
        c02_last_error=two.error[-1],
        c02_error_after=summed(BACKWARD['C02'], two),
        c02_final_weight=two.weights[0][-1, 0, 0],
        c12_first_error=one.error[0],
        c12_final_weight=one.weights[0][-1, 0, 2],
        c11_first_output=wrong.forward[0].output[0, 0, 0],
        c11_first_gradient=wrong.backward[0].gradient[0, 0, 0],
        c11_final_weight=wrong.weights[0][-1, 0, 2],
        gradient_gap=max(check.gap for check in checks),
        printed_quantities=len(goldens),
        wrong_quantities=differing,
    )
    return Report(
        figures,
        metrics,
        (
            'C28 repeats C12 and C30 repeats C02: nothing new is in them.',
            'With learning rate 1 the summed error of C02 goes from 7 to '
            f'{float(summed(BACKWARD["C02"], two)):.4g} in one epoch; its page prints no loss, so that stayed unseen.',
        ),
        (f'backward_{MAIN}_1', f'check_{MAIN}', f'published_{MAIN}'),
        f'Every gradient by hand equals automatic differentiation (largest difference {max(c.gap for c in checks):.1g}). '
        f'{len(goldens) - differing} of {len(goldens)} printed quantities are right; the wrong ones are those of C11, '
        'whose "sigmoid" was 1 + exp(-z).',
        comparable=settings.as_published,
    )


def trace_of(case: BackwardCase, learning_rate: float = 0.0, replay: bool = False) -> network.BackpropTrace:
    """One epoch with everything kept; `replay`: with the activations that were really executed."""
    entries = museum.executed(case) if replay else case.activations
    rate = learning_rate or case.learning_rate
    return network.backprop_epoch(case.weights, case.inputs, case.targets, entries, rate)[1]


def summed(case: BackwardCase, trace: network.BackpropTrace) -> jax.Array:
    """The error over all samples with the weights at the end of the epoch."""
    weights = [matrix[-1] for matrix in trace.weights]
    return network.total_error(weights, case.inputs, case.targets, case.activations)


def checks_of(case: BackwardCase) -> Sequence:
    return check_gradients(case.weights, case.inputs, case.targets, case.activations)


def case_figures(case: BackwardCase, learning_rate: float = 0.0) -> list[Figure]:
    """The iterations, the network, the check, what was printed; the published computation where it was another one."""
    trace, title = trace_of(case, learning_rate), f'{case.name}: {case.title}'
    rate = learning_rate or case.learning_rate
    figures = passes.backward_figures(trace, case.activations, rate, case.name, title, checks_of(case), note=case.note)
    figures.append(error_table(case, trace))
    if learning_rate and learning_rate != case.learning_rate:
        return figures  # the page printed nothing for this rate
    printed = f'{title}; published beside right'
    figures.append(passes.published_table(epoch_quantities(trace), published(case), case.name, printed))
    return [*figures, *(replayed(case, title) if case.wrong_activations else [])]


def published(case: BackwardCase) -> list[Golden]:
    """All printed quantities, each with the number of its iteration."""
    rows = []
    for n, goldens in enumerate(case.golden):
        errors = ERROR_ROWS.get(case.name, ())
        for golden in (*goldens, *errors[n : n + 1]):
            if golden.published is not None:
                why = golden.cause or ('' if golden.agrees else 'follows from the wrong sigmoid')
                rows.append(dataclasses.replace(golden, quantity=f'{n + 1}: {golden.quantity}', cause=why))
    return rows


def replayed(case: BackwardCase, title: str) -> list[Figure]:
    """What was really executed, and the three columns: printed, recomputed with the mistake, right."""
    wrong, right = trace_of(case, replay=True), trace_of(case)
    pages = passes.backward_worked(
        wrong, museum.executed(case), case.learning_rate, f'{case.name}_as_published', f'{title}; as published'
    )
    marked = []
    for n, each in enumerate(pages):
        true = passes.backward_worked(right, case.activations, case.learning_rate, '', '')[n]
        steps = [step if step.result == same.result else _marked(step) for step, same in zip(each.steps, true.steps)]
        marked.append(dataclasses.replace(each, steps=steps))
    rows = []
    for n, goldens in enumerate(case.golden):
        bad, good = (update_quantities(iteration(trace, n)) for trace in (wrong, right))
        for golden in goldens:
            rows.append(
                (
                    f'{n + 1}: {golden.quantity}',
                    golden.published or 'not printed',
                    latex.text_matrix(bad[golden.quantity], 10),
                    latex.text_matrix(good[golden.quantity], 10),
                )
            )
    table = Table(
        f'replay_{case.name}',
        f'{case.name}: printed, recomputed as published, corrected',
        'The sign of the first gradient, and with it the way that the weights go, is the opposite.',
        ('quantity', 'printed', 'as published', 'corrected'),
        rows,
        '<<<<',
    )
    return [*marked, table]


def _marked(step: Step) -> Step:
    what = step.what.replace('precedence_sigmoid', 'the sigmoid as executed')
    return dataclasses.replace(step, what=what, mark='slip: 1 + exp(-z) was executed')


def error_table(case: BackwardCase, trace: network.BackpropTrace) -> Table:
    """Each sample's error before its update, and all of them with the final weights."""
    outputs = network.forward(case.inputs, [matrix[-1] for matrix in trace.weights], case.activations)[-1].output
    start = network.forward(case.inputs, case.weights, case.activations)[-1].output
    rows = [
        (
            n + 1,
            latex.text_number(t),
            latex.text_number(start[0, n], 10),
            latex.text_number(trace.error[n], 10),
            latex.text_number(outputs[0, n], 10),
            latex.text_number(0.5 * (outputs[0, n] - t) ** 2, 10),
        )
        for n, t in enumerate(case.targets)
    ]
    total = (float(jnp.sum(0.5 * (start[0] - jnp.asarray(case.targets, float)) ** 2)), float(summed(case, trace)))
    note = f'Summed error: {total[0]:.10g} with the start weights, {total[1]:.10g} after the epoch.'
    return Table(
        f'errors_{case.name}',
        f'{case.name}: the error, which the page does not follow',
        note,
        ('sample', 'target', 'output at the start', 'E before its update', 'output after the epoch', 'E after'),
        rows,
        '>>>>>>',
    )


def curve(case: BackwardCase, rate: float, epochs: int, loss: str = 'half_squared', weights=None) -> np.ndarray:
    """Summed half squared error before the first epoch and after each."""
    start = network.as_weights(case.weights if weights is None else weights)

    def one_epoch(weights, _):
        weights, _ = network.backprop_epoch(weights, case.inputs, case.targets, case.activations, rate, loss=loss)
        return weights, network.total_error(weights, case.inputs, case.targets, case.activations)

    errors = jax.jit(lambda w: jax.lax.scan(one_epoch, w, length=epochs)[1])(start)
    return np.concatenate([[network.total_error(start, case.inputs, case.targets, case.activations)], errors])


def rate_curves(case: BackwardCase, epochs: int = 10) -> Lines:
    """One net, several learning rates."""
    curves = {f'learning rate {rate:g}': curve(case, rate, epochs) for rate in RATES}
    return passes.error_curves(curves, 'learning_rates', f'{case.name}: the learning rate decides')


def loss_curves(case: BackwardCase, epochs: int = 1000) -> Lines:
    """The saturated unit under both losses, and from smaller weights."""
    small = ((tuple(0.1 * w for w in case.weights[0][0]),),)
    curves = {
        'half squared error': curve(case, case.learning_rate, epochs),
        'cross-entropy': curve(case, case.learning_rate, epochs, 'cross_entropy'),
        'half squared error, weights 0.1': curve(case, case.learning_rate, epochs, weights=small),
    }
    figure = passes.error_curves(curves, 'losses', f'{case.name}: a saturated unit learns slowly under squared error')
    note = 'Half squared error of all samples, whichever loss was descended. Cross-entropy: delta = a - t, no slope.'
    return dataclasses.replace(figure, note=note)


def saturation() -> Lines:
    """The slope that multiplies every gradient of a sigmoid unit."""
    z = np.linspace(-8, 8, 321)
    slope = np.asarray(activation('sigmoid').derivative(jnp.asarray(z)))
    return Lines(
        'saturation',
        'Why so little happens: the slope of the sigmoid',
        'At z = 5 it is 0.0066 of at most 0.25.',
        {"f'(z)": (z, slope)},
        'net z',
        'slope',
        vertical={'start of C11 and C12': 5.0},
    )


def register_table() -> Table:
    """Everything that the pages of this family print wrongly."""
    rows = [
        (slip.spec, slip.what, slip.published, slip.right, slip.cause)
        for spec in ('C02', 'C11', 'C12', 'C27', 'C29')
        for slip in slips_of(spec)
    ]
    for golden in published(BACKWARD['C11']):
        if not golden.agrees:
            rows.append(
                ('C11', f'iteration {golden.quantity}', golden.published or '', _short(golden.right), golden.cause)
            )
    return Table(
        'register',
        'Register of disagreements',
        f'{len(rows)} entries, as published and corrected.',
        ('page', 'what', 'as published', 'corrected', 'cause'),
        rows,
        '<<<<<',
    )


def _short(right: object) -> str:
    return latex.text_vector(np.asarray(right), 6)
