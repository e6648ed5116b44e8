"""After `open_runtime` no task and no socket remains, whatever was under way."""

import gc
import warnings
from collections.abc import Generator

import pytest
import trio
from trio.testing import MockClock

from tests.sockets.socket_scenes import (
    PATIENT,
    ask,
    client_sockets,
    jump_when_blocked,
    member,
    open_connections,
    open_llm,
    runtime_tasks,
)
from trio_llm import Config, LLMError, Race, open_runtime
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, Upstream, open_upstream


@pytest.fixture(autouse=True)
def _nothing_is_left_to_the_collector() -> Generator[None, None, None]:
    # What earlier tests left is not looked at, which also makes the look a quick one.
    gc.freeze()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    gc.unfreeze()
    assert [warning for warning in caught if issubclass(warning.category, ResourceWarning)] == []


def _assert_gone(upstream: Upstream, before: int) -> None:
    assert client_sockets() == before
    assert open_connections(upstream) == 0
    assert runtime_tasks() == []
    # While Trio runs it speaks up about generators that the collector finds.
    gc.collect()


@pytest.mark.parametrize("stream", [False, True])
async def test_idle_connections_are_closed(stream: bool) -> None:
    """Connections that were kept end with the runtime; the server has their end at once."""
    before = client_sockets()
    async with open_upstream(Behaviour(latency=0.01)) as upstream:
        config = Config(default=member(upstream))
        async with open_runtime(config) as llm, trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(lambda: ask(llm, stream=stream))
        _assert_gone(upstream, before)
        assert upstream.statistics().requests == 5
        await upstream.wait_no_connections()


@pytest.mark.parametrize("fault", [*Fault, None])
@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_remains_after_any_fault(
    clock: MockClock, fault: Fault | None, stream: bool
) -> None:
    """Neither after a fault of the server, nor after the timeout that ends it."""
    before = client_sockets()
    async with (
        open_upstream(Behaviour(fault=fault)) as upstream,
        trio.open_nursery() as nursery,
    ):
        async with open_runtime(Config(default=member(upstream))) as llm:
            if fault in {Fault.SILENCE, Fault.STALL}:
                nursery.start_soon(jump_when_blocked, clock, upstream, 1, 601.0)
            try:
                await ask(llm, stream=stream)
            except LLMError:
                assert fault is not None
        _assert_gone(upstream, before)


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_remains_when_the_block_is_cancelled(clock: MockClock, stream: bool) -> None:
    """Cancelled from outside with a race under way, it closes every connection."""
    del clock
    before = client_sockets()
    script = {"a": Behaviour(fault=Fault.SILENCE), "b": Behaviour(fault=Fault.STALL, fault_after=0)}
    async with open_upstream(script) as upstream, trio.open_nursery() as nursery:
        config = Config(default=Race(tuple(member(upstream, name) for name in script)))
        with trio.CancelScope() as scope:

            async def cancel() -> None:
                await upstream.wait_requests(2)
                scope.cancel()

            nursery.start_soon(cancel)
            async with open_runtime(config) as llm:
                await ask(llm, stream=stream)
        assert scope.cancelled_caught
        _assert_gone(upstream, before)
        for served in upstream.served:
            assert await served.wait_finished() is ServedOutcome.CLIENT_CLOSED


async def _fail_in_stream(config: Config) -> None:
    async with open_runtime(config) as llm, llm.stream("hello") as events:
        await anext(events)
        raise ZeroDivisionError


async def test_nothing_remains_when_the_body_raises(clock: MockClock) -> None:
    """An error of the body leaves as it is, and its streams and connections with it."""
    del clock
    before = client_sockets()
    async with open_upstream(Behaviour(gap=60.0)) as upstream:
        with pytest.raises(ZeroDivisionError):
            await _fail_in_stream(Config(default=member(upstream)))
        _assert_gone(upstream, before)


@pytest.mark.parametrize("stream", [False, True])
async def test_calls_of_other_tasks_are_cut_at_the_drain_deadline(
    clock: MockClock, stream: bool
) -> None:
    """What is not done by then gets a typed error, and its connection ends."""
    before = client_sockets()
    errors: list[LLMError] = []
    async with open_upstream(Behaviour(fault=Fault.SILENCE)) as upstream:
        async with trio.open_nursery() as nursery:
            config = Config(default=member(upstream), drain_deadline=5.0, close_deadline=30.0)
            async with open_runtime(config) as llm:

                async def call() -> None:
                    try:
                        await ask(llm, stream=stream)
                    except LLMError as error:
                        errors.append(error)

                for _ in range(3):
                    nursery.start_soon(call)
                await upstream.wait_requests(3)
                nursery.start_soon(jump_when_blocked, clock, upstream, 3, 5.0)
            _assert_gone(upstream, before)
        assert len(errors) == 3
        assert {error.attempts[0].outcome.value for error in errors} == {"cancelled"}


async def test_a_runtime_can_be_opened_again_and_again() -> None:
    """Each one has connections of its own, and takes them along."""
    async with open_upstream() as upstream:
        for opened in (1, 2, 3):
            async with open_llm(member(upstream, timeouts=PATIENT)) as llm:
                await llm.generate("hello")
            assert upstream.statistics().connections_accepted == opened
        await upstream.wait_no_connections()
