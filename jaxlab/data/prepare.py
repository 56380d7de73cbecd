"""Downloading and preparing sets with tensorflow-datasets: the only module that ever imports TensorFlow."""

from pathlib import Path

from jaxlab.data.tfds_source import first_line
from jaxlab.errors import UserError, lookup

TFDS_NAMES = {
    'mnist': 'mnist',
    'fashion_mnist': 'fashion_mnist',
    'cifar10': 'cifar10',
    'cats_dogs': 'cats_vs_dogs',
}


def prepare_tfds(name: str, data_dir: Path) -> None:
    """Downloads the data set `name` and prepares it as array_record in data_dir (needs a network and TensorFlow)."""
    tfds_name = lookup(TFDS_NAMES, name, 'data set that tfds can prepare')
    try:
        import tensorflow  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"preparing {tfds_name} needs TensorFlow: install the extra 'tfds-prepare', or put the "
            "set's own files into the data directory"
        ) from error
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(tfds_name, data_dir=str(data_dir), file_format='array_record')
        builder.download_and_prepare()
    except Exception as error:  # network, disk, checksums, unknown names: each in the library's own words
        raise UserError(f'preparing {tfds_name} in {str(data_dir)!r} failed ({first_line(error)})') from error
