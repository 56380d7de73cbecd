"""A family of its own: counting the vowels of ragged text. CONTRIBUTING.md walks through it."""
