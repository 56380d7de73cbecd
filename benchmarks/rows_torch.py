"""The PyTorch rows: eager, eager with the fused optimizer, `channels_last` and `torch.compile` (both fused as well)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import problems, torch_models

Run = Callable[[int], float]


def optimizer(problem: problems.Problem, network: nn.Module, fused: bool) -> torch.optim.Optimizer:
    """PyTorch's defaults but for the rate (and A08's epsilon). `fused` is one C++ loop over all parameters."""
    parameters, rate = list(network.parameters()), problem.learning_rate
    if problem.optimizer == 'sgd':
        return torch.optim.SGD(parameters, rate, momentum=0.9, fused=fused)
    return torch.optim.Adam(parameters, rate, eps=1e-7 if rate == 1e-4 else 1e-8, fused=fused)


def classification(networks: tuple, problem: problems.Problem, fused: bool, compiled: bool) -> Callable:
    """`step(inputs, labels) -> loss`."""
    (network,) = networks
    rule = optimizer(problem, network, fused)

    def loss_fn(inputs: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(network(inputs), labels)

    forward = torch.compile(loss_fn) if compiled else loss_fn

    def step(inputs: Tensor, labels: Tensor) -> Tensor:
        rule.zero_grad(set_to_none=True)
        loss = forward(inputs, labels)
        loss.backward()
        rule.step()
        return loss

    return step


def gan(networks: tuple, problem: problems.Problem, fused: bool, compiled: bool) -> Callable:
    """As in A08: one pass of each network, both gradients from it (each only where it is needed), both updates."""
    maker, judge = networks
    maker_rule, judge_rule = (optimizer(problem, network, fused) for network in networks)
    makers, judges = list(maker.parameters()), list(judge.parameters())

    def losses(images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = judge(images), judge(maker(noise))
        judged = functional.softplus(-real).mean() + functional.softplus(fake).mean()
        return functional.softplus(-fake).mean(), judged

    def step(images: Tensor, labels: Tensor) -> Tensor:
        fooled, judged = forward(images, torch.randn(problem.batch, 100))
        made = torch.autograd.grad(fooled, makers, retain_graph=True)
        found = torch.autograd.grad(judged, judges)
        for parameters, gradients, rule in ((makers, made, maker_rule), (judges, found, judge_rule)):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            rule.step()
        return fooled + judged

    def twice(images: Tensor, labels: Tensor) -> Tensor:
        """Compiled: a backward pass cannot be run twice over kept buffers, so the two losses are compiled apart."""
        noise = torch.randn(problem.batch, 100)
        fakes = make(noise)
        judged = judge_loss(images, fakes.detach())
        found = torch.autograd.grad(judged, judges)
        fooled = fool_loss(fakes)
        made = torch.autograd.grad(fooled, makers)
        for parameters, gradients, rule in ((makers, made, maker_rule), (judges, found, judge_rule)):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            rule.step()
        return fooled + judged

    forward = losses
    if not compiled:
        return step
    make = torch.compile(maker)
    judge_loss = torch.compile(
        lambda images, fakes: functional.softplus(-judge(images)).mean() + functional.softplus(judge(fakes)).mean()
    )
    fool_loss = torch.compile(lambda fakes: functional.softplus(-judge(fakes)).mean())
    return twice


def build(name: str, row: str) -> tuple[Run, int]:
    """`run(n)` for a row `torch_eager`, `torch_fused`, `torch_channels_last` or `torch_compile`, and its parameters."""
    problem = problems.PROBLEMS[name]
    torch.manual_seed(0)
    networks = torch_models.models(name)
    inputs, labels = (torch.from_numpy(array) for array in problems.data(problem))
    inputs, labels = (inputs.long() if problem.tokens else inputs), labels.long()
    if problem.image:
        inputs = inputs.permute(0, 3, 1, 2).contiguous()
    if row in ('torch_channels_last', 'torch_compile') and problem.image:
        # inductor keeps the layout it is given, and channels_last is the quicker one here
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        networks = tuple(network.to(memory_format=torch.channels_last) for network in networks)
    parameters = sum(p.numel() for network in networks for p in network.parameters())
    kind = gan if name == 'dcgan' else classification
    step = kind(networks, problem, row != 'torch_eager', row == 'torch_compile')
    batches = [(inputs[k :: problems.BATCHES].clone(), labels[k :: problems.BATCHES]) for k in range(problems.BATCHES)]
    count = [0]

    def run(n: int) -> float:
        loss = torch.zeros(())
        for _ in range(n):
            count[0] += 1
            loss = step(*batches[count[0] % problems.BATCHES])
        return loss.item()

    return run, parameters
