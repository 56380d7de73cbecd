"""`--export=model.zip`: a trained network to be given away, with all that predicting needs and a card that says what it is."""

import json
import zipfile
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from jaxlab.experiments.front import open_run
from jaxlab.experiments.use import WEIGHTS
from jaxlab.files import write_atomically

PRIVATE = ('command', 'config_rows', 'device', 'commit')  # of results.json: what stays with whoever trained
SHOWN = 12  # metrics of a card
PREDICT = '''"""Says what the network in this folder makes of your own examples: python predict.py FILE_OR_FOLDER

Needs Python 3.12, jax, flax, numpy, pillow and the package `jaxlab`. An image, a folder of images, the rows of a CSV file, or
texts line by line, as README.md beside this file says.
"""

import json
import sys
from pathlib import Path

import jaxlab


def main() -> None:
    """One line of JSON an example."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run = jaxlab.open_run(Path(__file__).resolve().parent)
    for row in run.predict(sys.argv[1]):
        print(json.dumps(row, ensure_ascii=False))


if __name__ == '__main__':
    main()
'''


def export(folder: Path, target: Path) -> list[str]:
    """Writes weights, decoder and class names (data.json), config, results, card and predict.py; returns what is to be said."""
    if target.suffix != '.zip':
        raise UserError(f'--export={target}; valid: a file that ends in .zip')
    run = open_run(folder)
    if not (folder / 'data.json').is_file():
        raise UserError(f'--export: {folder} keeps no description of its data; train again')
    results = {name: value for name, value in run.results.items() if name not in PRIVATE}
    files = {
        'README.md': card(results, (folder / 'data.json').read_text()),
        'predict.py': PREDICT,
        'config.json': (folder / 'config.json').read_text(),
        'data.json': (folder / 'data.json').read_text(),
        'results.json': json.dumps(results),
    }
    with write_atomically(target) as stream, zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(WEIGHTS, run.weights())
    return [f'Written: {target} ({target.stat().st_size:,} bytes) with {", ".join((*files, WEIGHTS))}.']


def card(results: dict[str, Any], description: str) -> str:
    """What it was trained on, how good it is, what it must not be used for; Markdown."""
    data, metrics = results['data'], results['metrics']
    names = _names(json.loads(description)['features'])
    tested = [name for name in metrics if name.startswith('test_')] or list(metrics)
    lines = [
        f'# {results["name"]}',
        '',
        results.get('aim', ''),
        '',
        f'**Trained on** {data["description"]} ({data["licence"]}): '
        + ', '.join(f'{count:,} examples for {part}' for part, count in data['examples'].items())
        + '.',
    ]
    lines += [f'**Classes**: {", ".join(names)}.'] if names else []
    lines += ['', '**How good**, on examples that it never saw:', '']
    lines += [
        f'- {name.removeprefix("test_").replace("_", " ")}: {metrics[name]["mean"]:.4g}' for name in tested[:SHOWN]
    ]
    lines += (
        ['', '**What was noted of the data**', '', *(f'- {note}' for note in data['notes'])] if data['notes'] else []
    )
    lines += [
        '',
        '**What it must not be used for**',
        '',
        '- Examples of another kind than those above: it always answers with what it knows, however sure it looks.',
        '- Decisions about people, their health, money or safety, without somebody who checks each of them.',
        *(f'- {limit}' for limit in results.get('limits') or ()),
        '',
        'Use: `python predict.py FILE_OR_FOLDER`.',
    ]
    return '\n'.join(lines) + '\n'


def _names(features: dict[str, Any]) -> list[str]:
    return next((list(one['names']) for one in features.values() if isinstance(one.get('names'), list)), [])
