"""Small data sets in the distribution formats, written for each test."""

import gzip
import io
import struct

import numpy as np
import pytest

MNIST_SIZES = {'train': 30, 't10k': 20}


def digits_like(count, seed, labels=10):
    """[count, 28, 28] uint8 and [count] uint8, different for each seed."""
    generator = np.random.Generator(np.random.Philox(seed))
    images = generator.integers(0, 256, (count, 28, 28), np.uint8)
    return images, (np.arange(count) % labels).astype(np.uint8)


def idx_bytes(values):
    """An array of bytes in the idx format."""
    return struct.pack(f'>4B{values.ndim}I', 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.fixture
def write_mnist(tmp_path):
    """write_mnist(name, compressed) lays a small idx set out and returns the data directory."""

    def write(name='mnist', compressed=False, folder=None):
        folder = tmp_path / (folder or name)
        folder.mkdir(exist_ok=True)
        for seed, (part, count) in enumerate(MNIST_SIZES.items()):
            images, labels = digits_like(count, seed)
            for kind, values in (('images-idx3', images), ('labels-idx1', labels)):
                content = idx_bytes(values)
                ending = '.gz' if compressed else ''
                content = gzip.compress(content) if compressed else content
                (folder / f'{part}-{kind}-ubyte{ending}').write_bytes(content)
        return tmp_path

    return write


@pytest.fixture
def write_cifar10(tmp_path):
    """write_cifar10() lays six small binary batches out and returns (data directory, all records [N, 3073])."""

    def write(records=4):
        folder = tmp_path / 'cifar-10-batches-bin'
        folder.mkdir(exist_ok=True)
        generator = np.random.Generator(np.random.Philox(3))
        names = [f'data_batch_{number}.bin' for number in range(1, 6)] + ['test_batch.bin']
        values = generator.integers(0, 256, (len(names), records, 3073), np.uint8)
        values[:, :, 0] %= 10
        for name, batch in zip(names, values, strict=True):
            (folder / name).write_bytes(batch.tobytes())
        return tmp_path, values.reshape(-1, 3073)

    return write


def png_bytes(image):
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, 'PNG')
    return file.getvalue()


@pytest.fixture
def write_tfds(tmp_path):
    """write_tfds(name, parts) writes array_record shards and their metadata as tfds lays them out."""

    def write(name, parts, shape, classes=10, version='3.0.1'):
        import tensorflow_datasets as tfds
        from array_record.python.array_record_module import ArrayRecordWriter
        from tensorflow_datasets.proto import tf_example_pb2

        folder = tmp_path / name / version
        folder.mkdir(parents=True)
        template = tfds.core.ShardedFileTemplate(
            data_dir=folder,
            dataset_name=name,
            filetype_suffix='array_record',
            template='{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}',
        )
        infos = []
        for part, (images, labels) in parts.items():
            writer = ArrayRecordWriter(str(folder / f'{name}-{part}.array_record-00000-of-00001'), 'group_size:1')
            for image, label in zip(images, labels, strict=True):
                example = tf_example_pb2.Example()
                example.features.feature['image'].bytes_list.value.append(png_bytes(image))
                example.features.feature['label'].int64_list.value.append(int(label))
                writer.write(example.SerializeToString())
            writer.close()
            infos.append(
                tfds.core.SplitInfo(
                    name=part, shard_lengths=[len(labels)], num_bytes=0, filename_template=template.replace(split=part)
                )
            )
        features = tfds.features.FeaturesDict(
            {'image': tfds.features.Image(shape=shape), 'label': tfds.features.ClassLabel(num_classes=classes)}
        )
        identity = tfds.core.dataset_info.DatasetIdentity(
            name=name, version=tfds.core.Version(version), data_dir=str(folder), module_name=''
        )
        info = tfds.core.DatasetInfo(builder=identity, features=features)
        info.set_file_format('array_record')
        info.set_splits(tfds.core.splits.SplitDict(infos))
        info.write_to_directory(folder)
        return tmp_path

    return write
