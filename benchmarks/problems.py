"""What is measured: one entry a model, the same for every peer. Knows neither JAX nor PyTorch."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

BATCHES = 8  # different batches that a measurement goes through
TINY_BATCH = 4


@dataclass(frozen=True)
class Problem:
    """A model, its synthetic data and its optimizer; inputs are channels-last.

    `parameters` is the number that every peer must train; `flax_difference` is what stock layers have more or fewer.
    `kind`: what a step does, one of the tables in `kinds_jax` and `kinds_torch`. `stock`: whether there is a row of stock Flax.
    """

    title: str
    batch: int
    shape: tuple[int, ...]
    optimizer: str
    learning_rate: float
    parameters: int
    image: bool = False
    tokens: int = 0
    flax_difference: int = 0
    aim: float = 1.0
    kind: str = 'classification'
    stock: bool = True


def _seen(title: str, batch: int, side: int, parameters: int, kind: str = 'classification') -> Problem:
    return Problem(title, batch, (side, side, 3), 'sgd', 1e-2, parameters, image=True, aim=1.0, kind=kind, stock=False)


PROBLEMS = {
    'mlp': Problem('MLP 784-128-64-10, Adam', 64, (784,), 'adam', 1e-3, 109_386, aim=0.45),
    'lenet': Problem('LeNet-5, SGD with momentum', 64, (28, 28, 1), 'sgd', 1e-2, 61_706, image=True, aim=0.7),
    'dcgan': Problem(
        'DCGAN, both networks (A08), Adam', 256, (28, 28, 1), 'adam', 1e-4, 2_518_337, image=True, aim=0.8, kind='gan'
    ),
    'resnet18': Problem(
        'ResNet-18 at 32x32, SGD with momentum', 64, (32, 32, 3), 'sgd', 1e-2, 11_173_962, image=True, aim=0.95
    ),
    # PyTorch's LSTM has two bias vectors, stock Flax one: 4 x 128 fewer.
    'lstm': Problem(
        'LSTM 64 -> 128, 100 steps, Adam', 64, (100, 64), 'adam', 1e-3, 100_618, flax_difference=-512, aim=1.3
    ),
    # 2 layers, width 128, 4 heads, feed-forward 512, no dropout (random numbers are not what is compared).
    'transformer': Problem('Transformer, 64 tokens, Adam', 32, (64,), 'adam', 1e-3, 534_026, tokens=1000, aim=0.55),
    'vae': Problem(
        'VAE with two latent numbers (B22), Adam', 128, (784,), 'adam', 1e-3, 790_388, aim=0.5, kind='vae', stock=False
    ),
    # Four networks: generators of width 32 with four blocks, discriminators of width 32 (B21 has 64 and nine).
    'cyclegan': Problem(
        'CycleGAN at 64x64 (B21, half as wide), Adam',
        1,
        (64, 64, 3),
        'adam',
        2e-4,
        4_137_928,
        image=True,
        aim=0.9,
        kind='cyclegan',
        stock=False,
    ),
    # Fine-tuning as a step sees it: all parameters, batch norm over the batch, no dropout.
    'resnet_fine': _seen('ResNet-18 at 160x160, SGD', 8, 160, 11_181_642),
    'lite0': _seen('EfficientNet-Lite0 at 160x160, SGD', 8, 160, 3_383_818),
    'unet': _seen('U-Net on ResNet-34 at 128x128, SGD', 4, 128, 24_436_369, kind='segmentation'),
    # One picture through body and heads; boxes are not suppressed on either side.
    'ssdlite': _seen('SSDlite at 320x320, forward pass', 1, 320, 2_469_860, kind='inference'),
    # PyTorch's has no mask of padding: there is none in these tokens.
    'bert': Problem(
        'BERT-base, 128 tokens, forward pass',
        8,
        (128,),
        'sgd',
        1e-2,
        109_483_778,
        tokens=30_522,
        aim=0.9,
        kind='inference',
        stock=False,
    ),
}
CLASSES = 10
UP_TO_TEN = {'classes': CLASSES}
# jaxlab's networks: module:class and arguments.
NETWORKS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    'mlp': (('jaxlab.models.mlp:MLP', {'features': (128, 64), **UP_TO_TEN}),),
    'lenet': (('jaxlab.models.lenet:LeNet', {}),),
    'dcgan': (('jaxlab.models.gan:Generator', {}), ('jaxlab.models.gan:Discriminator', {})),
    'resnet18': (('jaxlab.models.resnet:ResNet', {'depth': 18, 'stem': 'cifar', **UP_TO_TEN}),),
    'lstm': (
        (
            'jaxlab.models.recurrent:SequenceModel',
            {**UP_TO_TEN, 'cell': 'lstm', 'features': (128,), 'init_scheme': 'torch'},
        ),
    ),
    'transformer': (
        (
            'jaxlab.models.transformer:TransformerClassifier',
            {'vocabulary': 1000, 'max_length': 64, 'dropout': 0.0, **UP_TO_TEN},
        ),
    ),
    'vae': (('jaxlab.models.vae:MLPVAE', {}),),
    'cyclegan': (
        ('jaxlab.models.cyclegan:ResNetGenerator', {'width': 32, 'blocks': 4}),
        ('jaxlab.models.cyclegan:PatchDiscriminator', {'width': 32}),
    ),
    'resnet_fine': (('jaxlab.models.resnet:ResNet', {'depth': 18, **UP_TO_TEN}),),
    'lite0': (('jaxlab.models.mobile:MobileNet', {'dropout': 0.0, **UP_TO_TEN}),),
    'unet': (('jaxlab.models.unet:UNet', {}),),
    'ssdlite': (('jaxlab.models.ssdlite:SSDLite', {'classes': 20}),),
    'bert': (('jaxlab.models.text_encoder:TextClassifier', {'classes': 2}),),
}
REPLICAS = {'mlp': 3.5, 'lenet': 4.2}  # aims: five at once, in steps of one
OVER_CORES = {'lstm': 3.2, 'mlp': 3.8, 'lenet': 4.2}  # the same, on a virtual device a core


@dataclass(frozen=True)
class Setting:
    """Where and how rows are measured; the same for all that are compared.

    accelerator: on the first accelerator, not on the CPU. tf32: whether an accelerator may round the factors of float32
    products to TF32 (10 bits after the point); on both sides, or on none. tiny: batches of four, for tests.
    """

    accelerator: bool = False
    tf32: bool = True
    tiny: bool = False

    def problem(self, name: str) -> Problem:
        """The problem at this setting's size."""
        return replace(PROBLEMS[name], batch=TINY_BATCH) if self.tiny else PROBLEMS[name]

    @property
    def words(self) -> list[str]:
        """As a worker's command line has it."""
        flags = {'--accelerator': self.accelerator, '--float32': not self.tf32, '--tiny': self.tiny}
        return [flag for flag, on in flags.items() if on]


