"""D3.2, D3.3: Russian to English with two LSTMs and dot-product attention: what did a loss of 1.87 and a BLEU of 0 measure?"""

from configs import common, shared


def get_config(profile: str = 'full') -> common.Config:
    """1,600 pairs of lower-case words without marks, embedding 64, LSTMs of 128 units, Adam 1e-3, batch 32, five epochs.

    The source scored each token on itself and counted padding: a copy was learned (`as_published`, an identity task), no
    translation, and no sentence began or ended. Here tokens are found from those before them. `all_pairs` has what is needed.
    """
    config = common.experiment(
        'seq2seq_rus_eng', task='translation', data='tatoeba', model='seq2seq', spec=('D3.2', 'D3.3')
    )
    config.aim = 'Was Russian to English learned, or a copy of the answer?'
    config.data.options = {'source': 'rus', 'target': 'eng', 'rule': 'bare', 'vocabulary': 10_000, 'longest': 17}
    config.data.update(
        {'limit': 1600, 'eval_limit': 400, 'batch_size': 32, 'eval_batch_size': 200, 'drop_remainder': True}
    )
    config.model.update(shared.RUS_ENG_NETWORK)
    config.optimizer = common.keras_adam(1e-3)
    config.training.update({'epochs': 5, 'watch': ('test',)})
    config.report.options = shared.TRANSLATION_REPORT
    identity = {
        'data.options': shared.RUS_ENG_ARRAYS,
        'model.mask_attention': False,
        'task.shifted': False,
        'task.count_padding': True,
        'task.start': 1,
    }
    config.variants = {
        'next_word': {},
        'as_published': {
            **identity,
            'published': {
                'train_loss': common.printed(
                    1.8651, 'D3.3, epoch 5', 'each token given and asked for, padding counted'
                ),
                'test_bleu': common.printed(0.0, 'D3.3', 'the mean over sentences of 100; here of the corpus'),
            },
        },
        'longer': {'training.epochs': 60, 'training.eval_every': 10},
        'all_pairs': {
            'data.limit': 0,
            'data.eval_limit': 0,
            'data.test_fraction': 0.03,
            'data.validation_fraction': 0.03,
            'data.buckets': 4,
            'data.batch_size': 64,
            'data.options': {'source': 'rus', 'target': 'eng', 'unit': 'pieces', 'vocabulary': 4000, 'longest': 60},
            'model.embedding': 256,
            'model.features': (256,),
            'model.dropout': 0.3,
            'model.score': 'additive',
            'task.label_smoothing': 0.1,
            'optimizer': shared.adam_with_warmup(200),
            'training.epochs': 25,
            'training.watch': ('validation',),
            **shared.BEST_BLEU,
        },
    }
    config.theory = (
        '$c_t = \\sum_i \\alpha_{t,i} h_i$, $\\alpha_t = \\mathrm{softmax}(s_t^\\top h_i / \\sqrt{128})$, '
        'logits $W [s_t; c_t] + b$.',
        'Right: input $\\langle s \\rangle, y_1 \\ldots y_{n-1}$, asked for $y_1 \\ldots y_n, \\langle /s \\rangle$. '
        'As published input and answer are the same array: the loss falls without any translation.',
        'With two thirds of all places padding, a loss of 1.87 a place is about 6 a word, near the uniform guess.',
    )
    config.limits = (
        'The set of the source (187,053 pairs of a Kaggle file) is not at hand; Tatoeba’s 19,425 pairs are of the same kind.',
        'The source’s attention passed no gradient (it went through NumPy); here it does, in all variants.',
        'Sentence BLEU without smoothing is 0 for every reference of fewer than four words, however good the answer.',
    )
    smoke = {'data.limit': 640, 'data.eval_limit': 100, 'training.epochs': 4, 'training.eval_every': 2}
    return common.with_profile(config, profile, smoke=smoke)
