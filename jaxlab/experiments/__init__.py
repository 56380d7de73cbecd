"""Experiments from a config to a report. Imports nothing heavy by itself: `--list` needs `config` alone."""
