"""A terminal that asks for examples line by line, and answers, until Ctrl-D."""

from pathlib import Path
from typing import Any

from jaxlab.experiments import many, use


def show(asked: Any, prepared: Any, workdir: Path, watcher: Any, mode: Any) -> bool:
    """Whether there was anything to ask: a mode that answers lines, of a network whose examples can be typed."""
    prepared, workdir = many.reference(prepared, workdir)
    answer = use.asked(prepared, workdir, watcher, mode, asked.allow_config_change)
    if answer is None:
        return False
    print('one example a line; Ctrl-D ends')
    while True:
        try:
            line = input('> ')
        except (EOFError, KeyboardInterrupt):
            print()
            return True
        for said in answer(line):
            print(said)
