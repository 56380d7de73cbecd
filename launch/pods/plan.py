"""What a start consists of, as plain data: files to write and commands to run, each with what it leaves behind."""

import dataclasses
import hashlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jaxlab import files
from jaxlab.errors import UserError

MISTAKE, INTERRUPTED = 2, 130  # exit codes: do not start me again; Ctrl-C
TERMINATED = 143  # of a program that SIGTERM ended, once its checkpoint was written
# Of the coordinator: Google's automatic firewall rule opens it; 8482, jax's default since 0.8.1, it does not open.
PORT = 8476
NAME_LENGTH = 28  # the shortest limit of all places (gcluster)


@dataclasses.dataclass(frozen=True)
class Step:
    """command: a program and its arguments. creates: what then exists and costs money; remove: the command that ends it.

    for_now: it is removed at the end, whatever happened in between.
    """

    command: tuple[str, ...]
    creates: str = ''
    remove: tuple[str, ...] = ()
    for_now: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    """files: path -> text, written first. steps: in order."""

    steps: tuple[Step, ...]
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Job:
    """What is run on every host. name: letters, digits and hyphens. words: the arguments of `python -m launch`."""

    name: str
    words: tuple[str, ...]

    def command(self, **more: object) -> str:
        """As one line for a shell. The hosts find one another, and see in a bucket what another has just written there.

        more: further variables of the environment.
        """
        settings = {'JAXLAB_DISTRIBUTED': 1, 'FSSPEC_GCS': '{"use_listings_cache": false}', **more}
        words = [f'{name}={shlex.quote(str(value))}' for name, value in settings.items()]
        return ' '.join([*words, 'python', '-m', 'launch', shlex.join(self.words)])

    def check_workdir(self, place: str) -> None:
        """Refuses a folder on the disk of a machine that other hosts do not see and that is deleted in the end."""
        if not any(word.startswith('--workdir=gs://') for word in self.words):
            raise UserError(
                f'{place} needs --workdir=gs://BUCKET/PATH: its hosts share no disk, and theirs are deleted'
            )


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
        if step.creates:
            lines.append(f'# creates: {step.creates}; what removes it: {shlex.join(step.remove)}')
        lines.append(shlex.join(step.command))
    for step in _for_now(plan.steps):
        lines += ['# at the end, whatever happened', shlex.join(step.remove)]
    return lines


def perform(plan: Plan, say: Callable[[str], None] = print) -> int:
    """Writes the files and runs the steps; the exit code of the first that fails, or 0.

    Where a start fails half-way, what it may have made is named, with the command that removes it. A step that itself
    failed is never undone here: what it asked for may have been there before, and somebody else's.
    """
    for program in {step.command[0]: None for step in plan.steps}:
        if shutil.which(program) is None:
            raise UserError(f'{program} is not installed here; valid: install it, or --dry_run to see the commands')
    for path, text in plan.files.items():
        files.write_file(Path(path), text)
    begun: list[Step] = []
    made: list[Step] = []
    code = 0
    for step in plan.steps:
        begun.append(step)
        code = _run(step.command, say)
        if code:
            break
        made.append(step)
    removed = [step for step in _for_now(made) if _run(step.remove, say) == 0]
    for step in begun if code else _for_now(made):
        if step.creates and step not in removed:
            say(f'{step.creates} may exist; what removes it: {shlex.join(step.remove)}')
    return code


def _for_now(steps: Sequence[Step]) -> list[Step]:
    return [step for step in reversed(steps) if step.for_now]


def _run(command: Sequence[str], say: Callable[[str], None]) -> int:
    """The exit code; why it is not 0 is said."""
    say(f'+ {shlex.join(command)}')
    try:
        code = subprocess.run(command, stdout=sys.stderr).returncode
    except KeyboardInterrupt:
        return INTERRUPTED
    if code:
        say(f'error: {command[0]} ended with exit code {code}')
    return code if code >= 0 else 128 - code


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
