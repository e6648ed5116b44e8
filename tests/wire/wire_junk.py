"""JSON that no provider would send, and changes that make it of what one did send."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from trio_llm.wire.values import as_list, as_object


def junk(fields: Sequence[str], *, width: int = 3, leaves: int = 5) -> st.SearchStrategy[Any]:
    """Give arbitrary JSON whose objects have fields that are read.

    Args:
        fields: The names of their fields.
        width: The most entries of a list or an object.
        leaves: The most values in the whole.
    """
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=width)
            | st.dictionaries(st.sampled_from(fields), inner, max_size=width)
        ),
        max_leaves=leaves,
    )


_REPLACED = junk(
    ["text", "type", "error", "index", "id", "parts", "functionCall", "name", "values"]
)


def mutate(value: Any, draw: Any) -> Any:
    """Replace something in a JSON value by junk, or drop it."""
    fields, items = as_object(value), as_list(value)
    if fields and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(fields)))
        if draw(st.integers(0, 4)) == 0:
            return {name: item for name, item in fields.items() if name != key}
        return {**fields, key: mutate(fields[key], draw)}
    if items and draw(st.integers(0, 4)):
        place = draw(st.integers(0, len(items) - 1))
        return [*items[:place], mutate(items[place], draw), *items[place + 1 :]]
    return draw(_REPLACED)
