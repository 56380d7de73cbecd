"""Published weights: read from files, renamed, laid out as ours, every tensor accounted for."""
