"""Several domains side by side: every picture of each, in an order of its own, whatever the sizes are."""

import jax
import numpy as np
import pytest

from jaxlab import data
from jaxlab.data.domains import Domains
from jaxlab.data.examples import in_memory
from jaxlab.data.splits import stretched_order
from jaxlab.errors import UserError
from jaxlab.protocol import ALL
from jaxlab.training.feeding import Feed, gather
from jaxlab.training.loop import Interrupted
from tests.training import lab, unpaired

UNEQUAL = Feed(8, 8, False, True, (0, 1), domains=(5, 8))


@pytest.fixture(autouse=True, scope='module')
def known():
    """The data set and the task are in their tables."""
    with lab.in_tables('two_greys', unpaired.read, 'unpaired', 'tests.training.unpaired:Unpaired'):
        yield


@pytest.fixture(scope='module')
def trained(known, tmp_path_factory):
    """Without an interruption."""
    return lab.train(unpaired.config(), tmp_path_factory.mktemp('unpaired'))


def test_an_epoch_is_as_long_as_the_longest_and_all_are_used():
    """5 and 8 pictures (traps: pairing by index): 8 pairs, all 13 pictures, the shorter domain's at most one time more."""
    for epoch in range(5):
        block = UNEQUAL.epoch(epoch)
        assert block.shape == (2, 1, 8, 2) and block.dtype == np.int32 and UNEQUAL.steps_per_epoch == 1
        for a, b in (one[0].T for one in block):
            assert sorted(b) == list(range(8))
            assert set(a) == set(range(5)) and np.bincount(a).max() == 2
    shown = np.concatenate([UNEQUAL.epoch(epoch)[0, 0, :, 0] for epoch in range(5)])
    assert np.bincount(shown).tolist() == [8] * 5  # over five epochs each equally often


def test_partners_change_from_epoch_to_epoch_and_with_equal_sizes_too():
    pairs = [set(map(tuple, UNEQUAL.epoch(epoch)[0, 0].tolist())) for epoch in range(2)]
    assert len(pairs[0] & pairs[1]) < 5
    equal = Feed(100, 100, False, True, (0,), domains=(100, 100)).epoch(0)[0, 0]
    assert (equal[:, 0] == equal[:, 1]).sum() < 10  # one seed's two permutations are not the same


def test_orders_are_a_pure_function_of_seed_and_epoch():
    np.testing.assert_array_equal(UNEQUAL.epoch(7), UNEQUAL.epoch(7))
    alone = Feed(8, 8, False, True, (1,), domains=(5, 8)).epoch(7)
    np.testing.assert_array_equal(UNEQUAL.epoch(7)[1], alone[0])  # replica 1 is the run of seed 1
    np.testing.assert_array_equal(UNEQUAL.epoch(2)[0, 0, :, 0], stretched_order(0, 2, 5, 8))
    np.testing.assert_array_equal(UNEQUAL.epoch(2)[0, 0, :, 1], stretched_order(0, 2, 8, 8, stream=1))


def test_a_split_of_domains():
    """Positions of every domain, or one position of all: then the shorter begins again."""
    split = Domains.of({'a': in_memory({'x': np.arange(2)}), 'b': in_memory({'x': 10 * np.arange(3)}, 2)})
    assert (
        split.size == 3
        and split.rows.tolist() == [[0, 0], [1, 1], [-1, 2]]
        and split.origin.tolist() == [0, 1, 2, 3, 4]
    )
    assert {name: values.tolist() for name, values in split.read([0, 2]).items()} == {'x_a': [0, 0], 'x_b': [0, 20]}
    assert split.read([[1, 0]])['x_a'].tolist() == [1] and list(split.arrays) == ['x_a', 'x_b']
    found = gather(split, np.array([[[1, 2], [0, -1]]]))
    assert found['x_a'].tolist() == [[1, 0]] and found['x_b'].tolist() == [[20, 0]]
    assert split.take([1, 2]).arrays['x_a'].tolist() == [1, 0]
    with pytest.raises(IndexError, match='outside a split of 2'):
        split.read([[2, 0]])
    with pytest.raises(ValueError, match='no underscore'):
        Domains.of({'a_b': in_memory({'x': np.arange(2)})})


