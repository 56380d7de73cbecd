"""What is measured: one entry a model, the same for every peer. Knows neither JAX nor PyTorch."""

from dataclasses import dataclass

import numpy as np

BATCHES = 8  # different batches that a measurement goes through


@dataclass(frozen=True)
class Problem:
    """A model, its synthetic data and its optimizer; inputs are channels-last.

    `parameters` is the number that every peer must train; `flax_difference` is what stock layers have more or fewer.
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


PROBLEMS = {
    'mlp': Problem('MLP 784-128-64-10, Adam', 64, (784,), 'adam', 1e-3, 109_386, aim=0.5),
    'lenet': Problem('LeNet-5, SGD with momentum', 64, (28, 28, 1), 'sgd', 1e-2, 61_706, image=True, aim=0.7),
    'dcgan': Problem('DCGAN, both networks (A08), Adam', 256, (28, 28, 1), 'adam', 1e-4, 2_518_337, image=True),
    'resnet18': Problem(
        'ResNet-18 at 32x32, SGD with momentum', 64, (32, 32, 3), 'sgd', 1e-2, 11_173_962, image=True, aim=1.5
    ),
    # PyTorch's LSTM has two bias vectors, stock Flax one: 4 x 128 fewer.
    'lstm': Problem(
        'LSTM 64 -> 128, 100 steps, Adam', 64, (100, 64), 'adam', 1e-3, 100_618, flax_difference=-512, aim=1.5
    ),
    # 2 layers, width 128, 4 heads, feed-forward 512, no dropout (random numbers are not what is compared).
    'transformer': Problem('Transformer, 64 tokens, Adam', 32, (64,), 'adam', 1e-3, 534_026, tokens=1000),
}
CLASSES = 10
REPLICAS = {'mlp': 3.2, 'lenet': 4.2}  # aims: five at once, in steps of one


def data(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [BATCHES * batch, ...] (float32 standard normal, or int32 tokens) and labels [BATCHES * batch] int32."""
    random = np.random.default_rng(0)
    size = (BATCHES * problem.batch, *problem.shape)
    if problem.tokens:
        inputs = random.integers(0, problem.tokens, size).astype(np.int32)
    else:
        inputs = random.standard_normal(size).astype(np.float32)
    return inputs, random.integers(0, CLASSES, size[0]).astype(np.int32)
