"""Recurrent layers over sequences [N, T, D]: LSTM, GRU, SimpleRNN, Bidirectional and Stacked as linen modules.

The maths is in `recurrence.py`; here are the parameters, and how each framework starts them:

| `init_scheme` | input kernel | recurrent kernel | biases |
|---|---|---|---|
| `'keras'` | Glorot uniform over the joined gates | orthogonal over the joined gates | 0, LSTM forget gate 1 |
| `'torch'` | U(+-1/sqrt(H)) | same | same, and two vectors (input and recurrent) in every cell |
| `'lecun'` (Flax) | LeCun normal | orthogonal, gate by gate | 0; in a GRU the candidate alone has a second one |

Gates are joined along the last axis: LSTM i, f, g, o; GRU r, z, n (PyTorch's order; Keras's GRU has z before r).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen import initializers
from jaxtyping import Array, Float, Int

from jaxlab.errors import lookup
from jaxlab.layers import recurrence
from jaxlab.layers.dropout import Dropout

Mask = Float[Array, 'N T'] | None  # 1 at true steps, 0 at padding
State = Float[Array, 'N H']
# What a cell gives: all its states (None where only the last is wanted), the last h, and the last state (of an LSTM h and c).
Reading = tuple[Float[Array, 'T N H'] | None, State, Any]

INITS = ('keras', 'torch', 'lecun')


def mask_from_lengths(lengths: Int[Array, 'N'], steps: int) -> Float[Array, 'N T']:
    """1 for the first `lengths[n]` of `steps` steps, else 0."""
    return (jnp.arange(steps) < lengths[:, None]).astype(jnp.float32)


def _uniform(units: int) -> initializers.Initializer:
    """PyTorch's start of every recurrent tensor: U(+-1/sqrt(H))."""
    limit = units**-0.5
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -limit, limit)


