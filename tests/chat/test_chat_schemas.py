"""The JSON schema of a Python type."""

import datetime as dt
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, TypedDict

import attrs
import pytest

from tests.chat.json_schema_check import fits
from tests.chat.typed_classes import Basket, Item, Node, Order, Private
from trio_llm import OutputSchema
from trio_llm.chat.typed import example_of, schema_of

UserId = NewType("UserId", int)

ITEM = {
    "type": "object",
    "description": "Something on sale.",
    "properties": {
        "name": {"type": "string", "description": "What it is called."},
        "price": {"type": "number", "description": "In US dollars, without tax."},
        "colour": {"type": "string", "enum": ["red", "blue"]},
        "tags": {"type": "array", "items": {"type": "string"}, "description": "A few words."},
        "note": {
            "anyOf": [{"type": "string"}, {"type": "null"}],
            "description": "For the clerk.",
        },
    },
    "required": ["name", "price"],
    "additionalProperties": False,
}


def test_a_class_becomes_an_object_with_descriptions_and_defaults() -> None:
    """Fields with a default are not required; docstring, metadata and annotation describe."""
    assert schema_of(Item) == ITEM


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (UserId, {"type": "integer"}),
        (dt.datetime, {"type": "string", "format": "date-time"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (Sequence[int], {"type": "array", "items": {"type": "integer"}}),
        (list, {"type": "array", "items": {}}),
        (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (
            tuple[int, int],
            {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        ),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (Mapping[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Annotated[int, "How many."], {"type": "integer", "description": "How many."}),
    ],
)
def test_each_plain_and_compound_type_has_its_schema(hint: Any, schema: dict[str, Any]) -> None:
    """Plain types, collections, choices and unions are written as JSON schema has them."""
    assert schema_of(hint) == schema


def test_a_class_in_itself_is_defined_and_referred_to() -> None:
    """Recursion goes by reference; the class itself still stands at the top."""
    schema = schema_of(Node)
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert schema["type"] == "object"
    assert list(schema["$defs"]) == ["Node"]
    assert schema["$defs"]["Node"]["properties"] == schema["properties"]


def test_a_class_used_once_stands_in_place_and_one_used_twice_is_defined() -> None:
    """Nothing is written twice, and nothing is referred to without need."""
    once = schema_of(list[Item])
    assert once["items"] == ITEM
    twice = schema_of(Order)
    assert twice["properties"]["first"] == {"$ref": "#/$defs/Item"}
    assert twice["$defs"] == {"Item": ITEM}


def test_two_classes_of_one_name_are_told_apart() -> None:
    """The second definition gets a number."""

    def make(hint: type) -> type:
        return attrs.make_class("Twin", {"field": attrs.field(type=hint)})

    first, second = make(int), make(str)
    both = attrs.make_class(
        "Both",
        {
            name: attrs.field(type=cls)
            for name, cls in (("a", first), ("b", first), ("c", second), ("d", second))
        },
    )
    schema = schema_of(both)
    assert schema["properties"]["b"] == {"$ref": "#/$defs/Twin"}
    assert schema["properties"]["d"] == {"$ref": "#/$defs/Twin_2"}
    assert schema["$defs"]["Twin_2"]["properties"] == {"field": {"type": "string"}}


def test_a_description_of_a_reference_stands_around_it() -> None:
    """OpenAI takes no keyword beside ``$ref``."""

    @attrs.frozen
    class Pair:
        a: Annotated[Item, "The first."]
        b: Item

    assert schema_of(Pair)["properties"]["a"] == {
        "anyOf": [{"$ref": "#/$defs/Item"}],
        "description": "The first.",
    }


def test_the_strict_form_requires_everything_and_closes_everything() -> None:
    """Fields with a default become nullable instead."""
    schema = schema_of(Item, strict=True)
    assert schema["required"] == ["name", "price", "colour", "tags", "note"]
    assert schema["properties"]["colour"] == {
        "anyOf": [{"type": "string", "enum": ["red", "blue"]}, {"type": "null"}]
    }
    assert schema["properties"]["note"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert schema["properties"]["tags"]["description"] == "A few words."
    assert "uniqueItems" not in schema_of(set[int], strict=True)
    assert "prefixItems" not in schema_of(tuple[int, str], strict=True)


def test_a_field_that_is_not_given_is_not_asked_for() -> None:
    """Private names lose their underscore, as in the constructor; computed fields are left out."""
    assert list(schema_of(Private)["properties"]) == ["hidden"]


def test_a_typed_dictionary_and_a_dataclass_are_objects_too() -> None:
    """What is not required, or has a default, is not required; the docstring describes."""
    assert schema_of(Basket)["required"] == ["owner"]
    assert schema_of(Basket)["description"] == "What a customer has chosen."
    assert schema_of(Order)["required"] == ["first", "second", "when", "pair"]
    assert "description" not in schema_of(Order)  # what `dataclass` writes says nothing


class Odd(enum.Enum):
    THING = object()


Untyped = attrs.make_class("Untyped", ["field"])


@attrs.frozen
class Deep:
    inner: list[dict[str, tuple[int, bytes]]]


@attrs.frozen
class Lost:
    field: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 # pyright: ignore[reportUndefinedVariable]


@pytest.mark.parametrize(
    ("hint", "place"),
    [
        (bytes, "bytes: bytes"),
        (Deep, r"Deep\.inner\[\]\[\*\]\[1\]: bytes"),
        (dict[int, str], "keys of a JSON object are strings"),
        (Callable[[int], int], "Callable"),
        (Odd, "Odd: "),
        (Untyped, r"Untyped\.field: it has no type"),
        (Lost, r"Lost: name 'Nowhere' is not defined; define the classes"),
        (tuple, "tuple cannot be written"),
    ],
)
def test_what_cannot_be_expressed_is_named_by_its_path(hint: Any, place: str) -> None:
    """The error is a `TypeError` that says where, and what can be used."""
    with pytest.raises(TypeError, match=place):
        schema_of(hint)


@pytest.mark.parametrize("hint", [dict[str, int], Any, list[Any]])
def test_the_strict_form_refuses_what_is_open(hint: Any) -> None:
    """Strict schemas have neither open objects nor open values."""
    with pytest.raises(TypeError, match="strict schemas have no open"):
        schema_of(hint, strict=True)


def test_an_output_schema_is_strict_where_the_type_allows() -> None:
    """A class with an open field is asked for in the plain form."""
    assert OutputSchema.of(Item).strict
    assert OutputSchema.of(Item).name == "Item"
    assert OutputSchema.of(Item).description == "Something on sale."
    assert not OutputSchema.of(Order).strict


@pytest.mark.parametrize("hint", [int, list[Node], Item | None])
def test_an_output_that_is_no_object_is_put_into_one(hint: Any) -> None:
    """Providers take objects at the top; definitions stay at the top."""
    output = OutputSchema.of(hint, name="my answer")
    assert output.name == "my_answer"
    assert output.schema["required"] == ["value"]
    assert "$defs" not in output.schema["properties"]["value"]


class Tall(TypedDict):
    deep: "list[Tall]"


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("hint", [Item, Node, Basket, Tall, list[Item], Literal[3, 4], dt.date])
def test_an_example_fits_its_schema(hint: Any, *, strict: bool) -> None:
    """The simulated provider answers with something valid."""
    schema = schema_of(hint, strict=strict)
    assert fits(example_of(schema), schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "unheard of"},
        {"type": []},
        {"$ref": "#/$defs/nobody"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"anyOf": [{"$ref": "#"}]},
    ],
)
def test_a_schema_from_elsewhere_gives_some_example(schema: dict[str, Any]) -> None:
    """What this library does not write has no value of its own, and does no harm."""
    assert example_of(schema) is None
