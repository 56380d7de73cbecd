"""B16: English to French with two LSTMs, with attention between them and without: what does attention add, and when?"""

from configs import common, shared

ALL_PAIRS = {  # what is needed to translate: all pairs, pieces of words, held-out BLEU that chooses the epoch
    'data.limit': 0,
    'data.batch_size': 128,
    'data.buckets': 4,
    'data.options': {'unit': 'pieces', 'vocabulary': 8000, 'longest': 50},
    'model.dropout': 0.2,
    'task.teacher_forcing': 1.0,
    'task.label_smoothing': 0.1,
    'optimizer': shared.adam_with_warmup(500),
    'training.epochs': 4,
    'training.eval_every': 1,
    **shared.BEST_BLEU,
    'published': {},
}


def get_config(profile: str = 'full') -> common.Config:
    """500 pairs in one batch, 200 updates, embedding 256, one LSTM of 512 units a side, each next word true with chance 0.5.

    The source measured nothing but its training loss, let unknown words be padding and looked at padding: `as_published` does.
    Here words that training lacks have a token, padding is not read, and a hundredth of all sentences is held out twice.
    `all_pairs` is a translator; its scores are of cased text, those of the small ones of lower-case words.
    """
    config = common.experiment('seq2seq_eng_fra', task='translation', data='tatoeba', model='seq2seq', spec=('B16',))
    config.aim = 'What does attention add to a recurrent translator, with 500 pairs and with all there are?'
    config.data.options = {'source': 'eng', 'target': 'fra', 'rule': 'spaces', 'order': 'first'}
    config.data.update({'limit': 500, 'batch_size': 0, 'eval_batch_size': 250})
    config.data.update({'test_fraction': 0.01, 'validation_fraction': 0.01})
    config.model.update({'embedding': 256, 'features': (512,), 'attention': 'before', 'score': 'projected'})
    config.task.teacher_forcing = 0.5
    config.optimizer = common.adam(1e-3, clip_norm=1.0)
    config.training.update({'epochs': 200, 'eval_every': 20, 'checkpoint_every': 50})
    config.report.options = shared.TRANSLATION_REPORT
    without = common.printed(1.921, 'B16, epoch 190, no attention', 'noisy: one coin a step for the whole batch')
    config.published = {
        'train_loss': common.printed(1.715, 'B16, epoch 190, attention', 'noisy: one coin a step for the whole batch')
    }
    config.variants = {
        'attention': {},
        'no_attention': {'model.attention': 'none', 'published': {'train_loss': without}},
        'as_published': {
            'data.options.unknown': 'padding',
            'model.mask_encoder': False,
            'model.mask_attention': False,
        },
        'always_true_words': {'task.teacher_forcing': 1.0, 'published': {}},
        'all_pairs': ALL_PAIRS,
        'all_pairs_no_attention': {**ALL_PAIRS, 'model.attention': 'none'},
    }
    config.theory = (
        '$h_t = \\mathrm{LSTM}(x_t, h_{t-1})$ reads, $s_t = \\mathrm{LSTM}([y_{t-1}, c_t], s_{t-1})$ writes, '
        '$p(y_t) = \\mathrm{softmax}(W s_t + b)$; without attention all that is known of the source is $s_0 = h_S$.',
        'Attention: $c_t = \\sum_i \\alpha_{t,i} V h_i$, $\\alpha_t = \\mathrm{softmax}((Q s_{t-1})^\\top K h_i / \\sqrt{512})$.',
        '$L = -\\sum_t \\log p(y_t | y_{<t}, x)$; under half teacher forcing it swings with the coins and compares with nothing.',
    )
    config.limits = (
        '500 pairs hold a hundredth of the words of the held-out sentences: no setting translates with them.',
        'One reference a sentence: many right translations score low.',
        'The source drew its 500 pairs without a seed from a set that is not published with it.',
    )
    smoke = {
        'data.limit': 256,
        'data.eval_limit': 50,
        'data.batch_size': 32,
        'model.embedding': 32,
        'model.features': (64,),
        'optimizer.learning_rate': 5e-3,
        'training.epochs': 40,
        'training.eval_every': 20,
    }
    return common.with_profile(config, profile, smoke=smoke)
