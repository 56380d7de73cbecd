"""One row of the benchmark in a process of its own: `python -m benchmarks.worker MODEL ROW`.

A process a row, because the allocator's setting belongs to the process. Reads a number of steps a line, answers
`{"ms": milliseconds a step}`; the first answer is `{"parameters": n, "loss": x}` or `{"error": "..."}`.
"""

import json
import math
import os
import sys
import time

KEPT = '_kept'  # suffix of rows whose process keeps memory as jaxlab does


def main() -> None:
    """Builds the row, takes its first steps (compilation), then serves."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # whatever else is printed goes to stderr

    def answer(**content: object) -> None:
        answers.write(json.dumps(content) + '\n')
        answers.flush()

    name, row = sys.argv[1:]
    try:
        from jaxlab.allocator import keep_memory

        if row.endswith(KEPT) or row.startswith(('jaxlab', 'flax')):
            keep_memory()
        if row.startswith('torch'):
            from benchmarks import rows_torch as rows
        else:
            from benchmarks import rows_jax as rows
        run, parameters = rows.build(name, row.removesuffix(KEPT))
        loss = run(3)
        if not math.isfinite(loss):
            raise FloatingPointError(f'loss is {loss} after three steps')
    except Exception as error:  # a peer that cannot run is a note in the table, not the end of the run
        answer(
            error=f'{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ""}'[:300]
        )
        return
    answer(parameters=parameters, loss=loss)
    for line in sys.stdin:
        steps = int(line)
        start = time.perf_counter()
        run(steps)
        answer(ms=(time.perf_counter() - start) * 1e3 / steps)


if __name__ == '__main__':
    main()
