"""What a network's answers are worth: losses and exact sums on the device, scores on the host, what a metric's name means.

Import what is needed from its module: some need JAX, some scikit-learn (a second to import), `metrics` nothing.
"""
