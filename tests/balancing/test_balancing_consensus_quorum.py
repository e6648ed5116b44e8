"""Consensus: how many answers there must be, how early it stops, and when time runs out."""

from typing import Any

import pytest
import trio

from tests.balancing.asked import Asked, ask
from tests.guarantees.scenes import Cast, steps_later
from trio_llm import (
    AllProvidersFailed,
    Config,
    Consensus,
    Fallback,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ServerError,
)
from trio_llm.balancing.arrivals import MARGIN
from trio_llm.chat import AttemptOutcome
from trio_llm.testing import Answers, Fails, Stalls, World, run
from trio_llm.testing.script import Script

SUCCEEDED, DISCARDED = AttemptOutcome.SUCCEEDED, AttemptOutcome.DISCARDED
CANCELLED, FAILED = AttemptOutcome.CANCELLED, AttemptOutcome.FAILED
STREAMING = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])


def _panel(cast: Cast, *steps: Script, **settings: Any) -> Consensus:
    """Give a consensus of members a, b, c ... that each do one thing."""
    members = [cast.provider(name, step) for name, step in zip("abcdefg", steps, strict=False)]
    return Consensus(members, name="panel", **settings)


def _failure(asked: Asked) -> AllProvidersFailed:
    assert isinstance(asked.outcome, AllProvidersFailed)
    return asked.outcome


def _gone(asked: Asked) -> dict[str, float]:
    """Give when each attempt was cancelled."""
    return {
        entry.actor.rpartition("/")[2]: entry.time
        for entry in asked.log
        if entry.kind == "AttemptCancelled"
    }


@STREAMING
def test_it_stops_as_soon_as_the_rest_cannot_matter(streaming: bool) -> None:
    """Who would answer later is cancelled in the instant of the decisive vote."""
    cast = Cast()
    panel = _panel(
        cast, Answers("x", 1.0), Answers("later", 3.0), Answers("x", 2.0), Stalls(1), Answers("x")
    )
    asked = ask(cast, panel, streaming=streaming)
    assert asked.reply.text == "x"
    assert 2.0 <= asked.at <= steps_later(2.0)
    gone = _gone(asked)
    assert gone.keys() == {"b", "d"}
    assert all(2.0 <= at <= steps_later(2.0) for at in gone.values())
    assert asked.entries("LoserCancelled", "loser", "reason") == [
        ("b", "the vote went to 'a'"),
        ("d", "the vote went to 'a'"),
    ]


def test_it_does_not_stop_while_the_rest_could_matter() -> None:
    """Two equal answers of four do not decide: the other two could tie, and be better ranked."""
    cast = Cast()
    x, y = (Answers("x", 1.0), Answers("x", 2.0)), (Answers("y", 3.0), Answers("y", 4.0))
    asked = ask(cast, _panel(cast, *y, *x, quorum=2))
    assert asked.reply.text == "y"
    assert 4.0 <= asked.at <= steps_later(4.0)
    asked = ask(cast, _panel(cast, *x, *y, quorum=2))
    assert asked.reply.text == "x"
    assert 2.0 <= asked.at <= steps_later(2.0)


def test_a_failure_may_decide() -> None:
    """A member that fails cannot vote any more, which may leave the others nothing to change."""
    cast = Cast()
    steps = (Fails(after=2.0), Answers("x", 1.0), Answers("x", 1.0), Answers("y", 3.0))
    asked = ask(cast, _panel(cast, *steps, quorum=2))
    assert asked.reply.provider == "b"
    assert 2.0 <= asked.at <= steps_later(2.0)


@STREAMING
def test_more_than_half_of_the_members_must_answer(streaming: bool) -> None:
    """As soon as that cannot be any more the others are cancelled, and all errors arrive."""
    cast = Cast()
    panel = _panel(cast, Answers("x", 0.5), Fails(after=1.0), Stalls(1), Fails(after=0.75))
    asked = ask(cast, panel, streaming=streaming)
    failure = _failure(asked)
    assert str(failure).startswith("no consensus at 'panel': 3 of 4 answers needed, 1 came")
    assert [(error.provider, type(error)) for error in failure.errors] == [
        ("b", ServerError),
        ("d", ServerError),
        ("panel", ProviderError),
    ]
    assert failure.errors[-1].message == "3 of 4 answers needed, 1 came"
    assert 1.0 <= asked.at <= steps_later(1.0)
    assert asked.attempts == {"a": DISCARDED, "b": FAILED, "c": CANCELLED, "d": FAILED}


def test_a_quorum_of_ones_own() -> None:
    """With a quorum of one, a single answer of three is enough; with three, two are not."""
    cast = Cast()
    steps = (Answers("x", 1.0), Fails(), Fails())
    assert ask(cast, _panel(cast, *steps, quorum=1)).reply.text == "x"
    two = (Answers("x", 1.0), Answers("x", 1.0), Fails(after=2.0))
    failure = _failure(ask(cast, _panel(cast, *two, quorum=3)))
    assert "3 of 3 answers needed, 2 came" in str(failure)


