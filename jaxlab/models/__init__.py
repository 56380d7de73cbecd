"""Networks by name: `config.model.name` is looked up here."""

import dataclasses
import importlib
import re
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxlab.errors import UserError, closest, lookup

MODELS = {  # name -> module:class; imported when asked for
    'mlp': 'jaxlab.models.mlp:MLP',
    'lenet': 'jaxlab.models.lenet:LeNet',
    'convnet': 'jaxlab.models.convnet:ConvNet',
    'vgg': 'jaxlab.models.convnet:VGG',
    'resnet': 'jaxlab.models.resnet:ResNet',
    'mobilenet': 'jaxlab.models.mobile:MobileNet',
    'ssdlite': 'jaxlab.models.ssdlite:SSDLite',
    'unet': 'jaxlab.models.unet:UNet',
    'original_unet': 'jaxlab.models.unet:OriginalUNet',
    'sequence': 'jaxlab.models.recurrent:SequenceModel',
    'transformer': 'jaxlab.models.transformer:TransformerClassifier',
    'text_classifier': 'jaxlab.models.text_encoder:TextClassifier',
    'bag': 'jaxlab.models.bag:Bag',
    'two_layer': 'jaxlab.models.two_layer:TwoLayer',
    'dcgan_generator': 'jaxlab.models.gan:Generator',
    'dcgan_discriminator': 'jaxlab.models.gan:Discriminator',
    'mlp_generator': 'jaxlab.models.mlp_gan:Generator',
    'mlp_discriminator': 'jaxlab.models.mlp_gan:Discriminator',
    'resnet_generator': 'jaxlab.models.cyclegan:ResNetGenerator',
    'patch_discriminator': 'jaxlab.models.cyclegan:PatchDiscriminator',
    'mlp_vae': 'jaxlab.models.vae:MLPVAE',
    'conv_vae': 'jaxlab.models.vae:ConvVAE',
    'seq2seq': 'jaxlab.models.seq2seq:Seq2Seq',
    'encoder_decoder': 'jaxlab.models.encoder_decoder:EncoderDecoder',
    'denoising_autoencoder': 'jaxlab.models.denoiser:DenoisingAutoencoder',
}
_DTYPES = {'float32': None, 'bfloat16': jnp.bfloat16}


def arguments(kind: type) -> list[str]:
    """What a module can be told in a config."""
    return [
        field.name for field in dataclasses.fields(kind) if field.init and field.name not in ('parent', 'name', 'dtype')
    ]


def required(kind: type) -> list[str]:
    """What a module must be told."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    nothing = dataclasses.MISSING
    return [
        name for name in arguments(kind) if fields[name].default is nothing and fields[name].default_factory is nothing
    ]


def build_model(block: Mapping[str, Any], precision: str = 'float32', where: str = 'model', **known: Any) -> Any:
    """The module that a config block names. `known`: arguments that the data decides (`classes`), taken if it has them."""
    options = {name: value for name, value in dict(block).items() if name != 'name'}
    if 'name' not in block:
        raise UserError(f'config.{where}.name is missing; valid: {", ".join(sorted(MODELS))}')
    path, attribute = lookup(MODELS, block['name'], f'config.{where}.name').split(':')
    kind = getattr(importlib.import_module(path), attribute)
    valid = arguments(kind)
    for name in options:
        if name not in valid:
            raise UserError(f'unknown field config.{where}.{name} of {block["name"]}; {closest(name, valid)}')
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    inferred = {name: value for name, value in known.items() if name in valid and name not in options}
    given = inferred | options
    if missing := [name for name in required(kind) if name not in given]:
        raise UserError(f'config.{where}: {block["name"]} needs {", ".join(missing)}, which this task does not tell it')
    module = kind(**given, dtype=_DTYPES[precision])
    for field in dataclasses.fields(kind):
        _check_type(field, getattr(module, field.name, None), where, block['name'])
    return module


SHARES = ('dropout', 'momentum')  # in the names of fields from 0 up to, not including, 1


def _check_type(field: dataclasses.Field, value: Any, where: str, name: str) -> None:
    """Simple annotations are checked; anything richer is left to the module."""
    simple: dict[Any, Any] = {
        int: int,
        float: (int, float),
        str: str,
        bool: bool,
        float | None: (int, float, type(None)),
        'int': int,
        'float': (int, float),
        'str': str,
        'bool': bool,
    }
    kinds: Any = simple.get(field.type)
    wrong_bool = isinstance(value, bool) and kinds is not bool
    if kinds is not None and field.name not in ('name', 'parent') and (not isinstance(value, kinds) or wrong_bool):
        word = field.type.__name__ if isinstance(field.type, type) else str(field.type)
        raise UserError(f'config.{where}.{field.name} of {name} is {value!r}; valid: {word}')
    least = [value] if kinds is int else list(value) if isinstance(value, tuple) else []
    if any(isinstance(one, int) and one < 0 for one in least) and 'int' in str(field.type):
        raise UserError(f'config.{where}.{field.name} of {name} is {value!r}; valid: whole numbers from 0 up')
    share = any(word in field.name for word in SHARES) and kinds is not bool
    if share and isinstance(value, int | float) and not 0 <= value < 1:
        raise UserError(
            f'config.{where}.{field.name} of {name} is {value!r}; valid: a number from 0 up to, not including, 1'
        )
    items = re.fullmatch(r'tuple\[(int|float|str), \.\.\.\]', str(field.type).replace('typing.', ''))
    if items is None or value is dataclasses.MISSING:
        return
    if not isinstance(value, tuple) or not all(isinstance(one, simple[items[1]]) for one in value):
        raise UserError(
            f'config.{where}.{field.name} of {name} is {value!r}; valid: a tuple of {items[1]}, such as (64, 32)'
        )
