"""Traces as plain figures: pure functions from what was computed to `jaxlab/figures.py`, one module a kind of page."""

from jaxlab.neurons.present.perceptron import perceptron_figures

__all__ = ['perceptron_figures']
