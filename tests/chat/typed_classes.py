"""Classes of every kind that has a schema."""

import dataclasses
import datetime as dt
import enum
import uuid
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import attrs


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Grade(str, enum.Enum):  # noqa: UP042 - people write it
    A = "a"
    B = "b"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@attrs.frozen
class Item:
    """Something on sale.

    Attributes:
        name: What it is called.
        price: In US dollars,
            without tax.
    """

    name: str
    price: float
    colour: Colour = Colour.RED
    tags: list[str] = attrs.field(factory=list[str], metadata={"description": "A few words."})
    note: Annotated[str | None, "For the clerk."] = None


@attrs.frozen
class Node:
    value: int
    children: "list[Node]" = attrs.field(factory=lambda: list[Node]())  # noqa: PLW0108 - not yet defined
    left: "Node | None" = None


@attrs.frozen
class Left:
    kind: Literal["left"]
    depth: int


@attrs.frozen
class Right:
    kind: Literal["right"]
    width: int


@attrs.frozen
class Private:
    _hidden: int
    computed: int = attrs.field(init=False, default=3)


@attrs.frozen
class Positive:
    number: int = attrs.field(validator=attrs.validators.gt(0))


@dataclasses.dataclass(frozen=True)
class Order:
    first: Item
    second: Item
    when: dt.datetime
    pair: tuple[int, str]
    grade: Grade = Grade.A
    level: Level = Level.LOW
    weights: tuple[float, ...] = ()
    words: frozenset[str] = frozenset()
    prices: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    choice: Literal["a", 1] | None = None
    branch: Left | Right | None = None
    day: dt.date | None = None
    hour: dt.time | None = None
    key: uuid.UUID | None = None
    anything: Any = None


class Basket(TypedDict):
    """What a customer has chosen."""

    owner: str
    items: NotRequired[list[Item]]
