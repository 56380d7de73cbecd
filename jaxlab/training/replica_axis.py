"""Replicas on devices of their own (`config.parallel.replica_axis`), and which placement a config asks for.

The devices are divided into groups of equal size; each group computes its own replicas by the programs of a run on such a
group, so every replica has the bits that it has alone there. (One program over all groups, partitioned by `jax.shard_map`,
would be compiled once; but the partitioner leaves other instructions to fuse, and the bits differ.) The calls of all groups
are on their way before the first result is waited for. Of several processes each computes the groups of its own devices.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType

from jaxlab.errors import UserError
from jaxlab.layers.batch_axis import BATCH_AXIS
from jaxlab.training.placement import MeshPlacement, Placement, PmapPlacement
from jaxlab.training.shard_rules import MODEL_AXIS, Rules


@dataclasses.dataclass(frozen=True)
class Lot:
    """Replicas first to last (exclusive) that one call computes on one group of devices. owner: its process."""

    first: int
    last: int
    group: int
    owner: int

    @property
    def rows(self) -> slice:
        return slice(self.first, self.last)


@dataclasses.dataclass(frozen=True)
class ReplicaPlacement:
    """Groups of devices with their replicas. On the devices everything is a tuple, a part for each of this process's lots."""

    groups: tuple[MeshPlacement, ...]
    replicas: int
    form: str  # as in `Programs`: 'unrolled' has a lot for each replica, 'vmap' one for each group

    @property
    def devices(self) -> int:
        return self.groups[0].devices

    @functools.cached_property
    def all_lots(self) -> tuple[Lot, ...]:
        """Those of all processes; they differ in size by one replica at most."""
        blocks = np.array_split(np.arange(self.replicas), len(self.groups))
        owners = [group.mesh.devices.flat[0].process_index for group in self.groups]
        if self.form == 'vmap':
            return tuple(Lot(int(b[0]), int(b[-1]) + 1, n, owners[n]) for n, b in enumerate(blocks))
        return tuple(Lot(int(r), int(r) + 1, n, owners[n]) for n, block in enumerate(blocks) for r in block)

    @functools.cached_property
    def lots(self) -> tuple[Lot, ...]:
        """Those of this process."""
        return tuple(lot for lot in self.all_lots if lot.owner == jax.process_index())

    def _same(self, put: Callable[[MeshPlacement], Any]) -> tuple[Any, ...]:
        """What all replicas see: once a group."""
        placed = {lot.group: put(self.groups[lot.group]) for lot in self.lots}
        return tuple(placed[lot.group] for lot in self.lots)

    def _own(self, put: Callable[[MeshPlacement, Any], Any], tree: Any) -> tuple[Any, ...]:
        """Each lot's rows of arrays [replicas, ...]."""
        return tuple(
            put(self.groups[lot.group], jax.tree.map(lambda leaf, lot=lot: leaf[lot.rows], tree)) for lot in self.lots
        )

    def state(self, tree: Any) -> Any:
        if self.form == 'vmap':
            return self._own(MeshPlacement.state, tree)
        return tuple(self.groups[lot.group].state(tree[lot.rows]) for lot in self.lots)

    def whole(self, tree: Any) -> Any:
        return self._same(lambda group: group.whole(tree))

    def each(self, tree: Any) -> Any:
        return self._own(MeshPlacement.whole, tree)

    def split(self, tree: Any, axis: int) -> Any:
        if _of_replicas(tree, axis):
            return self._own(lambda group, part: group.split(part, axis), tree)
        return self._same(lambda group: group.split(tree, axis))

    def mine(self, size: int) -> np.ndarray:
        return np.arange(size)

    def split_mine(self, tree: Any, axis: int, size: int) -> Any:
        return self.split(tree, axis)

    def compile(self, function: Callable, arguments: Sequence[Any], donate: bool) -> Callable:
        def of(number: int, arguments: Sequence[Any]) -> list[Any]:
            return [argument[number] if isinstance(argument, tuple) else argument for argument in arguments]

        keys = [(lot.group, lot.last - lot.first) for lot in self.lots]
        programs = {
            key: self.groups[key[0]].compile(function, of(keys.index(key), arguments), donate)
            for key in dict.fromkeys(keys)
        }

        def program(*arguments: Any) -> tuple[Any, Any]:
            found = [programs[key](*of(number, arguments)) for number, key in enumerate(keys)]
            return tuple(first for first, _ in found), tuple(second for _, second in found)

        return program

    def host_state(self, tree: Any) -> Any:
        if self.form == 'vmap':
            return self.host(tree)
        parts = [self.groups[lot.group].host(part[0]) for lot, part in zip(self.lots, tree, strict=True)]
        stacked = jax.tree.map(lambda *leaves: self._of_all(np.stack(leaves)), *parts)
        return tuple(jax.tree.map(lambda leaf, at=at: leaf[at], stacked) for at in range(self.replicas))

    kept = host_state

    def read_as(self, tree: Any) -> Any:
        return tree

    def host(self, tree: Any) -> Any:
        parts = [self.groups[lot.group].host(part) for lot, part in zip(self.lots, tree, strict=True)]
        return jax.tree.map(lambda *leaves: self._of_all(np.concatenate(leaves)), *parts)

    def host_split(self, tree: Any, axis: int) -> Any:
        del axis
        return self.host(tree)

    def _of_all(self, mine: np.ndarray) -> np.ndarray:
        """[replicas, ...] from the rows [mine, ...] that each process has."""
        if jax.process_count() == 1:
            return mine
        rows = np.concatenate([np.arange(self.replicas)[lot.rows] for lot in self.lots])
        owners = np.concatenate([[lot.owner] * (lot.last - lot.first) for lot in self.all_lots])
        known = np.zeros((self.replicas, *mine.shape[1:]), mine.dtype)
        known[rows] = mine
        return multihost_utils.process_allgather(known)[owners, np.arange(self.replicas)]


