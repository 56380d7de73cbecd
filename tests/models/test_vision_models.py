"""MobileNets, EfficientNet-Lite0, SSDlite, U-Nets: parameter counts of papers and specs, shapes, start, padding rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.models.mobile import BODIES, InvertedResidual, MobileNet, Row, SqueezeExcitation, Unit, divisible
from jaxlab.models.pretrained.load import as_arrays
from jaxlab.models.resnet import ResNet
from jaxlab.models.ssdlite import SSDLite, cells
from jaxlab.models.unet import OriginalUNet, UNet, padded
from tests.models.convnet_rows import count, shapes_of
from tests.models.drawn import numbers


@pytest.mark.parametrize(
    'module, size, parameters, statistics',
    [
        (MobileNet(0, 'mobilenet_v2_keras'), 150, 2_223_872, 34_112),  # D1.2: 2,257,984 together
        (MobileNet(2, 'mobilenet_v2_keras', hidden=(128,), outputs='sigmoid'), 150, 2_223_872 + 164_097, 34_112),
        (MobileNet(1000, 'mobilenet_v2'), 224, 3_504_872, 34_112),
        (MobileNet(1000, 'efficientnet_lite0'), 224, 4_652_008, 42_016),  # 4,694,073 with 49 counters
        (SSDLite(90), 320, 3_440_060, None),  # B12
        (SSDLite(1), 320, 2_206_520, None),
        (UNet(), 256, 24_436_369, 2 * 8_512 + 4 * (256 + 128 + 64 + 32 + 16)),  # B19
        (ResNet(0), 64, 11_176_512, 9_600),  # E3b: the frozen backbone
    ],
)
def test_counts(module, size, parameters, statistics):
    shapes = shapes_of(module, (size, size, 3))
    assert count(shapes['params']) == parameters
    assert statistics is None or count(shapes['batch_stats']) == statistics


def test_counts_by_part():
    """B19's table; D1.2's stages; B12's body, extra layers, heads."""
    unet = shapes_of(UNet(), (256, 256, 3))['params']
    assert count(unet['encoder']) == 21_284_672
    ups = [count(unet[f'decoder_{number}']) for number in range(1, 6)]
    assert ups == [2_360_320, 590_336, 147_712, 46_208, 6_976]
    assert count(unet['head']) == 145
    mobile = shapes_of(MobileNet(0, 'mobilenet_v2_keras'), (150, 150, 3))
    block = lambda number: count(mobile['params'][f'block_{number}']) + count(mobile['batch_stats'][f'block_{number}'])
    rows = (1, 2, 3, 4, 3, 3, 1)
    found = [sum(block(1 + sum(rows[:at]) + k) for k in range(rows[at])) for at in range(7)]
    assert found == [992, 15_024, 42_000, 189_760, 309_888, 806_208, 478_400]
    detector = shapes_of(SSDLite(20), (320, 320, 3))['params']
    extra = sum(count(detector[f'extra_{number}']) for number in range(1, 5))
    heads = sum(count(part) for name, part in detector.items() if name.startswith(('classes', 'offsets')))
    assert count(detector) == 2_469_860
    assert (extra, heads) == (452_160, 50_688 + 2_310 * 6 * 25)
    assert count(detector) - extra - heads == 1_620_512


def test_a_mobile_network_on_the_way_down():
    """The body has the parameters that it has beneath a classifier; each step up joins the widened map of its size."""
    body, up = 4_652_008 - 1_281_000, (1280, 256, 128, 64, 32)
    beside, features = (6 * 112, 6 * 40, 6 * 24, 6 * 16, 0), (256, 128, 64, 32, 16)
    rows = zip(up, beside, features, strict=True)
    shapes = shapes_of(UNet(body='efficientnet_lite0'), (256, 256, 3))['params']
    assert count(shapes['encoder']) == body
    found = [count(shapes[f'decoder_{number}']) for number in range(1, 6)]
    assert found == [9 * (x + skip + y) * y + 4 * y for x, skip, y in rows]
    assert count(shapes) == body + sum(found) + 145
    # `tiny` halves twice in one block: that step up has nothing to join.
    small = shapes_of(UNet(width=4, body='tiny'), (64, 64, 3))['params']
    inputs = [small[f'decoder_{number}']['conv_1']['kernel'].shape[2] for number in range(1, 6)]
    assert inputs == [48 + 64, 16 + 36, 8, 4 + 8, 2]
    without = shapes_of(UNet(width=4, body='tiny', skip=False), (64, 64, 3))['params']
    assert without['decoder_1']['conv_1']['kernel'].shape[2] == 48


def test_original_unet():
    assert count(shapes_of(OriginalUNet(), (64, 64, 1))['params']) == 31_030_593
    shape = lambda module, size: (
        jax.eval_shape(lambda: module.init_with_output(jax.random.key(0), jnp.zeros((1, *size, 1))))[0].shape
    )
    assert shape(OriginalUNet(2, padding='valid'), (572, 572)) == (1, 388, 388, 2)
    assert shape(OriginalUNet(2), (50, 64)) == (1, 50, 64, 2)
    with pytest.raises(UserError, match='188 and 16 more'):
        shape(OriginalUNet(2, padding='valid'), (570, 572))


