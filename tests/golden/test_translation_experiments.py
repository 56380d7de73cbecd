"""B16, B25, D3.3 and D3.4: the numbers of their specification that do not hang on random starts."""

import os
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare
from jaxlab.training import model_table
from jaxlab.training.feeding import Feed
from tests.training import lab

REAL = Path(os.environ.get('JAXLAB_DATA_DIR', '') or '/nowhere')
NAMES = ('transformer_toy_translation', 'seq2seq_eng_fra', 'seq2seq_rus_eng', 'transformer_eng_fra')


def config_of(name: str, variant: str = '', **changes):
    config = configs.load(configs.main_folder() / f'{name}.py', 'full')
    own = config.variants[variant].to_dict() if variant else {}
    return configs.apply(config, {**own, 'variants': {}, 'parallel.devices': 1, **lab.dotted(changes)}, 'test')


def prepared(name: str, variant: str = '', data_dir: str | None = None, **changes):
    return prepare(config_of(name, variant, **changes), data_dir)


def sizes(made) -> tuple[int, int, int]:
    """Source vocabulary, target vocabulary, parameters."""
    example = {**made.task.example}
    shapes = jax.eval_shape(made.task.init, jax.eval_shape(lambda: jax.random.key(0)), example)
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes['model'].params))
    source, target = (made.task.texts[side].tokenizer.size for side in ('source', 'target'))
    return source, target, count


def variants() -> list[tuple[str, str]]:
    return [
        (name, variant)
        for name in NAMES
        for variant in configs.load(configs.main_folder() / f'{name}.py', 'full').variants
    ]


@pytest.mark.parametrize(('name', 'variant'), variants())
def test_every_variant_is_a_task(name, variant):
    """On stand-in data: it can be built, its report too, and its network has the parameters that the specs count."""
    made = prepared(name, variant)
    assert made.reporter is not None
    source, target, count = sizes(made)
    model = made.config.model
    known = {
        'b16': 256 * source
        + 1_576_960
        + 769 * target
        + (3_676_160 if model.get('attention') == 'before' else 1_576_960),
        'd33': 197_632 + 64 * source + 321 * target,
        'd34': 167_424 + 64 * source + 129 * target,
        'b25': 8_682_496 + 256 * source + 256 * target + 257 * target,
    }
    forms = {
        ('seq2seq', 512): 'b16',
        ('seq2seq', 128): 'd33',
        ('encoder_decoder', 64, 2): 'd34',
        ('encoder_decoder', 256, 2048): 'b25',
    }
    width = model.features[-1] if model.name == 'seq2seq' else model.width
    keys = [(model.name, width), (model.name, width, model.get('hidden')), (model.name, width, model.get('heads'))]
    form = next((forms[key] for key in keys if key in forms), '')
    if form:
        assert count == known[form]


def test_sizes_of_b25():
    """14 words on both sides; 8,693,262 parameters; five updates an epoch in fixed order, 250 in all."""
    made = prepared('transformer_toy_translation')
    assert sizes(made) == (14, 14, 8_693_262)
    table = model_table.networks(made.task)['model']
    assert sum(row['parameters'] for row in table) == 8_693_262 and table[-1]['output_shape'] == [1, 5, 14]
    feed = Feed.of(made.config.data, made.data, (0,))
    assert feed.steps_per_epoch == 5 and made.config.training.epochs * feed.steps_per_epoch == 250
    assert (feed.epoch(0).ravel() == np.arange(5)).all()
    assert made.task.rules.steps == 5 and made.task.networks()['model'][1][1].shape == (1, 5)


def test_steps_of_d33_and_what_was_published():
    """1,600 and 400 pairs, 50 updates an epoch; the identity task begins with the commonest word and never ends."""
    right, wrong = prepared('seq2seq_rus_eng'), prepared('seq2seq_rus_eng', 'as_published')
    for made in (right, wrong):
        assert {part: split.size for part, split in made.data.splits.items()} == {'train': 1600, 'test': 400}
        assert Feed.of(made.config.data, made.data, (0,)).steps_per_epoch == 50
    assert (
        wrong.task.rules == (1, -1, 0, 15, ())
        and right.task.rules.steps == right.data.splits['train'].arrays['target'].shape[1] - 1
    )
    words = wrong.task.tokenizer.words
    train = wrong.data.splits['train'].arrays['target']
    counts = np.bincount(train.ravel(), minlength=len(words))[1:]
    assert (np.diff(counts) <= 0).all() and words[0] == '<pad>'  # ids by falling frequency
    left_over = prepared('transformer_eng_fra', 'as_published').task
    assert left_over.rules == (1, 2, 0, 14, ())  # D3.4 began and ended with the two commonest words


def test_b16_is_one_batch():
    made = prepared('seq2seq_eng_fra')
    feed = Feed.of(made.config.data, made.data, (0,))
    assert feed.steps_per_epoch == 1 and made.data.splits['train'].size == 500
    assert made.task.tokenizer.words[:4] == ('<pad>', '<sos>', '<eos>', '<unk>')
    first = made.task.references(made.data.splits['train'], 'source')[0].split()
    assert list(made.task.texts['source'].tokenizer.words[4 : 4 + len(set(first))]) == list(dict.fromkeys(first))


@pytest.mark.skipif(not (REAL / 'translation').is_dir(), reason='JAXLAB_DATA_DIR has no translation')
def test_real_pairs():
    """Tatoeba: no held-out source in training; a few held-out targets are (trap 11)."""
    made = prepared('seq2seq_rus_eng', 'all_pairs', str(REAL))
    texts = {
        side: {part: made.task.references(split, side) for part, split in made.data.splits.items()}
        for side in made.task.texts
    }
    assert not set(texts['source']['train']) & (set(texts['source']['test']) | set(texts['source']['validation']))
    assert len(set(texts['source']['test'])) == made.data.splits['test'].size
    seen = np.mean([one in set(texts['target']['train']) for one in texts['target']['test'][:200]])
    assert 0 < seen < 0.2
    assert made.data.splits['train'].size > 17_000
