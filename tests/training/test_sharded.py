"""Parameters and optimizer state split over devices: the results of one device, less memory, checkpoints in pieces."""

import jax
import numpy as np
import pytest

from configs import common
from jaxlab.errors import UserError
from jaxlab.models.transformer import TransformerClassifier
from jaxlab.optimizers import build_optimizer
from jaxlab.tasks.supervised import prepared
from jaxlab.training.checkpoints import Checkpoints
from jaxlab.training.loop import Interrupted
from jaxlab.training.shard_rules import Rules
from jaxlab.training.split_digest import is_split, split_digest
from tests.training import lab, ragged

WIDE = {'model__features': (64,), 'model__batch_norm': False, 'optimizer__name': 'adam'}
EIGHT = {'parallel__devices': 8}
BOTH = {**EIGHT, 'parallel__model_axis': 2}


class Attentive(ragged.Reading):
    """By a Transformer of one layer; what is dropped out on several devices is seen in the other network."""

    @classmethod
    def from_config(cls, config, data, steps_per_epoch, total_steps, **options):
        sizes = {'layers': 1, 'width': 32, 'heads': 4, 'hidden': 64, 'max_length': 24}
        model = TransformerClassifier(1, **sizes, vocabulary=9, padding=0, dropout=0.0)
        rule = build_optimizer(config.optimizer, steps_per_epoch, total_steps)
        return cls(model, rule, prepared(data), data.input)


@pytest.fixture(autouse=True, scope='module')
def known():
    """The data set of sequences and the task are in their tables."""
    with lab.in_tables('ragged', ragged.read, 'reading', 'tests.training.test_sharded:Attentive'):
        yield


def mlp(**changes):
    config = lab.small()
    config.optimizer = common.adam(0.01)
    config.model.update({'features': (64,), 'batch_norm': False})
    return lab.changed(config, **changes)


def transformer(**changes):
    return ragged.config(data__buckets=0, data__limit=20, **changes)


def bytes_a_device(state) -> int:
    """Of the first device."""
    shards = [leaf.addressable_shards[0] for leaf in jax.tree.leaves(state)]
    return sum(shard.data.nbytes for shard in shards)


@pytest.fixture(scope='module', params=[mlp, transformer])
def one(request):
    """(config, two epochs of it on one device in float64)"""
    with jax.enable_x64(True):
        return request.param, lab.steps(request.param(), 1, np.float64)


@pytest.mark.parametrize(('changes', 'share'), [({**EIGHT, 'parallel__shard': 'fsdp'}, 0.2), (BOTH, 0.7)])
def test_equal_to_one_device_in_less_memory(one, changes, share, float64):
    """A state lies in eight pieces; or split over `model` alone, by the network's own rules."""
    made, whole = one
    config = made(**{'parallel__shard': (made.__name__,), **changes})
    split = lab.steps(config, 1, np.float64)
    assert split.logs['loss'].dtype == np.float64
    lab.close(split.logs, whole.logs, 1e-10)
    lab.close(split.state, whole.state, 1e-10)
    lab.close(split.evaluation, whole.evaluation, 1e-10)
    placement = lab.machine(config).placement
    assert bytes_a_device(placement.state(whole.state)) < share * sum(
        leaf.nbytes for leaf in jax.tree.leaves(whole.state)
    )


def test_what_the_rules_split():
    """The largest axis that the devices divide, of what a tensor rule leaves; small leaves stay whole."""
    sizes = {'batch': 4, 'model': 2}
    rules = Rules.of(('transformer', 'fsdp', (r'bias$', 0)))
    axes = lambda path, shape: rules.axes(path, shape, 4, sizes)
    assert axes('layer_0/attention/query/kernel', (128, 128)) == ('batch', 'model')
    assert axes('layer_0/attention/out/kernel', (128, 128)) == ('model', 'batch')
    assert axes('opt_state/0/mu/layer_0/feed_forward/dense_2/kernel', (512, 128)) == ('model', 'batch')
    assert axes('embedding/embedding', (1000, 128)) == ('batch', None)
    assert axes('embedding/embedding', (999, 128)) == (None, 'batch')
    assert axes('embedding/embedding', (999, 127)) == (None, None)
    assert axes('head/bias', (10,)) == ('model',) and axes('head/kernel', (10, 10)) == (None, None)
    assert Rules.of('mlp').axes('Dense_3/kernel', (8, 8), 4, sizes) == ('model', None)
    assert Rules.of('mlp').axes('Dense_12/kernel', (8, 8), 4, sizes) == (None, 'model')
    assert not Rules.of(()).splits(sizes) and not Rules.of('mlp').splits({'batch': 4, 'model': 1})


def test_stacked_replicas_are_split_by_the_same_axes():
    """The axis of replicas that vmap puts in front is none of the parameter's."""
    config = mlp(**BOTH, parallel__shard='mlp', replicas=2, replica_form='vmap')
    machine = lab.machine(config)
    placed = machine.placement.state(machine.init())
    assert placed['model'].params['Dense_0']['kernel'].addressable_shards[0].data.shape == (2, 784, 32)


