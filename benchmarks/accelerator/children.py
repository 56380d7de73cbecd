"""Processes that compute one thing and answer in one line of JSON."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from benchmarks.rounds import ROOT


@dataclass
class Child:
    """A running process and what it wrote."""

    process: subprocess.Popen
    output: IO[bytes]
    log: IO[bytes]

    def answer(self, seconds: float) -> dict[str, Any]:
        """What it found, or `{'error': one line}`; a process that takes longer is ended."""
        try:
            self.process.wait(timeout=max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=20)
            return {'error': f'no answer within {seconds:.0f} s'}
        lines = [_lines(file) for file in (self.output, self.log)]
        if self.process.returncode == 0 and lines[0]:
            return json.loads(lines[0][-1])
        last = lines[1][-1] if lines[1] else f'exit code {self.process.returncode}'
        return {'error': last[:300]}


def _lines(file: IO[bytes]) -> list[str]:
    file.seek(0)
    found = [line.strip() for line in file.read().decode(errors='replace').splitlines() if line.strip()]
    file.close()
    return found


def start(module: str, *words: str, environment: Mapping[str, str] | None = None) -> Child:
    """`python -m MODULE WORDS` in the checkout; its output goes to files, so that no pipe can fill up."""
    output, log = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 (live as long as the process)
    process = subprocess.Popen(
        [sys.executable, '-m', module, *words],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=log,
    )
    return Child(process, output, log)


def serve(function: Callable[[], Mapping[str, Any]]) -> None:
    """The other side: computes and prints; an error becomes its one line."""
    with contextlib.redirect_stdout(sys.stderr):  # whatever else is printed is no answer
        try:
            found: Mapping[str, Any] = function()
        except Exception as error:
            words = str(error).strip().splitlines() or ['']
            found = {'error': f'{type(error).__name__}: {words[0]}'[:300]}
    print(json.dumps(found), flush=True)
