"""The same networks of stock Flax layers."""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax import Array


class MLP(nn.Module):
    """784-128-64-10."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        for width in (128, 64):
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(10)(x)


class LeNet(nn.Module):
    """Two 5x5 convolutions with max pooling, three dense layers."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        x = nn.max_pool(nn.relu(nn.Conv(6, (5, 5))(x)), (2, 2), (2, 2))
        x = nn.max_pool(nn.relu(nn.Conv(16, (5, 5), padding='VALID')(x)), (2, 2), (2, 2))
        x = x.reshape(x.shape[0], -1)
        for width in (120, 84):
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(10)(x)


class Generator(nn.Module):
    """A08's generator."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.99, epsilon=1e-3)
        up = partial(nn.ConvTranspose, kernel_size=(5, 5), use_bias=False)
        x = nn.leaky_relu(norm()(nn.Dense(12544, use_bias=False)(x)), 0.3).reshape(-1, 7, 7, 256)
        x = nn.leaky_relu(norm()(up(128)(x)), 0.3)
        x = nn.leaky_relu(norm()(up(64, strides=(2, 2))(x)), 0.3)
        return jnp.tanh(up(1, strides=(2, 2))(x))


class Discriminator(nn.Module):
    """A08's discriminator."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        for features in (64, 128):
            x = nn.leaky_relu(nn.Conv(features, (5, 5), (2, 2))(x), 0.3)
            x = nn.Dropout(0.3, deterministic=not train)(x)
        return nn.Dense(1)(x.reshape(x.shape[0], -1))[:, 0]


class ResNet18(nn.Module):
    """ResNet-18 with the CIFAR stem."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9)
        conv = partial(nn.Conv, use_bias=False)
        x = nn.relu(norm()(conv(64, (3, 3))(x)))
        for stage in range(4):
            for block in range(2):
                features, strides = 64 * 2**stage, (2, 2) if stage and not block else (1, 1)
                y = nn.relu(norm()(conv(features, (3, 3), strides)(x)))
                y = norm()(conv(features, (3, 3))(y))
                x = nn.relu((x if x.shape == y.shape else norm()(conv(features, (1, 1), strides)(x))) + y)
        return nn.Dense(10)(x.mean((1, 2)))


class LSTM(nn.Module):
    """The last state of an LSTM, then a dense layer."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        return nn.Dense(10)(nn.RNN(nn.OptimizedLSTMCell(128))(x)[:, -1])


class Transformer(nn.Module):
    """Two post-norm encoder layers over 64 tokens, mean, dense."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        x = nn.Embed(1000, 128)(x) + self.param('positions', nn.initializers.normal(0.02), (64, 128))
        for _ in range(2):
            x = nn.LayerNorm(1e-5)(x + nn.MultiHeadDotProductAttention(4)(x))
            x = nn.LayerNorm(1e-5)(x + nn.Dense(128)(nn.relu(nn.Dense(512)(x))))
        return nn.Dense(10)(x.mean(1))


def models(name: str) -> tuple[nn.Module, ...]:
    """The network of a problem; for `dcgan` generator and discriminator."""
    table = {
        'mlp': (MLP,),
        'lenet': (LeNet,),
        'dcgan': (Generator, Discriminator),
        'resnet18': (ResNet18,),
        'lstm': (LSTM,),
        'transformer': (Transformer,),
    }
    return tuple(network() for network in table[name])
