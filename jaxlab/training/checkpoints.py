"""Checkpoints with Orbax: written in the background, whole or not at all, checked by their own digest when read.

A checkpoint holds the state (as plain nested dicts of host arrays, so it opens on another number of devices) and a JSON
part: step, history, the partial log of an unfinished epoch, the config it belongs to, versions, digest. Orbax does not
notice a flipped bit in a data file; the digest does, and the checkpoint before is taken instead. A state that is split over
devices is written and read in its pieces, by each process its own; it opens whole, and in other pieces, all the same.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import serialization
from jax.experimental import multihost_utils

from jaxlab import cloud, files
from jaxlab.errors import UserError
from jaxlab.training.split_digest import is_split, split_digest

Template = Callable[[int], Any]  # step -> a state of the form that a checkpoint of this step has

SYSTEM_ERROR = 'os_error_code'  # in the words of an error that Orbax passes on from the system


def digest(tree: Any) -> str:
    """sha256 over the leaves' paths, dtypes, shapes and bytes, in path order: equal digests mean equal trees."""
    result = hashlib.sha256()
    leaves, _ = jax.tree_util.tree_flatten_with_path(serialization.to_state_dict(tree))
    for path, leaf in sorted(leaves, key=lambda item: jax.tree_util.keystr(item[0])):
        array = np.ascontiguousarray(leaf)
        result.update(f'{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n'.encode())
        result.update(array.tobytes())
    return result.hexdigest()


