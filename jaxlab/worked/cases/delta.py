"""The delta rule's cases (spec A03, C03; by hand C31; repeat C34). Samples as rows."""

import dataclasses

from jaxlab.data.sets.gates import TRUTH
from jaxlab.worked.cases.base import Case, by_name


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeltaCase(Case):
    """`bias_last`: the third number of each sample is the bias input, as A03 has it; else it is put in front."""

    inputs: tuple
    targets: tuple[float, ...]
    weights: tuple[float, ...]
    learning_rate: float
    epochs: int
    bias_last: bool = False
    level: float = 0.5  # output that divides the classes
    published_level: float | None = None


A03 = DeltaCase(
    'A03',
    'delta rule with stochastic gradient descent',
    inputs=((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)),
    targets=(0, 0, 1, 1),
    weights=(0.0, 0.0, 0.0),
    learning_rate=0.1,
    epochs=20,
    bias_last=True,
    published_level=0.0,
    spec=('A03',),
    note='The targets are called OR and are x1. Outputs near 0 and 1 must be cut at 0.5; the published line is that of '
    'output 0: it calls all four samples class 1, and is vertical at the exact solution (1, 0, 0). The start '
    'weights are lost; zeros here.',
)
C03 = DeltaCase(
    'C03',
    'one linear unit',
    inputs=((1, 0), (1, 1), (-1, 1)),
    targets=(1, -1, -1),
    weights=(1.0, 0.0, 1.0),
    learning_rate=0.1,
    epochs=1,
    level=0.0,
    spec=('C03', 'C31', 'C34'),
    note='Exact solution (1, 0, -2). After one epoch the outputs '
    '0.4, 0.83, 0.89 have the wrong sign for samples 2 and 3.',
)
TRUE_OR_TARGETS = TRUTH['or']
DELTA = by_name(A03, C03)

# epoch, online MSE, w1, w2, b (A03, zero start)
A03_TABLE = (
    (1, 0.4100000000, 0.1800000000, 0.0800000000, 0.1800000000),
    (2, 0.1991054104, 0.2972160000, 0.1047960000, 0.2550160000),
    (3, 0.1362737928, 0.3812856192, 0.1047645152, 0.2801529792),
    (4, 0.1078901668, 0.4467862351, 0.0943482195, 0.2819480775),
    (5, 0.0889049191, 0.5010011440, 0.0803259151, 0.2731580297),
    (6, 0.0738489324, 0.5476694537, 0.0658000663, 0.2598937223),
    (7, 0.0614001930, 0.5887978861, 0.0521183932, 0.2450623408),
    (8, 0.0510593565, 0.6255372140, 0.0397989255, 0.2300279847),
    (9, 0.0424873477, 0.6586071646, 0.0289744637, 0.2154127256),
    (10, 0.0353945010, 0.6885032527, 0.0196053628, 0.2014829495),
    (11, 0.0295290220, 0.7155982136, 0.0115807125, 0.1883356137),
    (12, 0.0246766210, 0.7401924119, 0.0047658333, 0.1759879741),
    (13, 0.0206582172, 0.7625394829, -0.0009759880, 0.1644207467),
    (14, 0.0173258075, 0.7828598890, -0.0057740617, 0.1535988097),
    (15, 0.0145577979, 0.8013485242, -0.0097466800, 0.1434810773),
    (16, 0.0122545674, 0.8181793394, -0.0130002073, 0.1340251558),
    (17, 0.0103345716, 0.8335084319, -0.0156293844, 0.1251894895),
    (18, 0.0087310528, 0.8474763077, -0.0177181386, 0.1169343007),
    (19, 0.0073893164, 0.8602096660, -0.0193405630, 0.1092219557),
    (20, 0.0062645004, 0.8718228831, -0.0205619150, 0.1020170575),
)
