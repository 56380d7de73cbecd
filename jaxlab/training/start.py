"""What a training begins with, where that is not the initialisation alone: weights that were trained before.

Every tensor is accounted for: one that the network has is loaded or named in `skip`, one that the weights have is used or
named in `skip`. Names are paths such as `model.params.Dense_0.kernel`, as `jaxlab.open_run(...).save_weights` writes them.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxlab.errors import UserError
from jaxlab.models.pretrained import folder
from jaxlab.models.pretrained.account import accounted
from jaxlab.models.text_encoder import TextClassifier
from jaxlab.optimizers import TrainState


def named(state: Any) -> dict[str, np.ndarray]:
    """All parameters and running statistics of the networks in a state, by name."""
    found = {}
    for network, one in state.items():
        if isinstance(one, TrainState):
            for collection, tree in one.variables().items():
                for place, array in flatten_dict(dict(tree)).items():
                    found['.'.join((network, collection, *place))] = np.ascontiguousarray(array)
    return found


@dataclasses.dataclass(frozen=True)
class Start:
    """weights: name -> array. where: what they are, for messages."""

    weights: Mapping[str, np.ndarray]
    skip: tuple[str, ...] = ()
    where: str = 'config.start'

    @classmethod
    def read(cls, path: Path, skip: Sequence[str] = ()) -> 'Start':
        """A safetensors file; or a folder in Hugging Face's layout, whose encoder becomes that of the network."""
        if path.is_dir():
            found = folder.read(path, skip)
            beneath = 'model.params.' if isinstance(found.module, TextClassifier) else 'model.params.encoder.'
            return cls(found.weights(beneath), tuple(skip), f'config.start.weights={str(path)!r}')
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return cls(load(path.read_bytes()), tuple(skip), f'config.start.weights={str(path)!r}')
        except (OSError, SafetensorError) as error:
            valid = "a .safetensors file, or a folder in Hugging Face's layout"
            raise UserError(f'config.start.weights={str(path)!r} cannot be read ({error}); valid: {valid}') from error

    @property
    def digest(self) -> str:
        """Of all that is loaded: part of a run's identity."""
        found = hashlib.sha256(repr(self.skip).encode())
        for name in sorted(self.weights):
            found.update(name.encode() + np.ascontiguousarray(self.weights[name]).tobytes())
        return found.hexdigest()[:16]

    def apply(self, state: Any) -> Any:
        """The state of one replica, on the host, with these weights; its optimizers have seen nothing but them."""
        mine = accounted(named(state), self.weights, self.skip, self.where)
        trees = unflatten_dict({tuple(name.split('.')): array for name, array in mine.items()})
        return {name: _begun(one, trees[name]) if name in trees else one for name, one in state.items()}


def _begun(network: TrainState, variables: Mapping[str, Any]) -> TrainState:
    """The network at these variables, nothing learned yet."""
    params, stats = variables['params'], variables.get('batch_stats', {})
    again = network.replace(params=params, batch_stats=stats, opt_state=network.tx.init(params))
    if network.ema_decay:
        wide = {'params': params, 'batch_stats': stats}
        again = again.replace(ema=jax.tree.map(lambda new, old: np.asarray(new, old.dtype), wide, network.ema))
    return jax.tree.map(np.asarray, again)