@dataclasses.dataclass(frozen=True)
class Saved:
    """A checkpoint that was read: the state (as the template's type; host arrays, or as the template lies where that says
    so) and its JSON part."""

    step: int
    state: Any
    meta: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one run. Always closed (`with`), or a save in flight would be lost."""

    def __init__(self, folder: Path, keep: int = 2, best_mode: str | None = None):
        import orbax.checkpoint as ocp
        from orbax.checkpoint import checkpoint_managers as managers

        _quieten()
        self.folder = files.absolute(files.make_folder(folder))
        self._args, self._handler = ocp.args, ocp.StandardCheckpointHandler()
        self._scores: dict[int, float | None] = {}
        self.seconds = 0.0  # that writing kept others waiting
        policies: list[Any] = [managers.LatestN(n=keep)]
        if best_mode is not None:
            policies.append(_Best(self._scores, best_mode))
        options = ocp.CheckpointManagerOptions(
            preservation_policy=managers.AnyPreservationPolicy(policies),
            cleanup_tmp_directories=True,
            enable_async_checkpointing=True,
        )
        self._manager = ocp.CheckpointManager(self.folder, options=options, item_names=('state', 'meta'))
        if best_mode is not None:
            self._scores |= {step: self._score(step) for step in self.steps}

    def __enter__(self) -> 'Checkpoints':
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.wait()
        finally:
            self._manager.close()

    @property
    def steps(self) -> list[int]:
        """Steps of all checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def save(
        self, step: int, state: Any, meta: Mapping[str, Any], score: float | None = None, replace: bool = False
    ) -> None:
        """Starts to save host arrays, or arrays in pieces on several devices; a checkpoint of the same step is left as it
        is, or replaced."""
        if step in self.steps:
            if not replace:
                return
            self._manager.delete(step)
        tree = serialization.to_state_dict(state)
        split = {'split': True} if is_split(tree) else {}
        if not split:
            tree = jax.tree.map(np.asarray, tree)
        facts = json.loads(json.dumps({**meta, **split, 'step': step, 'score': score}))
        facts['digest'] = _seal(tree, facts)
        self._scores[step] = facts['score']
        with self._writing():
            saved = self._manager.save(
                step,
                args=self._args.Composite(state=self._args.StandardSave(tree), meta=self._args.JsonSave(facts)),
                force=True,
            )
        if not saved:
            raise RuntimeError(f'the checkpoint of step {step} was not saved')

    def wait(self) -> None:
        """Until a save in flight is on disk."""
        with self._writing():
            self._manager.wait_until_finished()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Says in one line what the disk refused; Orbax wraps the system's errors in its own, often a save later."""
        begun = time.perf_counter()
        try:
            yield
            self.seconds += time.perf_counter() - begun
        except Exception as error:
            refused = cloud.refusal(error)
            if not (refused or isinstance(error, OSError) or SYSTEM_ERROR in str(error)):
                raise
            reason = refused or str(error).strip().splitlines()[0].rpartition(': ')[2].partition(' [')[0]
            raise UserError(
                f'a checkpoint in {self.folder} could not be written: {reason}; the last whole checkpoint is kept; '
                'free some room or choose another --workdir'
            ) from error

    def meta(self) -> Mapping[str, Any] | None:
        """The JSON part of the newest readable checkpoint, without its arrays."""
        for step in reversed(self.steps):
            try:
                return self._manager.restore(step, args=self._args.Composite(meta=self._args.JsonRestore())).meta
            except Exception as error:
                self._heard(error, step)
        return None

    def _heard(self, error: Exception, step: int) -> None:
        """A bucket that does not answer has lost nothing: what it holds is not taken for damaged."""
        refused = cloud.refusal(error)
        if not refused and files.is_remote(self.folder):
            refused = cloud.unreadable(str(self.folder / str(step)))
        if refused:
            raise UserError(
                f'a checkpoint in {self.folder} could not be read: {refused}; it is kept; run the same command again'
            ) from error

    def read(self, step: int, template: Any) -> Saved:
        """One checkpoint, checked. Raises ValueError if it is damaged, UserError if it is sound and of another network."""
        expected = serialization.to_state_dict(template)
        try:
            meta = self._manager.restore(step, args=self._args.Composite(meta=self._args.JsonRestore())).meta
            target = self._target(step, expected) if meta.get('split') else None
            state = self._args.StandardRestore(target)
            tree = self._manager.restore(step, args=self._args.Composite(state=state)).state
            if target is None:
                tree = jax.tree.map(np.asarray, tree)
            sound = _seal(tree, meta) == meta['digest']
        except UserError:
            raise
        except Exception as error:
            self._heard(error, step)
            raise ValueError(_words(error)) from error
        if not sound:
            raise ValueError('its bytes do not match its digest')
        self._check_fits(step, expected, tree)
        # The same leaves in the template's containers: an older checkpoint lacks fields that came later and are empty.
        tree = jax.tree.unflatten(jax.tree.structure(expected), jax.tree.leaves(tree))
        return Saved(step, serialization.from_state_dict(template, tree), meta)

    def _target(self, step: int, expected: Any) -> Any:
        """What the pieces of a split state are read as: as the template's leaves lie, or whole."""

        def one(leaf: Any) -> Any:
            return (
                leaf
                if isinstance(leaf, jax.ShapeDtypeStruct)
                else np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape)
            )

        there = self._handler.metadata(self.folder / str(step) / 'state').tree
        self._check_fits(step, expected, there)  # Orbax would cast in silence
        return jax.tree.unflatten(jax.tree.structure(there), [one(leaf) for leaf in jax.tree.leaves(expected)])

    def _check_fits(self, step: int, expected: Any, found: Any) -> None:
        misfit = _misfit(expected, found)
        if misfit:
            raise UserError(
                f'checkpoint of step {step} in {self.folder} is of another network: {misfit}; valid: the config '
                'it was trained with, or another --workdir'
            )

    def latest(self, template: Template, say: Any = print) -> Saved | None:
        """The newest sound checkpoint; damaged ones are set aside (kept in `damaged/`) and named. None if there is none.

        Raises UserError if there are checkpoints and none is sound.
        """
        damaged = []
        for step in reversed(self.steps):
            try:
                return self.read(step, template(step))
            except ValueError as error:
                damaged.append(step)
                say(f'checkpoint of step {step} in {self.folder} is damaged ({error}); falling back to the one before')
                self.set_aside(step)
        if damaged:
            raise UserError(
                f'every checkpoint in {self.folder} is damaged (steps {", ".join(map(str, damaged))}, kept in damaged/); '
                'valid: --fresh to start again beside it'
            )
        return None

    def set_aside(self, step: int) -> None:
        """Moves a damaged checkpoint out of the way; saving its step again would otherwise silently do nothing."""
        if jax.process_index() == 0:
            files.move(self.folder / str(step), self.folder.parent / 'damaged' / str(step))
        if jax.process_count() > 1:  # nobody lists the folder before the checkpoint is out of it
            multihost_utils.sync_global_devices(f'set aside {step}')
        self._manager.reload()

    def best(self, mode: str, template: Template, say: Any = print) -> Saved | None:
        """The sound checkpoint with the best score, or None if none has one; damaged ones are named."""
        for step in _best_first({step: self._scores.get(step) for step in self.steps}, mode):
            try:
                return self.read(step, template(step))
            except ValueError as error:
                say(f'the best checkpoint (step {step}) in {self.folder} is damaged ({error}); taking the next best')
        return None

    def _score(self, step: int) -> float | None:
        try:
            return self._manager.restore(step, args=self._args.Composite(meta=self._args.JsonRestore())).meta['score']
        except Exception as error:
            self._heard(error, step)
            return None


