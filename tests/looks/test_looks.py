"""Looks into a network: what each layer gives, what a unit sees, what is refused; figures hold what they say."""

from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import looks
from jaxlab.errors import UserError
from jaxlab.experiments.prepare import prepare
from jaxlab.figures import Lines, Matrix
from jaxlab.looks import layers as of
from jaxlab.looks.network import gradients
from jaxlab.looks.subject import Subject
from jaxlab.looks.vision import maps
from jaxlab.looks.vision.receptive_fields import measured_fields
from jaxlab.models.convnet import VGG, ConvNet
from jaxlab.models.lenet import LeNet
from jaxlab.models.mlp import MLP
from jaxlab.models.resnet import ResNet
from jaxlab.protocol import Record
from tests.models.drawn import drawn, numbers
from tests.training import lab

LENET = {'filters': (6, 16), 'kernel_size': 5, 'padding': 'valid', 'hidden': (120, 84)}  # B11
CONVNET = {'model': {'name': 'convnet', 'filters': (4, 6), 'hidden': (12,)}}
activations = jax.jit(of.activations, static_argnums=0)


def shape_of(*shape):
    return jax.ShapeDtypeStruct((1, *shape), jnp.float32)


def config_of(figures, **changes):
    return lab.small(report__options={'figures': figures}, **{'model': CONVNET['model'], **changes})


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A small convolutional net on 100 digits: (subject, figures by name)."""
    wishes = (
        'filters',
        ('filters', {'layer': 'conv_2'}),
        ('feature_maps', {'layers': ('conv_1', 'conv_1_active', 'pool_2')}),
        'equivariance',
        'receptive_fields',
        ('strongest_patches', {'filters': 3, 'patches': 4}),
        'dead_units',
        'class_activations',
        'saliency',
        'weight_histogram',
        'gradient_norms',
        'augmented',
        'worst_confusions',
        'class_accuracy',
        'hidden_activations',
        'first_layer',
        'untrained',
    )
    config = config_of(wishes, data__transforms=(('shift', {'pixels': 2}), 'flip'))
    ready = prepare(config)
    found = lab.train(config, tmp_path_factory.mktemp('run'))
    figures = {figure.name: figure for figure in found.report.figures}
    assert len(figures) == len(found.report.figures), 'every figure has its own file'
    return Subject(ready.task, found.record, ready.data), figures


# ---- Layers ----------------------------------------------------------------------------------------------------------


def test_every_layer_has_a_name_and_gives_its_shape():
    """B11: maps of 28, 14, 10 and 5 pixels; the order is that of the computation."""
    found = of.layers(ConvNet(10, **LENET), shape_of(32, 32, 3))
    shapes = {name: layer.shape[1:] for name, layer in found.items() if not name.startswith('Dropout')}
    assert shapes == {
        'conv_1': (28, 28, 6),
        'conv_1_active': (28, 28, 6),
        'pool_1': (14, 14, 6),
        'conv_2': (10, 10, 16),
        'conv_2_active': (10, 10, 16),
        'pool_2': (5, 5, 16),
        'dense_1': (120,),
        'dense_1_active': (120,),
        'dense_2': (84,),
        'dense_2_active': (84,),
        'dense_3': (10,),
    }
    assert list(shapes)[:4] == ['conv_1', 'conv_1_active', 'pool_1', 'conv_2']
    assert of.convolutions(found) == ['conv_1', 'conv_2'] and found['dense_1'].kernel == (400, 120)
    assert of.active(found, of.with_maps(found)) == ['conv_1_active', 'conv_2_active']


def test_a_layer_gives_what_the_formula_says():
    """conv, ReLU and pooling of the first convolution, computed apart; nothing stays behind in the module."""
    module, images = ConvNet(10, **LENET), numbers(2, 32, 32, 3)
    variables = drawn(module, images, train=False)
    found = activations(module, variables, images)
    params = variables['params']['conv_1']
    plain = (
        jax.lax.conv_general_dilated(
            images, params['kernel'], (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        )
        + params['bias']
    )
    np.testing.assert_allclose(found['conv_1'], plain, atol=1e-5)
    np.testing.assert_allclose(found['conv_1_active'], np.maximum(plain, 0), atol=1e-5)
    np.testing.assert_allclose(found['pool_1'], nn.max_pool(np.maximum(plain, 0), (2, 2), (2, 2)), atol=1e-5)
    _, kept = jax.eval_shape(lambda x: module.apply(variables, x, train=False, mutable=['intermediates']), images)
    assert '__call__' not in kept['intermediates'].get('conv_1', {}), 'no hook is left'


def test_batch_last_layers_are_given_channels_last():
    module, images = LeNet(), jnp.zeros((3, 28, 28, 1))
    found = jax.eval_shape(lambda x: of.activations(module, module.init(jax.random.key(0), x, train=False), x), images)
    assert found['conv1'].shape == (3, 28, 28, 6) and found['conv2'].shape == (3, 10, 10, 16)


def test_names_are_resolved_where_they_are_clear():
    vgg = of.layers(VGG(10, depth=11, grid=1, hidden=(8,)), shape_of(32, 32, 3))
    assert of.resolve('conv_3', vgg, 'x') == 'net/conv_3' and of.resolve('net/pool_1', vgg, 'x') == 'net/pool_1'
    residual = of.layers(ResNet(10, width=4), shape_of(32, 32, 3))
    with pytest.raises(
        UserError, match="x: layer 'conv_1' is not the only one of its name; valid: stage_1_block_1/conv_1, "
    ):
        of.resolve('conv_1', residual, 'x')
    with pytest.raises(UserError, match="x: unknown layer 'stage_1'; did you mean"):
        of.resolve('stage_1', residual, 'x')


def test_a_deep_network_shows_some_of_its_layers():
    assert of.some(list('abcde')) == list('abcde')
    assert of.some([str(n) for n in range(13)]) == ['0', '2', '5', '7', '10', '12']


# ---- Receptive fields ------------------------------------------------------------------------------------------------


def fields(module, *shape, layers=()):
    """Layer name -> receptive field of an untrained network; of all layers, or of those named (and what they need)."""
    example = shape_of(*shape)
    variables = drawn(module, jnp.zeros(example.shape), train=False, spread=0.1)
    state = {'model': SimpleNamespace(variables=lambda: variables)}
    task = SimpleNamespace(model=module, networks=lambda: {'model': (module, example)})
    subject = Subject(task, Record([state], [], {}, [], {}, jax.random.key(0), start=lambda: state), None)
    names = layers or of.with_maps(subject.layers)
    return {name: found.size for name, found in measured_fields(subject, names).items()}


def test_receptive_fields_of_b11():
    """Golden: 5, 6, 14 and 16 pixels; an activation changes nothing."""
    found = fields(ConvNet(10, **LENET), 32, 32, 3)
    assert {name: size for name, size in found.items() if not name.endswith('active')} == {
        'conv_1': (5, 5),
        'pool_1': (6, 6),
        'conv_2': (14, 14),
        'pool_2': (16, 16),
    }
    assert found['conv_2_active'] == found['conv_2']


def test_steps_between_fields(trained):
    """Pooling doubles the step; unpadded convolutions do not change it."""
    rows = {row[0]: (row[2], row[4]) for row in trained[1]['receptive_fields'].rows}
    assert rows['conv_1'] == ('3 × 3', 1) and rows['pool_1'] == ('4 × 4', 2) and rows['conv_2'] == ('8 × 8', 2)
    assert rows['pool_2'] == ('10 × 10', 4)


def test_two_small_convolutions_see_as_far_as_a_large_one():
    """B10: two 3x3 see 5x5, three 7x7; padding and odd sides do not matter."""
    found = fields(ConvNet(10, filters=(2, 2, 2), pool_after=()), 20, 17, 1)
    assert [found[f'conv_{number}'] for number in (1, 2, 3)] == [(3, 3), (5, 5), (7, 7)]


def test_the_field_through_a_residual_block_is_that_of_its_convolutions():
    blocks = ('stem', 'stage_1_block_1', 'stage_1_block_2')
    found = fields(ResNet(10, stem='cifar', width=4), 20, 20, 3, layers=blocks)
    assert tuple(found) == blocks
    assert found['stem'] == (3, 3) and found['stage_1_block_1'] == (7, 7) and found['stage_1_block_2'] == (11, 11)


# ---- The figures of a run --------------------------------------------------------------------------------------------


def test_filters_share_one_range_about_zero(trained):
    subject, figures = trained
    first, second = figures['filters_conv_1'], figures['filters_conv_2']
    kernels = {name: np.asarray(state.params['conv_1']['kernel']) for name, state in subject.states.items()}
    assert first.low == -first.high == pytest.approx(-max(np.abs(kernel).max() for kernel in kernels.values()))
    assert list(first.row_labels) == ['untrained', 'trained'] and first.images.shape == (8, 3, 3, 1)
    np.testing.assert_array_equal(first.images[0, ..., 0], kernels['untrained'][:, :, 0, 0])
    np.testing.assert_array_equal(first.images[4 + 3, ..., 0], kernels['trained'][:, :, 0, 3])
    assert second.images.shape == (2 * 4 * 6, 3, 3, 1) and second.row_labels[2] == 'in 2, untrained'


def test_the_untrained_state_is_the_start_of_the_run(trained):
    """Zero updates are behind it, and it is not what training ended with."""
    subject, _ = trained
    assert int(subject.states['untrained'].step) == 0 and int(subject.states['trained'].step) == 10
    machine = lab.machine(config_of(()))
    lab.close(machine.replica(machine.init(), 0)['model'].params, subject.states['untrained'].params, 0)


def test_metrics_before_and_after(trained):
    """The trained row is the run's own evaluation; the untrained one is near ln 10. Padding of the last block counts nothing."""
    subject, figures = trained
    table = figures['untrained']
    found = {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}
    for name in ('loss', 'accuracy'):
        assert found['trained'][name] == pytest.approx(subject.record.metrics[f'test_{name}'][0], rel=1e-5)
    assert found['untrained']['loss'] == pytest.approx(np.log(10), abs=0.1)
    assert found['trained']['loss'] != found['untrained']['loss']


