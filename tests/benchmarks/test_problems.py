"""What is measured is the same network on both sides: the parameters of every problem, counted without any arrays."""

import importlib
import math

import jax
import pytest

from benchmarks import kinds_jax, problems


@pytest.mark.parametrize('name', problems.PROBLEMS)
def test_parameters_of_jaxlabs_networks(name):
    problem, networks = problems.PROBLEMS[name], []
    for path, options in problems.NETWORKS[name]:
        module, kind = path.split(':')
        networks.append(getattr(importlib.import_module(module), kind)(**options))
    init, _ = kinds_jax.KINDS[problem.kind](*networks, problem)
    params = jax.eval_shape(init, jax.random.key(0))[0]
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == problem.parameters


@pytest.mark.parity
@pytest.mark.parametrize('name', problems.PROBLEMS)
def test_parameters_of_pytorchs(name):
    torch = pytest.importorskip('torch')
    from benchmarks import torch_models

    with torch.device('meta'):
        networks = torch_models.models(name)
    assert sum(each.numel() for net in networks for each in net.parameters()) == problems.PROBLEMS[name].parameters
