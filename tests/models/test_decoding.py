"""Decoding: trap cases with known answers, exhaustive search, no kept state, padding, the end token, sampling."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.models import decoding
from jaxlab.models.decoding import Rules
from jaxlab.models.encoder_decoder import EncoderDecoder
from jaxlab.models.seq2seq import Seq2Seq
from tests.models.drawn import drawn

PAD, START, END = 0, 1, 2


class Chain(nn.Module):
    """Writes by a table: the next token's probabilities depend on the last one (and on the source's first, if there is a table
    for each)."""

    table: np.ndarray

    def begin(self, source, steps):
        return source[:, 0], jnp.zeros((len(source), 1))

    def step(self, context, state, token, position):
        table = jnp.log(jnp.asarray(self.table))
        return (table[context, token] if table.ndim == 3 else table[token]), state


def chain(**rows):
    """Tokens: pad, start, eos, a, b, x, y; a row gives the probabilities of those that it names (no row: all alike)."""
    names = ['pad', 'start', 'eos', 'a', 'b', 'x', 'y']
    table = np.full((7, 7), 1 / 7)
    table[[names.index(name) for name in rows]] = 0
    for name, row in rows.items():
        for following, probability in row.items():
            table[names.index(name), names.index(following)] = probability
    return table


A, B, X, Y = 3, 4, 5, 6
TRAP = chain(
    start={'a': 0.5, 'b': 0.4, 'eos': 0.1},
    a={'x': 0.35, 'y': 0.35, 'eos': 0.3},
    b={'eos': 0.9, 'x': 0.1},
    x={'eos': 1.0},
    y={'eos': 1.0},
)
SOURCE = jnp.zeros((1, 1), jnp.int32)
RULES = Rules(START, END, PAD, 5)


def written(tokens):
    """Without the end token and what follows."""
    row = np.asarray(tokens).tolist()
    return row[: row.index(END)] if END in row else row


def test_beams_do_not_start_equal():
    greedy = jax.jit(lambda: decoding.greedy(Chain(TRAP), {}, SOURCE, RULES))
    search = jax.jit(lambda width: decoding.beam(Chain(TRAP), {}, SOURCE, RULES, width, 0.0), static_argnums=0)
    found = greedy()
    assert found.tokens.tolist() == [[A, X, END, PAD, PAD]]
    np.testing.assert_allclose(found.score, [-1.742969], atol=1e-6)
    found = search(2)
    assert written(found.tokens[0]) == [B]
    np.testing.assert_allclose(found.score, [-1.021651], atol=1e-6)
    found = search(1)
    assert written(found.tokens[0]) == [A, X]  # a beam of one is greedy


def test_length_penalty():
    np.testing.assert_allclose(
        decoding.length_penalty(jnp.array([2, 3, 10]), 0.6), [1.096903, 1.188402, 1.732862], atol=1e-6
    )


def random_table(seed, sources=1):
    """[sources, 5, 5]: pad, start, eos and two words; pad and start are never written."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet([0.7] * 5, (sources, 5))
    table[:, :, [PAD, START]] = 0
    return table / table.sum(-1, keepdims=True)


def exhaustive(table, steps, power):
    """The best of all sequences of at most `steps` tokens that end."""
    found = {}
    for length in range(steps):
        for words in itertools.product((3, 4), repeat=length):
            path = (START, *words, END)
            score = sum(np.log(table[one, other]) for one, other in itertools.pairwise(path))
            found[words] = score / ((5 + length + 1) / 6) ** power
    best = max(found, key=found.get)
    return list(best), found[best]


@pytest.mark.parametrize('power', [0.0, 0.6, 2.0])
def test_a_beam_as_wide_as_all_is_exhaustive_search(power):
    """Also that stopping early loses nothing: with a power of 2 long sequences win late. 48: every continuation at once."""
    tables = np.concatenate([random_table(seed) for seed in range(12)])
    sources = jnp.arange(12)[:, None]
    found = jax.jit(lambda: decoding.beam(Chain(tables), {}, sources, Rules(START, END, PAD, 5), 48, power))()
    lengths = set()
    for row, score, table in zip(found.tokens, found.score, tables, strict=True):
        words, best = exhaustive(table, 5, power)
        lengths.add(len(words))
        assert written(row) == words
        np.testing.assert_allclose(score, best, rtol=1e-5)
    assert len(lengths) > 1


def test_examples_of_a_batch_do_not_mix():
    """Batch 3 x beam 2 equals three runs: beams are repeated, not tiled, and the state follows its beam."""
    tables = np.concatenate([random_table(seed) for seed in (3, 4, 5)])
    rules = Rules(START, END, PAD, 6)
    search = jax.jit(lambda sources: decoding.beam(Chain(tables), {}, sources, rules, 2))
    whole = search(np.arange(3)[:, None])
    for k in range(3):
        alone = search(np.array([[k]]))
        assert whole.tokens[k].tolist() == alone.tokens[0].tolist()
        np.testing.assert_allclose(whole.score[k], alone.score[0], rtol=1e-6)


def test_barred_tokens_and_what_never_ends():
    table = chain(start={'pad': 0.6, 'a': 0.3, 'b': 0.1}, a={'a': 1.0}, b={'b': 1.0}, pad={'a': 1.0})
    rules = RULES._replace(barred=(PAD,))
    for search in (
        lambda: decoding.greedy(Chain(table), {}, SOURCE, rules),
        lambda: decoding.beam(Chain(table), {}, SOURCE, rules, 2, 0.0),
    ):
        found = jax.jit(search)()
        assert found.tokens.tolist() == [[A] * 5]
        np.testing.assert_allclose(found.score, [np.log(0.75)], atol=1e-6)  # barred before the softmax


