"""Kinds of learning: a folder each; `names.py` is their table."""
