"""Every ID of a source experiment that this repository cites has its row in docs/sources.md.

An ID is one report's letter and a number: A, B or C with exactly two digits (A08, C35), D or E with one from 1 to 9, and
behind a D a point and one more digit where it names an experiment (D1.3; D1 alone names a group). A small letter from a to d
may follow: it is a part (B06b, E3a). It stands alone: no letter, digit, underscore, point or # touches it in front, no
letter, digit or underscore behind. So neither quantities (B0, A4, C1, W1), nor rules of a linter, nor colours (#C12), nor
names such as B24_MASKED are IDs.

Read are the `spec` of every config, docstrings and comments everywhere, all strings of `configs` and `jaxlab` (reports show
them) and the Markdown files. Strings of tests and benchmarks are not: tests ask for experiments that do not exist.
"""

import ast
import functools
import importlib
import io
import pathlib
import re
import tokenize

import pytest

from jaxlab.experiments import config

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'sources.md'
CONFIGS = config.names()
FOLDERS = ('configs', 'jaxlab', 'launch', 'tests', 'benchmarks')
ALL_STRINGS = ('configs', 'jaxlab')

ID = re.compile(r'(?<![\w.#])(?:[ABC]\d\d|D[1-9](?:\.\d)?|E[1-9])[a-d]?(?!\w|\.\d)')
HAS_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def page_rows() -> list[tuple[str, str]]:
    """ID and config cell of every row of the five tables; other tables of the page have another number of cells."""
    rows = []
    for line in PAGE.read_text(encoding='utf-8').splitlines():
        cells = [cell.strip() for cell in line.strip().strip('|').split('|')]
        if line.startswith('|') and len(cells) == 5 and ID.fullmatch(cells[0]):
            assert all(cells), f'{cells[0]} has an empty cell'
            rows.append((cells[0], cells[4]))
    return rows


def configs_in(cell: str) -> list[str]:
    return re.findall(r'\]\(\.\./configs/(\w+)\.py\)', cell)


@functools.cache
def specs() -> dict[str, tuple[str, ...]]:
    return {name: tuple(importlib.import_module(f'configs.{name}').get_config().spec) for name in CONFIGS}


def prose(path: pathlib.Path) -> list[tuple[int, str]]:
    """Line and text of every comment and docstring of a module; of every string where reports may show it."""
    source = path.read_text(encoding='utf-8')
    found = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    everything = path.relative_to(ROOT).parts[0] in ALL_STRINGS
    for node in ast.walk(ast.parse(source)):
        if everything and isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append((node.lineno, node.value))
        elif not everything and isinstance(node, HAS_DOCSTRING):
            found.append((getattr(node, 'lineno', 1), ast.get_docstring(node, clean=False) or ''))
    return found


def cited() -> dict[str, str]:
    """Every ID that is cited -> the first place."""
    places: dict[str, str] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob('*.py')):
            for line, text in prose(path):
                for found in ID.findall(text):
                    places.setdefault(found, f'{path.relative_to(ROOT)}, line {line}')
    for path in sorted([*ROOT.glob('*.md'), *ROOT.glob('docs/*.md')]):
        for line, text in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
            for found in ID.findall(text):
                places.setdefault(found, f'{path.relative_to(ROOT)}, line {line}')
    return places


def test_page_has_one_row_an_id():
    names = [name for name, _ in page_rows()]
    assert sorted(set(names)) == sorted(names)
    assert {'A08', 'B02', 'B06b', 'C06', 'D1.3', 'E3a'} <= set(names)


def test_every_cited_id_has_a_row():
    rows = {name for name, _ in page_rows()}
    missing = {found: place for found, place in cited().items() if found not in rows}
    assert not missing, f'no row in docs/sources.md (what counts as an ID: top of this file) for {missing}'


@pytest.mark.parametrize('name', CONFIGS)
def test_rows_of_a_spec_name_the_config(name):
    rows = dict(page_rows())
    for found in specs()[name]:
        assert ID.fullmatch(found), f'{found} is no ID'
        assert found in rows, f'no row for {found}'
        assert name in configs_in(rows[found]), f'the row of {found} does not name {name}'


def test_named_configs_are_built_from_that_id():
    """Or from the experiment that it is a part of (B06b: B06), or from one of its group (D1: D1.1)."""
    for found, cell in page_rows():
        named = configs_in(cell)
        assert named or cell == 'not yet', f'{found}: {cell}'
        for name in named:
            assert name in specs(), f'{found}: there is no configs/{name}.py'
            related = [other for other in specs()[name] if found.startswith(other) or other.startswith(found)]
            assert related, f'{found} names {name}, whose spec is {specs()[name]}'


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        ("as in A08, by D1's leak", 'A08 D1'),
        ('(B02, C06; C27 to C30)', 'B02 C06 C27 C30'),
        ('C05/C14 and A01-A03.', 'C05 C14 A01 A03'),
        ('the end is D1.3.', 'D1.3'),
        ("`E3a`: 'B06b'; E2", 'E3a B06b E2'),
        ('quantities B0, A4, C1, W1 and `A1 padded`', ''),
        ('colours #C12, #B10A20 and 0xC10', ''),
        ('A100, E402, F1, D31, E0, B10.5, B24_MASKED', ''),
    ],
)
def test_what_is_an_id(text, found):
    assert ID.findall(text) == found.split()
