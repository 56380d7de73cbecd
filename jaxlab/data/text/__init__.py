"""Text as tokens: how it is split, numbered and framed, all fitted on training text alone; pairs of sentences."""
