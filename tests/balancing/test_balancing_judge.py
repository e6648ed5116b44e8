"""Quality race: a provider as the judge of the answers."""

from typing import Any

import attrs
import pytest

from tests.balancing.asked import ask
from tests.guarantees.choosing_scenes import Plays
from tests.guarantees.scenes import Cast
from trio_llm import Provider, Race, Request
from trio_llm.chat import AttemptOutcome
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Fails, Stalls

SUCCEEDED, DISCARDED = AttemptOutcome.SUCCEEDED, AttemptOutcome.DISCARDED
STREAMING = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])


def _race(*members: Provider, **settings: Any) -> Race:
    return Race(members, strategy="quality", grace_period=0.5, name="race", **settings)


def _answering(cast: Cast, **after: float) -> list[Provider]:
    """Give a provider for each name, that answers with it after so many seconds."""
    return [cast.provider(name, Answers(name, after=seconds)) for name, seconds in after.items()]


@attrs.define(eq=False)
class Judge:
    """A judge that is scripted by the answer that it is shown."""

    says: dict[str, Any]
    seen: list[Request] = attrs.field(factory=list[Request])

    def __call__(self, work: Work) -> Any:
        """Give the step for one question."""
        assert isinstance(work.request, Request)
        self.seen.append(work.request)
        prompt = work.request.messages[-1].text
        return next(step for answer, step in self.says.items() if answer in prompt)


@STREAMING
def test_a_judge_decides(streaming: bool) -> None:
    """It is asked once for each answer, at once, with temperature 0, and its word counts."""
    cast = Cast()
    judge = Judge({"first": Answers("6/10", 1.0), "second": Answers("9", 1.5)})
    race = _race(
        cast.provider("a", Answers("first", after=1.0)),
        cast.provider("b", Answers("second", after=1.25)),
        judge="judge",
    )
    asked = ask(
        cast,
        race,
        beside={"judge": cast.provider("judge", judge)},
        streaming=streaming,
        user="me",
        tags={"team": "x"},
    )
    assert asked.reply.text == "second"
    assert asked.reply.metadata["racing_scores"] == {"a": 0.6, "b": 0.9}
    assert asked.at == pytest.approx(2.75)
    assert [request.temperature for request in judge.seen] == [0, 0]
    assert {(request.user, request.tags["team"]) for request in judge.seen} == {("me", "x")}
    paths = [attempt.path for attempt in asked.reply.attempts]
    assert paths == [("race", "a"), ("race", "b"), ("race", "judge"), ("race", "judge")]
    assert asked.attempts == {"a": DISCARDED, "b": SUCCEEDED, "judge": SUCCEEDED}


@STREAMING
@pytest.mark.parametrize(
    "silent", [Fails(after=0.5), Answers("rather good", 0.5), Plays("x9", 0.25, 0.5, breaks=True)]
)
def test_a_judge_that_gives_no_score_leaves_it_to_completeness(
    silent: Any, streaming: bool
) -> None:
    """That answer alone is scored by its form, and the call goes on."""
    cast = Cast()
    judge = Judge({"first": silent, "second": Answers("4", 0.5)})
    race = _race(
        cast.provider("a", Answers("first", after=1.0)),
        cast.provider("b", Answers("second", after=1.0)),
        judge="judge",
    )
    asked = ask(cast, race, beside={"judge": cast.provider("judge", judge)}, streaming=streaming)
    assert asked.reply.metadata["racing_scores"] == {"a": 1.0, "b": 0.4}
    assert asked.reply.text == "first"
    assert asked.entries("AdviceMissing", "adviser", "member") == [("judge", "a")]


@STREAMING
def test_a_judge_has_the_time_that_is_left(streaming: bool) -> None:
    """At the timeout the judge is cancelled, and what it has said until then counts."""
    cast = Cast()
    judge = Judge({"first": Stalls(1), "second": Answers("10", 0.25)})
    race = _race(
        cast.provider("a", Answers("first", after=1.0)),
        cast.provider("b", Answers("second", after=1.0)),
        judge="judge",
        timeout=3.0,
    )
    asked = ask(cast, race, beside={"judge": cast.provider("judge", judge)}, streaming=streaming)
    assert asked.reply.metadata["racing_scores"] == {"a": 1.0, "b": 1.0}
    assert asked.reply.text == "first"
    assert asked.at == pytest.approx(3.0)
    assert asked.entries("AdviceMissing", "reason") == [("no score in time",)]


def test_a_single_answer_needs_no_judge() -> None:
    """Nobody is asked where there is nothing to choose."""
    cast = Cast()
    race = _race(*_answering(cast, a=1.0), cast.provider("b", Fails()), judge="judge")
    asked = ask(cast, race, beside={"judge": cast.provider("judge", Answers("1"))})
    assert asked.reply.text == "a"
    assert cast.scripts["judge"].started == 0


def test_a_judge_is_bound_by_the_cap_on_attempts() -> None:
    """What may not be asked any more is scored by its form."""
    cast = Cast()
    race = _race(*_answering(cast, a=1.0, b=1.0), judge="judge")
    beside = {"judge": cast.provider("judge", Answers("0"))}
    asked = ask(cast, race, beside=beside, max_attempts=3)
    assert asked.reply.metadata["racing_scores"] == {"a": 0.0, "b": 1.0}
    assert len(asked.reply.attempts) == 3


def test_a_member_may_be_the_judge() -> None:
    """Its answer and its judgements are told apart in the records."""
    cast = Cast()
    judge = Judge({"mine": Answers("2"), "[": Answers("8"), "hi": Answers("mine", after=1.0)})
    race = _race(cast.provider("a", judge), *_answering(cast, b=1.0), judge="a")
    asked = ask(cast, race)
    assert [(each.provider, each.outcome) for each in asked.reply.attempts] == [
        ("a", DISCARDED),
        ("b", SUCCEEDED),
        ("a", SUCCEEDED),
        ("a", SUCCEEDED),
    ]


def test_judgements_wait_in_the_line_of_a_judge_with_one_place() -> None:
    """A judge that does one thing at a time is asked one thing after the other."""
    cast = Cast()
    judge = cast.provider("judge", Answers("5", after=1.0), max_concurrency=1)
    race = _race(*_answering(cast, a=1.0, b=1.0), judge="judge")
    asked = ask(cast, race, beside={"judge": judge})
    assert asked.at == pytest.approx(3.0)
    assert asked.reply.metadata["racing_scores"] == {"a": 0.5, "b": 0.5}


@STREAMING
def test_judging_ends_before_the_callers_deadline(streaming: bool) -> None:
    """A judge that takes too long does not cost the caller its answer."""
    cast = Cast()
    race = _race(*_answering(cast, a=1.0, b=1.0), judge="judge")
    beside = {"judge": cast.provider("judge", Stalls(1))}
    asked = ask(cast, race, beside=beside, patience=2.0, streaming=streaming)
    assert asked.reply.metadata["racing_scores"] == {"a": 1.0, "b": 1.0}
    assert 1.9 < asked.at < 2.0
