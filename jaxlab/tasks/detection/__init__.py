"""Where objects are, and of which class: boxes."""
