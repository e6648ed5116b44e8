"""Spans of calls and attempts: how they hang together, and what they say."""

import pytest
import trio
from opentelemetry.trace import SpanKind, StatusCode

from tests.guarantees.scenes import Cast
from tests.telemetry.telemetry_scenes import (
    ANSWER,
    PROMPT,
    Recorder,
    ask,
    facts,
    fail,
    happened,
    is_child,
    listen,
    traced,
)
from trio_llm import (
    Config,
    Consensus,
    CooldownSettings,
    Fallback,
    Hedge,
    LoadBalance,
    Provider,
    Race,
    Retry,
    Runtime,
)
from trio_llm.telemetry import Tracing
from trio_llm.testing import (
    Answers,
    Crashes,
    Cuts,
    Fails,
    RateLimits,
    Stalls,
    World,
    run,
)
from trio_llm.testing.world import EPOCH


def test_a_plain_call_is_a_call_with_one_attempt() -> None:
    """The call stands for the endpoint; the attempt is the inference of the conventions."""
    recorder = traced(Cast().provider("house", Answers(ANSWER, after=0.5), model="large"))
    attempt, call = recorder.spans
    assert (call.name, call.kind, call.parent) == ("chat house", SpanKind.INTERNAL, None)
    assert (attempt.name, attempt.kind) == ("chat large", SpanKind.CLIENT)
    assert is_child(attempt, call)
    assert facts(attempt) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "custom",
        "gen_ai.request.model": "large",
        "gen_ai.response.model": "large",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.output_tokens": 1,
        "trio_llm.provider": "house",
        "trio_llm.path": ("house",),
        "trio_llm.attempt.number": 1,
        "trio_llm.outcome": "succeeded",
    }
    said = facts(call)
    assert said["trio_llm.endpoint"] == "house"
    assert said["trio_llm.provider"] == "house"
    assert said["trio_llm.attempts"] == 1
    assert said["trio_llm.outcome"] == "succeeded"
    assert said["gen_ai.response.model"] == "large"
    assert said["trio_llm.call.cost.certainty"] == "at_least"
    assert {span.status.status_code for span in recorder.spans} == {StatusCode.UNSET}
    assert attempt.instrumentation_scope is not None
    assert attempt.instrumentation_scope.name == "trio_llm"


def test_times_are_those_of_the_given_clock() -> None:
    """In virtual time a span is as long as what it stands for, to the microsecond."""
    (attempt, call) = traced(Cast().provider("house", Answers(after=0.5))).spans
    for span in (attempt, call):
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time / 1e9 == pytest.approx(EPOCH, abs=1e-6)
        assert span.end_time / 1e9 == pytest.approx(EPOCH + 0.5, abs=1e-6)


def test_tokens_are_on_attempts_alone() -> None:
    """A sum over all spans counts each token once."""
    recorder = traced(Race([Cast().provider(name, Answers()) for name in "ab"], name="fast"))
    with_tokens = [span for span in recorder.spans if "gen_ai.usage.input_tokens" in facts(span)]
    assert with_tokens == recorder.attempts
    assert len(with_tokens) == 2


def test_a_race_shows_its_winner_and_its_losers() -> None:
    """A loser that was cancelled is no error, and says who beat it."""
    cast = Cast()
    recorder = traced(
        Race(
            [cast.provider("quick", Answers(after=0.5)), cast.provider("slow", Answers(after=9.0))],
            name="fast",
        )
    )
    (call,) = recorder.calls
    quick, slow = recorder.attempt("quick"), recorder.attempt("slow")
    assert is_child(quick, call)
    assert is_child(slow, call)
    assert facts(slow)["trio_llm.outcome"] == "cancelled"
    assert facts(slow)["trio_llm.cancel.reason"] == "lost the race to 'quick'"
    assert "error.type" not in facts(slow)
    assert slow.status.status_code is StatusCode.UNSET
    assert happened(call) == [
        ("winner_chosen", {"winner": "quick", "hedged": False}),
        ("loser_cancelled", {"loser": "slow"}),
    ]
    assert facts(call)["trio_llm.provider"] == "quick"


