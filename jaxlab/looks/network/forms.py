"""The trained network in another form: batch statistics for running averages, a sigmoid for two softmax units."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Table
from jaxlab.looks.subject import Subject
from jaxlab.measures.losses import cross_entropy


def batch_statistics(subject: Subject, *, batch: int = 32, examples: int = 1024) -> list[Figure]:
    """Loss and accuracy with running averages, and with each batch's own mean and variance (C04, epoch 3: do they lag?).

    Of the first `examples` of the split that is looked at, in whole batches; dropout off in both.
    """
    state = subject.states['trained']
    count = min(examples, subject.data.splits[subject.split].size) // batch
    if not state.batch_stats or not count:
        return []
    module = subject.module.clone(dropout=0.0) if hasattr(subject.module, 'dropout') else subject.module

    @jax.jit
    def measured(inputs: jax.Array, labels: jax.Array) -> jax.Array:
        """[2, 2]: (loss, accuracy) of (running averages, batch statistics)."""
        running = module.apply(state.variables(), inputs, train=False)
        own, _ = module.apply(state.variables(), inputs, train=True, mutable=['batch_stats'])
        return jnp.stack([_scores(running, labels), _scores(own, labels)])

    order = np.random.default_rng(0).permutation(subject.data.splits[subject.split].size)[: count * batch]
    blocks = (subject.batch(subject.split, rows) for rows in order.reshape(count, batch))
    found = np.mean([measured(*subject.task.inputs(block), block['label']) for block in blocks], axis=0)
    rows = [
        (name, *map(float, values))
        for name, values in zip(('running averages', 'batch statistics'), found, strict=True)
    ]
    note = f'{subject.split} split, n = {count * batch:,} in batches of {batch}; first replica, after training.'
    title = 'Does it matter which mean and variance a batch norm uses?'
    return [Table('batch_statistics', title, note, ('normalised by', 'loss', 'accuracy'), rows)]


def _scores(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.stack([cross_entropy(logits, labels).mean(), (logits.argmax(-1) == labels).mean()])


def two_class_heads(subject: Subject) -> list[Figure]:
    """That two softmax units are a sigmoid of the difference of their inputs (C35), on every example of the split."""
    outputs: Any = subject.record.outputs.get(subject.split)
    if not outputs or outputs[0]['logits'].shape[-1] != 2:
        return []
    logits = jnp.asarray(outputs[0]['logits'], jnp.float32)
    softmax, sigmoid = jax.nn.softmax(logits)[:, 1], jax.nn.sigmoid(logits[:, 1] - logits[:, 0])
    other = subject.classes[1]
    rows = [
        ('two softmax units', f'{float(softmax.mean()):.6f}', int((softmax > 0.5).sum())),
        ('sigmoid of their difference', f'{float(sigmoid.mean()):.6f}', int((sigmoid > 0.5).sum())),
        (
            'largest difference',
            f'{float(jnp.abs(softmax - sigmoid).max()):.1e}',
            int(((softmax > 0.5) != (sigmoid > 0.5)).sum()),
        ),
    ]
    note = f'{subject.split} split, n = {len(logits):,}, first replica.'
    columns = ('head', f'mean probability of {other}', f'taken for {other}')
    return [Table('two_class_heads', 'Two softmax units and one sigmoid', note, columns, rows, align='<>>')]
