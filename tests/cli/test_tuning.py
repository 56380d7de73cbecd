"""`config.tuning`: trial trainings on the validation split choose a field; `--variants` picks some of the variants."""

import json

import pytest

from jaxlab.experiments import config as configs
from jaxlab.experiments.prepare import prepare, variant
from jaxlab.experiments.tuning import Tuning
from tests.cli import command
from tests.training import lab

SETTINGS = "'overrides': {'training.epochs': 2, 'data.validation_fraction': 0.2}"
TUNED = command.TINY.replace(
    '    config.training.epochs = 12\n',
    f"""    config.training.epochs = 2
    config.data.validation_fraction = 0.0
    config.tuning = {{
        'field': 'optimizer.learning_rate', 'values': (1e-5, 0.05, 1e9), 'metric': 'validation_accuracy', {SETTINGS},
    }}
    config.variants = {{'tuned': {{}}, 'fixed': {{'tuning': {{}}}}, 'adam': {{'tuning.values': (0.01,),
                        'optimizer': common.adam(1e-3)}}}}
""",
)


def test_the_best_rate_is_chosen_and_remembered(launch, tmp_path):
    config = command.tiny_config(tmp_path, TUNED)
    workdir = tmp_path / 'run'
    said = launch(config, f'--workdir={workdir}', '--variants=tuned,fixed')
    assert said.code == 0, said.err
    kept = json.loads((workdir / 'variants' / 'tuned' / 'tuning.json').read_text())
    reached = dict(map(tuple, kept['trials']))
    assert reached[0.05] > reached[1e-5] and set(reached) == {1e-5, 0.05, 1e9}
    ran = {name: command.results(workdir / 'variants' / name) for name in ('tuned', 'fixed')}
    assert ran['tuned']['tuning']['value'] == 0.05 and 'tuning' not in ran['fixed']
    rates = {name: _field(run, 'optimizer.learning_rate') for name, run in ran.items()}
    assert rates == {'tuned': [0.05, 'tuning'], 'fixed': [0.02, 'experiment']}
    # Trials hold a fifth of the examples back; the training that follows does not.
    assert set(ran['tuned']['data']['examples']) == {'train', 'test'}
    assert not (workdir / 'variants' / 'adam').exists()
    again = launch(config, f'--workdir={workdir}', '--variants=tuned', '--mode=eval', '--json')
    assert again.code == 0, again.err
    assert again.json()['params_digest'] == ran['tuned']['params_digest']


def _field(results, name):
    return next([value, chooser] for field, value, chooser in results['config_rows'] if field == name)


def test_what_the_user_sets_is_not_tuned(launch, tmp_path):
    config = command.tiny_config(tmp_path, TUNED)
    rate = '--config.optimizer.learning_rate=0.03'
    said = launch(config, f'--workdir={tmp_path / "run"}', '--variants=tuned,adam', rate)
    assert said.code == 0, said.err
    assert not list((tmp_path / 'run').rglob('tuning*'))
    # The variant replaces the whole block of the optimizer; the user's rate stays in it.
    ran = command.results(tmp_path / 'run' / 'variants' / 'adam')
    shown = {name: _field(ran, f'optimizer.{name}') for name in ('name', 'learning_rate')}
    assert shown == {'name': ['adam', 'variant adam'], 'learning_rate': [0.03, 'command line']}
    assert ran['variant'] == 'adam'
    assert ': adam</h1>' in (tmp_path / 'run' / 'variants' / 'adam' / 'report.html').read_text()
    # What one of them does not know is said before the first is trained.
    said = launch(config, f'--workdir={tmp_path / "other"}', '--config.optimizer.momentum=0.5')
    assert said.code == 2 and "config.optimizer.momentum is unknown to 'adam'" in said.error
    assert not list((tmp_path / 'other').rglob('checkpoints'))


def test_an_option_of_a_variant_alone_can_be_set(launch, tmp_path):
    """Of its model, which the experiment beside it has not: only what is trained must know it."""
    text = TUNED.replace("'adam': {", "'narrow': {'model': {'name': 'mlp', 'features': (4,)}}, 'adam': {")
    text = text.replace("model='mlp')", "model='lenet')")
    text = text.replace("    config.model.update({'features': (64,), 'batch_norm': True, 'dropout': 0.2})\n", '')
    assert text.count('features') == 1, text
    config = command.tiny_config(tmp_path, text)
    width, rate = '--config.model.features=(3,)', '--config.optimizer.learning_rate=0.03'
    said = launch(config, f'--workdir={tmp_path / "run"}', '--variants=narrow', width, rate)
    assert said.code == 0, said.err
    ran = command.results(tmp_path / 'run' / 'variants' / 'narrow')
    assert _field(ran, 'model.features') == ['[3]', 'command line'] and _field(ran, 'model.name')[0] == 'mlp'
    said = launch(config, f'--workdir={tmp_path / "other"}', width, rate)
    assert said.code == 2 and 'config.model.features' in said.error and 'lenet' in said.error


