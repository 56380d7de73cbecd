"""A worked computation: nothing is trained from data, every intermediate is computed, in float64, and laid out.

`PAGES` is the table of what can be worked: a page is a function `Settings -> Report` in `jaxlab/worked/pages`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax

from jaxlab.data.dataset import Dataset
from jaxlab.errors import UserError, lookup
from jaxlab.protocol import Batch, Sums
from jaxlab.worked import own
from jaxlab.worked.settings import Settings

PAGES = {  # name -> module:function; imported when asked for
    'gates': 'jaxlab.worked.pages.gates:page',
    'perceptron': 'jaxlab.worked.pages.perceptron:page',
    'delta_rule': 'jaxlab.worked.pages.delta:page',
    'xor': 'jaxlab.worked.pages.xor:page',
    'forward': 'jaxlab.worked.pages.forward:page',
    'backward': 'jaxlab.worked.pages.backward:page',
    'activations': 'jaxlab.worked.pages.activations:page',
    'attention': 'jaxlab.worked.pages.attention:page',
    'attention_vs_gru': 'jaxlab.worked.pages.attention_vs_gru:page',
}
RULES = {  # name -> module:function; what is done with a network of one's own
    'forward': 'jaxlab.worked.pages.own:forward',
    'backprop': 'jaxlab.worked.pages.own:backprop',
    'perceptron': 'jaxlab.worked.pages.own:perceptron',
    'delta': 'jaxlab.worked.pages.own:delta',
}


@dataclasses.dataclass(frozen=True)
class Trace:
    """`page`: what is worked. `learning_rate` 0: the page's own. With `config.worked.inputs`, a network of one's own takes the
    page's place: `rule` (forward, backprop, perceptron, delta), `activation` (one for all layers, or one a layer
    separated by commas; '': the rule's own), `loss` (half_squared, cross_entropy).
    """

    settings: Settings
    page: str = ''
    rule: str = ''
    activation: str = ''
    loss: str = 'half_squared'
    learning_rate: float = 0.0

    takes_numbers = True

    @classmethod
    def from_config(cls, config: Any, data: Dataset, steps_per_epoch: int, total_steps: int, **options: Any) -> 'Trace':
        network = own.read(
            config.worked.inputs, config.worked.weights, config.worked.targets, options.get('activation', '')
        )
        rate = float(options.get('learning_rate', 0.0))
        if rate < 0:
            raise UserError(f'config.task.learning_rate = {rate:g}; valid: a number from 0 up (0: that of the page)')
        settings = Settings(
            network,
            rate,
            config.training.epochs,
            options.get('loss', 'half_squared'),
            config.worked.show,
            config.training.seed,
        )
        task = cls(settings, **options)
        lookup(PAGES, task.page, 'config.task.page')
        if network is not None:
            if not task.rule:
                raise UserError(
                    f'page {task.page} takes no numbers of your own; valid: a --config.task.rule, one of '
                    f'{", ".join(RULES)}'
                )
            lookup(RULES, task.rule, 'config.task.rule')
        return task

    def init(self, key: jax.Array, example: Batch) -> dict[str, Any]:
        """Nothing is learned here."""
        return {}

    def train_step(self, state: Any, batch: Batch, key: jax.Array) -> tuple[Any, Sums]:
        """Nothing is learned here."""
        return state, {}

    def eval_step(self, state: Any, batch: Batch, key: jax.Array) -> tuple[Sums, dict[str, jax.Array]]:
        """Nothing is measured on examples."""
        return {}, {}

    def snapshot(self, state: Any, key: jax.Array) -> None:
        """Nothing moves."""
        return None

    def networks(self) -> Mapping[str, Any]:
        """No Flax module."""
        return {}
