"""Attention by hand (spec D3.1, B24, A07's worked example). The reports print no Q, K, V: these are the spec's own."""

import dataclasses

import numpy as np

from jaxlab.worked.cases.base import Case, by_name


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionCase(Case):
    """Inputs and the golden weights and outputs (None: not given in full)."""

    queries: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    weights: tuple
    output: tuple | None = None
    mask: np.ndarray | None = None
    tolerance: float = 1e-8
    query_names: tuple[str, ...] = ()
    key_names: tuple[str, ...] = ()


WORKED = AttentionCase(
    'worked',
    'two queries, three keys',
    queries=np.eye(2),
    keys=np.array([[1.0, 0], [0, 1], [1, 1]]),
    values=np.array([[1.0, 2], [3, 4], [5, 6]]),
    weights=((0.40111209, 0.19777581, 0.40111209), (0.19777581, 0.40111209, 0.40111209)),
    output=((3, 4), (3.40667256, 4.40667256)),
    spec=('A07', 'B24'),
)

_D31_WEIGHTS = (
    (0.1603916071, 0.3044268388, 0.0770791763, 0.2446203453, 0.2134820325),
    (0.0682934950, 0.2112791244, 0.3107304121, 0.0606597165, 0.3490372520),
    (0.4420684605, 0.0532100395, 0.1269209514, 0.3384358700, 0.0393646787),
)
D31_FIRST_COLUMN = (-0.2721753857, -0.0534791363, -0.6121090398)
D31 = AttentionCase(
    'D3.1',
    'three queries, five keys',
    queries=np.sin(np.arange(12.0)).reshape(3, 4),
    keys=np.cos(np.arange(20.0)).reshape(5, 4),
    values=(np.arange(30.0) / 10 - 1.5).reshape(5, 6),
    weights=_D31_WEIGHTS,
    output=tuple(tuple(first + 0.1 * column for column in range(6)) for first in D31_FIRST_COLUMN),
    tolerance=1e-9,
    spec=('D3.1',),
    note='The published inputs were unseeded draws that were not printed, so its output cannot be recomputed.',
)
D31_SCALED_ROW = (-0.0317301417, 0.6090822809, -0.7645153533, 0.3903588866, 0.2542041612)
D31_UNSCALED_ROW = (0.1119686147, 0.4033656423, 0.0258587280, 0.2604462909, 0.1983607241)
D31_PUBLISHED = (
    (0.06161321, 0.20020331, 0.29339844, 0.36188699, 0.08289806),
    (0.00824042, 0.0373007, 0.03585695, 0.90504977, 0.01355215),
    (0.0742887, 0.215668, 0.43162174, 0.208598, 0.06982357),
)
D31_PUBLISHED_ENTROPY = (1.427751, 0.430139, 1.399425)

PAIRS = (
    ('I love machine learning', 'ML is amazing'),
    ('Transformers are powerful', 'They replaced RNNs'),
    ('Attention is all you need', "That's the paper's title"),
)
B24_SOURCES = ((5, 8, 9, 7, 0), (20, 3, 13, 0, 0), (4, 6, 1, 21, 11))
B24_TARGETS = ((10, 6, 2, 0, 0), (18, 14, 15, 0, 0), (16, 17, 12, 19, 0))
EMBEDDING = np.sin(0.1 * np.outer(np.arange(1, 23), np.arange(1, 9)))
_SOURCE, _TARGET = EMBEDDING[list(B24_SOURCES[0])], EMBEDDING[list(B24_TARGETS[0])]
_SOURCE_NAMES, _TARGET_NAMES = ('i', 'love', 'machine', 'learning', '<pad>'), ('ml', 'is', 'amazing', '<pad>', '<pad>')
_PAD_ROW = (0.14157960, 0.17299184, 0.21586770, 0.13496360, 0.33459726)
_PAD_ROW_MASKED = (0.21277279, 0.25998065, 0.32441661, 0.20282995, 0)
B24_UNMASKED = AttentionCase(
    'B24 unmasked',
    'target attends to source, padding seen',
    queries=_TARGET,
    keys=_SOURCE,
    values=_SOURCE,
    weights=(
        (0.06382650, 0.26160077, 0.40432420, 0.14319300, 0.12705554),
        (0.35980999, 0.17825527, 0.10241287, 0.30370694, 0.05581493),
        (0.17638283, 0.13090206, 0.16456875, 0.11098749, 0.41715887),
        _PAD_ROW,
        _PAD_ROW,
    ),
    query_names=_TARGET_NAMES,
    key_names=_SOURCE_NAMES,
    spec=('B24',),
    note='As published: padded keys get weight. Nothing is trained, so the weights say nothing about the words.',
)
B24_MASKED = dataclasses.replace(
    B24_UNMASKED,
    name='B24',
    title='target attends to source, padding masked',
    mask=np.array(B24_SOURCES[0]) != 0,
    weights=(
        (0.07311633, 0.29967631, 0.46317288, 0.16403449, 0),
        (0.38107994, 0.18879272, 0.10846694, 0.32166039, 0),
        (0.30262592, 0.22459305, 0.28235610, 0.19042494, 0),
        _PAD_ROW_MASKED,
        _PAD_ROW_MASKED,
    ),
    note='Padded target rows are alike by construction: no finding. Nothing is trained.',
)
B24_OUTPUT_ROW = (0.69658991, 0.85027301, 0.36528750, -0.33752581, -0.68188687, -0.41427760, 0.20586295, 0.65189700)
B24_MASKED_OUTPUT_ROW = (
    0.78344678,
    0.94511279,
    0.37544200,
    -0.44333126,
    -0.85091386,
    -0.55675771,
    0.14206118,
    0.64236955,
)
ATTENTION = by_name(WORKED, D31, B24_MASKED, B24_UNMASKED)