@pytest.mark.parametrize('who', [configs.COMMAND_LINE, 'stand-in data'])
def test_a_variant_does_not_undo_what_was_chosen(who, tmp_path):
    """A field that the user set keeps its value in every variant, and its origin; the variant's other fields hold."""
    config = lab.small(variants={'plain': {}, 'bold': {'optimizer.learning_rate': 0.5, 'training.epochs': 7}})
    free = prepare(config)
    bold, folder = variant(free, tmp_path, 'bold')
    assert (bold.config.optimizer.learning_rate, bold.config.training.epochs) == (0.5, 7)
    assert bold.chosen['optimizer.learning_rate'] == 'variant bold' and folder == tmp_path / 'variants' / 'bold'
    mine = prepare(
        configs.apply(config, {'optimizer.learning_rate': 0.03}, who), chosen={'optimizer.learning_rate': who}
    )
    for name, epochs in (('plain', 2), ('bold', 7)):
        one, _ = variant(mine, tmp_path, name)
        assert (one.config.optimizer.learning_rate, one.config.training.epochs) == (0.03, epochs)
        assert one.chosen['optimizer.learning_rate'] == who and one.variant == name


TRIALS = [(0.1, 0.7), (0.2, 0.3), (0.3, None), (0.4, 0.9), (0.5, 0.3), (0.6, 0.9)]


@pytest.mark.parametrize(('mode', 'best'), [('min', 0.2), ('max', 0.4), (None, 0.4)])
def test_the_mode_says_which_value_is_best(mode, best):
    """The smallest or the largest, the first of equal ones, never one that diverged; largest where nothing is said."""
    block = {'field': 'optimizer.learning_rate', 'metric': 'validation_loss'} | ({'mode': mode} if mode else {})
    found = Tuning.of(block, TRIALS)
    assert found.value == best
    assert {row[0]: row[2] for row in found.table().rows if row[2]} == {f'{best:g}': 'chosen'}
    assert [row[1] for row in found.table().rows] == [0.7, 0.3, 'diverged', 0.9, 0.3, 0.9]


def test_the_least_loss_is_chosen(launch, tmp_path):
    """Through the command line: by a loss, the mode is 'min'."""
    text = TUNED.replace("'metric': 'validation_accuracy'", "'metric': 'validation_loss', 'mode': 'min'")
    workdir = tmp_path / 'run'
    said = launch(command.tiny_config(tmp_path, text), f'--workdir={workdir}', '--variants=tuned')
    assert said.code == 0, said.err
    reached = dict(json.loads((workdir / 'variants' / 'tuned' / 'tuning.json').read_text())['trials'])
    assert reached[0.05] < reached[1e-5]
    assert command.results(workdir / 'variants' / 'tuned')['tuning']['value'] == 0.05


def test_named_variants_stay_on_stand_in_data(launch, tmp_path):
    """A config may cut its variants down for stand-in data; those that the user names are run and described."""
    text = command.TINY.replace(
        '    config.report.examples = 4\n',
        """    config.variants = {'small': {'model.features': (4,)}, 'large': {'model.features': (9,)}}
    config.stand_in = {'variants': {'small': {'model.features': (4,)}}}
""",
    )
    config = command.tiny_config(tmp_path, text)
    where = f'--workdir={tmp_path / "run"}'
    shown = {
        words: launch(config, where, '--mode=describe', '--json', *words.split()).json()['networks']['model'][0]
        for words in ('', '--variants=large')
    }
    assert [row['output_shape'] for row in shown.values()] == [[1, 4], [1, 9]]


def test_refusals(launch, tmp_path):
    config = command.tiny_config(tmp_path, TUNED)
    where = f'--workdir={tmp_path / "run"}'
    assert "did you mean 'tuned'?" in launch(config, where, '--variants=tund').error
    assert 'this experiment has none' in launch('--config=configs/feature_maps_cifar10.py', where, '--variants=a').error
    assert 'field, values, metric' in launch(config, where, "--config.tuning={'values': (1,)}").error
    assert 'is not measured' in launch(config, where, '--variants=tuned', '--config.tuning.metric=validation_f1').error
    unknown = launch(config, where, '--config.tuning.field=optimizer.learningrate', '--variants=tuned')
    assert 'learningrate' in unknown.error
