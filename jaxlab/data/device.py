"""What happens to a batch on the device: preparing in training and evaluation, random transforms in training."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxlab.data import transforms
from jaxlab.data.features import ClassLabel
from jaxlab.data.scaling import value_range


def on_device(
    features: Mapping[str, Any], example: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """`prepare`, `augment` and `transforms` of a `Dataset`. example: a batch of the form of its examples; settings: checked
    ones of `config.data`."""
    field, feature = next((field, one) for field, one in features.items() if not one.answer)
    prepare = feature.prepare(field, settings)
    low, high = value_range(settings['scale'], settings['mean'], settings['std'])
    names = next((one.names for one in features.values() if isinstance(one, ClassLabel)), ())
    shapes = jax.eval_shape(prepare, {name: np.repeat(value, 2, axis=0) for name, value in example.items()})
    known = (settings['transforms'], transforms.Context(low, high, len(names)), shapes)
    return {'prepare': prepare, 'augment': transforms.compose(*known), 'transforms': transforms.alone(*known)}