class _Best:
    """Keeps the checkpoint of the best score, also one of an earlier process: Orbax's own rule knows only the scores that
    this process has handed to it, and lets the best of a resumed run go."""

    def __init__(self, scores: Mapping[int, float | None], mode: str):
        self.scores, self.mode = scores, mode

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> Sequence[bool]:
        steps = [checkpoint.step for checkpoint in checkpoints]
        best = _best_first({step: self.scores.get(step) for step in steps}, self.mode)[:1]
        return [step in best for step in steps]


def _best_first(scores: Mapping[int, float | None], mode: str) -> list[int]:
    """Steps that have a score, the best first; of equal ones the earlier."""
    sign = 1 if mode == 'min' else -1
    return [step for _, step in sorted((sign * score, step) for step, score in scores.items() if score is not None)]


def _seal(tree: Any, facts: Mapping[str, Any]) -> str:
    """Digest of a whole checkpoint, its JSON part included."""
    rest = {name: value for name, value in facts.items() if name != 'digest'}
    of_state = split_digest(tree) if facts.get('split') else digest(tree)
    return hashlib.sha256((of_state + json.dumps(rest, sort_keys=True)).encode()).hexdigest()


def _quieten() -> None:
    """Orbax's threads print tracebacks of errors that the callers here say in one line."""
    for name in ('absl', 'asyncio'):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _without_closed_loops


def _without_closed_loops(problem: Any) -> None:
    """After a failed save, futures of the parts that did not fail report to an event loop that is gone."""
    if not (isinstance(problem.exc_value, RuntimeError) and str(problem.exc_value) == 'Event loop is closed'):
        sys.__unraisablehook__(problem)


def _words(error: Exception) -> str:
    """Type and first line of an error from below, not longer than a line."""
    return ': '.join([type(error).__name__, *str(error).strip().splitlines()[:1]])[:200]


def _misfit(expected: Any, tree: Any) -> str:
    """The first leaf whose path, shape or dtype is not the template's (nothing is cast or left out in silence), or ''."""

    def described(value: Any) -> dict[str, str]:
        leaves, _ = jax.tree_util.tree_flatten_with_path(value)
        return {
            jax.tree_util.keystr(path, simple=True, separator='/'): f'{np.dtype(leaf.dtype)}{tuple(leaf.shape)}'
            for path, leaf in leaves
        }

    want, have = described(expected), described(tree)
    for path in sorted(want.keys() | have.keys()):
        if want.get(path) != have.get(path):
            return f'{path} is {have.get(path, "missing")}, expected {want.get(path, "nothing")}'
    return ''
