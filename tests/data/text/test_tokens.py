"""Tokenizers: the numbering of A06, B15, B16, B24, B25 and D3.3, WordPiece, byte-pair encoding, frames, what a run keeps."""

import json

import numpy as np
import pytest

from jaxlab.data.text.frame import Frame
from jaxlab.data.text.tokens import PieceTokenizer, WordTokenizer, from_json
from jaxlab.data.text.words import RULES
from jaxlab.errors import UserError

SPACES = RULES['spaces']
KERAS = ('[PAD]', '[START]', '[OOV]', '[UNUSED]')


def keras(texts, size, longest):
    return WordTokenizer.fit(
        texts,
        RULES['keras'],
        size,
        KERAS,
        unknown='[OOV]',
        start='[START]',
        padding='[PAD]',
        longest=longest,
        cut='front',
        pad='front',
    )


def test_numbers_of_a06():
    """The word of rank r is r + 3; a vocabulary of 7 keeps ranks 1 to 3; the front is padded and cut, start included."""
    made = keras(['the film was the film the', 'was it'], 7, 4)
    assert made.words == (*KERAS, 'the', 'film', 'was') and made.size == 7
    assert made.apply(['the film was', 'it', '', 'was was film the it']).tolist() == [
        [1, 4, 5, 6],
        [0, 0, 1, 2],
        [0, 0, 0, 1],
        [6, 5, 4, 2],
    ]
    assert made.names([0, 1, 2, 4]) == ['[PAD]', '[START]', '[OOV]', 'the']
    assert made.text([0, 0, 1, 4, 5]) == 'the film'


def test_numbers_of_b15():
    made = WordTokenizer.fit(['a b b', 'c b a'], SPACES, 4, ('<PAD>', '<UNK>'), unknown='<UNK>', longest=3)
    assert made.apply(['b c a b', 'a']).tolist() == [[2, 1, 3], [3, 0, 0]]


def test_numbers_of_b16():
    """By first appearance; unknown words become padding, as published."""
    texts, marks = ['Go.', 'I go home .'], {'start': '<sos>', 'end': '<eos>'}
    made = WordTokenizer.fit(
        texts, SPACES, specials=('<pad>', '<sos>', '<eos>'), order='first', unknown='<pad>', **marks
    )
    assert made.words[3:] == ('go.', 'i', 'go', 'home', '.')
    assert made.frame.row(made.ids(['Go home now'])[0]) == [1, 5, 6, 0, 2]
    assert made.apply(texts).tolist() == [[1, 3, 2, 0, 0, 0], [1, 4, 5, 6, 7, 2]]


def test_numbers_of_b24_and_b25():
    pairs = ['I love machine learning', 'ML is amazing', 'Transformers are powerful', 'They replaced RNNs']
    pairs += ['Attention is all you need', "That's the paper's title"]
    made = WordTokenizer.fit(pairs, SPACES, specials=('<pad>',), order='sorted', unknown=None, longest=5)
    assert made.size == 22
    assert made.apply(pairs[::2]).tolist() == [[5, 8, 9, 7, 0], [20, 3, 13, 0, 0], [4, 6, 1, 21, 11]]
    assert made.apply(pairs[1::2]).tolist() == [[10, 6, 2, 0, 0], [18, 14, 15, 0, 0], [16, 17, 12, 19, 0]]
    specials = ('<pad>', '<sos>', '<eos>', '<unk>')
    targets = ['hallo', 'wie geht es dir', 'mir geht es gut', 'danke', 'guten morgen']
    made = WordTokenizer.fit(targets, SPACES, None, specials, 'sorted', start='<sos>', end='<eos>')
    assert made.size == 14 and made.frame.longest == 6
    rows = [made.frame.row(ids) for ids in made.ids(targets)]
    assert rows == [[1, 10, 2], [1, 13, 7, 6, 5, 2], [1, 11, 7, 6, 8, 2], [1, 4, 2], [1, 9, 12, 2]]
    assert sum(len(row) - 1 for row in rows) == 17  # scored tokens
    assert made.text(made.apply(targets)[1]) == 'wie geht es dir'


def test_numbers_of_d33():
    """By frequency, of equals the one seen first; unknown words are left out."""
    texts = ['the cat sat', 'the dog sat on the mat']
    made = WordTokenizer.fit(texts, RULES['bare'], specials=('',), unknown=None, longest=5)
    assert made.words[1:] == ('the', 'sat', 'cat', 'dog', 'on', 'mat')
    assert made.apply(['the bird sat']).tolist() == [[1, 2, 0, 0, 0]]


def test_a_special_token_that_is_typed_is_a_word():
    made = WordTokenizer.fit(['a b'], SPACES, None, ('<pad>', '<unk>', '<eos>'), end='<eos>', longest=6)
    assert made.apply(['a <eos> b']).tolist() == [[3, 1, 4, 2, 0, 0]]
    made = WordTokenizer.fit(['a <eos> <eos>'], SPACES, None, ('<pad>', '<unk>', '<eos>'), end='<eos>')
    assert made.words == ('<pad>', '<unk>', '<eos>', 'a')


def test_rare_words_and_empty_training_texts():
    made = WordTokenizer.fit(['a a b'], SPACES, least=2)
    assert made.words == ('<pad>', '<unk>', 'a')
    made = WordTokenizer.fit(['', ''], SPACES, start='<unk>')
    assert made.apply(['', 'x']).tolist() == [[1, 0], [1, 1]]


