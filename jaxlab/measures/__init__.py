"""Losses and exact sums on the device; rich metrics on the host (import their modules: scikit-learn takes a second)."""

from jaxlab.measures.losses import GAN_FORMS as GAN_FORMS
from jaxlab.measures.losses import absolute_error as absolute_error
from jaxlab.measures.losses import binary_cross_entropy as binary_cross_entropy
from jaxlab.measures.losses import cross_entropy as cross_entropy
from jaxlab.measures.losses import discriminator_loss as discriminator_loss
from jaxlab.measures.losses import gaussian_kl as gaussian_kl
from jaxlab.measures.losses import generator_loss as generator_loss
from jaxlab.measures.losses import huber as huber
from jaxlab.measures.losses import squared_error as squared_error
from jaxlab.measures.sums import sums as sums
from jaxlab.measures.sums import weighted_mean as weighted_mean
