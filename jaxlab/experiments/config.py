"""From `--config=FILE[:profile]` and overrides to a checked config. Imports nothing heavy."""

import ast
import contextlib
import difflib
import importlib.util
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from configs import common
from jaxlab.errors import UserError, closest
from jaxlab.training.identity import flat

OPEN = (
    'task',
    'model',
    'optimizer',
    'data.options',
    'data.backbone',
    'variants',
    'stand_in',
    'tuning',
    'needs',
    'start',
    'published',
    'report.lines',
    'report.options',
    'training.stop_at',
)
HELPERS = ('__init__', 'common', 'kinds', 'shared')  # in the folder of the experiments, and no experiments
COMMAND_LINE = 'command line'  # who chose a field: the user


def split_profile(argument: str) -> tuple[Path, str]:
    """`configs/gan_mnist.py:smoke` or `gan_mnist:smoke` -> (path, 'smoke')."""
    path, colon, profile = argument.rpartition(':')
    if not colon or profile not in common.PROFILES and Path(argument).is_file():  # a colon in the path is one
        path, colon, profile = argument, '', 'full'
    if not path or profile not in common.PROFILES:
        named = f'unknown profile {profile!r}' if path else 'no file'
        raise UserError(f'{named} in --config={argument}; {closest(profile, common.PROFILES)}')
    shipped = main_folder() / f'{path}.py'  # a bare name is that of an experiment of the project, wherever one stands
    return (shipped if '.' not in path and '/' not in path and shipped.is_file() else Path(path)), profile


def load_module(path: Path) -> Any:
    """The config file as a module; its own errors are said with file and line."""
    if not path.is_file():
        folder = path.parent if path.parent.is_dir() else Path('configs')
        known = {name: folder / f'{name}.py' for name in names(folder)}
        near = difflib.get_close_matches(path.stem, known, n=1, cutoff=0.6)
        hint = f'did you mean {known[near[0]]}?' if near else 'python -m launch --list shows all'
        raise UserError(f'no config file {path}; {hint}')
    spec = importlib.util.spec_from_file_location(f'configs.{path.stem}', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        with _beside(path):
            spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UserError(f'{path}, line {error.lineno}: {error.msg}') from error
    except Exception as error:
        raise UserError(f'{path}, line {_line_in(error, path)}: {type(error).__name__}: {error}') from error
    if not callable(getattr(module, 'get_config', None)):
        raise UserError(f'{path} has no function get_config(profile)')
    return module


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[None]:
    """A config finds what lies beside it, behind everything that was found before."""
    folder = str(path.resolve().parent)
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _line_in(error: Exception, path: Path) -> int | str:
    """The deepest line of the traceback that lies in the config file."""
    line: int | str = '?'
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == path.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def load(path: Path, profile: str) -> common.Config:
    """The config of a file, checked."""
    module = load_module(path)
    try:
        with _beside(path):
            config = module.get_config(profile)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f'{path}, line {_line_in(error, path)}: {type(error).__name__}: {error}') from error
    if not isinstance(config, common.Config):
        raise UserError(
            f'{path}: get_config returned {type(config).__name__}; valid: what common.with_profile(...) returns'
        )
    check(config, str(path))
    return config


class Typed(str):
    """A value as it was typed on a command line: what it is, the field decides (the folder 1e3, the number 1e3)."""


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """`--config.a.b=value` -> {'a.b': value as typed}."""
    found = {}
    for argument in arguments:
        name, equals, text = argument.partition('=')
        if not equals:
            raise UserError(f'{argument} has no value; valid: {argument}=VALUE')
        found[name.removeprefix('--config.')] = Typed(text)
    return found


