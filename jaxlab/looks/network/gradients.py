"""Gradients: how much of the error reaches each layer, and which pixels the answer hangs on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.labels import labels_of
from jaxlab.data.pictures import pictures
from jaxlab.figures import Figure, Images, Lines, Table
from jaxlab.looks.layers import kernel_of, with_kernels
from jaxlab.looks.subject import Subject


def gradient_norms(subject: Subject, *, examples: int = 256) -> list[Figure]:
    """Length of the loss's gradient to each kernel, before the first step and after the last (B10: does it vanish?).

    Of the first `examples` training examples in training mode (dropout, batch statistics), without augmentation.
    """
    names = with_kernels(subject.layers)
    rows = np.arange(min(examples, subject.data.splits['train'].size))
    batch = subject.batch('train', rows)
    lengths, table = {}, []
    step = jax.jit(lambda state, batch, key: gradient(subject.task, state, batch, key))
    for label, state in subject.states.items():
        grads = step(bare(state), batch, subject.record.key)
        found = {name: _norm(kernel_of(grads, name)) for name in names}
        weights = {name: _norm(kernel_of(state.params, name)) for name in names}
        lengths[label] = (np.arange(len(names)), np.asarray([found[name] for name in names]))
        for name in names:
            share = found[name] / (weights[name] or 1)
            table.append((name, label, f'{found[name]:.3g}', f'{weights[name]:.3g}', f'{share:.3g}'))
    note = f'the first {len(rows)} training examples, training mode, no augmentation; first replica'
    shown = [str(number + 1) for number in range(len(names))]
    label = f'layer, from the input (1: {names[0]}) to the output ({len(names)}: {names[-1]})'
    title = 'How much of the error reaches each layer'
    y_label = 'length of the gradient to the kernel'
    columns = ('layer', 'network', 'gradient', 'kernel', 'gradient / kernel')
    return [
        Lines('gradient_norms', title, note, lengths, label, y_label, y_log=True, markers=True, x_names=shown),
        Table('gradient_lengths', 'Lengths of gradients and kernels', note, columns, table, align='<<>>>'),
    ]


def _keep(grads: Any, kept: Any, params: Any = None) -> tuple[Any, Any]:
    return jax.tree.map(jnp.zeros_like, grads), grads


KEEPING = optax.GradientTransformation(lambda params: (), _keep)  # a rule that changes nothing and keeps the gradient


def bare(state: Any) -> Any:
    """A network's state under `KEEPING`: one compiled program then serves the trained and the untrained one."""
    return state.replace(tx=KEEPING, opt_state=())


def gradient(task: Any, state: Any, batch: dict[str, jax.Array], key: jax.Array) -> Any:
    """The gradient that a step of training takes: the task's own step under the rule `KEEPING`."""
    after, _ = task.train_step({'model': bare(state)}, batch, key)
    return after['model'].opt_state


def _norm(values: Any) -> float:
    return float(np.linalg.norm(np.asarray(values, np.float64)))


def saliency(subject: Subject) -> list[Figure]:
    """|d logit of the true class / d pixel|, the largest over the channels, of the first image of each class."""
    rows = subject.first_of_each_class()
    inputs = subject.inputs(rows)
    if inputs.ndim != 4:
        return []
    split = subject.data.splits[subject.split]
    labels, images = jnp.asarray(labels_of(split)[rows]), pictures(subject.data, subject.split, rows)

    @jax.jit
    def slopes(variables: Any, inputs: jax.Array) -> jax.Array:
        def chosen(inputs: jax.Array) -> jax.Array:
            logits = subject.module.apply(variables, inputs, train=False)
            return jnp.take_along_axis(logits, labels[:, None], 1).sum()

        return jnp.abs(jax.grad(chosen)(inputs)).max(-1)

    found = {state: np.asarray(slopes(variables, inputs)) for state, variables in subject.variables.items()}
    grey = [values / (values.max((1, 2), keepdims=True) + 1e-12) for values in found.values()]
    shown = [np.broadcast_to(values[..., None], (*values.shape, 3)) for values in (images[..., 0], *grey)]
    shown[0] = np.broadcast_to(images, (*images.shape[:3], 3))
    note = (
        f'the first {subject.split} image of each class; bright: the logit of its class changes fast with this pixel; each '
        'picture has its own range; first replica'
    )
    captions = [*subject.names(rows), *[''] * (2 * len(rows))]
    labels_of_rows = ('image', *found)
    title = 'Which pixels the answer hangs on'
    return [
        Images('saliency', title, note, np.concatenate(shown), captions, row_labels=labels_of_rows, columns=len(rows))
    ]
