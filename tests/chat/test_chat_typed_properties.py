"""The schema and the reader agree about every value."""

import enum
import json
import operator
from collections.abc import Callable, Sequence
from types import GenericAlias
from typing import Any, Literal, cast

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chat.json_schema_check import fits
from tests.chat.typed_classes import Colour, Item, Left, Node, Positive, Right
from trio_llm.chat.typed import UnfitValueError, example_of, read_value, schema_of, to_text
from trio_llm.testing import seeds

_PLAIN: list[Any] = [
    int,
    float,
    str,
    bool,
    type(None),
    Colour,
    Item,
    Node,
    Left | Right,
    Literal["a", 1],
]


def _classes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def make(hints: list[tuple[Any, bool]]) -> type:
        fields = {
            f"f{index}": attrs.field(type=hint | None, default=None)
            if optional
            else attrs.field(type=hint)
            for index, (hint, optional) in enumerate(sorted(hints, key=operator.itemgetter(1)))
        }
        return attrs.make_class("Drawn", fields)

    return st.lists(st.tuples(inner, st.booleans()), min_size=1, max_size=3).map(make)


def _compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    makers: list[Callable[[Any], Any]] = [
        lambda hint: GenericAlias(list, (hint,)),
        lambda hint: GenericAlias(tuple, (hint, ...)),
        lambda hint: GenericAlias(dict, (str, hint)),
    ]
    unions = st.lists(inner, min_size=2, max_size=3).map(_union)
    pairs = st.tuples(inner, inner).map(lambda pair: GenericAlias(tuple, pair))
    return st.one_of(
        st.tuples(inner, st.sampled_from(makers)).map(lambda pair: pair[1](pair[0])),
        unions,
        pairs,
        _classes(inner),
    )


def _union(hints: list[Any]) -> Any:
    union = hints[0]
    for hint in hints[1:]:
        union = union | hint
    return union


HINTS = st.recursive(st.sampled_from(_PLAIN), _compound, max_leaves=5)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-3, 3, allow_nan=False).map(lambda number: round(number, 1))
    | st.sampled_from(["a", "red", "left", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["value", "number", "name", "price", "kind", "depth", "f0", "f1", "left"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@st.composite
def values_of(draw: st.DrawFn, hint: Any) -> Any:
    """Draw a value of a type: its smallest one, changed in one place or two."""
    value: Any = example_of(schema_of(hint))
    for _ in range(draw(st.integers(0, 2))):
        value = _changed(draw, value)
    return value


def _changed(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.booleans()):
        table = cast("dict[str, Any]", value)
        key = draw(st.sampled_from(sorted(table)))
        return {**table, key: _changed(draw, table[key])}
    if isinstance(value, list) and value and draw(st.booleans()):
        items = cast("Sequence[Any]", value)
        return [_changed(draw, items[0]), *items[1:]]
    return draw(JSON)


def _faults(value: Any, hint: Any) -> tuple[str, ...]:
    try:
        read_value(value, hint)
    except UnfitValueError as error:
        return error.faults
    return ()


@settings(max_examples=len(seeds(400, share=5)), deadline=None)
@given(st.data(), HINTS)
def test_what_fits_the_schema_can_be_read(data: st.DataObject, hint: Any) -> None:
    """A value that the schema allows, the reader takes; what it takes besides is a default."""
    value = data.draw(values_of(hint))
    valid = fits(value, schema_of(hint))
    faults = _faults(value, hint)
    assert all(fault.startswith("value") for fault in faults)
    if faults:
        assert not valid
    else:
        # Null in the place of a default is allowed by the strict form alone.
        assert valid or "null" in json.dumps(value)


@settings(max_examples=len(seeds(200, share=4)), deadline=None)
@given(st.data(), HINTS)
def test_what_is_read_can_be_written_and_read_again(data: st.DataObject, hint: Any) -> None:
    """A value goes out as JSON that fits the schema, and comes back equal."""
    value = data.draw(values_of(hint))
    try:
        read = read_value(value, hint)
    except UnfitValueError:
        return
    if isinstance(read, str) and not isinstance(read, enum.Enum):
        return  # a string is written as it is
    written = json.loads(to_text(read))
    assert fits(written, schema_of(hint))
    assert read_value(written, hint) == read


@settings(max_examples=len(seeds(200, share=4)), deadline=None)
@given(HINTS)
def test_the_example_of_any_schema_fits_it(hint: Any) -> None:
    """The smallest value is a value, and can be read."""
    schema = schema_of(hint)
    assert fits(example_of(schema), schema)
    read_value(example_of(schema), hint)


@given(JSON)
def test_a_validator_of_the_class_itself_is_a_fault(value: Any) -> None:
    """Whatever a class says of its values ends in the same error."""
    allowed = (
        isinstance(value, dict)
        and value.keys() == {"number"}
        and isinstance(value["number"], int | float)
    )
    assert _faults(value, Positive) or allowed
