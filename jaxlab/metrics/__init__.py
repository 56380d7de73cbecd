"""Losses and exact sums on the device; rich metrics on the host (import their modules: scikit-learn takes a second)."""

from jaxlab.metrics.losses import GAN_FORMS as GAN_FORMS
from jaxlab.metrics.losses import absolute_error as absolute_error
from jaxlab.metrics.losses import binary_cross_entropy as binary_cross_entropy
from jaxlab.metrics.losses import cross_entropy as cross_entropy
from jaxlab.metrics.losses import discriminator_loss as discriminator_loss
from jaxlab.metrics.losses import gaussian_kl as gaussian_kl
from jaxlab.metrics.losses import generator_loss as generator_loss
from jaxlab.metrics.losses import huber as huber
from jaxlab.metrics.losses import squared_error as squared_error
from jaxlab.metrics.sums import sums as sums
from jaxlab.metrics.sums import weighted_mean as weighted_mean