def test_replicas_on_groups_of_devices():
    """Two replicas, each split over four devices: the bits of one that is split over four."""
    split = {'parallel__shard': 'fsdp'}
    two = lab.steps(mlp(**split, **EIGHT, replicas=2, parallel__replica_axis=2), 1, evaluated=False)
    single = lab.steps(mlp(**split, parallel__devices=4), 1, evaluated=False)
    assert lab.equal(lab.plain(two.state[0]), lab.plain(single.state[0]))


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match=r"parallel.shard with config.parallel.mode = 'pmap'; valid: 'jit'"):
        lab.machine(mlp(**EIGHT, parallel__shard='fsdp', parallel__mode='pmap'))
    with pytest.raises(UserError, match=r"config.parallel.shard = 'all' .*valid: one of fsdp, transformer, mlp"):
        mlp(parallel__shard='all')


# ---- checkpoints ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """(machine on eight devices, what its host state was when it was saved, the folder); it was trained on at once."""
    machine = lab.machine(mlp(**EIGHT, parallel__shard='fsdp'))
    rows = machine.placement.split(machine.feed.epoch(0), axis=2)
    state, _, _ = machine.train(machine.placement.state(machine.init()), machine.resident, rows, 0, 3, 0)
    folder = tmp_path_factory.mktemp('saved') / 'checkpoints'
    host = jax.tree.map(np.copy, machine.host_state(state))
    with Checkpoints(folder) as checkpoints:
        kept = machine.placement.kept(state)
        assert kept is state and is_split(kept)  # it is never whole
        checkpoints.save(3, kept, {})
        del kept
        machine.train(state, machine.resident, rows, 3, 5, 0)
    return machine, host, folder


def read(folder, template):
    with Checkpoints(folder) as checkpoints:
        return checkpoints.read(3, template).state


def test_read_in_its_pieces(saved):
    machine, host, folder = saved
    found = read(folder, machine.template(machine.init())(3))
    leaves, like = jax.tree.leaves(found), jax.tree.leaves(machine.placement.state(machine.init()))
    assert [leaf.sharding for leaf in leaves] == [leaf.sharding for leaf in like]
    assert lab.equal(found, host) and lab.equal(machine.host_state(machine.placement.state(found)), host)


@pytest.mark.parametrize(
    'changes', [{}, {'parallel__devices': 2, 'parallel__shard': 'fsdp'}, {**BOTH, 'parallel__shard': ('mlp', 'fsdp')}]
)
def test_read_otherwise(saved, changes):
    """On one device, on two, on eight in other pieces."""
    _, host, folder = saved
    machine = lab.machine(mlp(**changes))
    found = read(folder, machine.template(machine.init())(3))
    assert is_split(found) == bool(changes) and lab.equal(found, host)


def test_another_network_and_damage_are_found(saved, tmp_path):
    machine, _, folder = saved
    other = lab.machine(mlp(**EIGHT, parallel__shard='fsdp', model__features=(32,)))
    with pytest.raises(UserError, match='of another network: .*Dense_0'):
        read(folder, other.template(other.init())(3))
    copy = tmp_path / 'checkpoints'
    _copied(folder, copy)
    largest = max((copy / '3' / 'state').rglob('*'), key=lambda path: path.stat().st_size if path.is_file() else 0)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with pytest.raises(ValueError):
        read(copy, machine.template(machine.init())(3))


def _copied(folder, copy) -> None:
    import shutil

    shutil.copytree(folder, copy)


def test_a_digest_does_not_depend_on_the_pieces(saved):
    machine, host, _ = saved
    assert split_digest(host) == split_digest(machine.placement.state(host))
    leaf = np.array([[1.5, 2.5], [3.5, 4.5]], np.float32)
    flipped = leaf.copy()
    flipped.view(np.uint8)[0, 3] ^= 1
    others = [flipped, leaf[::-1].copy(), leaf.T.copy(), leaf.ravel(), leaf.view(np.int32)]
    assert len({split_digest({'a': each}) for each in [leaf, *others]}) == 6
    assert split_digest({'a': leaf}) != split_digest({'b': leaf})


def test_a_run_goes_on_in_pieces_and_whole(tmp_path):
    """Stopped on eight devices, gone on with on eight, then on one: the losses of an undisturbed run."""
    quick = {'training__steps_per_call': 1}
    split = {**EIGHT, 'parallel__shard': 'fsdp'}
    whole = lab.train(mlp(), tmp_path / 'whole').record
    for at in (3, 6):
        with pytest.raises(Interrupted):
            lab.train(mlp(**split, **quick), tmp_path / 'run', lab.Listener(stop_at=at))
    listener = lab.Listener()
    found = lab.train(mlp(**quick), tmp_path / 'run', listener).record
    assert any('restored step 6' in line for line in listener.said)
    for mine, theirs in zip(found.history, whole.history, strict=True):
        np.testing.assert_allclose(mine['train_loss'], theirs['train_loss'], rtol=1e-4)
    lab.close(found.states, whole.states, 1e-3)
