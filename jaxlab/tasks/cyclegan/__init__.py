"""Translation between two sets of images that are not paired."""
