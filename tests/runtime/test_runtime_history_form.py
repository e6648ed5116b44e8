"""The form of a performance file: what is written is read again, and nothing read is trusted."""

import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from trio_llm.history.form import (
    LARGEST,
    LONGEST,
    LONGEST_NAME,
    MOST_DOTS,
    MOST_OUTCOMES,
    HistoryFormError,
    read,
    written,
)
from trio_llm.policy.history import Identity, Record
from trio_llm.policy.vitals import Vitals

HEAD = "version = 1\n"
NODE = '[[node]]\nname = "house"\nkind = "openai"\nlast_seen = 2026-11-27T04:13:58Z\n'
CALLS = "calls = 10.0\nsuccess_rate = 0.5\n"

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(
    lambda word: word.count(".") <= MOST_DOTS
)
micro = st.integers(0, 3_600_000_000).map(lambda number: number / 1e6)
shares = st.integers(0, 1_000_000).map(lambda number: number / 1e6)
counts = st.integers(1, 144_000_000).map(lambda number: number / 1e6)
records = st.builds(
    Record,
    st.builds(Identity, words, words, st.just("") | words),
    st.integers(0, 4_000_000_000_000).map(lambda number: number / 1e3),
    counts,
    shares,
    st.none() | micro,
    counts,
    shares,
    st.none() | micro,
    st.lists(st.tuples(micro, st.integers(1, 1000)), max_size=5).map(tuple),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none().map(lambda _: "x")
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=9)
    | st.datetimes()
    | st.dates()
    | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=4,
)
KEYS = (
    "name",
    "kind",
    "last_seen",
    "model",
    "calls",
    "success_rate",
    "latency",
    "races",
    "win_rate",
    "race_latency",
    "first_tokens",
)


def _demand_sound(found: list[Record]) -> None:
    """Demand that whatever was read can be put into the vitals of a member."""
    for record in found:
        vitals = Vitals()
        record.restore(vitals, 50.0, record.last_seen + 5.0)
        assert 0.0 <= vitals.success.value() <= 1.0
        assert 0.0 <= vitals.races.value() <= 1.0
        assert 0.0 <= vitals.score(60.0) <= LONGEST
        vitals.snapshot(60.0)


@given(st.lists(records, max_size=4))
def test_what_is_written_is_read_again(given_records: list[Record]) -> None:
    """Whatever the names and figures, a file gives back the records that went into it."""
    assert read(written(given_records)) == (given_records, 0)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_bytes_are_a_history_or_none(content: bytes) -> None:
    """Bytes are read, or refused with one error, and with no other."""
    try:
        _demand_sound(read(content)[0])
    except HistoryFormError:
        return


@given(st.lists(records, min_size=1, max_size=3), st.data())
def test_a_file_that_was_tampered_with_is_a_history_or_none(
    given_records: list[Record], data: st.DataObject
) -> None:
    """A byte that changed, or a file that breaks off, does no more harm."""
    content = bytearray(written(given_records))
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] = data.draw(st.integers(0, 255))
    try:
        _demand_sound(read(bytes(content))[0])
    except HistoryFormError:
        return


@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=len(KEYS)))
def test_a_record_of_wrong_values_is_cleaned_or_dropped(wrong: dict[str, Any]) -> None:
    """Valid TOML of wrong types and wild figures harms only the record that it stands in."""
    document = tomllib.loads(HEAD + NODE + CALLS + NODE.replace("house", "good") + CALLS)
    document["node"][0] |= wrong
    found, dropped = read(tomli_w.dumps(document).encode())
    assert len(found) + dropped == 2
    assert found[-1] == Record(Identity("good", "openai"), found[-1].last_seen, 10.0, 0.5)
    _demand_sound(found)


@given(st.dictionaries(st.sampled_from(["version", "node", "x"]), values, max_size=3))
def test_a_document_of_another_shape_is_refused(document: dict[str, Any]) -> None:
    """TOML that is no history is read as none, or refused with one error."""
    try:
        found, _ = read(tomli_w.dumps(document).encode())
    except HistoryFormError:
        return
    assert found == []


