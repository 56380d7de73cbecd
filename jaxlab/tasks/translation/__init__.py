"""Translation: a network reads a sentence and writes another, token by token."""
