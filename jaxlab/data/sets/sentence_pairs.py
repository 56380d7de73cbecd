"""Sentences and their translations: Tatoeba, Multi30k, five phrases, a file of one's own.

Sources: tatoeba.org by manythings.org/anki (CC BY 2.0 FR); D. Elliott et al., "Multi30K: Multilingual English-German Image
Descriptions", 2016, arXiv 1605.00459. Pairs whose sources are the same sentence form a group: no source stands in two splits,
and each that is held out is asked once.
"""

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Split
from jaxlab.data.sets import sentence_grammar
from jaxlab.data.sources import Request, check_options, choose, named_file, own_folders
from jaxlab.data.text.feature import Text, as_objects
from jaxlab.data.text.numbering import OPTIONS, numbering
from jaxlab.data.text.pairs import read_pairs
from jaxlab.data.text.words import lines_of, one_line
from jaxlab.errors import UserError, lookup

Sides = tuple[Sequence[str], Sequence[str]]  # sources, targets

STAND_INS = 6000
TATOEBA = {'fra': 'fra.txt', 'rus': 'rus.txt'}  # the other language -> its file, English first
MULTI30K = {'eng': 'en', 'deu': 'de', 'fra': 'fr'}
PARTS = {'train': 'train', 'validation': 'val', 'test': 'test_2016_flickr'}
PHRASES = (  # B25, all of it
    ('hello', 'how are you', 'i am fine', 'thank you', 'good morning'),
    ('hallo', 'wie geht es dir', 'mir geht es gut', 'danke', 'guten morgen'),
)


def read_tatoeba(request: Request) -> Raw:
    """Options: source and target, languages of which one is eng and the other fra or rus; and those of `numbering`."""
    options = check_options(request, {'source': 'eng', 'target': 'fra', **OPTIONS})
    languages = options['source'], options['target']
    if 'eng' not in languages or languages[0] == languages[1]:
        raise UserError(f'data.options.source, target = {languages}; valid: eng and one of {", ".join(TATOEBA)}')
    file = lookup(TATOEBA, languages[languages[0] == 'eng'], 'language of tatoeba')

    def files(request: Request) -> Raw | None:
        for folder in own_folders(request, 'translation', 'tatoeba'):
            if (folder / file).is_file():
                pairs = read_pairs(folder / file, *((0, 1) if languages[0] == 'eng' else (1, 0)))
                about = f'Tatoeba, {" to ".join(languages)}: {len(pairs[0]):,} pairs'
                return _raw('files', {'all': pairs}, options, about, 'CC BY 2.0 FR')
        return None

    readers = {'files': files, 'embedded': lambda request: _made_up(languages, options)}
    return choose(request, readers, f'put {file} into DATA_DIR/translation, or use embedded')


def read_multi30k(request: Request) -> Raw:
    """Captions of photographs, 29,000 / 1,014 / 1,000. Options: source and target of deu, eng, fra; those of `numbering`."""
    options = check_options(request, {'source': 'deu', 'target': 'eng', **OPTIONS})
    languages = options['source'], options['target']
    ends = [lookup(MULTI30K, language, 'language of multi30k') for language in languages]

    def files(request: Request) -> Raw | None:
        for folder in own_folders(request, 'translation/multi30k', 'multi30k'):
            if all((folder / f'{part}.{end}.gz').is_file() for part in PARTS.values() for end in ends):
                parts = {name: _side_by_side(folder, part, ends) for name, part in PARTS.items()}
                about = f'Multi30k, {" to ".join(languages)}: captions of photographs'
                return _raw('files', parts, options, about, 'for research')
        return None

    readers = {'files': files, 'embedded': lambda request: _made_up(languages, options)}
    return choose(request, readers, 'put train.de.gz, ... into DATA_DIR/multi30k, or use embedded')


def read_phrases(request: Request) -> Raw:
    """B25's five phrases, English to German, trained and tested on: what is measured is memory. Options: `numbering`'s."""
    options = check_options(request, {**OPTIONS, 'rule': 'spaces', 'order': 'sorted', 'framed': 'target'})
    parts = {'train': PHRASES, 'test': PHRASES}
    readers = {'embedded': lambda request: _raw('embedded', parts, options, 'Five phrases (B25)', 'public domain')}
    return choose(request, readers, 'it is embedded')


def read_own(request: Request) -> Raw:
    """A file of one's own, a pair a line with a tab between. Options: path, reverse (the target stands first), `numbering`'s."""
    options = check_options(request, {'path': '', 'reverse': False, **OPTIONS})
    path = named_file(request, 'path', options['path'], 'a file with a tab between two texts')

    def files(request: Request) -> Raw:
        pairs = read_pairs(path, *((1, 0) if options['reverse'] else (0, 1)))
        whole = [pair for pair in zip(*pairs, strict=True) if all(side.strip() for side in pair)]
        if not whole:
            raise UserError(
                f'{str(path)!r} holds no pair; valid: a line each, source and target with a tab between them'
            )
        lacking = len(pairs[0]) - len(whole)
        notes = (f'{lacking:,} pairs without a text on one side are left out.',) if lacking else ()
        sources, targets = zip(*whole, strict=True)
        return _raw('files', {'all': (sources, targets)}, options, f'Pairs of {path.name}', 'as its owner says', notes)

    return choose(request, {'files': files}, 'name a file by data.options.path')


def _made_up(languages: tuple[str, str], options: Mapping[str, Any]) -> Raw:
    pairs = sentence_grammar.pairs(*languages, STAND_INS)
    about = f'A grammar of ten nouns, {" to ".join(languages)}: {STAND_INS:,} sentences with their only translation'
    note = f'{STAND_INS:,} sentences of a small grammar stand in for real pairs.'
    return _raw('embedded', {'all': pairs}, options, about, 'Apache 2.0', (note,), stand_in=True)


def _raw(
    source: str,
    parts: Mapping[str, Sides],
    options: Mapping[str, Any],
    description: str,
    licence: str,
    notes: tuple[str, ...] = (),
    stand_in: bool = False,
) -> Raw:
    digest, splits, row = hashlib.sha256(), {}, 0
    for name, (sources, targets) in parts.items():
        for texts in (sources, targets):
            digest.update('\n'.join(texts).encode())
        _, groups = np.unique(np.asarray(sources, object).astype(str), return_inverse=True)
        arrays = {'source': as_objects(sources), 'target': as_objects(targets)}
        size = len(sources)
        splits[name] = Split(
            size, arrays, row + np.arange(size, dtype=np.int64), groups=groups if name == 'all' else None
        )
        row += size
    fits = numbering(options)
    features = {side: Text(fits[side]) for side in ('source', 'target')}
    checksum = digest.hexdigest()[:16]
    return Raw(source, splits, features, description, licence, checksum, notes, stand_in, by_class=False)


def _side_by_side(folder: Path, part: str, ends: Sequence[str]) -> Sides:
    first, second = (_unzipped(folder / f'{part}.{end}.gz') for end in ends)
    if len(first) != len(second):
        raise UserError(f'{folder}: {part} has {len(first)} and {len(second)} lines; valid: as many on both sides')
    return first, second


def _unzipped(path: Path) -> list[str]:
    try:
        return [one_line(line) for line in lines_of(gzip.decompress(path.read_bytes()).decode('utf-8'))]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f'{str(path)!r} cannot be read ({error}); valid: compressed text in UTF-8') from error
