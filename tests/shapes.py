"""The checker of types and shapes that `tests/conftest.py` hangs on every function of `jaxlab/layers`."""

from collections.abc import Callable
from typing import Any

import beartype


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Checked at every call, but for functions within functions: these would be made anew, which takes milliseconds, at each
    call of the outer one (a tenth of the time of tests/models)."""
    return function if '<locals>' in function.__qualname__ else beartype.beartype(function)
