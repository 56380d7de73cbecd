"""Activations with their derivatives, saturation, tensors and tape (C06, C09, C33; C32 repeats C09)."""

import dataclasses
import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Lines, Step, Table, Worked
from jaxlab.layers.activations import ACTIVATIONS, Activation, activation
from jaxlab.protocol import Report
from jaxlab.worked.cases.slips import slips_of
from jaxlab.worked.cases.tape import TAPE, TENSORS
from jaxlab.worked.museum import MUSEUM
from jaxlab.worked.pages.parts import by_name, once, renamed
from jaxlab.worked.sampled import sampled
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import latex, units
from jaxlab.worked.show.passes import slip_table

GRID = np.arange(-5, 5, 0.1)  # in float64: entry 50 is -1.8e-14 and not 0
ROWS = (0, 10, 25, 40, 49, 50, 51, 60, 75, 99)
AT = 1.0  # where the worked values are taken; at 0 two wrong formulas look right
FLAT = 0.01


@functools.cache
def plotted() -> tuple[Activation, ...]:
    """The five activations whose curves C06 plots."""
    names = ('sigmoid', 'bipolar_sigmoid', 'linear', 'relu')
    return (*map(activation, names), activation('leaky_relu', slope=0.2))


def page(settings: Settings) -> Report:
    """The five of the page worked at one point and on its grid, then all, the wrong formulas, tape and tensors."""
    everyone = [entry for entry in ACTIVATIONS.values() if entry.elementwise]
    five, others = plotted(), [entry for entry in everyone if entry.name not in {each.name for each in plotted()}]
    figures: list[Figure] = [worked(five), derivation(), *units.activation_curves(five), grid_table(), sums_table()]
    figures += renamed(units.activation_curves(others), 'others', 'The others')
    figures += [units.activation_table(everyone), saturation_table(everyone), units.museum_table(), wrong_slopes()]
    figures += [slip_table(slips_of('C33'), 'C33', 'C33: slips of the page'), units.tape_worked(TAPE), tensor_table()]
    by_name(figures)
    sigmoid, bipolar = activation('sigmoid'), activation('bipolar_sigmoid')
    gap = autodiff_gap(everyone)
    metrics = once(
        sigmoid_at_3=sigmoid.function(jnp.asarray(3.0)),
        sigmoid_slope_at_3=sigmoid.derivative(jnp.asarray(3.0)),
        bipolar_slope_at_1=bipolar.derivative(jnp.asarray(1.0)),
        sum_of_sigmoid=jnp.sum(sigmoid.function(jnp.asarray(GRID))),
        sum_of_relu=jnp.sum(activation('relu').function(jnp.asarray(GRID))),
        gradient_gap=gap,
        activations=len(ACTIVATIONS),
    )
    return Report(
        figures,
        metrics,
        (
            'C32 repeats the first part of C09.',
            'At a kink there is no derivative; the conventions used are noted for each activation.',
            'C09 names a power example whose exponent is 1, so it is the linear one again.',
        ),
        ('values_at_1', 'activation_table', 'wrong_formulas', 'tape'),
        f'{len(ACTIVATIONS)} activations; every closed-form derivative equals automatic differentiation (largest '
        f'difference {gap:.0e}). Two of the derivatives in C33 are wrong: the bipolar one has a plus for a minus.',
    )


def autodiff_gap(entries: Sequence[Activation]) -> float:
    """Largest difference of a closed form to `jax.grad`, away from kinks."""
    found = sampled(entries, np.linspace(-8, 8, 801) + 1.234e-3)
    return max(float(np.max(np.abs(each.slope - each.automatic))) for each in found)


def worked(entries: tuple[Activation, ...]) -> Worked:
    """Value and slope at one point, formula first."""
    steps = []
    for entry, at in zip(entries, sampled(entries, AT), strict=True):
        steps += [
            Step(
                f'Value at x = {AT:g}',
                f'f(x) = {entry.latex}',
                '',
                latex.number(float(at.value), 10),
                part=entry.name.replace('_', ' '),
            ),
            Step('Slope there', f"f'(x) = {entry.latex_derivative}", '', latex.number(float(at.slope), 10)),
            Step(
                'The same by automatic differentiation',
                r'\mathrm{grad}\, f',
                '',
                latex.number(float(at.automatic), 10),
            ),
        ]
    return Worked(
        'values_at_1',
        f'The five activations of the page at x = {AT:g}',
        'Leaky ReLU with slope 0.2, as plotted.',
        steps,
    )