def literal(text: str) -> Any:
    """A Python literal, `true` / `false` / `none` in any case, or the text itself; 1_1_1 is a text, no number."""
    words = {'true': True, 'false': False, 'none': None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return text if isinstance(value, int | float) and '_' in text else value


def of_file(path: Path, profile: str, changes: Mapping[str, Any], where: str) -> tuple[common.Config, dict[str, str]]:
    """A file's experiment in a profile with some fields changed, checked; and field -> who set it: the profile or the user."""
    plain = load(path, profile)
    cut = differing(plain, load(path, 'full')) if profile != 'full' else []
    return apply(plain, changes, where), dict.fromkeys(cut, 'profile') | dict.fromkeys(changes, COMMAND_LINE)


def apply(config: common.Config, changes: Mapping[str, Any], where: str) -> common.Config:
    """The config with overrides, checked; `where` they come from is named in the error."""
    for path in changes:
        _known(config, path, where)
    fitted = {path: _fit(config, path, value) for path, value in changes.items()}
    result = common.override(config, fitted)
    check(result, where)
    return result


def _known(config: common.Config, path: str, where: str) -> None:
    """A field, or a key of an open block that is there."""
    if path in common.FIELDS:
        return
    if not any(path.startswith(f'{block}.') for block in OPEN):
        raise UserError(f'unknown field config.{path} ({where}); {_closest_field(path)}')
    blocks, last = common.split_path(path)
    inside: Any = config
    for depth, block in enumerate(blocks):
        inside = inside.get(block) if block in inside else None
        if not hasattr(inside, 'items'):
            outer = '.'.join(blocks[:depth])
            names = current(config, outer) if outer else common.FIELDS
            words = f'config.{outer} has no block {block!r}; {closest(block, names)}'
            raise UserError(f'unknown field config.{path} ({where}): {words}')
    if not last:
        raise UserError(f'unknown field config.{path} ({where})')


def _closest_field(path: str) -> str:
    near = difflib.get_close_matches(path, common.FIELDS, n=1, cutoff=0.5)
    if near:
        return f'did you mean config.{near[0]}? ({common.FIELDS[near[0]].meaning})'
    block = path.split('.')[0]
    names = sorted(name for name in common.FIELDS if name.startswith(f'{block}.')) or sorted(common.FIELDS)
    return f'valid: {", ".join(names[:12])}{", ..." if len(names) > 12 else ""}'


def _fit(config: common.Config, path: str, value: Any) -> Any:
    """A whole number where a fraction is meant, one value where a tuple is, digits where a text is."""
    field, typed = common.FIELDS.get(path), str(value)
    if isinstance(value, Typed):
        value = literal(value)
    known = field or common.REPORT_OPTIONS.get(path.removeprefix('report.options.'))
    default = known.default if known else current(config, path)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, float) and number:
        return float(value)
    if isinstance(default, str) and number and (known is None or known.test(typed) and not known.test(value)):
        return typed
    if isinstance(default, tuple) and field is None:
        if isinstance(value, str) and ',' in value:
            return tuple(literal(part.strip()) for part in value.split(','))
        texts = path.startswith('data.options.') or default and all(isinstance(one, str) for one in default)
        return (value,) if isinstance(value, int | float) or texts and isinstance(value, str) else value
    return value


def current(config: Any, path: str) -> Any:
    """The value of a field; None where there is none."""
    for part in path.split('.'):
        if not isinstance(config, Mapping) and not hasattr(config, 'get'):
            return None
        config = config.get(part, None)
    return config


def check(config: common.Config, where: str) -> None:
    """Every field known and of the right kind; blocks that are chosen by name are checked where they are built."""
    for path in _paths(config):
        if path not in common.FIELDS and not any(path == block or path.startswith(f'{block}.') for block in OPEN):
            raise UserError(f'unknown field config.{path} ({where}); {_closest_field(path)}')
    for path, field in common.FIELDS.items():
        value = current(config, path)
        if isinstance(value, float) and not math.isfinite(value) or not field.test(value):
            raise UserError(f'config.{path} = {value!r} ({where}); valid: {field.valid} ({field.meaning})')
    for name, value in config.report.options.items():
        if name not in common.REPORT_OPTIONS:
            raise UserError(
                f'unknown field config.report.options.{name} ({where}); {closest(name, common.REPORT_OPTIONS)}'
            )
        field = common.REPORT_OPTIONS[name]
        if not field.test(value):
            raise UserError(
                f'config.report.options.{name} = {value!r} ({where}); valid: {field.valid} ({field.meaning})'
            )


def completed(content: Mapping[str, Any]) -> common.Config:
    """The config of a run of whatever version: what it does not say is at its default, what is not known here stays."""
    config = common.Config(content)
    for path, field in common.FIELDS.items():
        blocks, last = common.split_path(path)
        inside: Any = config
        for block in blocks:
            if hasattr(inside, 'items') and block not in inside:
                inside[block] = common.Config()
            inside = inside[block] if hasattr(inside, 'items') else None
        if not hasattr(inside, 'items'):
            raise ValueError(f'config.{path} lies in no block')
        if last not in inside:
            inside[last] = common.Config(field.default) if isinstance(field.default, Mapping) else field.default
    return config


def _paths(config: Any, prefix: str = '') -> list[str]:
    found = []
    for name, value in config.items():
        path = f'{prefix}{name}'
        nested = hasattr(value, 'items') and path not in OPEN
        found += _paths(value, f'{path}.') if nested else [path]
    return found


def only_variants(config: common.Config, names: str | None) -> common.Config:
    """The config with the variants NAME,NAME only, in this order; as it is for None."""
    if names is None:
        return config
    chosen = [name.strip() for name in names.split(',') if name.strip()]
    for name in chosen or ['']:
        if name not in config.variants:
            valid = closest(name, list(config.variants)) if config.variants else 'this experiment has none'
            raise UserError(f'--variants: unknown variant {name!r} of {config.name}; {valid}')
    return common.override(config, {'variants': {name: config.variants[name].to_dict() for name in chosen}})


def differing(config: common.Config, other: common.Config) -> list[str]:
    """Dotted paths of the fields in which two configs differ."""
    mine, theirs = flat(config.to_dict()), flat(other.to_dict())
    return sorted(path for path in mine if path not in theirs or mine[path] != theirs[path])


def names(folder: Path | None = None) -> list[str]:
    """Every experiment of a folder (those of the project by default), in the order of the alphabet."""
    return sorted(path.stem for path in (folder or main_folder()).glob('*.py') if path.stem not in HELPERS)


def main_folder() -> Path:
    """The folder of the experiments that ship with the project."""
    return Path(str(sys.modules['configs'].__file__)).parent