def data(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [BATCHES * batch, ...] (float32 standard normal, or int32 tokens) and labels [BATCHES * batch] int32."""
    random = np.random.default_rng(0)
    size = (BATCHES * problem.batch, *problem.shape)
    if problem.tokens:
        inputs = random.integers(0, problem.tokens, size).astype(np.int32)
    else:
        inputs = random.standard_normal(size).astype(np.float32)
    return inputs, random.integers(0, CLASSES, size[0]).astype(np.int32)


@dataclass(frozen=True)
class Check:
    """A product and a convolution (3x3, channels last, no padding) with their results in double precision.

    What a framework computes of them says how it rounds: about 1e-7 in float32, 3e-4 in TF32, 2e-3 in bfloat16.
    """

    left: np.ndarray
    right: np.ndarray
    images: np.ndarray
    kernel: np.ndarray

    def errors(self, product: np.ndarray, convolved: np.ndarray) -> dict[str, float]:
        """Norms of the differences, relative to those of the results."""
        windows = np.lib.stride_tricks.sliding_window_view(self.images.astype(float), (3, 3), (1, 2))
        right = {
            'product': (product, self.left.astype(float) @ self.right.astype(float)),
            'convolution': (
                convolved,
                np.einsum('nhwcij,ijcd->nhwd', windows, self.kernel.astype(float), optimize=True),
            ),
        }
        return {name: float(np.linalg.norm(got - true) / np.linalg.norm(true)) for name, (got, true) in right.items()}


def check() -> Check:
    """The same for every row."""
    random = np.random.default_rng(1)
    shapes = (256, 256), (256, 256), (8, 16, 16, 64), (3, 3, 64, 64)
    return Check(*(random.standard_normal(shape).astype(np.float32) for shape in shapes))


def rounding(errors: dict[str, float]) -> str:
    """How the factors of float32 products were rounded, by the larger of the two errors."""
    worst = max(errors.values())
    return 'float32' if worst < 2e-5 else 'TF32' if worst < 1e-3 else 'bfloat16'
