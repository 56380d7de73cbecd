"""What a step of a row does in JAX, by the kind of its problem: `(init, step)` of its networks.

`init(key) -> state`, whose first part is all that is trained; `step(state, inputs, labels, key) -> (state, loss)`.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from benchmarks import problems


def optimizer(problem: problems.Problem) -> optax.GradientTransformation:
    """Optax's own; equal to PyTorch's defaults (Adam eps 1e-8, momentum 0.9 without dampening)."""
    if problem.optimizer == 'sgd':
        return optax.sgd(problem.learning_rate, 0.9)
    eps = 1e-7 if problem.learning_rate == 1e-4 else 1e-8
    return optax.adam(problem.learning_rate, eps=eps)


def classification(model: nn.Module, problem: problems.Problem) -> tuple[Callable, Callable]:
    """`init(key) -> state` and `step(state, inputs, labels, key) -> (state, loss)`."""
    rule = optimizer(problem)

    def init(key: jax.Array) -> tuple[Any, Any, Any]:
        kind = jnp.int32 if problem.tokens else jnp.float32
        variables = model.init({'params': key, 'dropout': key}, jnp.zeros((2, *problem.shape), kind), True)
        params = variables['params']
        return params, variables.get('batch_stats', {}), rule.init(params)

    def step(state: tuple, inputs: jax.Array, labels: jax.Array, key: jax.Array) -> tuple[tuple, jax.Array]:
        params, statistics, moments = state

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            variables = {'params': params, 'batch_stats': statistics}
            logits, new = model.apply(variables, inputs, True, rngs={'dropout': key}, mutable=['batch_stats'])
            losses = optax.softmax_cross_entropy_with_integer_labels(logits.astype(jnp.float32), labels)
            return losses.mean(), new.get('batch_stats', {})

        (loss, statistics), gradient = jax.value_and_grad(loss_fn, has_aux=True)(params)
        updates, moments = rule.update(gradient, moments, params)
        return (optax.apply_updates(params, updates), statistics, moments), loss

    return init, step


def gan(generator: nn.Module, discriminator: nn.Module, problem: problems.Problem) -> tuple[Callable, Callable]:
    """As in A08: one pass of each network over noise and real images, both gradients from it, both updates."""
    rule = optimizer(problem)

    def init(key: jax.Array) -> tuple:
        rngs = {'params': key, 'dropout': key}
        made = generator.init(rngs, jnp.zeros((2, 100)), True)
        judge = discriminator.init(rngs, jnp.zeros((2, *problem.shape)), True)['params']
        params = made['params'], judge
        return params, made['batch_stats'], jax.tree.map(rule.init, params, is_leaf=lambda x: isinstance(x, dict))

    def step(state: tuple, images: jax.Array, labels: jax.Array, key: jax.Array) -> tuple[tuple, jax.Array]:
        (maker, judge), statistics, (maker_moments, judge_moments) = state
        keys = jax.random.split(key, 3)
        noise = jax.random.normal(keys[0], (problem.batch, 100))

        def losses(maker: Any, judge: Any) -> tuple[tuple[jax.Array, jax.Array], Any]:
            variables = {'params': maker, 'batch_stats': statistics}
            fakes, new = generator.apply(variables, noise, True, mutable=['batch_stats'])
            real = discriminator.apply({'params': judge}, images, True, rngs={'dropout': keys[1]})
            fake = discriminator.apply({'params': judge}, fakes, True, rngs={'dropout': keys[2]})
            judged = nn.softplus(-real).mean() + nn.softplus(fake).mean()
            return (nn.softplus(-fake).mean(), judged), new['batch_stats']

        (fooled, judged), backward, statistics = jax.vjp(losses, maker, judge, has_aux=True)
        one, zero = jnp.ones_like(fooled), jnp.zeros_like(fooled)
        updates, maker_moments = rule.update(backward((one, zero))[0], maker_moments, maker)
        maker = optax.apply_updates(maker, updates)
        updates, judge_moments = rule.update(backward((zero, one))[1], judge_moments, judge)
        judge = optax.apply_updates(judge, updates)
        return ((maker, judge), statistics, (maker_moments, judge_moments)), fooled + judged

    return init, step


def vae(model: nn.Module, problem: problems.Problem) -> tuple[Callable, Callable]:
    """As in B22: cross-entropy summed over pixels and divergence summed over latent numbers, means over the batch."""
    rule = optimizer(problem)

    def init(key: jax.Array) -> tuple[Any, Any]:
        params = model.init(key, jnp.zeros((2, *problem.shape)))['params']
        return params, rule.init(params)

    def step(state: tuple, inputs: jax.Array, labels: jax.Array, key: jax.Array) -> tuple[tuple, jax.Array]:
        params, moments = state
        pixels = nn.sigmoid(inputs)

        def loss_fn(params: Any) -> jax.Array:
            mean, log_variance = model.apply({'params': params}, pixels, method='encode')
            codes = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
            logits = model.apply({'params': params}, codes, method='decode').reshape(pixels.shape)
            divergence = 0.5 * (jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance).sum()
            return (optax.sigmoid_binary_cross_entropy(logits, pixels).sum() + divergence) / len(pixels)

        loss, gradient = jax.value_and_grad(loss_fn)(params)
        updates, moments = rule.update(gradient, moments, params)
        return (optax.apply_updates(params, updates), moments), loss

    return init, step


def cyclegan(generator: nn.Module, discriminator: nn.Module, problem: problems.Problem) -> tuple[Callable, Callable]:
    """As in B21: both generators together (least squares, cycle 10, identity 5), then both discriminators."""
    rule = optimizer(problem)

    def init(key: jax.Array) -> tuple[Any, Any]:
        blank, keys = jnp.zeros((1, *problem.shape)), jax.random.split(key, 4)
        makers = tuple(generator.init(each, blank)['params'] for each in keys[:2])
        judges = tuple(discriminator.init(each, blank)['params'] for each in keys[2:])
        return (makers, judges), (rule.init(makers), rule.init(judges))

    def step(state: tuple, inputs: jax.Array, labels: jax.Array, key: jax.Array) -> tuple[tuple, jax.Array]:
        (makers, judges), (maker_moments, judge_moments) = state
        real = jnp.tanh(inputs), jnp.tanh(inputs[:, ::-1])
        make = lambda params, images: generator.apply({'params': params}, images)
        judge = lambda params, images: discriminator.apply({'params': params}, images)
        near = lambda one, other: jnp.abs(one - other).mean()

        def made(makers: Any) -> tuple[jax.Array, Any]:
            fakes = make(makers[0], real[1]), make(makers[1], real[0])
            loss = jnp.zeros(())
            for at, other in ((0, 1), (1, 0)):
                loss += jnp.square(judge(judges[at], fakes[at]) - 1).mean()
                loss += 10 * near(make(makers[other], fakes[at]), real[other])
                loss += 5 * near(make(makers[at], real[at]), real[at])
            return loss, fakes

        def told_apart(judges: Any) -> jax.Array:
            parts = [
                jnp.square(judge(judges[at], real[at]) - 1).mean() + jnp.square(judge(judges[at], fakes[at])).mean()
                for at in (0, 1)
            ]
            return sum(parts) / 2

        (loss, fakes), gradient = jax.value_and_grad(made, has_aux=True)(makers)
        updates, maker_moments = rule.update(gradient, maker_moments, makers)
        judged, found = jax.value_and_grad(told_apart)(judges)
        changes, judge_moments = rule.update(found, judge_moments, judges)
        params = optax.apply_updates(makers, updates), optax.apply_updates(judges, changes)
        return (params, (maker_moments, judge_moments)), loss + judged

    return init, step


KINDS: dict[str, Callable] = {'classification': classification, 'gan': gan, 'vae': vae, 'cyclegan': cyclegan}
