"""Split rules and orders: published index sequences, scikit-learn's splitter, and invariants."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies

from jaxlab.data import DEFAULTS, dataset, epoch_order, pipeline, splits
from jaxlab.data.examples import in_memory
from jaxlab.data.features import ClassLabel, Tensor
from jaxlab.errors import UserError


def raw_of(**sizes):
    """A source whose part sizes are given; features and labels are the rows' numbers."""
    parts, first = {}, 0
    for name, size in sizes.items():
        rows = np.arange(first, first + size)
        parts[name] = in_memory({'image': rows.astype(np.int64), 'label': (rows % 3).astype(np.int32)}, first)
        first += size
    return dataset.Raw('files', parts, {'image': Tensor(), 'label': ClassLabel(('a', 'b', 'c'))}, '', '', '')


def settings_of(**changes):
    return {**DEFAULTS, **changes}


def test_published_permutations():
    rest, held = splits.permuted(70_000, 0.2, 42)
    assert held[:9].tolist() == [46730, 48393, 41416, 34506, 43725, 11615, 24656, 22411, 936]
    assert rest[:5].tolist() == [47339, 67456, 12308, 32557, 664]
    assert (len(rest), len(held)) == (56_000, 14_000)
    assert int((held >= 60_000).sum()) == 1_965 and int((rest >= 60_000).sum()) == 8_035
    rest, held = splits.permuted(50_000, 0.2, 42)
    assert held[:5].tolist() == [33553, 9427, 199, 12447, 39489]
    assert rest[:5].tolist() == [39087, 30893, 45278, 16398, 13653]


@settings(max_examples=40, deadline=None)
@given(strategies.integers(10, 200), strategies.integers(2, 5), strategies.floats(0.1, 0.9), strategies.integers(0, 99))
def test_equal_to_scikit_learn(size, classes, fraction, seed):
    from sklearn.model_selection import train_test_split

    labels = np.random.RandomState(seed).permutation(np.arange(size) % classes)
    rows, exact = np.arange(size), fraction * size
    assume(exact == round(exact) or abs(exact - round(exact)) > 1e-6)  # noise is forgiven here and not there: see below
    if not 0 < splits.held_out(size, fraction) < size:
        return
    rules = ((splits.permuted(size, fraction, seed), None), (splits.stratified(labels, fraction, seed), labels))
    for rule, stratify in rules:
        try:
            expected = train_test_split(rows, test_size=fraction, random_state=seed, stratify=stratify)
        except ValueError:  # scikit-learn refuses parts smaller than the number of classes
            continue
        np.testing.assert_array_equal(rule[0], expected[0])
        np.testing.assert_array_equal(rule[1], expected[1])


def test_rounding_noise_holds_out_no_further_example():
    assert splits.held_out(10, 0.1) == splits.held_out(10, 0.10000000000000002) == 1
    assert splits.held_out(10, 0.1 + 1e-6) == 2


@given(strategies.lists(strategies.integers(0, 3), min_size=4, max_size=80), strategies.floats(0.05, 0.95))
def test_stratified_is_a_partition_with_even_shares(labels, fraction):
    labels = np.array(labels)
    rest, held = splits.stratified(labels, fraction, 0)
    assert sorted([*rest, *held]) == list(range(len(labels)))
    for value in np.unique(labels):
        assert abs((labels[held] == value).sum() - fraction * (labels == value).sum()) < 2


@given(strategies.integers(0, 2**31), strategies.integers(0, 1000), strategies.integers(1, 300))
def test_epoch_order_is_a_pure_permutation(seed, epoch, size):
    order = epoch_order(seed, epoch, size)
    assert order.dtype == np.int32 and sorted(order) == list(range(size))
    np.testing.assert_array_equal(order, epoch_order(seed, epoch, size))


def test_epoch_order_is_pinned():
    """A change here changes every training run."""
    assert epoch_order(0, 0, 8).tolist() != epoch_order(0, 1, 8).tolist()
    assert epoch_order(0, 1, 10).tolist() == [1, 5, 6, 4, 8, 7, 9, 3, 2, 0]


