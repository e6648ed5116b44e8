"""What usage is grouped and narrowed by: a query, checked, and the readers of its names."""

from collections.abc import Callable
from typing import Final, TypeAlias

from trio_llm.chat import Subject
from trio_llm.errors import StoreError
from trio_llm.store.protocol import DIMENSIONS, UsageQuery
from trio_llm.store.quarters import Days

TAG: Final = "tag:"
"""How the name of a dimension begins that is a tag."""

Account: TypeAlias = tuple[int, Subject, str]
"""What sums are kept by: a quarter of an hour, whose they are, and the outcome."""


def check(query: UsageQuery) -> Days:
    """Check the names of a query, and give the days of its time zone.

    Raises:
        StoreError: There is no such dimension, or no such time zone.
    """
    for name in (*query.by, *(name for name, _ in query.only)):
        if name not in DIMENSIONS and not name.startswith(TAG):
            known = ", ".join(DIMENSIONS)
            raise StoreError(f"usage has no {name!r}; there are {known} and tag:NAME")
    return Days.of_zone(query.time_zone)


def tag(tags: tuple[tuple[str, str], ...], name: str) -> str:
    """Give the value of a tag; empty where there is none."""
    for found, value in tags:
        if found == name:
            return value
    return ""


def reader(name: str, days: Days) -> Callable[[Account], str]:
    """Give what reads the value of a dimension from an account."""
    if name == "day":
        return lambda account: days.of(account[0])
    if name == "outcome":
        return lambda account: account[2]
    if name.startswith(TAG):
        label = name.removeprefix(TAG)
        return lambda account: tag(account[1].tags, label)
    return lambda account: getattr(account[1], name)
