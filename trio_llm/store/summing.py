"""Sums of what is on disk: read by SQL, and charges that are old folded into them."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from trio_llm.store.booking import tags_of, text
from trio_llm.store.dimensions import TAG, check, tag
from trio_llm.store.faults import reading
from trio_llm.store.protocol import UsageQuery, UsageRow
from trio_llm.store.quarters import Days, span
from trio_llm.store.schema import transaction
from trio_llm.store.sums import Sums, rows_of

_TOKENS: Final = (
    "sum(input_tokens), sum(output_tokens), sum(cached_tokens), sum(cache_write_tokens), "
    "sum(reasoning_tokens)"
)
_COUNTS: Final = {
    "charges": "count(*), sum(outcome = 'succeeded'), count(*) - count(microdollars)",
    "folded": "sum(attempts), sum(succeeded), sum(unpriced)",
}
# Dollars and microdollars apart, so that no sum of 64 bits overflows.
_AMOUNTS: Final = (
    "coalesce(sum(microdollars / 1000000), 0), coalesce(sum(microdollars % 1000000), 0), "
    "coalesce(sum(picodollars), 0)"
)
_COLUMNS: Final = {"day": "u.quarter", "outcome": "u.outcome"}
_TAGS: Final = "s.tags"

_HOUR: Final = 4
"""So many quarters are folded in one transaction: whoever writes waits while it lasts."""

_FOLD: Final = f"""
    INSERT INTO folded
    SELECT quarter, subject, outcome, {_COUNTS["charges"]}, {_TOKENS}, max(certainty),
        sum(microseconds), coalesce(sum(microdollars), 0), coalesce(sum(picodollars), 0)
    FROM charges WHERE quarter < ? GROUP BY quarter, subject, outcome
    ON CONFLICT DO UPDATE SET
        attempts = attempts + excluded.attempts,
        succeeded = succeeded + excluded.succeeded,
        unpriced = unpriced + excluded.unpriced,
        input_tokens = input_tokens + excluded.input_tokens,
        output_tokens = output_tokens + excluded.output_tokens,
        cached_tokens = cached_tokens + excluded.cached_tokens,
        cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
        reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
        microdollars = microdollars + excluded.microdollars,
        picodollars = picodollars + excluded.picodollars,
        certainty = max(certainty, excluded.certainty),
        microseconds = microseconds + excluded.microseconds
"""  # noqa: S608 - names of ours

_Row: TypeAlias = tuple[Any, ...]


def _column(name: str) -> str:
    """Give the column in which a dimension is found."""
    return _TAGS if name.startswith(TAG) else _COLUMNS.get(name, f"s.{name}")


def _reader(name: str, place: int, days: Days) -> Callable[[_Row], str]:
    """Give what reads the value of a dimension from a row."""
    if name == "day":
        return lambda row: days.of(row[place])
    if name.startswith(TAG):
        label = name.removeprefix(TAG)
        return lambda row: tag(tags_of(row[place]), label)
    return lambda row: row[place]


def _read(connection: sqlite3.Connection, query: UsageQuery, columns: list[str]) -> Iterator[_Row]:
    """Give sums by columns; each row has the columns first."""
    # What is a plain column is compared by the database, so that it reads less.
    plain = [(n, v) for n, v in query.only if n != "day" and not n.startswith(TAG)]
    where = "".join([f" AND {_column(name)} = ?" for name, _ in plain])
    values = (*span(query.since, query.until), *[text(value) for _, value in plain])
    needs = [*columns, *[_column(name) for name, _ in plain]]
    join = "JOIN subjects AS s ON s.id = u.subject" if any(n[0] == "s" for n in needs) else ""
    listed = ", ".join(columns)
    for table, counts in _COUNTS.items():
        yield from connection.execute(
            f"SELECT {listed}{', ' if listed else ''}{counts}, {_TOKENS}, "  # noqa: S608 - names of ours
            f"max(certainty), sum(microseconds), {_AMOUNTS} FROM {table} AS u {join} "
            f"WHERE u.quarter >= ? AND u.quarter < ?{where}"
            + (f" GROUP BY {listed}" if listed else ""),
            values,
        )


def usage(connection: sqlite3.Connection, query: UsageQuery) -> tuple[UsageRow, ...]:
    """Sum charges up; rows in the order of their keys.

    Raises:
        StoreError: There is no such dimension, or no such time zone.
        UnreadableError: A row cannot be read.
    """
    days = check(query)
    later = [(n, v) for n, v in query.only if n == "day" or n.startswith(TAG)]
    names = (*query.by, *[name for name, _ in later])
    columns = list(dict.fromkeys(_column(name) for name in names))
    keys = [_reader(name, columns.index(_column(name)), days) for name in query.by]
    wanted = [(_reader(n, columns.index(_column(n)), days), v) for n, v in later]
    connection.execute("BEGIN")
    try:
        with reading():
            return rows_of(_merged(_read(connection, query, columns), len(columns), keys, wanted))
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _merged(
    rows: Iterator[_Row],
    width: int,
    keys: Sequence[Callable[[_Row], str]],
    wanted: Sequence[tuple[Callable[[_Row], str], str]],
) -> dict[tuple[str, ...], Sums]:
    """Sum up rows that have the same key.

    Args:
        rows: They have so many columns first, and then numbers.
        width: How many.
        keys: What reads each part of the key.
        wanted: What reads a value, and which one a row must have.
    """
    found: dict[tuple[str, ...], Sums] = {}
    for row in rows:
        attempts, dollars, micros, picos = row[width], *row[-3:]
        if attempts and all(read(row) == value for read, value in wanted):
            sums = Sums(*row[width:-3])
            sums.picos = (dollars * 1_000_000 + micros) * 1_000_000 + picos
            key = tuple([read(row) for read in keys])
            found[key] = sums + found[key] if key in found else sums
    return found


def fold(connection: sqlite3.Connection, end: int) -> bool:
    """Fold the oldest hour of charges from before a quarter; give whether there was one.

    Raises:
        UnreadableError: A row cannot be read.
    """
    (first,) = connection.execute("SELECT min(quarter) FROM charges").fetchone()
    with reading():
        if first is None or first >= end:
            return False
        limit = (min(first + _HOUR, end),)
    with transaction(connection):
        connection.execute(_FOLD, limit)
        connection.execute("DELETE FROM charges WHERE quarter < ?", limit)
    return True
