"""A digest of a state that lies in pieces: each process adds up its own, and the sum does not depend on how it is cut.

Of each leaf the sum over its elements of (bits of the element times an odd number that its position gives) modulo 2^64: one
flipped bit always changes it, and so does an exchange of two elements but for a chance of about 2^-63.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from flax import serialization
from jax.experimental import multihost_utils

ELEMENTS = 1 << 20  # looked at together


def is_split(tree: Any) -> bool:
    """Whether some leaf lies in pieces on several devices."""
    return any(isinstance(leaf, jax.Array) and not leaf.is_fully_replicated for leaf in jax.tree.leaves(tree))


def split_digest(tree: Any) -> str:
    """sha256 over paths, dtypes, shapes and sums, in path order: the same of arrays on the host and however they lie."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(serialization.to_state_dict(tree))
    named = sorted((jax.tree_util.keystr(path), leaf) for path, leaf in leaves)
    sums = np.array([sum(_sum(piece, at) for piece, at in _pieces(leaf)) % 2**64 for _, leaf in named], np.uint64)
    if any(isinstance(leaf, jax.Array) for _, leaf in named) and jax.process_count() > 1:
        # As halves of 32 bits: jax would cut 64 down.
        each = multihost_utils.process_allgather(sums.view(np.uint32)).view(np.uint64)
        sums = each.sum(axis=0, dtype=np.uint64)
    result = hashlib.sha256()
    for (path, leaf), total in zip(named, sums.tolist(), strict=True):
        result.update(f'{path} {np.dtype(leaf.dtype)} {tuple(leaf.shape)} {total}\n'.encode())
    return result.hexdigest()


def _pieces(leaf: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every piece that this process answers for, a few rows at a time, with its elements' positions in the whole."""
    if isinstance(leaf, jax.Array):
        shards = [(shard.data, shard.index) for shard in leaf.addressable_shards if shard.replica_id == 0]
    else:
        shards = [(np.asarray(leaf), (slice(None),) * np.ndim(leaf))]
    for data, index in shards:
        array = np.asarray(data)
        axes = [np.arange(size, dtype=np.uint64)[cut] for size, cut in zip(leaf.shape, index, strict=True)]
        if not array.ndim:
            yield array.reshape(1), np.zeros(1, np.uint64)
            continue
        rows = max(1, ELEMENTS // max(1, array[0].size)) if len(array) else 1
        for first in range(0, len(array), rows):
            positions = np.zeros((1,) * array.ndim, np.uint64)
            for at, axis in enumerate([axes[0][first : first + rows], *axes[1:]]):
                stride = np.uint64(np.prod(leaf.shape[at + 1 :], dtype=np.uint64))
                positions = positions + (axis * stride).reshape(-1, *(1,) * (array.ndim - at - 1))
            yield array[first : first + rows], positions


def _sum(piece: np.ndarray, positions: np.ndarray) -> int:
    """Of one piece; dtypes of up to eight bytes."""
    bits = np.ascontiguousarray(piece).view(f'u{piece.dtype.itemsize}').astype(np.uint64)
    return int((bits * _weights(positions)).sum(dtype=np.uint64))


def _weights(positions: np.ndarray) -> np.ndarray:
    """An odd number for each position: splitmix64 (Steele, Lea and Flood 2014)."""
    mixed = (positions + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) | np.uint64(1)
