"""Attention beside a recurrent summary (B24): a map of all words against one vector, nothing trained."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Five words against five, width 8, one head; embeddings from sines so that every number can be checked."""
    config = common.worked_by_hand('attention_vs_gru', spec=('B24',), page='attention_vs_gru')
    config.aim = 'What does an attention map hold that the last state of a recurrent network does not?'
    config.published = {
        'attention_parameters': common.printed(384, 'B24', 'counted in the specification'),
        'gru_parameters': common.printed(600, 'B24', "counted in the specification; Flax's own cell has 584"),
        'weight_ml_pad': common.printed(0.12705554, 'B24', 'its wiring, padding not masked; the source prints none'),
    }
    config.theory = (
        'Attention: $A = \\mathrm{softmax}(Q K^T / \\sqrt{8})$, output $A V$; queries from the target, keys and values from '
        'the source.',
        'A recurrent network reads word after word into one state $h_t = f(h_{t-1}, x_t)$; all that is left is $h_T$.',
        'Padding is masked by scores of $-\\infty$, so that its weights are exactly 0.',
    )
    config.limits = ('Nothing is trained: neither panel says anything about the words.',)
    return common.with_profile(config, profile)
