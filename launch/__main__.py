"""python -m launch: one experiment from the command line."""

import contextlib
import io
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError
from jaxlab.experiments import config as configs
from jaxlab.files import absolute, path_of
from jaxlab.tasks.names import modes_of
from launch import arguments, catalogue, ends, progress


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit code. Internal bugs keep their traceback."""
    words, begun = list(sys.argv[1:] if words is None else words), time.time()
    for stream in (sys.stdout, sys.stderr):  # a terminal of ASCII shows '?' for what it cannot write
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='replace')
    try:
        asked = arguments.parse(words)
        if asked.list:
            rows = catalogue.experiments()
            _print_json(rows) if asked.json else catalogue.show(rows)
            return 0
        if asked.new:
            from jaxlab.experiments import new

            print('\n'.join(new.write(asked.new, asked.data_dir, Path.cwd())))
            return 0
        return _run(asked, words, begun)
    except Exception as error:
        refusal = ends.refusal(error)
        if not refusal:
            raise
        print(refusal, file=sys.stderr)
        return ends.USER


def _run(asked: arguments.Arguments, words: Sequence[str], begun: float) -> int:
    path, profile = configs.split_profile(asked.config)
    changes = configs.parse_overrides(asked.overrides)
    config, chosen = configs.of_file(path, profile, changes, configs.COMMAND_LINE)
    config = configs.only_variants(config, asked.variants)
    if asked.variants is not None:
        chosen['variants'] = configs.COMMAND_LINE
    modes = modes_of(config)
    if asked.mode == 'help':
        print('\n'.join(arguments.modes_in_words(config.name, modes)))
        return 0
    options = {} if asked.mode in arguments.MODES else arguments.of_a_mode(asked, modes)
    workdir = _workdir(asked, config)

    if asked.export:
        from jaxlab.experiments import export, many

        print('\n'.join(export.export(many.reference_folder(config, workdir), Path(asked.export))))
        return 0
    with contextlib.ExitStack() as around:
        around.enter_context(_stdout_kept_clean(asked.json))
        from jaxlab.training import runtime  # from here on jax is needed

        runtime.ask_for_devices(config.parallel)
        hosts = runtime.start(asked.deterministic, asked.join_seconds)
        around.enter_context(ends.together(hosts))
        from jaxlab.experiments import many, run_data
        from jaxlab.experiments.prepare import prepare
        from jaxlab.training.loop import Interrupted
        from launch import hang, paging, prompt
        from launch.progress import Watcher

        watcher = Watcher(title=config.name, follows=runtime.is_writer(), begun=begun)
        watcher.catch_signals()
        if asked.download:
            from jaxlab.data import prepare_tfds

            prepare_tfds(config.data.name, asked.data_dir)
        mode = modes.get(asked.mode)
        described = run_data.described(many.reference_folder(config, workdir)) if mode and not mode.needs_data else None
        reported = asked.mode in ('train', 'eval')
        command = 'python -m launch ' + shlex.join(words)
        prepared = prepare(config, asked.data_dir, chosen, command, described=described, reported=reported)
        if hosts is not None:
            hosts.same(ends.of_this_host(prepared, asked.mode, workdir))
        patience = asked.hang_seconds if asked.hang_seconds is not None else hang.SECONDS if hosts else 0
        around.enter_context(hang.watched(watcher, patience, hosts.number if hosts else 0))
        try:
            typed = mode is not None and not asked.rest and not asked.json and sys.stdin.isatty()
            if typed and prompt.show(asked, prepared, workdir, watcher, mode):
                return 0
            result = _act(asked, prepared, workdir, watcher, mode, options)
        except Interrupted as stop:
            watcher.close()
            print(str(stop), file=sys.stderr)
            return ends.INTERRUPTED + stop.signal
        except Exception as error:
            if not ends.compiler_was_stopped(error, watcher.signal):
                raise
            watcher.close()
            stopped = f'stopped by signal {watcher.signal} during a compilation'
            print(f'{stopped}; run the same command again to go on', file=sys.stderr)
            return ends.INTERRUPTED + watcher.signal
        finally:
            watcher.close()
    if runtime.is_writer():
        if not asked.json:
            paging.show(watcher.pages, config.worked.show)
        _show(asked, result, workdir, modes)
    return 0


@contextlib.contextmanager
def _stdout_kept_clean(asked: bool) -> Iterator[None]:
    """For --json: what libraries write to stdout, below Python too (Gloo does), goes to stderr."""
    if not asked:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _act(
    asked: arguments.Arguments, prepared: Any, workdir: Path, watcher: Any, mode: Any, options: dict[str, Any]
) -> dict[str, Any]:
    from jaxlab.experiments import many
    from jaxlab.experiments.use import describe, use

    change = asked.allow_config_change
    if asked.mode != 'train':
        prepared, workdir = many.reference(prepared, workdir)
    if asked.mode == 'describe':
        return describe(prepared)
    if mode is not None:
        return use(prepared, workdir, watcher, mode, options, change)
    if asked.mode == 'eval' and not prepared.data.splits:
        raise UserError('--mode=eval: a worked computation keeps no checkpoint; valid: train, describe')
    if asked.mode == 'eval' and not (workdir / 'checkpoints').is_dir():
        raise UserError(f'no checkpoint in {workdir}; train first: the same command with --mode=train')
    return many.train(prepared, workdir, watcher, asked.mode, change)


def _workdir(asked: arguments.Arguments, config: Any) -> Path:
    """The named folder, or `runs/NAME[-profile]`; with --fresh the first empty sibling `...-2`, `...-3`."""
    suffix = '' if config.profile == 'full' else f'-{config.profile}'
    base = path_of(asked.workdir) if asked.workdir else Path('runs') / f'{config.name}{suffix}'
    if not asked.fresh:
        return base
    number, folder = 1, base
    while folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        number += 1
        folder = base.with_name(f'{base.name}-{number}')
    return folder


def _show(asked: arguments.Arguments, result: dict[str, Any], workdir: Path, modes: Mapping[str, Any]) -> None:
    if asked.json:
        _print_json(result)
        return
    from rich.console import Console

    from jaxlab.report import index, terminal

    console = Console(highlight=False)
    console.width = max(console.width, terminal.NARROWEST)
    if asked.mode in modes:
        for line in modes[asked.mode].lines(result):
            console.print(line, markup=False, soft_wrap=True)
    elif asked.mode == 'describe':
        terminal.print_describe(result, console)
    else:
        terminal.print_results(result, console)
        page = 'comparison.html' if 'variants' in result else 'report.html'
        console.print(f'report: {workdir / page}', markup=False, soft_wrap=True)
        if absolute(workdir).parent.name == 'runs':  # a folder of runs, not just any folder
            index.write_index(workdir.parent)


def _print_json(value: Any) -> None:
    print(json.dumps(value, default=lambda item: item.tolist() if hasattr(item, 'tolist') else str(item)))


if __name__ == '__main__':
    for number in (signal.SIGINT, signal.SIGTERM):  # until a training catches them there is nothing to save
        signal.signal(number, progress.leave_at_once)
    sys.exit(main())
