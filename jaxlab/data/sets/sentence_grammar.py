"""Sentences of a small grammar in four languages, each with its one translation: what stands in for real pairs.

Words move and agree as they do in the languages: adjectives before or behind the noun (French), gender, case of what is seen
(German, Russian), the adverb's place. A network that translates word by word is wrong; one that has the rules is right.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

ARTICLES = ('my', 'our')
FRENCH_OWN = {'my': ('mon', 'ma'), 'our': ('notre', 'notre')}  # masculine, feminine
GERMAN_OWN = {'my': 'mein', 'our': 'unser'}
RUSSIAN_OWN = {  # masculine, feminine, neuter; then of what is seen: a masculine being, a feminine
    'my': ('мой', 'моя', 'моё', 'моего', 'мою'),
    'our': ('наш', 'наша', 'наше', 'нашего', 'нашу'),
}


class Noun(NamedTuple):
    """A thing or being, m, f or n; in Russian also as what is seen, `being` where it lives."""

    french: tuple[str, str]
    german: tuple[str, str]
    russian: tuple[str, str]
    seen: str
    being: bool = False


NOUNS = {
    'cat': Noun(('chat', 'm'), ('Katze', 'f'), ('кот', 'm'), 'кота', True),
    'dog': Noun(('chien', 'm'), ('Hund', 'm'), ('собака', 'f'), 'собаку'),
    'house': Noun(('maison', 'f'), ('Haus', 'n'), ('дом', 'm'), 'дом'),
    'book': Noun(('livre', 'm'), ('Buch', 'n'), ('книга', 'f'), 'книгу'),
    'window': Noun(('fenêtre', 'f'), ('Fenster', 'n'), ('окно', 'n'), 'окно'),
    'teacher': Noun(('professeur', 'm'), ('Lehrer', 'm'), ('учитель', 'm'), 'учителя', True),
    'daughter': Noun(('fille', 'f'), ('Tochter', 'f'), ('дочь', 'f'), 'дочь'),
    'car': Noun(('voiture', 'f'), ('Auto', 'n'), ('машина', 'f'), 'машину'),
    'garden': Noun(('jardin', 'm'), ('Garten', 'm'), ('сад', 'm'), 'сад'),
    'key': Noun(('clé', 'f'), ('Schlüssel', 'm'), ('ключ', 'm'), 'ключ'),
}
ADJECTIVES = {  # French masculine, feminine, whether it stands before the noun; German stem; Russian as RUSSIAN_OWN
    'big': (('grand', 'grande', True), 'groß', ('большой', 'большая', 'большое', 'большого', 'большую')),
    'small': (('petit', 'petite', True), 'klein', ('маленький', 'маленькая', 'маленькое', 'маленького', 'маленькую')),
    'old': (('vieux', 'vieille', True), 'alt', ('старый', 'старая', 'старое', 'старого', 'старую')),
    'new': (('nouveau', 'nouvelle', True), 'neu', ('новый', 'новая', 'новое', 'нового', 'новую')),
    'red': (('rouge', 'rouge', False), 'rot', ('красный', 'красная', 'красное', 'красного', 'красную')),
    'white': (('blanc', 'blanche', False), 'weiß', ('белый', 'белая', 'белое', 'белого', 'белую')),
}
VERBS = {
    'sees': ('voit', 'sieht', 'видит'),
    'finds': ('trouve', 'findet', 'находит'),
    'likes': ('aime', 'mag', 'любит'),
    'loses': ('perd', 'verliert', 'теряет'),
}
ADVERBS = {
    '': ('', '', ''),
    'often': ('souvent', 'oft', 'часто'),
    'today': ("aujourd'hui", 'heute', 'сегодня'),
}
Phrase = tuple[str, str, str]  # article, adjective or '', noun
Sentence = tuple[Phrase, str, Phrase, str]  # who, verb, what, adverb or ''


def english(sentence: Sentence) -> str:
    """My old dog often sees our white house."""
    who, verb, what, adverb = sentence
    before, behind = (adverb, '') if adverb == 'often' else ('', adverb)
    return _spoken(*who, before, verb, *what, behind)


def french(sentence: Sentence) -> str:
    """Mon vieux chien voit souvent notre maison blanche."""

    def phrase(article: str, adjective: str, noun: str) -> tuple[str, ...]:
        word, gender = NOUNS[noun].french
        own = FRENCH_OWN[article][gender == 'f']
        if not adjective:
            return own, word
        (*forms, before), _, _ = ADJECTIVES[adjective]
        form = str(forms[gender == 'f'])
        return (own, form, word) if before else (own, word, form)

    who, verb, what, adverb = sentence
    word = ADVERBS[adverb][0]
    between, behind = (word, '') if adverb == 'often' else ('', word)
    return _spoken(*phrase(*who), VERBS[verb][0], between, *phrase(*what), behind)


def german(sentence: Sentence) -> str:
    """Mein alter Hund sieht oft unser weißes Haus."""

    def phrase(article: str, adjective: str, noun: str, seen: bool) -> tuple[str, ...]:
        word, gender = NOUNS[noun].german
        ending = {'m': 'en' if seen else 'er', 'f': 'e', 'n': 'es'}[gender]
        own = GERMAN_OWN[article] + {'m': 'en' if seen else '', 'f': 'e', 'n': ''}[gender]
        return own, ADJECTIVES[adjective][1] + ending if adjective else '', word

    who, verb, what, adverb = sentence
    return _spoken(*phrase(*who, False), VERBS[verb][1], ADVERBS[adverb][1], *phrase(*what, True))


def russian(sentence: Sentence) -> str:
    """Моя старая собака часто видит наш белый дом; 'today' stands in front."""

    def phrase(article: str, adjective: str, noun: str, seen: bool) -> tuple[str, ...]:
        (word, gender), found = NOUNS[noun].russian, NOUNS[noun]
        form = 'mfn'.index(gender)
        if seen and (gender == 'f' or found.being):
            form = 4 if gender == 'f' else 3
        beside = ADJECTIVES[adjective][2][form] if adjective else ''
        return RUSSIAN_OWN[article][form], beside, found.seen if seen else word

    who, verb, what, adverb = sentence
    word = ADVERBS[adverb][2]
    first, before = (word, '') if adverb == 'today' else ('', word)
    return _spoken(first, *phrase(*who, False), before, VERBS[verb][2], *phrase(*what, True))


LANGUAGES: dict[str, Callable[[Sentence], str]] = {'eng': english, 'fra': french, 'deu': german, 'rus': russian}


def sentences(count: int, seed: int) -> list[Sentence]:
    """So many different ones, in the order in which they were drawn."""
    phrases = list(itertools.product(ARTICLES, ('', *ADJECTIVES), NOUNS))
    verbs, adverbs = list(VERBS), list(ADVERBS)
    total = len(phrases) ** 2 * len(verbs) * len(adverbs)
    found = []
    for number in np.random.default_rng(seed).choice(total, count, replace=False).tolist():
        number, adverb = divmod(number, len(adverbs))
        number, verb = divmod(number, len(verbs))
        who, what = divmod(number, len(phrases))
        found.append((phrases[who], verbs[verb], phrases[what], adverbs[adverb]))
    return found


def pairs(source: str, target: str, count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """(sources, targets) in two of `LANGUAGES`."""
    drawn: Sequence[Sentence] = sentences(count, seed)
    return [LANGUAGES[source](one) for one in drawn], [LANGUAGES[target](one) for one in drawn]


def _spoken(*words: str) -> str:
    text = ' '.join(filter(None, words))
    return f'{text[0].upper()}{text[1:]}.'
