"""Files of weights: each format gives the arrays that were put in; nothing in a file runs; every tensor is accounted for."""

import collections
import pickle
import struct
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxlab.errors import UserError
from jaxlab.models.pretrained import onnx_file, torch_file
from jaxlab.models.pretrained.account import accounted
from jaxlab.models.pretrained.files import installed, read
from jaxlab.models.pretrained.layouts import IMAGENET, LAYOUTS, LITE, Layout
from jaxlab.models.pretrained.load import as_arrays, load, renamed
from jaxlab.models.resnet import ResNet
from jaxlab.models.unet import UNet
from tests.models.convnet_rows import shapes_of

WEIGHTS = {'one.weight': np.arange(6, dtype=np.float32).reshape(2, 3), 'one.bias': np.array([1.5, -2], np.float16)}


def equal(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def archive(path, program, **memory):
    """A zip of PyTorch's form around any pickle."""
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('archive/data.pkl', program)
        for key, raw in memory.items():
            file.writestr(f'archive/data/{key}', raw)
    return path


def test_safetensors_and_npz(tmp_path):
    save_file(WEIGHTS, tmp_path / 'a.safetensors')
    np.savez(tmp_path / 'b.npz', **WEIGHTS)
    equal(read(tmp_path / 'a.safetensors'), WEIGHTS)
    equal(read(tmp_path / 'b.npz'), WEIGHTS)
    with pytest.raises(UserError, match='2 files of weights'):
        read(tmp_path)


def test_a_folder_of_shards(tmp_path):
    for number, (name, array) in enumerate(WEIGHTS.items()):
        save_file({name: array}, tmp_path / f'model-{number}.safetensors')
    (tmp_path / 'config.json').write_text('{}')
    equal(read(tmp_path), WEIGHTS)
    save_file(WEIGHTS, tmp_path / 'model-2.safetensors')
    with pytest.raises(UserError, match='is in two files'):
        read(tmp_path)


@pytest.mark.parity
@pytest.mark.parametrize('zipped', [True, False])
def test_pytorchs_files(tmp_path, zipped):
    """Both forms; views of one storage, transposed and empty tensors, parameters, half precision, a checkpoint."""
    torch = pytest.importorskip('torch')
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = collections.OrderedDict(
        whole=base,
        part=base[1:3, 2:4],
        turned=base.T,
        none=torch.zeros(0, 3),
        number=torch.tensor(7),
        half=base.to(torch.bfloat16),
        learned=torch.nn.Parameter(base[0]),
        flags=torch.tensor([True, False]),
    )
    expected = {name: tensor.detach().float().numpy() for name, tensor in state.items()}
    path = tmp_path / 'a.pth'
    for content in (state, {'state_dict': state, 'epoch': 3}, {'model': torch.nn.Linear(2, 3).state_dict()}):
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        found = torch_file.read(path)
        if 'model' in content:
            assert found['weight'].shape == (3, 2)
            continue
        assert found['half'].dtype == jnp.bfloat16 and found['number'].dtype == np.int64
        equal({name: array.astype(np.float32) for name, array in found.items()}, expected)


class _Runs:
    """A pickle of it calls `list.append` of a marker... or anything else."""

    def __init__(self, function, *arguments):
        self.what = (function, arguments)

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize('function', [print, eval, __import__, pickle.loads, getattr, np.load])
def test_a_pickle_that_runs_something_is_refused(tmp_path, function, capsys):
    for protocol in (0, 2, 4):
        program = pickle.dumps({'weight': _Runs(function, "print('run')")}, protocol)
        path = archive(tmp_path / 'a.pth', program)
        with pytest.raises(UserError, match='which is no weight'):
            torch_file.read(path)
        path.write_bytes(program)
        with pytest.raises(UserError, match='which is no weight|no file of PyTorch'):
            torch_file.read(path)
    assert 'run' not in capsys.readouterr().out


class _Pid:
    """Something that the pickle below names as a storage."""

    def __init__(self, *pid):
        self.pid = pid


def views(view, *pid):
    """A pickle that makes one tensor `weight` of the arguments, as PyTorch would write it."""
    import io
    import sys
    import types

    modules = {'torch': types.ModuleType('torch'), 'torch._utils': types.ModuleType('torch._utils')}

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError

    _rebuild_tensor_v2.__module__ = 'torch._utils'
    _rebuild_tensor_v2.__qualname__ = '_rebuild_tensor_v2'
    modules['torch._utils']._rebuild_tensor_v2 = _rebuild_tensor_v2
    modules['torch'].FloatStorage = type('FloatStorage', (), {'__module__': 'torch'})
    modules['torch']._utils = modules['torch._utils']

    class Writer(pickle.Pickler):
        def persistent_id(self, item):
            kinds = {'FloatStorage': modules['torch'].FloatStorage}
            return tuple(kinds.get(part, part) for part in item.pid) if isinstance(item, _Pid) else None

    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        file = io.BytesIO()
        arguments = (_Pid(*pid), *view, False, collections.OrderedDict())
        Writer(file, 2).dump({'weight': _Runs(_rebuild_tensor_v2, *arguments)})
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return file.getvalue()


STORAGE = ('storage', 'FloatStorage', '0', 'cpu', 6)


def test_a_tensor_in_its_storage(tmp_path):
    """What the refusals below differ from."""
    program = views((1, (2, 2), (1, 2)), *STORAGE)
    found = torch_file.read(archive(tmp_path / 'a.pth', program, **{'0': np.arange(6, dtype='<f4').tobytes()}))
    np.testing.assert_array_equal(found['weight'], [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    'view, pid, match',
    [
        ((0, (7,), (1,)), STORAGE, 'leaves its storage'),
        ((3, (2, 2), (2, 1)), STORAGE, 'leaves its storage'),
        ((5, (2,), (-1,)), STORAGE, 'a tensor that is none'),
        ((0, (1000, 1000), (0, 0)), STORAGE, 'leaves its storage'),  # no more numbers than were stored
        ((0, (6,), (1,)), ('storage', 'FloatStorage', '../secret', 'cpu', 6), 'archive'),
        ((0, (6,), (1,)), ('file', 'FloatStorage', '0', 'cpu', 6), 'a storage that is none'),
        ((0, (60,), (1,)), (*STORAGE[:4], 60), 'buffer is smaller'),
    ],
)
def test_tensors_that_are_none(tmp_path, view, pid, match):
    path = archive(tmp_path / 'a.pth', views(view, *pid), **{'0': bytes(24)})
    with pytest.raises(UserError, match=match):
        torch_file.read(path)


@pytest.mark.parametrize('ending', ['pth', 'npz', 'safetensors', 'onnx', 'h5', 'bin'])
def test_damaged_files_say_so(tmp_path, ending):
    path = tmp_path / f'a.{ending}'
    path.write_bytes(b'\x08\x01no weights at all' * 20)
    with pytest.raises(UserError, match='cannot be read|install the package'):
        read(path)


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match='is not there'):
        read(tmp_path / 'none.pth')
    with pytest.raises(UserError, match='has no file of weights'):
        read(tmp_path)
    (tmp_path / 'a.txt').write_text('')
    with pytest.raises(UserError, match="ending '.txt'"):
        read(tmp_path / 'a.txt')
    np.savez(tmp_path / 'b.npz', one=np.array([{}], object))
    with pytest.raises(UserError, match='without pickles'):
        read(tmp_path / 'b.npz')


def varint(number):
    number, found = number % 2**64, b''
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def initializer(name, kind, shape, *rest):
    return field(5, b''.join(field(1, n) for n in shape) + field(2, kind) + field(8, name.encode()) + b''.join(rest))


def test_onnx_initialisers(tmp_path):
    """Every way in which the format keeps numbers, written byte by byte."""
    float32 = np.arange(6, dtype='<f4')
    tensors = [
        initializer('raw', 1, (2, 3), field(9, float32.tobytes())),
        initializer('floats', 1, (3, 2), field(4, float32.tobytes())),
        initializer('longs', 7, (2,), field(7, varint(-5) + varint(300))),
        initializer('bytes', 3, (2,), field(5, varint(-5)), field(5, varint(7))),
        initializer('half', 10, (1,), field(5, varint(int(np.float16(1.5).view(np.uint16))))),
        initializer('doubles', 11, (1,), field(10, struct.pack('<d', 0.25))),
        initializer('number', 1, (), field(9, struct.pack('<f', 9))),
    ]
    path = tmp_path / 'a.onnx'
    path.write_bytes(field(1, 8) + field(7, field(2, b'net') + b''.join(tensors)) + field(2, b'jaxlab'))
    found = read(path)
    np.testing.assert_array_equal(found['raw'], float32.reshape(2, 3))
    np.testing.assert_array_equal(found['floats'], float32.reshape(3, 2))
    assert found['longs'].tolist() == [-5, 300] and found['bytes'].tolist() == [-5, 7]
    assert found['half'].tolist() == [1.5] and found['doubles'].tolist() == [0.25] and found['number'] == 9
    assert [array.dtype.name for array in found.values()][2:] == ['int64', 'int8', 'float16', 'float64', 'float32']
    path.write_bytes(field(7, initializer('far', 1, (2,), field(14, 1))))
    with pytest.raises(UserError, match='lies in another file'):
        onnx_file.read(path)


def test_keras_hdf5(tmp_path):
    h5py = pytest.importorskip('h5py')
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file['model_weights/Conv1/Conv1/kernel:0'] = np.ones((3, 3, 3, 2), np.float32)
        file['model_weights/bn_Conv1/bn_Conv1/gamma:0'] = np.ones(2, np.float32)
        file['optimizer_weights/Adam/count'] = 3
    assert sorted(read(tmp_path / 'a.h5')) == ['Conv1/kernel', 'bn_Conv1/gamma']


def test_layouts_turn_axes():
    """T12: PyTorch's [out, in, size], depthwise [C, 1, size]; Keras's depthwise [size, C, 1]; VGG's rows of (C, H, W)."""
    torch = Layout({'conv': 'a', 'norm': 'b', 'fc': 'c'}, IMAGENET, flattened={'fc': (2, 1, 3)})
    shape = lambda layout, name, *sizes: (lambda at: (at[0], at[1].shape))(layout.place(name, np.zeros(sizes)))
    assert shape(torch, 'conv.weight', 8, 4, 3, 5) == ('params.a.kernel', (3, 5, 4, 8))
    assert shape(torch, 'conv.weight', 8, 1, 3, 3) == ('params.a.kernel', (3, 3, 1, 8))
    assert shape(torch, 'norm.weight', 8) == ('params.b.scale', (8,))
    assert shape(torch, 'norm.running_var', 8) == ('batch_stats.b.var', (8,))
    assert torch.place('conv.extra', np.zeros(1)) is None and torch.place('other.weight', np.zeros(1)) is None
    dense = torch.place('fc.weight', np.arange(6.0)[None])[1]  # (channel, row, column) of a map [2, 1, 3]
    assert dense[:, 0].tolist() == [0, 3, 1, 4, 2, 5]
    keras = Layout({'dw': 'a', 'conv': 'b', 'one': 'c'}, IMAGENET, '/')
    assert shape(keras, 'dw/kernel', 3, 3, 8, 1) == ('params.a.kernel', (3, 3, 1, 8))
    assert shape(keras, 'dw/depthwise_kernel', 3, 3, 8, 1) == ('params.a.kernel', (3, 3, 1, 8))
    assert shape(keras, 'conv/kernel', 1, 1, 8, 4) == ('params.b.kernel', (1, 1, 8, 4))
    assert shape(keras, 'one/moving_mean', 8) == ('batch_stats.c.mean', (8,))


def published(depth=18, classes=3):
    """A ResNet's tensors under torchvision's names, zeros. T10: 122 entries = 62 parameters, 40 statistics, 20 counters."""
    shapes = shapes_of(ResNet(classes, depth), (64, 64, 3))
    table = LAYOUTS[f'resnet{depth}']()
    found = {}
    for theirs, ours in table.modules.items():
        place = ours.split('/')
        params, stats = shapes['params'], shapes['batch_stats']
        for part in place:
            params, stats = params.get(part, {}), stats.get(part, {})
        for leaf, array in params.items():
            name = {'kernel': 'weight', 'scale': 'weight', 'bias': 'bias'}[leaf]
            shape = array.shape if len(array.shape) < 2 else (*array.shape[:-3:-1], *array.shape[:-2])
            found[f'{theirs}.{name}'] = np.full(shape, 0.5, np.float32)
        for leaf, array in stats.items():
            found[f'{theirs}.running_{leaf}'] = np.full(array.shape, 2.0, np.float32)
            found[f'{theirs}.num_batches_tracked'] = np.array(4)
    return found, shapes


def test_every_tensor_is_accounted_for(tmp_path):
    weights, shapes = published()
    assert len(weights) == 122
    save_file(weights, tmp_path / 'a.safetensors')
    variables, notes = load(tmp_path / 'a.safetensors', 'resnet18', shapes)
    assert float(variables['batch_stats']['stem']['conv_norm']['var'][0]) == 2
    assert any('20 counters' in note for note in notes)
    for change, match in (
        (lambda w: w.pop('layer3.0.conv1.weight'), "lacks 'params.stage_3_block_1.conv_1.kernel'"),
        (lambda w: w.update({'layer5.0.conv1.weight': np.zeros((2, 2, 3, 3))}), "no place for 'layer5.0.conv1.weight'"),
        (
            lambda w: w.update({'fc.bias': np.zeros(4)}),
            r"another shape has 'params.head.bias' \(\(4,\) there, \(3,\) here",
        ),
    ):
        wrong = dict(weights)
        change(wrong)
        save_file(wrong, tmp_path / 'a.safetensors')
        with pytest.raises(UserError, match=match) as error:
            load(tmp_path / 'a.safetensors', 'resnet18', shapes)
        assert '\n' not in str(error.value)


def test_another_head_is_skipped_by_name(tmp_path):
    weights, _ = published(classes=5)
    np.savez(tmp_path / 'a.npz', **{f'module.model.{name}': array for name, array in weights.items()})
    mine = as_arrays(shapes_of(ResNet(3), (64, 64, 3)))
    mine['params']['head']['bias'] += 7
    with pytest.raises(UserError, match='head'):
        load(tmp_path / 'a.npz', 'resnet18', mine)
    variables, notes = load(tmp_path / 'a.npz', 'resnet18', mine, skip=('head',))
    assert float(variables['params']['head']['bias'][0]) == 7
    assert float(variables['params']['stem']['conv']['kernel'].max()) == 0.5
    assert sum('was taken off' in note for note in notes) == 2  # T10: wrappers' prefixes are said
    with pytest.raises(UserError, match='is not a regular expression'):
        load(tmp_path / 'a.npz', 'resnet18', mine, skip=('(',))


def test_an_encoder_beneath_a_network(tmp_path):
    """A plain ResNet-34 becomes the encoder; decoder and head stay."""
    weights, _ = published(34, 1000)
    np.savez(tmp_path / 'a.npz', **{name: array for name, array in weights.items() if not name.startswith('fc.')})
    mine = as_arrays(shapes_of(UNet(), (64, 64, 3)))
    variables, _ = load(tmp_path / 'a.npz', 'resnet34', mine, beneath='encoder')
    assert all(float(leaf.min()) == 2 for leaf in jax_leaves(variables['batch_stats']['encoder']))
    assert all(float(np.abs(leaf).max()) == 0 for leaf in jax_leaves(variables['params']['decoder_1']))
    with pytest.raises(UserError, match="no module 'body'"):
        load(tmp_path / 'a.npz', 'resnet34', mine, beneath='body')


def jax_leaves(tree):
    import jax

    return jax.tree.leaves(tree)


def test_names_that_nobody_knows():
    with pytest.raises(UserError, match='no place for'):
        renamed({'strange.weight': np.zeros(3)}, LAYOUTS['resnet18']())
    assert renamed({'strange.weight': np.zeros(3)}, LAYOUTS['resnet18'](), ('strange',))[0] == {}
    with pytest.raises(UserError, match='and 2 more'):
        accounted({}, {f'n{k}': np.zeros(1) for k in range(6)}, (), 'weights')


def test_what_the_published_networks_saw():
    """T4, T7, T8: the scale comes with the weights."""
    assert (LITE.mean[0], LITE.std[0]) == (127, 128)
    assert LAYOUTS['mobilenet_v2_keras']().pixels.std[0] == 127.5
    black = [(0 - mean) / std for mean, std in zip(IMAGENET.mean, IMAGENET.std)]
    white = [(255 - mean) / std for mean, std in zip(IMAGENET.mean, IMAGENET.std)]
    np.testing.assert_allclose(black, [-2.117904, -2.035714, -1.804444], atol=1e-6)  # B13
    np.testing.assert_allclose(white, [2.248908, 2.428571, 2.640000], atol=1e-6)


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(
        __import__('jaxlab.models.pretrained.files', fromlist=['PACKAGES']).PACKAGES,
        'x',
        ('no_such', 'no-such', '.pth'),
    )
    with pytest.raises(UserError, match='install the package no-such'):
        installed('x')