@STREAMING
def test_at_the_timeout_the_answers_that_are_there_decide(streaming: bool) -> None:
    """If they are enough; an answer of that very instant comes too late."""
    cast = Cast()
    steps = (Answers("y", 2.0), Answers("x", 1.0), Answers("z", 0.5), Stalls(1))
    asked = ask(cast, _panel(cast, *steps, timeout=2.0, quorum=2), streaming=streaming)
    assert asked.reply.text == "x"
    assert 2.0 <= asked.at <= steps_later(2.0)
    assert asked.reply.metadata["consensus_share"] == 0.5


@STREAMING
def test_at_the_timeout_too_few_answers_are_none(streaming: bool) -> None:
    """Those who were too slow have timed out; those who failed keep their errors."""
    cast = Cast()
    panel = _panel(
        cast,
        Answers("x", 1.0),
        Stalls(1),
        Answers("x", 2.0),
        Fails(after=0.5),
        Answers("x", 1.0),
        timeout=2.0,
    )
    asked = ask(cast, panel, streaming=streaming)
    failure = _failure(asked)
    assert "3 of 5 answers needed, 2 came" in str(failure)
    assert [(error.provider, type(error)) for error in failure.errors] == [
        ("b", ProviderTimeoutError),
        ("c", ProviderTimeoutError),
        ("d", ServerError),
        ("panel", ProviderError),
    ]
    assert failure.errors[0].phase == "consensus"
    assert 2.0 <= asked.at <= steps_later(2.0)


@STREAMING
def test_enough_answers_are_not_lost_to_the_callers_deadline(streaming: bool) -> None:
    """Shortly before it, the answers that are there decide."""
    cast = Cast()
    panel = _panel(cast, Stalls(1), Answers("x", 1.0), Answers("y", 1.0))
    asked = ask(cast, panel, streaming=streaming, patience=4.0)
    assert asked.reply.text == "x"
    assert asked.at == pytest.approx(4.0 - MARGIN)
    late = _panel(cast, Stalls(1), Answers("x", 1.0), Answers("y", 3.99))
    asked = ask(cast, late, streaming=streaming, patience=4.0)
    assert asked.reply.text == "x"
    assert 3.99 <= asked.at <= steps_later(3.99)


def test_nobody_is_asked_in_vain() -> None:
    """Where too few can take the call, or may be tried, no attempt is made."""
    cast = Cast()
    panel = _panel(cast, Answers("x"), Answers("x"), Answers("x"))
    failure = _failure(ask(cast, panel, max_attempts=1))
    assert [error.code for error in failure.errors] == ["attempts_spent"] * 3
    narrowed = Consensus(panel.members, name="panel", quorum=3, virtual_models={"v": {"a": "m"}})
    failure = _failure(ask(cast, narrowed, model="v"))
    assert isinstance(failure.errors[0], ProviderUnavailableError)
    assert failure.errors[0].code == "quorum"
    assert "3 of 1 answers needed, 0 came" in str(failure)
    assert cast.started == 0


def test_a_call_that_names_a_member_is_decided_by_it_alone() -> None:
    """The usual quorum is more than half of those that serve the model of the call."""
    cast = Cast()
    panel = _panel(cast, Answers("x", 1.0), Answers("y", 1.0), Answers("y", 1.0))
    assert ask(cast, panel, model="a").reply.text == "x"


@pytest.mark.parametrize("quorum", [1, 2, 3])
def test_members_wait_in_line_where_those_with_a_place_are_too_few(quorum: int) -> None:
    """Busy members take part only if they are needed; they answer when their turn comes."""
    cast = Cast()
    members = [
        cast.provider("a", Answers("x", 1.0), max_concurrency=1),
        cast.provider("b", Answers("x", 1.5), max_concurrency=1),
        cast.provider("c", Answers("x", 1.0)),
    ]

    async def scenario(world: World) -> tuple[float, list[str]]:
        panel = Consensus(members, name="panel", quorum=quorum)
        async with world.open(Config(default=panel)) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(llm.provider("a").generate, "first")
            nursery.start_soon(llm.provider("b").generate, "first")
            await trio.sleep(0.5)
            reply = await llm.generate("second")
            return trio.current_time(), [attempt.provider for attempt in reply.attempts]

    at, asked = run(scenario).value
    assert asked == (["c"] if quorum == 1 else ["a", "b", "c"])
    assert at == pytest.approx({1: 1.5, 2: 2.0, 3: 3.0}[quorum])


def test_a_consensus_that_is_lost_falls_through() -> None:
    """A fallback above goes on with its next member."""
    cast = Cast()
    panel = _panel(cast, Fails(after=1.0), Answers("x", 0.5), Fails(after=1.0))
    spare = cast.provider("spare", Answers("spare", after=1.0))
    asked = ask(cast, Fallback([panel, spare]))
    assert asked.reply.text == "spare"
    assert asked.at == pytest.approx(2.0)
