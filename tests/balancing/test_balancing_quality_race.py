"""Quality race: how whole answers are scored by a function, and what becomes of the others."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

from tests.balancing.asked import ask
from tests.guarantees.choosing_scenes import Plays
from tests.guarantees.scenes import Cast
from trio_llm import (
    AllProvidersFailed,
    Completion,
    Config,
    EmbedRequest,
    Finished,
    Message,
    Provider,
    Race,
    Request,
    TextDelta,
    Usage,
)
from trio_llm.chat import AttemptOutcome
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Embeds, ScriptedProvider, Stalls, World, run

SUCCEEDED, DISCARDED = AttemptOutcome.SUCCEEDED, AttemptOutcome.DISCARDED
CANCELLED, FAILED = AttemptOutcome.CANCELLED, AttemptOutcome.FAILED
STREAMING = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])


def _race(*members: Provider, grace: float = 0.5, **settings: Any) -> Race:
    return Race(members, strategy="quality", grace_period=grace, name="race", **settings)


def _answering(cast: Cast, **after: float) -> list[Provider]:
    """Give a provider for each name, that answers with it after so many seconds."""
    return [cast.provider(name, Answers(name, after=seconds)) for name, seconds in after.items()]


@attrs.frozen
class Truncated:
    """Answers, and ends at the limit on the length."""

    after: float

    async def play(self, work: Work) -> Completion:
        """Wait, then answer."""
        await trio.sleep(self.after)
        if work.sink is not None:
            await work.sink.put([TextDelta("half of it")])
        return Completion(Message("assistant", "half of it"), "length", usage=Usage(1, 1))


@STREAMING
def test_completeness_is_what_counts_by_default(streaming: bool) -> None:
    """A whole answer beats an empty one, a refusal and a truncated one that came before."""
    cast = Cast()
    race = _race(
        cast.provider("empty", Answers("", after=0.7)),
        cast.provider("refusing", Answers("I'm sorry, but I can't help with that.", after=0.8)),
        cast.provider("cut", Truncated(0.9)),
        *_answering(cast, whole=1.0),
    )
    asked = ask(cast, race, streaming=streaming)
    assert asked.reply.text == "whole"
    assert asked.reply.metadata["racing_winner"] == "whole"
    assert asked.reply.metadata["racing_latency_ms"] == 1000
    scores = asked.reply.metadata["racing_scores"]
    assert list(scores) == ["empty", "refusing", "cut", "whole"]
    assert scores["empty"] == 0.0
    assert scores["whole"] == 1.0
    assert asked.entries("RaceScored", "scores") == [(tuple(scores.items()),)]


def _length(_request: Request, completion: Completion) -> float:
    return len(completion.message.text)


async def _length_slowly(_request: Request, completion: Completion) -> float:
    await trio.sleep(0.25)
    return len(completion.message.text)


@STREAMING
@pytest.mark.parametrize(("scorer", "later"), [(_length, 0.0), (_length_slowly, 0.25)])
def test_a_scorer_of_ones_own(scorer: Callable[..., Any], later: float, streaming: bool) -> None:
    """A function may score at once or when awaited; all answers are awaited together."""
    cast = Cast()
    race = _race(*_answering(cast, a=1.0, aaa=1.25, aa=1.25), scorer=scorer)
    asked = ask(cast, race, streaming=streaming)
    assert asked.reply.text == "aaa"
    assert asked.reply.metadata["racing_scores"] == {"a": 1.0, "aaa": 3.0, "aa": 2.0}
    assert asked.at == pytest.approx(1.25 + later)


def test_latency_only_breaks_ties() -> None:
    """Of equal scores the answer that came first wins, and then the first declared."""
    cast = Cast()

    def same(_request: Request, _completion: Completion) -> int:
        return 1

    assert ask(cast, _race(*_answering(cast, a=1.25, b=1.0), scorer=same)).reply.text == "b"
    assert ask(cast, _race(*_answering(cast, a=1.0, b=1.0), scorer=same)).reply.text == "a"


def _broken_for_a(value: Any) -> Callable[..., Any]:
    def scorer(_request: Request, completion: Completion) -> Any:
        if completion.message.text != "a":
            return -100.0
        if isinstance(value, Exception):
            raise value
        return value

    return scorer


async def _raising() -> float:
    await trio.sleep(0.0)
    raise KeyError("score")


@STREAMING
@pytest.mark.parametrize(
    "make",
    [lambda: ValueError("no"), lambda: float("nan"), lambda: "9", lambda: None, _raising],
    ids=["raises", "NaN", "text", "nothing", "raises when awaited"],
)
def test_what_a_scorer_raises_costs_that_answer_its_score(
    make: Callable[[], Any], streaming: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer counts as the worst, the log has the reason, and the call goes on."""
    cast = Cast()
    race = _race(*_answering(cast, a=1.0, b=1.0), scorer=_broken_for_a(make()))
    asked = ask(cast, race, streaming=streaming)
    assert asked.reply.text == "b"
    assert asked.reply.metadata["racing_scores"] == {"a": None, "b": -100.0}
    assert asked.entries("AdviceMissing", "adviser", "member") == [("scorer", "a")]
    assert "the scorer raised on the answer of 'a'" in caplog.text


