"""What a step of a row does in PyTorch, by the kind of its problem: `step(inputs, labels) -> loss` of its networks."""

import dataclasses
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import problems

Compiler = Callable[[Callable], Callable]


@dataclasses.dataclass(frozen=True)
class Form:
    """How a row computes its problem. compiler: of the forward passes, or None."""

    problem: problems.Problem
    device: torch.device
    fused: bool  # the optimizer is one C++ loop over all parameters
    compiler: Compiler | None
    low: bool  # in bfloat16, parameters staying float32

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """PyTorch's defaults but for the rate (and A08's epsilon)."""
        parameters, rate = list(network.parameters()), self.problem.learning_rate
        if self.problem.optimizer == 'sgd':
            return torch.optim.SGD(parameters, rate, momentum=0.9, fused=self.fused)
        return torch.optim.Adam(parameters, rate, eps=1e-7 if rate == 1e-4 else 1e-8, fused=self.fused)

    def made(self, forward: Callable) -> Callable:
        """A forward pass as this row computes it: under autocast, compiled."""
        function = self._lowered(forward) if self.low else forward
        return function if self.compiler is None else self.compiler(function)

    def _lowered(self, function: Callable) -> Callable:
        def lower(*arguments: Tensor) -> Tensor | tuple[Tensor, ...]:
            with torch.autocast(self.device.type, torch.bfloat16):
                return function(*arguments)

        return lower


def descent(network: nn.Module, loss_fn: Callable, given: Callable, form: Form) -> Callable:
    """`step(inputs, labels) -> loss` of one network: an update against the gradient of `loss_fn(*given(inputs, labels))`."""
    rule, forward = form.optimizer(network), form.made(loss_fn)

    def step(inputs: Tensor, labels: Tensor) -> Tensor:
        rule.zero_grad(set_to_none=True)
        loss = forward(*given(inputs, labels))
        loss.backward()
        rule.step()
        return loss

    return step


def classification(networks: tuple, form: Form) -> Callable:
    """Cross-entropy of the classes."""
    (network,) = networks

    def loss_fn(inputs: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(network(inputs), labels)

    return descent(network, loss_fn, lambda inputs, labels: (inputs, labels), form)


def gan(networks: tuple, form: Form) -> Callable:
    """As in A08: one pass of each network, both gradients from it (each only where it is needed), both updates."""
    maker, judge = networks
    maker_rule, judge_rule = map(form.optimizer, networks)
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
        fooled, judged = forward(images, torch.randn(form.problem.batch, 100, device=form.device))
        made = torch.autograd.grad(fooled, makers, retain_graph=True)
        update(made, torch.autograd.grad(judged, judges))
        return fooled + judged

    def twice(images: Tensor, labels: Tensor) -> Tensor:
        """Compiled: a backward pass cannot be run twice over kept buffers, so the two losses are compiled apart."""
        noise = torch.randn(form.problem.batch, 100, device=form.device)
        fakes = make(noise)
        judged = judge_loss(images, fakes.detach())
        found = torch.autograd.grad(judged, judges)
        fooled = fool_loss(fakes)
        update(torch.autograd.grad(fooled, makers), found)
        return fooled + judged

    if form.compiler is None:
        forward = form.made(losses)
        return step

    def judged_of(images: Tensor, fakes: Tensor) -> Tensor:
        return functional.softplus(-judge(images)).mean() + functional.softplus(judge(fakes)).mean()

    def fooled_of(fakes: Tensor) -> Tensor:
        return functional.softplus(-judge(fakes)).mean()

    make, judge_loss, fool_loss = map(form.made, (maker, judged_of, fooled_of))
    return twice


def vae(networks: tuple, form: Form) -> Callable:
    """As in B22: cross-entropy summed over pixels and divergence summed over latent numbers, means over the batch."""
    (network,) = networks

    def loss_fn(pixels: Tensor, noise: Tensor) -> Tensor:
        mean, log_variance = network.encode(pixels)
        logits = network.decode(mean + torch.exp(0.5 * log_variance) * noise)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (functional.binary_cross_entropy_with_logits(logits, pixels, reduction='sum') + divergence) / len(pixels)

    def given(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(inputs), torch.randn(len(inputs), 2, device=form.device)

    return descent(network, loss_fn, given, form)


def cyclegan(networks: tuple, form: Form) -> Callable:
    """As in B21: both generators together (least squares, cycle 10, identity 5), then both discriminators."""
    makers, judges = networks[:2], networks[2:]
    maker_rule, judge_rule = (form.optimizer(nn.ModuleList(team)) for team in (makers, judges))

    def made(*real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fakes = makers[0](real[1]), makers[1](real[0])
        loss = torch.zeros((), device=form.device)
        for at, other in ((0, 1), (1, 0)):
            loss = loss + (judges[at](fakes[at]) - 1).square().mean()
            loss = loss + 10 * (makers[other](fakes[at]) - real[other]).abs().mean()
            loss = loss + 5 * (makers[at](real[at]) - real[at]).abs().mean()
        return loss, *fakes

    def told_apart(*images: Tensor) -> Tensor:
        real, fakes = images[:2], images[2:]
        parts = [(judges[at](real[at]) - 1).square().mean() + judges[at](fakes[at]).square().mean() for at in (0, 1)]
        return (parts[0] + parts[1]) / 2

    forward, judged_of = map(form.made, (made, told_apart))

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


def segmentation(networks: tuple, form: Form) -> Callable:
    """As in B19: the cross-entropy of pixels and 1 - soft Dice of the batch. What is sought: pixels whose red is above 0."""
    (network,) = networks

    def loss_fn(images: Tensor) -> Tensor:
        logits, mask = network(images), (images[:, :1] > 0).float()
        seen = torch.sigmoid(logits)
        dice = (2 * (seen * mask).sum() + 1) / (seen.sum() + mask.sum() + 1)
        return functional.binary_cross_entropy_with_logits(logits, mask) + 1 - dice

    return descent(network, loss_fn, lambda inputs, labels: (inputs,), form)


def inference(networks: tuple, form: Form) -> Callable:
    """A forward pass as in evaluation; instead of a loss the squares of all outputs."""
    network = networks[0].eval()

    def squares(inputs: Tensor) -> Tensor:
        outputs = network(inputs)
        return sum(each.square().sum() for each in (outputs if isinstance(outputs, tuple) else (outputs,)))

    forward = form.made(squares)

    def step(inputs: Tensor, labels: Tensor) -> Tensor:
        with torch.inference_mode():
            return forward(inputs)

    return step


KINDS: dict[str, Callable] = {
    'classification': classification,
    'gan': gan,
    'vae': vae,
    'cyclegan': cyclegan,
    'segmentation': segmentation,
    'inference': inference,
}
