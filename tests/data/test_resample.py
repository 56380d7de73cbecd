"""Resampling of the training split: class sizes, SMOTE's geometry, nothing of the other splits, pure functions of a seed."""

import numpy as np
import pytest
import sklearn.neighbors
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxlab import data
from jaxlab.data import resample
from jaxlab.data.examples import Split, in_memory
from jaxlab.data.features import Columns
from jaxlab.data.splits import drawn_order, epoch_order, stretched_order
from jaxlab.errors import UserError
from jaxlab.training.feeding import Feed
from tests.training import lab

NAMES = ('normal', 'fraud')
BLOCK = {'name': 'credit_card', 'source': 'embedded', 'validation_fraction': 0.2, 'stratify': True}


@pytest.fixture
def table() -> Split:
    """60 normal rows and 12 frauds of three features, in mixed order."""
    generator = np.random.default_rng(0)
    label = (generator.permutation(72) < 12).astype(np.int32)
    features = generator.normal(size=(72, 3)).astype(np.float32) + 2 * label[:, None]
    return in_memory({'features': features, 'label': label, 'weightless': np.arange(72)})


def after(split: Split, strategy: str, ratio: float = 1.0, neighbours: int = 5, seed: int = 42):
    return resample.resampled(split, NAMES, strategy, ratio, neighbours, seed)


def test_spec_check_of_smote():
    """B08: x = (1, 2), neighbour (3, 6), lambda 0.25."""
    np.testing.assert_allclose(resample.between(np.array([1.0, 2.0]), np.array([3.0, 6.0]), 0.25), [1.5, 3.0], rtol=0)


@pytest.mark.parametrize('strategy', ['undersample', 'oversample', 'smote'])
def test_classes_are_equal_afterwards(table, strategy):
    made, sampling = after(table, strategy)
    each = 12 if strategy == 'undersample' else 60
    assert np.bincount(made.labels).tolist() == [each, each] == sampling.after.tolist()
    assert sampling.before.tolist() == [60, 12] and sampling.draws == 72 and sampling.chances is None
    assert made.size == len(made.origin) == 2 * each
    np.testing.assert_array_equal(made.arrays['label'], made.labels)


@pytest.mark.parametrize('strategy', ['undersample', 'oversample', 'smote', 'weighted'])
def test_a_pure_function_of_the_seed(table, strategy):
    (one, first), (again, second), (other, _) = (after(table, strategy, seed=seed) for seed in (1, 1, 2))
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(values, again.arrays[name])
    np.testing.assert_array_equal(first.after, second.after)
    if strategy != 'weighted':
        assert not np.array_equal(one.arrays['features'], other.arrays['features'])


def test_kept_and_repeated_rows_are_rows_of_the_split(table):
    fewer, _ = after(table, 'undersample')
    assert len(np.unique(fewer.origin)) == 24  # without replacement
    more, _ = after(table, 'oversample')
    np.testing.assert_array_equal(more.origin[:72], table.origin)  # all of them, once, then copies of frauds
    assert set(more.labels[72:]) == {1}
    for split in (fewer, more):
        np.testing.assert_array_equal(split.arrays['features'], table.arrays['features'][split.origin])
        np.testing.assert_array_equal(split.labels, table.labels[split.origin])


def test_made_rows_lie_between_near_rows_of_their_class(table):
    """Each on the segment from a fraud to one of its five nearest other frauds, and not at its start."""
    made, _ = after(table, 'smote')
    np.testing.assert_array_equal(made.arrays['features'][:72], table.arrays['features'])
    assert (made.origin[72:] == resample.MADE).all() and (made.labels[72:] == 1).all()
    frauds = table.arrays['features'][table.labels == 1].astype(np.float64)
    distances = np.linalg.norm(frauds[:, None] - frauds, axis=-1)
    near = distances.argsort(axis=1)[:, 1:6]  # the first is the row itself
    starts = np.repeat(np.arange(12), 5)
    a, b = frauds[starts], frauds[near.ravel()]
    for point in made.arrays['features'][72:].astype(np.float64):
        share = ((point - a) * (b - a)).sum(1) / ((b - a) ** 2).sum(1)
        off = np.linalg.norm(a + share[:, None] * (b - a) - point, axis=1)
        fits = (off < 1e-5) & (share >= 0) & (share <= 1)
        assert fits.any()
    distinct = np.unique(made.arrays['features'][72:], axis=0)
    assert len(distinct) == 48  # nothing was copied