def _orthogonal_gates(units: int) -> initializers.Initializer:
    """An orthogonal [H, H] matrix for each gate, joined along the last axis."""

    def init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        keys = jax.random.split(key, shape[-1] // units)
        return jnp.concatenate([initializers.orthogonal()(k, (units, units), dtype) for k in keys], axis=-1)

    return init


class _Recurrent(nn.Module):
    """What the three cells share. `gates` is set by each: how many blocks of H lie along the kernels' last axis.

    Args:
      features: units H.
      init_scheme: whose starting values and biases (`'keras'`, `'torch'`, `'lecun'`; table at the top of the file).
      forget_bias: LSTM only; the forget gate's start in `bias`. `None` is the framework's: Keras 1, Flax 0, PyTorch random.
      reverse: read from the last step to the first (outputs stay in the order of the inputs).
      sequence: give all states [N, T, H], or only the last [N, H] (with `reverse` that after reading the first step).
      dtype: of the computation (parameters stay float32); None: that of x and the parameters.
    """

    features: int
    init_scheme: str = 'keras'
    reverse: bool = False
    sequence: bool = True
    dtype: jax.typing.DTypeLike | None = None

    @nn.compact
    def __call__(
        self, x: Float[Array, 'N T D'], mask: Mask = None, state: Any = None, return_state: bool = False
    ) -> Any:
        """All hidden states or the last one; with `return_state` also the last state: h, of an LSTM (h, c).

        The state is held where mask is 0.
        """
        outputs, hidden, last = self._read(x, mask, state)
        result = hidden if outputs is None else jnp.swapaxes(outputs, 0, 1)
        return (result, last) if return_state else result

    def _read(self, x: Float[Array, 'N T D'], mask: Mask, state: Any) -> Reading:
        """What the cell makes of a sequence, with its own parameters."""
        raise NotImplementedError

    def _parameters(self, x: Array, gates: int, second: int, forget_bias: float | None = None):
        """x, input kernel [D, gates H], recurrent kernel [H, gates H] and two biases [gates H] (the second may be None), all
        in the precision of the computation. second: how many gates, the last ones, have a second bias."""
        if self.init_scheme not in INITS:
            raise ValueError(f'init_scheme: {self.init_scheme!r} is none of {", ".join(INITS)}')
        units, width = self.features, gates * self.features
        kernel_init, recurrent_init, bias_init = {
            'keras': (initializers.glorot_uniform(), initializers.orthogonal(), initializers.zeros),
            'torch': (_uniform(units), _uniform(units), _uniform(units)),
            'lecun': (initializers.lecun_normal(), _orthogonal_gates(units), initializers.zeros),
        }[self.init_scheme]

        def first_bias(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
            bias = bias_init(key, shape, dtype)
            return bias if forget_bias is None else bias.at[units : 2 * units].set(forget_bias)

        kernel = self.param('kernel', kernel_init, (x.shape[-1], width))
        recurrent = self.param('recurrent_kernel', recurrent_init, (units, width))
        bias = self.param('bias', first_bias, (width,))
        recurrent_bias = self.param('recurrent_bias', bias_init, (second * units,)) if second else None
        if recurrent_bias is not None and second < gates:
            recurrent_bias = jnp.pad(recurrent_bias, (width - second * units, 0))
        return nn.dtypes.promote_dtype(x, kernel, recurrent, bias, recurrent_bias, dtype=self.dtype)

    def _start(self, state: State | None, projected: Float[Array, 'T N G']) -> State:
        return jnp.zeros((projected.shape[1], self.features), projected.dtype) if state is None else state


def _time_first(mask: Mask, dtype: Any) -> Float[Array, 'T N'] | None:
    return None if mask is None else mask.T.astype(dtype)


class LSTM(_Recurrent):
    """Long short-term memory; parameters 4 H (D + H + 1), or 4 H (D + H + 2) with PyTorch's two bias vectors."""

    forget_bias: float | None = None

    def _read(self, x: Float[Array, 'N T D'], mask: Mask, state: tuple[State, State] | None) -> Reading:
        forget_bias = 1.0 if self.init_scheme == 'keras' and self.forget_bias is None else self.forget_bias
        x, kernel, recurrent, bias, second = self._parameters(x, 4, 4 * (self.init_scheme == 'torch'), forget_bias)
        projected = recurrence.project(x, kernel, bias if second is None else bias + second)
        hidden, cell = (None, None) if state is None else state
        outputs, hidden, cell = recurrence.lstm(
            projected,
            recurrent,
            self._start(hidden, projected),
            self._start(cell, projected),
            _time_first(mask, projected.dtype),
            self.reverse,
            self.sequence,
        )
        return outputs, hidden, (hidden, cell)


class GRU(_Recurrent):
    """Gated recurrent unit; parameters 3 H (D + H + 2), Flax 3 H (D + H + 1) + H, 3 H (D + H + 1) with `reset_after=False`.

    `reset_after` (the default of Keras and the only form of PyTorch) applies the reset gate to the product `h U_n + b`,
    which needs a second bias vector; without it the gate is applied to h before the product (Cho et al. 2014).
    """

    reset_after: bool = True

    def _read(self, x: Float[Array, 'N T D'], mask: Mask, state: State | None) -> Reading:
        doubled = (1 if self.init_scheme == 'lecun' else 3) if self.reset_after else 0
        x, kernel, recurrent, bias, second = self._parameters(x, 3, doubled)
        projected = recurrence.project(x, kernel, bias)
        rest = (self._start(state, projected), _time_first(mask, projected.dtype), self.reverse, self.sequence)
        if second is None:
            outputs, hidden = recurrence.run(recurrence.GRU_RESET_BEFORE, projected, (recurrent,), *rest)
        else:
            outputs, hidden = recurrence.run(recurrence.GRU, projected, (recurrent, second), *rest)
        return outputs, hidden, hidden


class SimpleRNN(_Recurrent):
    """The plain recurrent network; parameters H (D + H + 1), or H (D + H + 2) with PyTorch's two bias vectors.

    activation: `'tanh'` or `'relu'`.
    """

    activation: str = 'tanh'

    def _read(self, x: Float[Array, 'N T D'], mask: Mask, state: State | None) -> Reading:
        x, kernel, recurrent, bias, second = self._parameters(x, 1, int(self.init_scheme == 'torch'))
        projected = recurrence.project(x, kernel, bias if second is None else bias + second)
        rest = (self._start(state, projected), _time_first(mask, projected.dtype), self.reverse, self.sequence)
        outputs, hidden = recurrence.run(recurrence.RNN[self.activation], projected, (recurrent,), *rest)
        return outputs, hidden, hidden


class Bidirectional(nn.Module):
    """Reads a sequence in both directions and joins the results: [N, T, 2 H], or [N, 2 H] of the two last states.

    Where a mask says what is padding, the backward reading begins at the last true step: padding holds the zero state.

    Args:
      cell: `LSTM`, `GRU` or `SimpleRNN`.
      arguments: the cell's own arguments, such as `{'features': 64, 'sequence': False}`.
    """

    cell: Any
    arguments: Any

    @nn.compact
    def __call__(
        self, x: Float[Array, 'N T D'], mask: Mask = None, state: Any = None, return_state: bool = False
    ) -> Any:
        """The joined states. state, and what `return_state` adds: a pair, that of the forward reading first."""
        forward, backward = (None, None) if state is None else state
        there = self.cell(**self.arguments, name='forward')(x, mask, forward, return_state)
        back = self.cell(**self.arguments, reverse=True, name='backward')(x, mask, backward, return_state)
        if not return_state:
            return jnp.concatenate([there, back], axis=-1)
        return jnp.concatenate([there[0], back[0]], axis=-1), (there[1], back[1])


CELLS = {'lstm': LSTM, 'gru': GRU, 'rnn': SimpleRNN}


class Stacked(nn.Module):
    """Recurrent layers upon one another: each reads all states of the one below; with dropout between them, as PyTorch.

    Args:
      features: units H of each layer.
      cell: `'lstm'`, `'gru'` or `'rnn'`.
      arguments: further arguments of every cell.
      bidirectional: each layer reads both ways and hands on the joined states.
      dropout: share of a layer's outputs that the next one does not see in training (none after the last layer).
      sequence: give all states [N, T, H] of the last layer, or only its last [N, H].
    """

    features: tuple[int, ...]
    cell: str = 'lstm'
    arguments: Any = None
    bidirectional: bool = False
    dropout: float = 0.0
    sequence: bool = True

    @nn.compact
    def __call__(
        self,
        x: Float[Array, 'N T D'],
        mask: Mask = None,
        state: Any = None,
        return_state: bool = False,
        train: bool = False,
    ) -> Any:
        """The last layer's states. state, and what `return_state` adds: a tuple, one a layer, as the cells have it."""
        cell, found = lookup(CELLS, self.cell, 'model.cell'), []
        for at, width in enumerate(self.features):
            last = at + 1 == len(self.features)
            arguments = {**(self.arguments or {}), 'features': width, 'sequence': self.sequence or not last}
            name = f'{self.cell}_{at}'
            layer = Bidirectional(cell, arguments, name=name) if self.bidirectional else cell(**arguments, name=name)
            x = layer(x, mask, None if state is None else state[at], return_state)
            if return_state:
                x, reached = x
                found.append(reached)
            x = x if last else Dropout(self.dropout)(x, train)
        return (x, tuple(found)) if return_state else x
