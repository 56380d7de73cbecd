"""LeNet written in four styles (E2): one set of parameters, the same answers and gradients, and what each style is for."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.figures import Figure, Table
from jaxlab.looks.subject import Subject
from jaxlab.measures.losses import cross_entropy
from jaxlab.models.convnet import ConvNet
from jaxlab.models.lenet import CONV, DENSE, SEQUENTIAL_NAMES, CompactLeNet, LeNet, lenet_function, sequential_lenet

Params = Mapping[str, Any]
CONVNET_NAMES = {'conv1': 'conv_1', 'conv2': 'conv_2', **{f'dense{k}': f'dense_{k}' for k in (1, 2, 3)}}
# style: (the source's counterpart, for, against, use)
OPINIONS = {
    'Flax module with setup': (
        'PyTorch, layer by layer',
        'every layer visible, fine control, good for learning; several methods share the layers',
        'wordy, harder to keep up as models grow',
        'research, custom operations, shared weights, several inputs or outputs',
    ),
    'Flax module, compact': (
        'Keras functional',
        'a layer is made where it is used, so that connections are explicit; any architecture',
        'connections by hand; one method only makes the layers',
        'as layer by layer',
    ),
    'Sequential container': (
        'PyTorch Sequential, Keras Sequential',
        'shortest, very readable, easy to maintain',
        'no branches, no shared layers, no several inputs or outputs; layers are numbered, not named',
        'simple feed-forward nets, prototypes, beginners',
    ),
    'pure function of a parameter tree': (
        'none (what all others become)',
        'nothing hidden: any transformation (grad, vmap, jit) applies as it is',
        'parameters, their start and their names by hand',
        'to understand, to try an operation, to check the others',
    ),
}


def styles(subject: Subject, *, examples: int = 64) -> list[Figure]:
    """Sizes, differences with the trained network's parameters, the source's opinions, and its Keras networks."""
    if not isinstance(subject.module, LeNet):
        return []
    rows = np.arange(min(examples, subject.data.splits[subject.split].size))
    batch = subject.batch(subject.split, rows)
    images, labels = batch['image'], batch['label']
    params = subject.states['trained'].params
    note = (
        f'The parameters of the trained network (first replica) in all four; {len(rows)} images of the {subject.split} split; '
        'gradients of their mean cross-entropy. Differences are the largest over all numbers, against the first row.'
    )
    return [
        Table(
            'styles', 'The same network in four styles', note, MEASURED, compared(params, images, labels), align='<>>>'
        ),
        _opinions(),
        _keras(params, images, subject.module.classes),
    ]


MEASURED = ('style', 'parameters', 'difference of the logits', 'difference of the gradients')


def functions(classes: int) -> dict[str, tuple[Callable[[Params, jax.Array], Any], Mapping[str, str]]]:
    """style -> (function of parameters and images, our names of the layers -> its own)."""
    same = {name: name for name in SEQUENTIAL_NAMES}
    setup, compact, container = LeNet(classes), CompactLeNet(classes), sequential_lenet(classes)
    return dict(
        zip(
            OPINIONS,
            (
                (lambda params, images: setup.apply({'params': params}, images), same),
                (lambda params, images: compact.apply({'params': params}, images), same),
                (lambda params, images: container.apply({'params': params}, images), SEQUENTIAL_NAMES),
                (lenet_function, same),
            ),
            strict=True,
        )
    )


def compared(params: Params, images: jax.Array, labels: jax.Array) -> list[tuple[Any, ...]]:
    """Rows of `MEASURED`: every style with the same parameters."""
    found = {}
    for style, (function, names) in functions(params['dense3']['bias'].size).items():

        def loss(own: Params, function: Callable = function) -> tuple[jax.Array, jax.Array]:
            logits = function(own, images)
            return cross_entropy(logits, labels).mean(), logits

        own = {names[name]: layer for name, layer in params.items()}
        gradients, logits = jax.jit(jax.grad(loss, has_aux=True))(own)
        found[style] = logits, {name: gradients[names[name]] for name in params}
    reference = next(iter(found.values()))
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    return [
        (style, size, *(f'{_largest(mine, theirs):.1e}' for mine, theirs in zip(values, reference, strict=True)))
        for style, values in found.items()
    ]


def _largest(one: Any, other: Any) -> float:
    """The largest absolute difference between two trees of numbers."""
    pairs = jax.tree.map(lambda a, b: float(np.abs(np.asarray(a) - np.asarray(b)).max()), one, other)
    return max(jax.tree.leaves(pairs))


def _opinions() -> Table:
    rows = [(style, *words) for style, words in OPINIONS.items()]
    note = "What the source says of its styles, carried over to their counterparts; the last row is this project's own."
    columns = ('style', 'counterpart in the source', 'for', 'against', 'use')
    return Table('styles_for_and_against', 'When to write a network in which style', note, columns, rows, align='<<<<<')


def _keras(params: Params, images: jax.Array, classes: int) -> Table:
    """The source's Keras networks are larger by an oversight: 32 pixels and still `same` padding."""
    lenet = LeNet(classes)
    valid = ConvNet(classes, CONV, kernel_size=5, padding='valid', hidden=DENSE)
    grown = jnp.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=float(images.min()))
    padded = jnp.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    renamed = {CONVNET_NAMES[name]: layer for name, layer in params.items()}
    expected, corrected = (jax.jit(module.apply) for module in (lenet, valid))
    answers = expected({'params': params}, images)
    zero, black = (_largest(corrected({'params': renamed}, x), answers) for x in (padded, grown))
    size, larger = (f'{height} x {width}' for height, width in (images.shape[1:3], padded.shape[1:3]))
    rows = [
        ('as trained here', size, 'same', *_sizes(lenet, images), '0'),
        ('the source in Keras', larger, 'same', *_sizes(lenet, padded), 'another network'),
        ('corrected, zeros around the image', larger, 'valid', *_sizes(valid, padded), f'{zero:.1e}'),
        ('corrected, black around the image', larger, 'valid', *_sizes(valid, padded), f'{black:.2g}'),
    ]
    note = (
        'With 32 pixels and same padding 576 numbers reach the first dense layer in place of 400. Zeros stand for mid-grey '
        'where pixels run from -1 to 1, as the padding of the first convolution does; black borders answer a little otherwise.'
    )
    columns = ('network', 'image', 'padding of conv 1', 'numbers to dense 1', 'parameters', 'difference of the logits')
    return Table(
        'styles_keras', "The source's Keras networks and their correction", note, columns, rows, align='<<<>>>'
    )


def _sizes(module: Any, images: jax.Array) -> tuple[int, int]:
    """(inputs of the first dense layer, all parameters)."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), images[:1]))['params']
    first = next(layer for name, layer in sorted(shapes.items()) if name.startswith('dense'))
    return first['kernel'].shape[0], sum(leaf.size for leaf in jax.tree.leaves(shapes))
