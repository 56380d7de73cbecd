"""From logits to a sequence: greedy, sampled, or by beam search, in one compiled loop with the state that a network keeps.

A network that writes has two methods: `begin(source, steps) -> (context, state)` reads the source once, and
`step(context, state, token, position) -> (logits [N, V], state)` goes one token further. Every array in context and state
has the examples as its first axis; the context stays the same, the state is carried. `Seq2Seq` and `EncoderDecoder` have both.

The loop ends when every example has written its end token, or after `Rules.steps` tokens. Scores are sums of natural
logarithms of probabilities, the end token's included.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Rules(NamedTuple):
    """steps: most tokens that are written, the end token included. barred: tokens that are never written, their probability
    shared among the others (Marian: padding). padding stands behind the end token."""

    start: int
    end: int
    padding: int = 0
    steps: int = 64
    barred: tuple[int, ...] = ()


class Written(NamedTuple):
    """tokens: [N, steps] int32, the end token included, padding behind it. score: [N] float32; a beam's is normalised."""

    tokens: Int[Array, 'N steps']
    score: Float[Array, 'N']


def greedy(model: nn.Module, variables: Any, source: Int[Array, 'N S'], rules: Rules) -> Written:
    """The likeliest token at every step; the first of equal ones."""
    return _write(model, variables, source, rules, lambda scores, position: scores.argmax(-1))


def sample(
    model: nn.Module,
    variables: Any,
    source: Int[Array, 'N S'],
    rules: Rules,
    key: jax.Array,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Written:
    """A token drawn at every step from `softmax(logits / temperature)`, cut by `likeliest`; example i has a key of its own."""

    def choose(scores: Float[Array, 'N V'], position: Array) -> Int[Array, 'N']:
        keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, position), jnp.arange(len(scores)))
        return jax.vmap(jax.random.categorical)(keys, likeliest(scores / temperature, top_k, top_p))

    return _write(model, variables, source, rules, choose)


def likeliest(scores: Float[Array, 'N V'], top_k: int = 0, top_p: float = 1.0) -> Float[Array, 'N V']:
    """-inf for all but the `top_k` likeliest tokens (0: all), then for all but the fewest that hold the share `top_p`.

    Holtzman et al., arXiv 1904.09751. The likeliest token always stays; tokens as likely as the last one that stays, too.
    """
    if top_k:
        last = jax.lax.top_k(scores, min(top_k, scores.shape[-1]))[0][:, -1:]
        scores = jnp.where(scores < last, -jnp.inf, scores)
    if top_p < 1:
        ordered = jnp.sort(scores, axis=-1, descending=True)
        share = jax.nn.softmax(ordered, axis=-1)
        before = jnp.cumsum(share, axis=-1) - share  # the share of all that are likelier
        last = jnp.where(before < top_p, ordered, jnp.inf).min(-1, keepdims=True)
        scores = jnp.where(scores < jnp.minimum(last, ordered[:, :1]), -jnp.inf, scores)
    return scores


def _steps(model: nn.Module, variables: Any, context: Any, rules: Rules) -> Callable:
    """(state, token, position) -> (logarithms of the next token's probabilities [N, V], state)."""

    def step(state: Any, token: Int[Array, 'N'], position: Array) -> tuple[Float[Array, 'N V'], Any]:
        logits, state = model.apply(variables, context, state, token, position, method='step')
        for barred in rules.barred:  # before the softmax: what is left adds up to 1
            logits = logits.at[:, barred].set(-jnp.inf)
        return jax.nn.log_softmax(logits, axis=-1), state

    return step


def _write(model: nn.Module, variables: Any, source: Array, rules: Rules, choose: Callable) -> Written:
    context, state = model.apply(variables, source, rules.steps, method='begin')
    step, examples = _steps(model, variables, context, rules), len(source)

    def go_on(carry: Any) -> Array:
        position, _, _, _, done, _ = carry
        return (position < rules.steps) & ~done.all()

    def further(carry: Any) -> Any:
        position, state, token, tokens, done, total = carry
        scores, state = step(state, token, position)
        chosen = choose(scores, position).astype(jnp.int32)
        gained = jnp.take_along_axis(scores, chosen[:, None], axis=-1)[:, 0]
        token = jnp.where(done, rules.padding, chosen)
        tokens = jax.lax.dynamic_update_slice_in_dim(tokens, token[:, None], position, 1)
        total = total + jnp.where(done, 0, gained)
        return position + 1, state, token, tokens, done | (token == rules.end), total

    empty = jnp.full((examples, rules.steps), rules.padding, jnp.int32)
    first = jnp.full(examples, rules.start, jnp.int32)
    start = (jnp.int32(0), state, first, empty, jnp.zeros(examples, bool), jnp.zeros(examples))
    _, _, _, tokens, _, total = jax.lax.while_loop(go_on, further, start)
    return Written(tokens, total)