def test_frames():
    frame = Frame(4, start=1, end=2)
    assert frame.apply([[5], [5, 6, 7, 8], []]).tolist() == [[1, 5, 2, 0], [1, 5, 6, 2], [1, 2, 0, 0]]
    assert frame.inside([1, 5, 6, 2, 9]) == [5, 6] and frame.marks == 2
    front = Frame(3, end=2, cut='front', pad='front')
    assert front.apply([[5], [5, 6, 7]]).tolist() == [[0, 5, 2], [6, 7, 2]]
    with pytest.raises(ValueError, match='no room for a word'):
        Frame(2, start=1, end=2)


# A vocabulary of BERT's size with the pieces that are needed at their own numbers.
PIECES = {0: '[PAD]', 100: '[UNK]', 101: '[CLS]', 102: '[SEP]', 103: '[MASK]'}
EVERY_ONE = {2296: 'every', 2028: 'one', 2323: 'should', 3422: 'watch', 1996: 'the', 3185: 'movie', 2012: 'at'}
EVERY_ONE |= {2560: 'least', 2320: 'once'}
BORING = {2023: 'this', 2001: 'was', 11771: 'boring', 1998: 'and', 2134: 'didn', 1005: "'", 1056: 't', 2191: 'make'}
PIECES |= EVERY_ONE | BORING | {3168: 'sense', 1012: '.'}
PIECES |= {2204: 'good', 2919: 'bad', 1031: '[', 1033: ']', 19802: 'sep', 7592: 'hello', 2015: '##s', 9999: '東'}


@pytest.fixture(scope='module')
def vocabulary(tmp_path_factory):
    path = tmp_path_factory.mktemp('pieces') / 'vocab.txt'
    path.write_text('\n'.join(PIECES.get(number, f'[unused{number}]') for number in range(30_522)) + '\n')
    return path


def test_wordpiece_of_a07(vocabulary):
    made = PieceTokenizer.read(vocabulary, 256)
    rows = made.apply(
        ['Every one should watch the movie at least once', "This movie was boring and didn't make sense."]
    )
    first = [101, 2296, 2028, 2323, 3422, 1996, 3185, 2012, 2560, 2320, 102]
    second = [101, 2023, 3185, 2001, 11771, 1998, 2134, 1005, 1056, 2191, 3168, 1012, 102]
    assert made.size == 30_522 and rows.shape == (2, 256) and rows.dtype == np.int32
    assert rows[0].tolist() == first + [0] * 245 and rows[1].tolist() == second + [0] * 243
    assert made.text(rows[1]) == "this movie was boring and didn ' t make sense."
    assert made.names([101, 2015, 0]) == ['[CLS]', '##s', '[PAD]']


def test_wordpiece_of_strange_texts(vocabulary):
    made = PieceTokenizer.read(vocabulary, 8)
    assert made.ids(['good [SEP] bad']) == [[2204, 1031, 19802, 1033, 2919]]  # no second end
    assert made.ids(['', '😀', 'GOODS', 'g\u0301ood', '東京 good\x85bad']) == [
        [],
        [100],
        [2204, 2015],
        [2204],
        [9999, 100, 100],
    ]
    assert made.apply(['good ' * 9, '']).tolist() == [[101] + [2204] * 6 + [102], [101, 102] + [0] * 6]


def test_a_files_own_padding_and_cutting_are_switched_off(vocabulary, tmp_path):
    """MiniLM's tokenizer.json pads to 128 and cuts at 128: "hello" is three ids."""
    import tokenizers

    file = tokenizers.Tokenizer.from_str(PieceTokenizer.read(vocabulary, 8).definition)
    file.enable_padding(length=128)
    file.enable_truncation(128)
    file.save(str(tmp_path / 'tokenizer.json'))
    made = PieceTokenizer.read(tmp_path / 'tokenizer.json', 256)
    assert [made.frame.row(ids) for ids in made.ids(['hello'])] == [[101, 7592, 102]]
    assert len(made.ids(['hello ' * 200])[0]) == 200


def test_files_that_are_no_vocabulary(tmp_path):
    (tmp_path / 'vocab.txt').write_text('a\nb')
    with pytest.raises(UserError, match=r'no piece \[UNK\]'):
        PieceTokenizer.read(tmp_path / 'vocab.txt', 8)
    (tmp_path / 'tokenizer.json').write_text('{}')
    with pytest.raises(UserError, match='valid: a tokenizer.json'):
        PieceTokenizer.read(tmp_path / 'tokenizer.json', 8)


def test_byte_pairs_give_every_text_back():
    texts = ['the cat sat on the mat', 'the dog sat', "l'été", 'the cat'] * 3
    made = PieceTokenizer.fit(texts, 300)
    assert made.size <= 300
    assert len(made.ids(['the'])[0]) == 1  # frequent: one piece
    assert made.apply(texts).shape[1] == max(map(len, made.ids(texts))) + 2
    strange = ['The cat', '😀 привет, 東京!', '', 'a <eos> b', "l'été"]
    wide = made.resized(64)
    for text, row in zip(strange, wide.apply(strange), strict=True):
        assert row[0] == made.frame.start and wide.text(row) == text
    assert PieceTokenizer.fit(texts, 300).definition == made.definition


@pytest.mark.parametrize('kind', ['words', 'pieces'])
def test_what_a_run_keeps(kind, vocabulary):
    texts = ['good movie', 'the 東 movie was bad']
    made = keras(texts, None, 6) if kind == 'words' else PieceTokenizer.read(vocabulary, 6)
    again = from_json(json.loads(json.dumps(made.as_json())))
    assert type(again) is type(made) and again.frame == made.frame and again.size == made.size
    assert again.apply([*texts, 'unseen 😀']).tolist() == made.apply([*texts, 'unseen 😀']).tolist()
    with pytest.raises(UserError, match='train again'):
        from_json({'kind': kind})
    with pytest.raises(UserError, match='kind of tokenizer'):
        from_json({'kind': 'letters'})
