"""What a page of worked computations is told."""

import dataclasses

from jaxlab.worked.own import OwnNetwork


@dataclasses.dataclass(frozen=True)
class Settings:
    """own: a network that was given on the command line. learning_rate, epochs: 0 leaves them to the page."""

    own: OwnNetwork | None = None
    learning_rate: float = 0.0
    epochs: int = 0
    loss: str = 'half_squared'
    show: str = ''
    seed: int = 0

    @property
    def as_published(self) -> bool:
        """Whether the page's own learning rate and number of epochs are used."""
        return not self.learning_rate and not self.epochs
