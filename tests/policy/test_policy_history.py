"""What is known of a member outlives the process: for a while, and to the digit at first."""

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.nearness import near
from trio_llm.policy.history import HALF_LIFE, History, Identity, Record
from trio_llm.policy.latency import PeakEwma, RotatingHistogram
from trio_llm.policy.vitals import Vitals

EPOCH = 1_800_000_000.0
WHO = Identity("house", "openai", "large")

outcomes = st.lists(
    st.tuples(
        st.sampled_from(["answered", "failed", "won", "lost"]),
        st.floats(0.0, 100.0),
        st.floats(0.001, 600.0),
    ),
    min_size=1,
    max_size=30,
)


def _lived(events: list[tuple[str, float, float]]) -> tuple[Vitals, float]:
    """Give vitals to which all this has happened, and the instant of the last of it."""
    vitals, now = Vitals(), 0.0
    for what, after, seconds in events:
        now += after
        if what == "answered":
            vitals.answered(now, seconds)
        elif what == "failed":
            vitals.failed(now, seconds)
        else:
            vitals.raced(what == "won", seconds, now)
    return vitals, now


def _seasoned(calls: int = 200, good: int = 3, latency: float = 2.0) -> Vitals:
    """Give vitals of many calls and races, all but every so-and-so-manieth a success."""
    vitals = Vitals()
    for number in range(1, calls + 1):
        if number % good:
            vitals.answered(0.0, latency)
        else:
            vitals.failed(0.0, latency)
        vitals.raced(number % good != 0, latency, 0.0)
    return vitals


def _restored(record: Record, age: float = 0.0) -> Vitals:
    vitals = Vitals()
    record.restore(vitals, 1000.0, record.last_seen + age)
    return vitals


@given(outcomes)
def test_what_is_known_survives_a_restart(events: list[tuple[str, float, float]]) -> None:
    """Right after its last outcome a member has the same figures in the next process."""
    vitals, now = _lived(events)
    before = vitals.snapshot(now)
    after = _restored(Record.of(WHO, vitals, now, EPOCH)).snapshot(1000.0)
    assert (after.samples, after.races) == near((before.samples, before.races), within=2e-6)
    for one, other in (
        (before.success_rate, after.success_rate),
        (before.win_rate, after.win_rate),
        (before.latency, after.latency),
    ):
        assert (one is None) is (other is None)
        assert (other or 0.0) == near(one or 0.0, within=2e-6)


@given(outcomes)
def test_percentiles_survive_a_restart(events: list[tuple[str, float, float]]) -> None:
    """The times to the first token that count right after the last outcome count again."""
    vitals, now = _lived(events)
    again = _restored(Record.of(WHO, vitals, vitals.seen, EPOCH))
    assert again.first_token.state(1000.0) == vitals.first_token.state(now)


@given(outcomes, st.floats(0.0, 1e7))
def test_a_record_that_nobody_adds_to_never_changes(
    events: list[tuple[str, float, float]], down: float
) -> None:
    """However often a process restarts: what it was told last is aged once, not each time."""
    history, (vitals, now) = History(), _lived(events)
    history.note(WHO, vitals, now, EPOCH)
    first = history.records
    for restart in range(1, 4):
        later = History()
        later.add(first, EPOCH + restart * down)
        again = Vitals()
        later.recall(WHO, again, 0.0, EPOCH + restart * down)
        later.note(WHO, again, 50.0, EPOCH + restart * down + 50.0)
        assert later.records == first


def test_half_of_what_is_known_counts_after_a_day() -> None:
    """A day takes half of the outcomes and no share; after a fortnight nothing is believed."""
    record = Record.of(WHO, _seasoned(), 0.0, EPOCH)
    day, fortnight = _restored(record, HALF_LIFE), _restored(record, 14 * HALF_LIFE)
    assert day.success.weight == near(record.calls / 2.0)
    assert day.races.weight == near(record.races / 2.0)
    assert day.snapshot(1000.0).success_rate == near(record.success_rate)
    assert day.snapshot(1000.0).win_rate == near(record.win_rate)
    assert fortnight.snapshot(1000.0) == Vitals().snapshot(0.0)
    assert fortnight.score(1000.0) == 0.0


def test_latencies_fade_by_the_day_and_keep_their_order() -> None:
    """The night that a process is down takes little of a latency, and no slow one overtakes."""
    slow, quick = (
        _restored(Record.of(WHO, _seasoned(latency=seconds), 0.0, EPOCH), HALF_LIFE)
        for seconds in (4.0, 1.0)
    )
    assert slow.score(1000.0) == near(2.0)
    assert quick.score(1000.0) == near(0.5)
    assert slow.snapshot(1000.0).latency == 4.0


