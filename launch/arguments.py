"""The command line as plain data. Imports nothing heavy."""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from jaxlab.errors import UserError, closest
from jaxlab.modes import Mode

MODES = ('train', 'eval', 'describe', 'help')  # of every experiment; its task may have more
USAGE = """python -m launch --config=FILE[:profile] [--config.a.b=value ...] [options]
       python -m launch --list"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f'{message}; python -m launch --help shows what is valid')


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What was asked for. overrides: the `--config.a.b=value` arguments as they stand; rest: those of a mode."""

    options: argparse.Namespace
    overrides: tuple[str, ...]
    rest: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.options, name)


def parser() -> argparse.ArgumentParser:
    """The parser of all command-line options except `--config.PATH=VALUE`."""
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
    result.add_argument(
        '--new', metavar='NAME', help='looks at --data_dir (pictures or a CSV file), writes NAME.py for it'
    )
    result.add_argument('--export', metavar='FILE.zip', help='the trained network, a card and predict.py, for others')
    result.add_argument('--list', action='store_true', help='every experiment with its question, data, published value')
    result.add_argument(
        '--mode',
        default='train',
        help='train (default), eval, describe; help lists those of the experiment and their options',
    )
    result.add_argument('--workdir', help='where the run is kept (default runs/NAME)')
    result.add_argument(
        '--variants', metavar='NAME,NAME', help='only these of the variants, the first as the reference'
    )
    result.add_argument('--data_dir', help='where real data lies (default: environment variable JAXLAB_DATA_DIR)')
    result.add_argument('--fresh', action='store_true', help='start again in an empty sibling of the workdir')
    result.add_argument('--allow_config_change', action='store_true', help='go on from a checkpoint of another config')
    result.add_argument('--download', action='store_true', help='prepare the data set with TensorFlow Datasets first')
    result.add_argument('--deterministic', action='store_true', help='deterministic operations on a GPU (slower)')
    result.add_argument(
        '--join_seconds',
        type=float,
        default=300.0,
        metavar='N',
        help='how long hosts that have come wait for the others',
    )
    result.add_argument(
        '--hang_seconds',
        type=float,
        metavar='N',
        help='without an update for so long, say where the program stands and end (default: 900 on several hosts; 0: never)',
    )
    result.add_argument('--json', action='store_true', help='the result as one JSON object on stdout, logs on stderr')
    return result


def parse(words: Sequence[str]) -> Arguments:
    """Splits overrides from options; raises UserError for anything unknown."""
    overrides = tuple(word for word in words if word.startswith('--config.'))
    known = parser()
    options, rest = known.parse_known_args([word for word in words if not word.startswith('--config.')])
    if not options.list and not options.config and options.new is None:
        raise UserError('--config=FILE is missing; valid: --config=configs/NAME.py, or --list to see all')
    for name in ('workdir', 'data_dir', 'variants', 'new', 'export'):
        if getattr(options, name) == '':
            raise UserError(f'--{name}= is empty; valid: --{name}=VALUE, or leave it out')
    if options.new and (overrides or options.config or options.workdir or options.export or options.mode != 'train'):
        raise UserError('--new=NAME takes --data_dir=PLACE and nothing else; valid: change what it writes, NAME.py')
    if rest and (options.list or options.new or options.mode in MODES):
        raise unknown(rest[0])
    return Arguments(options, overrides, tuple(rest))


def unknown(word: str, more: Sequence[str] = ()) -> UserError:
    """An argument that there is not. more: further names that would be valid."""
    flags = [flag for action in parser()._actions for flag in action.option_strings]
    return UserError(f'unknown argument {word}; {closest(word.partition("=")[0], [*flags, *more])}')


def of_a_mode(asked: Arguments, modes: Mapping[str, Mode]) -> dict[str, Any]:
    """The options of the mode that was asked for, out of what the rest of the command line says."""
    if asked.mode not in modes:
        raise UserError(f'unknown --mode={asked.mode} of this experiment; {closest(asked.mode, [*MODES, *modes])}')
    mode, given, rest = modes[asked.mode], {}, list(asked.rest)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition('=')
        if not equals and rest:  # `--input FILE`
            equals, value = '=', rest.pop(0)
        if not name.startswith('--') or not name[2:] or name[2:] not in mode.options:
            raise unknown(word, [f'--{option}' for option in mode.options])
        if not equals or not value:
            raise UserError(f'{name} has no value; valid: {name}=VALUE')
        if name[2:] in given:
            raise UserError(f'{name} is given twice; valid: once (texts may have several lines)')
        given[name[2:]] = value
    return mode.read(asked.mode, given)


def modes_in_words(name: str, modes: Mapping[str, Mode]) -> list[str]:
    """What `--mode=help` prints."""
    rows = [
        'train      trains, or goes on, and writes the report (the default)',
        'eval       evaluates the newest checkpoint and draws the report anew',
        'describe   model table, data, steps, memory and operations; trains nothing',
    ]
    for mode, what in modes.items():
        rows.append(f'{mode:10} {what.meaning}')
        for option, how in what.options.items():
            default = ' (needed)' if how.default is None else f' (default {how.default})' if how.default != '' else ''
            rows.append(f'             --{option}=... {how.meaning}{default}')
    return [f'modes of {name}:', *(f'  {row}' for row in rows)]
