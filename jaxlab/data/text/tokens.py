"""Tokenizers: words by a vocabulary, or pieces of words; fitted on training text alone, and kept as JSON with the run.

Both number from 0; padding is one of the numbers. `apply` makes [N, T] int32 of texts, `text` makes text of ids.
"""

import abc
import collections
import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from jaxlab.data.text.frame import Frame
from jaxlab.data.text.words import Rule, one_line, read_lines
from jaxlab.errors import UserError, lookup


class Tokenizer(abc.ABC):
    """What numbers text."""

    frame: Frame
    writes_text: ClassVar[
        bool
    ]  # whether `text` gives cased text as people write it, not words with a blank between them

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many ids there are."""

    @abc.abstractmethod
    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, neither framed nor cut."""

    @abc.abstractmethod
    def names(self, ids: Iterable[int]) -> list[str]:
        """What each id stands for, special ones too: labels of a figure."""

    @abc.abstractmethod
    def text(self, row: Sequence[int]) -> str:
        """A row of ids as text, without what only frames it."""

    @abc.abstractmethod
    def as_written(self, text: str) -> str:
        """A text in the form in which `text` gives it back, were every word known: what a hypothesis is compared with."""

    @abc.abstractmethod
    def as_json(self) -> dict[str, Any]:
        """As a run keeps it."""

    def apply(self, texts: Sequence[str]) -> np.ndarray:
        """[N, T] int32."""
        return self.frame.apply(self.ids(texts))

    def resized(self, longest: int) -> Self:
        """The same for rows of another length."""
        return dataclasses.replace(self, frame=dataclasses.replace(self.frame, longest=longest))  # type: ignore[type-var]


def from_json(content: Mapping[str, Any]) -> Tokenizer:
    """A tokenizer as a run keeps it."""
    try:
        kind = lookup(KINDS, content['kind'], 'kind of tokenizer')
        return kind.from_json(content)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f'what the run keeps of its tokenizer cannot be read ({error}); train again') from error