def test_a_hedge_marks_what_was_asked_beside() -> None:
    """The second attempt says that it was a hedge; the first one does not."""
    cast = Cast()
    recorder = traced(
        Hedge(
            [cast.provider("late", Answers(after=9.0)), cast.provider("quick", Answers(after=0.5))],
            delay=1.0,
            name="safe",
        )
    )
    (call,) = recorder.calls
    assert facts(recorder.attempt("quick"))["trio_llm.attempt.hedged"] is True
    assert "trio_llm.attempt.hedged" not in facts(recorder.attempt("late"))
    assert ("hedge_started", {"member": "quick", "after": 1.0}) in happened(call)
    assert ("winner_chosen", {"winner": "quick", "hedged": True}) in happened(call)


def test_a_fallback_shows_the_failure_and_goes_on() -> None:
    """The failed attempt is an error by its class; the next one says that it is a fallback."""
    cast = Cast()
    recorder = traced(
        Fallback([cast.provider("broken", Fails()), cast.provider("spare", Answers())], name="safe")
    )
    (call,) = recorder.calls
    broken, spare = recorder.attempt("broken"), recorder.attempt("spare")
    assert facts(broken)["error.type"] == "ServerError"
    assert facts(broken)["trio_llm.outcome"] == "failed"
    assert facts(broken)["gen_ai.response.finish_reasons"] == ("error",)
    assert broken.status.status_code is StatusCode.ERROR
    assert broken.status.description is None
    assert facts(spare)["trio_llm.attempt.fallback"] is True
    assert "trio_llm.attempt.fallback" not in facts(broken)
    assert happened(call) == [("fell_back", {"failed": "broken"})]
    assert call.status.status_code is StatusCode.UNSET


def test_retries_are_numbered() -> None:
    """Each attempt at the same provider is a span of its own, one after the other."""
    provider = Cast().provider(
        "house",
        [RateLimits(1.0), Fails(), Answers()],
        retry=Retry(attempts=2, base_delay=0.5),
        cooldown=CooldownSettings(after_failures=9),
    )
    recorder = traced(provider)
    first, second, third = (recorder.attempt("house", number) for number in (1, 2, 3))
    assert facts(first)["error.type"] == "RateLimitError"
    assert facts(first)["http.response.status_code"] == 429
    assert facts(second)["error.type"] == "ServerError"
    assert facts(third)["trio_llm.outcome"] == "succeeded"
    assert "trio_llm.attempt.fallback" not in facts(third)
    for before, after in ((first, second), (second, third)):
        assert before.end_time is not None
        assert after.start_time is not None
        assert before.end_time <= after.start_time
    assert facts(recorder.calls[0])["trio_llm.attempts"] == 3


def test_a_call_that_fails_is_an_error() -> None:
    """Call and attempts say which class of error it was."""
    recorder = traced(
        LoadBalance([Cast().provider(name, Fails()) for name in "ab"], name="spread"), fail
    )
    (call,) = recorder.calls
    assert call.status.status_code is StatusCode.ERROR
    assert facts(call)["error.type"] == "AllProvidersFailed"
    assert facts(call)["trio_llm.outcome"] == "failed"


def test_a_call_without_an_attempt_is_a_span_too() -> None:
    """A provider that rests refuses; the call's span says so, with no attempt below it."""

    async def twice(llm: Runtime) -> None:
        await fail(llm)
        await fail(llm)

    rest = CooldownSettings(initial=30.0, after_failures=1)
    recorder = traced(Cast().provider("house", Fails(), cooldown=rest), twice)
    first, second = recorder.calls
    assert len(recorder.attempts) == 1
    assert happened(first) == [
        ("cooldown_started", {"seconds": pytest.approx(30.0, abs=3.0)}),
        ("breaker_changed", {"old": "closed", "new": "open"}),
    ]
    assert facts(second)["error.type"] == "ProviderUnavailableError"
    assert facts(second)["trio_llm.attempts"] == 0


