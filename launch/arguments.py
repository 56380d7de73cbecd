"""The command line as plain data. Imports nothing heavy."""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any, NoReturn

from jaxlab.errors import UserError, closest

MODES = ('train', 'eval', 'sample', 'predict', 'describe')
USAGE = """python -m launch --config=FILE[:profile] [--config.a.b=value ...] [options]
       python -m launch --list"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f'{message}; python -m launch --help shows what is valid')


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What was asked for. overrides: the `--config.a.b=value` arguments as they stand."""

    options: argparse.Namespace
    overrides: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.options, name)


def parser() -> argparse.ArgumentParser:
    """All options but the overrides."""
    result = _Parser(
        prog='python -m launch',
        usage=USAGE,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description='Runs an experiment: trains (or goes on), evaluates, writes a report.',
        epilog='Any field of the config may be overridden: --config.training.epochs=3 --config.replicas=5.\n'
        'A finished or interrupted run in the same --workdir is resumed.',
    )
    result.add_argument('--config', metavar='FILE[:smoke]', help='experiment: a file or a name of --list')
    result.add_argument('--list', action='store_true', help='every experiment with its question, data, published value')
    result.add_argument('--mode', default='train', help=f'one of {", ".join(MODES)} (default train)')
    result.add_argument('--workdir', help='where the run is kept (default runs/NAME)')
    result.add_argument(
        '--variants', metavar='NAME,NAME', help='only these of the variants, the first as the reference'
    )
    result.add_argument('--data_dir', help='where real data lies (default: environment variable JAXLAB_DATA_DIR)')
    result.add_argument('--fresh', action='store_true', help='start again in an empty sibling of the workdir')
    result.add_argument('--allow_config_change', action='store_true', help='go on from a checkpoint of another config')
    result.add_argument('--download', action='store_true', help='prepare the data set with TensorFlow Datasets first')
    result.add_argument('--input', help='--mode=predict: an image, a folder or a CSV file')
    result.add_argument('--count', type=int, default=64, help='--mode=sample: how many (default 64)')
    result.add_argument('--seed', type=int, default=0, help='--mode=sample: which ones (default 0)')
    result.add_argument('--deterministic', action='store_true', help='deterministic operations on a GPU (slower)')
    result.add_argument('--json', action='store_true', help='the result as one JSON object on stdout, logs on stderr')
    return result


def parse(words: Sequence[str]) -> Arguments:
    """Splits overrides from options; raises UserError for anything unknown."""
    overrides = tuple(word for word in words if word.startswith('--config.'))
    known = parser()
    options, rest = known.parse_known_args([word for word in words if not word.startswith('--config.')])
    if rest:
        flags = [flag for action in known._actions for flag in action.option_strings]
        name = rest[0].partition('=')[0]
        raise UserError(f'unknown argument {rest[0]}; {closest(name, flags)}')
    if options.mode not in MODES:
        raise UserError(f'unknown --mode={options.mode}; {closest(options.mode, MODES)}')
    if not options.list and not options.config:
        raise UserError('--config=FILE is missing; valid: --config=configs/NAME.py, or --list to see all')
    for name in ('workdir', 'data_dir', 'input', 'variants'):
        if getattr(options, name) == '':
            raise UserError(f'--{name}= is empty; valid: --{name}=VALUE, or leave it out')
    if options.count < 1:
        raise UserError(f'--count={options.count}; valid: a whole number from 1 up')
    return Arguments(options, overrides)
