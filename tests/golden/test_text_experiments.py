"""A06, B15, A07, B17: sizes, steps and tokens of the experiments as their specification has them."""

import jax
import pytest

from configs import bert_imdb, distilbert_imdb
from jaxlab.data.sets.texts import HOW, how
from jaxlab.data.sources import Request
from jaxlab.experiments import config as configs
from jaxlab.models import build_model
from jaxlab.optimizers.schedules import build_schedule


def loaded(name: str, variant: str = ''):
    config = configs.load(configs.main_folder() / f'{name}.py', 'full')
    changes = config.variants[variant].to_dict() if variant else {}
    return configs.apply(config, {**changes, 'variants': {}}, 'test')


def numbers(name: str, variant: str = '') -> int:
    """Parameters of an experiment's network on 10,000 ids, nothing computed."""
    model = build_model(loaded(name, variant).model, classes=2, vocabulary=10_000)
    tokens = jax.ShapeDtypeStruct((1, 8), 'int32')
    shapes = jax.eval_shape(lambda tokens: model.init(jax.random.key(0), tokens), tokens)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


@pytest.mark.parametrize(
    'name, variant, expected',
    [
        ('rnn_imdb', 'lstm', 357_281),
        ('rnn_imdb', 'gru', 674_401),
        ('rnn_imdb', 'bilstm', 706_177),
        ('rnn_imdb', 'lstm_equal', 685_473),
        ('rnn_imdb', 'bigrams', 2 * 10_000 + 2),
        ('lstm_gru_imdb', 'lstm', 1_118_018),
        ('lstm_gru_imdb', 'gru', 1_088_578),
        ('lstm_gru_imdb', 'gru_as_published', 1_088_578),
    ],
)
def test_parameters(name, variant, expected):
    assert numbers(name, variant) == expected


def fitted(name, texts):
    return how(Request('imdb'), HOW | {k: v for k, v in loaded(name).data.options.items() if k in HOW})(texts)


def test_words_of_a06():
    """Ids as Keras has them: rank + 3; the last 200 tokens, padding in front, "<br />" leaves the word br."""
    found = fitted('rnn_imdb', ['the the the film film<br />', "don't stop"])
    assert found.words[4:6] == ('the', 'film') and set(found.words[6:]) == {'br', "don't", 'stop'}
    row = found.apply(['The film! ' * 150])[0]
    assert row.shape == (200,) and row[-2:].tolist() == [4, 5] and row[0] == 4  # of 301 tokens the last 200
    assert found.apply(['The unheard'])[0][-4:].tolist() == [0, 1, 4, 2]


def test_words_of_b15():
    found = fitted('lstm_gru_imdb', ["I loved it, didn't you?<br /><br />10/10."])
    expected = [
        'i',
        'loved',
        'it',
        ',',
        'did',
        "n't",
        'you',
        '?',
        '<',
        'br',
        '/',
        '>',
        '<',
        'br',
        '/',
        '>',
        '10/10',
        '.',
    ]
    assert found.rule.words("I loved it, didn't you?<br /><br />10/10.") == expected
    assert found.words[:2] == ('<pad>', '<unk>') and found.apply(['i unheard'])[0][:4].tolist()[1:] == [1, 0, 0]
    assert found.frame.longest == 200 and found.frame.start is None


@pytest.mark.parametrize(
    'name, network, expected',
    [('bert_imdb', bert_imdb.BERT, 109_483_778), ('distilbert_imdb', distilbert_imdb.DISTILBERT, 66_955_010)],
)
def test_parameters_of_the_published_encoders(name, network, expected):
    """A07 and B17: the fields that each config's file names make the source's network."""
    changes = {f'model.{field}': value for field, value in network.items()}
    model = build_model(configs.apply(loaded(name), changes, 'test').model, classes=2, vocabulary=30_522)
    tokens = jax.ShapeDtypeStruct((1, 8), 'int32')
    shapes = jax.eval_shape(lambda tokens: model.init(jax.random.key(0), tokens), tokens)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == expected


@pytest.mark.parametrize('name', ['bert_imdb', 'distilbert_imdb'])
def test_the_rate_of_the_fine_tunings(name):
    """B17 falls in a straight line from 5e-5 to 0; A07's network here warms up first."""
    optimizer = loaded(name).optimizer
    options = optimizer.get('schedule_options') or {}
    factor = build_schedule(optimizer.schedule, options, optimizer.get('warmup', 0), 100, 2500)
    rates = [optimizer.learning_rate * float(factor(step)) for step in (0, 1250, 2500)]
    if name == 'distilbert_imdb':
        assert rates == pytest.approx([5e-5, 2.5e-5, 0], abs=1e-12)
    else:
        assert rates[1] < optimizer.learning_rate and rates[2] == pytest.approx(0, abs=1e-12)
