"""The same networks in PyTorch, images channels-first."""

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import problems, torch_vision


def mlp() -> nn.Module:
    """784-128-64-10."""
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


def lenet() -> nn.Module:
    """Two 5x5 convolutions with max pooling, three dense layers."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def generator() -> nn.Module:
    """A08's generator (PyTorch's momentum 0.01 keeps 0.99)."""
    return nn.Sequential(
        nn.Linear(100, 12544, bias=False),
        nn.BatchNorm1d(12544, 1e-3, 0.01),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (256, 7, 7)),
        nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False),
        nn.BatchNorm2d(128, 1e-3, 0.01),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False),
        nn.BatchNorm2d(64, 1e-3, 0.01),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, 1, bias=False),
        nn.Tanh(),
    )


def discriminator() -> nn.Module:
    """A08's discriminator."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Conv2d(64, 128, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(6272, 1),
        nn.Flatten(0),
    )


class Block(nn.Module):
    """A basic residual block."""

    def __init__(self, inputs: int, features: int, stride: int) -> None:
        super().__init__()
        self.conv_1, self.norm_1 = nn.Conv2d(inputs, features, 3, stride, 1, bias=False), nn.BatchNorm2d(features)
        self.conv_2, self.norm_2 = nn.Conv2d(features, features, 3, 1, 1, bias=False), nn.BatchNorm2d(features)
        self.projection = None
        if inputs != features:
            self.projection = nn.Sequential(
                nn.Conv2d(inputs, features, 1, stride, bias=False), nn.BatchNorm2d(features)
            )

    def forward(self, x: Tensor) -> Tensor:
        """`relu(x' + F(x))`."""
        y = self.norm_2(self.conv_2(torch.relu(self.norm_1(self.conv_1(x)))))
        return torch.relu(y + (x if self.projection is None else self.projection(x)))


class ResNet18(nn.Module):
    """ResNet-18 with the CIFAR stem."""

    def __init__(self, classes: int = 10, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        blocks = []
        for stage in range(4):
            features = width * 2**stage
            blocks.append(Block(features // 2 if stage else width, features, 2 if stage else 1))
            blocks.append(Block(features, features, 1))
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(8 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, 3, H, W] -> logits [N, classes]."""
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class LSTM(nn.Module):
    """The last state of an LSTM, then a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """[N, T, 64] -> [N, 10]."""
        return self.head(self.lstm(x)[1][0][0])


class Transformer(nn.Module):
    """Two post-norm encoder layers over 64 tokens, mean, dense."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(1000, 128), nn.Parameter(torch.randn(64, 128) * 0.02)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(128, 4, 512, 0.0, batch_first=True) for _ in range(2))
        self.head = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [N, 64] -> [N, 10]."""
        x = self.embedding(x) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


class VAE(nn.Module):
    """B22's: pixels [N, 784] to two latent numbers and back."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 200), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(200, 2), nn.Linear(200, 2)
        up = nn.Linear(2, 200), nn.ReLU(), nn.Linear(200, 400), nn.ReLU(), nn.Linear(400, 784)
        self.up = nn.Sequential(*up)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the code."""
        x = self.down(x)
        return self.mean(x), self.log_variance(x)

    def decode(self, codes: Tensor) -> Tensor:
        """Logits of the pixels."""
        return self.up(codes)


class Bert(nn.Module):
    """BERT-base with a pooler and a linear layer to two classes."""

    def __init__(self, width: int = 768, layers: int = 12) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(30_522, width), nn.Parameter(torch.randn(512, width) * 0.02)
        self.segments, self.norm = nn.Embedding(2, width), nn.LayerNorm(width, 1e-12)
        options: dict[str, Any] = {'activation': 'gelu', 'layer_norm_eps': 1e-12, 'batch_first': True}
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, width // 64, 4 * width, 0.0, **options) for _ in range(layers)
        )
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [N, T] -> [N, 2]."""
        x = self.norm(self.words(tokens) + self.positions[: tokens.shape[1]] + self.segments.weight[0])
        for layer in self.layers:
            x = layer(x)
        return self.head(torch.tanh(self.pooler(x[:, 0])))


class ResidualBlock(nn.Module):
    """CycleGAN's: x + F(x), reflected, with instance norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers = [[nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)] for _ in range(2)]
        self.inner = nn.Sequential(*layers[0], nn.ReLU(), *layers[1])

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        return x + self.inner(x)


def cyclegan_generator(width: int = 32, blocks: int = 4) -> nn.Module:
    """B21's generator."""
    up = {'kernel_size': 3, 'stride': 2, 'padding': 1, 'output_padding': 1}
    ends = [(3, width), (width, 2 * width), (2 * width, 4 * width)]
    convolutions = [nn.ReflectionPad2d(3), nn.Conv2d(*ends[0], 7), *_normal(width)]
    for inputs, features in ends[1:]:
        convolutions += [nn.Conv2d(inputs, features, 3, 2, 1), *_normal(features)]
    convolutions += [ResidualBlock(4 * width) for _ in range(blocks)]
    for features, inputs in reversed(ends[1:]):
        convolutions += [nn.ConvTranspose2d(inputs, features, **up), *_normal(features)]
    return nn.Sequential(*convolutions, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())


def _normal(features: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(features), nn.ReLU()]


def cyclegan_discriminator(width: int = 32) -> nn.Module:
    """B21's discriminator: a map of scores."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for level in range(3):
        inputs, features = width * 2**level, width * 2 ** (level + 1)
        layers += [nn.Conv2d(inputs, features, 4, 2, 1), nn.InstanceNorm2d(features), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


def models(name: str) -> tuple[nn.Module, ...]:
    """The network of a problem; for `dcgan` generator and discriminator, for `cyclegan` two of each."""
    table: dict[str, tuple] = {
        'mlp': (mlp,),
        'lenet': (lenet,),
        'dcgan': (generator, discriminator),
        'resnet18': (ResNet18,),
        'lstm': (LSTM,),
        'transformer': (Transformer,),
        'vae': (VAE,),
        'cyclegan': (*[cyclegan_generator] * 2, *[cyclegan_discriminator] * 2),
        'resnet_fine': (lambda: torch_vision.ResNet((2, 2, 2, 2), problems.CLASSES),),
        'lite0': (lambda: torch_vision.EfficientNetLite0(problems.CLASSES),),
        'unet': (lambda: torch_vision.UNet(1),),
        'ssdlite': (lambda: torch_vision.SSDLite(21),),
        'bert': (Bert,),
    }
    return tuple(network() for network in table[name])


def resnet_parameters(network: ResNet18) -> dict[str, Any]:
    """The parameters under the names of `jaxlab.models.resnet.ResNet`, to compare the two."""
    import jax.numpy as jnp

    def array(tensor: Tensor) -> Any:
        return jnp.asarray(tensor.detach().numpy())

    def pair(name: str, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> dict[str, Any]:
        kernel = array(conv.weight.permute(2, 3, 1, 0).contiguous())
        return {name: {'kernel': kernel}, f'{name}_norm': {'scale': array(norm.weight), 'bias': array(norm.bias)}}

    tree: dict[str, Any] = {'stem': pair('conv', network.stem[0], network.stem[1])}
    for k, block in enumerate(network.blocks):
        parts = pair('conv_1', block.conv_1, block.norm_1) | pair('conv_2', block.conv_2, block.norm_2)
        if block.projection is not None:
            parts |= pair('projection', *block.projection)
        tree[f'stage_{k // 2 + 1}_block_{k % 2 + 1}'] = parts
    return tree | {'head': {'kernel': array(network.head.weight.T), 'bias': array(network.head.bias)}}