def test_a_row_is_never_its_own_neighbour():
    """Not even among rows with the same values, where its distance to the others is 0 too."""
    points = np.array([[0.0], [0.0], [0.0], [1.0], [2.0], [5.0]])
    near = resample.nearest(points, 2)
    assert not (near == np.arange(6)[:, None]).any()
    reference = sklearn.neighbors.NearestNeighbors(n_neighbors=3, algorithm='brute').fit(points)
    distances = reference.kneighbors(points)[0][:, 1:]
    np.testing.assert_allclose(np.abs(points[near, 0] - points), distances)


def test_every_neighbour_is_used():
    """k = 5: each of the five is drawn, the sixth never."""
    features = np.array([[0.0, 0.0], *[[np.cos(t), np.sin(t)] for t in np.arange(5) * 2 * np.pi / 5], [50.0, 0.0]])
    generator = np.random.default_rng(0)
    made, bases = resample.smote(features, np.ones(7, int), np.array([0, 2007]), 5, generator)
    angles = np.round(np.degrees(np.arctan2(*made[bases == 0].T[::-1])) / 72) % 5
    assert np.bincount(angles.astype(int)).min() > 20
    assert (made[bases == 0] ** 2).sum(1).max() <= 1  # not to (50, 0)
    share = np.linalg.norm(made[bases == 0], axis=1)  # lambda, uniform
    assert abs(share.mean() - 0.5) < 0.06 and share.min() >= 0


def test_categories_are_never_mixed():
    """SMOTE-NC: made rows have one category, the neighbours' most frequent; it also measures how far rows lie apart."""
    generator = np.random.default_rng(0)
    codes = np.eye(3)[generator.integers(0, 3, 40)] * [2.0, 3.0, 4.0] - 1
    pair = generator.integers(0, 2, (40, 1)) * 2.5
    features = np.concatenate([generator.normal(size=(40, 2)), codes, pair], axis=1)
    made, bases = resample.smote(features, np.ones(40, int), np.array([0, 400]), 5, generator, ((2, 5), (5, 6)))
    kinds = {tuple(row) for row in features[:, 2:5]}
    assert {tuple(row) for row in made[:, 2:5]} <= kinds and set(made[:, 5]) <= set(features[:, 5])
    measured = resample.distant(features, ((2, 5), (5, 6)))
    median = np.median(features[:, :2].std(axis=0))
    plain = ((features[0, :2] - features[:, :2]) ** 2).sum(1)
    differs = (codes[0] != codes).any(1).astype(float) + (pair[0] != pair)[:, 0]
    np.testing.assert_allclose(((measured[0] - measured) ** 2).sum(1), plain + differs * median**2)
    near = resample.nearest(measured, 5)[bases[0]]
    votes = {kind: sum(tuple(codes[one]) == kind for one in near) for kind in kinds}
    assert votes[tuple(made[0, 2:5])] == max(votes.values())


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(0, 50), min_size=2, max_size=5).filter(lambda found: sum(c > 0 for c in found) > 1),
    ratio=st.floats(0.05, 1.0),
)
def test_target_counts(counts, ratio):
    counts = np.array(counts)
    fewer = resample.target_counts(counts, 'undersample', ratio)
    more = resample.target_counts(counts, 'oversample', ratio)
    assert (fewer <= counts).all() and (more >= counts).all()
    assert fewer[counts > 0].min() == counts[counts > 0].min() and more.max() == counts.max()
    assert ((fewer == 0) == (counts == 0)).all() and ((more == 0) == (counts == 0)).all()
    assert fewer.max() <= counts[counts > 0].min() / ratio + 0.5
    assert more[counts > 0].min() >= ratio * counts.max() - 0.5


@pytest.mark.parametrize('strategy', ['oversample', 'smote'])
def test_three_classes_and_a_ratio(strategy):
    label = np.repeat([0, 1, 2], [40, 10, 22]).astype(np.int32)
    split = in_memory({'features': np.random.default_rng(1).normal(size=(72, 2)), 'label': label})
    made, _ = resample.resampled(split, ('a', 'b', 'c'), strategy, 0.5, 3, 0)
    assert np.bincount(made.labels).tolist() == [40, 20, 22]


