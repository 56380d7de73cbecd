"""Train state, optimizers, schedules, parameter groups: what tasks build on."""

from jaxlab.optimizers.build import OPTIMIZERS as OPTIMIZERS
from jaxlab.optimizers.build import build_optimizer as build_optimizer
from jaxlab.optimizers.build import optimizer_fields as optimizer_fields
from jaxlab.optimizers.plateau import Plateau as Plateau
from jaxlab.optimizers.plateau import reduce_on_plateau as reduce_on_plateau
from jaxlab.optimizers.schedules import SCHEDULES as SCHEDULES
from jaxlab.optimizers.state import TrainState as TrainState
from jaxlab.optimizers.state import start_left as start_left
from jaxlab.optimizers.state import without_optimizer as without_optimizer
