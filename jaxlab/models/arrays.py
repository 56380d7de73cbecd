"""The arrays that most networks are called with and give, by name."""

from jaxtyping import Array, Float

Images = Float[Array, 'N H W C']  # and the maps of channels that a network makes of them
Weight = Float[Array, 'N'] | None  # 1 for an example, 0 for a row that only fills up its batch; None: all are examples
Logits = Float[Array, 'N classes']
