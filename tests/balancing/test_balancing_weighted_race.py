"""Weighted race: what decides, what is remembered of it, and what is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.balancing.asked import Asked, ask
from tests.guarantees.choosing_scenes import Plays
from tests.guarantees.scenes import Cast
from trio_llm import (
    AllProvidersFailed,
    Consensus,
    Fallback,
    Finished,
    LoadBalance,
    Provider,
    Race,
    ServerError,
    StreamInterruptedError,
    Switched,
    TextDelta,
)
from trio_llm.chat import AttemptOutcome
from trio_llm.testing import Answers, Fails, Stalls

SUCCEEDED, DISCARDED = AttemptOutcome.SUCCEEDED, AttemptOutcome.DISCARDED
CANCELLED = AttemptOutcome.CANCELLED


def _race(*members: Provider, grace: float = 0.5) -> Race:
    return Race(members, strategy="weighted", grace_period=grace, name="race")


def _answering(cast: Cast, **after: float) -> list[Provider]:
    """Give a provider for each name, that answers with it after so many seconds."""
    return [cast.provider(name, Answers(name, after=seconds)) for name, seconds in after.items()]


def test_a_better_record_beats_a_faster_answer() -> None:
    """Within the grace the score decides: share of races won, times latency factor."""
    cast = Cast()
    race = _race(*_answering(cast, quick=1.0, proven=1.25))
    asked = ask(cast, race, records={"quick": (1, 8), "proven": (8, 1)})
    assert asked.reply.text == "proven"
    assert asked.reply.metadata["racing_winner"] == "proven"
    assert asked.reply.metadata["racing_latency_ms"] == 1250
    scores = asked.reply.metadata["racing_scores"]
    assert list(scores) == ["quick", "proven"]
    assert scores["quick"] < 0.25
    assert scores["proven"] > 0.6
    assert asked.attempts == {"quick": DISCARDED, "proven": SUCCEEDED}
    assert asked.entries("RaceScored", "scores") == [(tuple(scores.items()),)]
    assert asked.entries("WinnerChosen", "winner", "stamp") == [("proven", 1.25)]
    assert asked.entries("LoserDiscarded", "loser") == [("quick",)]


def test_without_records_the_fastest_wins_and_then_the_first_declared() -> None:
    """With equal win rates only the latency counts, and of equals the declared order."""
    cast = Cast()
    assert ask(cast, _race(*_answering(cast, a=1.25, b=1.0))).reply.text == "b"
    assert ask(cast, _race(*_answering(cast, a=1.0, b=1.0, c=1.0))).reply.text == "a"


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from((0.5, 0.75, 1.0, 2.0))),
        min_size=2,
        max_size=5,
    ),
    st.sampled_from((0.0, 0.25, 0.5, 2.0)),
)
def test_the_winner_has_the_best_score_of_those_in_time(
    members: list[tuple[int, int, float]], grace: float
) -> None:
    """Of all in time none has a greater score, nor an equal one and came before."""
    cast = Cast()
    names = [f"m{index}" for index in range(len(members))]
    after = {name: seconds for name, (_, _, seconds) in zip(names, members, strict=True)}
    records = {name: (won, lost) for name, (won, lost, _) in zip(names, members, strict=True)}
    reply = ask(cast, _race(*_answering(cast, **after), grace=grace), records=records).reply
    fastest = min(after.values())
    scores = reply.metadata["racing_scores"]
    assert list(scores) == [
        name for name in names if after[name] < fastest + grace or after[name] == fastest
    ]
    ranked = sorted(scores, key=lambda name: (-scores[name], after[name], names.index(name)))
    assert reply.provider == ranked[0]


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_every_entrant_remembers_the_race(streaming: bool) -> None:
    """A winner won; who lost with an answer has its latency, who lost without one has none."""
    cast = Cast()
    race = _race(
        *_answering(cast, winner=1.0, second=1.25),
        cast.provider("stalling", Stalls()),
        cast.provider("failing", Fails(after=0.25)),
    )
    asked = ask(cast, race, streaming=streaming)
    vitals = asked.vitals
    assert [vitals[name].win_rate for name in ("winner", "second", "stalling", "failing")] == [
        1.0,
        0.0,
        0.0,
        0.0,
    ]
    assert {vitals[name].races for name in vitals} == {1.0, 0.0}
    assert vitals["race"].races == 0.0


@pytest.mark.parametrize("strategy", ["first_wins", "weighted", "quality"])
def test_every_kind_of_race_teaches(strategy: str) -> None:
    """Plain, weighted and quality races all update what is known of everybody in them."""
    cast = Cast()
    members = [*_answering(cast, a=1.0, b=1.0), cast.provider("c", Stalls())]
    asked = ask(cast, Race(members, strategy=strategy, grace_period=0.5))
    assert [asked.vitals[name].win_rate for name in "abc"] == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("strategy", ["first_wins", "weighted", "quality"])
def test_a_race_that_nobody_wins_is_lost_by_all_and_one_that_is_cancelled_by_none(
    strategy: str,
) -> None:
    """A timeout counts against everybody; the caller's own cancellation against nobody."""
    cast = Cast()
    members = [cast.provider("a", Stalls()), cast.provider("b", Fails(after=0.25))]
    race = Race(members, strategy=strategy, timeout=1.0)
    asked = ask(cast, race)
    assert isinstance(asked.outcome, AllProvidersFailed)
    assert [asked.vitals[name].win_rate for name in "ab"] == [0.0, 0.0]
    given_up = ask(cast, race, patience=0.75)
    assert given_up.outcome is None
    assert [given_up.vitals[name].races for name in "ab"] == [0.0, 0.0]