def test_feature_maps_are_those_of_the_image(trained):
    subject, figures = trained
    after = figures['feature_maps_conv_1_active']
    image = subject.inputs(np.array([0]))
    expected = activations(subject.module, subject.variables['trained'], image)['conv_1_active'][0]
    np.testing.assert_allclose(after.images[4:, ..., 0], np.transpose(expected, (2, 0, 1)), atol=1e-5)
    assert after.low == 0 and after.colours == 'sequential' and after.high >= after.images.max()
    before = figures['feature_maps_conv_1']
    assert before.low == -before.high and before.colours == 'diverging' and before.value_label
    assert figures['feature_maps_pool_2'].images.shape[1:] == (7, 7, 1)
    by_class = figures['feature_maps_conv_1_active_by_class']
    assert len(by_class.images) == 4 * len(by_class.row_labels) and by_class.high == pytest.approx(
        by_class.images.max()
    )
    rows = subject.first_of_each_class()
    seen = subject.see('trained', rows, ['conv_1_active'])['conv_1_active']
    np.testing.assert_allclose(by_class.images[4 * 3 + 2, ..., 0], seen[3, ..., 2], atol=1e-5)


def test_equivariance_is_exact_before_pooling_and_for_even_shifts_after_it(trained):
    rows = {
        row[0]: dict(zip(trained[1]['equivariance'].columns, row, strict=True))
        for row in trained[1]['equivariance'].rows
    }
    for layer in ('conv_1_active', 'pool_1'):
        assert rows[layer]['2 px'] < 1e-5 and rows[layer]['4 px'] < 1e-5
    assert rows['conv_1_active']['1 px'] < 1e-5 < 1e-3 < rows['pool_1']['1 px']
    assert rows['conv_1_active']['1 px, not moved back'] > 0.05
    assert all(0 <= share <= 1 for _, share in trained[1]['same_answers'].rows)


