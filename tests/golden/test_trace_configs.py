"""The worked computations through the command line: key numbers, published beside right, what is printed, own networks."""

import contextlib
import json
import re
from typing import Any, NamedTuple

import pytest

from jaxlab.tasks.trace.step import PAGES
from launch.__main__ import main
from tests.cli import command
from tests.undrawn import undrawn

NAMES = (
    'threshold_gates',
    'perceptron_or',
    'delta_rule',
    'mlp_xor',
    'forward_passes',
    'backward_passes',
    'activations',
    'attention_by_hand',
    'attention_vs_gru',
)
# quantity -> (value, tolerance): from the specification
GOLDEN = {
    'threshold_gates': {
        'bipolar_or_of_no_and_no': -1,
        'truth_tables_right': 10,
        'printed_entries': 36,
        'wrong_entries': 1,
    },
    'perceptron_or': {
        'bias': -1,
        'weight_1': 1,
        'weight_2': 1,
        'epochs': 4,
        'updates': 5,
        'c05_epochs': 3,
        'c05_bias': -0.5922852074362165,
        'c05_weight_2': 1.37331598,
        'c14_listed_epochs': 6,
    },
    'delta_rule': {
        'weight_1': 0.8718228831,
        'weight_2': -0.0205619150,
        'bias': 0.1020170575,
        'online_mse': 0.0062645004,
        'final_mse': 0.0049774280,
        'right_at_one_half': 4,
        'right_at_zero': 2,
        'c03_bias': 0.43,
        'c03_weight_1': -0.03,
        'c03_weight_2': 0.43,
    },
    'mlp_xor': {
        'epochs': 3283,
        'starts_converged': 716,
        'median_epochs': 3145.5,
        'final_mse': 0.1286852666,
        'output_of_yes_and_yes': 0.4895731018,
    },
    'forward_passes': {
        'c08_first_output': 0.5,
        'c10_first_output': 0.11920292202211755,
        'c15_last_net_of_row_1': 0,
        'c16_first_output': 0.11920292202211755,
        'printed_matrices': 28,
        'wrong_matrices': 5,
    },
    'backward_passes': {
        'c02_first_error': 4.5,
        'c02_last_error': 420.5,
        'c02_error_after': 4550505726.5,
        'c02_final_weight': 56,
        'c12_first_error': 2.239712674735e-05,
        'c12_final_weight': 1.000400062450,
        'c11_first_gradient': 0.003279533883,
        'c11_final_weight': 0.99030476267,
        'wrong_quantities': 9,
    },
    'activations': {
        'sigmoid_at_3': 0.9525741268224334,
        'sigmoid_slope_at_3': 0.045176659730912,
        'bipolar_slope_at_1': 0.3932238665,
        'sum_of_sigmoid': 49.5066928509,
        'sum_of_relu': 122.5,
    },
    'attention_by_hand': {
        'small_weight_1_1': 0.40111209,
        'small_output_2_2': 4.40667256,
        'weight_1_1': 0.1603916071,
        'output_1_1': -0.2721753857,
        'output_3_6': -0.1121090398,
    },
    'attention_vs_gru': {
        'weight_ml_machine': 0.46317288,
        'weight_ml_pad': 0,
        'weight_ml_pad_as_published': 0.12705554,
        'output_1_1': 0.78344678,
        'attention_parameters': 384,
        'gru_parameters': 600,
        'words': 21,
    },
}
WITHIN = {'attention_by_hand': 1e-8, 'attention_vs_gru': 1e-7}  # as printed in the specification


def own(*others: str, **numbers: str) -> list[str]:
    """A command line with numbers of one's own, and other words."""
    return [*(f'--config.worked.{name}={value}' for name, value in numbers.items()), *others]


OR = own(inputs='[[0,0],[0,1],[1,0],[1,1]]', targets='[0,1,1,1]')


