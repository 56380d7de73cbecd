"""The PyTorch rows: eager, eager with the fused optimizer, `channels_last` and `torch.compile` (both fused as well).

On an accelerator besides `torch_graphs` (`torch.compile` with CUDA graphs) and, of each, `_bf16` (autocast).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import problems, torch_models

Run = Callable[[int], float]
Compiler = Callable[[Callable], Callable]


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


def half(function: Callable, device: torch.device, on: bool) -> Callable:
    """The function under autocast to bfloat16, parameters staying float32."""
    if not on:
        return function

    def lower(*arguments: Tensor) -> Tensor | tuple[Tensor, ...]:
        with torch.autocast(device.type, torch.bfloat16):
            return function(*arguments)

    return lower


def optimizer(problem: problems.Problem, network: nn.Module, fused: bool) -> torch.optim.Optimizer:
    """PyTorch's defaults but for the rate (and A08's epsilon). `fused` is one C++ loop over all parameters."""
    parameters, rate = list(network.parameters()), problem.learning_rate
    if problem.optimizer == 'sgd':
        return torch.optim.SGD(parameters, rate, momentum=0.9, fused=fused)
    return torch.optim.Adam(parameters, rate, eps=1e-7 if rate == 1e-4 else 1e-8, fused=fused)


def classification(
    networks: tuple, problem: problems.Problem, device: torch.device, fused: bool, compiler: Compiler | None, low: bool
) -> Callable:
    """`step(inputs, labels) -> loss`. low: in bfloat16."""
    (network,) = networks
    rule = optimizer(problem, network, fused)

    def loss_fn(inputs: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(network(inputs), labels)

    forward = half(loss_fn, device, low)
    if compiler is not None:
        forward = compiler(forward)

    def step(inputs: Tensor, labels: Tensor) -> Tensor:
        rule.zero_grad(set_to_none=True)
        loss = forward(inputs, labels)
        loss.backward()
        rule.step()
        return loss

    return step


def gan(
    networks: tuple, problem: problems.Problem, device: torch.device, fused: bool, compiler: Compiler | None, low: bool
) -> Callable:
    """As in A08: one pass of each network, both gradients from it (each only where it is needed), both updates."""
    maker, judge = networks
    maker_rule, judge_rule = (optimizer(problem, network, fused) for network in networks)
    makers, judges = list(maker.parameters()), list(judge.parameters())

    def losses(images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = judge(images), judge(maker(noise))
        judged = functional.softplus(-real).mean() + functional.softplus(fake).mean()
        return functional.softplus(-fake).mean(), judged

    def update(made: Sequence[Tensor], found: Sequence[Tensor]) -> None:
        for parameters, gradients, rule in ((makers, made, maker_rule), (judges, found, judge_rule)):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            rule.step()

    def step(images: Tensor, labels: Tensor) -> Tensor:
        fooled, judged = forward(images, torch.randn(problem.batch, 100, device=device))
        made = torch.autograd.grad(fooled, makers, retain_graph=True)
        update(made, torch.autograd.grad(judged, judges))
        return fooled + judged

    def twice(images: Tensor, labels: Tensor) -> Tensor:
        """Compiled: a backward pass cannot be run twice over kept buffers, so the two losses are compiled apart."""
        noise = torch.randn(problem.batch, 100, device=device)
        fakes = make(noise)
        judged = judge_loss(images, fakes.detach())
        found = torch.autograd.grad(judged, judges)
        fooled = fool_loss(fakes)
        update(torch.autograd.grad(fooled, makers), found)
        return fooled + judged

    forward = half(losses, device, low)
    if compiler is None:
        return step

    def judged_of(images: Tensor, fakes: Tensor) -> Tensor:
        return functional.softplus(-judge(images)).mean() + functional.softplus(judge(fakes)).mean()

    def fooled_of(fakes: Tensor) -> Tensor:
        return functional.softplus(-judge(fakes)).mean()

    make, judge_loss, fool_loss = (compiler(half(part, device, low)) for part in (maker, judged_of, fooled_of))
    return twice


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
    kind = gan if name == 'dcgan' else classification
    step = kind(networks, problem, device, row != 'torch_eager', COMPILERS.get(row), low)
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
