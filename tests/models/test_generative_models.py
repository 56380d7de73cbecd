"""Networks that make images: the specs' parameters layer by layer, shapes, ranges and starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.models import build_model, cyclegan, gan, mlp_gan
from jaxlab.models.denoiser import DenoisingAutoencoder
from jaxlab.models.vae import MLPVAE, ConvVAE
from tests.models.drawn import drawn


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def shapes_of(module, *inputs):
    """(variables, outputs), of which nothing is computed."""
    init = lambda *x: module.init(jax.random.key(0), *x, train=False)
    variables = jax.eval_shape(init, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in inputs))
    apply = lambda v, *x: module.apply(v, *x, train=False)
    return variables, jax.eval_shape(apply, variables, *(jax.ShapeDtypeStruct(s, jnp.float32) for s in inputs))


D22_GENERATOR = {'size': 8, 'channels': 3, 'kernel_size': 4, 'strides': (2, 2, 2), 'slope': 0.0}
D22_DISCRIMINATOR = {'depth': 3, 'kernel_size': 4, 'slope': 0.2}
CASES = {  # module, input, output, parameters layer by layer, statistics
    'B20 generator': (
        mlp_gan.Generator(),
        (5, 100),
        (5, 28, 28, 1),
        {'Dense_0': 12_928, 'Dense_1': 33_024, 'Dense_2': 131_584, 'Dense_3': 402_192},
        579_728,
    ),
    'B20 discriminator': (
        mlp_gan.Discriminator(),
        (5, 28, 28, 1),
        (5,),
        {'Dense_0': 401_920, 'Dense_1': 131_328, 'Dense_2': 32_896, 'Dense_3': 129},
        566_273,
    ),
    'D2.2 generator': (
        gan.Generator(**D22_GENERATOR),
        (5, 100),
        (5, 64, 64, 3),
        {
            'Dense_0': 1_638_400,
            'BatchNorm_0': 32_768,
            'ConvTranspose_0': 524_288,
            'BatchNorm_1': 256,
            'ConvTranspose_1': 131_072,
            'BatchNorm_2': 128,
            'ConvTranspose_2': 3_072,
        },
        2_329_984,
    ),
    'D2.2 discriminator': (
        gan.Discriminator(**D22_DISCRIMINATOR),
        (5, 64, 64, 3),
        (5,),
        {'Conv_0': 3_136, 'Conv_1': 131_200, 'Conv_2': 524_544, 'Dense_0': 16_385},
        675_265,
    ),
    'B21 generator': (
        cyclegan.ResNetGenerator(),
        (1, 256, 256, 3),
        (1, 256, 256, 3),
        {
            'first': 9_472,
            'down_1': 73_856,
            'down_2': 295_168,
            **{f'block_{number}': 1_180_160 for number in range(1, 10)},
            'up_1': 295_040,
            'up_2': 73_792,
            'last': 9_411,
        },
        11_378_179,
    ),
    'B21 discriminator': (
        cyclegan.PatchDiscriminator(),
        (1, 256, 256, 3),
        (1, 15, 15),
        {'conv_1': 3_136, 'conv_2': 131_200, 'conv_3': 524_544, 'conv_4': 2_097_664, 'score': 8_193},
        2_764_737,
    ),
    'PatchGAN': (
        cyclegan.PatchDiscriminator(strides=(2, 2, 2, 1)),
        (1, 256, 256, 3),
        (1, 30, 30),
        {'conv_1': 3_136, 'conv_2': 131_200, 'conv_3': 524_544, 'conv_4': 2_097_664, 'score': 8_193},
        2_764_737,
    ),
    'B23': (
        DenoisingAutoencoder(),
        (5, 28, 28, 1),
        (5, 28, 28, 1),
        {'down_1': 160, 'down_2': 1_160, 'up_1': 1_168, 'up_2': 145},
        2_633,
    ),
}


@pytest.mark.parametrize('case', CASES)
def test_parameters_layer_by_layer_and_shapes(case):
    module, inputs, outputs, layers, total = CASES[case]
    variables, made = shapes_of(module, inputs)
    assert {name: count(leaves) for name, leaves in variables['params'].items()} == layers
    assert count(variables['params']) == total == sum(layers.values())
    assert made.shape == outputs and made.dtype == jnp.float32


def test_statistics_of_d22():
    """33,152 running statistics of the generator: 2,363,136 in all."""
    variables, _ = shapes_of(gan.Generator(**D22_GENERATOR), (1, 100))
    assert count(variables['batch_stats']) == 33_152 and count(variables) == 2_363_136


def test_all_four_networks_of_b21():
    """28,285,832."""
    networks = (cyclegan.ResNetGenerator(), cyclegan.PatchDiscriminator())
    assert 2 * sum(count(shapes_of(each, (1, 64, 64, 3))[0]) for each in networks) == 28_285_832


def test_patches_of_b21():
    assert cyclegan.patch_size((2, 2, 2, 2)) == 94 and cyclegan.patch_size((2, 2, 2, 1)) == 70


@pytest.mark.parametrize(
    ('model', 'inputs', 'layers', 'total'),
    [
        (
            MLPVAE(),
            (28, 28, 1),
            {
                'down_0': 314_000,
                'down_1': 80_200,
                'mean': 402,
                'log_variance': 402,
                'up_0': 600,
                'up_1': 80_400,
                'pixels': 314_384,
            },
            790_388,
        ),
        (
            ConvVAE(),
            (64, 64, 3),
            {
                'down_0': 896,
                'down_1': 18_496,
                'down_2': 73_856,
                'mean': 1_048_704,
                'log_variance': 1_048_704,
                'expand': 1_056_768,
                'up_0': 147_584,
                'up_1': 73_792,
                'up_2': 18_464,
                'pixels': 867,
            },
            3_488_131,
        ),
    ],
    ids=['B22', 'D2.1'],
)
def test_parameters_and_halves_of_a_vae(model, inputs, layers, total):
    """D2.1: encoder 2,190,656, decoder 1,297,475."""
    variables, made = shapes_of(model, (5, *inputs))
    assert {name: count(leaves) for name, leaves in variables['params'].items()} == layers
    assert count(variables) == total == sum(layers.values()) and made.shape == (5, *inputs)
    encode = lambda v, x: model.apply(v, x, method='encode')
    mean, log_variance = jax.eval_shape(encode, variables, jax.ShapeDtypeStruct((5, *inputs), jnp.float32))
    assert mean.shape == log_variance.shape == (5, model.latent)
    decoded = jax.eval_shape(lambda v, z: model.apply(v, z, method='decode'), variables, mean)
    assert decoded.shape == (5, *inputs)


@pytest.mark.parametrize(
    'model', [MLPVAE(latent=3, hidden=(8,)), ConvVAE(latent=3, filters=(4,), image_shape=(8, 8, 1))]
)
def test_a_vae_of_zeros_is_grey_and_its_call_decodes_the_mean(model):
    """D2.1: zero weights give 0.5 everywhere."""
    images = jnp.asarray(np.random.default_rng(0).uniform(size=(2, *model.image_shape)), jnp.float32)
    variables = drawn(model, images)

    @jax.jit
    def run(variables):
        mean, _ = model.apply(variables, images, method='encode')
        return model.apply(variables, images), model.apply(variables, mean, method='decode')

    grey, _ = run(jax.tree.map(np.zeros_like, variables))
    np.testing.assert_array_equal(jax.nn.sigmoid(grey), 0.5)
    np.testing.assert_allclose(*run(variables), rtol=1e-6)


def test_generators_stay_in_range_and_gradients_flow():
    """tanh: [-1, 1], also of the MLP; CycleGAN's generator takes any size that 4 divides and any number of channels."""
    noise = jnp.asarray(50 * np.random.default_rng(0).standard_normal((4, 6)), jnp.float32)
    model = mlp_gan.Generator((8,), (4, 5, 3))
    made = jax.jit(model.apply)(drawn(model, noise), noise)
    assert made.shape == (4, 4, 5, 3) and float(jnp.abs(made).max()) <= 1
    model = cyclegan.ResNetGenerator(width=4, blocks=1)
    images = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 12, 20, 2)), jnp.float32)

    def loss(variables):
        made = model.apply(variables, images)
        return jnp.square(made).sum(), made

    slopes, made = jax.jit(jax.grad(loss, has_aux=True))(drawn(model, images))
    assert made.shape == images.shape and float(jnp.abs(made).max()) <= 1
    slopes = slopes['params']
    assert all(float(jnp.abs(leaf['kernel']).max()) > 0 for leaf in (slopes['first'], slopes['up_1'], slopes['last']))