@pytest.fixture
def launch(tmp_path, capsys, monkeypatch):
    """Runs a config in this process, with blank figures if they are not asked for: (exit code, results, stdout, stderr)."""
    monkeypatch.setenv('COLUMNS', '80')
    monkeypatch.setenv('JAXLAB_CACHE_DIR', str(command.ROOT / '.cache' / 'tests'))

    def run(name, *words, drawn=False):
        with contextlib.nullcontext() if drawn else undrawn():
            code = main([f'--config=configs/{name}.py', f'--workdir={tmp_path / "run"}', *words])
        said = capsys.readouterr()
        file = tmp_path / 'run' / 'results.json'
        return code, json.loads(file.read_text()) if file.exists() else None, said.out, said.err

    run.folder = tmp_path / 'run'
    return run


class Plain(NamedTuple):
    """What a config left and printed without any options, and what lay in its folder."""

    code: int
    results: Any
    out: str
    err: str
    page: str
    names: tuple[str, ...]


KEPT: dict[str, Plain] = {}  # computed once for all tests of this file


@pytest.fixture
def plain(launch):
    """A config as it is: `plain(name)`."""

    def run(name):
        if name not in KEPT:
            said = launch(name)
            page = launch.folder / 'report.html'
            names = tuple(path.name for path in launch.folder.iterdir()) if launch.folder.is_dir() else ()
            KEPT[name] = Plain(*said, page.read_text() if page.is_file() else '', names)
        return KEPT[name]

    return run


def values(results):
    return {name: entry['mean'] for name, entry in results['metrics'].items()}


@pytest.mark.parametrize('name', NAMES)
def test_config(name, plain):
    code, results, out, err, page, names = plain(name)
    assert code == 0, err
    found = values(results)
    for quantity, right in GOLDEN[name].items():
        assert found[quantity] == pytest.approx(right, abs=WITHIN.get(name, 1e-9), rel=1e-9), quantity
    assert set(results['published']) <= set(found), 'every published number stands beside one of ours'
    assert '<math' in page
    assert results['answer'] in out.replace('\n', ' ') or results['answer'][:40] in out.replace('\n', ' ')
    assert max(map(len, out.splitlines()[:-1])) <= 80  # the last line is the report's path
    assert 'results.json' in names and 'checkpoints' not in names


def test_every_page_has_a_config():
    assert len(PAGES) == len(NAMES)


def test_disagreements_are_marked(plain):
    """As published and corrected stand side by side: red marks in the worked pages, a register of all."""
    page = plain('forward_passes').page
    assert page.count('class="mark slip"') == 4  # one each of C08 and C10, two of C15
    assert 'Register of disagreements' in page and '8.38906' in page and '0.119203' in page


def test_gradients_equal_automatic_differentiation(plain):
    _, results, out, *_ = plain('backward_passes')
    assert values(results)['gradient_gap'] < 1e-12
    assert 'jax.grad' in out and 'central' in out


@pytest.mark.parametrize(
    'gate, coding, epochs, words',
    [
        ('and', 'bipolar', 2, 'converged in 2 epochs (1 update)'),
        ('and', 'binary', 6, 'converged in 6 epochs'),
        ('xor', 'bipolar', 20, 'not converged in 20 epochs: the targets are not linearly separable'),
        ('nor', 'bipolar', None, 'converged in'),
    ],
)
def test_perceptron_and_by_option(gate, coding, epochs, words, launch):
    asked = {'gate': gate, 'coding': coding}.items() - {'gate': 'and', 'coding': 'bipolar'}.items()
    _, results, out, _ = launch('perceptron_and', *(f'--config.data.options.{name}={value}' for name, value in asked))
    assert words in out.replace('\n', ' ') and words in results['remarks'][0]
    assert epochs is None or values(results)['epochs'] == epochs
    page = (launch.folder / 'report.html').read_text()
    assert ('not comparable with the published value' in page) == bool(asked)


