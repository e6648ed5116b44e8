"""Charges and reservations on disk: written, and read again."""

import json
import math
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import attrs

from trio_llm.chat import Certainty, Charge, Cost, Reservation, Subject, Usage
from trio_llm.store.faults import UnreadableError, reading
from trio_llm.store.protocol import Change, UnwritableError
from trio_llm.store.quarters import quarter_of
from trio_llm.store.schema import transaction
from trio_llm.store.sums import Sums

_MOST: Final = 10**12
"""No attempt has more tokens or microseconds than these. A provider that says so is believed
up to here, *at least*, for one absurd figure must neither keep the others from being written
nor make a sum of 64 bits overflow.
"""

_MOST_PICOS: Final = 10**21
"""Likewise for amounts: a billion dollars."""

_KNOWN: Final = 10_000
"""How many subjects are remembered with their numbers."""

_ADD_SUBJECT: Final = (
    "INSERT INTO subjects (provider, kind, model, user, operation, tags) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_FIND_SUBJECT: Final = (
    "SELECT id FROM subjects WHERE provider = ? AND kind = ? AND model = ? AND user = ? "
    "AND operation = ? AND tags = ?"
)
_ADD_CHARGE: Final = (
    "INSERT INTO charges (quarter, id, time, subject, outcome, call, input_tokens, output_tokens, "
    "cached_tokens, cache_write_tokens, reasoning_tokens, certainty, microseconds, microdollars, "
    "picodollars) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_ADD_RESERVATION: Final = (
    "INSERT INTO reservations (id, time, subject, call, estimate) SELECT ?1, ?2, ?3, ?4, ?5 "
    "WHERE NOT EXISTS (SELECT 1 FROM charges WHERE id = ?1) ON CONFLICT DO NOTHING"
)
_END_RESERVATION: Final = "DELETE FROM reservations WHERE id = ?"
_OUTSTANDING: Final = (
    "SELECT r.id, r.time, r.call, r.estimate, s.provider, s.kind, s.model, s.user, s.operation, "
    "s.tags FROM reservations AS r LEFT JOIN subjects AS s ON s.id = r.subject "
    "ORDER BY r.time, r.id"
)


def text(value: str) -> str:
    """Give a text as a database can hold it: half a surrogate pair is written out."""
    return value if value.isascii() else value.encode(errors="backslashreplace").decode()


def _instant(time: float) -> float:
    return time if math.isfinite(time) else 0.0


def _within(value: int, most: int = _MOST) -> int:
    return max(-most, min(most, value))


_COUNTS: Final = tuple([field.name for field in attrs.fields(Usage)])

_OF_THE_VALUES: Final = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    AttributeError,
    TypeError,
    ValueError,
    ArithmeticError,
)
"""What goes wrong when a value is of a kind that a database cannot hold."""


@contextmanager
def _telling_values_from_the_file() -> Generator[None, None, None]:
    try:
        yield
    except UnicodeDecodeError:  # that is of something read
        raise
    except _OF_THE_VALUES as error:
        what = f"{type(error).__name__}: {error}"
        raise UnwritableError(f"a change has what no store can hold ({what})") from error


def _plain(charge: Charge) -> Charge:
    """Give a charge whose figures are numbers; one that is odd makes all *at least*."""
    usage, cost = charge.usage, charge.cost
    odd = usage is not None and any(type(getattr(usage, name)) is not int for name in _COUNTS)
    if odd:
        usage = Usage(*[_count(getattr(usage, name)) for name in _COUNTS])
        cost = None if cost is None else attrs.evolve(cost, certainty=Certainty.AT_LEAST)
    if cost is not None and type(cost.amount) is not Decimal:
        cost = _known(cost.amount)
    if usage is charge.usage and cost is charge.cost:
        return charge
    return attrs.evolve(charge, usage=usage, cost=cost)


def _count(value: object) -> int:
    """Give what there is at least of something that should have been counted."""
    if not isinstance(value, int | float) or (isinstance(value, float) and math.isnan(value)):
        return 0
    return int(max(-_MOST, min(_MOST, value)))


def _known(amount: object) -> Cost | None:
    if isinstance(amount, int | float):
        return Cost(Decimal(amount), Certainty.AT_LEAST)
    return None


