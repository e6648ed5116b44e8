"""Context crosses the mailboxes: whose span is whose parent, and which is current where."""

import json
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from tests.guarantees.operations_chaos import Callers, grow
from tests.guarantees.scenes import Cast, assert_idle
from tests.telemetry.telemetry_scenes import Recorder, facts, is_child, place
from trio_llm import (
    Completion,
    Config,
    CooldownSettings,
    Endpoint,
    Fallback,
    Message,
    Provider,
    Race,
    Request,
    Restart,
    Retry,
    Runtime,
)
from trio_llm.config.schema import Member
from trio_llm.telemetry import Tracing
from trio_llm.testing import Answers, Fails, World, explore, run, seeds
from trio_llm.transport.library import httpx


@attrs.define(eq=False)
class _Instrumented:
    """A provider that makes spans as an instrumented library does.

    Attributes:
        recorder: Where they go.
        after: Seconds that it takes.
        seen: What was current when it was asked, and which baggage.
    """

    recorder: Recorder
    after: float = 0.5
    seen: list[tuple[trace.Span, object]] = attrs.field(factory=list[tuple[trace.Span, object]])

    async def generate(self, request: Request) -> Completion:
        """Look at the context, and make a span here and one in another task."""
        self.seen.append((trace.get_current_span(), baggage.get_baggage("tenant")))
        tracer = self.recorder.provider.get_tracer("library")
        with tracer.start_as_current_span(f"library {request.messages[0].text}"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._elsewhere, request.messages[0].text)
                await trio.sleep(self.after)
        return Completion(Message("assistant", "done"))

    async def _elsewhere(self, name: str) -> None:
        tracer = self.recorder.provider.get_tracer("library")
        with tracer.start_as_current_span(f"socket {name}"):
            await trio.lowlevel.checkpoint()


@asynccontextmanager
async def _open(world: World, recorder: Recorder, member: Member) -> AsyncGenerator[Runtime, None]:
    async with world.open(Config(default=member)) as llm:
        llm.subscribe(Tracing(recorder.provider))
        yield llm


async def _ask_within(llm: Endpoint, recorder: Recorder, name: str) -> None:
    """Ask as an application does that has a span of its own."""
    with recorder.provider.get_tracer("app").start_as_current_span(f"app {name}") as mine:
        await llm.generate(name)
        assert trace.get_current_span() is mine


def test_the_callers_span_is_the_parent_of_the_call() -> None:
    """From the application to the library below, every span is below the one that asked."""
    recorder = Recorder()

    async def scene(world: World) -> None:
        house = Provider("custom", "house", cls=_Instrumented(recorder))
        async with _open(world, recorder, Fallback([house], name="safe")) as llm:
            await _ask_within(llm, recorder, "one")

    run(scene)
    by_name = {span.name.split(" ")[0]: span for span in recorder.spans if "chat" not in span.name}
    (call,), (attempt,) = recorder.calls, recorder.attempts
    assert by_name["app"].parent is None
    assert is_child(call, by_name["app"])
    assert is_child(attempt, call)
    assert is_child(by_name["library"], attempt)
    assert is_child(by_name["socket"], by_name["library"])


def test_callers_in_line_keep_their_own_context() -> None:
    """With one place and a line, each attempt is below the call of its own caller."""
    recorder, count = Recorder(), 6

    async def scene(world: World) -> None:
        house = Provider(
            "custom", "house", cls=_Instrumented(recorder), max_concurrency=1, mailbox=count
        )
        async with _open(world, recorder, house) as llm, trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(_ask_within, llm, recorder, str(number))

    run(scene)
    for number in range(count):
        app, library = (
            next(span for span in recorder.spans if span.name == f"{who} {number}")
            for who in ("app", "library")
        )
        (call,) = [span for span in recorder.calls if is_child(span, app)]
        (attempt,) = [span for span in recorder.attempts if is_child(span, call)]
        assert is_child(library, attempt)