def test_show_all_prints_more_and_step_does_not_wait_without_a_terminal(plain, launch):
    short = plain('perceptron_or').out
    whole = launch('perceptron_or', '--config.worked.show=all')[2]
    steps = launch('perceptron_or', '--config.worked.show=step')[2]
    assert len(whole) > 2 * len(short)
    assert len(re.findall(r'^Epoch \d+, sample \d+', short, re.MULTILINE)) == 4
    assert len(re.findall(r'^Epoch \d+, sample \d+', steps, re.MULTILINE)) == 16 + 12
    assert launch('perceptron_or', '--config.worked.show=slow')[0] == 2


def test_json_keeps_stdout_clean(launch):
    out = launch('forward_passes', '--json')[2]
    assert json.loads(out)['name'] == 'forward_passes'


def test_describe_and_eval(launch):
    assert launch('delta_rule', '--mode=describe')[0] == 0
    code, _, _, err = launch('delta_rule', '--mode=eval')
    assert code == 2 and 'keeps no checkpoint' in err


# ---- a network of one's own -----------------------------------------------------------------------------------------


def test_own_backward_pass_repeats_c02(launch):
    code, results, out, _ = launch(
        'backward_passes',
        *own(
            '--config.task.activation=linear,relu',
            inputs='[[1,0],[-1,-1],[1,1]]',
            targets='[0,0,1]',
            weights='[[[1,0,1],[-1,-1,1]],[[0,1,-1]]]',
        ),
    )
    found = values(results)
    assert code == 0 and found['error_before'] == 7 and found['error_after'] == 4550505726.5
    assert (found['weight_0_1_0'], found['weight_1_1_2']) == (56, -140)
    assert results['published'] == {}, 'nothing was published about this network'
    assert 'Sample 3' in out


def test_own_network_from_a_file(launch, tmp_path):
    """Three layers, five epochs, one activation for all."""
    weights = [[[0.1, 0.2, 0.3, 0.4], [0.5, 0.1, -0.2, 0.3]], [[1, -1, 0.5], [0.2, 0.3, 0.4]], [[0, 1, 1]]]
    file = tmp_path / 'net.json'
    file.write_text(json.dumps({'inputs': [[1, 2, 3], [0, 1, 0]], 'weights': weights, 'targets': [1, 0]}))
    asked = (f'--config.worked.weights={file}', '--config.task.activation=tanh', '--config.training.epochs=5')
    code, results, _, err = launch('backward_passes', *asked)
    found = values(results)
    assert code == 0, err
    assert found['gradient_gap'] < 1e-12 and found['error_after'] != found['error_before']


def test_own_forward_pass_without_targets(launch):
    code, results, out, _ = launch(
        'forward_passes',
        *own('--config.task.activation=sigmoid', inputs='[[0,-1],[-1,0],[1,-1]]', weights='[[-1,-1,1],[-1,2,1]]'),
    )
    assert code == 0 and values(results)['output_1_1'] == pytest.approx(0.11920292202211755, abs=1e-12)
    assert 'bias' in out


@pytest.mark.parametrize(
    'name, words, quantity, right',
    [
        ('perceptron_or', [], 'epochs', 4),
        ('perceptron_or', ['--config.task.activation=step'], 'updates', 5),
        ('delta_rule', own(targets='[0,0,1,1]'), 'weight_1', 0.8718228831),
        ('delta_rule', own('--config.training.epochs=3', weights='[0.5,0.5]'), 'mse_before', None),
        ('delta_rule', ['--config.task.learning_rate=5', '--config.training.epochs=1000'], None, None),
    ],
)
def test_own_unit(name, words, quantity, right, launch):
    code, results, out, err = launch(name, *OR, *words)
    assert code == 0, err
    if right is not None:
        assert values(results)[quantity] == pytest.approx(right, abs=1e-9)
    if quantity is None:
        assert 'run away' in out


