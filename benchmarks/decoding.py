"""Tokens a second that a translator writes, with the state that it keeps and without: `python -m benchmarks.decoding`.

Without kept keys and values every step takes all tokens so far through the decoder (in the room of the longest, as a compiled
loop must); the source is read once in both. The network is random and never ends, so that as many tokens are written each
time, and both ways must write the same ones.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.models import decoding
from jaxlab.models.encoder_decoder import EncoderDecoder

VOCABULARY, SOURCE = 8000, 16
AIM = 5.0  # times as fast at 64 tokens


def anew(model: Any, variables: Any, source: jax.Array, rules: decoding.Rules) -> jax.Array:
    """Greedy tokens [N, steps] by a decoder that keeps nothing: all tokens so far go through it at every step."""
    memory, seen = model.apply(variables, source, method='encode')

    def further(position: jax.Array, tokens: jax.Array) -> jax.Array:
        logits = model.apply(variables, tokens[:, :-1], memory, seen, method='decode')
        chosen = jax.lax.dynamic_index_in_dim(logits, position, 1, keepdims=False).argmax(-1)
        return jax.lax.dynamic_update_slice_in_dim(tokens, chosen[:, None].astype(jnp.int32), position + 1, 1)

    first = jnp.full((len(source), rules.steps + 1), rules.padding, jnp.int32).at[:, 0].set(rules.start)
    return jax.lax.fori_loop(0, rules.steps, further, first)[:, 1:]


def seconds(run: Callable[[], Any], rounds: int) -> float:
    """The best of so many rounds, after one that compiles."""
    jax.block_until_ready(run())
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        jax.block_until_ready(run())
        found.append(time.perf_counter() - begun)
    return min(found)


def measured(steps: int, batch: int, rounds: int) -> dict[str, Any]:
    """One length and batch."""
    model = EncoderDecoder(VOCABULARY, VOCABULARY, 256, 4, 1024, 3, 3, dropout=0.0)
    source = jnp.asarray(np.random.default_rng(0).integers(3, VOCABULARY, (batch, SOURCE)), jnp.int32)
    variables = jax.jit(model.init)(jax.random.key(0), source, source)
    rules = decoding.Rules(1, -1, 0, steps)
    kept = jax.jit(lambda: decoding.greedy(model, variables, source, rules).tokens)
    full = jax.jit(lambda: anew(model, variables, source, rules))
    same = float(np.mean(np.asarray(kept()) == np.asarray(full())))
    with_state, without = seconds(kept, rounds), seconds(full, rounds)
    tokens = batch * steps
    found = {'kept': tokens / with_state, 'anew': tokens / without, 'times': without / with_state, 'same': same}
    return {'tokens': steps, 'batch': batch, **found}


def main() -> None:
    """Prints a line a batch and length."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').partition('\n')[0])
    parser.add_argument('--steps', default='16,64', help='lengths, with commas between')
    parser.add_argument('--batches', default='1,16', help='sentences at a time, with commas between')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--json', help='a file for the rows')
    asked = parser.parse_args()
    rows = []
    for batch in map(int, asked.batches.split(',')):
        for steps in map(int, asked.steps.split(',')):
            row = measured(steps, batch, asked.rounds)
            rows.append(row)
            print(
                f'{batch:3} x {steps:3} tokens: {row["kept"]:8,.0f} tokens/s with kept keys and values, '
                f'{row["anew"]:8,.0f} without: {row["times"]:.1f} times as fast; {row["same"]:.1%} the same tokens',
                flush=True,
            )
    if asked.json:
        with open(asked.json, 'w', encoding='utf-8') as file:
            json.dump(rows, file)


if __name__ == '__main__':
    main()
