"""The JAX rows: `jaxlab` (steps inside one compiled loop, donated state) and stock Flax (one jitted step a call)."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from benchmarks import problems

Run = Callable[[int], float]  # runs n steps, gives the last loss


def models(name: str, stock: bool) -> tuple[nn.Module, ...]:
    """The network (for `dcgan` generator and discriminator); imported only when asked for."""
    if stock:
        from benchmarks import flax_models

        return flax_models.models(name)
    if name == 'mlp':
        from jaxlab.models.mlp import MLP

        return (MLP(features=(128, 64), classes=10),)
    if name == 'lenet':
        from jaxlab.models.lenet import LeNet

        return (LeNet(),)
    if name == 'dcgan':
        from jaxlab.models.gan import Discriminator, Generator

        return Generator(), Discriminator()
    if name == 'resnet18':
        from jaxlab.models.resnet import ResNet

        return (ResNet(problems.CLASSES, 18, 'cifar'),)
    if name == 'lstm':
        from jaxlab.models.recurrent import SequenceModel

        return (SequenceModel(problems.CLASSES, 'lstm', (128,), init_scheme='torch'),)
    from jaxlab.models.transformer import TransformerClassifier

    return (TransformerClassifier(problems.CLASSES, vocabulary=1000, max_length=64, dropout=0.0),)


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
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), new.get('batch_stats', {})

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
        return made['params'], judge, made['batch_stats'], rule.init(made['params']), rule.init(judge)

    def step(state: tuple, images: jax.Array, labels: jax.Array, key: jax.Array) -> tuple[tuple, jax.Array]:
        maker, judge, statistics, maker_moments, judge_moments = state
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
        return (maker, judge, statistics, maker_moments, judge_moments), fooled + judged

    return init, step


def trained(name: str, state: tuple) -> int:
    """Number of trained parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(state[:2] if name == 'dcgan' else state[:1]))


def build(name: str, row: str) -> tuple[Run, int]:
    """`run(n)` for a row `jaxlab`, `jaxlab_x5` (five replicas side by side) or `flax`, and its parameters."""
    problem = problems.PROBLEMS[name]
    networks = models(name, stock=row == 'flax')
    init, step = (gan if name == 'dcgan' else classification)(*networks, problem)
    state = jax.jit(init)(jax.random.key(0))
    parameters = trained(name, state)
    data = tuple(jnp.asarray(array) for array in problems.data(problem))
    if row == 'flax':
        return one_call_a_step(step, state, data, problem), parameters
    count = 5 if row == 'jaxlab_x5' else 1
    states = [jax.tree.map(jnp.copy, state) for _ in range(count)]
    return compiled_loop(step, states, data, problem), parameters


def compiled_loop(step: Callable, states: list, data: tuple, problem: problems.Problem) -> Run:
    """All steps in one program: batches are gathered from the device by index, replicas stand unrolled in the body."""
    inputs, labels = data
    order = jnp.asarray(jax.random.permutation(jax.random.key(1), labels.size)).reshape(problems.BATCHES, -1)

    def body(k: jax.Array, carry: tuple[list, jax.Array]) -> tuple[list, jax.Array]:
        key = jax.random.fold_in(jax.random.key(2), k)
        new, loss = [], jnp.float32(0)
        for replica, state in enumerate(carry[0]):
            rows = order[(k + replica) % problems.BATCHES]
            state, loss = step(state, inputs[rows], labels[rows], jax.random.fold_in(key, replica))
            new.append(state)
        return new, loss

    program = jax.jit(lambda states, n: jax.lax.fori_loop(0, n, body, (states, jnp.float32(0))), donate_argnums=0)
    held = [states]

    def run(n: int) -> float:
        held[0], loss = program(held[0], n)
        return float(loss)

    return run


def one_call_a_step(step: Callable, state: tuple, data: tuple, problem: problems.Problem) -> Run:
    """The usual loop: one jitted call a step, batches already on the device."""
    batches = [
        tuple(array[k * problem.batch : (k + 1) * problem.batch] for array in data) for k in range(problems.BATCHES)
    ]
    program = jax.jit(step, donate_argnums=0)
    held = [state, 0]

    def run(n: int) -> float:
        loss = jnp.float32(0)
        for _ in range(n):
            held[1] += 1
            key = jax.random.key(held[1])
            held[0], loss = program(held[0], *batches[held[1] % problems.BATCHES], key)
        return float(loss)

    return run
