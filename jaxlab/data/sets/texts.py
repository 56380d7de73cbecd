"""Texts with a class: IMDB's reviews, and any CSV file of one's own.

Source: A. L. Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011 (25,000 + 25,000 reviews of films).

Options of every set of texts say how text becomes ids (`jaxlab/data/text`), fitted on the training texts alone:

| option | meaning |
|---|---|
| tokens | 'words', 'ngrams' (which words and pairs a text holds, in no order) or 'pieces' of words |
| rule | how text is parted into words: a name of `RULES`; of words and n-grams |
| vocabulary | ids in all, special ones included (0: all) |
| longest | tokens of a text that are kept; cut, pad: the side where the rest is left out, and where padding stands |
| specials, start, unknown | of words: names of the first ids, and which of them stand before a text and for unknown words |
| most, least | of n-grams: words of the longest, and in how many texts one must stand |
| pieces | of pieces: a vocab.txt or tokenizer.json (in the data directory, or from where you are); '': byte pairs, learned |
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Split, in_memory
from jaxlab.data.features import ClassLabel, Feature
from jaxlab.data.names import in_order
from jaxlab.data.sets import text_stand_in
from jaxlab.data.sheets import FORM, FOUND_OUT, Form, read_cells
from jaxlab.data.sources import Request, check_options, checksum, choose, named_file, own_folders
from jaxlab.data.text.feature import Fit, Text, as_objects
from jaxlab.data.text.ngrams import NgramTokenizer
from jaxlab.data.text.tokens import PieceTokenizer, WordTokenizer
from jaxlab.data.text.words import RULES
from jaxlab.data.text_files import no_column
from jaxlab.errors import UserError, lookup

HOW: dict[str, Any] = {
    'tokens': 'words',
    'rule': 'apart',
    'vocabulary': 10_000,
    'longest': 200,
    'cut': 'back',
    'pad': 'back',
    'specials': ('<pad>', '<unk>'),
    'start': '',
    'unknown': '<unk>',
    'most': 2,
    'least': 2,
    'pieces': '',
}
IMDB = ('negative', 'positive')


def read_imdb(request: Request) -> Raw:
    """25,000 + 25,000 reviews; does the writer like the film?

    Further options: unique (a text that occurred before, in training or test, is left out), first (of training and test: so
    many of each class, the first of the files; (0, 0): all).
    """
    options = check_options(request, {**HOW, 'unique': True, 'first': (0, 0)})

    def files(request: Request) -> Raw | None:
        folder = next((one for one in own_folders(request, 'imdb') if (one / 'train.csv').is_file()), None)
        if folder is None or not (folder / 'test.csv').is_file():
            return None
        parts = {}
        for part, first in zip(('train', 'test'), options['first'], strict=True):
            texts, labels, _ = read_texts(folder / f'{part}.csv', 'text', 'label')
            parts[part] = _first(texts, _numbers(labels, ('0', '1'), folder / f'{part}.csv'), first)
        description = 'IMDB: reviews of films, negative or positive (Maas et al. 2011)'
        return _raw('files', parts, IMDB, description, 'research, cite Maas et al. 2011', request, options)

    def embedded(request: Request) -> Raw:
        parts = {'train': text_stand_in.draw(2000, 0), 'test': text_stand_in.draw(1000, 1)}
        note = f'embedded data: 3,000 generated sentences stand in for {request.name}; results are not comparable.'
        description = 'Generated opinions: sentences of a small grammar, with "not" and "but"'
        own = {**options, 'pieces': ''}  # it has few words, and pieces of its own
        made = _raw('embedded', parts, IMDB, description, 'none needed (generated)', request, own)
        return dataclasses.replace(made, notes=(note, *made.notes), stand_in=True)

    readers = {'files': files, 'embedded': embedded}
    return choose(request, readers, 'put train.csv and test.csv (text,label) into DATA_DIR/imdb, or use embedded')


def read_text(request: Request) -> Raw:
    """Any CSV file (.csv), or one with tabs (.tsv), of texts with a class and with names in its first line.

    Further options: path (in the data directory, or from where you are), text and label (its columns), unique; separator and
    encoding ('': found out).
    """
    given = {**HOW, 'path': '', 'text': 'text', 'label': 'label', 'unique': True, 'separator': '', 'encoding': ''}
    options = check_options(request, given)
    form = Form.of({**FORM, **{name: options[name] for name in ('separator', 'encoding')}})
    path = named_file(request, 'path', options['path'], 'a CSV file with columns text,label')

    def files(request: Request) -> Raw:
        texts, said, notes = read_texts(path, options['text'], options['label'], form)
        names = in_order(set(said))
        if not 2 <= len(names) <= max(2, len(said) // 2):
            raise UserError(
                f'{path}: column {options["label"]!r} has {len(names)} values in {len(said)} rows; valid: classes'
            )
        parts = {'all': (texts, _numbers(said, names, path))}
        raw = _raw('files', parts, names, f'Texts of {path.name}', 'as its owner says', request, options)
        return dataclasses.replace(raw, notes=(*notes, *raw.notes))

    return choose(request, {'files': files}, 'name a CSV file by data.options.path')


def read_texts(
    path: Path, text: str, label: str, form: Form = FOUND_OUT
) -> tuple[list[str], list[str], tuple[str, ...]]:
    """(texts, labels, what was found out) of two columns of a CSV file; in a .tsv file a quotation mark encloses nothing."""
    if path.suffix == '.tsv':
        form = dataclasses.replace(form, separator='\t', quoted=False)
    found = read_cells(path, form)
    for name in (text, label):
        if name not in found.columns:
            raise UserError(f'{path}: {no_column(name, tuple(found.columns))}')
    labels = [cell.strip() for cell in found.columns[label].to_pylist()]
    if '' in labels:
        raise UserError(f'{path}, row {found.numbers[labels.index("")]}: no label; valid: a class in every row')
    return found.columns[text].to_pylist(), labels, found.notes


Labelled = tuple[Sequence[str], np.ndarray]  # texts, labels [N] int32


def _numbers(labels: Sequence[str], names: Sequence[str], path: Path) -> np.ndarray:
    known = {name: number for number, name in enumerate(names)}
    strange = next((row for row, label in enumerate(labels) if label not in known), None)
    if strange is not None:
        raise UserError(f'{path}, row {strange + 1}: label {labels[strange]!r}; valid: {", ".join(names)}')
    return np.array([known[label] for label in labels], np.int32)


def _first(texts: Sequence[str], labels: np.ndarray, count: int) -> Labelled:
    """The first `count` of each class in the order of the file (0: all)."""
    if not count:
        return texts, labels
    rows = np.sort(np.concatenate([np.flatnonzero(labels == one)[:count] for one in np.unique(labels)]))
    return [texts[row] for row in rows], labels[rows]


def _raw(
    source: str,
    parts: Mapping[str, Labelled],
    names: tuple[str, ...],
    description: str,
    licence: str,
    request: Request,
    options: Mapping[str, Any],
) -> Raw:
    fit = how(request, options)
    seen: set[str] = set()
    made: dict[str, Split] = {}
    notes, row = [], 0
    for name, (texts, labels) in parts.items():
        new = []
        for at, text in enumerate(texts):
            if text not in seen:
                seen.add(text)
                new.append(at)
        if options['unique'] and len(new) < len(texts):
            notes.append(f'{len(texts) - len(new):,} texts of {name} that occurred before are left out.')
            texts, labels = [texts[at] for at in new], labels[new]
        made[name] = in_memory({'text': as_objects(texts), 'label': labels}, row)
        row += len(texts)
    digest = checksum(*(_bytes(split.arrays or {}) for split in made.values()))
    features: dict[str, Feature] = {'text': Text(fit), 'label': ClassLabel(names)}
    return Raw(source, made, features, description, licence, digest, tuple(notes), by_class=False)


def _bytes(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Texts as bytes, of which a checksum can be made."""
    joined = '\0'.join(arrays['text']).encode('utf-8', 'surrogatepass')
    return {'text': np.frombuffer(joined, np.uint8), 'label': arrays['label']}