@settings(deadline=None)
@given(
    strategies.integers(4, 60),
    strategies.integers(4, 60),
    strategies.sampled_from(['official', 'pooled']),
    strategies.sampled_from([0.0, 0.25, 0.5]),
    strategies.integers(0, 10),
    strategies.integers(0, 10),
    strategies.booleans(),
)
def test_splits_are_disjoint_and_complete(train, test, rule, fraction, limit, eval_limit, stratify):
    made = pipeline.make_splits(
        raw_of(train=train, test=test),
        settings_of(split=rule, validation_fraction=fraction, limit=limit, eval_limit=eval_limit, stratify=stratify),
    )
    note = pipeline.disjointness_note(made)
    assert 'by example and by content' in note
    rows = np.concatenate([part.arrays['image'] for part in made.values()])
    assert len(set(rows.tolist())) == len(rows)
    if not limit and not eval_limit:
        assert len(rows) == train + test
    assert not limit or made['train'].size <= limit
    for part in made.values():
        np.testing.assert_array_equal(part.origin, part.arrays['image'])
        np.testing.assert_array_equal(part.labels, part.arrays['label'])
    assert ('validation' in made) == bool(fraction)


def test_source_without_official_split_is_stratified():
    made = pipeline.make_splits(raw_of(all=90), settings_of(validation_fraction=0.5))
    assert {name: np.bincount(part.labels).tolist() for name, part in made.items()} == {
        'train': [12, 12, 12],
        'validation': [12, 12, 12],
        'test': [6, 6, 6],
    }


def test_official_validation_part_is_kept():
    made = pipeline.make_splits(raw_of(train=20, validation=6, test=8), settings_of(validation_fraction=0.5))
    assert {name: part.size for name, part in made.items()} == {'train': 20, 'validation': 6, 'test': 8}


def test_larger_limit_contains_the_smaller():
    small, large = (pipeline.limited(raw_of(train=50).parts['train'], limit, 7) for limit in (10, 20))
    assert set(small.origin) < set(large.origin)
    assert list(small.origin) == sorted(small.origin)


def test_equal_contents_are_told():
    raw = raw_of(train=6, test=3)
    raw.parts['test'].arrays['image'][0] = 2
    note = pipeline.disjointness_note(pipeline.make_splits(raw, settings_of()))
    assert '1 of test also in train' in note


def test_shared_examples_are_a_bug():
    part = raw_of(train=6).parts['train']
    with pytest.raises(AssertionError, match='share 6'):
        pipeline.disjointness_note({'train': part, 'test': part})


@pytest.mark.parametrize(
    'changes', [{'validation_fraction': 0.01}, {'split': 'pooled', 'test_fraction': 0.0}, {'split': 'poolde'}]
)
def test_impossible_splits_are_refused(changes):
    raw = raw_of(train=1, test=1) if 'validation_fraction' in changes else raw_of(train=9, test=3)
    with pytest.raises(UserError, match='valid'):
        pipeline.make_splits(raw, settings_of(**changes))


GROUPS = np.array([7, 3, 7, 7, 1, 3, 9, 9, 2, 7])  # five groups of 4, 2, 1, 2 and 1


@given(strategies.integers(0, 1000), strategies.sampled_from([0.2, 0.4, 0.6]))
def test_groups_are_never_divided(seed, fraction):
    """Each group that is held out is there once, with its first example; the rest keeps its order."""
    rest, out = splits.grouped(GROUPS, fraction, seed)
    assert len(out) == round(5 * fraction) and not set(GROUPS[rest]) & set(GROUPS[out])
    assert set(GROUPS[rest]) | set(GROUPS[out]) == set(GROUPS) and (np.diff(rest) > 0).all()
    assert all(row == np.flatnonzero(GROUPS[row] == GROUPS)[0] for row in out)
    assert all((GROUPS[rest] == one).sum() == (one == GROUPS).sum() for one in set(GROUPS[rest]))


def test_groups_go_through_every_rule():
    whole = dataclasses.replace(raw_of(all=10).parts['all'], groups=GROUPS, labels=None)
    raw = dataclasses.replace(raw_of(all=10), parts={'all': whole}, by_class=False)
    for changes in ({}, {'split': 'pooled'}):
        made = pipeline.make_splits(raw, settings_of(test_fraction=0.2, validation_fraction=0.25, **changes))
        kinds = [set(split.groups.tolist()) for split in made.values()]
        assert [len(one) for one in kinds] == [3, 1, 1] and len(set.union(*kinds)) == 5
    with pytest.raises(UserError, match='of 5 examples'):
        pipeline.make_splits(raw, settings_of(test_fraction=0.0))
