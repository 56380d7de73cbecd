"""`config.tuning`: trial trainings on the validation split choose a field; `--variants` picks some of the variants."""

import json

from tests.cli import command

SETTINGS = "'overrides': {'training.epochs': 2, 'data.validation_fraction': 0.2}"
TUNED = command.TINY.replace(
    '    config.training.epochs = 30\n',
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
