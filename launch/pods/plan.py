"""What a start consists of, as plain data: files to write and commands to run, each with what it leaves behind."""

import dataclasses
import hashlib
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jaxlab.errors import UserError

RESTART, MISTAKE = 42, 2  # exit codes: start me again; do not
PORT = (
    8476  # of the coordinator: Google's automatic firewall rule opens it, jax's default since 0.8.1 (8482) it does not
)
NAME_LENGTH = 28  # the shortest limit of all places (gcluster)


@dataclasses.dataclass(frozen=True)
class Step:
    """command: a program and its arguments. creates: what then exists and costs money; remove: the command that ends it."""

    command: tuple[str, ...]
    creates: str = ''
    remove: tuple[str, ...] = ()
    input: str = ''


@dataclasses.dataclass(frozen=True)
class Plan:
    """files: path -> text, written first. steps: in order. last: what is run at the end, whatever happened before."""

    steps: tuple[Step, ...]
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    last: tuple[Step, ...] = ()


@dataclasses.dataclass(frozen=True)
class Job:
    """What is run on every host. name: letters, digits and hyphens. words: the arguments of `python -m launch`."""

    name: str
    words: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What makes the hosts find one another, and what keeps every host's view of a bucket fresh."""
        return {'JAXLAB_DISTRIBUTED': '1', 'FSSPEC_GCS': '{"use_listings_cache": false}'}

    @property
    def command(self) -> str:
        """As one line for a shell."""
        settings = [f'{name}={shlex.quote(value)}' for name, value in self.environment.items()]
        return ' '.join([*settings, 'python', '-m', 'launch', shlex.join(self.words)])


def job_name(config: str, wanted: str = '') -> str:
    """A name that Kubernetes, gcluster and gcloud all take: lower case, hyphens for underscores, at most 28 characters.

    A longer one is cut and ends in four digits of its hash, so that two of them stay different.
    """
    name = re.sub(r'[^a-z0-9]+', '-', (wanted or Path(config.partition(':')[0]).stem).lower()).strip('-')
    if not name or not name[0].isalpha():
        raise UserError(f'--name={wanted!r}; valid: a name that begins with a letter')
    if len(name) <= NAME_LENGTH:
        return name
    return f'{name[: NAME_LENGTH - 5].rstrip("-")}-{hashlib.sha256(name.encode()).hexdigest()[:4]}'


def in_words(plan: Plan) -> list[str]:
    """What `--dry_run` prints: every file and every command, in the order in which they would come."""
    lines = []
    for path, text in plan.files.items():
        lines += [f'# file {path}', *text.rstrip('\n').split('\n'), '']
    for step in plan.steps:
        lines += [f'# creates {step.creates}; remove it with: {shlex.join(step.remove)}'] if step.creates else []
        lines.append(shlex.join(step.command))
    for step in plan.last:
        lines += ['# at the end, whatever happened', shlex.join(step.command)]
    return lines


def perform(plan: Plan, say: Callable[[str], None] = print) -> int:
    """Writes the files and runs the steps; the exit code of the first that fails, or 0.

    Where a start fails half-way, what it has made is named, with the command that removes it.
    """
    for path, text in plan.files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    left: list[Step] = []
    code = 0
    try:
        for step in plan.steps:
            say(f'+ {shlex.join(step.command)}')
            if step.creates:  # even a command that fails may have made some of it
                left.append(step)
            code = _run(step)
            if code:
                say(f'error: {step.command[0]} ended with exit code {code}')
                break
    finally:
        for step in plan.last:
            say(f'+ {shlex.join(step.command)}')
            removed = _run(step) == 0
            left = [one for one in left if not (removed and one.remove == step.command)]
    for step in left if code else ():
        say(f'{step.creates} may exist; remove it with: {shlex.join(step.remove)}')
    return code


def _run(step: Step) -> int:
    try:
        return subprocess.run(step.command, input=step.input or None, text=True, stdout=sys.stderr).returncode
    except FileNotFoundError as error:
        raise UserError(
            f'{step.command[0]} is not installed here; valid: install it, or --dry_run to see the commands'
        ) from error


def options(**values: object) -> tuple[str, ...]:
    """`options(zone='z', spot=True, num_slices=2)` -> ('--zone=z', '--spot', '--num-slices=2'); empty ones are left out."""
    found = []
    for name, value in values.items():
        flag = '--' + name.replace('_', '-')
        if value is True:
            found.append(flag)
        elif value not in (None, False, ''):
            found.append(f'{flag}={value}')
    return tuple(found)


def needed(settings: object, names: Sequence[str], place: str) -> None:
    """Refuses settings that lack what the place cannot do without."""
    missing = [name for name in names if not getattr(settings, name)]
    if missing:
        raise UserError(
            f'{place} needs --{missing[0]}; valid: --{missing[0]}=VALUE, or {missing[0]}: VALUE in --settings=FILE'
        )
