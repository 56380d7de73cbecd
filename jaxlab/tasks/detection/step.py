"""A one-stage detector (Liu et al. 2015): one pass, every default box says a class and four offsets; multibox loss."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxlab.data.boxes import CLASSES, FIELD, IGNORED, Boxes, there
from jaxlab.data.dataset import Dataset
from jaxlab.data.examples import Split
from jaxlab.errors import UserError
from jaxlab.layers.batch_axis import sum_over_batch_axis
from jaxlab.measures import detection as measures
from jaxlab.measures.boxes import default_boxes
from jaxlab.measures.multibox import multibox
from jaxlab.measures.suppression import Detections, detections
from jaxlab.models import build_model
from jaxlab.models.ssdlite import cells
from jaxlab.optimizers import build_optimizer
from jaxlab.protocol import Batch, Sums
from jaxlab.tasks.supervised import State, Supervised, prepared


@dataclasses.dataclass(frozen=True)
class Detection(Supervised):
    """Options:

    negatives: background boxes that count for each matched one, the hardest. least_negatives: as many at least an image.
    least_score, candidates, overlap, most: of detections: those of a class that score more, the best of them, the IoU above
        which the weaker of two is dropped, and how many an image keeps (B12's).
    smallest, largest: sides of the default boxes of the first and of the last map, as shares of the image.
    """

    model: Any  # a Flax module: images -> (logits [N, A, classes + 1], offsets [N, A, 4])
    optimizer: optax.GradientTransformation
    example: Mapping[str, jax.ShapeDtypeStruct]
    input: str
    names: tuple[str, ...]
    anchors: np.ndarray  # [A, 4] float32
    negatives: int = 3
    least_negatives: int = 0
    least_score: float = 0.001
    candidates: int = 300
    overlap: float = 0.55
    most: int = 300
    smallest: float = 0.2
    largest: float = 0.95

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> Self:
        feature = data.features.get(FIELD)
        if not isinstance(feature, Boxes):
            raise UserError(f'config.task.name: {data.name} has no boxes; task detection needs some')
        example = prepared(data)
        model = build_model(config.model, config.training.precision, classes=len(feature.names))
        optimizer = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        side, width = example[data.input].shape[1:3]
        smallest, largest = options.get('smallest', cls.smallest), options.get('largest', cls.largest)
        if not 0 < smallest <= largest <= 1:
            raise UserError(
                f'config.task.smallest = {smallest:g} and largest = {largest:g}; valid: above 0, up to 1, in this order'
            )
        sizes = cells((side, width), len(getattr(model, 'extra', ())), getattr(model, 'fine', 0))
        anchors = default_boxes(sizes, smallest, largest)
        made = jax.eval_shape(
            lambda x: model.init_with_output(jax.random.key(0), x, train=False)[0], example[data.input]
        )
        if not isinstance(made, tuple) or made[0].shape[1:] != (len(anchors), len(feature.names) + 1):
            raise UserError(f'config.model.name = {config.model.name!r} is no detector; valid: ssdlite')
        return cls(model, optimizer, example, data.input, feature.names, anchors, **options)

    def train_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Sums]:
        """One update. batch: {'image': [N, H, W, 3] float32, 'boxes': [N, M, 4] float32 in fractions, 'classes': [N, M]
        int32, 'weight': [N] float32 in {0, 1}}."""
        network = state['model']

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            outputs, updates = self.forward(network, params, batch, key)
            parts = self._losses(outputs, batch)
            matched = sum_over_batch_axis(parts['matched'])
            return (parts['localisation'] + parts['classification']) / jnp.maximum(matched, 1), (parts, updates)

        (_, (parts, updates)), grads = jax.value_and_grad(loss_fn, has_aux=True)(network.params)
        return {'model': network.apply_gradients(grads, updates)}, _metrics(parts)

    def _losses(self, outputs: tuple[jax.Array, jax.Array], batch: Batch) -> dict[str, jax.Array]:
        """Sums over the batch: of both losses, and of matched boxes, by which they are divided."""
        truth, anchors = (batch[FIELD], batch[CLASSES]), jnp.asarray(self.anchors)
        found = multibox(*outputs, *truth, anchors, ratio=self.negatives, least=self.least_negatives)
        real = batch['weight'] > 0
        return {name: jnp.where(real, value, 0).sum() for name, value in found._asdict().items()}

    def eval_step(self, state: State, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """Losses; keeps the detections: boxes [N, D, 4] in fractions, scores [N, D], labels [N, D] (-1: none)."""
        del key
        outputs = self.model.apply(state['model'].variables(), *self.inputs(batch), train=False)
        return _metrics(self._losses(outputs, batch)), self._found(outputs)._asdict()

    def predict(self, state: State, images: jax.Array) -> Detections:
        """Detections in prepared images."""
        return self._found(self.model.apply(state['model'].variables(), images, train=False))

    def _found(self, outputs: tuple[jax.Array, jax.Array]) -> Detections:
        options = (self.least_score, self.candidates, self.overlap, self.most)
        return detections(*outputs, jnp.asarray(self.anchors), *options)

    scored: ClassVar[tuple[str, ...]] = ('boxes', 'scores', 'labels')

    def score(
        self, totals: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], part: Split
    ) -> dict[str, float]:
        """The four numbers that are called mAP, and B12's, which is none."""
        truth, seen = truths(part), found(outputs)
        return {
            **measures.all_forms(truth, seen, len(self.names)),
            'hits_per_object': measures.hits_per_object(truth, seen),
        }


def _metrics(parts: Mapping[str, jax.Array]) -> Sums:
    """Per matched box, as the loss is."""
    both = {'loss': parts['localisation'] + parts['classification'], **parts}
    return {name: (value, parts['matched']) for name, value in both.items() if name != 'matched'}


def truths(part: Split) -> list[measures.Objects]:
    """The objects of each image of a split."""
    arrays = part.arrays if part.arrays is not None else part.read(part.rows)
    real = there(arrays[FIELD])
    rows = zip(arrays[FIELD], arrays[CLASSES], arrays[IGNORED], real, strict=True)
    return [measures.Objects(boxes[kept], classes[kept], ignored[kept]) for boxes, classes, ignored, kept in rows]


def found(outputs: Mapping[str, np.ndarray]) -> list[measures.Found]:
    """The detections in each image."""
    rows = zip(outputs['boxes'], outputs['scores'], outputs['labels'], strict=True)
    return [measures.Found(boxes[scores > 0], scores[scores > 0], labels[scores > 0]) for boxes, scores, labels in rows]