def _of_replicas(tree: Any, axis: int) -> bool:
    """Whether arrays have rows for each replica (see `Placement.split`)."""
    return axis == 2 and len(jax.tree.leaves(tree)[0]) > 1


def placement(config: Any, form: str = 'unrolled', by_onednn: bool = False) -> Placement:
    """The placement that `config.parallel` asks for.

    form: of replicas, as in `Programs`; by_onednn: whether programs have oneDNN's convolutions.
    """
    parallel, available = config.parallel, jax.devices()
    replica, model = parallel.replica_axis, parallel.model_axis
    if replica > config.replicas:
        raise UserError(
            f'config.parallel.replica_axis = {replica}, but config.replicas = {config.replicas}; '
            f'valid: 1 to {config.replicas}'
        )
    wanted = parallel.devices or len(available)
    if wanted > len(available):
        raise UserError(
            f'config.parallel.devices = {wanted}, but there are {len(available)}; valid: 0 (all) to {len(available)}'
        )
    devices = available[:wanted]
    if parallel.mode == 'pmap':
        if replica > 1:
            raise UserError(
                f"config.parallel.replica_axis = {replica} with config.parallel.mode = 'pmap'; valid: 'jit'"
            )
        if parallel.shard:
            raise UserError("config.parallel.shard with config.parallel.mode = 'pmap'; valid: 'jit'")
        if jax.process_count() > 1:
            raise UserError("config.parallel.mode = 'pmap' runs in one process; with several use 'jit'")
        return PmapPlacement(tuple(devices), by_onednn)
    if wanted % (replica * model):
        _refuse_axes(replica, model, wanted)
    shape = (wanted // (replica * model), model)
    groups = tuple(
        MeshPlacement(
            jax.make_mesh(shape, (BATCH_AXIS, MODEL_AXIS), axis_types=(AxisType.Auto, AxisType.Auto), devices=mine),
            Rules.of(parallel.shard),
            by_onednn,
            (None,) if form == 'vmap' else (),
        )
        for mine in (devices[at : at + wanted // replica] for at in range(0, wanted, wanted // replica))
    )
    if replica == 1:
        return groups[0]
    found = ReplicaPlacement(groups, config.replicas, form)
    if any(len({device.process_index for device in group.mesh.devices.flat}) > 1 for group in groups):
        raise UserError(
            f'config.parallel.replica_axis = {replica}: {wanted // replica} devices for a replica reach over several hosts; '
            f'valid: a multiple of the {jax.process_count()} hosts'
        )
    return found


def _refuse_axes(replica: int, model: int, devices: int) -> NoReturn:
    """Says which axes the devices cannot be laid out in."""
    if replica == 1:
        raise UserError(f'config.parallel.model_axis = {model} does not divide the {devices} devices')
    axes = f'config.parallel.replica_axis = {replica}' + (f' times model_axis = {model}' if model > 1 else '')
    each = 'one a core of a CPU' if jax.default_backend() == 'cpu' else 'one a chip'
    number = replica * model
    valid = f'config.parallel.devices={number}' if number < devices else f'at most {devices}'
    raise UserError(f'{axes} needs a multiple of {number} devices, and there are {devices} ({each}); valid: {valid}')
