"""A person's own small network under each of the rules: the same pages as the published computations."""

import numpy as np

from jaxlab.errors import UserError
from jaxlab.figures import Figure, Lines, Table
from jaxlab.protocol import Report
from jaxlab.worked import delta_rule, network
from jaxlab.worked.gradient_check import check_gradients
from jaxlab.worked.own import OwnNetwork, coding_of
from jaxlab.worked.pages.parts import by_name, once
from jaxlab.worked.perceptron import train_perceptron, verdict
from jaxlab.worked.quantities import iteration
from jaxlab.worked.settings import Settings
from jaxlab.worked.show import delta as drawn_delta
from jaxlab.worked.show import latex, passes
from jaxlab.worked.show import perceptron as drawn_perceptron

EPOCHS = 1000  # more would make the trace larger than it is worth
PAGES = 4  # samples that are worked out, unless all are asked for


def _given(settings: Settings) -> tuple[OwnNetwork, np.ndarray]:
    """The network and its targets [N, K], which a rule that learns needs."""
    own = settings.own
    assert own is not None
    if own.targets is None:
        raise UserError(
            'config.worked.targets is missing: this rule needs one target a sample (or --config.task.rule=forward)'
        )
    return own, own.targets


def _epochs(settings: Settings, usual: int) -> int:
    if settings.epochs > EPOCHS:
        raise UserError(
            f'config.training.epochs = {settings.epochs}; valid: up to {EPOCHS}, where every sample is kept'
        )
    return settings.epochs or usual


def _single(own: OwnNetwork, rule: str) -> np.ndarray:
    """The weights of the one unit, bias first or none."""
    if not own.single:
        raise UserError(
            f'rule {rule} is for one unit, not for {len(own.weights)} layers of '
            f'{", ".join(str(len(matrix)) for matrix in own.weights)} units; valid: --config.task.rule=backprop'
        )
    return own.weights[0][0]


def forward(settings: Settings) -> Report:
    """The page of a forward pass: every net input and output; it needs no targets."""
    own = settings.own
    assert own is not None
    names = own.activations or ('linear',) * len(own.weights)
    layers = network.forward(own.inputs.T, own.weights, names)
    figures: list[Figure] = [
        passes.forward_worked(layers, names, 'own', 'Your network: the forward pass'),
        outputs_table(own, np.asarray(layers[-1].output).T),
    ]
    metrics = {
        f'output_{n + 1}_{k + 1}': [float(value)] for (n, k), value in np.ndenumerate(np.asarray(layers[-1].output).T)
    }
    return Report(
        figures,
        metrics,
        (),
        ('forward_own', 'outputs'),
        f'{len(own.inputs)} samples through {len(own.weights)} layers ({", ".join(names)}).',
        False,
    )


def backprop(settings: Settings) -> Report:
    """One update a sample, all deltas and gradients, beside automatic differentiation."""
    own, targets = _given(settings)
    names, rate, epochs = (
        own.activations or ('sigmoid',) * len(own.weights),
        settings.learning_rate or 1.0,
        _epochs(settings, 1),
    )
    weights, trace = network.backprop_epoch(own.weights, own.inputs.T, targets.T, names, rate, loss=settings.loss)
    checks = check_gradients(own.weights, own.inputs.T, targets.T, names, loss=settings.loss)
    every = len(own.inputs) if settings.show else PAGES
    figures: list[Figure] = list(
        passes.backward_worked(trace, names, rate, 'own', 'Your network', every, settings.loss)
    )
    shown = tuple(figure.name for figure in figures)
    drawn = passes.graph(iteration(trace, 0), 'graph_own', 'Your network: the first sample')
    figures += [drawn] if drawn else []
    figures.append(passes.check_table(checks, 'own'))
    errors = [
        float(network.total_error(each, own.inputs.T, targets.T, names, loss=settings.loss))
        for each in (own.weights, weights)
    ]
    for _ in range(epochs - 1):
        weights, _ = network.backprop_epoch(weights, own.inputs.T, targets.T, names, rate, loss=settings.loss)
        errors.append(float(network.total_error(weights, own.inputs.T, targets.T, names, loss=settings.loss)))
    outputs = np.asarray(network.forward(own.inputs.T, weights, names)[-1].output).T
    figures += [outputs_table(own, outputs), passes.weights_table(weights)]
    figures += (
        [passes.error_curves({'summed error': np.array(errors)}, 'own_error', 'The summed error')] if epochs > 1 else []
    )
    by_name(figures)
    gap = max(check.gap for check in checks)
    metrics = once(error_before=errors[0], error_after=errors[-1], gradient_gap=gap)
    metrics |= {
        f'weight_{layer}_{unit + 1}_{column}': [float(value)]
        for layer, matrix in enumerate(weights)
        for (unit, column), value in np.ndenumerate(np.asarray(matrix))
    }
    return Report(
        figures,
        {name: values for name, values in metrics.items() if np.isfinite(values[0])},
        (),
        (*shown, 'check_own', 'outputs', 'weights'),
        f'The summed error goes from {errors[0]:.6g} to {errors[-1]:.6g} in {epochs} epoch{"s" * (epochs > 1)}; the gradients '
        f'by hand equal automatic differentiation (largest difference {gap:.1g}).',
        False,
    )


