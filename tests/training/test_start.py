"""The start of a run: made by a program that is compiled quickly, with the bits of one that is compiled well."""

import jax
import numpy as np
import pytest

from tests.training import lab

SCHEMES = ('torch', 'keras', 'lecun', 'xavier', 'sklearn')
DENSE = [{'name': 'mlp', 'features': (), 'init_scheme': scheme} for scheme in SCHEMES]
MODELS = [*DENSE, {'name': 'convnet', 'filters': (4,)}]


@pytest.mark.parametrize('model', MODELS, ids=[*SCHEMES, 'convnet'])
def test_quick_compilation_changes_no_bit(model, monkeypatch):
    monkeypatch.delenv('XLA_FLAGS')  # which asks for quicker compilation still
    machine = lab.machine(lab.small(model=model))
    quick = machine.init()
    well = jax.jit(machine.programs.init, compiler_options={'xla_backend_optimization_level': 3})(
        np.asarray(machine.seeds, np.uint32), machine.example
    )
    assert lab.equal(quick, well)