@pytest.mark.parametrize(
    ("line", "dropped"),
    [
        ('name = ""', True),
        ('name = "' + "n" * (LONGEST_NAME + 1) + '"', True),
        ("kind = 7", True),
        ("model = []", True),
        ('last_seen = "yesterday"', True),
        ("last_seen = 1700000000", True),
        ("last_seen = 1969-12-31", True),
        ("last_seen = 2026-11-27", False),
        ("last_seen = 2026-11-27T04:13:58", False),
        ("last_seen = 0001-01-01T00:00:00+23:59", True),
        ("calls = nan", True),
        ("calls = inf", True),
        ("calls = -1", True),
        ("calls = true", True),
        (f"calls = {MOST_OUTCOMES * 2}", True),
        ("success_rate = 1.5", True),
        ("success_rate = -0.1", True),
        ("success_rate = nan", True),
        ("latency = inf", False),
        ("latency = -1", False),
        ("latency = 1e300", False),
        ('first_tokens = "x 1x 2x0 -3x1 1e9x2 99999999999999x1"', False),
        ("first_tokens = 5", False),
    ],
)
def test_a_figure_that_makes_no_sense_is_not_believed(line: str, dropped: bool) -> None:
    """Without a name, a date or a sound share there is no record; anything else it loses."""
    key = line.split(" = ", maxsplit=1)[0]
    kept = [each for each in (NODE + CALLS).splitlines() if not each.startswith(f"{key} ")]
    found, lost = read((HEAD + "\n".join([*kept, line])).encode())
    assert (len(found), lost) == ((0, 1) if dropped else (1, 0))
    for record in found:
        assert (record.latency, record.first_tokens) == (None, ())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it has no version"),
        (b"version = 1.0", "it has no version"),
        (b"version = true", "it has no version"),
        (b"version = 2", "it is of another version than 1"),
        (b"version = 1\nnode = 5", "its nodes are no list"),
        (b"\xff\xfe", "it is no TOML (UnicodeDecodeError"),
        (b"version = 1\nversion = 1", "it is no TOML (TOMLDecodeError"),
        (b"a = " + b"9" * 5000, "it is no TOML (ValueError"),
        (b"a = " + b"[" * 5000, "it is no TOML (RecursionError"),
        (b"#" * (LARGEST + 1), f"it has more than {LARGEST} bytes"),
        (b".".join([b"a"] * 100_000) + b" = 1", "it has a line that no history has"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_history_is_refused(content: bytes, reason: str) -> None:
    """The error says why, and a file that is made to exhaust the memory does not."""
    with pytest.raises(HistoryFormError) as refused:
        read(content)
    assert str(refused.value).startswith(reason)


def test_a_node_that_is_no_table_is_dropped() -> None:
    """In a list of nodes each stands for itself."""
    assert read(b'version = 1\nnode = [5, "house", []]') == ([], 3)


def test_a_name_that_no_file_can_hold_harms_no_other() -> None:
    """A record is left out when its name has no UTF-8, or would look like something else."""
    names = ["\ud800", "a" * (LONGEST_NAME + 1), "." * (MOST_DOTS + 1), "good"]
    given_records = [Record(Identity(name, "custom"), 5.0, 1.0, 1.0) for name in names]
    assert read(written(given_records)) == (given_records[-1:], 0)


def test_a_file_can_be_read_by_people() -> None:
    """Each record is a table with names, dates, shares and seconds; what is not known is out."""
    record = Record(Identity("house", "openai", "large"), 1_800_000_000.5, 12.5, 0.9, 1.25)
    assert written([record]).decode().splitlines()[3:] == [
        "version = 1",
        "",
        "[[node]]",
        'name = "house"',
        'kind = "openai"',
        'model = "large"',
        "last_seen = 2027-01-15 08:00:00.500000+00:00",
        "calls = 12.5",
        "success_rate = 0.9",
        "latency = 1.25",
    ]


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_clock_out_of_its_mind_stops_no_writing(seconds: float) -> None:
    """A date that is none is written as some date, and the figures stand."""
    found, dropped = read(written([Record(Identity("house", "custom"), seconds, 3.0, 1.0)]))
    assert (len(found), dropped) == (1, 0)
    assert found[0].calls == 3.0
