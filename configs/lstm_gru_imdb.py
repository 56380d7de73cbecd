"""LSTM against GRU on reviews (B15): what padding at the end does to the last state, and is there a difference at all?"""

from configs import common

AS_PUBLISHED = {  # the state after the padding, the last epoch, every review of the file
    'model.padding': None,
    'model.zero_token': 0,
    'data.options.unique': False,
    'data.validation_fraction': 0.0,
    'data.buckets': 0,
    'training.best_metric': '',
    'training.restore_best': False,
    'training.patience': 0,
}


def get_config(profile: str = 'full') -> common.Config:
    """Embedding 100, one layer of 128 units, two logits; PyTorch's start, Adam 1e-3, batch 32, ten epochs.

    Words as in the Penn Treebank, 9,998 of them, the first 200 tokens of each review, padding behind; 40,000 / 10,000
    reviews. LSTM: 1,118,018 parameters, GRU: 1,088,578. The classifier reads the state at the last word; in
    `lstm_as_published` and `gru_as_published` that after the padding, as in the source.
    """
    config = common.experiment('lstm_gru_imdb', task='classification', data='imdb', model='sequence', spec=('B15',))
    config.aim = 'Do LSTM and GRU differ on reviews of films once both read the last word, and which is faster?'
    config.model.update({'cell': 'lstm', 'features': (128,), 'embedding': 100, 'init_scheme': 'torch', 'padding': 0})
    config.data.options = {'rule': 'treebank', 'vocabulary': 10_000, 'longest': 200}
    config.data.update({'split': 'pooled', 'test_fraction': 0.2, 'validation_fraction': 0.125})
    config.data.update({'batch_size': 32, 'buckets': 4})
    config.optimizer = common.adam(1e-3)
    config.training.epochs = 10
    config.training.best_metric = 'validation_loss'
    config.training.restore_best = True
    config.training.patience = 3
    config.published = printed(0.8580, comparable=False)
    config.variants = {
        'lstm': {},
        'gru': {'model.cell': 'gru', 'published': {}},
        'lstm_dropout': {'model.dropout': 0.5, 'published': {}},
        'gru_dropout': {'model.dropout': 0.5, 'model.cell': 'gru', 'published': {}},
        'lstm_as_published': {**AS_PUBLISHED, 'published': printed(0.8580)},
        'gru_as_published': {
            **AS_PUBLISHED,
            'model.cell': 'gru',
            'published': printed(0.8615),
        },
    }
    config.report.options = {
        'main_metric': 'test_accuracy',
        'compared': ('test_accuracy', 'test_loss', 'test_roc_auc', 'validation_loss'),
        'baselines': ('majority', 'naive_bayes', 'tfidf_logistic'),
        'figures': ('text_lengths', 'accuracy_by_length', 'word_importance', 'gradient_by_step'),
    }
    config.report.x_axes = ('epoch', 'seconds')
    config.stand_in = {'training.epochs': 5}
    config.theory = (
        'LSTM: $c_t = f \\odot c_{t-1} + i \\odot \\tilde c$, $h_t = o \\odot \\tanh c_t$; 4 gates of 128 units.',
        "GRU as PyTorch and Flax have it: $n = \\tanh(W x + b + r \\odot (U h + b'))$, "
        '$h_t = (1 - z) \\odot n + z \\odot h_{t-1}$; the source prints $z$ and $1 - z$ the other way round.',
        'Where padding stands behind the text, the last state is that of the last word only if padding is skipped: '
        '$h_t = h_{t-1}$ wherever the mask is 0.',
    )
    config.limits = (
        'In the source the classifier reads the state after up to 200 zeros: its LSTM stays at chance in the first epoch '
        '(52.8 %). Its vocabulary is made of the test texts too; here of training texts alone.',
        'The source says that the GRU took 9.5 times as long as the LSTM: a property of its back end (MPS), not of the cells, '
        'of which the GRU has a quarter fewer numbers. The comparison has curves over seconds, measured on one machine.',
        'The printed difference of 0.35 points is 0.7 standard errors: no difference was shown.',
        '418 reviews occur twice in the 50,000; copies are left out before the split (not in the published variants).',
        'Words are parted by rules close to those of NLTK; rare abbreviations differ. "<br />" stays four tokens.',
        'The source joins the two official halves in another order: its 10,000 test reviews are not these.',
    )
    smoke = {
        'training.epochs': 2,
        'data.limit': 512,
        'data.eval_limit': 256,
        'data.options.longest': 40,
        'data.buckets': 0,
    }
    return common.with_profile(config, profile, smoke=smoke)


def printed(accuracy: float, comparable: bool = True) -> dict[str, object]:
    """What the source printed of one of its two networks."""
    note = 'one unseeded run; vocabulary of training and test texts'
    return {'test_accuracy': common.printed(accuracy, 'B15, after epoch 10', note, comparable)}
