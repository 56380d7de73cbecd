"""BERT (and MiniLM, which is one), DistilBERT and Marian as Hugging Face names and configures them: one table a kind.

A table says which of our tensors a published one is, which names are left out, and which network a config.json describes.
`jaxlab/models/pretrained/folder.py` reads and writes by them.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import numpy as np

from jaxlab.errors import UserError, lookup
from jaxlab.models.encoder_decoder import EncoderDecoder
from jaxlab.models.text_encoder import TextClassifier, TextEncoder

ACTIVATIONS = {'gelu': 'gelu', 'gelu_new': 'gelu_tanh', 'gelu_pytorch_tanh': 'gelu_tanh', 'relu': 'relu'}
ACTIVATIONS |= {'silu': 'swish', 'swish': 'swish'}


class Place(NamedTuple):
    """theirs, ours: names of a tensor. turned: kernels are [out, in] there, [in, out] here. row: [1, V] there, [V] here."""

    theirs: str
    ours: str
    turned: bool = False
    row: bool = False

    def to_ours(self, array: np.ndarray) -> np.ndarray:
        """Contiguous."""
        array = array.T if self.turned else array.reshape(-1) if self.row else array
        return np.ascontiguousarray(array)

    def to_theirs(self, array: np.ndarray) -> np.ndarray:
        """Contiguous: safetensors writes a view's memory as it lies, and a transposed one would come back scrambled."""
        array = array.T if self.turned else array[None] if self.row else array
        return np.ascontiguousarray(array)

    def shape_of_theirs(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The published shape of a tensor of ours."""
        return shape[::-1] if self.turned else (1, *shape) if self.row else shape


def _dense(theirs: str, ours: str) -> tuple[Place, ...]:
    return Place(f'{theirs}.weight', f'{ours}.kernel', turned=True), Place(f'{theirs}.bias', f'{ours}.bias')


def _norm(theirs: str, ours: str) -> tuple[Place, ...]:
    return Place(f'{theirs}.weight', f'{ours}.scale'), Place(f'{theirs}.bias', f'{ours}.bias')


SHORT = {'query': 'q', 'key': 'k', 'value': 'v', 'out': 'out'}  # as DistilBERT and Marian call the parts of attention
BERT_LAYER = {  # a part of our encoder's layer -> its published name
    **{f'attention.{part}': f'attention.self.{part}' for part in ('query', 'key', 'value')},
    'attention.out': 'attention.output.dense',
    'norm_1': 'attention.output.LayerNorm',
    'feed_forward.dense_1': 'intermediate.dense',
    'feed_forward.dense_2': 'output.dense',
    'norm_2': 'output.LayerNorm',
}
DISTILBERT_LAYER = {
    **{f'attention.{part}': f'attention.{short}_lin' for part, short in SHORT.items()},
    'norm_1': 'sa_layer_norm',
    'feed_forward.dense_1': 'ffn.lin1',
    'feed_forward.dense_2': 'ffn.lin2',
    'norm_2': 'output_layer_norm',
}
EMBEDDINGS = (
    Place('embeddings.word_embeddings.weight', 'embedding.embedding'),
    Place('embeddings.position_embeddings.weight', 'positions.table'),
)
EMBEDDING_NORM = _norm('embeddings.LayerNorm', 'norm')


def _layers(count: int, there: str, names: Mapping[str, str]) -> tuple[Place, ...]:
    """All layers of an encoder. there: what their published names begin with; names: those of a layer's parts."""
    return tuple(
        place
        for k in range(count)
        for ours, theirs in names.items()
        for place in (_norm if ours.startswith('norm') else _dense)(f'{there}.{k}.{theirs}', f'layer_{k}.{ours}')
    )


def _bert(module: TextEncoder) -> tuple[Place, ...]:
    segments = Place('embeddings.token_type_embeddings.weight', 'segments.embedding')
    layers = _layers(module.layers, 'encoder.layer', BERT_LAYER)
    pooler = _dense('pooler.dense', 'pooler') if module.pooler else ()
    return *EMBEDDINGS, segments, *EMBEDDING_NORM, *layers, *pooler


def _distilbert(module: TextEncoder) -> tuple[Place, ...]:
    return *EMBEDDINGS, *EMBEDDING_NORM, *_layers(module.layers, 'transformer.layer', DISTILBERT_LAYER)


def _marian(module: EncoderDecoder) -> tuple[Place, ...]:
    places = [
        Place('model.shared.weight', 'target_embedding.embedding'),
        Place('final_logits_bias', 'output_bias', row=True),
    ]
    for side, layers in (('encoder', module.encoder_layers), ('decoder', module.decoder_layers)):
        for k in range(layers):
            there, here = f'model.{side}.layers.{k}', f'{side}_{k}'
            looks = [('self_attn', 'attention', 'norm_1')]
            looks += [('encoder_attn', 'memory_attention', 'norm_2')] if side == 'decoder' else []
            for name, ours, norm in looks:
                for part, short in SHORT.items():
                    places += _dense(f'{there}.{name}.{short}_proj', f'{here}.{ours}.{part}')
                places += _norm(f'{there}.{name}_layer_norm', f'{here}.{norm}')
            places += _dense(f'{there}.fc1', f'{here}.feed_forward.dense_1')
            places += _dense(f'{there}.fc2', f'{here}.feed_forward.dense_2')
            places += _norm(f'{there}.final_layer_norm', f'{here}.norm_{len(looks) + 1}')
    return tuple(places)


def _refuse_unless(config: Mapping[str, Any], where: str, **wanted: Any) -> None:
    for name, value in wanted.items():
        if config.get(name, value) != value:
            raise UserError(f'{where}: {name} is {config[name]!r}; valid: {value!r}')


def _of_encoder(config: Mapping[str, Any], names: Mapping[str, str], where: str) -> dict[str, Any]:
    """The encoder's arguments from a config.json. names: ours -> published."""
    found = {ours: config[name] for ours, name in names.items() if name in config}
    found['activation'] = lookup(ACTIVATIONS, found['activation'], f'activation in {where}')
    return found


BERT_NAMES = {
    'vocabulary': 'vocab_size',
    'width': 'hidden_size',
    'layers': 'num_hidden_layers',
    'heads': 'num_attention_heads',
    'hidden': 'intermediate_size',
    'max_length': 'max_position_embeddings',
    'segments': 'type_vocab_size',
    'dropout': 'hidden_dropout_prob',
    'attention_dropout': 'attention_probs_dropout_prob',
    'activation': 'hidden_act',
    'epsilon': 'layer_norm_eps',
    'padding': 'pad_token_id',
}
DISTILBERT_NAMES = {
    'vocabulary': 'vocab_size',
    'width': 'dim',
    'layers': 'n_layers',
    'heads': 'n_heads',
    'hidden': 'hidden_dim',
    'max_length': 'max_position_embeddings',
    'dropout': 'dropout',
    'attention_dropout': 'attention_dropout',
    'activation': 'activation',
    'padding': 'pad_token_id',
}
MARIAN_NAMES = {
    'width': 'd_model',
    'heads': 'encoder_attention_heads',
    'hidden': 'encoder_ffn_dim',
    'encoder_layers': 'encoder_layers',
    'decoder_layers': 'decoder_layers',
    'dropout': 'dropout',
    'attention_dropout': 'attention_dropout',
    'inner_dropout': 'activation_dropout',
    'activation': 'activation_function',
    'max_length': 'max_position_embeddings',
    'scale_embeddings': 'scale_embedding',
    'padding': 'pad_token_id',
}


def _bert_module(config: Mapping[str, Any], names: Sequence[str], where: str) -> nn.Module:
    _refuse_unless(config, where, position_embedding_type='absolute', is_decoder=False)
    found = _of_encoder(config, BERT_NAMES, where)
    if 'classifier.weight' not in names:
        return TextEncoder(**found, pooler='pooler.dense.weight' in names)
    head_dropout = config.get('classifier_dropout')
    head_dropout = config['hidden_dropout_prob'] if head_dropout is None else head_dropout
    return TextClassifier(**found, classes=_classes(config), head_dropout=head_dropout)


def _distilbert_module(config: Mapping[str, Any], names: Sequence[str], where: str) -> nn.Module:
    found = _of_encoder(config, DISTILBERT_NAMES, where) | {'segments': 0, 'pooler': False, 'sublayer_dropout': False}
    if 'classifier.weight' not in names:
        return TextEncoder(**found)
    head = {'pool': 'first', 'head_hidden': True, 'head_dropout': config.get('seq_classif_dropout', 0.2)}
    return TextClassifier(**found, **head, classes=_classes(config))


def _marian_module(config: Mapping[str, Any], names: Sequence[str], where: str) -> nn.Module:
    _refuse_unless(config, where, tie_word_embeddings=True, share_encoder_decoder_embeddings=True)
    same = {name: config[name.replace('decoder', 'encoder')] for name in ('decoder_attention_heads', 'decoder_ffn_dim')}
    _refuse_unless(config, where, **same, decoder_vocab_size=config['vocab_size'], normalize_before=False)
    size, found = config['vocab_size'], _of_encoder(config, MARIAN_NAMES, where)
    fixed: dict[str, Any] = {
        'final_norm': False,
        'positions': 'halves',
        'shared': 'all',
        'init_scheme': 'bert',
        'epsilon': 1e-5,
    }
    return EncoderDecoder(size, size, **found, **fixed)


def _classes(config: Mapping[str, Any]) -> int:
    return len(config['id2label']) if 'id2label' in config else config.get('num_labels', 2)


@dataclasses.dataclass(frozen=True)
class Layout:
    """One kind of published model.

    prefix: what stands before the encoder's names where a head is beside it. head: the head's places. left_out: names that a
    network has no use for. copies: second names under which one tensor is saved; they must be equal to the first.
    """

    module: Callable[[Mapping[str, Any], Sequence[str], str], nn.Module]
    places: Callable[[Any], tuple[Place, ...]]
    prefix: str = ''
    head: tuple[Place, ...] = ()
    left_out: tuple[str, ...] = ()
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def named(self, module: nn.Module) -> tuple[Place, ...]:
        """The places of this network, as a file with its head has them."""
        if not isinstance(module, TextClassifier):
            return self.places(module)
        inside = tuple(
            place._replace(theirs=self.prefix + place.theirs, ours=f'encoder.{place.ours}')
            for place in self.places(TextEncoder(**module.encoder_arguments()))
        )
        return (*inside, *self.head)


LAYOUTS = {
    'bert': Layout(
        _bert_module,
        _bert,
        'bert.',
        _dense('classifier', 'head'),
        # Positions counted beforehand, and the heads of the pretraining: masked words, next sentence.
        (r'^embeddings\.position_ids$', r'^cls\.(predictions|seq_relationship)\.'),
    ),
    'distilbert': Layout(
        _distilbert_module,
        _distilbert,
        'distilbert.',
        (*_dense('pre_classifier', 'head_hidden'), *_dense('classifier', 'head')),
        (r'^embeddings\.position_ids$', r'^vocab_(transform|layer_norm|projector)\.'),
    ),
    'marian': Layout(
        _marian_module,
        _marian,
        copies=dict.fromkeys(
            ('model.encoder.embed_tokens.weight', 'model.decoder.embed_tokens.weight', 'lm_head.weight'),
            'model.shared.weight',
        ),
        left_out=(r'^model\.(encoder|decoder)\.embed_positions\.weight$',),
    ),
}
