"""A model is pulled over a real socket, and whatever goes wrong with that has an end."""

import json
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.sockets.socket_scenes import (
    PATIENT,
    assert_at_rest,
    client_sockets,
    jump_when_blocked,
    open_llm,
)
from trio_llm import (
    ConnectionFailedError,
    InvalidRequestError,
    LLMError,
    MalformedResponseError,
    ModelNotFoundError,
    Provider,
    ProviderError,
    ProviderTimeoutError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.chat import Done, PullProgress
from trio_llm.providers.http import PULL_SILENCE
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, Upstream, open_upstream

STEPS: list[dict[str, Any]] = [
    {"status": "pulling manifest"},
    {"status": "pulling 1a", "digest": "sha256:1a", "total": 100},
    {"status": "pulling 1a", "digest": "sha256:1a", "total": 100, "completed": 40},
    {"status": "pulling 1a", "digest": "sha256:1a", "total": 100, "completed": 100},
    {"status": "verifying sha256 digest"},
]
LINES = tuple(json.dumps(step).encode() + b"\n" for step in STEPS)
SUCCESS = b'{"status":"success"}\n'
WHOLE = Behaviour(pieces=(*LINES, SUCCESS))
EVENTS = [
    PullProgress(step["status"], step.get("digest"), step.get("total"), step.get("completed"))
    for step in STEPS
]


def _provider(upstream: Upstream) -> Provider:
    # Under the name of a dialect, the upstream would take it for a conversation.
    return Provider(
        "ollama",
        "a",
        base_url=f"{upstream.url}/elsewhere",
        model="m",
        timeouts=PATIENT,
    )


async def _pulled(upstream: Upstream) -> tuple[list[PullProgress], LLMError | None]:
    """Pull until the end or an error; demand that nothing of it is left."""
    events: list[PullProgress] = []
    async with open_llm(_provider(upstream)) as llm:
        try:
            async with llm.pull_model("m") as pull:
                async for event in pull:
                    events.append(event)  # noqa: PERF401 - kept when an error ends the loop
        except LLMError as error:
            assert_at_rest(llm)
            return events, error
        assert_at_rest(llm)
        assert isinstance(pull.result, Done)
        assert pull.result.status == "success"
    return events, None


@pytest.mark.parametrize("trickle", [False, True])
async def test_a_pull(trickle: bool) -> None:
    """Every line becomes a step, in however many pieces it comes; the last is the result."""
    async with open_upstream(attrs.evolve(WHOLE, trickle=trickle)) as upstream:
        events, error = await _pulled(upstream)
    assert error is None
    assert events == EVENTS
    (served,) = upstream.served
    assert (served.method, served.path) == ("POST", "/elsewhere/api/pull")
    assert json.loads(served.body)["model"] == "m"


CUTS = {
    Fault.CLOSE_MIDWAY: ConnectionFailedError,
    Fault.RESET_MIDWAY: ConnectionFailedError,
    Fault.CUT: StreamInterruptedError,
}


@pytest.mark.parametrize("fault", CUTS)
async def test_a_pull_that_is_cut(fault: Fault) -> None:
    """The steps that came are given, then the error; a cut that ends well in HTTP is a cut."""
    behaviour = attrs.evolve(WHOLE, fault=fault, fault_after=3)
    if fault is Fault.CUT:
        behaviour = Behaviour(pieces=LINES[:3])
    async with open_upstream(behaviour) as upstream:
        events, error = await _pulled(upstream)
    assert events == EVENTS[:3]
    assert type(error) is CUTS[fault]
    assert len(upstream.served) == 1


async def test_a_pull_that_begins_with_nothing() -> None:
    """An empty success is no pull."""
    async with open_upstream(Behaviour(pieces=())) as upstream:
        events, error = await _pulled(upstream)
    assert events == []
    assert isinstance(error, MalformedResponseError)


@pytest.mark.parametrize(
    ("line", "cls"),
    [
        ({"error": "pull model manifest: file does not exist"}, ModelNotFoundError),
        ({"error": "disk is full"}, ServerError),
    ],
)
@pytest.mark.parametrize("before", [0, 3])
async def test_a_line_with_an_error(
    line: dict[str, str], cls: type[ProviderError], before: int
) -> None:
    """An error inside the 200 ends the pull with its class, after the steps before it."""
    pieces = (*LINES[:before], json.dumps(line).encode() + b"\n", SUCCESS)
    async with open_upstream(Behaviour(pieces=pieces)) as upstream:
        events, error = await _pulled(upstream)
    assert events == EVENTS[:before]
    assert isinstance(error, cls)


@pytest.mark.parametrize("line", [b"garbage\n", b"[]\n", b'{"status": 5}\n', b"\xff\xfe\n"])
async def test_a_line_that_is_none(line: bytes) -> None:
    """Garbage between two steps is a malformed response."""
    async with open_upstream(Behaviour(pieces=(LINES[0], line, SUCCESS))) as upstream:
        events, error = await _pulled(upstream)
    assert events == EVENTS[:1]
    assert isinstance(error, MalformedResponseError)


async def test_a_server_that_refuses() -> None:
    """A status that is no success is classified, and no step is made of its body."""
    refusal = Behaviour(status=400, body=b'{"error":"missing request body"}')
    async with open_upstream(refusal) as upstream:
        events, error = await _pulled(upstream)
    assert events == []
    assert isinstance(error, InvalidRequestError)


@pytest.mark.parametrize("after", [0, 3])
async def test_a_pull_that_stalls(clock: MockClock, after: int) -> None:
    """A server may be silent for long while it checks gigabytes, but not for ever."""
    behaviour = attrs.evolve(WHOLE, fault=Fault.STALL, fault_after=after)
    async with open_upstream(behaviour) as upstream, trio.open_nursery() as nursery:
        nursery.start_soon(jump_when_blocked, clock, upstream, 1, PULL_SILENCE - 1)
        started = trio.current_time()
        outcomes: list[tuple[list[PullProgress], LLMError | None]] = []

        async def pull() -> None:
            outcomes.append(await _pulled(upstream))

        nursery.start_soon(pull)
        await upstream.wait_requests(1)
        await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        assert outcomes == []
        clock.jump(2.0)
    events, error = outcomes[0]
    assert events == EVENTS[:after]
    assert isinstance(error, ProviderTimeoutError)
    assert error.phase == ("idle" if after else "first_token")
    assert PULL_SILENCE <= trio.current_time() - started < PULL_SILENCE + 2


async def test_a_pull_has_no_limit_in_all(clock: MockClock) -> None:
    """It may take hours, as long as something comes."""
    behaviour = attrs.evolve(WHOLE, gap=PULL_SILENCE - 1)
    async with open_upstream(behaviour) as upstream, trio.open_nursery() as nursery:
        outcomes: list[tuple[list[PullProgress], LLMError | None]] = []

        async def pull() -> None:
            outcomes.append(await _pulled(upstream))

        nursery.start_soon(pull)
        await upstream.wait_requests(1)
        while not outcomes:
            await wait_all_tasks_blocked()
            clock.jump(PULL_SILENCE - 1)
    assert outcomes == [(EVENTS, None)]


async def test_leaving_a_pull_closes_its_connection() -> None:
    """When the block is left the connection is closed; a later pull goes on."""
    stalled = attrs.evolve(WHOLE, fault=Fault.STALL, fault_after=3)
    async with open_upstream([stalled, WHOLE]) as upstream:
        before = client_sockets()
        async with open_llm(_provider(upstream)) as llm:
            events: list[PullProgress] = []
            async with llm.pull_model("m") as pull:
                async for event in pull:
                    events.append(event)
                    if len(events) == 3:
                        break
            assert client_sockets() == before
            assert_at_rest(llm)
            with trio.fail_after(5):
                outcome = await upstream.served[0].wait_finished()
            assert outcome is ServedOutcome.CLIENT_CLOSED
            async with llm.pull_model("m") as pull:
                again = [event async for event in pull]
        assert events == EVENTS[:3]
        assert again == EVENTS
        assert isinstance(pull.result, Done)


async def test_cancelling_a_pull_closes_its_connection() -> None:
    """A cancelled caller leaves at once, and nothing of the pull is left behind."""
    stalled = attrs.evolve(WHOLE, fault=Fault.STALL, fault_after=2)
    async with open_upstream(stalled) as upstream:
        before = client_sockets()
        async with open_llm(_provider(upstream)) as llm:
            events: list[PullProgress] = []
            with trio.CancelScope() as scope:
                async with llm.pull_model("m") as pull:
                    events += [await anext(pull), await anext(pull)]
                    scope.cancel()
                    await anext(pull)
            assert scope.cancelled_caught
            assert client_sockets() == before
            assert_at_rest(llm)
            with trio.fail_after(5):
                assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED
        assert events == EVENTS[:2]
