"""What is common to the fields that a network predicts in classes: labels, masks, boxes."""

import dataclasses
from typing import Any, ClassVar


@dataclasses.dataclass(frozen=True)
class ClassAnswer:
    """A predicted field of class numbers. names: one a class. Nothing of it is fitted, and no example is longer than another."""

    names: tuple[str, ...]
    answer: ClassVar[bool] = True
    fitted: ClassVar[Any] = None
    length: ClassVar[str] = ''
