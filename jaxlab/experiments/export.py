"""`--export=model.zip`: a trained network to be given away, with all that predicting needs and a card that says what it is."""

import json
import zipfile
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from jaxlab.experiments.front import open_run
from jaxlab.experiments.use import WEIGHTS
from jaxlab.files import write_atomically
from jaxlab.tasks.names import modes_of

PRIVATE = ('command', 'config_rows', 'device', 'commit')  # of results.json: what stays with whoever trained
SHOWN = 12  # metrics of a card
PREDICT = '''"""Says what the network in this folder makes of your own examples: python predict.py FILE_OR_FOLDER

Needs Python 3.12, jax, flax, numpy, pillow and the package `jaxlab`. An image, a folder of images, the rows of a CSV file, or
texts line by line, as README.md beside this file says. One line of JSON an example; pictures go to the folder where you are.
"""

import json
import sys
from pathlib import Path

import jaxlab
from jaxlab.data.images import write_png
from jaxlab.errors import UserError

MODE = 'predict'


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        done = jaxlab.open_run(Path(__file__).resolve().parent).mode(MODE, input=sys.argv[1])
        for row in next(list(facts) for facts in done.facts.values() if isinstance(facts, list | tuple)):
            row.pop('drawn', None)
            print(json.dumps(row, ensure_ascii=False))
        for name, image in done.images.items():
            write_png(Path(f'{name}.png'), image)
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)


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
    modes = modes_of(run.config)
    mode = next((name for name, mode in modes.items() if 'input' in mode.options), '')
    use = 'python predict.py FILE_OR_FOLDER' if mode else f"jaxlab.open_run(FOLDER).mode('{next(iter(modes), '')}')"
    files = {
        'README.md': card(results, (folder / 'data.json').read_text(), use),
        **({'predict.py': PREDICT.replace("'predict'", repr(mode))} if mode else {}),
        'config.json': (folder / 'config.json').read_text(),
        'data.json': (folder / 'data.json').read_text(),
        'results.json': json.dumps(results),
    }
    with write_atomically(target) as stream, zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(WEIGHTS, run.weights())
    return [f'Written: {target} ({target.stat().st_size:,} bytes) with {", ".join((*files, WEIGHTS))}.']


def card(results: dict[str, Any], description: str, use: str) -> str:
    """What it was trained on, how good it is, what it must not be used for, how it is used; Markdown."""
    data, metrics = results['data'], results['metrics']
    names = _names(json.loads(description)['features'])
    tested = [name for name in metrics if name.startswith('test_')]
    shown = tested or list(metrics)
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
    lines += ['', f'**How good**, on examples that it {"never saw" if tested else "was trained on"}:', '']
    lines += [
        f'- {name.removeprefix("test_").replace("_", " ")}: {metrics[name]["mean"]:.4g}' for name in shown[:SHOWN]
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
        f'Use: `{use}`.',
    ]
    return '\n'.join(lines) + '\n'


def _names(features: dict[str, Any]) -> list[str]:
    return next((list(one['names']) for one in features.values() if isinstance(one.get('names'), list)), [])