def test_a_stream_tells_when_its_first_token_came() -> None:
    """Call and attempt have the seconds to it, and end with the stream."""
    recorder = traced(
        Cast().provider("house", Answers(ANSWER, after=0.5, pieces=3, gap=1.0)), listen
    )
    attempt, call = recorder.spans
    for span in (attempt, call):
        assert facts(span)["gen_ai.request.stream"] is True
        assert facts(span)["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.5)
        assert span.end_time is not None
        assert span.end_time / 1e9 == pytest.approx(EPOCH + 2.5, abs=1e-6)


def test_a_stream_that_breaks_and_goes_on_elsewhere_shows_both() -> None:
    """The first attempt failed after its first token; the switch is an event of the call."""
    cast = Cast()
    member = Fallback(
        [cast.provider("fragile", Cuts(after=0.5)), cast.provider("steady", Answers(ANSWER))],
        name="safe",
        on_interrupt="restart",
    )
    recorder = traced(member, listen)
    (call,) = recorder.calls
    fragile = recorder.attempt("fragile")
    assert facts(fragile)["error.type"] == "StreamInterruptedError"
    assert facts(fragile)["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.5)
    switch = {"failed": "fragile", "provider": "steady", "policy": "restart"}
    assert ("stream_switched", switch) in happened(call)
    assert facts(call)["trio_llm.outcome"] == "succeeded"


def test_a_caller_that_gives_up_is_no_error() -> None:
    """Call and attempt are cancelled, with no status, and over when the caller goes on."""
    recorder = Recorder()

    async def scene(world: World) -> None:
        async with world.open(Config(default=Cast().provider("house", Stalls()))) as llm:
            llm.subscribe(Tracing(recorder.provider))
            with trio.move_on_after(2.0):
                await llm.generate(PROMPT)
            assert len(recorder.spans) == 2

    run(scene)
    for span in recorder.spans:
        assert facts(span)["trio_llm.outcome"] == "cancelled"
        assert span.status.status_code is StatusCode.UNSET
    assert facts(recorder.attempt("house"))["trio_llm.cancel.reason"] == "the caller was cancelled"


def test_a_stream_that_is_left_is_no_error() -> None:
    """What had come is there; the outcome is that the caller left."""

    async def leave(llm: Runtime) -> None:
        async with llm.stream(PROMPT) as stream:
            async for _ in stream:
                break

    recorder = traced(Cast().provider("house", Answers(ANSWER, pieces=5, gap=1.0)), leave)
    attempt, call = recorder.spans
    assert facts(call)["trio_llm.outcome"] == facts(attempt)["trio_llm.outcome"] == "cancelled"
    assert call.status.status_code is attempt.status.status_code is StatusCode.UNSET


def test_crashes_of_a_job_and_of_an_actor_are_errors() -> None:
    """A crash ends the attempt's span as any failure does."""
    for step in (Crashes(), Crashes(actor=True)):
        recorder = traced(Cast().provider("house", step), fail)
        attempt, call = recorder.spans
        assert facts(attempt)["error.type"] == "ProviderCrashedError"
        assert facts(call)["error.type"] == "ProviderCrashedError"


def test_a_consensus_tells_who_won() -> None:
    """The votes and the decision are events of the call."""
    cast = Cast()
    members = [cast.provider(name, Answers("same", after=0.5)) for name in "abc"]
    (call,) = traced(Consensus(members, name="council")).calls
    assert ("consensus_reached", {"winner": "a"}) in happened(call)
    assert [name for name, _ in happened(call)].count("vote_cast") >= 2


def test_attempts_at_any_depth_hang_below_their_call() -> None:
    """Calls at the same time do not mix, however deep their attempts are."""
    cast = Cast()

    def leaf(name: str, after: float) -> Provider:
        return cast.provider(name, Answers(after=after))

    member = Fallback(
        [
            Race([leaf("a", 0.5), LoadBalance([leaf("b", 1.0), leaf("c", 1.0)], name="spread")]),
            leaf("d", 1.0),
        ],
        name="safe",
    )

    async def several(llm: Runtime) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask, llm)

    recorder = traced(member, several)
    assert len(recorder.calls) == 5
    for call in recorder.calls:
        below = [span for span in recorder.attempts if is_child(span, call)]
        assert {facts(span)["trio_llm.path"][0] for span in below} == {"safe"}
        assert facts(call)["trio_llm.attempts"] == len(below)
    assert sum(facts(call)["trio_llm.attempts"] for call in recorder.calls) == len(
        recorder.attempts
    )
