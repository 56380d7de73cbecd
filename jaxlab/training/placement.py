"""Where arrays live and how a program is compiled: one device, a mesh under `jit`, or `pmap`.

All three give the same results (float64 to 1e-10 over 100 steps; tested with 8 simulated devices): under `jit` arrays
are global and the compiler inserts the sums; under `pmap` the losses, gradients and statistics sum over the bound axis.
Replicas may lie on different devices (`replica_axis.py`), each with any of these.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlab.layers import onednn
from jaxlab.layers.batch_axis import BATCH_AXIS
from jaxlab.training.shard_rules import Rules


class Placement(Protocol):
    """How arrays are put on devices, programs compiled, results brought back."""

    @property
    def devices(self) -> int:
        """Devices that share a batch."""

    def state(self, tree: Any) -> Any:
        """A state, the same (or split by rule) on all devices."""

    def whole(self, tree: Any) -> Any:
        """Arrays that every device needs whole (the data set)."""

    def each(self, tree: Any) -> Any:
        """Arrays [replicas, ...] of which a device needs what belongs to its replicas (seeds)."""

    def split(self, tree: Any, axis: int) -> Any:
        """Arrays whose batch axis is shared out over the devices: [replicas, steps, batch, ...] where it is axis 2, with
        one replica in front what all of them see; [steps, batch, ...], the same for all, where it is axis 1."""

    def mine(self, size: int) -> np.ndarray:
        """Which positions [n] of a batch axis of that size the devices of this process hold."""

    def split_mine(self, tree: Any, axis: int, size: int) -> Any:
        """The same as `split` from arrays that hold the positions of `mine(size)` only."""

    def compile(self, function: Callable, arguments: Sequence[Any], donate: bool) -> Callable:
        """The compiled program for these arguments, the first of which is a state and the others placed by the methods
        above (or numbers); `donate` gives the state's memory away to the new one, which comes first in what is returned."""

    def host_state(self, tree: Any) -> Any:
        """A state as numpy arrays."""

    def kept(self, tree: Any) -> Any:
        """A state as a checkpoint gets it: numpy arrays, or as it lies where it is split (it is never whole then)."""

    def read_as(self, tree: Any) -> Any:
        """What a checkpoint is to be read as: a host state itself, or shapes and where they lie where it is split."""

    def host(self, tree: Any) -> Any:
        """Logs as numpy arrays."""

    def host_split(self, tree: Any, axis: int) -> Any:
        """Outputs with a shared-out batch axis, whole again, as numpy arrays."""


@dataclasses.dataclass(frozen=True)
class MeshPlacement:
    """`jit` over a mesh (batch, model); one device is a mesh of one."""

    mesh: Mesh
    rules: Rules = Rules()
    by_onednn: bool = False  # whether compiled programs have oneDNN's convolutions
    lead: tuple[str | None, ...] = ()  # how axes are laid that a state's leaves have before a parameter's own

    @property
    def devices(self) -> int:
        return self.mesh.shape[BATCH_AXIS]

    def _put(self, tree: Any, spec: PartitionSpec) -> Any:
        return jax.tree.map(lambda leaf: _global(leaf, NamedSharding(self.mesh, spec)), tree)

    def _shardings(self, tree: Any) -> Any:
        """Where each leaf of a state lies."""

        def one(path: Any, leaf: Any) -> NamedSharding:
            shape, size = leaf.shape[len(self.lead) :], np.dtype(leaf.dtype).itemsize
            axes = self.rules.axes(path_text(path), shape, size, self.mesh.shape)
            return NamedSharding(self.mesh, PartitionSpec(*self.lead, *axes) if any(axes) else PartitionSpec())

        return jax.tree_util.tree_map_with_path(one, tree)

    def state(self, tree: Any) -> Any:
        return jax.tree.map(_global, tree, self._shardings(tree))

    def kept(self, tree: Any) -> Any:
        return tree if self.rules.splits(self.mesh.shape) else self.host_state(tree)

    def read_as(self, tree: Any) -> Any:
        if not self.rules.splits(self.mesh.shape):
            return tree
        return jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
            tree,
            self._shardings(tree),
        )

    def whole(self, tree: Any) -> Any:
        return self._put(tree, PartitionSpec())

    each = whole

    def _shared(self, leaf: Any, axis: int) -> NamedSharding:
        """How an array is laid whose batch axis is shared out."""
        return NamedSharding(self.mesh, PartitionSpec(*([None] * axis), BATCH_AXIS))

    def split(self, tree: Any, axis: int) -> Any:
        return jax.tree.map(lambda leaf: _global(leaf, self._shared(leaf, axis)), tree)

    def mine(self, size: int) -> np.ndarray:
        sharding = NamedSharding(self.mesh, PartitionSpec(BATCH_AXIS))
        spans = sharding.addressable_devices_indices_map((size,)).values()
        return np.unique([position for span in spans if span for position in range(*span[0].indices(size))])

    def split_mine(self, tree: Any, axis: int, size: int) -> Any:
        mine = self.mine(size)

        def put(leaf: np.ndarray) -> jax.Array:
            def part(index: Any) -> np.ndarray:
                here = np.isin(mine, np.arange(size)[index[axis]])
                return np.compress(here, leaf[index[:axis]], axis)

            shape = (*leaf.shape[:axis], size, *leaf.shape[axis + 1 :])
            return jax.make_array_from_callback(shape, self._shared(leaf, axis), part)

        return jax.tree.map(put, tree)

    def compile(self, function: Callable, arguments: Sequence[Any], donate: bool) -> Callable:
        out = None
        if donate:  # the state keeps its place; the compiler may choose for everything else
            out = (jax.tree.map(lambda leaf: leaf.sharding, arguments[0]), None)
        program = jax.jit(function, donate_argnums=(0,) if donate else (), out_shardings=out)
        return onednn.compiled(program, arguments, self.by_onednn)

    def host(self, tree: Any) -> Any:
        return jax.tree.map(_fetch, tree)

    host_state = host

    def host_split(self, tree: Any, axis: int) -> Any:
        del axis
        return self.host(tree)


