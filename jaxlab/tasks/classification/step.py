"""Supervised classification: one network, cross-entropy, exact counts."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Self

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jaxlab.data.dataset import Dataset
from jaxlab.data.labels import class_counts, names_of
from jaxlab.errors import UserError, lookup
from jaxlab.layers import Conv, Dense, swap_batch_and_channels
from jaxlab.measures.losses import clipped_probability_cross_entropy, cross_entropy
from jaxlab.measures.sums import sums, weighted_mean
from jaxlab.models import build_model
from jaxlab.optimizers import build_optimizer
from jaxlab.protocol import Batch, Sums
from jaxlab.tasks.supervised import State, Supervised, prepared


def _clipped(outputs: jax.Array, labels: jax.Array, label_smoothing: float) -> jax.Array:
    del label_smoothing
    return clipped_probability_cross_entropy(outputs, labels)


LOSSES: dict[str, Callable[..., jax.Array]] = {'cross_entropy': cross_entropy, 'clipped_probabilities': _clipped}


@dataclasses.dataclass(frozen=True)
class Classification(Supervised):
    """Options:

    label_smoothing: share of the target that is spread over all classes (0: none).
    class_weights: what an example of each class counts in the mean loss: 'none', 'balanced' (n / (C n_c)) or a tuple; the
        mean is divided by the sum of the weights of its batch, as in PyTorch. Metrics stay unweighted.
    loss: 'cross_entropy' of logits, or 'clipped_probabilities' (A05's fault: outputs are taken for probabilities).
    """

    model: Any  # a Flax module
    optimizer: optax.GradientTransformation
    example: Mapping[str, jax.ShapeDtypeStruct]
    input: str
    scale: tuple[float, float]
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] = dataclasses.field(default=(), metadata={'kinds': (str, tuple, list)})
    loss: str = 'cross_entropy'

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> Self:
        known: dict[str, Any] = {'classes': len(names_of(data)), **data.input_feature.sizes}
        model = build_model(config.model, config.training.precision, **known)
        optimizer = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        lookup(LOSSES, options.get('loss', 'cross_entropy'), 'config.task.loss')
        options['class_weights'] = class_weights(options.get('class_weights', 'none'), data)
        return cls(model, optimizer, prepared(data), data.input, tuple(config.data.scale), **options)

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update. batch: {'image': [N, H, W, C] float32, 'label': [N] int32, 'weight': [N] float32 in {0, 1}}."""
        network, weight = state['model'], batch['weight']
        targets = batch.get('target', batch['label'])  # soft targets where mixup made some

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            logits, updates = self.forward(network, params, batch, key)
            losses = LOSSES[self.loss](logits, targets, self.label_smoothing)
            return weighted_mean(losses, weight * self._class_weight(targets)), (logits, losses, updates)

        (_, (logits, losses, updates)), grads = jax.value_and_grad(loss_fn, has_aux=True)(network.params)
        measured = sums(weight, loss=losses, accuracy=logits.argmax(-1) == batch['label'])
        return {'model': network.apply_gradients(grads, updates)}, measured

    def _class_weight(self, targets: jax.Array) -> jax.Array | float:
        """[N]: the weight of each example's class; of soft targets [N, C] the mean over its classes."""
        if not self.class_weights:
            return 1.0
        each = jnp.asarray(self.class_weights, jnp.float32)
        return each[targets] if jnp.issubdtype(targets.dtype, jnp.integer) else targets @ each

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """Loss (without smoothing) and accuracy; keeps the logits."""
        del key
        logits = self.model.apply(state['model'].variables(), *self.inputs(batch), train=False)
        losses = LOSSES[self.loss](logits, batch['label'], 0.0)
        right = logits.argmax(-1) == batch['label']
        return sums(batch['weight'], loss=losses, accuracy=right), {'logits': logits}

    def predict(self, state: State, images: jax.Array) -> jax.Array:
        """Class probabilities [N, classes] of prepared images."""
        return nn.softmax(self.model.apply(state['model'].variables(), images, train=False))

    def embed(self, state: State, images: jax.Array) -> jax.Array:
        """Features [N, D] of the last hidden layer: what the model's last dense layer reads."""
        read = self._read(state, images, Dense)
        if not read:
            raise UserError(
                f'{type(self.model).__name__} has no dense layer whose input could be its features; valid as a judge: a network '
                'with one, such as lenet or mlp'
            )
        return read[-1]

    def maps(self, state: State, images: jax.Array) -> list[jax.Array]:
        """What each convolution and dense layer reads, in their order: [N, ...] each, the images first."""
        return self._read(state, images, Conv, Dense)

    def _read(self, state: State, images: jax.Array, *kinds: type) -> list[jax.Array]:
        read: list[jax.Array] = []

        def look(call: Callable, args: Any, kwargs: Any, context: Any) -> Any:
            if isinstance(context.module, kinds) and context.method_name == '__call__':
                batch_last = getattr(context.module, 'layout', '') == 'CHWN'
                read.append(swap_batch_and_channels(args[0]) if batch_last else args[0])
            return call(*args, **kwargs)

        with nn.intercept_methods(look):
            self.model.apply(state['model'].variables(), images, train=False)
        return read


def class_weights(choice: Any, data: Dataset) -> tuple[float, ...]:
    """One a class (none: all count alike). balanced: n / (C n_c) of what an epoch shows, as scikit-learn defines it."""
    names = names_of(data)
    if choice in ('none', ()):
        return ()
    if choice == 'balanced':
        _, counts = class_counts(data)
        return tuple(float(counts.sum() / (len(names) * max(count, 1))) for count in counts)
    if isinstance(choice, str):
        raise UserError(
            f"config.task.class_weights = {choice!r}; valid: 'none', 'balanced', or a number a class in a tuple"
        )
    kinds = [isinstance(value, int | float) and not isinstance(value, bool) and value > 0 for value in choice]
    if len(choice) != len(names) or not all(kinds):
        raise UserError(f'config.task.class_weights = {choice!r}; valid: {len(names)} positive numbers, one a class')
    return tuple(map(float, choice))
