"""The history as the bytes of a TOML file: for people to read, and to be distrusted.

A record in which something is wrong loses that, or is left out; the others stand.
"""

import math
import re
import tomllib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final, cast

import tomli_w

from trio_llm.policy.history import Identity, Record

VERSION: Final = 1
"""The version of the form. One that is not known is not read."""

LARGEST: Final = 4 * 1024 * 1024
"""Bytes; no history is larger."""

MOST_OUTCOMES: Final = 1e6
"""More outcomes than a share can stand for."""

LONGEST: Final = 86_400.0
"""Seconds; no call takes longer."""

LONGEST_NAME: Final = 256
"""Characters of a name, a kind or a model."""

MOST_DOTS: Final = 16
"""Dots in a line. The time and the memory that a dotted key takes grow with their square."""

MOST_SAMPLES: Final = 1_000_000
"""More first tokens than are seen in some minutes."""

_HEAD: Final = """\
# What trio_llm has learnt of providers and balancers. It is written by the runtime, and
# may be deleted when none runs. Times are in seconds, those to the first token in
# microseconds: how long, and how often of late.
"""

_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_COUNTED: Final = re.compile(r"([0-9]{1,12})x([0-9]{1,9})", re.ASCII)


class HistoryFormError(ValueError):
    """What was read is no history, or one of another version."""


def written(records: Iterable[Record]) -> bytes:
    """Give records as the content of a file; one whose name no file can hold is left out."""
    tables = [_table(record) for record in records if _is_writable(record.identity)]
    return (_HEAD + tomli_w.dumps({"version": VERSION, "node": tables})).encode()


def read(content: bytes) -> tuple[list[Record], int]:
    """Give the records in the content of a file, and how many could not be used.

    Raises:
        HistoryFormError: It is no history of a version that is known.
    """
    if len(content) > LARGEST:
        raise HistoryFormError(f"it has more than {LARGEST} bytes")
    if any(line.count(b".") > MOST_DOTS for line in content.splitlines()):
        raise HistoryFormError("it has a line that no history has")
    try:
        document = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise HistoryFormError(f"it is no TOML ({type(error).__name__}: {error})") from error
    version = document.get("version")
    if type(version) is not int:
        raise HistoryFormError("it has no version")
    if version != VERSION:
        raise HistoryFormError(f"it is of another version than {VERSION}")
    tables = document.get("node", [])
    if not isinstance(tables, list):
        raise HistoryFormError("its nodes are no list")
    found = [_record(table) for table in cast("list[object]", tables)]
    records = [record for record in found if record is not None]
    return records, len(found) - len(records)


def _is_writable(identity: Identity) -> bool:
    words = (identity.name, identity.kind, identity.model)
    return all(_word(word) is not None for word in words)


def _table(record: Record) -> dict[str, Any]:
    identity = record.identity
    table: dict[str, Any] = {"name": identity.name, "kind": identity.kind}
    if identity.model:
        table["model"] = identity.model
    table["last_seen"] = _date(record.last_seen)
    if record.calls:
        table |= {"calls": record.calls, "success_rate": record.success_rate}
    if record.latency is not None:
        table["latency"] = record.latency
    if record.first_tokens:
        counted = [f"{round(each * 1e6)}x{times}" for each, times in record.first_tokens]
        table["first_tokens"] = " ".join(counted)
    if record.races:
        table |= {"races": record.races, "win_rate": record.win_rate}
    if record.race_latency is not None:
        table["race_latency"] = record.race_latency
    return table


def _record(value: object) -> Record | None:
    if not isinstance(value, dict):
        return None
    table = cast("dict[str, object]", value)
    name, kind = _word(table.get("name")), _word(table.get("kind"))
    model = _word(table.get("model", ""))
    last_seen = _seconds(table.get("last_seen"))
    if not name or not kind or model is None or last_seen is None:
        return None
    calls, success_rate = _share(table.get("calls"), table.get("success_rate"))
    races, win_rate = _share(table.get("races"), table.get("win_rate"))
    if not calls and not races:
        return None
    return Record(
        Identity(name, kind, model),
        last_seen,
        calls,
        success_rate,
        _number(table.get("latency"), LONGEST) if calls else None,
        races,
        win_rate,
        _number(table.get("race_latency"), LONGEST) if races else None,
        _counted(table.get("first_tokens")) if calls else (),
    )


def _word(value: object) -> str | None:
    """Give a name that can stand in the file; ``None`` for anything else."""
    if not isinstance(value, str) or len(value) > LONGEST_NAME or value.count(".") > MOST_DOTS:
        return None
    return None if _SURROGATE.search(value) else value


def _number(value: object, most: float) -> float | None:
    """Give a number from 0 to the most; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= most else None


def _share(weight: object, share: object) -> tuple[float, float]:
    """Give how many outcomes there were, and the share of the good ones; none if in doubt."""
    outcomes, good = _number(weight, MOST_OUTCOMES), _number(share, 1.0)
    return (0.0, 0.0) if outcomes is None or good is None else (outcomes, good)


def _counted(value: object) -> tuple[tuple[float, int], ...]:
    """Read ``250000x3 500000x1``; a word that is none is left out."""
    if not isinstance(value, str):
        return ()
    matches = [_COUNTED.fullmatch(word) for word in value.split()]
    pairs = [(int(match[1]) / 1e6, int(match[2])) for match in matches if match is not None]
    return tuple([(each, times) for each, times in pairs if 1 <= times <= MOST_SAMPLES])


def _date(seconds: float) -> datetime:
    """Give the date of a time of day, however wrong the clock is."""
    known = seconds if math.isfinite(seconds) else 0.0
    return datetime.fromtimestamp(min(max(known, 0.0), _LAST), UTC)


def _seconds(value: object) -> float | None:
    """Give the seconds since the epoch of a date; one that names no zone is in UTC."""
    if not isinstance(value, date):
        return None
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    seconds = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return seconds if seconds >= 0.0 else None
