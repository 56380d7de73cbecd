"""Scaled dot-product attention with every matrix (D3.1; A07's and B24's worked example)."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Table
from jaxlab.protocol import Report
from jaxlab.worked import attention as maths
from jaxlab.worked.attention import AttentionTrace
from jaxlab.worked.cases import attention as cases
from jaxlab.worked.cases.attention import ATTENTION, AttentionCase
from jaxlab.worked.pages.parts import by_name, once, renamed
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import attention as drawn
from jaxlab.worked.show import latex

DEPTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def page(settings: Settings) -> Report:
    """The small example, D3.1's shapes, both beside Flax and JAX; the published weights; why the scores are scaled."""
    small, large = (trace_of(ATTENTION[name]) for name in ('worked', 'D3.1'))
    figures: list[Figure] = [
        drawn.worked(small, 'worked', 'Two queries, three keys: every matrix'),
        drawn.worked(large, 'D3_1', 'D3.1: three queries, five keys: every matrix', ATTENTION['D3.1'].note),
        drawn.agreement_table(large, others(large)),
        drawn.weight_map(large.weights, 'D3_1', 'D3.1: who attends to whom'),
        *published_figures(),
        scaling_table(large),
        drawn.entropy_table(
            {
                'small example': small.weights,
                'D3.1': large.weights,
                'D3.1, not scaled': maths.attention(large.queries, large.keys, large.values, scale=False).weights,
                'D3.1, as published': np.array(cases.D31_PUBLISHED),
            }
        ),
        masked_figure(large),
        properties_table(large),
        drawn.variance_curve(DEPTHS, maths.logit_variance(jax.random.key(settings.seed), DEPTHS)),
    ]
    by_name(figures)
    gap = max(float(jnp.max(jnp.abs(large.output - other))) for other in others(large).values())
    metrics = once(
        small_weight_1_1=small.weights[0, 0],
        small_output_2_2=small.output[1, 1],
        weight_1_1=large.weights[0, 0],
        output_1_1=large.output[0, 0],
        output_3_6=large.output[2, 5],
        gap_to_flax_and_jax=gap,
    )
    return Report(
        figures,
        metrics,
        (
            'The published code takes the scale from the queries and does not check the keys; here '
            'unequal depths are refused.',
        ),
        ('attention_worked', 'attention_agreement', 'attention_properties'),
        'Softmax of the scaled scores, times the values; the same as Flax and JAX give, within '
        f'{gap:.0e} (JAX takes its softmax in single precision).',
    )


def trace_of(case: AttentionCase) -> AttentionTrace:
    mask = None if case.mask is None else jnp.asarray(case.mask)
    return maths.attention(jnp.asarray(case.queries), jnp.asarray(case.keys), jnp.asarray(case.values), mask)


def others(trace: AttentionTrace) -> dict[str, jax.Array]:
    """The same output from Flax and from JAX; both want [batch, length, heads, depth]."""
    q, k, v = (x[None, :, None, :] for x in (trace.queries, trace.keys, trace.values))
    depth = max(q.shape[-1], v.shape[-1])  # JAX wants one depth for all three: zeros change no score
    wide = [jnp.pad(x, ((0, 0),) * 3 + ((0, depth - x.shape[-1]),)) for x in (q, k, v)]
    scaled = jax.nn.dot_product_attention(*wide, scale=1 / math.sqrt(q.shape[-1]))
    return {
        'flax.linen.dot_product_attention': nn.dot_product_attention(q, k, v)[0, :, 0],
        'jax.nn.dot_product_attention': scaled[0, :, 0, : v.shape[-1]],
    }


def published_figures() -> list[Figure]:
    """The printed weights: rows sum to 1 and have the printed entropies, but their inputs are lost."""
    weights = np.array(cases.D31_PUBLISHED)
    rows = [
        (f'query {n + 1}', float(row.sum()), float(-np.sum(row * np.log(row))), entropy)
        for n, (row, entropy) in enumerate(zip(weights, cases.D31_PUBLISHED_ENTROPY))
    ]
    table = Table(
        'attention_published',
        'D3.1 as published: what can still be checked',
        'Q, K and V were unseeded draws that were not printed, so the output cannot be recomputed.',
        ('row', 'sum', 'entropy', 'entropy in the specification'),
        rows,
        '<>>>',
        6,
    )
    return [
        table,
        *renamed([drawn.weight_map(weights, 'published', 'the printed weights')], 'D3_1', 'D3.1 as published'),
    ]


def scaling_table(trace: AttentionTrace) -> Table:
    """The first row with and without the division by sqrt(d)."""
    plain = maths.attention(trace.queries, trace.keys, trace.values, scale=False)
    rows = [
        ('scaled', latex.text_vector(trace.scaled[0], 9), latex.text_vector(trace.weights[0], 9)),
        ('not scaled', latex.text_vector(plain.scaled[0], 9), latex.text_vector(plain.weights[0], 9)),
    ]
    return Table(
        'attention_scaling',
        'D3.1, first query: what the scaling does',
        'Unscaled scores make sharper weights.',
        ('', 'scores', 'weights'),
        rows,
        '<<<',
    )


def masked_figure(trace: AttentionTrace) -> Figure:
    """The attention map with the last two keys hidden by a mask."""
    mask = jnp.arange(trace.keys.shape[0]) < trace.keys.shape[0] - 2
    hidden = maths.attention(trace.queries, trace.keys, trace.values, mask)
    return drawn.weight_map(
        hidden.weights, 'masked', 'D3.1 with the last two keys masked', note='Masked keys get exactly 0.'
    )


def properties_table(trace: AttentionTrace) -> Table:
    """What must hold whatever the numbers are."""
    q, k, v = trace.queries, trace.keys, trace.values
    order = np.arange(k.shape[0])[::-1]
    equal = maths.attention(q, jnp.broadcast_to(k[0], k.shape), v)
    shifted = jax.nn.softmax(trace.scaled + 100.0, axis=-1)
    found = {
        'rows of the weights sum to 1': trace.weights.sum(axis=-1) - 1,
        'a constant added to all scores of a row changes nothing': shifted - trace.weights,
        'keys and values permuted together change nothing': maths.attention(q, k[order], v[order]).output
        - trace.output,
        'equal keys give the mean of the values': equal.output - v.mean(axis=0),
    }
    rows = [(label, f'{float(jnp.max(jnp.abs(difference))):.0e}') for label, difference in found.items()]
    return Table(
        'attention_properties',
        'Properties, checked on D3.1',
        'Largest deviation.',
        ('property', 'deviation'),
        rows,
        '<>',
    )
