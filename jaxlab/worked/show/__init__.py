"""Traces as plain figures: pure functions from what was computed to `jaxlab/figures.py`, one module a kind of page.

`perceptron` (A01, C05, C14), `delta` (A03, C03), `passes` (C02, C07 to C17), `xor` (A02), `attention` (A07, B24, D3.1),
`units` (gates, activations, tape, manual network); `planes` draws units with two inputs, `latex` writes numbers, `steps` has
the steps that several pages share.
"""

from jaxlab.worked.show.delta import delta_figures
from jaxlab.worked.show.passes import backward_figures, forward_worked, published_table, slip_table
from jaxlab.worked.show.perceptron import perceptron_figures
from jaxlab.worked.show.units import gate_figures
from jaxlab.worked.show.xor import xor_figures

__all__ = [
    'backward_figures',
    'delta_figures',
    'forward_worked',
    'gate_figures',
    'perceptron_figures',
    'published_table',
    'slip_table',
    'xor_figures',
]
