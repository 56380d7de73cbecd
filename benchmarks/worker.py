"""One row of the benchmark in a process of its own: `python -m benchmarks.worker MODEL ROW`.

A process a row, because the allocator's setting belongs to the process. Reads a number of steps a line, answers
`{"ms": milliseconds a step}`; the first answer is `{"parameters": n, "loss": x, "errors": {...}}` or `{"error": "..."}`.
"""

import argparse
import contextlib
import fcntl
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.problems import Setting

KEPT = '_kept'  # suffix of rows whose process keeps memory as jaxlab does


@contextlib.contextmanager
def turn(file: Path | None) -> Iterator[None]:
    """Until no other process is inside with the same file: on an accelerator XLA times kernels while it compiles."""
    if file is None:
        yield
        return
    with open(file, 'a') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.worker')
    parser.add_argument('model')
    parser.add_argument('row')
    parser.add_argument('--accelerator', action='store_true', help='on the first accelerator')
    parser.add_argument('--float32', action='store_true', help='no TF32 in float32 products')
    parser.add_argument('--tiny', action='store_true', help='a batch of four')
    parser.add_argument('--turn', type=Path, metavar='FILE', help='JAX rows that name the same file compile one by one')
    return parser.parse_args()


def main() -> None:
    """Builds the row, takes its first steps (compilation), then serves."""
    options = arguments()
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # whatever else is printed goes to stderr

    def answer(**content: object) -> None:
        answers.write(json.dumps(content) + '\n')
        answers.flush()

    name, row, setting = options.model, options.row, Setting(options.accelerator, not options.float32, options.tiny)
    try:
        from jaxlab.allocator import keep_memory

        if row.endswith(KEPT) or row.startswith(('jaxlab', 'flax')):
            keep_memory()
        if row.startswith('torch'):
            from benchmarks import rows_torch as rows
        else:
            from benchmarks import rows_jax as rows
        rows.prepare(setting)
        with turn(None if row.startswith('torch') else options.turn):
            run, parameters = rows.build(name, row.removesuffix(KEPT), setting)
            loss = run(3)
            if not math.isfinite(loss):
                raise FloatingPointError(f'loss is {loss} after three steps')
            errors = rows.errors(setting)
    except Exception as error:  # a peer that cannot run is a note in the table, not the end of the run
        answer(
            error=f'{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ""}'[:300]
        )
        return
    answer(parameters=parameters, loss=loss, errors=errors)
    for line in sys.stdin:
        steps = int(line)
        start = time.perf_counter()
        run(steps)  # gives a number, so everything before it has been computed
        answer(ms=(time.perf_counter() - start) * 1e3 / steps)


if __name__ == '__main__':
    main()
