"""Embedded tables that stand in for real ones: two from scikit-learn, and rare cases whose Bayes rule is known.

Sources: B. Efron et al., "Least Angle Regression", Annals of Statistics 32 (2004) (diabetes); W. Street, W. Wolberg,
O. Mangasarian, "Nuclear Feature Extraction for Breast Tumor Diagnosis", 1993 (UCI, CC BY 4.0).
"""

from typing import Any

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.schema import Schema, Target
from jaxlab.data.sets.table_rows import raw_table
from jaxlab.data.sheets import table
from jaxlab.data.sources import Request

RARE: dict[str, Any] = {'rows': 20_000, 'features': 29, 'prevalence': 0.02, 'shifted': 6, 'seed': 8}
SHIFT, WIDTH = 1.0, 1.5  # of the rare class in its shifted features


def diabetes(request: Request) -> Raw:
    """442 patients, 10 features; how far diabetes had progressed a year later."""
    from sklearn.datasets import load_diabetes

    found = load_diabetes(scaled=False)
    rows = table((*found.feature_names, 'progression'), (*found.data.T, found.target / 100))
    schema = Schema(tuple(found.feature_names), Target('progression', 'points', 100.0))
    description = '442 patients, 10 measurements, progression of diabetes (via scikit-learn)'
    return _stand_in(request, '442 patients (diabetes, scikit-learn)', rows, schema, description, 'public domain')


def breast_cancer(request: Request) -> Raw:
    """569 tumours, 30 features; malignant or benign."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    names = tuple(str(name) for name in found.feature_names)
    rows = table((*names, 'diagnosis'), (*found.data.T, found.target.astype(np.float64)))
    schema = Schema(names, Target('diagnosis', classes=tuple(str(name) for name in found.target_names)))
    description = '569 tumours, 30 measurements, malignant or benign (UCI, via scikit-learn)'
    return _stand_in(request, '569 tumours (breast cancer, scikit-learn)', rows, schema, description, 'CC BY 4.0')


def rare_cases(request: Request) -> Raw:
    """20,000 rows, 29 features, 2 % of the rare class; the extra array 'bayes' is P(rare | features), the best possible."""
    arrays = draw_rare(**RARE)
    names = tuple(f'V{number}' for number in range(1, RARE['features'] + 1))
    rows = table((*names, 'Class'), (*arrays['features'].T, arrays['label'].astype(np.float64)))
    schema = Schema(names, Target('Class', classes=('normal', 'fraud')))
    what = f'{len(rows):,} generated rows of two Gaussian classes'
    description = f'Synthetic: {len(rows):,} rows of two Gaussian classes, {RARE["prevalence"]:.0%} of the rare one'
    extra = {'bayes': arrays['bayes']}
    return _stand_in(request, what, rows, schema, description, 'none needed (generated)', extra)


def draw_rare(rows: int, features: int, prevalence: float, shifted: int, seed: int) -> dict[str, np.ndarray]:
    """Common rows ~ N(0, I); rare ones ~ N(SHIFT, WIDTH^2) in the first `shifted` features, N(0, 1) in the others.

    {'features': [rows, features] float64, 'label': [rows] int32, 'bayes': [rows] float32}.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    label = (generator.random(rows) < prevalence).astype(np.int32)
    points = generator.standard_normal((rows, features))
    points[:, :shifted] = np.where(label[:, None] == 1, SHIFT + WIDTH * points[:, :shifted], points[:, :shifted])
    return {'features': points, 'label': label, 'bayes': rare_posterior(points, prevalence, shifted)}


def rare_posterior(points: np.ndarray, prevalence: float, shifted: int) -> np.ndarray:
    """P(rare | point) [N] float32 by Bayes' rule from the two densities."""
    x = points[:, :shifted]
    log_ratio = (0.5 * x**2 - 0.5 * ((x - SHIFT) / WIDTH) ** 2 - np.log(WIDTH)).sum(axis=1)
    odds = np.log(prevalence / (1 - prevalence)) + log_ratio
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


def _stand_in(
    request: Request,
    what: str,
    rows: np.ndarray,
    schema: Schema,
    description: str,
    licence: str,
    extra: dict[str, np.ndarray] | None = None,
) -> Raw:
    """The rows, with a note that says what stands in for the data set that was asked for."""
    note = f'embedded data: {what} stand in for {request.name}; results are not comparable with published ones.'
    return raw_table('embedded', rows, schema, description, licence, (note,), stand_in=True, extra=extra)
