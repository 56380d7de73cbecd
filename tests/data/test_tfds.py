"""Prepared array_record sets, read without TensorFlow."""

import sys

import numpy as np
import pytest

from jaxlab.data import load, tfds_source
from jaxlab.errors import UserError
from tests.data.conftest import digits_like


def small_mnist():
    return {part: (images[..., None], labels) for part, (images, labels)
            in {'train': digits_like(12, 5), 'test': digits_like(11, 6)}.items()}


def test_reads_what_was_written_and_prefers_it(write_tfds, write_mnist, tmp_path):
    parts = small_mnist()
    write_mnist()
    write_tfds('mnist', parts, (28, 28, 1))
    data = load({'name': 'mnist'}, tmp_path)
    assert data.source == 'tfds' and not data.stand_in
    for part, (images, labels) in parts.items():
        np.testing.assert_array_equal(data.splits[part].arrays['image'], images)
        np.testing.assert_array_equal(data.splits[part].arrays['label'], labels)
    assert load({'name': 'mnist', 'source': 'files'}, tmp_path).source == 'files'
    assert 'tensorflow' not in sys.modules
