"""Which pixels belong to what: masks."""
