"""Attention by hand (D3.1, A07): queries, keys, values, scores, weights and output, every matrix."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """Two queries and three keys; then three queries, five keys, depth 4 and values of 6 numbers, as in D3.1."""
    config = common.worked_by_hand('attention_by_hand', spec=('D3.1', 'A07'), page='attention')
    config.aim = 'What does scaled dot-product attention compute, matrix by matrix?'
    lost = 'unseeded draws that were not printed: other inputs'
    config.published = {
        'weight_1_1': common.printed(0.06161321, 'D3.1', lost),
        'output_1_1': common.printed(0.88410309, 'D3.1', lost),
    }
    config.theory = (
        'Attention $\\mathrm{softmax}(Q K^T / \\sqrt{d_k})\\,V$: every query takes a weighted mean of the values.',
        'The scores of unit normal queries and keys have variance $d_k$; divided by $\\sqrt{d_k}$ it is 1 at every depth.',
    )
    config.limits = (
        "D3.1's inputs are lost: its weights and outputs cannot be recomputed, only checked for consistency.",
    )
    return common.with_profile(config, profile)
