"""House prices in California: a linear model by squared and by absolute errors, and the network of the text (B02)."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Linear 8 -> 1, full batch, Adam 0.01, trained to convergence with each loss from the same start.

    `as_published` is the source's procedure: 100 epochs of squared errors, then 100 of absolute errors on the same weights.
    `mlp` is the network of the source's text: 128 and 64 ReLU units, 9,473 parameters.
    """
    config = common.experiment(
        'california_housing', task='regression', data='california_housing', model='mlp', spec=('B02',)
    )
    config.aim = (
        'Which errors does a linear model make on house prices when it minimises their squares, or their sizes?'
    )
    config.model.features = ()
    config.data.update({'batch_size': 0, 'shuffle': False, 'eval_batch_size': 4096})
    config.data.update({'test_fraction': 0.3, 'validation_fraction': 0.5, 'validation_from': 'test'})
    config.optimizer = common.adam(0.01)
    config.training.epochs = 2000
    config.training.eval_every = 10
    config.training.checkpoint_every = 0
    config.training.measure_train = True
    config.report.options = {
        'main_metric': 'test_mse',
        'compared': ('test_mse', 'test_mae', 'test_r2', 'validation_mse'),
        'baselines': ('mean', 'median', 'least_squares', 'least_absolute'),
    }
    config.variants = {
        'mse': {},
        'mae': {'task.loss': 'absolute'},
        'as_published': {
            'task.stages': (('squared', 100), ('absolute', 100)),
            'training.epochs': 200,
            'training.eval_every': 1,
            'published': printed('100 epochs of squares, then 100 of sizes'),
        },
        'mlp': {
            'model.features': (128, 64),
            'model.dropout': 0.1,
            'optimizer.learning_rate': 1e-3,
            'data.batch_size': 64,
            'data.shuffle': True,
            'training.epochs': 120,
            'training.eval_every': 1,
            'training.best_metric': 'validation_mse',
            'training.restore_best': True,
        },
    }
    config.published = printed(
        'of one model far from convergence: judged in the variant as_published', comparable=False
    )
    config.theory = (
        'Squared errors: $\\frac{1}{N}\\sum_i (y_i - \\hat y_i)^2$ is least where $\\hat y$ is the conditional mean.',
        'Absolute errors: $\\frac{1}{N}\\sum_i |y_i - \\hat y_i|$ is least at the conditional median.',
        'Each of the two fits must win by the measure that it minimises; $R^2 = 1 - \\mathrm{MSE} / \\mathrm{Var}(y)$.',
    )
    config.limits = (
        'The source trains one model for 200 epochs, first on squares, then on sizes, and compares nothing: both of its '
        'test numbers belong to that one model. After 100 epochs it was worse than the mean of the targets.',
        'The heights of the two losses have different units and cannot be compared; the table by both measures can.',
        'Prices are cut at 500,001 dollars (4.7 % of the rows): no model can see beyond.',
        'The source describes a network of two hidden layers and an 80/20 split; its code has neither.',
        'Rows are blocks of one map: neighbours lie on both sides of a random split.',
    )
    smoke = {
        'training.epochs': 60,
        'data.limit': 1024,
        'data.eval_limit': 256,
        'report.options.baselines': ('mean', 'least_squares'),
    }
    return common.with_profile(config, profile, smoke=smoke)


def printed(note: str, comparable: bool = True) -> dict[str, object]:
    """What the source printed of its one model."""
    errors = {'test_mse': 0.6742, 'test_mae': 0.5556}
    return {name: common.printed(error, 'B02, one unseeded run', note, comparable) for name, error in errors.items()}