def perceptron(settings: Settings) -> Report:
    """The perceptron rule on one threshold unit, and whether it can succeed at all."""
    own, targets = _given(settings)
    weights, flat, coding = _single(own, 'perceptron'), targets[:, 0], coding_of(targets)
    fits = {'binary': 'step', 'bipolar': 'bipolar_step'}[coding]
    if own.activations and own.activations[0] != fits:
        raise UserError(
            f'config.task.activation = {own.activations[0]!r}: these targets need {fits!r} (rule perceptron)'
        )
    run = train_perceptron(
        weights, own.inputs, flat, settings.learning_rate or 1.0, _epochs(settings, 100), coding=coding
    )
    words = verdict(run, own.inputs, flat)
    figures = drawn_perceptron.perceptron_figures(
        run, own.inputs, flat, worked_epochs=run.epochs if settings.show else 1
    )
    figures += [passes.weights_table([run.weights[None]])]
    metrics = once(epochs=run.epochs, updates=run.mistakes.sum()) | {
        f'weight_{k}': [float(value)] for k, value in enumerate(run.weights)
    }
    return Report(
        figures,
        metrics,
        (words,),
        ('perceptron_worked', 'perceptron_trace', 'perceptron_separability'),
        f'{words[:1].upper()}{words[1:]}.',
        False,
    )


def delta(settings: Settings) -> Report:
    """The delta rule on one unit of any activation."""
    own, targets = _given(settings)
    weights, flat = _single(own, 'delta'), targets[:, 0]
    name = own.activations[0] if own.activations else 'linear'
    rate, epochs = settings.learning_rate or 0.1, _epochs(settings, 20)
    run = delta_rule.train_delta(weights, own.inputs, flat, rate, epochs, name)
    has_bias = len(weights) == own.inputs.shape[1] + 1
    level = float(flat.min() + flat.max()) / 2
    figures: list[Figure] = [drawn_delta.worked(run, rate, name, epochs if settings.show == 'step' else 1)]
    figures += [drawn_delta.epoch_table(run, tuple(f'w{k + (not has_bias)}' for k in range(len(weights))))]
    figures += finite_figures(own, run, flat, rate, name, level, has_bias)
    figures += [outputs_table(own, np.asarray(delta_rule.predict(run.weights, own.inputs, name))[:, None])]
    by_name(figures)
    metrics = once(mse_before=run.online_mse[0], mse_after=run.mse[-1]) | {
        f'weight_{k}': [float(value)] for k, value in enumerate(run.weights)
    }
    fell = f'After {epochs} epochs the mean squared error is {run.mse[-1]:.6g}.'
    away = '' if np.isfinite(run.mse[-1]) else ' The learning rate is too large: the weights run away.'
    return Report(
        figures,
        {key: values for key, values in metrics.items() if np.isfinite(values[0])},
        (),
        ('delta_worked', 'delta_epochs', 'outputs'),
        fell + away,
        False,
    )


def finite_figures(
    own: OwnNetwork, run: delta_rule.DeltaRun, targets: np.ndarray, rate: float, name: str, level: float, has_bias: bool
) -> list[Figure]:
    """Curve, stability, and the plane where there are two inputs and a bias."""
    figures: list[Figure] = [curve_of(run, name, own, targets)] if np.isfinite(run.mse).any() else []
    if name == 'linear':
        figures.append(drawn_delta.stability(own.inputs, has_bias, used=rate))
    if own.inputs.shape[1] == 2 and has_bias and np.isfinite(run.weights).all():
        figures.append(drawn_delta.boundary(run.weights, own.inputs, targets, level, function=name))
        figures.append(drawn_delta.surface(run, own.inputs, targets, (1, 2), function=name))
    return figures


def curve_of(run: delta_rule.DeltaRun, name: str, own: OwnNetwork, targets: np.ndarray) -> Lines:
    has_bias = len(run.weights) == own.inputs.shape[1] + 1
    least = delta_rule.least_squares(own.inputs, targets, has_bias)[1] if name == 'linear' else None
    return drawn_delta.mse_curve({'MSE': run.mse}, least)


def outputs_table(own: OwnNetwork, outputs: np.ndarray) -> Table:
    """What the network says to each sample."""
    rows = []
    for n, x in enumerate(own.inputs):
        target = [latex.text_vector(own.targets[n])] if own.targets is not None else []
        rows.append((latex.text_vector(x), *target, latex.text_vector(outputs[n])))
    columns = ('x', 'target', 'output') if own.targets is not None else ('x', 'output')
    return Table('outputs', 'The outputs', '', columns, rows, '<' * len(columns))
