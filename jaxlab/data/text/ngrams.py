"""A bag of n-grams as ids: which words, pairs of neighbours and so on a text holds, each once, in no order that matters."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Self

from jaxlab.data.text.frame import Frame
from jaxlab.data.text.tokens import Tokenizer
from jaxlab.data.text.words import Rule

PAD = '<pad>'


@dataclasses.dataclass(frozen=True)
class NgramTokenizer(Tokenizer):
    """grams: what each id stands for, padding first; words of a gram are parted by a blank. most: words of the longest.

    Grams that are not known are left out. A text's ids are its rarest grams first: what is cut is what all texts have.
    """

    rule: Rule
    grams: tuple[str, ...]
    most: int
    frame: Frame

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        rule: Rule,
        most: int = 2,
        least: int = 2,
        size: int | None = None,
        longest: int = 512,
    ) -> Self:
        """The grams that stand in at least `least` training texts; of them the `size` most frequent (None: all)."""
        counts: collections.Counter[str] = collections.Counter()
        for text in texts:
            counts.update(_grams(rule.words(text), most))
        kept = [gram for gram, count in counts.most_common(size and size - 1) if count >= least]
        return cls(rule, (PAD, *kept), most, Frame(longest))

    @property
    def size(self) -> int:
        return len(self.grams)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        numbers = {gram: number for number, gram in enumerate(self.grams) if number}
        found = (_grams(self.rule.words(text), self.most) for text in texts)
        return [sorted((numbers[gram] for gram in grams if gram in numbers), reverse=True) for grams in found]

    def names(self, ids: Iterable[int]) -> list[str]:
        return [self.grams[one] for one in ids]

    def text(self, row: Sequence[int]) -> str:
        return ', '.join(self.names(self.frame.inside(row)))

    def as_written(self, text: str) -> str:
        return ' '.join(self.rule.words(text))

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def _grams(words: Sequence[str], most: int) -> set[str]:
    """All runs of 1 to `most` words."""
    return {' '.join(words[at : at + n]) for n in range(1, most + 1) for at in range(len(words) - n + 1)}