def test_baggage_goes_along() -> None:
    """What the application put into its context is there where the provider is asked."""
    recorder = Recorder()
    house = _Instrumented(recorder)

    async def scene(world: World) -> None:
        async with _open(world, recorder, Provider("custom", "house", cls=house)) as llm:
            token = context.attach(baggage.set_baggage("tenant", "oslo"))
            await llm.generate("one")
            context.detach(token)
            await llm.generate("two")

    run(scene)
    assert [tenant for _, tenant in house.seen] == ["oslo", None]


def test_an_attempt_is_current_only_while_it_runs() -> None:
    """Between two attempts, and after the last one, it is not."""
    recorder = Recorder()
    current: list[tuple[str, trace.Span]] = []

    async def scene(world: World) -> None:
        provider = Cast().provider(
            "house",
            [Fails(), Answers()],
            retry=Retry(attempts=1),
            cooldown=CooldownSettings(after_failures=9),
        )
        async with _open(world, recorder, provider) as llm:
            llm.subscribe(lambda event: current.append((event.kind, trace.get_current_span())))
            await llm.generate("hi")
            assert trace.get_current_span() is trace.INVALID_SPAN

    run(scene)
    first, second = recorder.attempts
    during = {
        kind: span.get_span_context().span_id
        for kind, span in current
        if kind in {"AttemptStarted", "AttemptSucceeded", "AttemptFailed"}
    }
    # Those who observe after it see the end of an attempt outside of it.
    assert during["AttemptStarted"] == place(second).span_id
    assert during["AttemptFailed"] == during["AttemptSucceeded"] == 0
    assert place(first) != place(second)


def test_racers_each_have_their_own() -> None:
    """Attempts that run side by side do not see each other's span."""
    recorder = Recorder()
    houses = {name: _Instrumented(recorder, after) for name, after in (("a", 0.5), ("b", 0.5))}

    async def scene(world: World) -> None:
        members = [Provider("custom", name, cls=house) for name, house in houses.items()]
        async with _open(world, recorder, Race(members, name="fast")) as llm:
            await llm.generate("hi")

    run(scene)
    for name, house in houses.items():
        ((seen, _),) = house.seen
        assert seen.get_span_context() == place(recorder.attempt(name))


def test_a_provider_that_asks_the_runtime_itself_hangs_below_its_attempt() -> None:
    """A call that is made while an attempt runs is a child of that attempt."""
    recorder = Recorder()

    @attrs.define(eq=False)
    class Asking:
        """Asks another provider of the same runtime."""

        llm: Runtime | None = None

        async def generate(self, _request: Request) -> Completion:
            assert self.llm is not None
            reply = await self.llm.provider("inner").generate("inner question")
            return Completion(reply.message)

    asking = Asking()

    async def scene(world: World) -> None:
        config = Config(
            {
                "outer": Provider("custom", cls=asking),
                "inner": Cast().provider("inner", Answers(after=0.5)),
            },
            default="outer",
        )
        async with world.open(config) as llm:
            asking.llm = llm
            llm.subscribe(Tracing(recorder.provider))
            await llm.generate("outer question")

    run(scene)
    inner_call = next(span for span in recorder.calls if span.name == "chat inner")
    outer_call = next(span for span in recorder.calls if span.name == "chat outer")
    assert is_child(inner_call, recorder.attempt("outer"))
    assert is_child(recorder.attempt("inner"), inner_call)
    assert is_child(recorder.attempt("outer"), outer_call)


