"""An attention map beside a recurrent encoder's one vector, nothing trained (B24)."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Histogram, Table
from jaxlab.layers.recurrent import GRU
from jaxlab.protocol import Report
from jaxlab.worked import attention as maths
from jaxlab.worked.attention import init_projections, vocabulary
from jaxlab.worked.cases import attention as cases
from jaxlab.worked.cases.attention import ATTENTION
from jaxlab.worked.pages.attention import trace_of
from jaxlab.worked.pages.parts import by_name, once, renamed
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import attention as drawn

WIDTH, DRAWS = 8, 2000


def page(settings: Settings) -> Report:
    """The masked map (right) and the published unmasked one, the GRU's state, how random untrained weights are."""
    masked, unmasked = (trace_of(ATTENTION[name]) for name in ('B24', 'B24 unmasked'))
    case, key = ATTENTION['B24'], jax.random.key(settings.seed)
    gru = GRU(WIDTH)
    source = jnp.asarray(case.keys, jnp.float32)[None]
    variables = gru.init(key, source)
    _, state = gru.apply(variables, source, return_state=True)
    figures: list[Figure] = [
        drawn.worked(masked, 'B24', 'Target attends to source, padding masked', case.note),
        words_table(),
    ]
    figures += drawn.state_beside_map(np.asarray(state), masked, case.query_names, case.key_names)
    figures += renamed(
        [
            drawn.weight_map(
                unmasked.weights,
                'words',
                'padding is seen',
                case.query_names,
                case.key_names,
                ATTENTION['B24 unmasked'].note,
            )
        ],
        'as_published',
        'As published',
    )
    weights = random_weights(key)
    figures += [
        difference_table(masked, unmasked),
        random_histogram(weights),
        parameter_table(gru, variables),
        drawn.entropy_table({'masked': masked.weights, 'as published': unmasked.weights}),
    ]
    by_name(figures)
    words = len(vocabulary(tuple(text for pair in cases.PAIRS for text in pair)).words)
    attention_count = 168 + 3 * (WIDTH * WIDTH + WIDTH)
    metrics = once(
        weight_ml_machine=masked.weights[0, 2],
        weight_ml_pad=masked.weights[0, 4],
        weight_ml_pad_as_published=unmasked.weights[0, 4],
        output_1_1=masked.output[0, 0],
        output_1_1_as_published=unmasked.output[0, 0],
        words=words,
        attention_parameters=attention_count,
        gru_parameters=168 + parameters(variables),
        random_weight_mean=weights.mean(),
        random_weight_std=weights.std(),
    )
    return Report(
        figures,
        metrics,
        (
            'Word ids come from the sorted words; as published they came from a set, whose order changes from run to run.',
            'The pairs are no translations of each other, and only the first is used.',
        ),
        ('attention_B24', 'attention_difference', 'parameters'),
        'Nothing is trained, so neither the map nor the state says anything about the words; what can be learned here is '
        'the computation, and that padding must be masked: unmasked, '
        f'{float(unmasked.weights[2, 4]):.0%} of the attention of "amazing" goes to padding.',
    )


def parameters(variables: object) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(variables))


def words_table() -> Table:
    """A table of the words and their ids; id 0 is padding."""
    known = vocabulary(tuple(text for pair in cases.PAIRS for text in pair))
    rows = []
    for source, target in cases.PAIRS:
        rows.append((source, str(known.encode(source, 5)), target, str(known.encode(target, 5))))
    return Table(
        'words',
        f'The {len(known.words)} words as numbers',
        '0 is padding and no word; ids by alphabet.',
        ('source', 'ids', 'target', 'ids'),
        rows,
        '<<<<',
    )


def difference_table(masked: maths.AttentionTrace, unmasked: maths.AttentionTrace) -> Table:
    """Row by row, as published and corrected."""
    names = ATTENTION['B24'].query_names
    rows = [
        (
            name,
            ' '.join(f'{w:.8f}'.lstrip('0') for w in np.asarray(unmasked.weights)[n]),
            ' '.join(f'{w:.8f}'.lstrip('0') if w else '0' for w in np.asarray(masked.weights)[n]),
        )
        for n, name in enumerate(names)
    ]
    return Table(
        'attention_difference',
        'Weights as published (padding seen) and corrected (masked)',
        'Padded target rows are alike by construction.',
        ('target', 'as published', 'corrected'),
        rows,
        '<<<',
    )


def random_weights(key: jax.Array) -> np.ndarray:
    """Weights of the first pair under many draws of embedding and projections, unmasked as published."""
    source, target = (jnp.asarray(ids[0]) for ids in (cases.B24_SOURCES, cases.B24_TARGETS))

    def one(each: jax.Array) -> jax.Array:
        return maths.cross_attention(init_projections(each, 22, WIDTH), source, target).weights

    return np.asarray(jax.jit(jax.vmap(one))(jax.random.split(key, DRAWS))).ravel()


def random_histogram(weights: np.ndarray) -> Histogram:
    low, high = np.percentile(weights, [5, 95])
    note = (
        f'{DRAWS:,} draws: mean {weights.mean():.3f}, standard deviation {weights.std():.3f}, 5 to 95 % '
        f'{low:.3f} to {high:.3f}. One untrained map is one draw of this.'
    )
    return Histogram(
        'random_weights', 'Attention weights of untrained networks', note, {'weights': weights}, 40, 'weight'
    )


def parameter_table(gru: GRU, variables: object) -> Table:
    rows = [
        ('attention: shared embedding 21 x 8', 168),
        ('attention: Q, K, V, 72 each', 216),
        ('attention in all', 384),
        ('GRU: own embedding 21 x 8', 168),
        ('GRU 8 -> 8', parameters(variables)),
        ('GRU in all', 168 + parameters(variables)),
    ]
    return Table('parameters', 'Parameters of the two', 'None of them is trained.', ('part', 'parameters'), rows, '<>')
