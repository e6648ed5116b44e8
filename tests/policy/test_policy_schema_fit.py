"""The quick look at a schema never turns down a value that is valid."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chat import json_schema_check
from tests.chat.typed_classes import Item, Node
from trio_llm.chat.typed import example_of, schema_of
from trio_llm.policy.schema_fit import fits

KEYS = st.sampled_from(["a", "b", "c"])
SCALARS: st.SearchStrategy[Any] = st.sampled_from([None, True, False, 0, 1, 1.0, 2.5, "", "a"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["string", "boolean", "null", "integer", "number", "array", "object"])
Schema = dict[str, Any]
EVERYTHING: Schema = {}
OTHER: Schema = {"$ref": "#/$defs/other"}


def _of_types() -> st.SearchStrategy[Schema]:
    return TYPES.map(lambda name: {"type": name})


def _of_choices() -> st.SearchStrategy[Schema]:
    return st.lists(SCALARS, min_size=1, max_size=2).map(lambda choices: {"enum": choices})


def _compound(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    of_objects: dict[str, st.SearchStrategy[Any]] = {
        "properties": st.dictionaries(KEYS, inner, max_size=2),
        "required": st.lists(KEYS, unique=True, max_size=2),
        "additionalProperties": inner | st.just(EVERYTHING) | st.just(False),
    }
    of_arrays: dict[str, st.SearchStrategy[Any]] = {
        "items": inner,
        "prefixItems": st.lists(inner, max_size=2),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 2),
    }
    return st.one_of(
        st.fixed_dictionaries({}, optional=of_objects).map(lambda rest: {"type": "object", **rest}),
        st.fixed_dictionaries({}, optional=of_arrays).map(lambda rest: {"type": "array", **rest}),
        st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": branches}),
    )


SCHEMAS = st.recursive(
    st.one_of(st.just(EVERYTHING), st.just(OTHER), _of_types(), _of_choices()),
    _compound,
    max_leaves=5,
)


@given(VALUES, SCHEMAS, TYPES)
def test_it_agrees_with_a_full_check(value: Any, schema: Schema, other: str) -> None:
    """By the keywords that this library writes, it says what a full check says."""
    whole = {**schema, "$defs": {"other": {"type": other}}}
    assert fits(value, whole) is json_schema_check.fits(value, whole)


@pytest.mark.parametrize("hint", [Item, Node, int | None, list[str], dict[str, float]])
def test_what_the_library_itself_writes_fits(hint: Any) -> None:
    """The example of a type fits its schema, and something else does not."""
    schema = schema_of(hint)
    assert fits(example_of(schema), schema)
    assert not fits(object(), schema)


FURTHER: list[tuple[Schema, Any, Any]] = [
    ({"const": 1}, 1.0, True),
    ({"const": None}, None, 0),
    ({"type": ["integer", "null"]}, None, "1"),
    ({"oneOf": [{"type": "string"}, {"type": "null"}]}, None, 1),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 1.5, 3),
    ({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5, 0),
    ({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5, 1),
    ({"minLength": 2, "maxLength": 3}, "ab", "a"),
    ({"minLength": 2, "maxLength": 3}, "ab", "abcd"),
    ({"properties": {"a": False}}, {"b": 1}, {"a": 1}),
    ({"items": {"$ref": "#"}, "type": "array"}, [[], [[]]], [[1]]),
    ({"$ref": "#/x~1y/z~0", "x/y": {"z~": {"type": "null"}}}, None, 1),
]


@pytest.mark.parametrize(("schema", "good", "bad"), FURTHER)
def test_further_keywords(schema: Schema, good: Any, bad: Any) -> None:
    """Each keyword lets a value through and turns one down."""
    assert fits(good, schema)
    assert not fits(bad, schema)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        "object",
        True,
        {"type": 5},
        {"type": ["unheard-of", "null"]},
        {"required": "a"},
        {"required": [1]},
        {"properties": [], "additionalProperties": "no"},
        {"enum": "abc"},
        {"anyOf": {}, "allOf": 1},
        {"$ref": 1},
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.com/schema"},
        {"minimum": "1", "maximum": None, "minLength": True},
        {"$ref": "#"},
        {"oneOf": [{}, {"type": ["integer", "string", "object"]}]},
        {"patternProperties": {"^a": {}}, "additionalProperties": False},
    ],
)
@pytest.mark.parametrize("value", [1, "b", {"a": 1}])
def test_what_is_not_understood_fits(schema: Any, value: Any) -> None:
    """A schema that is malformed, foreign or endless turns nothing down."""
    assert fits(value, schema)


def test_no_schema_takes_long() -> None:
    """Schemas that branch without end are left after some steps."""
    twice = {"allOf": [{"$ref": "#"}, {"$ref": "#"}], "anyOf": [{"$ref": "#"}, {"$ref": "#"}]}
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    started = time.process_time()
    assert fits([1] * 1000, {"items": twice, **twice})
    assert fits(deep, {"items": {"$ref": "#"}})
    assert time.process_time() - started < 2.0
