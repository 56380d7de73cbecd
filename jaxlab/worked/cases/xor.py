"""XOR by a network of two hidden sigmoid units (spec A02)."""

import dataclasses

from jaxlab.worked.cases.base import Case


@dataclasses.dataclass(frozen=True, kw_only=True)
class XorCase(Case):
    """Inputs as columns; starts are normal draws of NumPy's legacy generator."""

    inputs: tuple = ((0, 0, 1, 1), (0, 1, 0, 1))
    targets: tuple[float, ...] = (0, 1, 1, 0)
    sizes: tuple[int, ...] = (2, 2, 1)
    activations: tuple[str, ...] = ('sigmoid', 'sigmoid')
    learning_rate: float = 0.1
    max_epochs: int = 10_000
    seed: int = 42
    starts: int = 1000


A02 = XorCase(
    'A02',
    'XOR with a 2-2-1 sigmoid network',
    spec=('A02',),
    note='Training stops the moment all four predictions fall on the right side of 0.5: the answer for (1, 1) is then '
    '0.4896. Without that rule 10,000 epochs give 0.05 and 0.95. Success hangs on the start.',
)
# Epochs until the stop; 44 is the fastest and 69 the slowest of the seeds 0 to 99, 1 does not converge within 10,000.
A02_BY_SEED = {42: 3283, 44: 379, 33: 2657, 69: 9337}
