"""Values read from JSON, and the path of what does not fit."""

import datetime as dt
import pickle
from typing import Any, Literal

import attrs
import pytest

from tests.chat.typed_classes import (
    Basket,
    Colour,
    Grade,
    Item,
    Left,
    Level,
    Node,
    Order,
    Positive,
    Private,
    Right,
)
from trio_llm.chat.typed import UnfitValueError, read_value, to_text


@pytest.mark.parametrize(
    ("value", "hint", "read"),
    [
        (1, float, 1.0),
        (2.0, int, 2),
        ("red", Colour, Colour.RED),
        ("a", Grade, Grade.A),
        (2, Level, Level.HIGH),
        (1, Literal[1, True], 1),
        (True, Literal[1, True], True),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([1, 1], set[int], {1}),
        ([1], frozenset[int], frozenset({1})),
        ([1, 2], tuple[int, ...], (1, 2)),
        ({"a": [1]}, dict[str, list[int]], {"a": [1]}),
        ("2026-11-21T09:00:00Z", dt.datetime, dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC)),
        ("2026-11-21", dt.date, dt.date(2026, 11, 21)),
        ({"kind": "right", "width": 1}, Left | Right, Right("right", 1)),
        (None, int | None, None),
        ({"value": 1, "left": {"value": 2}}, Node, Node(1, left=Node(2))),
        ({"hidden": 4}, Private, Private(4)),
        ({"owner": "me", "items": []}, Basket, {"owner": "me", "items": []}),
        ([{"x": 1}], list[Any], [{"x": 1}]),
    ],
)
def test_json_becomes_a_value_of_the_type(value: Any, hint: Any, read: object) -> None:
    """Every type that has a schema can be read."""
    assert read_value(value, hint) == read


def test_null_means_the_default_where_the_field_takes_no_null() -> None:
    """The strict form of a schema has no other way to leave a field out."""
    assert read_value(
        {"name": "pen", "price": 1, "colour": None, "tags": None, "note": None}, Item
    ) == Item("pen", 1.0)


@pytest.mark.parametrize(
    ("value", "hint", "faults"),
    [
        ("1", int, ["answer: expected an integer, not a string"]),
        (True, int, ["answer: expected an integer, not a boolean"]),
        (1.5, int, ["answer: expected an integer, not a number"]),
        (1, bool, ["answer: expected a boolean, not a number"]),
        (1, str, ["answer: expected a string, not a number"]),
        (10**400, float, ["answer: is too large a number"]),
        ("abc", list[str], ["answer: expected an array, not a string"]),
        ([1], dict[str, int], ["answer: expected an object, not an array"]),
        ("green", Colour, ['answer: expected one of "red", "blue"']),
        (1, Literal[True], ["answer: expected one of true"]),
        (0, None, ["answer: expected null, not a number"]),
        ([1], tuple[int, int], ["answer: expected 2 items, not 1"]),
        ("soon", dt.date, ["answer: expected a date"]),
        (3, dt.date, ["answer: expected a string, not a number"]),
        ({"number": -1}, Positive, ["answer: 'number' must be > 0: -1"]),
        (
            {"items": [{"name": "a", "price": 1}, {"name": 2, "price": "9", "size": 3}]},
            Basket,
            [
                "answer.owner: is missing",
                "answer.items[1].name: expected a string, not a number",
                "answer.items[1].price: expected a number, not a string",
                "answer.items[1].size: no such field; there are: name, price, colour, tags, note",
            ],
        ),
        ({"hidden": "x"}, Private, ["answer.hidden: expected an integer, not a string"]),
        ({"a": {"b": "c"}}, dict[str, dict[str, int]], ["answer.a.b: expected an integer, not"]),
        ("x", int | None, ["answer: fits none of int, null"]),
        ({"value": 1, "left": {"value": ""}}, Node, ["answer.left.value: expected an integer"]),
        (
            {"kind": "left", "depth": "deep"},
            Left | Right,
            ["answer.depth: expected an integer, not a string"],
        ),
        ({"kind": "up"}, Left | Right, ["answer: fits none of Left, Right"]),
        (["x"], list[int] | str, ["answer[0]: expected an integer, not a string"]),
    ],
)
def test_each_fault_is_named_with_its_path(value: Any, hint: Any, faults: list[str]) -> None:
    """All faults are found at once, each with the path that a reader would write."""
    with pytest.raises(UnfitValueError) as caught:
        read_value(value, hint, "answer")
    found = caught.value.faults
    assert len(found) == len(faults)
    for said, expected in zip(sorted(found), sorted(faults), strict=True):
        assert said.startswith(expected)


def test_many_faults_are_cut_to_twenty() -> None:
    """A model that got everything wrong is told the beginning."""
    with pytest.raises(UnfitValueError) as caught:
        read_value(["x"] * 100, list[int])
    assert len(caught.value.faults) == 20
    assert caught.value.faults[19] == "value[19]: expected an integer, not a string"


def test_a_value_nested_too_deeply_is_a_fault() -> None:
    """A depth that Python cannot follow ends in the same error."""
    value: dict[str, Any] = {"value": 1}
    for _ in range(20_000):
        value = {"value": 1, "left": value}
    with pytest.raises(UnfitValueError, match="nested too deeply"):
        read_value(value, Node)


def test_a_type_that_cannot_be_read_is_no_fault_of_the_value() -> None:
    """It is a `TypeError`, for the one who wrote the type."""
    with pytest.raises(TypeError):
        read_value(1, complex)


def test_the_error_can_be_pickled() -> None:
    """It keeps its faults on the way between processes."""
    error = UnfitValueError(["a: b"])
    assert pickle.loads(pickle.dumps(error)).faults == ("a: b",)  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (None, "null"),
        (Grade.A, '"a"'),
        (Item("pén", 1.5), '{"name": "pén", "price": 1.5, "colour": "red", "tags": [], '),
        ({dt.date(2026, 1, 2)}, '["2026-01-02"]'),
        ((1, {"a": dt.time(9)}), '[1, {"a": "09:00:00"}]'),
    ],
)
def test_a_result_is_written_for_a_model(value: object, text: str) -> None:
    """A string stays as it is; records, dates and sets become JSON."""
    assert to_text(value).startswith(text)


def test_a_result_that_json_lacks_is_an_error() -> None:
    """Nothing is written by guess."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        to_text(object())


def test_every_kind_of_field_of_one_record_is_read() -> None:
    """A record with all of them survives the way out and back."""
    order = Order(
        Item("a", 1.0),
        Item("b", 2.0, Colour.BLUE, ["x"], "y"),
        dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        (1, "one"),
        weights=(1.0,),
        words=frozenset({"w"}),
        prices={"p": 1.0},
        choice=1,
        branch=Left("left", 1),
        hour=dt.time(9, 30),
    )
    import json  # noqa: PLC0415 - only here

    assert read_value(json.loads(to_text(order)), Order) == order


def test_a_class_that_names_itself_may_be_defined_in_a_function() -> None:
    """Its own name is found without being global."""

    @attrs.frozen
    class Link:
        following: "Link | None" = None

    assert read_value({"following": {}}, Link) == Link(Link())
