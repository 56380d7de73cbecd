"""The worked pages: one module a family, each a function `Settings -> Report`."""
