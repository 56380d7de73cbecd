"""What a metric's name says: which direction is better, its unit, its bounds, and what it is a share of.

One table. A name is looked up without its split (`test_accuracy` -> accuracy) and without how it was decided
(`f1_tuned_threshold` -> f1); a name that ends in a known one is taken for that (`recall_at_90_precision` -> precision).
"""

import dataclasses
import math
from collections.abc import Mapping

SPLITS = ('train', 'validation', 'test')
QUALIFIERS = ('_tuned_threshold', '_corrected')


@dataclasses.dataclass(frozen=True)
class Metric:
    """better: +1 where larger is, -1 where smaller is, 0 where the name does not say. low, high: by its definition.

    share_of: what is counted, where the value is the share of independent things that are right; else ''.
    """

    better: int = 0
    unit: str = ''
    low: float = -math.inf
    high: float = math.inf
    share_of: str = ''

    @property
    def bounded(self) -> bool:
        """Whether it lies between two numbers, so that an interval must not leave them."""
        return math.isfinite(self.low) and math.isfinite(self.high)


UNKNOWN = Metric()
COUNTED = Metric(+1, 'share', 0, 1, share_of='examples')
SHARE = Metric(+1, 'share', 0, 1)
WRONG_SHARE = Metric(-1, 'share', 0, 1)
ERROR, SQUARED = Metric(-1), Metric(-1, low=0)
NATS = Metric(-1, 'nats')

METRICS: Mapping[str, Metric] = {
    # classes
    'accuracy': COUNTED,
    'top5': COUNTED,
    'top_5': COUNTED,
    'top5_accuracy': COUNTED,
    'balanced_accuracy': SHARE,
    'precision': SHARE,
    'recall': SHARE,
    'specificity': SHARE,
    'sensitivity': SHARE,
    'f1': SHARE,
    'f1_macro': SHARE,
    'f1_micro': SHARE,
    'auc': SHARE,
    'roc_auc': SHARE,
    'average_precision': SHARE,
    'chosen_threshold': Metric(0, 'share', 0, 1),
    'ece': WRONG_SHARE,
    'brier': WRONG_SHARE,
    'mcc': Metric(+1),
    # numbers
    'loss': ERROR,
    'error': ERROR,
    'mse': SQUARED,
    'rmse': SQUARED,
    'mae': SQUARED,
    'mase': SQUARED,
    'coverage': Metric(0, 'share', 0, 1),
    'mape': SQUARED,
    'smape': SQUARED,
    'r2': Metric(+1, high=1),
    'explained_variance': Metric(+1, high=1),
    # likelihoods
    'cross_entropy': NATS,
    'nll': NATS,
    'kl': NATS,
    'perplexity': Metric(-1, low=1),
    'negative_elbo': NATS,
    'importance_bound': NATS,
    'reconstruction': NATS,
    'active_latents': Metric(0, low=0),
    # pictures
    'frechet_distance': SQUARED,
    'fid': SQUARED,
    'kernel_distance': ERROR,
    'sample_precision': SHARE,
    'sample_recall': SHARE,
    'class_coverage': SHARE,
    'class_obeyed': SHARE,
    'collapsed': WRONG_SHARE,
    'recognised': SHARE,
    'correlation': Metric(+1, low=-1, high=1),
    'inception_score': Metric(+1, low=1),
    'psnr': Metric(+1, 'dB'),
    'ssim': Metric(+1),
    # boxes and masks
    'map': SHARE,
    'map_50': SHARE,
    'map_50_11_points': SHARE,
    'hits_per_object': Metric(0, low=0),
    'localisation': SQUARED,
    'classification': SQUARED,
    'iou': SHARE,
    'mean_iou': SHARE,
    'dice': SHARE,
    'dice_per_image': SHARE,
    'dice_per_image_without_empty': SHARE,
    'iou_per_image': SHARE,
    # text
    'bleu': Metric(+1, low=0, high=100),
    'sentence_bleu': SHARE,
    'chrf': Metric(+1, low=0, high=100),
    'exact_match': COUNTED,
    'token_accuracy': SHARE,
}


def split_of(name: str) -> tuple[str, str]:
    """`test_accuracy` -> ('test', 'accuracy'); a name without a split -> ('', name)."""
    for split in SPLITS:
        if name.startswith(split + '_'):
            return split, name[len(split) + 1 :]
    return '', name


def meaning(name: str) -> Metric:
    """What the table says of a metric's name: of the longest entry that it is or ends in."""
    metric = split_of(name)[1]
    metric = next((metric.removesuffix(ending) for ending in QUALIFIERS if metric.endswith(ending)), metric)
    found = [known for known in METRICS if metric == known or metric.endswith('_' + known)]
    return METRICS[max(found, key=len)] if found else UNKNOWN
