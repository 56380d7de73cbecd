"""Attention by hand as a worked page and maps (A07, B24, D3.1)."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Lines, Matrix, Table, Worked
from jaxlab.worked.attention import AttentionTrace, entropy
from jaxlab.worked.shapes import Numbers
from jaxlab.worked.show import latex
from jaxlab.worked.show.steps import matrix_step


def worked(trace: AttentionTrace, name: str, title: str, note: str = '') -> Worked:
    """Every matrix of one head (no leading axes)."""
    depth = trace.queries.shape[-1]
    asked, answered = latex.matrices(trace.queries, trace.keys), latex.matrices(trace.weights, trace.values)
    steps = [
        matrix_step('Queries', 'Q', trace.queries),
        matrix_step('Keys', 'K', trace.keys),
        matrix_step('Values', 'V', trace.values),
        matrix_step('Scores: every query with every key', r'S = Q K^T', trace.scores, f'{asked}^T'),
        matrix_step(
            'Scaled, so that their variance does not grow with the depth',
            r'L = S / \sqrt{d_k}',
            trace.scaled,
            rf'S / \sqrt{{{depth}}}',
            'masked keys: minus infinity' if np.isneginf(np.asarray(trace.scaled)).any() else '',
        ),
        matrix_step("Exponentials, each row's maximum taken off", r'e^{L - \max L}', trace.shifted),
        matrix_step('Their sums, row by row', r'\sum_j e^{L_{ij} - \max_j L_{ij}}', trace.total),
        matrix_step('Weights: each row sums to 1', r'A = \mathrm{softmax}(L)', trace.weights),
        matrix_step('Output: weighted means of the values', r'O = A V', trace.output, answered),
    ]
    return Worked(f'attention_{name}', title, f'{latex.ROUNDING} {note}'.strip(), steps)


def weight_map(
    weights: Numbers,
    name: str,
    title: str,
    query_names: Sequence[str] = (),
    key_names: Sequence[str] = (),
    note: str = '',
) -> Matrix:
    """The attention map: queries down, keys across."""
    weights = np.asarray(weights)
    return Matrix(
        f'attention_map_{name}',
        title,
        note,
        weights,
        query_names or [f'query {index + 1}' for index in range(weights.shape[0])],
        key_names or [f'key {index + 1}' for index in range(weights.shape[1])],
        'attends to',
        'query',
        '{:.2f}',
    )


def agreement_table(trace: AttentionTrace, others: Mapping[str, Any]) -> Table:
    """The output beside other implementations."""
    rows = [
        (label, f'{float(np.max(np.abs(np.asarray(trace.output) - np.asarray(other)))):.1e}')
        for label, other in others.items()
    ]
    return Table(
        'attention_agreement',
        'The same output elsewhere',
        'Largest difference to the output by hand.',
        ('implementation', 'difference'),
        rows,
        '<>',
    )


def entropy_table(weights: Mapping[str, Any]) -> Table:
    """How sharply each query looks."""
    rows = []
    for label, each in weights.items():
        each = np.asarray(each)
        rows.append(
            (label, latex.text_vector(np.asarray(entropy(jnp.asarray(each))), 4), float(np.log(each.shape[-1])))
        )
    return Table(
        'attention_entropy',
        'Entropy of the rows in nats',
        '0: one key only; the maximum: all keys alike.',
        ('weights', 'entropy of each query', 'maximum'),
        rows,
        '<<>',
        4,
    )


def variance_curve(depths: Sequence[int], variances: Numbers) -> Lines:
    """Why the scores are divided by sqrt(d). variances: [K, 2], plain and scaled."""
    variances = np.asarray(variances)
    return Lines(
        'attention_variance',
        'Variance of the scores',
        'Unit normal queries and keys.',
        {'q . k': (np.asarray(depths), variances[:, 0]), 'q . k / sqrt(d)': (np.asarray(depths), variances[:, 1])},
        'depth d',
        'variance',
        True,
        True,
        True,
    )


def state_beside_map(
    state: Numbers, trace: AttentionTrace, query_names: Sequence[str], key_names: Sequence[str]
) -> list[Figure]:
    """B24's two panels: a recurrent net's last state, one vector, beside the attention map."""
    state = np.atleast_2d(np.asarray(state))
    return [
        Matrix(
            'gru_state',
            'Last hidden state of the recurrent encoder (summary vector)',
            'The whole sentence in one vector. Nothing is trained.',
            state,
            ['state'],
            [str(index) for index in range(state.shape[1])],
            'feature',
            '',
            '{:.2f}',
            True,
        ),
        weight_map(
            trace.weights,
            'words',
            'Attention: target attends to source',
            query_names,
            key_names,
            'Nothing is trained: the weights say nothing about the words.',
        ),
    ]