def test_weighted_draws():
    """Half of the draws are frauds; each is drawn n / (2 n_1) times an epoch on average; seed and epoch decide."""
    label = np.repeat([0, 1], [970, 30])
    chances = resample.row_chances(label, resample.target_counts(np.bincount(label), 'weighted'))
    assert (
        chances.sum() == pytest.approx(1)
        and chances[0] == pytest.approx(1 / 1940)
        and chances[-1] == pytest.approx(1 / 60)
    )
    rows = drawn_order(3, 0, chances, 20_000)
    assert label[rows].mean() == pytest.approx(0.5, abs=0.015)
    np.testing.assert_array_equal(rows, drawn_order(3, 0, chances, 20_000))
    assert not np.array_equal(rows, drawn_order(3, 1, chances, 20_000))
    assert not np.array_equal(rows, drawn_order(4, 0, chances, 20_000))
    assert np.bincount(rows[label[rows] == 1] - 970, minlength=30).min() > 200  # every fraud is drawn
    assert not np.array_equal(drawn_order(0, 1, chances, 500), drawn_order(1, 0, chances, 500))  # a pair, not its sum


def test_an_epoch_keeps_its_length():
    """7 rows, 10 draws an epoch: permutation after permutation, so that in 7 epochs each row comes 10 times."""
    epochs = [stretched_order(5, epoch, 7, 10) for epoch in range(7)]
    joined = np.concatenate(epochs)
    np.testing.assert_array_equal(joined[:7], epoch_order(5, 0, 7))
    np.testing.assert_array_equal(joined[7:14], epoch_order(5, 1, 7))
    assert np.bincount(joined).tolist() == [10] * 7
    np.testing.assert_array_equal(stretched_order(5, 3, 7, 7), epoch_order(5, 3, 7))
    np.testing.assert_array_equal(
        stretched_order(5, 2, 7, 3), np.concatenate([epoch_order(5, 0, 7), epoch_order(5, 1, 7)])[6:9]
    )
    feed = Feed(7, 4, False, False, (0,), draws=10)
    assert feed.steps_per_epoch == 3 and feed.epoch(1).reshape(-1).tolist() == [3, 4, 5, 6, 0, 1, 2, 3, 4, 5, -1, -1]


def test_the_feed_of_a_weighted_set():
    loaded = data.load({**BLOCK, 'sampling': 'weighted', 'limit': 2000})
    assert loaded.splits['train'].size == 2000 == loaded.sampling.before.sum()
    config = lab.small(data__batch_size=64).data
    feed = Feed.of(config, loaded, (0, 1))
    rows = feed.epoch(0)
    assert rows.shape == (2, 32, 64) and (rows[:, -1] == -1).sum() == 2 * 48
    share = loaded.splits['train'].labels[rows[rows >= 0]].mean()
    assert share == pytest.approx(0.5, abs=0.04)
    assert not np.array_equal(rows[0], rows[1]) and not np.array_equal(rows, feed.epoch(1))


@pytest.mark.parametrize('strategy', ['', 'smote', 'oversample', 'undersample'])
def test_training_rows_alone_decide(monkeypatch, strategy):
    """Scalers and SMOTE: with other validation and test rows the training features have the same bits."""
    block = {**BLOCK, 'sampling': strategy, 'limit': 1500}
    plain = data.load(block)
    original = Columns.made

    def disturbed(feature, field, splits, fitted):
        changed = {}
        for name, split in splits.items():
            rows = split.arrays['columns'].copy()
            if name != 'train':
                for column in rows.dtype.names:
                    rows[column] = 1e3 * rows[column] + 7
            changed[name] = Split(split.size, {**split.arrays, 'columns': rows}, split.origin, labels=split.labels)
        return original(feature, field, changed, fitted)

    monkeypatch.setattr(Columns, 'made', disturbed)
    other = data.load(block)
    for name, values in plain.splits['train'].arrays.items():
        assert values.tobytes() == other.splits['train'].arrays[name].tobytes(), name
    assert not np.array_equal(plain.splits['test'].arrays['features'], other.splits['test'].arrays['features'])