def test_biases_before_an_instance_norm_have_no_effect():
    """B21: they count as parameters and change nothing; an image never sees its neighbour in the batch either."""
    model = cyclegan.PatchDiscriminator(width=2)
    images = jax.random.normal(jax.random.key(0), (2, 48, 48, 1))
    variables = jax.jit(lambda: model.init(jax.random.key(1), images))()
    run = jax.jit(model.apply)
    moved = jax.tree.map(lambda leaf: leaf, variables)
    for layer in ('conv_2', 'conv_3', 'conv_4'):
        moved['params'][layer]['bias'] = moved['params'][layer]['bias'] + 3.0
    np.testing.assert_allclose(run(moved, images), run(variables, images), atol=2e-5)
    np.testing.assert_allclose(run(variables, images[:1]), run(variables, images)[:1], atol=1e-6)


def started(model, shape, *layers, pick=lambda params: ()):
    """These layers as they begin, and what `pick` takes; no other numbers are drawn, which saves compiling them."""

    @jax.jit
    def run():
        params = model.init(jax.random.key(0), jnp.zeros((1, *shape)))['params']
        return {name: params[name] for name in layers}, pick(params)

    return run()


def test_starts():
    """B21: kernels N(0, 0.02^2), biases PyTorch's; D2.1 and D2.2: Glorot limits, no biases; B22, B23: PyTorch's limits."""
    small = cyclegan.ResNetGenerator(width=16, blocks=1)
    params, _ = started(small, (8, 8, 3), 'down_2', 'up_1')
    for layer in ('down_2', 'up_1'):
        assert float(params[layer]['kernel'].std()) == pytest.approx(0.02, rel=0.03)
    assert 0.9 * (9 * 32) ** -0.5 < float(jnp.abs(params['up_1']['bias']).max()) <= (9 * 32) ** -0.5
    assert 0.9 * (9 * 32) ** -0.5 < float(jnp.abs(params['down_2']['bias']).max()) <= (9 * 32) ** -0.5

    def limit(leaf, bound):
        assert 0.95 * bound < float(jnp.abs(leaf).max()) <= bound * (1 + 1e-6)

    every = lambda params: [layer['bias'] for layer in params.values()]
    params, biases = started(ConvVAE(latent=8), (64, 64, 3), 'down_2', 'up_0', pick=every)
    limit(params['down_2']['kernel'], (6 / (9 * (64 + 128))) ** 0.5)
    limit(params['up_0']['kernel'], (6 / (9 * (128 + 128))) ** 0.5)
    assert len(biases) == 10 and not any(bias.any() for bias in biases)
    params, _ = started(MLPVAE(), (28, 28, 1), 'down_0', 'pixels')
    limit(params['down_0']['kernel'], 784**-0.5)
    limit(params['pixels']['bias'], 400**-0.5)
    params, _ = started(DenoisingAutoencoder((16, 64)), (8, 8, 3), 'down_2', 'up_1')
    limit(params['down_2']['kernel'], (9 * 16) ** -0.5)
    limit(params['up_1']['kernel'], (9 * 16) ** -0.5)  # PyTorch counts the outputs of a transposed convolution


def test_they_are_built_by_name():
    made = build_model({'name': 'conv_vae', 'filters': (4,)}, image_shape=(8, 8, 3), classes=2)
    assert made.image_shape == (8, 8, 3)
    made = build_model({'name': 'patch_discriminator', 'strides': [2, 1]})
    assert isinstance(made, cyclegan.PatchDiscriminator) and made.strides == (2, 1)
    assert isinstance(build_model({'name': 'resnet_generator', 'blocks': 6}), cyclegan.ResNetGenerator)
    assert isinstance(build_model({'name': 'mlp_generator'}), mlp_gan.Generator)
    assert isinstance(build_model({'name': 'mlp_discriminator'}), mlp_gan.Discriminator)
    assert isinstance(build_model({'name': 'denoising_autoencoder'}), DenoisingAutoencoder)