@dataclasses.dataclass(frozen=True)
class PmapPlacement:
    """One copy of the program a device, over a bound axis. Kept because the field's examples use it."""

    local: tuple[Any, ...]
    by_onednn: bool = False

    @property
    def devices(self) -> int:
        return len(self.local)

    def _stacked(self, parts: Sequence[np.ndarray]) -> jax.Array:
        """One part of equal shape on each device, as an array [devices, ...]."""
        sharding = NamedSharding(Mesh(np.array(self.local), (BATCH_AXIS,)), PartitionSpec(BATCH_AXIS))
        # Each a copy of its own: it is donated later.
        placed = [jax.device_put(part[None].copy(), device) for part, device in zip(parts, self.local, strict=True)]
        return jax.make_array_from_single_device_arrays((self.devices, *parts[0].shape), sharding, placed)

    def whole(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: self._stacked([np.asarray(leaf)] * self.devices), tree)

    state = each = whole

    def split(self, tree: Any, axis: int) -> Any:
        return jax.tree.map(lambda leaf: self._stacked(np.split(np.asarray(leaf), self.devices, axis)), tree)

    def mine(self, size: int) -> np.ndarray:
        return np.arange(size)

    def split_mine(self, tree: Any, axis: int, size: int) -> Any:
        return self.split(tree, axis)

    def compile(self, function: Callable, arguments: Sequence[Any], donate: bool) -> Callable:
        axes = tuple(
            None if np.ndim(argument) == 0 and not isinstance(argument, dict | tuple) else 0 for argument in arguments
        )
        program = jax.pmap(
            function, BATCH_AXIS, in_axes=axes, devices=self.local, donate_argnums=(0,) if donate else ()
        )
        return onednn.compiled(program, arguments, self.by_onednn)

    def host(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: np.asarray(leaf.addressable_data(0))[0], tree)

    host_state = kept = host

    def read_as(self, tree: Any) -> Any:
        return tree

    def host_split(self, tree: Any, axis: int) -> Any:
        def whole(leaf: Any) -> np.ndarray:
            return np.concatenate(list(np.asarray(leaf)), axis=axis)

        return jax.tree.map(whole, tree)


def path_text(path: Any) -> str:
    """A pytree path as text: `model/params/conv1/kernel`."""
    return '/'.join(str(getattr(part, 'key', getattr(part, 'name', getattr(part, 'idx', part)))) for part in path)


def _global(leaf: Any, sharding: NamedSharding) -> jax.Array:
    """A host array (the same in every process) as a global one; each process hands over only its own part.

    An array that already lies there (a checkpoint of a split state was read) is given away.
    """
    if isinstance(leaf, jax.Array) and leaf.sharding == sharding:
        return leaf
    if jax.process_count() == 1:
        # A copy: the array is donated later, and the caller may want to keep its own.
        return jax.device_put(np.array(leaf), sharding)
    array = np.asarray(leaf)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


@functools.cache
def _gather_program(mesh: Mesh) -> Callable:
    return jax.jit(lambda leaf: leaf, out_shardings=NamedSharding(mesh, PartitionSpec()))


def _fetch(leaf: jax.Array) -> np.ndarray:
    if not leaf.is_fully_addressable and not leaf.is_fully_replicated:
        sharding: Any = leaf.sharding
        leaf = _gather_program(sharding.mesh)(leaf)
    return np.asarray(leaf.addressable_data(0)) if not leaf.is_fully_addressable else np.asarray(leaf)
