"""Tools made of functions and classes."""

import functools
from typing import Annotated, Any, Literal, TypedDict

import attrs
import pytest
import trio

from tests.chat.typed_classes import Item
from trio_llm import Tool
from trio_llm.chat.typed import UnfitValueError


def weather(city: str, unit: Literal["C", "F"] = "C", *, days: Annotated[int, "How many."]) -> str:
    """Say what the weather will be.

    It is a guess.

    Args:
        city: Where; the name of a city,
            in any language.
        unit: Of the temperature.
        days: Not used, since the annotation says more.

    Returns:
        A sentence.
    """
    return f"{city}: 20 {unit} for {days} days"


def test_a_function_becomes_a_tool() -> None:
    """Name, description and parameters come from the function and its docstring."""
    tool = Tool.from_function(weather)
    assert tool.name == "weather"
    assert tool.description == "Say what the weather will be.\n\nIt is a guess."
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "city": {
                "type": "string",
                "description": "Where; the name of a city, in any language.",
            },
            "unit": {"type": "string", "enum": ["C", "F"], "description": "Of the temperature."},
            "days": {
                "type": "integer",
                "description": "Not used, since the annotation says more.",
            },
        },
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    assert tool.strict is None


def test_the_tool_remembers_its_function_but_is_equal_without_it() -> None:
    """What runs it is neither compared nor shown."""
    tool = Tool.from_function(weather)
    assert tool.function is not None
    assert tool.function({"city": "Oslo", "days": 2.0}) == "Oslo: 20 C for 2 days"
    assert tool == attrs.evolve(tool, function=None)
    assert "function" not in repr(tool)


def test_a_strict_tool_takes_null_for_a_default() -> None:
    """The strict form requires every argument, so that null means the default."""
    tool = Tool.from_function(weather, strict=True, name="forecast", description="Guess.")
    assert (tool.name, tool.description, tool.strict) == ("forecast", "Guess.", True)
    assert tool.parameters["required"] == ["city", "unit", "days"]
    assert tool.function is not None
    assert tool.function({"city": "Oslo", "unit": None, "days": 1}) == "Oslo: 20 C for 1 days"


def test_every_fault_of_the_arguments_is_named() -> None:
    """Missing, unknown and unfit arguments are told at once."""
    tool = Tool.from_function(weather)
    assert tool.function is not None
    with pytest.raises(UnfitValueError) as caught:
        tool.function({"unit": "K", "days": "two", "place": "Oslo"})
    assert caught.value.faults == (
        "arguments.city: is missing",
        'arguments.unit: expected one of "C", "F"',
        "arguments.days: expected an integer, not a string",
        "arguments.place: no such argument; there are: city, unit, days",
    )


def test_arguments_arrive_as_typed_objects() -> None:
    """A class in the annotations is made of the JSON object."""

    @Tool.from_function
    def total(items: list[Item], discount: float = 0.0) -> float:
        return sum(item.price for item in items) - discount

    assert total.function is not None
    assert total.function({"items": [{"name": "a", "price": 1}, {"name": "b", "price": 2}]}) == 3.0
    assert total.description == ""


def test_methods_are_tools_too() -> None:
    """A bound method keeps its object."""

    @attrs.define
    class Shop:
        stock: int

        def sell(self, count: int) -> int:
            """Sell some."""
            self.stock -= count
            return self.stock

    tool = Tool.from_function(Shop(5).sell)
    assert list(tool.parameters["properties"]) == ["count"]
    assert tool.function is not None
    assert tool.function({"count": 2}) == 3


async def test_a_function_in_a_thread_is_awaited() -> None:
    """With ``thread=True`` the event loop stays free."""

    def where() -> bool:
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            return True
        return False

    for thread in (False, True):
        tool = Tool.from_function(where, thread=thread)
        assert tool.function is not None
        result: Any = tool.function({})
        assert (await result if thread else result) is thread


class Box(TypedDict):
    """Put something into a box."""

    what: str


def test_a_class_of_arguments_becomes_a_tool() -> None:
    """Its function is given an object of the class; the docstring describes the tool."""
    tool = Tool.from_class(Item, lambda item: item.price * 2, name="double")
    assert (tool.name, tool.description) == ("double", "Something on sale.")
    assert "description" not in tool.parameters
    assert tool.function is not None
    assert tool.function({"name": "a", "price": 2}) == 4.0
    with pytest.raises(UnfitValueError, match=r"arguments\.price: is missing"):
        tool.function({"name": "a"})
    only_declared = Tool.from_class(Box)
    assert (only_declared.name, only_declared.function) == ("Box", None)


def _variadic(*words: str) -> None: ...
def _untyped(word: str) -> None: ...
def _bytes(blob: bytes) -> None: ...
def _positional(word: str, /) -> None: ...
def _lost(word: str) -> None: ...
async def _async() -> None: ...


_untyped.__annotations__.clear()
_lost.__annotations__["word"] = "Nowhere"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tool.from_function(_variadic), r"_variadic\.words: a model gives arguments by"),
        (lambda: Tool.from_function(_positional), r"_positional\.word: a model gives arguments"),
        (lambda: Tool.from_function(_untyped), r"_untyped\.word: it has no type; annotate it"),
        (lambda: Tool.from_function(_bytes), r"_bytes\.blob: bytes cannot be written"),
        (lambda: Tool.from_function(_lost), r"_lost: name 'Nowhere' is not defined"),
        (lambda: Tool.from_function(_async, thread=True), "runs in the event loop: leave thread"),
        (lambda: Tool.from_function(functools.partial(weather)), "not of partial"),
        (lambda: Tool.from_class(int), "is no attrs class, dataclass or TypedDict"),
    ],
)
def test_what_makes_no_tool_is_refused_with_the_place(make: Any, said: str) -> None:
    """The error is a `TypeError` that names the argument."""
    with pytest.raises(TypeError, match=said):
        make()
