"""Rules from text to words: the specs' examples, blanks and lines of every kind, other scripts."""

import pytest

from jaxlab.data.text.words import RULES, Rule, lines_of, one_line, read_lines, treebank, without_accents
from jaxlab.errors import UserError


def test_treebank_words_of_b15():
    text = "I loved it, didn't you?<br /><br />10/10.".lower()
    words = RULES['treebank'].words(text)
    assert ' '.join(words) == "i loved it , did n't you ? < br / > < br / > 10/10 ." and len(words) == 18
    words = treebank('Mr. Smith cannot pay $3.50... "Fine," he said (twice).')
    assert ' '.join(words) == "Mr. Smith can not pay $ 3.50 ... `` Fine , '' he said ( twice ) ."
    words = treebank("they're gonna win. it's 10:30, isn't it? J. K. Rowling's")
    assert ' '.join(words) == "they 're gon na win . it 's 10:30 , is n't it ? J. K. Rowling 's"


def test_keras_words_of_a06():
    """A line break in HTML leaves the word "br"; apostrophes stay; U+0085 parts words."""
    assert RULES['keras'].words("It's GOOD.<br />Really\x85good!") == ["it's", 'good', 'br', 'really', 'good']


def test_bare_words_of_d33():
    assert RULES['bare'].words("Don't  stop, Tom!") == ['dont', 'stop', 'tom']
    assert RULES['bare'].words('«Нет» — да') == ['«нет»', '—', 'да']  # ASCII punctuation alone goes


def test_spaces_of_b16_and_marks_apart():
    assert RULES['spaces'].words('Je me vis par moi-même.') == ['je', 'me', 'vis', 'par', 'moi-même.']
    assert RULES['apart'].words("Aujourd'hui, l'été est là\u202f!") == ["aujourd'hui", ',', "l'été", 'est', 'là', '!']
    assert RULES['plain'].words('L’été à Besançon') == ['l’ete', 'a', 'besancon']


@pytest.mark.parametrize('name', RULES)
def test_empty_text_emoji_and_other_scripts(name):
    words = RULES[name].words
    assert words('') == words(' \u00a0\n') == []
    assert ''.join(words('😀 привет 東京 שלום')).replace(' ', '') == '😀привет東京שלום'
    assert len(words('word ' * 50_000)) == 50_000


def test_composed_and_decomposed_letters_are_one_word():
    assert Rule().words('e\u0301te\u0301') == Rule().words('été') == ['été']
    assert without_accents('Ёлка naïve') == 'Елка naive'
    assert one_line(' e\u0301t\u00a0\u202fla ') == 'ét la'


def test_lines_end_at_line_feeds_alone(tmp_path):
    assert lines_of('a\x85b\u2028c\r\n\nd\n') == ['a\x85b\u2028c', '', 'd']
    assert lines_of('a\n\n') == ['a', ''] and lines_of('') == []
    (tmp_path / 'a.txt').write_bytes('\ufeffune\nligne'.encode())
    assert read_lines(tmp_path / 'a.txt') == ['une', 'ligne']
    (tmp_path / 'a.txt').write_bytes(b'\xff\xfe')
    with pytest.raises(UserError, match='valid: a file in UTF-8'):
        read_lines(tmp_path / 'a.txt')


def test_unknown_rule():
    with pytest.raises(UserError, match="did you mean 'apart'"):
        Rule(marks='apartt').words('a')
