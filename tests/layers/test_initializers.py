"""How weights start, against what the frameworks do; and the allocator's switch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import allocator, layers

KEY = jax.random.key(0)


def params(module, shape):
    return jax.jit(module.init)(KEY, jnp.ones(shape))['params']


@pytest.mark.parametrize(
    'module, shape, fan_in',
    [
        (layers.Dense(400, init_scheme='torch'), (2, 300), 300),
        (layers.Conv(64, 5, init_scheme='torch'), (2, 8, 8, 16), 5 * 5 * 16),
        (layers.ConvTranspose(64, 5, init_scheme='torch'), (2, 8, 8, 16), 5 * 5 * 64),
        (layers.ConvTranspose(64, 5, transpose_kernel=True, init_scheme='torch'), (2, 8, 8, 16), 5 * 5 * 64),
    ],
)
def test_torch_bounds(module, shape, fan_in) -> None:
    bound = fan_in**-0.5
    leaves = params(module, shape)
    for leaf, least in ((leaves['kernel'], 0.99), (leaves['bias'], 0.8)):
        assert least * bound < float(jnp.abs(leaf).max()) <= bound
    assert abs(float(leaves['kernel'].std()) * 3**0.5 - bound) < 0.02 * bound


@pytest.mark.parity
def test_torch_agrees_on_the_bounds() -> None:
    torch = pytest.importorskip('torch')
    pairs = (
        (torch.nn.ConvTranspose2d(16, 64, 5), layers.ConvTranspose(64, 5, init_scheme='torch'), (2, 8, 8, 16)),
        (torch.nn.Conv2d(16, 64, 5), layers.Conv(64, 5, init_scheme='torch'), (2, 8, 8, 16)),
        (torch.nn.Linear(300, 400), layers.Dense(400, init_scheme='torch'), (2, 300)),
    )
    for theirs, ours, shape in pairs:
        leaves = params(ours, shape)
        for name, leaf, slack in (('weight', leaves['kernel'], 0.01), ('bias', leaves['bias'], 0.2)):
            bound = float(getattr(theirs, name).detach().abs().max())
            assert abs(float(jnp.abs(leaf).max()) - bound) < slack * bound


def test_keras_and_lecun() -> None:
    kernel = params(layers.Dense(400, init_scheme='keras'), (2, 300))['kernel']
    assert abs(float(jnp.abs(kernel).max()) - (6 / 700) ** 0.5) < 1e-3
    leaves = params(layers.Dense(400), (2, 300))
    assert abs(float(leaves['kernel'].std()) - 300**-0.5) < 2e-3
    assert not np.any(leaves['bias'])
    with pytest.raises(ValueError, match='torch, keras, lecun'):
        params(layers.Dense(4, init_scheme='kears'), (2, 3))


def test_memory_switch(monkeypatch) -> None:
    monkeypatch.setenv('JAXLAB_KEEP_MEMORY', '0')
    assert allocator.keep_memory() is None
    monkeypatch.setenv('JAXLAB_KEEP_MEMORY', '1')
    monkeypatch.setenv('JAX_PLATFORMS', 'cuda')
    assert allocator.keep_memory() is None
    monkeypatch.delenv('JAX_PLATFORMS')
    monkeypatch.setattr(allocator.importlib.metadata, 'entry_points', lambda group: [group])
    assert allocator.accelerator_is_installed() and allocator.keep_memory() is None