def test_shift_error_of_a_map_that_moves():
    plain = np.random.default_rng(0).normal(size=(2, 8, 16, 3)).astype(np.float32)
    assert maps.shift_error(plain, np.roll(plain, 3, axis=2), 3) == 0
    assert maps.shift_error(plain, np.roll(plain, 3, axis=2), 0) > 0.5
    np.testing.assert_array_equal(maps.shifted(plain, 3)[:, :, 3:], plain[:, :, :-3])


def test_strongest_patches_hold_the_strongest_values(trained):
    subject, figures = trained
    shown = figures['strongest_patches_conv_1_active']
    everything = subject.see('trained', np.arange(50), ['conv_1_active'])['conv_1_active']
    best = np.sort(everything.max((1, 2)), axis=0)[::-1]
    assert shown.images.shape == (12, 3, 3, 1) and shown.columns == 4
    for number in range(3):
        values = [float(caption) for caption in shown.captions[4 * number : 4 * number + 4]]
        assert values == pytest.approx([float(f'{value:.2g}') for value in best[:4, number]])
    kernel, bias = (np.asarray(subject.variables['trained']['params']['conv_1'][part]) for part in ('kernel', 'bias'))
    inside_image = [k for k in range(12) if not (shown.images[k] == 0.5).any()]
    for k in inside_image:  # the patch alone gives the value: it is the whole receptive field
        value = np.tensordot(shown.images[k], kernel[..., k // 4], 3) + bias[k // 4]
        assert max(value, 0) == pytest.approx(float(shown.captions[k]), rel=0.06, abs=1e-6)


def test_dead_units_are_counted(trained):
    subject, figures = trained
    values = subject.see('trained', np.arange(50), ['conv_2_active'])['conv_2_active']
    row = next(row for row in figures['dead_units'].rows if row[:2] == ('conv_2_active', 'trained'))
    never = ~(values > 0).any(0)
    assert row[2] == values[0].size and row[3] == never.sum() and row[4] == pytest.approx(never.mean())
    assert row[5] == f'{never.all((0, 1)).sum()} of 6' and row[6] == pytest.approx((values > 0).mean())


def test_class_activations_are_means_by_class(trained):
    subject, figures = trained
    shown = figures['class_activations_conv_2_active']
    values = subject.see('trained', np.arange(50), ['conv_2_active'])['conv_2_active'].mean((1, 2))
    labels = subject.data.splits['test'].read(np.arange(50))['label']
    assert isinstance(shown, Matrix)
    np.testing.assert_allclose(shown.values[3], values[labels == 3].mean(0), rtol=1e-5)


def test_gradient_norms_are_those_of_the_loss(trained):
    subject, figures = trained
    state, batch = subject.states['untrained'], subject.batch('train', np.arange(16))

    def loss(params):
        logits = subject.module.apply(
            {'params': params}, batch['image'], train=True, rngs={'dropout': jax.random.key(0)}
        )
        shares = jax.nn.log_softmax(logits)
        return -jnp.take_along_axis(shares, batch['label'][:, None], 1).mean()

    taken = jax.jit(lambda state: gradients.gradient(subject.task, state, batch, jax.random.key(0)))(state)
    lab.close(jax.jit(jax.grad(loss))(state.params), taken, 1e-6)
    drawn = figures['gradient_norms']
    assert isinstance(drawn, Lines) and set(drawn.series) == {'untrained', 'trained'}
    assert all((y > 0).all() and len(y) == 4 for _, y in drawn.series.values())
    assert len(figures['gradient_lengths'].rows) == 8


def test_augmented_versions_stand_beside_the_original(trained):
    shown = trained[1]['augmented']
    assert list(shown.row_labels) == ['all together', 'shift (pixels 2)', 'flip'] and len(shown.images) == 30
    images = np.asarray(shown.images).reshape(3, 10, *shown.images.shape[1:])
    assert (images[:, 0] == images[0, 0]).all() and shown.captions[0] == 'original'
    mirrored = [
        np.array_equal(image, images[0, 0]) or np.array_equal(image, images[0, 0][:, ::-1]) for image in images[2]
    ]
    assert all(mirrored) and 0 < sum(np.array_equal(image, images[0, 0]) for image in images[2, 1:]) < 9
    assert len({image.tobytes() for image in images[1]}) > 4


def test_confusions_add_up(trained):
    subject, figures = trained
    labels = subject.data.splits['test'].read(np.arange(50))['label']
    said = subject.record.outputs['test'][0]['logits'].argmax(1)
    rows = figures['worst_confusions'].rows
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)
    for true, other, times, *_ in rows:
        assert times == ((labels == int(true[0])) & (said == int(other[0]))).sum() if true[0].isdigit() else times
    bars = figures['class_accuracy']
    assert np.dot(bars.heights['test accuracy'], np.bincount(labels, minlength=10)) == pytest.approx(
        (labels == said).sum()
    )


def test_an_mlp_shows_its_rows_and_hidden_values(tmp_path):
    """B01: rows of W_1 as images, h_1 of sample digits; looks for convolutions find nothing and say nothing."""
    wishes = ('first_layer', 'hidden_activations', 'filters', 'feature_maps', 'equivariance', 'strongest_patches')
    config = config_of(wishes, model={'name': 'mlp', 'features': (16,)})
    figures = {figure.name: figure for figure in lab.train(config, tmp_path).report.figures}
    shown = figures['first_layer'].images
    assert shown.shape == (48, 28, 28, 1) and list(figures['first_layer'].row_labels) == [
        'untrained',
        'trained',
        'change',
    ]
    np.testing.assert_array_equal(shown[32:], shown[16:32] - shown[:16])
    hidden = figures['hidden_activations_Dense_0_active']
    assert hidden.values.shape[1] == 16 and (hidden.values >= 0).all() and not hidden.diverging
    assert not [name for name in figures if 'conv' in name or name.startswith(('filters', 'feature', 'equi', 'strong'))]


def test_hidden_layers_of_an_mlp_are_seen_after_the_activation():
    module, images = MLP((5, 4), 3), numbers(6, 8, 8, 1)
    variables = drawn(module, images, train=False)
    found = activations(module, variables, images)
    np.testing.assert_array_equal(found['Dense_0_active'], np.maximum(found['Dense_0'], 0))
    assert set(variables) == {'params'}


def test_a_zero_run_and_first_layer_look_the_same(tmp_path):
    """Without training both rows of kernels are equal."""
    found = lab.train(config_of(('filters',), training__epochs=0), tmp_path)
    shown = next(figure for figure in found.report.figures if figure.name == 'filters_conv_1')
    np.testing.assert_array_equal(shown.images[:4], shown.images[4:])


# ---- What is refused, before anything is trained ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ('figures', 'words'),
    [
        (('filter',), "unknown name in config.report.options.figures 'filter'; did you mean 'filters'"),
        ('filters', r"figures = 'filters' \(.*valid: a tuple \(looks into the network"),
        ((3,), "figures: 3 is no look; valid: 'name' or"),
        ((('filters', {'layr': 'conv_1'}),), "filters has no argument 'layr'; did you mean 'layer'"),
        ((('filters', {'layer': 'conv_9'}),), "filters: unknown layer 'conv_9'; did you mean 'conv_[12]'"),
        ((('filters', {'layer': 'dense_1'}),), "filters: unknown layer 'dense_1'; .*valid: conv_1, conv_2$"),
        (
            (('feature_maps', {'layers': ('pool_7',)}),),
            "feature_maps: unknown layer 'pool_7'; did you mean 'pool_[12]'",
        ),
        ((('feature_maps', {'layers': 'pool_1'}),), "feature_maps: layers = 'pool_1'; valid: tuple"),
        ((('augmented', {'versions': 2.5}),), 'augmented: versions = 2.5; valid: int'),
        ((('augmented', {'versions': -1}),), 'augmented: versions = -1; valid: a whole number from 0 up'),
        ((('feature_maps', {'classes': 1}),), 'feature_maps: classes = 1; valid: bool'),
    ],
)
def test_what_is_refused(figures, words):
    with pytest.raises(UserError, match=words):
        prepare(config_of(figures))


def test_every_look_says_what_it_shows():
    for name, look in looks.LOOKS.items():
        assert look.function.__doc__, name