NETWORKS = {
    'transformer': EncoderDecoder(9, 9, 8, 2, 16, 1, 1, max_length=8),
    'recurrent': Seq2Seq(9, 9, 6, (8, 8), 'gru', attention='before', score='dot'),
}
SOURCES = jnp.array([[4, 7, 5, 0, 0], [6, 3, 8, 8, 4], [5, 0, 0, 0, 0]])


@pytest.fixture(params=NETWORKS, scope='module')
def network(request):
    model = NETWORKS[request.param]
    return model, drawn(model, SOURCES, SOURCES, seed=2, spread=0.7)


def test_greedy_equals_decoding_without_a_kept_state(network):
    """The whole target is read again for every token, and padding moves nothing."""
    model, variables = network
    rules = Rules(START, END, PAD, 7)
    write = jax.jit(lambda v, s: decoding.greedy(model, v, s, rules))
    found = write(variables, SOURCES)
    apply = jax.jit(model.apply)
    tokens = np.full((3, 8), START, np.int32)
    for t in range(7):  # what lies behind t is no matter to the logits at t
        tokens[:, t + 1] = np.asarray(apply(variables, SOURCES, tokens[:, :7]))[:, t].argmax(-1)
    for row, ours in zip(tokens[:, 1:], found.tokens, strict=True):
        assert written(row) == written(ours)
    alone = write(variables, np.asarray(SOURCES)[:1, :3])
    assert alone.tokens[0].tolist() == found.tokens[0].tolist()


def test_a_beam_scores_what_it_writes(network):
    """Its score is that of teacher forcing, so the kept state followed the beams; a beam of one is greedy."""
    model, variables = network
    rules = Rules(START, END, PAD, 7)
    search = jax.jit(lambda v, s, width: decoding.beam(model, v, s, rules, width, 0.0), static_argnums=2)
    found = search(variables, SOURCES, 3)
    given = np.concatenate([np.full((3, 1), START), np.asarray(found.tokens)[:, :-1]], 1)
    scores = jax.jit(lambda v, *both: jax.nn.log_softmax(model.apply(v, *both)))(variables, SOURCES, given)
    scores = np.take_along_axis(np.asarray(scores), np.asarray(found.tokens)[..., None], -1)[..., 0]
    kept = np.array([min(len(written(row)) + 1, 7) for row in found.tokens])
    total = [row[:length].sum() for row, length in zip(np.asarray(scores), kept, strict=True)]
    np.testing.assert_allclose(found.score, total, rtol=1e-4)


@pytest.mark.parametrize('power', [0.0, 1.0])
def test_a_beam_of_one_is_greedy(power):
    """Whatever the length penalty: the first end that is the likeliest token is the end."""
    tables, sources = np.concatenate([random_table(seed) for seed in range(20)]), jnp.arange(20)[:, None]
    rules = Rules(START, END, PAD, 6)
    one, greedy = jax.jit(
        lambda: (
            decoding.beam(Chain(tables), {}, sources, rules, 1, power),
            decoding.greedy(Chain(tables), {}, sources, rules),
        )
    )()
    assert one.tokens.tolist() == greedy.tokens.tolist()
    lengths = np.array([min(len(written(row)) + 1, 6) for row in one.tokens])
    np.testing.assert_allclose(one.score, greedy.score / ((5 + lengths) / 6) ** power, rtol=1e-5)


def test_likeliest():
    scores = jnp.log(jnp.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]]))
    left = lambda **rule: np.isfinite(decoding.likeliest(scores, **rule)).astype(int).tolist()
    assert left() == [[1, 1, 1, 1]] * 2
    assert left(top_k=2) == [[1, 1, 0, 0], [0, 0, 1, 1]]
    assert left(top_k=9) == [[1, 1, 1, 1]] * 2
    assert left(top_p=0.65) == [[1, 1, 0, 0], [0, 0, 1, 1]]
    assert left(top_p=0.75) == [[1, 1, 1, 0], [0, 1, 1, 1]]
    assert left(top_p=0.0) == [[1, 0, 0, 0], [0, 0, 0, 1]]
    assert left(top_k=3, top_p=0.7) == [[1, 1, 0, 0], [0, 0, 1, 1]]  # of the three: 4/9, 7/9


def test_samples_follow_the_probabilities():
    many, rules = jnp.zeros((4000, 1), jnp.int32), RULES._replace(steps=2)

    @jax.jit
    def draw(key=0, temperature=1.0):
        return decoding.sample(Chain(TRAP), {}, many, rules, jax.random.key(key), temperature).tokens

    share = lambda tokens: np.bincount(np.asarray(tokens[:, 0]), minlength=7)[[A, B, END]] / 4000
    np.testing.assert_allclose(share(draw()), [0.5, 0.4, 0.1], atol=0.03)
    cold = np.array([0.5, 0.4, 0.1]) ** 2
    np.testing.assert_allclose(share(draw(temperature=0.5)), cold / cold.sum(), atol=0.03)
    likely = jax.jit(lambda: decoding.sample(Chain(TRAP), {}, many, rules, jax.random.key(0), top_k=1).tokens)()
    assert share(likely).tolist() == [1, 0, 0]
    assert (draw() == draw()).all() and (draw() != draw(1)).any()
    first, second = draw()[:, 0], draw()[:, 1]
    assert (np.asarray(second)[np.asarray(first) == END] == PAD).all()
