"""Whole training steps against peers, alternating in one run."""
