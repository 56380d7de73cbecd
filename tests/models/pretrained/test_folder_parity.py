"""Folders that `transformers` wrote, on random weights of tiny networks: equal outputs there and back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.models.decoding import Rules, greedy
from jaxlab.models.pretrained.folder import read, write
from jaxlab.models.transformer import masked_mean

pytestmark = pytest.mark.parity

TOKENS = np.array([[2, 7, 5, 3, 0, 0], [2, 6, 8, 9, 4, 3]])
SEEN = (TOKENS > 0).astype(np.int64)
BERT = {
    'vocab_size': 23,
    'hidden_size': 16,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'intermediate_size': 24,
    'max_position_embeddings': 12,
    'num_labels': 3,
}
DISTILBERT = {
    'vocab_size': 23,
    'dim': 16,
    'n_layers': 2,
    'n_heads': 4,
    'hidden_dim': 24,
    'max_position_embeddings': 12,
    'num_labels': 3,
}
MARIAN = {
    'vocab_size': 23,
    'd_model': 16,
    'encoder_layers': 2,
    'decoder_layers': 2,
    'encoder_attention_heads': 4,
    'decoder_attention_heads': 4,
    'encoder_ffn_dim': 24,
    'decoder_ffn_dim': 24,
    'max_position_embeddings': 12,
    'activation_function': 'swish',
    'scale_embedding': True,
    'pad_token_id': 0,
    'decoder_start_token_id': 0,
    'eos_token_id': 3,
    'forced_eos_token_id': 3,
}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """(class name, config) -> (their network with random weights, the folder that it saved)."""
    torch, transformers = pytest.importorskip('torch'), pytest.importorskip('transformers')
    transformers.logging.set_verbosity_error()

    def make(name, kind, arguments):
        torch.manual_seed(0)
        model = getattr(transformers, name)(getattr(transformers, kind)(**arguments)).float().eval()
        with torch.no_grad():
            for parameter in model.parameters():  # Marian's fixed positions are among them
                parameter.add_(0.1 * torch.randn_like(parameter) * parameter.requires_grad)
            if hasattr(model, 'final_logits_bias'):
                model.final_logits_bias.add_(torch.randn_like(model.final_logits_bias))
        folder = tmp_path_factory.mktemp(name)
        model.save_pretrained(folder)
        return model, folder

    return make


def back(found, model, folder):
    """Their network again, from a folder that we wrote; every tensor of it as it was."""
    import torch

    write(folder, found)
    again = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    for (name, one), (_, other) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(one, other), name
    return again


@pytest.mark.parametrize(
    'name, kind, arguments',
    [
        ('BertForSequenceClassification', 'BertConfig', BERT),
        ('DistilBertForSequenceClassification', 'DistilBertConfig', DISTILBERT),
    ],
)
def test_classifiers(made, tmp_path, name, kind, arguments):
    import torch

    model, folder = made(name, kind, arguments)
    found = read(folder)
    with torch.no_grad():
        expected = model(torch.tensor(TOKENS), attention_mask=torch.tensor(SEEN)).logits.numpy()
    logits = jax.jit(found.module.apply)({'params': found.params}, jnp.asarray(TOKENS))
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    back(found, model, tmp_path / 'again')


def test_minilm_is_a_bert_with_a_mean(made, tmp_path):
    """The states, the pooler, and the masked mean that sentence vectors are; a masked-word model has no pooler."""
    import torch

    model, folder = made('BertModel', 'BertConfig', BERT)
    found = read(folder)
    segments = np.array([[0, 0, 1, 1, 0, 0]] * 2)
    with torch.no_grad():
        expected = model(torch.tensor(TOKENS), torch.tensor(SEEN), token_type_ids=torch.tensor(segments))
    states, pooled = jax.jit(found.module.apply)({'params': found.params}, jnp.asarray(TOKENS), jnp.asarray(segments))
    np.testing.assert_allclose(states, expected.last_hidden_state.numpy(), atol=1e-5)
    np.testing.assert_allclose(pooled, expected.pooler_output.numpy(), atol=1e-5)
    mean = (expected.last_hidden_state * torch.tensor(SEEN)[..., None]).sum(1) / torch.tensor(SEEN).sum(1)[:, None]
    np.testing.assert_allclose(masked_mean(states, jnp.asarray(SEEN > 0)), mean.numpy(), atol=1e-5)
    back(found, model, tmp_path / 'again')
    model, folder = made('BertForMaskedLM', 'BertConfig', BERT)
    found = read(folder)
    assert not found.module.pooler
    with torch.no_grad():
        expected = model.bert(torch.tensor(TOKENS), torch.tensor(SEEN)).last_hidden_state.numpy()
    states, _ = jax.jit(found.module.apply)({'params': found.params}, jnp.asarray(TOKENS))
    np.testing.assert_allclose(states, expected, atol=1e-5)


def test_marian(made, tmp_path):
    import torch

    model, folder = made('MarianMTModel', 'MarianConfig', MARIAN)
    found = read(folder)
    target = np.array([[0, 5, 6, 4], [0, 7, 3, 8]])
    with torch.no_grad():
        expected = model(torch.tensor(TOKENS), torch.tensor(SEEN), decoder_input_ids=torch.tensor(target)).logits
    logits = jax.jit(found.module.apply)({'params': found.params}, jnp.asarray(TOKENS), jnp.asarray(target))
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-5)
    back(found, model, tmp_path / 'again')
    written = model.generate(torch.tensor(TOKENS), num_beams=1, do_sample=False, max_length=9, bad_words_ids=[[0]])
    ours = greedy(found.module, {'params': found.params}, jnp.asarray(TOKENS), Rules(0, 3, 0, 8, barred=(0,)))
    for theirs, row in zip(written[:, 1:].tolist(), ours.tokens.tolist(), strict=True):
        assert row[: len(theirs) - 1] == theirs[:-1]  # the last one is forced to be the end