def test_an_instrumented_http_library_hangs_below_the_attempt() -> None:
    """The span of an HTTP exchange is a child of the attempt that made it."""
    recorder = Recorder()

    class Transport(httpx.AsyncBaseTransport):
        """Answers by itself, and makes a span as instrumentation does."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            tracer = recorder.provider.get_tracer("http")
            with tracer.start_as_current_span(request.method):
                await trio.sleep(0.25)
            message = {"role": "assistant", "content": "hello"}
            body = {"id": "chat-7", "model": "m-2", "choices": [{"index": 0, "message": message}]}
            return httpx.Response(200, content=json.dumps(body).encode())

    async def scene(world: World) -> None:
        house = Provider("openai_compatible", "house", base_url="https://example.com/v1", model="m")
        async with world.open(Config(default=house), transport=Transport()) as llm:
            llm.subscribe(Tracing(recorder.provider))
            await llm.generate("hi")

    run(scene)
    post = next(span for span in recorder.spans if span.name == "POST")
    assert is_child(post, recorder.attempt("house"))
    assert facts(recorder.attempt("house"))["gen_ai.response.id"] == "chat-7"
    assert facts(recorder.attempt("house"))["gen_ai.response.model"] == "m-2"
    assert facts(recorder.attempt("house"))["gen_ai.provider.name"] == "openai_compatible"


def test_a_decision_not_to_sample_goes_down_to_the_library() -> None:
    """Nothing is recorded, and what is below sees the same decision in the same trace."""
    recorder = Recorder(TracerProvider(sampler=ALWAYS_OFF))
    house = _Instrumented(recorder)

    async def scene(world: World) -> None:
        async with _open(world, recorder, Provider("custom", "house", cls=house)) as llm:
            await llm.generate("hi")

    run(scene)
    assert recorder.spans == []
    ((seen, _),) = house.seen
    assert seen.get_span_context().is_valid
    assert not seen.get_span_context().trace_flags.sampled


def test_without_an_sdk_nothing_happens() -> None:
    """The API alone makes no spans, and costs no call anything."""
    recorder = Recorder()
    house = _Instrumented(recorder, after=0.0)

    async def scene(world: World) -> None:
        async with world.open(Config(default=Provider("custom", "house", cls=house))) as llm:
            llm.subscribe(Tracing(trace.NoOpTracerProvider()))
            await llm.generate("hi")
            assert trace.get_current_span() is trace.INVALID_SPAN

    run(scene)
    ((seen, _),) = house.seen
    assert seen is trace.INVALID_SPAN


def test_in_chaos_every_span_ends_below_its_call(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever crashes, stalls, is cancelled or clings: spans pair up, and contexts are left.

    A context that is left in another task than the one that entered it is logged by
    OpenTelemetry as an error; there must be none.
    """

    async def scene(world: World) -> int:
        rng, cast, recorder = random.Random(world.seed), Cast(), Recorder()
        member = grow(rng, cast, world.seed, 2)
        config = Config(default=member, restart=Restart(max_restarts=1000))
        async with world.open(config) as llm:
            llm.subscribe(Tracing(recorder.provider))
            callers = Callers(rng)
            async with trio.open_nursery() as nursery:
                for _ in range(8):
                    nursery.start_soon(callers.one, llm)
            await trio.sleep(10.0)  # until the last that clings has let go
            assert_idle(cast, llm)
            assert recorder.open == 0
            assert trace.get_current_span() is trace.INVALID_SPAN
        calls = {place(span).span_id: span for span in recorder.calls}
        assert len(recorder.attempts) == sum(
            node.attempts for node in llm.statistics().nodes.values()
        )
        for attempt in recorder.attempts:
            assert attempt.parent is not None
            call = calls[attempt.parent.span_id]
            assert facts(attempt)["trio_llm.path"][0] == facts(call)["trio_llm.endpoint"]
        for span in recorder.spans:
            failed = facts(span)["trio_llm.outcome"] == "failed"
            assert (span.status.status_code is trace.StatusCode.ERROR) == failed
        return len(recorder.attempts)

    with caplog.at_level(logging.ERROR, "opentelemetry.context"):
        outcomes = explore(scene, seeds=seeds(300, share=30))
    assert sum(outcome.value for outcome in outcomes) > 20 * len(outcomes)
    assert [record for record in caplog.records if record.name == "opentelemetry.context"] == []
