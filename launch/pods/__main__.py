"""python -m launch.pods PLACE --config=...: one experiment on several machines, or its rehearsal on this one."""

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from jaxlab.errors import UserError, closest, lookup
from launch.pods import gke, local, sky, slurm, tpu_vm
from launch.pods.plan import MISTAKE, Job, in_words, job_name, perform

PLACES: Mapping[str, ModuleType] = {'tpu_vm': tpu_vm, 'gke': gke, 'sky': sky, 'slurm': slurm, 'local': local}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f'{message}; python -m launch.pods PLACE --help shows what is valid')


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    try:
        if not words or words[0].startswith('-'):
            raise UserError(f'which place? valid: python -m launch.pods {"|".join(PLACES)} --config=FILE ...')
        place = lookup(PLACES, words[0], 'place')
        given, rest = _parser(words[0], place).parse_known_args(words[1:])
        job = _job(given, rest)
        settings = _settings(place, given)
        if place is local:
            return _rehearse(job, settings, given.dry_run)
        plan = place.plan(job, settings)
        if given.dry_run:
            print('\n'.join(in_words(plan)))
            return 0
        return perform(plan)
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        return MISTAKE


def _rehearse(job: Job, settings: Any, dry: bool) -> int:
    if dry:
        print('\n'.join(local.dry_run(job, settings)))
        return 0
    return local.run(job, settings, lambda line: print(line, file=sys.stderr))


def _parser(name: str, place: ModuleType) -> argparse.ArgumentParser:
    result = _Parser(
        prog=f'python -m launch.pods {name}',
        allow_abbrev=False,
        description=(place.__doc__ or '') + ' All other arguments go to python -m launch.',
        epilog=place.Settings.__doc__,
    )
    result.add_argument('--name', default='', help="the job's name (default: the experiment's)")
    result.add_argument('--settings', metavar='FILE', help='a YAML file with any of the fields below')
    result.add_argument('--dry_run', action='store_true', help='print every file and command, do nothing')
    for field in dataclasses.fields(place.Settings):
        kind = (
            {'action': argparse.BooleanOptionalAction}
            if isinstance(field.default, bool)
            else {'type': type(field.default)}
        )
        result.add_argument(f'--{field.name}', default=None, help=f'default {field.default!r}', **kind)  # type: ignore[arg-type]
    return result


def _job(given: argparse.Namespace, rest: Sequence[str]) -> Job:
    config = next((word.partition('=')[2] for word in rest if word.startswith('--config=')), '')
    if not config:
        raise UserError('--config=FILE is missing; valid: --config=configs/NAME.py')
    return Job(job_name(config, given.name), tuple(rest))


def _settings(place: ModuleType, given: argparse.Namespace) -> Any:
    """The file's fields, beaten by the flags."""
    fields = {field.name: field for field in dataclasses.fields(place.Settings)}
    found = _read(Path(given.settings), fields) if given.settings else {}
    found |= {name: getattr(given, name) for name in fields if getattr(given, name) is not None}
    return place.Settings(**found)


def _read(path: Path, fields: Mapping[str, Any]) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UserError(
            f'--settings={path} cannot be read ({" ".join(str(error).split())}); valid: a YAML file'
        ) from error
    if not isinstance(found, dict):
        raise UserError(f'--settings={path} holds no fields; valid: lines such as zone: us-central2-b')
    for name, value in found.items():
        if name not in fields:
            raise UserError(f'--settings={path}: unknown field {name!r}; {closest(name, fields)}')
        if type(value) is not type(fields[name].default):
            raise UserError(f'--settings={path}: {name} = {value!r}; valid: {type(fields[name].default).__name__}')
    return found


if __name__ == '__main__':
    sys.exit(main())
