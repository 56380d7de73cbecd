"""Gradient descent on MNIST with all, 64 and single examples an update (B03), and why the last one failed."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """784-128-64-10, cross-entropy, 15 epochs: 15, 14,070 or 900,000 updates with the same 900,000 examples.

    The source takes rate 0.01 and momentum 0.9 for all three. That suits 64 examples; for all of them 15 updates are far
    too small, and for single ones 0.01 / (1 - 0.9) = 0.1 is so large that the hidden units die. The variants named
    `_tuned` choose their rate on 10,000 training images held back, in short trials; `single_no_momentum` is the other cure.
    """
    name = 'gradient_descent_mnist'
    config = common.experiment(name, task='classification', data='mnist', model='mlp', spec=('B03',))
    config.aim = 'How many examples should an update see, and what must the learning rate do when that number changes?'
    config.model.features = (128, 64)
    config.data.scale = (-1.0, 1.0)
    config.data.batch_size = 64
    config.optimizer = common.sgd(learning_rate=0.01, momentum=0.9)
    config.training.epochs = 15
    config.training.watch = ('test',)
    config.training.measure_train = True
    full, single = {'data.batch_size': 0}, {'data.batch_size': 1, 'parallel.devices': 1}
    config.variants = {
        'mini_batch': {'published': printed('b', 0.0263, 0.9912)},
        'full_batch': {**full, 'published': printed('a', 2.2324, 0.2548)},
        'single_sample': {**single, 'published': printed('c', 2.3229, 0.1041)},
        'mini_batch_tuned': tuned((0.003, 0.01, 0.03, 0.1), epochs=3),
        'full_batch_tuned': {**full, **tuned((0.01, 0.02, 0.03, 0.05, 0.1), epochs=15)},
        'single_tuned': {**single, **tuned((0.0001, 0.0003, 0.001, 0.003), epochs=1)},
        'single_no_momentum': {**single, 'optimizer.momentum': 0.0, 'published': {}},
    }
    config.published = printed('b', 0.0263, 0.9912)
    config.report.options.main_metric = 'test_accuracy'
    config.report.options.figures = ('dead_units', 'gradient_variance')
    config.report.x_axes = ('epoch', 'updates', 'examples', 'seconds')
    config.report.lines = {
        'train_loss': {'guessing, ln 10 (2.3026)': 2.302585, 'dead units (2.3237)': 2.323652},
    }
    config.theory = (
        'Full gradient $\\frac{1}{N} \\sum_i \\nabla \\ell_i$; of a batch $g = \\frac{1}{b} \\sum_{i \\in B} \\nabla \\ell_i$, '
        'unbiased, with variance $\\sigma^2 / b$.',
        'Momentum: $v \\leftarrow \\mu v + g$, $\\theta \\leftarrow \\theta - \\eta v$; a steady gradient moves by '
        '$\\eta / (1 - \\mu)$ an update, here $10 \\eta$.',
        'A network whose hidden units are dead knows only the class shares $p$: its loss is '
        '$H(p) + \\frac{\\eta}{4 (1 - \\mu)} \\sum_k p_k (1 - p_k) = 2.3012 + 0.025 \\cdot 0.8997 = 2.3237$.',
    )
    config.limits = (
        'By epochs every variant has seen the same examples, by updates the full batch has made 15 and the single one '
        '900,000: neither is the one fair axis, so the curves are drawn over both, and over time.',
        'The source counts a short last batch as much as a full one and gives no test accuracy; its training accuracy is '
        'measured before each update.',
        'Rates are tuned on four or five values each, on one seed, and momentum is not tuned.',
        'The test curve is drawn for comparison; nothing is chosen by it.',
    )
    return common.with_profile(
        config,
        profile,
        smoke={
            'training.epochs': 2,
            'data.limit': 256,
            'data.eval_limit': 128,
            'report.options.figures': ('dead_units',),
            'variants': {name: config.variants[name].to_dict() for name in ('mini_batch', 'single_sample')},
        },
    )


def printed(part: str, loss: float, accuracy: float) -> dict[str, dict[str, object]]:
    """What the source prints of one variant."""
    where, note = f'B03{part}, epoch 15', 'one unseeded run, each batch measured before its update'
    return {
        'train_loss': common.printed(loss, where, note),
        'train_accuracy': common.printed(accuracy, where, note),
    }


def tuned(rates: tuple[float, ...], epochs: int) -> dict[str, object]:
    """Overrides: the rate with the highest accuracy on a sixth of the training images; the source has no such number."""
    trial = {'training.epochs': epochs, 'data.validation_fraction': 1 / 6}
    wish = {'field': 'optimizer.learning_rate', 'values': rates, 'metric': 'validation_accuracy', 'overrides': trial}
    return {'tuning': wish, 'published': {}}