def test_maps_of_the_detector():
    """B12: 3,234 default boxes of six maps."""
    assert cells((320, 320)) == [(20, 20), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]
    for size in ((320, 320), (96, 160)):
        logits, offsets = jax.eval_shape(
            lambda size=size: SSDLite(20).init_with_output(jax.random.key(0), jnp.zeros((2, *size, 3)))
        )[0]
        boxes = 6 * sum(rows * columns for rows, columns in cells(size))
        assert logits.shape == (2, boxes, 21) and offsets.shape == (2, boxes, 4)
    assert 6 * sum(rows * columns for rows, columns in cells((320, 320))) == 3_234


def test_strided_padding_of_the_two_frameworks():
    """T2: shapes agree, values do not: PyTorch pads both sides by one, `same` only the far one of an even image."""
    kernel = jnp.zeros((3, 3, 1, 1)).at[0, 0].set(1)  # what the output sees at its upper left
    image = jnp.arange(16.0).reshape(1, 4, 4, 1)
    found = {}
    for name in ('mobilenet_v2', 'mobilenet_v2_keras'):
        unit = Unit(BODIES[name](1.0).style, 1, 3, 2)
        variables = {
            'params': {'conv': {'kernel': kernel}, 'norm': {'scale': jnp.ones(1), 'bias': jnp.zeros(1)}},
            'batch_stats': {'norm': {'mean': jnp.zeros(1), 'var': jnp.ones(1)}},
        }
        found[name] = np.asarray(unit.apply(variables, image, False))[0, :, :, 0].round(1).tolist()
    assert found['mobilenet_v2'] == [[0, 0], [0, 5]]
    assert found['mobilenet_v2_keras'] == [[0, 2], [8, 10]]


def drawn(shapes):
    """Numbers for shapes, without compiling an initialisation."""
    generator = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: generator.uniform(0.5, 1.5, leaf.shape).astype(np.float32), shapes)


def test_inverted_residual_adds_its_input_where_shape_allows():
    style = BODIES['mobilenet_v2'](1.0).style
    x = numbers(2, 4, 4, 8)
    for row, adds in ((Row(3, 16, 8), True), (Row(3, 16, 8, 2), False), (Row(3, 16, 6), False), (Row(3, 8, 8), True)):
        block = InvertedResidual(style, row)
        variables = drawn(jax.eval_shape(lambda block=block: block.init(jax.random.key(1), x, False)))
        assert ('expand' in variables['params']) == (row.expanded != 8)
        last = {'scale': jnp.zeros(row.features), 'bias': jnp.zeros(row.features)}
        variables['params']['project']['norm'] = last
        y, wide = jax.jit(lambda v, block=block: block.apply(v, x, False))(variables)
        assert wide.shape == (2, 4, 4, row.expanded)
        np.testing.assert_array_equal(y, x if adds else 0)


def test_squeeze_weighs_channels():
    """With zero kernels the weight is hard_sigmoid(0) = 1 / 2."""
    x = numbers(2, 3, 3, 8)
    squeeze = SqueezeExcitation(8)
    variables = as_arrays(jax.eval_shape(lambda: squeeze.init(jax.random.key(1), x)))
    np.testing.assert_allclose(jax.jit(squeeze.apply)(variables, x), x / 2, atol=1e-7)
    assert [divisible(width) for width in (18, 30, 168, 11, 3)] == [24, 32, 168, 16, 8]


def test_sizes_that_32_does_not_divide():
    """S5: 350x525 is padded to 352x544 and cut back."""
    image = jnp.arange(350.0 * 525).reshape(1, 350, 525, 1)
    wide, cut = padded(image, 32)
    assert wide.shape == (1, 352, 544, 1)
    np.testing.assert_array_equal(wide[:, *cut], image)
    assert float(wide[0, 0, 0, 0]) == 0 and float(wide[0, -1, -1, 0]) == float(image[0, -1, -1, 0])
    shape = jax.eval_shape(lambda: UNet(width=4).init_with_output(jax.random.key(0), jnp.zeros((1, 350, 525, 3))))[0]
    assert shape.shape == (1, 350, 525, 1)


@pytest.mark.parametrize(
    'module, match',
    [
        (MobileNet(3, 'mobilenet_v4'), 'did you mean'),
        (MobileNet(3, 'efficientnet_lite0', width=0.5), 'valid: 1'),
        (MobileNet(3, outputs='sigmoid'), 'sigmoid for 2'),
        (SSDLite(0), 'without the background'),
        (OriginalUNet(padding='full'), 'padding'),
        (UNet(depth=20), '18, 34, 50'),
        (UNet(body='mobilenet_v4'), 'config.model.body.*did you mean'),
    ],
)
def test_wrong_arguments(module, match):
    with pytest.raises(UserError, match=match):
        shapes_of(module, (64, 64, 3))
