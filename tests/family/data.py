"""Words of different length as data: a feature with a vocabulary that is fitted on the training rows."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.data.dataset import Raw
from jaxlab.data.examples import Split, in_memory
from jaxlab.data.features import BLOCK, Tensor, Value
from jaxlab.data.sources import Request
from jaxlab.errors import UserError
from jaxlab.figures import Table

PAD, UNKNOWN = 0, 1


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """letters: those of the training rows, numbered from 2; longest: of their words."""

    letters: str
    longest: int

    def apply(self, words: Any) -> np.ndarray:
        """[N, longest] int32, padded with 0."""
        numbers = {letter: number for number, letter in enumerate(self.letters, 2)}
        rows = [[numbers.get(letter, UNKNOWN) for letter in word[: self.longest]] for word in words]
        return np.array([row + [PAD] * (self.longest - len(row)) for row in rows], np.int32)


@dataclasses.dataclass(frozen=True)
class Text(Tensor):
    """[N, T] int32 tokens of letters. fitted: the vocabulary."""

    fitted: Vocabulary | None = None

    def made(self, field: str, splits: dict[str, Split], fitted: Vocabulary | None):
        train = splits['train'].arrays[field]
        kept = fitted or Vocabulary(''.join(sorted(set(''.join(train)))), max(map(len, train)))
        made = {
            name: dataclasses.replace(split, arrays={**split.arrays, field: kept.apply(split.arrays[field])})
            for name, split in splits.items()
        }
        return made, Text(kept), ()

    def read(self, source: Path):
        if not source.is_file():
            raise UserError(f'--input={source}: no such file; valid: a text file with one word a line')
        words = source.read_text().split()
        tokens = self.fitted.apply(words)
        return [{'word': word} for word in words], (tokens[at : at + BLOCK] for at in range(0, len(tokens), BLOCK))

    def word(self, tokens: np.ndarray) -> str:
        """Tokens back as letters."""
        return ''.join(self.fitted.letters[token - 2] if token > UNKNOWN else '?' for token in tokens if token != PAD)

    def figure(self, name, title, note, split, field, rows, beside, wrong=()):
        words = [self.word(tokens) for tokens in split.read(rows)[field]]
        return Table(name, title, note, ('word', *beside), list(zip(words, *beside.values(), strict=True)))


def read(request: Request) -> Raw:
    """600 words of 1 to 9 letters."""
    rng = np.random.default_rng(request.seed)
    words = np.array([''.join(rng.choice(list('abcdeiou'), rng.integers(1, 10))) for _ in range(600)])
    target = np.array([sum(letter in 'aeiou' for letter in word) for word in words], np.float32)
    features = {'text': Text(), 'target': Value('vowels')}
    return Raw('embedded', {'all': in_memory({'text': words, 'target': target})}, features, 'Words', 'none', 'words')
