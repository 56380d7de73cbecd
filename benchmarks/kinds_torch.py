"""What a step of a row does in PyTorch, by the kind of its problem: `step(inputs, labels) -> loss` of its networks.

compiler: of the forward passes, or None. low: in bfloat16.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import problems

Compiler = Callable[[Callable], Callable]


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


def vae(
    networks: tuple, problem: problems.Problem, device: torch.device, fused: bool, compiler: Compiler | None, low: bool
) -> Callable:
    """As in B22: cross-entropy summed over pixels and divergence summed over latent numbers, means over the batch."""
    (network,) = networks
    rule = optimizer(problem, network, fused)

    def loss_fn(pixels: Tensor, noise: Tensor) -> Tensor:
        mean, log_variance = network.encode(pixels)
        logits = network.decode(mean + torch.exp(0.5 * log_variance) * noise)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (functional.binary_cross_entropy_with_logits(logits, pixels, reduction='sum') + divergence) / len(pixels)

    forward = half(loss_fn, device, low)
    if compiler is not None:
        forward = compiler(forward)

    def step(inputs: Tensor, labels: Tensor) -> Tensor:
        rule.zero_grad(set_to_none=True)
        loss = forward(torch.sigmoid(inputs), torch.randn(len(inputs), 2, device=device))
        loss.backward()
        rule.step()
        return loss

    return step


def cyclegan(
    networks: tuple, problem: problems.Problem, device: torch.device, fused: bool, compiler: Compiler | None, low: bool
) -> Callable:
    """As in B21: both generators together (least squares, cycle 10, identity 5), then both discriminators."""
    makers, judges = networks[:2], networks[2:]
    maker_rule, judge_rule = (optimizer(problem, nn.ModuleList(team), fused) for team in (makers, judges))

    def made(*real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fakes = makers[0](real[1]), makers[1](real[0])
        loss = torch.zeros((), device=device)
        for at, other in ((0, 1), (1, 0)):
            loss = loss + (judges[at](fakes[at]) - 1).square().mean()
            loss = loss + 10 * (makers[other](fakes[at]) - real[other]).abs().mean()
            loss = loss + 5 * (makers[at](real[at]) - real[at]).abs().mean()
        return loss, *fakes

    def told_apart(*images: Tensor) -> Tensor:
        real, fakes = images[:2], images[2:]
        parts = [(judges[at](real[at]) - 1).square().mean() + judges[at](fakes[at]).square().mean() for at in (0, 1)]
        return (parts[0] + parts[1]) / 2

    forward, judged_of = (half(part, device, low) for part in (made, told_apart))
    if compiler is not None:
        forward, judged_of = compiler(forward), compiler(judged_of)

    def step(inputs: Tensor, labels: Tensor) -> Tensor:
        real = torch.tanh(inputs), torch.tanh(inputs.flip(2))
        maker_rule.zero_grad(set_to_none=True)
        for parameter in _all(judges):
            parameter.requires_grad_(False)
        loss, *fakes = forward(*real)
        loss.backward()
        for parameter in _all(judges):
            parameter.requires_grad_(True)
        maker_rule.step()
        judge_rule.zero_grad(set_to_none=True)
        judged = judged_of(*real, *(fake.detach() for fake in fakes))
        judged.backward()
        judge_rule.step()
        return loss + judged

    return step


def _all(networks: Sequence[nn.Module]) -> list[nn.Parameter]:
    return [parameter for network in networks for parameter in network.parameters()]


KINDS: dict[str, Callable] = {'classification': classification, 'gan': gan, 'vae': vae, 'cyclegan': cyclegan}