def test_times_to_the_first_token_are_of_the_last_minutes() -> None:
    """After a quick restart the percentiles are there; after ten minutes they are not."""
    record = Record.of(WHO, _seasoned(), 0.0, EPOCH)
    assert _restored(record, 60.0).first_token.percentile(1000.0, 0.5) == near(2.0, rel=0.05)
    assert _restored(record, 60.0).first_token.percentile(1300.0, 0.5) is None
    assert _restored(record, 600.0).first_token.percentile(1000.0, 0.5) is None


def test_what_is_learnt_later_adds_to_what_was_known() -> None:
    """A new outcome makes a new record, of the old outcomes as they still count and this one."""
    history = History()
    history.note(WHO, _seasoned(), 0.0, EPOCH)
    (before,) = history.records
    again, today = Vitals(), EPOCH + HALF_LIFE
    history.recall(WHO, again, 0.0, today)
    again.answered(5.0, 2.0)
    history.note(WHO, again, 5.0, today + 5.0)
    (after,) = history.records
    assert after.last_seen == today + 5.0
    assert after.calls == near(before.calls / 2.0 * 0.5**0.01 + 1.0)
    assert after.races == near(before.races / 2.0)


@pytest.mark.parametrize("changed", [{"kind": "groq"}, {"model": "small"}, {"name": "other"}])
def test_another_kind_or_model_begins_anew(changed: dict[str, str]) -> None:
    """Nothing is recalled for another name, kind or model, and both records are kept."""
    history, other = History(), attrs.evolve(WHO, **changed)
    history.note(WHO, _seasoned(), 0.0, EPOCH)
    vitals = Vitals()
    history.recall(other, vitals, 0.0, EPOCH)
    assert vitals == Vitals()
    vitals.answered(0.0, 1.0)
    history.note(other, vitals, 0.0, EPOCH)
    assert {record.identity for record in history.records} == {WHO, other}


def test_who_knows_something_is_not_told() -> None:
    """What a member has learnt since it started goes before what is on file."""
    history, vitals = History(), Vitals()
    history.note(WHO, _seasoned(), 0.0, EPOCH)
    vitals.answered(3.0, 1.0)
    history.recall(WHO, vitals, 4.0, EPOCH)
    assert vitals.success.weight == 1.0


def test_a_member_that_has_shown_nothing_has_no_record() -> None:
    """Nothing is noted of one that has not been asked, nor of a call that was given up."""
    history, vitals = History(), Vitals()
    vitals.began()
    vitals.ended()
    history.note(WHO, vitals, 0.0, EPOCH)
    assert history.records == ()


@given(st.lists(st.integers(0, 30), max_size=30, unique=True), st.integers(1, 10))
def test_the_longest_unseen_go_first(seen: list[int], most: int) -> None:
    """No more records are kept than may be, and those that are kept were seen last."""
    history = History(most)
    for instant in seen:
        history.note(Identity(f"m{instant}", "openai"), _seasoned(3), 0.0, EPOCH + instant)
    kept = sorted(int(record.last_seen - EPOCH) for record in history.records)
    assert kept == sorted(seen)[-most:]


def test_the_later_of_two_records_stands() -> None:
    """Of records of the same member the one that was seen last is kept, whatever the order."""
    early, late = (Record(WHO, EPOCH + age, 5.0, 1.0) for age in (0.0, 9.0))
    for order in ((early, late), (late, early)):
        history = History()
        history.add(order, EPOCH + 100.0)
        assert history.records == (late,)


def test_a_record_from_the_future_is_of_now() -> None:
    """After the machine's clock was set back, a record neither gains nor stays for ever."""
    history = History()
    history.add([Record(WHO, EPOCH + 1e6, 8.0, 1.0)], EPOCH)
    assert history.records == (Record(WHO, EPOCH, 8.0, 1.0),)
    assert _restored(Record(WHO, EPOCH, 8.0, 1.0), -50.0).success.weight == 8.0


def test_records_stand_by_name() -> None:
    """The order of records does not depend on when they came."""
    history = History()
    for name in ("b", "c", "a"):
        history.note(Identity(name, "openai"), _seasoned(3), 0.0, EPOCH)
    assert [record.identity.name for record in history.records] == ["a", "b", "c"]


@pytest.mark.parametrize(("level", "stamp"), [(-1.0, 0.0), (math.nan, 0.0), (1.0, math.inf)])
def test_a_level_that_is_none_is_refused(level: float, stamp: float) -> None:
    """A mean of latencies is 0 or more, and has an instant from which it fades."""
    with pytest.raises(ValueError, match="must be 0 or more"):
        PeakEwma.restored(level, stamp)


@pytest.mark.parametrize("state", [(math.nan, 1), (1.0, 0), (1.0, -3)])
def test_latencies_that_are_none_are_refused(state: tuple[float, int]) -> None:
    """A sample has a latency, and there is at least one of it."""
    with pytest.raises(ValueError, match="must be known, and counted"):
        RotatingHistogram.restored([state], 0.0)