def how(request: Request, options: Mapping[str, Any]) -> Fit:
    """What fits a tokenizer to training texts, as the options say."""
    lookup(RULES, options['rule'], 'data.options.rule')
    if options['longest'] < 3 or options['vocabulary'] < 0:
        raise UserError('data.options: longest is a number from 3, vocabulary one from 0 up')
    for side in ('cut', 'pad'):
        if options[side] not in ('front', 'back'):
            raise UserError(f"data.options.{side}={options[side]!r}; valid: 'front' or 'back'")
    return lookup(TOKENS, options['tokens'], 'data.options.tokens')(request, options)


def _words(request: Request, options: Mapping[str, Any]) -> Fit:
    specials = tuple(options['specials'])
    for name in ('start', 'unknown'):
        if options[name] not in ('', *specials):
            raise UserError(f'data.options.{name}={options[name]!r}; valid: one of data.options.specials {specials}')
    return functools.partial(
        WordTokenizer.fit,
        rule=RULES[options['rule']],
        size=options['vocabulary'] or None,
        specials=specials,
        unknown=options['unknown'] or None,
        start=options['start'] or None,
        **{name: options[name] for name in ('longest', 'cut', 'pad')},
    )


def _ngrams(request: Request, options: Mapping[str, Any]) -> Fit:
    size = options['vocabulary'] or None
    own = {name: options[name] for name in ('most', 'least', 'longest')}
    return functools.partial(NgramTokenizer.fit, rule=RULES[options['rule']], size=size, **own)


def _pieces(request: Request, options: Mapping[str, Any]) -> Fit:
    if not options['pieces']:
        return functools.partial(PieceTokenizer.fit, size=options['vocabulary'], longest=options['longest'])
    path = named_file(request, 'pieces', options['pieces'], 'a vocab.txt or tokenizer.json')
    return lambda texts: PieceTokenizer.read(path, options['longest'])


TOKENS: Mapping[str, Callable[[Request, Mapping[str, Any]], Fit]] = {
    'words': _words,
    'ngrams': _ngrams,
    'pieces': _pieces,
}