@dataclasses.dataclass(frozen=True)
class WordTokenizer(Tokenizer):
    """words: what each id stands for, special tokens first. unknown: the id of words that are not among them; None: these are
    left out, as Keras's Tokenizer does without an OOV token (D3.3)."""

    rule: Rule
    words: tuple[str, ...]
    unknown: int | None
    frame: Frame
    specials: int = 0
    writes_text: ClassVar[bool] = False

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        rule: Rule,
        size: int | None = None,
        specials: Sequence[str] = ('<pad>', '<unk>'),
        order: str = 'frequency',
        least: int = 1,
        unknown: str | None = '<unk>',
        longest: int | None = None,
        **frame: Any,
    ) -> Self:
        """The words of training texts.

        size: ids in all, special ones included. order: by 'frequency' (of equals the one seen first), 'sorted', or by 'first'
        appearance. least: how often a word must occur. unknown, and `start`, `end`, `padding` of `frame`: names among the
        specials. longest: None takes that of the longest text.
        """
        split = [rule.words(text) for text in texts]
        counts = collections.Counter(word for words in split for word in words)
        frequent = [word for word, count in counts.most_common() if count >= least and word not in specials]
        kept = frequent[: max(size - len(specials), 0)] if size else frequent
        chosen = set(kept)
        orders = {
            'frequency': lambda: kept,
            'sorted': lambda: sorted(kept),
            'first': lambda: [word for word in counts if word in chosen],
        }
        words = (*specials, *lookup(orders, order, 'order of a vocabulary')())
        marks = {'padding': specials[0]} | {
            name: frame.pop(name) for name in ('start', 'end', 'padding') if name in frame
        }
        at: dict[str, Any] = {name: None if word is None else words.index(word) for name, word in marks.items()}
        room = sum(at.get(name) is not None for name in ('start', 'end'))
        longest = longest or max(map(len, split), default=1) + room
        framed = Frame(max(longest, room + 1), **at, **frame)
        return cls(rule, words, None if unknown is None else words.index(unknown), framed, len(specials))

    @property
    def size(self) -> int:
        return len(self.words)

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        """A user who types `<eos>` has typed a word: special tokens are no words."""
        return {word: number for number, word in enumerate(self.words) if number >= self.specials}

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        numbers, unknown = self._numbers, self.unknown
        if unknown is None:
            return [[numbers[word] for word in self.rule.words(text) if word in numbers] for text in texts]
        return [[numbers.get(word, unknown) for word in self.rule.words(text)] for text in texts]

    def names(self, ids: Iterable[int]) -> list[str]:
        return [self.words[one] for one in ids]

    def text(self, row: Sequence[int]) -> str:
        return ' '.join(self.names(self.frame.inside(row)))

    def as_written(self, text: str) -> str:
        return ' '.join(self.rule.words(text))

    def as_json(self) -> dict[str, Any]:
        return {
            'kind': 'words',
            'rule': self.rule.as_json(),
            'words': list(self.words),
            'unknown': self.unknown,
            'frame': self.frame.as_json(),
            'specials': self.specials,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read back."""
        rule, frame = Rule(**content['rule']), Frame(**content['frame'])
        return cls(rule, tuple(content['words']), content['unknown'], frame, content['specials'])


@dataclasses.dataclass(frozen=True)
class PieceTokenizer(Tokenizer):
    """Pieces of words through the library `tokenizers`. definition: its JSON, without padding or cutting of its own.

    Special tokens that a text spells out are ordinary text: "good [SEP] bad" has no second end.
    """

    definition: str
    frame: Frame
    writes_text: ClassVar[bool] = True

    @classmethod
    def read(cls, path: Path | str, longest: int, lower: bool = True) -> Self:
        """BERT's WordPiece from a vocab.txt (a piece a line), or any tokenizer.json whose specials are BERT's.

        lower: of a vocab.txt; a tokenizer.json says it itself.
        """
        import tokenizers

        path = Path(path)
        if path.suffix == '.json':
            try:
                found = tokenizers.Tokenizer.from_str(path.read_text(encoding='utf-8'))
            except Exception as error:  # the library raises no type of its own
                raise UserError(f'{str(path)!r} cannot be read ({error}); valid: a tokenizer.json') from error
        else:
            pieces = {piece: number for number, piece in enumerate(read_lines(path))}
            if '[UNK]' not in pieces:
                raise UserError(f'{str(path)!r} has no piece [UNK]; valid: a vocab.txt of BERT, a piece a line')
            found = tokenizers.Tokenizer(tokenizers.models.WordPiece(pieces, unk_token='[UNK]'))
            found.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lower)
            found.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
            found.decoder = tokenizers.decoders.WordPiece()
            found.add_special_tokens([name for name in BERT_SPECIALS if name in pieces])
        return cls(_bare(found), _frame_of(found, longest, str(path), BERT_SPECIALS))

    @classmethod
    def fit(cls, texts: Sequence[str], size: int, longest: int | None = None, least: int = 2) -> Self:
        """Byte-pair encoding over bytes (Sennrich et al., arXiv 1508.07909): every text has ids and comes back as it was."""
        import tokenizers

        found = tokenizers.Tokenizer(tokenizers.models.BPE())
        found.normalizer = tokenizers.normalizers.NFC()
        found.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
        found.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=least,
            special_tokens=list(BPE_SPECIALS),
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        found.train_from_iterator(texts, trainer)
        made = cls(_bare(found), _frame_of(found, longest or 3, 'the training text', BPE_SPECIALS))
        return made if longest else made.resized(max(map(len, made.ids(texts)), default=1) + made.frame.marks)

    @functools.cached_property
    def _tokenizer(self) -> Any:
        import tokenizers

        found = tokenizers.Tokenizer.from_str(self.definition)
        found.encode_special_tokens = True
        return found

    @property
    def size(self) -> int:
        return self._tokenizer.get_vocab_size()

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [found.ids for found in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def names(self, ids: Iterable[int]) -> list[str]:
        return [self._tokenizer.id_to_token(int(one)) for one in ids]

    def text(self, row: Sequence[int]) -> str:
        return self._tokenizer.decode(self.frame.inside(row), skip_special_tokens=False).strip()

    def as_written(self, text: str) -> str:
        return one_line(text)

    def as_json(self) -> dict[str, Any]:
        return {'kind': 'pieces', 'definition': json.loads(self.definition), 'frame': self.frame.as_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read back."""
        return cls(json.dumps(content['definition'], ensure_ascii=False), Frame(**content['frame']))


BERT_SPECIALS = {'[PAD]': 'padding', '[UNK]': '', '[CLS]': 'start', '[SEP]': 'end', '[MASK]': ''}
BPE_SPECIALS = {'<pad>': 'padding', '<sos>': 'start', '<eos>': 'end'}
KINDS: Mapping[str, Any] = {'words': WordTokenizer, 'pieces': PieceTokenizer}


def _bare(tokenizer: Any) -> str:
    """MiniLM's file pads and cuts at 128: lengths are ours to choose."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer.to_str()


def _frame_of(tokenizer: Any, longest: int, where: str, specials: Mapping[str, str]) -> Frame:
    at = {role: tokenizer.token_to_id(name) for name, role in specials.items() if role}
    if None in at.values():
        raise UserError(f'{where} lacks one of the pieces {", ".join(specials)}')
    return Frame(longest, **at)
