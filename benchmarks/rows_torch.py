"""The PyTorch rows: eager, eager with the fused optimizer, `channels_last` and `torch.compile` (both fused as well).

On an accelerator besides `torch_graphs` (`torch.compile` with CUDA graphs) and, of each, `_bf16` (autocast).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from benchmarks import problems, torch_models
from benchmarks.kinds_torch import KINDS, Compiler, Form

Run = Callable[[int], float]


def prepare(setting: problems.Setting) -> None:
    """Before the first computation: the device, and how float32 products are rounded on it."""
    if not setting.accelerator:
        return
    if not torch.cuda.is_available():
        raise RuntimeError('PyTorch found no CUDA device')
    torch.set_float32_matmul_precision('high' if setting.tf32 else 'highest')
    torch.backends.cudnn.allow_tf32 = setting.tf32
    # XLA tries out algorithms for a convolution while it compiles; so may PyTorch.
    torch.backends.cudnn.benchmark = True


def device_of(setting: problems.Setting) -> torch.device:
    """Where everything is computed."""
    return torch.device('cuda' if setting.accelerator else 'cpu')


def errors(setting: problems.Setting) -> dict[str, float]:
    """How far a product and a convolution are from the true ones."""
    check, device = problems.check(), device_of(setting)
    left, right = (torch.from_numpy(array).to(device) for array in (check.left, check.right))
    images = torch.from_numpy(np.moveaxis(check.images, 3, 1).copy()).to(device)
    kernel = torch.from_numpy(check.kernel.transpose(3, 2, 0, 1).copy()).to(device)
    convolved = functional.conv2d(images, kernel).permute(0, 2, 3, 1)
    return check.errors((left @ right).cpu().numpy(), convolved.cpu().numpy())


COMPILERS: dict[str, Compiler] = {
    'torch_compile': torch.compile,
    'torch_graphs': lambda function: torch.compile(function, mode='reduce-overhead'),
}


def build(name: str, row: str, setting: problems.Setting) -> tuple[Run, int]:
    """`run(n)` for `torch_eager`, `torch_fused`, `torch_channels_last`, `torch_compile` or `torch_graphs`, each also with
    `_bf16`, and the row's parameters."""
    problem, device = setting.problem(name), device_of(setting)
    low, row = row.endswith('_bf16'), row.removesuffix('_bf16')
    torch.manual_seed(0)
    networks = tuple(network.to(device) for network in torch_models.models(name))
    inputs, labels = (torch.from_numpy(array).to(device) for array in problems.data(problem))
    inputs, labels = (inputs.long() if problem.tokens else inputs), labels.long()
    if problem.image:
        inputs = inputs.permute(0, 3, 1, 2).contiguous()
    if row in ('torch_channels_last', *COMPILERS) and problem.image:
        # inductor keeps the layout it is given, and channels_last is the quicker one here
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        networks = tuple(network.to(memory_format=torch.channels_last) for network in networks)
    parameters = sum(p.numel() for network in networks for p in network.parameters())
    form = Form(problem, device, fused=row != 'torch_eager', compiler=COMPILERS.get(row), low=low)
    step = KINDS[problem.kind](networks, form)
    batches = [(inputs[k :: problems.BATCHES].clone(), labels[k :: problems.BATCHES]) for k in range(problems.BATCHES)]
    count = [0]

    def run(n: int) -> float:
        loss = torch.zeros(())
        for _ in range(n):
            count[0] += 1
            loss = step(*batches[count[0] % problems.BATCHES])
        value = loss.item()
        if setting.accelerator:
            torch.cuda.synchronize()  # the last update, too
        return value

    return run, parameters