def _text(asked: Asked) -> str:
    return "".join(event.text for event in asked.shown if isinstance(event, TextDelta))


def test_a_stream_shows_the_winner_from_its_first_event() -> None:
    """Racers wait with what they have until one is chosen; nothing of the others is shown."""
    cast = Cast()
    quick = cast.provider("quick", Answers("q" * 200, after=1.0, pieces=200))
    proven = cast.provider("proven", Answers("p" * 200, after=1.25, pieces=200, gap=0.01))
    race = _race(quick, proven, cast.provider("slow", Stalls()))
    asked = ask(cast, race, records={"proven": (9, 0)}, streaming=True)
    assert _text(asked) == "p" * 200
    assert 1.5 <= asked.at < 1.6
    assert isinstance(asked.shown[-1], Finished)
    assert asked.attempts == {"quick": CANCELLED, "proven": SUCCEEDED, "slow": CANCELLED}


def test_a_stream_that_breaks_within_the_grace_is_not_chosen() -> None:
    """What has broken before the choice is made is no success any more."""
    cast = Cast()
    broken = cast.provider("broken", Plays("broken", 1.0, 0.25, breaks=True))
    race = _race(broken, *_answering(cast, whole=1.25))
    asked = ask(cast, race, records={"broken": (9, 0)}, streaming=True)
    assert _text(asked) == "whole"
    assert asked.attempts == {"broken": AttemptOutcome.FAILED, "whole": SUCCEEDED}
    assert asked.entries("LoserCancelled", "loser") == []


def test_where_all_streams_break_the_next_success_has_a_grace_of_its_own() -> None:
    """The race goes on with those who still work."""
    cast = Cast()
    broken = cast.provider("broken", Plays("broken", 1.0, 0.25, breaks=True))
    race = _race(broken, *_answering(cast, late=2.0, later=2.25))
    asked = ask(cast, race, records={"later": (9, 0)}, streaming=True)
    assert _text(asked) == "later"
    assert 2.25 <= asked.at < 2.3


def test_a_race_whose_streams_all_break_fails_with_what_broke_them() -> None:
    """Before anything is shown, a broken stream is an error like any other."""
    cast = Cast()
    members = [cast.provider(name, Plays(name, 1.0, 0.25, breaks=True)) for name in "ab"]
    race = _race(*members, cast.provider("c", Fails(after=2.0)))
    asked = ask(cast, race, streaming=True)
    assert isinstance(asked.outcome, AllProvidersFailed)
    assert [type(error) for error in asked.outcome.errors] == [
        StreamInterruptedError,
        StreamInterruptedError,
        ServerError,
    ]
    assert asked.at == 2.0
    assert asked.shown == ()


def test_a_chosen_stream_that_breaks_later_goes_on_elsewhere() -> None:
    """`on_interrupt` holds for a weighted race as for a plain one."""
    cast = Cast()
    breaking = cast.provider("a", Plays("broken", 1.0, 3.0, breaks=True))
    race = _race(breaking, *_answering(cast, b=3.0), grace=0.25)
    asked = ask(cast, race, streaming=True, on_interrupt="restart")
    assert [type(event) for event in asked.shown] == [TextDelta, Switched, TextDelta, Finished]
    assert asked.reply.text == "b"


def test_members_may_be_balancers_of_any_kind() -> None:
    """A balancer is scored by its own record and by when it has decided."""
    cast = Cast()
    spread = LoadBalance(_answering(cast, a=1.0), name="spread")
    backed = Fallback([cast.provider("x", Fails(after=0.5)), *_answering(cast, b=0.75)])
    agreed = Consensus(_answering(cast, c=1.0, d=1.25, e=1.5), name="agreed")
    race = Race([spread, backed, agreed], strategy="weighted", grace_period=1.0)
    asked = ask(cast, race, records={"agreed": (9, 0)})
    assert asked.reply.metadata["racing_winner"] == "agreed"
    assert asked.reply.metadata["racing_latency_ms"] == 1500
    assert asked.reply.provider == "c"