def test_smote_measures_between_scaled_features_of_the_training_rows():
    """The made rows come from the features as the network gets them; the other splits stay as they were."""
    plain, made = (data.load({**BLOCK, 'sampling': sampling, 'limit': 2000}) for sampling in ('', 'smote'))
    size = plain.splits['train'].size
    np.testing.assert_array_equal(
        made.splits['train'].arrays['features'][:size], plain.splits['train'].arrays['features']
    )
    assert np.abs(made.splits['train'].arrays['features'][size:]).max() < 10
    np.testing.assert_allclose(plain.splits['train'].arrays['features'].mean(0), 0, atol=1e-5)
    for name in ('validation', 'test'):
        assert plain.splits[name].arrays['features'].tobytes() == made.splits[name].arrays['features'].tobytes()
        assert not np.intersect1d(made.splits['train'].origin, made.splits[name].origin).size
    assert made.draws == plain.draws == 2000
    assert any('SMOTE of the training split alone: fraud ' in note for note in made.notes)


def test_images_are_resampled_too():
    block = {'name': 'mnist', 'source': 'embedded', 'limit': 300}
    plain = data.load(block).splits['train']
    counts = np.bincount(plain.labels)
    for strategy, each in (('undersample', counts.min()), ('oversample', counts.max())):
        split = data.load({**block, 'sampling': strategy}).splits['train']
        assert np.bincount(split.labels).tolist() == [each] * 10
        assert split.arrays['image'].shape == (10 * each, *plain.arrays['image'].shape[1:])
    assert data.load({**block, 'sampling': 'weighted'}).sampling.chances.shape == (300,)


def test_streamed_examples_are_repeated_by_their_rows():
    images = np.arange(10)[:, None, None, None] * np.ones((1, 2, 2, 1))
    label = np.array([0] * 7 + [1] * 3, np.int32)
    streamed = Split(10, None, np.arange(10), lambda rows: {'image': images[rows], 'label': label[rows]}, label)
    made, _ = after(streamed, 'oversample')
    assert made.size == 14 and made.arrays is None
    read = made.read(np.arange(14))
    np.testing.assert_array_equal(read['image'][:, 0, 0, 0], made.origin)
    assert read['label'].sum() == 7
    with pytest.raises(UserError, match="data.sampling='smote' mixes the columns of a table in memory"):
        after(streamed, 'smote')


@pytest.mark.parametrize(
    ('block', 'words'),
    [
        (
            {'name': 'mnist', 'sampling': 'smote'},
            "data.sampling='smote' .* valid: '', weighted, undersample, oversample",
        ),
        ({'name': 'mnist', 'sampling': 'smoot'}, "unknown data.sampling 'smoot'; did you mean 'smote'"),
        (
            {'name': 'mnist', 'sampling': 'weighted', 'sampling_ratio': 0.0},
            'data.sampling_ratio=0; valid: a number above 0',
        ),
        ({'name': 'mnist', 'sampling': 'weighted', 'sampling_ratio': 2.0}, 'data.sampling_ratio=2.0; valid'),
        (
            {'name': 'mnist', 'sampling_neighbours': 0},
            'data.sampling_neighbours=0; valid: a whole number of at least 1',
        ),
        ({'name': 'california_housing', 'sampling': 'oversample'}, 'needs one class an example'),
        (
            {**BLOCK, 'sampling': 'smote', 'limit': 2000, 'sampling_neighbours': 500},
            "sampling_neighbours=500 needs more than 500 training examples of a class; 'fraud' has",
        ),
    ],
)
def test_what_is_refused(block, words):
    with pytest.raises(UserError, match=words) as error:
        data.load({'source': 'embedded', **block})
    assert '\n' not in str(error.value)


def test_where_nothing_is_lacking_nothing_is_drawn():
    """Equal classes; a class without an example keeps its place and draws nothing."""
    labels, rng = np.repeat([0, 1], 5), np.random.Generator(np.random.Philox(0))
    np.testing.assert_array_equal(resample.repeated_rows(labels, np.array([5, 5]), rng), np.arange(10))
    chances = resample.row_chances(np.array([0, 0, 1]), np.array([2, 2, 0]))
    np.testing.assert_allclose(chances, [0.25, 0.25, 0.5])


def test_labels_that_are_no_classes_are_not_resampled():
    split = in_memory({'features': np.zeros((4, 1), np.float32), 'label': np.linspace(0, 1, 4)})
    with pytest.raises(UserError, match="data.sampling='oversample' needs one class an example"):
        resample.resampled(split, ('a', 'b'), 'oversample', 1.0, 5, 0)
