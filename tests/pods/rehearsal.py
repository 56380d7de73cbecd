"""A rehearsal that is disturbed: `python -m tests.pods.rehearsal --processes=8 --kills=100 -- --config=... --workdir=...`.

Processes of `launch.pods local`, drawn at random, are killed at random moments; what comes out must be the bits of an
undisturbed run.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cli import command


def start(processes: int, *words: str, restarts: int = 10, output: int = subprocess.DEVNULL) -> subprocess.Popen:
    """The supervisor, as a program of its own."""
    line = [sys.executable, '-m', 'launch.pods', 'local', f'--processes={processes}', f'--restarts={restarts}', *words]
    return subprocess.Popen(line, cwd=command.ROOT, env=command.environment(), stdout=output, stderr=output, text=True)


def hosts(supervisor: subprocess.Popen) -> list[int]:
    """The processes that play hosts now."""
    try:
        return [
            int(word) for word in Path(f'/proc/{supervisor.pid}/task/{supervisor.pid}/children').read_text().split()
        ]
    except OSError:
        return []


def kill_one(supervisor: subprocess.Popen, chance: random.Random) -> None:
    """One that is drawn."""
    os.kill(chance.choice(hosts(supervisor)), signal.SIGKILL)


def wait_for_another_start(supervisor: subprocess.Popen, before: list[int], seconds: float = 120) -> None:
    """Until none of those processes is left and others took their place."""
    command.wait_until(
        lambda: bool(hosts(supervisor)) and not set(hosts(supervisor)) & set(before), supervisor, seconds
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--processes', type=int, default=8)
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--within', type=float, default=60.0, help='seconds after a start in which one is killed')
    parser.add_argument('words', nargs='*')
    asked = parser.parse_args()
    chance, done = random.Random(asked.kills), 0
    supervisor = start(asked.processes, *asked.words, restarts=asked.kills, output=sys.stderr.fileno())
    while done < asked.kills and supervisor.poll() is None:
        time.sleep(chance.uniform(0, asked.within))
        before = hosts(supervisor)
        if supervisor.poll() is not None or not before:
            break
        kill_one(supervisor, chance)
        done += 1
        wait_for_another_start(supervisor, before)
    print(f'{done} kills, exit code {supervisor.wait()}')
    return supervisor.returncode


if __name__ == '__main__':
    sys.exit(main())
