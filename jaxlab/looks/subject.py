"""What all looks into a network start from: the first replica's network, its own start, and the data."""

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.data.dataset import Dataset
from jaxlab.data.features import Image
from jaxlab.data.labels import labels_of, names_of
from jaxlab.looks.layers import Layer, activations, layers
from jaxlab.protocol import Record

BLOCK = 250  # examples a call


@dataclasses.dataclass(frozen=True)
class Subject:
    """task: with one network `model`; record, data: those of `Task.report`."""

    task: Any
    record: Record
    data: Dataset

    @property
    def module(self) -> Any:
        """The Flax module."""
        return self.task.model

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return names_of(self.data)

    @property
    def sees_images(self) -> bool:
        """Whether the network is given images."""
        return isinstance(self.data.input_feature, Image)

    @functools.cached_property
    def layers(self) -> dict[str, Layer]:
        """The layers of the network by name."""
        return layers(*self.task.networks()['model'])

    @functools.cached_property
    def states(self) -> Mapping[str, Any]:
        """The network before its first step and after its last: name -> TrainState."""
        return {'untrained': self.record.start()['model'], 'trained': self.record.states[0]['model']}

    @functools.cached_property
    def variables(self) -> Mapping[str, Any]:
        """The variables of the module before its first step and after its last: name -> collections."""
        return {name: state.variables() for name, state in self.states.items()}

    @functools.cached_property
    def split(self) -> str:
        """The split that is looked at."""
        return self.data.reported

    def batch(self, split: str, rows: np.ndarray) -> dict[str, jax.Array]:
        """Examples as the network gets them, all of weight 1."""
        examples = {name: jnp.asarray(values) for name, values in self.data.splits[split].read(rows).items()}
        return self.data.prepare({**examples, 'weight': jnp.asarray(np.ones(len(rows), np.float32))})

    def inputs(self, rows: np.ndarray) -> jax.Array:
        """Inputs of these examples of the split that is looked at."""
        return self.task.inputs(self.batch(self.split, np.asarray(rows)))[0]

    def first_of_each_class(self) -> np.ndarray:
        """The first example of every class in that split (of those that occur), in the order of the classes."""
        labels = labels_of(self.data.splits[self.split])
        return np.asarray([np.flatnonzero(labels == label)[0] for label in np.unique(labels)])

    def see(self, state: str, rows: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        """What the named layers give for a few examples: name -> [N, ...] float32."""
        return self.of_inputs(state, self.inputs(rows), names)

    def of_inputs(self, state: str, inputs: jax.Array | np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        """The same of prepared inputs [N, ...]."""
        found = self._everything(self.variables[state], inputs)
        return {name: np.asarray(found[name], np.float32) for name in names}

    def predict(self, inputs: jax.Array | np.ndarray) -> np.ndarray:
        """What the trained network says of prepared inputs [N, ...]: class probabilities [N, classes]."""
        return np.asarray(self._predict(self.record.states[0], inputs))

    @functools.cached_property
    def _predict(self) -> Callable[[Any, Any], jax.Array]:
        return jax.jit(self.task.predict)

    @functools.cached_property
    def _everything(self) -> Callable[[Any, Any], dict[str, jax.Array]]:
        return jax.jit(functools.partial(activations, self.module))

    @functools.cached_property
    def _reduced(self) -> Callable[..., dict[str, Any]]:
        """One program for each `reduce` and choice of layers, whichever state it is used with."""

        def reduced(
            variables: Any, inputs: jax.Array, names: tuple[str, ...], reduce: Callable[[jax.Array], Any]
        ) -> dict[str, Any]:
            found = activations(self.module, variables, inputs)
            return {name: reduce(found[name].astype(jnp.float32)) for name in names}

        return jax.jit(reduced, static_argnums=(2, 3))

    def over_split(
        self, state: str, names: list[str], reduce: Callable[[jax.Array], Any]
    ) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        """Block after block of the split: (rows, name -> `reduce` of what the layer gives [B, ...], still [B, ...])."""
        size = self.data.splits[self.split].size
        block = min(BLOCK, size)
        for first in range(0, size, block):
            rows = np.arange(first, first + block)
            inputs = self.inputs(np.minimum(rows, size - 1))  # one shape, one program
            found = self._reduced(self.variables[state], inputs, tuple(names), reduce)
            kept = operator.itemgetter(slice(min(block, size - first)))
            yield kept(rows), jax.tree.map(kept, jax.device_get(found))

    def names(self, rows: np.ndarray) -> list[str]:
        """Class names of these examples."""
        labels = labels_of(self.data.splits[self.split])[rows]
        return [self.classes[label] for label in labels]