def test_a_scorer_that_raises_on_everything_leaves_it_to_latency() -> None:
    """The call succeeds with the first answer."""
    cast = Cast()
    scorer: Any = lambda: None  # noqa: E731 - it takes no arguments, so that every call raises
    assert ask(cast, _race(*_answering(cast, a=1.25, b=1.0), scorer=scorer)).reply.text == "b"


def test_a_scorer_has_the_time_that_is_left() -> None:
    """At the timeout an answer that has no score yet counts as the worst."""

    async def scorer(_request: Request, completion: Completion) -> float:
        if completion.message.text == "a":
            await trio.sleep_forever()
        return -1.0

    cast = Cast()
    race = _race(*_answering(cast, a=1.0, b=1.25), scorer=scorer, timeout=2.0)
    asked = ask(cast, race)
    assert asked.reply.text == "b"
    assert asked.at == pytest.approx(2.0)
    assert asked.entries("AdviceMissing", "member", "reason") == [("a", "no score in time")]


@STREAMING
def test_the_late_are_cancelled_before_the_scoring(streaming: bool) -> None:
    """Nobody goes on with an answer that cannot count any more."""
    cast = Cast()
    race = _race(
        *_answering(cast, a=1.0), cast.provider("late", Stalls(1, after=0.5)), scorer=_length_slowly
    )
    asked = ask(cast, race, streaming=streaming)
    gone = [entry for entry in asked.log if entry.kind == "AttemptCancelled"]
    assert [entry.actor for entry in gone] == ["race/late"]
    assert gone[0].time == pytest.approx(1.5)
    assert asked.at == pytest.approx(1.75)
    assert asked.attempts == {"a": SUCCEEDED, "late": CANCELLED}


def test_a_stream_is_collected_and_replayed() -> None:
    """The consumer gets all events of the winner at once, however many, and then the end."""
    cast = Cast()
    long = cast.provider("long", Answers("l" * 500, after=1.0, pieces=500, gap=0.001))
    race = _race(long, *_answering(cast, short=1.25), scorer=_length)
    asked = ask(cast, race, streaming=True)
    pieces = [event.text for event in asked.shown if isinstance(event, TextDelta)]
    assert pieces == ["l"] * 500
    assert isinstance(asked.shown[-1], Finished)
    assert asked.at == pytest.approx(1.499)
    assert asked.reply.latency == asked.reply.time_to_first_token == pytest.approx(1.499)


def test_a_stream_that_breaks_while_it_is_collected_has_failed() -> None:
    """Nothing of it is shown, and nobody goes on with it."""
    cast = Cast()
    broken = cast.provider("broken", Plays("broken", 0.5, 0.75, breaks=True))
    asked = ask(
        cast, _race(broken, *_answering(cast, b=1.0)), streaming=True, on_interrupt="restart"
    )
    assert [type(event) for event in asked.shown] == [TextDelta, Finished]
    assert asked.reply.text == "b"
    assert asked.attempts == {"broken": FAILED, "b": SUCCEEDED}
    alone = ask(cast, _race(broken), streaming=True)
    assert isinstance(alone.outcome, AllProvidersFailed)
    assert alone.shown == ()


def test_what_is_no_conversation_goes_to_the_first() -> None:
    """Embeddings have no quality to be judged: the first answer wins at once."""
    cast = Cast()
    slow, quick = (ScriptedProvider(Embeds(after=after), {EmbedRequest}) for after in (2.0, 1.0))
    members = [
        Provider("custom", name, cls=provider, models=("m",), embedding_model="m")
        for name, provider in (("slow", slow), ("quick", quick))
    ]

    async def scenario(world: World) -> str:
        async with world.open(Config(default=_race(*members))) as llm:
            found = await llm.embed(["text"])
            assert trio.current_time() < 1.1
            return found.provider

    assert run(scenario).value == "quick"
    assert cast.running == 0
