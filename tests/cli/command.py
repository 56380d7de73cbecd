"""The real command line as a program of its own, with time limits."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TINY = '''"""A small classifier whose training takes a few seconds."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    config = common.experiment('tiny', task='classification', data='mnist', model='mlp')
    config.aim = 'Does a training survive?'
    config.data.update({'source': 'embedded', 'limit': 510, 'eval_limit': 100, 'batch_size': 8, 'validation_fraction': 0.1})
    config.model.update({'features': (64,), 'batch_norm': True, 'dropout': 0.2})
    config.optimizer = common.sgd(0.02, 0.9)
    config.training.epochs = 12
    config.report.examples = 4
    return common.with_profile(config, profile, smoke={'training.epochs': 1, 'data.limit': 64})
'''


def environment(**more: str) -> dict[str, str]:
    """The machine as it is, without its data, with a cache of its own for compiled programs."""
    inherited = {name: value for name, value in os.environ.items() if name != 'JAXLAB_DATA_DIR'}
    return {**inherited, 'JAXLAB_CACHE_DIR': str(ROOT / '.cache' / 'tests'), 'JAX_PLATFORMS': 'cpu', **more}


def start(*words: str, env: Mapping[str, str] | None = None, under: tuple[str, ...] = ()) -> subprocess.Popen:
    """A running `python -m launch ...`; `under`: a command that starts it."""
    pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    command = [*under, sys.executable, '-m', 'launch', *words]
    return subprocess.Popen(command, cwd=ROOT, env=dict(env or environment()), **pipes)


def program(module: str, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen:
    """A running `python -m MODULE ...` of the tests' own."""
    pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    return subprocess.Popen([sys.executable, '-m', module, *words], cwd=ROOT, env=dict(env or environment()), **pipes)


def start_in(folder: Path, *words: str) -> subprocess.Popen:
    """The same, from another folder (the project is found as an installed package is)."""
    env = environment(PYTHONPATH=str(ROOT))
    pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    return subprocess.Popen([sys.executable, '-m', 'launch', *words], cwd=folder, env=env, **pipes)


def finish(process: subprocess.Popen, seconds: float = 120) -> tuple[int, str, str]:
    """(exit code, stdout, stderr); ends it where it takes too long, which fails the test."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f'still running after {seconds:g} s: {err[-2000:]}') from None
    return process.returncode, out, err


def run(*words: str, **options: Any) -> tuple[int, str, str]:
    """Runs to the end."""
    return finish(start(*words, **options))


def wait_until(condition: Callable[[], bool], process: subprocess.Popen, seconds: float = 120) -> None:
    """Until it holds or the program ends."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None and not condition():
        time.sleep(0.01)


def epochs_done(workdir: Path) -> int:
    """Lines of metrics.jsonl."""
    path = workdir / 'metrics.jsonl'
    return len(path.read_text().splitlines()) if path.is_file() else 0


def results(workdir: Path) -> dict[str, Any]:
    """results.json."""
    return json.loads((workdir / 'results.json').read_text())


def tiny_config(folder: Path, text: str = TINY) -> str:
    """`--config=...` of a config file written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'tiny.py').write_text(text)
    return f'--config={folder / "tiny.py"}'
