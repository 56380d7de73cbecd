"""A little grammar of opinions: text with a class that a network can learn, and a bag of words alone cannot wholly."""

import numpy as np

SUBJECTS = ('the film', 'the story', 'the acting', 'the music', 'this picture', 'the plot', 'the ending', 'the script')
VERBS = ('is', 'was', 'seems', 'felt', 'looks')
DEGREES = ('', '', 'very', 'really', 'rather', 'quite', 'truly')
GOOD = ('good', 'great', 'moving', 'funny', 'brilliant', 'lovely', 'clever', 'wonderful', 'fresh', 'honest')
BAD = ('bad', 'dull', 'boring', 'stupid', 'awful', 'weak', 'silly', 'terrible', 'stale', 'fake')
FILLERS = (
    'i saw it on a rainy evening',
    'my brother came along',
    'we sat in the third row',
    'it was shown twice that day',
    'the book came out long ago',
    'there were few people there',
)


def draw(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    """`count` texts of 2 to 6 clauses, and what the writer thinks [count] int32: 1 likes it.

    Most clauses hold an opinion; every fourth of these is negated ("not good"), and one behind "but" decides.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count).astype(np.int32)
    return [_text(rng, bool(label)) for label in labels], labels


def _text(rng: np.random.Generator, likes: bool) -> str:
    clauses = [_opinion(rng, likes) for _ in range(rng.integers(1, 4))]
    clauses += [str(rng.choice(FILLERS)) for _ in range(rng.integers(0, 3))]
    text = '. '.join(clauses[at] for at in rng.permutation(len(clauses)))
    if rng.random() < 0.3:
        text = f'{_opinion(rng, not likes)}, but {_opinion(rng, likes)}. {text}'
    return text.capitalize() + '.'


def _opinion(rng: np.random.Generator, likes: bool) -> str:
    negated = rng.random() < 0.25
    word = rng.choice(GOOD if likes != negated else BAD)
    parts = (rng.choice(SUBJECTS), rng.choice(VERBS), 'not' if negated else '', rng.choice(DEGREES), word)
    return ' '.join(str(part) for part in parts if part)