def length_penalty(length: Array | int, power: float) -> Array:
    """`((5 + length) / 6)^power`: scores are divided by it, so that long ones aren't at a loss. Wu et al., arXiv 1609.08144."""
    return ((5.0 + jnp.asarray(length)) / 6.0) ** power


class _Beam(NamedTuple):
    """alive: what is still being written, B for each example, the best first. finished: the best one that has ended.
    ended: how many have."""

    position: Array
    state: Any
    alive: Int[Array, 'N B steps']
    alive_score: Float[Array, 'N B']
    finished: Int[Array, 'N steps']
    finished_score: Float[Array, 'N']
    ended: Int[Array, 'N']


def beam(
    model: nn.Module,
    variables: Any,
    source: Int[Array, 'N S'],
    rules: Rules,
    width: int = 4,
    power: float = 0.6,
) -> Written:
    """The best sequence that a beam of this width meets, by its score over `length_penalty`, the end token counted.

    An example is done when nothing that is alive can still beat the best that has ended, or when `width` have ended and
    nothing alive is better as it stands; then nothing of it changes any more.
    A beam of one is greedy. Where nothing ends within `rules.steps`, the best that is alive is given.
    """
    context, state = model.apply(variables, source, rules.steps, method='begin')
    context, state = jax.tree.map(lambda x: jnp.repeat(x, width, axis=0), (context, state))
    step, examples = _steps(model, variables, context, rules), len(source)

    def go_on(beam: _Beam) -> Array:
        return (beam.position < rules.steps) & ~_done(beam, rules, power).all()

    def further(beam: _Beam) -> _Beam:
        before = jnp.maximum(beam.position - 1, 0)
        token = jnp.where(beam.position == 0, rules.start, beam.alive[:, :, before]).reshape(-1)
        scores, state = step(beam.state, token, beam.position)
        return _chosen(beam, scores.reshape(examples, width, -1), state, rules, power)

    empty = jnp.full((examples, width, rules.steps), rules.padding, jnp.int32)
    # Only the first of the beams counts at the start: equal ones would stay equal for ever.
    alive_score = jnp.full((examples, width), -jnp.inf).at[:, 0].set(0.0)
    nothing = jnp.full(examples, -jnp.inf), jnp.zeros(examples, jnp.int32)
    start = _Beam(jnp.int32(0), state, empty, alive_score, empty[:, 0], *nothing)
    last = jax.lax.while_loop(go_on, further, start)
    ended = jnp.isfinite(last.finished_score)
    unfinished = last.alive_score[:, 0] / length_penalty(rules.steps, power)
    return Written(
        jnp.where(ended[:, None], last.finished, last.alive[:, 0]), jnp.where(ended, last.finished_score, unfinished)
    )


def _done(beam: _Beam, rules: Rules, power: float) -> Array:
    """Whether the best that has ended is no worse than an alive one can become (no loss from now on, at the kindest length); or,
    once enough have ended, than the best alive one is now: a few that ended badly end nothing."""
    now, last = length_penalty(beam.position + 1, power), length_penalty(rules.steps, power)
    enough = beam.ended >= beam.alive.shape[1]
    bound = jnp.where(enough, now, jnp.maximum(now, last))
    return beam.finished_score >= beam.alive_score[:, 0] / bound


def _chosen(beam: _Beam, scores: Float[Array, 'N B V'], state: Any, rules: Rules, power: float) -> _Beam:
    """The beam one token later. At most B of the 2 B best end, so B of them are alive; those that end must be among the B."""
    examples, width, tokens = scores.shape
    total = (beam.alive_score[:, :, None] + scores).reshape(examples, -1)
    total, at = jax.lax.top_k(total, min(2 * width, width * tokens))
    parent, token = at // tokens, (at % tokens).astype(jnp.int32)
    written = jnp.take_along_axis(beam.alive, parent[:, :, None], axis=1)
    written = jax.lax.dynamic_update_slice_in_dim(written, token[:, :, None], beam.position, 2)
    ends = token == rules.end

    counted = ends & (jnp.arange(ends.shape[1]) < width) & jnp.isfinite(total) & ~_done(beam, rules, power)[:, None]
    ended = jnp.where(counted, total, -jnp.inf) / length_penalty(beam.position + 1, power)
    best = ended.argmax(-1)
    ended_score = jnp.take_along_axis(ended, best[:, None], axis=-1)[:, 0]
    better = ended_score > beam.finished_score
    best_written = jnp.take_along_axis(written, best[:, None, None], axis=1)[:, 0]

    alive_score, kept = jax.lax.top_k(jnp.where(ends, -jnp.inf, total), width)
    rows = jnp.arange(examples)[:, None] * width + jnp.take_along_axis(parent, kept, axis=-1)
    return _Beam(
        beam.position + 1,
        jax.tree.map(lambda x: x[rows.reshape(-1)], state),
        jnp.take_along_axis(written, kept[:, :, None], axis=1),
        alive_score,
        jnp.where(better[:, None], best_written, beam.finished),
        jnp.where(better, ended_score, beam.finished_score),
        beam.ended + counted.sum(-1),
    )