@attrs.define(eq=False)
class Booking:
    """Writes changes through a connection.

    Attributes:
        connection: The connection.
    """

    connection: sqlite3.Connection
    _known: dict[Subject, int] = attrs.field(factory=dict[Subject, int], init=False)

    def write(self, changes: Sequence[Change]) -> None:
        """Write all of them in one transaction.

        Of a reservation and a charge of the same batch only the charge is written.

        Raises:
            UnwritableError: One of them has what a database cannot hold.
        """
        charges: dict[str, Charge] = {}
        reserved: dict[str, Reservation] = {}
        ended: list[tuple[str]] = []
        for change in changes:
            identifier = text(change.id)
            if isinstance(change, Reservation):
                if identifier not in charges:
                    reserved.setdefault(identifier, change)
                continue
            reserved.pop(identifier, None)
            ended.append((identifier,))
            if isinstance(change, Charge):
                charges.setdefault(identifier, change)
        try:
            with transaction(self.connection), _telling_values_from_the_file():
                write = self.connection.executemany
                if ended:
                    write(_END_RESERVATION, ended)
                if charges:
                    write(_ADD_CHARGE, [self._charge(*item) for item in charges.items()])
                if reserved:
                    write(_ADD_RESERVATION, [self._reservation(*i) for i in reserved.items()])
        except BaseException:
            self._known.clear()  # the numbers of subjects that were rolled back, too
            raise

    def _charge(self, identifier: str, charge: Charge) -> tuple[object, ...]:
        sums = Sums()
        sums.book(_plain(charge))
        certainty = sums.certainty
        numbers: tuple[int, ...] = (
            charge.call,
            sums.input_tokens,
            sums.output_tokens,
            sums.cached_tokens,
            sums.cache_write_tokens,
            sums.reasoning_tokens,
        )
        if max(numbers) > _MOST or min(numbers) < -_MOST or abs(sums.picos) > _MOST_PICOS:
            numbers = tuple([_within(number) for number in numbers])
            certainty = int(Certainty.AT_LEAST)
        amount: tuple[int | None, int | None] = (None, None)
        if not sums.unpriced:
            amount = divmod(_within(sums.picos, _MOST_PICOS), 1_000_000)
        return (
            quarter_of(charge.time),
            identifier,
            _instant(charge.time),
            self._subject(charge.subject),
            text(charge.outcome),
            *numbers,
            certainty,
            _within(sums.latency),
            *amount,
        )

    def _reservation(self, identifier: str, reservation: Reservation) -> tuple[object, ...]:
        return (
            identifier,
            _instant(reservation.time),
            self._subject(reservation.subject),
            _within(reservation.call),
            str(reservation.estimate),
        )

    def _subject(self, subject: Subject) -> int:
        found = self._known.get(subject)
        if found is not None:
            return found
        names = (subject.provider, subject.kind, subject.model, subject.user, subject.operation)
        values = (*[text(name) for name in names], json.dumps(dict(subject.tags)))
        self.connection.execute(_ADD_SUBJECT, values)
        row = self.connection.execute(_FIND_SUBJECT, values).fetchone()
        if row is None or not isinstance(row[0], int):
            raise UnreadableError("a subject that was just written is not there")
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[subject] = row[0]
        return row[0]


def outstanding(connection: sqlite3.Connection) -> tuple[Reservation, ...]:
    """Give the reservations that nothing has ended.

    Raises:
        UnreadableError: A row cannot be read.
    """
    rows: list[tuple[Any, ...]] = connection.execute(_OUTSTANDING).fetchall()
    with reading():
        return tuple([_reservation(*row) for row in rows])


def _reservation(
    identifier: str,
    time: float,
    call: int,
    estimate: str,
    provider: str,
    kind: str,
    model: str,
    user: str,
    operation: str,
    tags: str,
) -> Reservation:
    subject = Subject(provider, kind, model, user, operation, tags_of(tags))
    return Reservation(identifier, float(time), subject, int(call), Decimal(estimate))


@lru_cache(maxsize=4096)
def tags_of(written: str) -> tuple[tuple[str, str], ...]:
    """Give tags as they were before they were written.

    Raises:
        ValueError: Nobody can have written that; likewise TypeError.
    """
    tags: Any = json.loads(written)
    if not isinstance(tags, dict):
        raise TypeError("tags that are no object")
    return tuple(tags.items())  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
