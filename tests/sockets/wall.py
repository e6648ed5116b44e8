"""The wall of faults: all of it, and the table that the README has of it."""

import itertools
from collections.abc import Sequence

from tests.sockets.wall_case import Break, Case, Gets
from tests.sockets.wall_faults import BODIES, BREAKS, CONNECTIONS
from tests.sockets.wall_limits import LIMITS
from tests.sockets.wall_statuses import STATUSES

CASES: tuple[Case, ...] = (*LIMITS, *STATUSES, *CONNECTIONS, *BODIES)

OUTAGES = {
    "refused": "the connection is refused",
    "500": "500",
    "silent": "accepts and never answers",
}
"""How a server is dead in an outage, and how the table says it."""

_HEAD = (
    "fault",
    "the bad member's attempt is recorded as",
    "a plain call gets",
    "a stream gets",
    "counts against health",
)
_OTHERS = Gets.OTHERS.value
_BROKEN = (
    f"`StreamInterruptedError` with the text so far; by `restart`, {_OTHERS}; "
    "by `resume`, the healthy member goes on with the text"
)
_OUTAGE = (
    f"an outage of 60 s under load, {'; '.join(OUTAGES.values())}",
    "the error; then nothing, but for one probe after each rest",
    _OTHERS,
    _OTHERS,
    "yes; rests, longer each time",
)


def wall_table() -> str:
    """Write the wall as a table in Markdown; neighbours that differ in nothing are one row."""
    rows = [_HEAD, tuple("---" for _ in _HEAD)]
    cases = [(case.fault, _cells_of_case(case)) for case in CASES]
    breaks = [(brick.fault, _cells_of_break(brick)) for brick in BREAKS]
    for cells, bricks in itertools.groupby((*cases, *breaks), lambda brick: brick[1]):
        rows.append((_joined([fault for fault, _ in bricks]), *cells))
    rows.append(_OUTAGE)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells_of_case(case: Case) -> tuple[str, ...]:
    names = [_name(case.met(stream=stream).error) for stream in (False, True)]
    recorded = names[0] if names[0] == names[1] else f"{names[0]}; of a stream {names[1]}"
    gets = names[0] if case.gets is Gets.ERROR else case.gets.value
    health = "yes" if case.charged else "no"
    if case.rest:
        how_long = "as long as it asks" if case.asked else f"{case.rest:g} s"
        health += f"; rests {how_long}"
    return recorded, gets, gets, health


def _cells_of_break(brick: Break) -> tuple[str, ...]:
    return _name(brick.error), "—", _BROKEN, "yes"


def _name(error: type[Exception] | None) -> str:
    return "a success" if error is None else f"`{error.__name__}`"


def _joined(faults: Sequence[str]) -> str:
    """Put several faults into one cell, with what they all begin with only once."""
    stem = f"{faults[0].partition(', ')[0]}, "
    if all(fault.startswith(stem) for fault in faults):
        return stem + "; ".join(fault.removeprefix(stem) for fault in faults)
    return "; ".join(faults)