def test_each_domain_is_loaded_as_a_data_set_of_its_own():
    config = unpaired.config(data__limit=4, data__scale=(-1.0, 1.0), data__transforms=(('shift', {'pixels': 1}),))
    loaded = data.load(config.data)
    assert loaded.splits['train'].size == 4 and set(loaded.features) == {'image_a', 'image_b'}
    assert loaded.input == 'image_a' and loaded.draws == 4
    assert 'train 4 of a and 4 of b' in loaded.notes[0] and loaded.notes[1].startswith('a: Train and test are disjoint')
    columns = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    batch = {'image_a': np.tile(columns, (50, 1, 1, 1)), 'image_b': np.tile(columns, (50, 1, 1, 1))}
    prepared = jax.jit(loaded.prepare)(batch)
    assert prepared['image_b'].dtype == np.float32 and float(prepared['image_b'].min()) == -1.0
    moved = jax.jit(loaded.augment)(prepared, jax.random.key(0))
    assert (np.asarray(moved['image_a']) != np.asarray(moved['image_b'])).any()  # a key for each domain
    with pytest.raises(UserError, match='data.sampling'):
        data.load(unpaired.config(data__sampling='undersample').data)


@pytest.mark.parametrize('form', [{}, {'parallel__devices': 4}, {'parallel__devices': 4, 'parallel__mode': 'pmap'}])
@pytest.mark.parametrize('size', [1, 4, 12])
def test_an_evaluation_sees_each_picture_of_each_domain_once(form, size):
    """3 and 4 test pictures in batches that do and do not fit: exact sums, and outputs in each domain's own order."""
    machine = lab.machine(unpaired.config(**form, data__batch_size=4, data__eval_batch_size=size))
    for part, sums in (('test', (36, 850)), ('train', (15, 1636))):
        found = machine.evaluate(machine.placement.state(machine.init()), part, keep=ALL)
        split = machine.data.splits[part]
        for name, total in zip('ab', sums):
            count = split.domains[name].size
            assert found.counts[f'value_{name}'] == count
            np.testing.assert_allclose(found.metrics[f'value_{name}'], total / count, rtol=1e-6)
            numbers = found.outputs[0][f'picture_{name}'][:count]
            np.testing.assert_allclose(numbers, split.domains[name].arrays['image'][:, 0, 0, 0], rtol=1e-6)
        assert found.counts['row'] == split.size


def test_training_sees_what_the_index_blocks_say(trained):
    """The mean number of the pictures of an epoch, over the rows of that epoch."""
    feed = Feed(8, 3, False, True, (0,), domains=(5, 8))
    for epoch, row in enumerate(trained.record.history):
        rows = feed.epoch(epoch).reshape(-1, 2)
        rows = rows[rows[:, 0] >= 0]
        assert row['train_value_a'][0] == pytest.approx(1 + rows[:, 0].mean(), rel=1e-6)
        assert row['train_value_b'][0] == pytest.approx(201 + 3.5, rel=1e-6)
    assert trained.facts['steps_per_epoch'] == 3


def test_interrupted_equals_uninterrupted(trained, tmp_path):
    config = unpaired.config(training__steps_per_call=1)
    with pytest.raises(Interrupted):
        lab.train(config, tmp_path, lab.Listener(stop_at=5))
    found = lab.train(config, tmp_path)
    assert found.facts['params_digest'] == trained.facts['params_digest']
    assert found.record.history[-1]['train_loss_a'] == trained.record.history[-1]['train_loss_a']


@pytest.mark.parametrize(
    'changes',
    [{'data__options': {'streamed': True}}, {'replicas': 2}, {'replicas': 2, 'replica_form': 'vmap'}],
    ids=['streamed', 'unrolled', 'vmap'],
)
def test_streams_and_replicas(changes, trained, tmp_path):
    """The first replica is the run alone, in whatever form; streamed examples are the same."""
    found = lab.train(unpaired.config(**changes), tmp_path)
    lab.close(found.record.states[0], trained.record.states[0], 1e-6)
    assert found.record.metrics['test_loss_b'][0] == pytest.approx(trained.record.metrics['test_loss_b'][0], rel=1e-6)


@pytest.mark.parametrize('mode', ['jit', 'pmap'])
def test_several_devices(mode, tmp_path):
    """Batches of 4 on four devices; the last one of an epoch is full."""
    one, four = (
        lab.train(unpaired.config(data__batch_size=4, **more), tmp_path / str(number))
        for number, more in enumerate([{}, {'parallel__devices': 4, 'parallel__mode': mode}])
    )
    lab.close(one.record.states, four.record.states, 1e-5)
    for metric in ('train_loss_a', 'test_loss_a', 'test_value_b'):
        assert one.record.metrics[metric] == pytest.approx(four.record.metrics[metric], rel=1e-5)
