"""Threshold gates: truth tables, nets, intervals of thresholds, XOR from three units (C01, C18, C19)."""

import numpy as np
import pytest

from jaxlab.errors import UserError
from jaxlab.worked import gates
from jaxlab.worked.cases.gates import C01_NETS, C19_TABLES, GATES
from jaxlab.worked.separability import separability


@pytest.mark.parametrize('case', GATES.values(), ids=GATES)
def test_truth_tables(case):
    inputs = gates.truth_inputs(case.inputs, case.coding)
    trace = gates.gate(inputs, case.layers, case.coding)
    np.testing.assert_array_equal(trace[-1].output[:, 0], case.output)
    if case.published is not None:
        assert case.published == case.output
    assert separability(inputs, case.output).separable == (not case.name.startswith('xor'))


@pytest.mark.parametrize('name', C01_NETS)
def test_c01_nets_and_intervals(name):
    case = GATES[name]
    trace = gates.gate(gates.truth_inputs(2, case.coding), case.layers, case.coding)[0]
    net, interval = C01_NETS[name]
    np.testing.assert_array_equal(trace.net[:, 0], net)
    found = gates.threshold_interval(trace.net[:, 0], case.output)
    assert found == interval and found.possible
    margin = gates.margin(trace.net[:, 0], float(trace.thresholds[0]), trace.weights[0])
    assert (margin == 0) == (name != 'and_bipolar')
    strict = gates.gate(gates.truth_inputs(2, case.coding), case.layers, case.coding, fires_at_threshold=False)[0]
    assert np.array_equal(strict.output[:, 0], case.output) == (name == 'and_bipolar')


def test_c18_sums():
    case = GATES['xor']
    hidden, output = gates.gate(gates.truth_inputs(), case.layers)
    np.testing.assert_array_equal(hidden.net.T, [[0, -1, 1, 0], [0, 1, -1, 0]])
    np.testing.assert_array_equal(hidden.output.T, [[0, 0, 1, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(output.net[:, 0], [0, 1, 1, 0])
    for theta in (0.01, 0.5, 1):
        layers = ((((1, -1), (-1, 1)), (theta, theta)), (((1, 1),), (theta,)))
        np.testing.assert_array_equal(gates.gate(gates.truth_inputs(), layers)[1].output[:, 0], case.output)


def test_c19_has_one_slip():
    wrong = [
        (name, row) for name, table in C19_TABLES.items() for row in range(4) if table[row] != GATES[name].output[row]
    ]
    assert wrong == [('or_bipolar', 0)]


def test_one_unit_cannot_do_xor():
    net = gates.threshold_layer(gates.truth_inputs(), [(1, 1)], [1]).net[:, 0]
    assert not gates.threshold_interval(net, (0, 1, 1, 0)).possible
    assert gates.threshold_interval(net, (0, 0, 0, 0)) == (2, np.inf)


def test_bad_shapes():
    with pytest.raises(UserError, match='3 weights do not fit samples of 2 numbers'):
        gates.threshold_layer(np.ones((4, 2)), [(1, 1, 1)], [1])
    with pytest.raises(UserError, match="unknown coding 'polar'"):
        gates.truth_inputs(2, 'polar')
