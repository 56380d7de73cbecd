"""Executes notebooks from top to bottom without changing them: `python notebooks/execute.py [NAME.ipynb ...]`.

Each runs in its own folder and kernel, as in Jupyter, two side by side. Exit code 1 when a cell fails.
"""

import concurrent.futures
import os
import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

FOLDER = pathlib.Path(__file__).resolve().parent
SECONDS_A_CELL = 600
SIDE_BY_SIDE = 2
LONGEST = 'generative.ipynb'  # begun first: the others find their place beside it


def execute(path: pathlib.Path) -> tuple[str, float]:
    """What went wrong ('' when nothing did), and the seconds that it took."""
    start = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    resources = {'metadata': {'path': str(path.parent)}}
    client = NotebookClient(notebook, timeout=SECONDS_A_CELL, kernel_name='python3', resources=resources)
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return str(error), time.perf_counter() - start
    return '', time.perf_counter() - start


def main() -> int:
    # Shell lines (`!python -m launch ...`) find the Python that runs this file.
    os.environ['PATH'] = str(pathlib.Path(sys.executable).parent) + os.pathsep + os.environ.get('PATH', '')
    every = sorted(FOLDER.glob('*.ipynb'), key=lambda path: (path.name != LONGEST, path))
    paths = [pathlib.Path(name).resolve() for name in sys.argv[1:]] or every
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for path, (wrong, seconds) in zip(paths, pool.map(execute, paths), strict=True):
            failed += bool(wrong)
            print(f'{"FAILED" if wrong else "passed"} {seconds:6.1f} s  {path.name}', flush=True)
            if wrong:
                print(wrong)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
