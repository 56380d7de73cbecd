"""How a run's programs are computed, where the config leaves it open: decided once, kept in every checkpoint of the run.

Another choice gives the same results within rounding, but not the same bits; so a run goes on as it began.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from jaxlab.errors import UserError
from jaxlab.layers import onednn
from jaxlab.protocol import Task
from jaxlab.training import model_table

# Floating-point operations of a run's convolutions above which oneDNN pays, though its programs are compiled at every
# start: about a minute of them on two cores, of which it saves a quarter; compiling takes 5 to 15 seconds.
WORTH = 1e13

# Copies of a network in one program, on one device; a hundred of a small GAN were not compiled after six minutes, stacked
# they are after seven seconds.
MANY = 16


class Forms(NamedTuple):
    """replicas: 'vmap' or 'unrolled'. convolutions, on a CPU: 'onednn', or 'own' for jaxlab's own forms."""

    replicas: str
    convolutions: str

    def as_json(self) -> dict[str, str]:
        """As a checkpoint and results.json hold it."""
        return {'replica_form': self.replicas, 'convolutions': self.convolutions}


def choose(config: Any, task: Task, examples: int, begun: Mapping[str, Any]) -> Forms:
    """The forms of a run. examples: that it trains on in all; begun: what the run's checkpoint says, {} before the first."""
    return Forms(_replicas(config, begun), _convolutions(config, task, examples, begun))


def _replicas(config: Any, begun: Mapping[str, Any]) -> str:
    """On a CPU vmap slows down convolutions and small products; elsewhere it fills a device that has several."""
    if config.replica_form != 'auto':
        return config.replica_form
    if begun.get('replica_form'):
        return begun['replica_form']
    most = MANY if jax.default_backend() == 'cpu' else 1
    return 'vmap' if config.replicas > most * config.parallel.replica_axis else 'unrolled'


def _convolutions(config: Any, task: Task, examples: int, begun: Mapping[str, Any]) -> str:
    asked = config.training.convolutions
    if asked == 'onednn' and not onednn.available():
        raise UserError(
            "config.training.convolutions = 'onednn': this jaxlib does not offer it on this processor; valid: auto, own"
        )
    if asked != 'auto':
        return asked
    if begun:  # a run of before this choice existed had jaxlab's own forms
        wanted = begun.get('convolutions', 'own') == 'onednn'
    else:
        # Forwards once, backwards twice; a multiplication and an addition each.
        wanted = 6.0 * model_table.convolution_work(task.networks()) * examples * config.replicas >= WORTH
    return 'onednn' if wanted and onednn.available() else 'own'
