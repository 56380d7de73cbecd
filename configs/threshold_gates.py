"""Threshold gates (C01, C18, C19): logic from units that fire at a threshold, with margins; XOR from three of them."""

from configs import common


def get_config(profile: str = 'full') -> common.Config:
    """OR and AND in both codings and XOR as published, NAND, NOR, NOT and the bipolar XOR beyond them."""
    spec = ('C01', 'C18', 'C19', 'C20', 'C21')
    config = common.worked_by_hand('threshold_gates', spec=spec, page='gates')
    config.aim = 'Which logic gates can one threshold unit be, and with how much room?'
    config.published = {
        'bipolar_or_of_no_and_no': common.printed(1, 'C19', 'a slip by hand; C01 computes -1'),
        'xor_of_yes_and_yes': common.printed(0, 'C18'),
    }
    config.theory = (
        'A unit answers yes where $w \\cdot x \\ge \\theta$, else no; yes and no are 1 and 0, or 1 and -1.',
        'The thresholds that give a wanted table lie in an interval $(\\max_{no} w \\cdot x,\\; \\min_{yes} w \\cdot x]$; '
        'where it is empty, no threshold will do.',
        'The margin is the least distance of a sample to the line, $\\min_i |w \\cdot x_i - \\theta| / \\|w\\|$.',
        'XOR is the OR of two units: $h_1 = [x_1 - x_2 \\ge 1]$, $h_2 = [x_2 - x_1 \\ge 1]$, $y = [h_1 + h_2 \\ge 1]$.',
    )
    config.limits = ('Nothing is learned here: weights and thresholds were chosen by hand.',)
    return common.with_profile(config, profile)
