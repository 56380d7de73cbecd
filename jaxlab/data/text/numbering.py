"""How the two sides of a translation are numbered: words or pieces, which of them, what stands around a text. Plain options."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxlab.data.text.tokens import PieceTokenizer, Tokenizer, WordTokenizer
from jaxlab.data.text.words import RULES
from jaxlab.errors import UserError, closest, lookup

OPTIONS: Mapping[str, Any] = {
    'unit': 'words',  # or 'pieces': byte-pair encoding, which writes every text as it is
    'rule': 'apart',  # of words: a name in `RULES`
    'vocabulary': 0,  # ids a side, special ones included (0: every word of training)
    'least': 1,  # how often a word must occur in training
    'order': 'frequency',  # of words: 'frequency', 'sorted' or 'first' seen
    'longest': 0,  # ids a text, start and end included (0: those of the longest of training)
    'framed': 'both',  # what has start and end: 'both' sides, the 'target', or 'none' of them
    'unknown': 'token',  # words that are not in the vocabulary: 'token' <unk>, 'padding' (B16), or 'left_out' (D3.3)
}
CHOICES = {
    'unit': ('words', 'pieces'),
    'order': ('frequency', 'sorted', 'first'),
    'framed': ('both', 'target', 'none'),
    'unknown': ('token', 'padding', 'left_out'),
}
PIECES = 8000  # where `vocabulary` is 0


def numbering(options: Mapping[str, Any]) -> dict[str, Callable[[Sequence[str]], Tokenizer]]:
    """Side ('source', 'target') -> what fits its tokenizer on training texts. options: those of `OPTIONS`, all given."""
    for name, valid in CHOICES.items():
        if options[name] not in valid:
            raise UserError(f'data.options.{name}={options[name]!r}; {closest(options[name], valid)}')
    for name, low in (('vocabulary', 0), ('least', 1), ('longest', 0)):
        if not isinstance(options[name], int) or options[name] < low:
            raise UserError(f'data.options.{name}={options[name]!r}; valid: a whole number from {low} up')
    lookup(RULES, options['rule'], 'data.options.rule')
    if options['unit'] == 'pieces':
        if options['framed'] != 'both':
            raise UserError(f'data.options.framed={options["framed"]!r} is for words; valid for pieces: both')
        return dict.fromkeys(('source', 'target'), functools.partial(_pieces, options=options))
    return {side: functools.partial(_words, options=options, side=side) for side in ('source', 'target')}


def _pieces(texts: Sequence[str], options: Mapping[str, Any]) -> Tokenizer:
    size, longest = options['vocabulary'] or PIECES, options['longest'] or None
    return PieceTokenizer.fit(texts, size, longest, max(options['least'], 2))


def _words(texts: Sequence[str], options: Mapping[str, Any], side: str) -> Tokenizer:
    framed = options['framed'] == 'both' or options['framed'] == side
    marks = ('<sos>', '<eos>') if options['framed'] != 'none' else ()
    unknown = {'token': '<unk>', 'padding': '<pad>', 'left_out': None}[options['unknown']]
    return WordTokenizer.fit(
        texts,
        RULES[options['rule']],
        options['vocabulary'] or None,
        ('<pad>', *marks, *(['<unk>'] if unknown == '<unk>' else [])),
        options['order'],
        options['least'],
        unknown,
        options['longest'] or None,
        start='<sos>' if framed else None,
        end='<eos>' if framed else None,
    )
