"""From text to words by rule, and back. A rule is data; the specs' rules stand in `RULES`.

Blanks of every kind part words (`str.split()`): French text holds U+00A0 and U+202F, reviews hold U+0085. Lines end at
`\\n` alone, so that none of these makes two texts of one.
"""

import dataclasses
import re
import string
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxlab.errors import UserError, lookup

KERAS_FILTERS = ''.join(set(string.punctuation) - {"'"})  # A06: all but the apostrophe become blanks
WORD_OR_MARK = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]")  # don't, aujourd'hui, rendez-vous; every other mark alone
# The Penn Treebank's rules as B15 needs them: marks alone, clitics apart, a full stop apart where a sentence ends.
_MARKS = re.compile(r'[][(){}<>;@#$%&?!]|\.{2,}|--|[,:](?!\d)')
_OPENING, _CLOSING = re.compile(r'(^|[\s([{<])"'), re.compile('"')
_CLITICS = re.compile(r"(?<=\w)(n't|'(?:s|m|d|ll|re|ve))(?!\w)", re.IGNORECASE)
_STOP = re.compile(r"(\S*[^\s.])(\.)(?=['’”)\]]*(?:\s|$))")
_JOINED = re.compile(r'\b(can)(not)\b|\b(gon|got|wan)(na|ta)\b|\b(lem|gim)(me)\b', re.IGNORECASE)
_ABBREVIATIONS = frozenset(['mr', 'mrs', 'ms', 'dr', 'st', 'vs', 'etc', 'jr', 'sr', 'prof', 'inc', 'e.g', 'i.e', 'u.s'])


def _spaces(text: str) -> list[str]:
    return text.split()


def _blanked(text: str) -> list[str]:
    return text.translate(str.maketrans(KERAS_FILTERS, ' ' * len(KERAS_FILTERS))).split()


def _deleted(text: str) -> list[str]:
    return text.translate(str.maketrans('', '', string.punctuation)).split()


def _apart(text: str) -> list[str]:
    return WORD_OR_MARK.findall(text)


def treebank(text: str) -> list[str]:
    """Words and marks as NLTK's `word_tokenize` parts them, but for rare abbreviations, which its trained model knows."""
    text = _CLOSING.sub(" '' ", _OPENING.sub(r'\1 `` ', text))
    text = _MARKS.sub(r' \g<0> ', text)
    text = _STOP.sub(lambda match: match[0] if _abbreviates(match[1]) else f'{match[1]} {match[2]} ', text)
    text = _CLITICS.sub(r' \1', text)
    return _JOINED.sub(lambda match: ' '.join(filter(None, match.groups())), text).split()


def _abbreviates(word: str) -> bool:
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word.lower() != 'i')


MARKS: dict[str, Callable[[str], list[str]]] = {
    'keep': _spaces,
    'blank': _blanked,
    'delete': _deleted,
    'apart': _apart,
    'treebank': treebank,
}


@dataclasses.dataclass(frozen=True)
class Rule:
    """marks: punctuation is kept at its word ('keep'), becomes a blank but for the apostrophe ('blank'), is deleted ('delete',
    ASCII only), stands alone ('apart'), or as in the Penn Treebank ('treebank'). accents: whether letters keep them."""

    lower: bool = True
    accents: bool = True
    marks: str = 'apart'

    def words(self, text: str) -> list[str]:
        """The words of a text; none for an empty one."""
        text = unicodedata.normalize('NFC', text)
        text = text.lower() if self.lower else text
        text = text if self.accents else without_accents(text)
        return lookup(MARKS, self.marks, 'rule for marks')(text)

    def as_json(self) -> dict[str, Any]:
        """As a run keeps it."""
        return dataclasses.asdict(self)


RULES: Mapping[str, Rule] = {
    'keras': Rule(marks='blank'),  # A06
    'treebank': Rule(marks='treebank'),  # B15
    'spaces': Rule(marks='keep'),  # B16, B24, B25
    'bare': Rule(marks='delete'),  # D3.3
    'apart': Rule(),  # what translation is better off with: "home." and "home" are one word
    'plain': Rule(accents=False),
}


def without_accents(text: str) -> str:
    """é -> e, ё -> е, ñ -> n: letters without the marks above and below them."""
    parts = unicodedata.normalize('NFD', text)
    return unicodedata.normalize('NFC', ''.join(one for one in parts if not unicodedata.combining(one)))


def one_line(text: str) -> str:
    """Composed letters, single plain blanks, none at the ends: how references are compared."""
    return ' '.join(unicodedata.normalize('NFC', text).split())


def read_lines(path: Path | str) -> list[str]:
    """The lines of a UTF-8 file, ended by \\n or \\r\\n alone; blank ones are kept, so that line i stays line i."""
    try:
        content = Path(path).read_bytes().decode('utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{str(path)!r} cannot be read as text ({error}); valid: a file in UTF-8') from error
    return lines_of(content)


def lines_of(content: str) -> list[str]:
    """The lines of a text; the end of the last one begins no other."""
    lines = [line.removesuffix('\r') for line in content.split('\n')]
    return lines[:-1] if lines[-1] == '' else lines