def derivation() -> Worked:
    """C33's derivations, without their sign slips."""
    return Worked(
        'derivations',
        'Where the slopes come from (C33, corrected)',
        '',
        (
            Step(
                'Unipolar sigmoid: outer times inner derivative',
                r"f = (1 + e^{-x})^{-1},\; f'",
                r'-(1 + e^{-x})^{-2} \cdot (-e^{-x})',
                r'\frac{e^{-x}}{(1 + e^{-x})^2} = f\,(1 - f)',
                "slip: the page loses the inner minus and ends with f'' = f'(1 - f)",
            ),
            Step(
                'Bipolar sigmoid: quotient rule',
                r"f = \frac{1 - e^{-x}}{1 + e^{-x}},\; f'",
                r'\frac{e^{-x}(1 + e^{-x}) + (1 - e^{-x})\,e^{-x}}{(1 + e^{-x})^2}',
                r'\frac{2 e^{-x}}{(1 + e^{-x})^2} = \tfrac{1}{2}(1 - f^2)',
                'slip: the page ends with (1 + f^2) / 2',
            ),
            Step(
                'A test away from 0, where both forms give 0.5',
                r'x = 1,\; f = 0.462117',
                r'\tfrac{1}{2}(1 - 0.213552)',
                '0.393224',
                'slip: with the plus it would be 0.606776',
            ),
        ),
    )


def grid_table() -> Table:
    """C06's grid at ten of its hundred points."""
    names = [entry.name for entry in plotted()]
    values = [each for name, each in zip(names, sampled(plotted(), GRID), strict=True) if name != 'linear']
    return Table(
        'grid',
        'Values / slopes on the grid of C06',
        'Entry 50 is -1.8e-14 and not 0: the slope of ReLU is 0 there.',
        ('i', 'x', 'sigmoid', 'bipolar sigmoid', 'ReLU', 'leaky ReLU'),
        [(i, f'{GRID[i]:.3g}', *(f'{value[i]:.8g} / {slope[i]:.8g}' for value, slope, _ in values)) for i in ROWS],
        '>>>>>>',
    )


def sums_table() -> Table:
    """Sums over the grid: one number that a wrong formula would change."""
    return Table(
        'sums',
        'Sums over the grid',
        'A check: 100 points from -5 to 4.9.',
        ('activation', 'sum of f', "sum of f'", "largest f'"),
        [
            (
                entry.name.replace('_', ' '),
                float(np.sum(each.value)),
                float(np.sum(each.slope)),
                float(np.max(each.slope)),
            )
            for entry, each in zip(plotted(), sampled(plotted(), GRID), strict=True)
        ],
        '<>>>',
        10,
    )


def saturation_table(entries: list[Activation]) -> Table:
    """Between which nets a unit learns at all."""
    x = np.arange(-2000, 2001) / 100
    rows = []
    for entry, each in zip(entries, sampled(entries, x), strict=True):
        alive = x[np.abs(each.slope) >= FLAT]
        if alive.size == 0:
            words = 'nowhere: no gradient at all'
        else:
            low = '-inf' if alive[0] == x[0] else f'{alive[0]:.2f}'
            high = 'inf' if alive[-1] == x[-1] else f'{alive[-1]:.2f}'
            words = 'everywhere' if (low, high) == ('-inf', 'inf') else f'{low} to {high}'
        rows.append((entry.name, words))
    return Table(
        'saturation',
        f'Where a gradient gets through: slope of at least {FLAT:g}',
        'Searched from -20 to 20.',
        ('activation', 'x'),
        rows,
        '<<',
    )


def wrong_slopes() -> Lines:
    """The bipolar sigmoid's slope and the two wrong forms of it."""
    x = jnp.asarray(GRID)
    series = {'right: (1 - f^2) / 2': (GRID, np.asarray(activation('bipolar_sigmoid').derivative(x)))}
    for name, label in (
        ('bipolar_slope_plus', 'C33: (1 + f^2) / 2'),
        ('bipolar_slope_square_outside', 'C11, C12: (1 - f)^2 / 2'),
    ):
        series[label] = (GRID, np.asarray(MUSEUM[name].wrong.derivative(x)))
    figure = Lines('wrong_slopes', 'The slope of the bipolar sigmoid, right and as printed', '', series, 'x', "f'(x)")
    return dataclasses.replace(
        figure, note='At 0 all three agree, so a test has to be made elsewhere.', horizontal={'largest possible': 0.5}
    )


def tensor_table() -> Table:
    """Shapes as printed and as the transcribed brackets give them."""
    return Table(
        'tensors',
        'Tensors: shape and type (C06, C09)',
        'Listed: what the brackets of the transcribed listing give.',
        ('value', 'shape', 'type', 'printed', 'listed', ''),
        [
            (
                case.what,
                str(np.shape(case.value)),
                case.dtype,
                str(case.printed),
                'ragged' if case.listed is None else str(case.listed),
                'agrees' if case.listed == case.printed else case.cause,
            )
            for case in TENSORS
        ],
        '<<<<<<',
    )