def test_own_xor_is_not_separable(launch):
    _, results, out, _ = launch('perceptron_or', OR[0], '--config.worked.targets=[0,1,1,0]')
    assert 'the targets are not linearly separable' in out.replace('\n', ' ')
    assert values(results)['epochs'] == 100


@pytest.mark.parametrize('targets', ['[0,0,0,0]', '[1,1,1,1]'])
def test_degenerate_boundary(targets, launch):
    """One class only: zero weights or a line outside; the figures hold."""
    code, _, out, _ = launch('perceptron_or', OR[0], f'--config.worked.targets={targets}', drawn=True)
    assert code == 0 and 'converged' in out
    assert 'could not be drawn' not in (launch.folder / 'report.html').read_text()


@pytest.mark.parametrize(
    'words, part',
    [
        (
            own(inputs='[[1,3],[1,3],[1,3]]', targets='[0.5,1]', weights='[1,1,1]'),
            '3 samples but config.worked.targets 2',
        ),
        (own(inputs='[[1,2],[3]]', targets='[1,0]'), 'rows of different length'),
        (
            own(inputs='[[1,2]]', targets='[1]', weights='[[1,2,3,4]]'),
            '4 columns do not fit 2 inputs',
        ),
        (
            own(inputs='[[1,2]]', targets='[[1,0]]', weights='[1,1,1]'),
            '2 numbers a sample',
        ),
        (own(inputs='[[1,2]]', weights='[1,1,1]'), 'config.worked.targets is missing'),
        (own(targets='[1]'), 'config.worked.inputs is missing'),
        (own(weights='none.json'), 'a .json file that is there'),
        (
            own(inputs='[[1]]', targets='[1]', weights='[[[1]],[[1]],[[1]],[[1]],[[1]],[[1]],[[1]]]'),
            '7 layers deep',
        ),
        (own(inputs='[[1,2,3,4,5,6,7,8,9,10,11,12,13]]', targets='[1]'), '13 units wide'),
        (
            own('--config.task.activation=rellu', inputs='[[1]]', targets='[1]'),
            "did you mean 'relu'?",
        ),
        (
            own('--config.task.rule=magic', inputs='[[1]]', targets='[1]'),
            'unknown config.task.rule',
        ),
        (own(inputs='[["a"]]', targets='[1]'), 'not numbers'),
        (own(inputs='5'), 'config.worked.inputs = 5'),
        (
            own('--config.training.epochs=100000', inputs='[[1]]', targets='[1]'),
            'valid: up to 1000',
        ),
        (
            own('--config.task.rule=perceptron', inputs='[[1]]', targets='[2]'),
            'targets 0 and 1, or -1 and 1',
        ),
        (
            own('--config.task.rule=delta', inputs='[[1]]', targets='[1]', weights='[[1],[2]]'),
            '',
        ),
        (['--config.task.learning_rate=-1'], 'valid: a number from 0 up'),
        (['--config.replicas=3'], 'no seed'),
    ],
)
def test_mistakes_get_one_line(words, part, launch):
    code, _, out, err = launch('backward_passes', *words)
    lines = [line for line in err.splitlines() if line.startswith('error: ')]
    assert code == 2 and len(lines) == 1 and part in lines[0]
    assert not out


def test_broken_files(launch, tmp_path):
    file = tmp_path / 'net.json'
    for text in ('{', '[1]', '{"inputs": 3}', '{"inputs": [[1]], "wieghts": [[1]]}', '{"targets": [1]}'):
        file.write_text(text)
        assert launch('backward_passes', f'--config.worked.weights={file}')[0] == 2, text


def test_others_take_no_numbers(launch):
    code, _, _, err = launch('perceptron_and', '--config.worked.inputs=[[1,1]]')
    assert code == 2 and 'takes no numbers of your own' in err
    code, _, _, err = launch('threshold_gates', '--config.worked.inputs=[[1,1]]')
    assert code == 2 and 'config.task.rule' in err
