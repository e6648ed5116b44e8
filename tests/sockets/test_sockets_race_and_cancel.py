"""Ten thousand races and cancellations on real sockets: all is as it was before.

Four servers with latencies and faults drawn for each request; races in fallbacks in a
load balance above them; fifty callers at a time that take answers whole or streamed,
leave streams early, raise in them, or give up at any moment.
"""

import gc
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.sockets.socket_scenes import (
    KINDS,
    ask,
    assert_at_rest,
    client_sockets,
    member,
    open_connections,
    runtime_tasks,
)
from trio_llm import (
    AttemptOutcome,
    BreakerSettings,
    Config,
    CooldownSettings,
    Endpoint,
    Fallback,
    LLMError,
    LoadBalance,
    OnInterrupt,
    Provider,
    Race,
    Runtime,
    Timeouts,
    open_runtime,
)
from trio_llm.testing import seeds
from trio_llm.testing.upstream import Behaviour, Fault, Served, Upstream, open_upstream

CALLERS = 50
CALLS = 5
STORMS = seeds(4, share=4, least=1)
ROUNDS = seeds(10_000 // (4 * CALLERS * CALLS), share=5, least=2)
PLACES = 16
WAYS = ("plain", "stream", "early", "unread", "angry")
CRASHED = "ProviderCrashedError"
HASTY = Timeouts(connect=5.0, first_token=1.0, idle=1.0, total=9.0)

FAULTS = (
    Fault.CLOSE,
    Fault.RESET,
    Fault.SILENCE,
    Fault.STALL,
    Fault.CLOSE_MIDWAY,
    Fault.RESET_MIDWAY,
    Fault.MALFORMED,
    Fault.ERROR_FRAME,
    Fault.CUT,
)


class AngryError(Exception):
    """What a caller raises in the middle of a stream."""


@attrs.define(eq=False)
class Moody:
    """A server's script: a behaviour drawn for each request, a quarter of them faulty."""

    rng: random.Random

    def __call__(self, _served: Served) -> Behaviour:
        """Draw one; all of them are quick."""
        rng = self.rng
        faulty = rng.random() < 0.25
        return Behaviour(
            latency=rng.choice((0.0, 0.0, 0.001, 0.003, 0.02)),
            gap=rng.choice((0.0, 0.0, 0.001)),
            status=rng.choice((200, 200, 200, 500, 503)) if faulty else 200,
            fault=rng.choice(FAULTS) if faulty else None,
            fault_after=rng.randrange(3),
            keep_alive=rng.random() < 0.9,
        )


def _tree(upstreams: Sequence[Upstream]) -> LoadBalance:
    # Most never rest, which would take the faults out of the test. Two rest for an
    # instant again and again, so that probes are raced and cancelled too.
    restless = CooldownSettings(after_failures=1_000_000)
    touchy = CooldownSettings(initial=0.005, maximum=0.02, after_failures=2)
    by_rows_alone = BreakerSettings(minimum_calls=1_000_000)

    def provider(number: int) -> Provider:
        return member(
            upstreams[number % len(upstreams)],
            f"p{number}",
            dialect=list(KINDS)[number % len(KINDS)],
            cooldown=touchy if number in {1, 6} else restless,
            breaker=by_rows_alone,
            timeouts=HASTY,
            max_concurrency=PLACES,
        )

    p = [provider(number) for number in range(9)]
    first = Fallback((Race((p[0], p[1], p[2]), name="race"), p[3]), name="first")
    second = Fallback((p[4], Race((p[5], LoadBalance((p[6], p[7]), name="pair")))), name="second")
    return LoadBalance((first, second, Race((p[8], "race"), name="wide")), name="all")


async def _in_some_way(endpoint: Endpoint, rng: random.Random) -> str:
    """Take an answer: whole, as a stream, or a part of one."""
    way = rng.choice((*WAYS, "plain", "stream"))
    if way in {"plain", "stream"}:
        reply = await ask(endpoint, stream=way == "stream")
        assert reply.text == "Hello, world"
        ended = [attempt for attempt in reply.attempts if attempt.provider == reply.provider]
        assert AttemptOutcome.SUCCEEDED in {attempt.outcome for attempt in ended}
        return way
    policy = rng.choice((None, OnInterrupt.RESTART))
    pieces = rng.randrange(1, 3)
    async with endpoint.stream("hello", on_interrupt=policy) as stream:
        if way == "unread":
            return way
        async for _ in stream:
            pieces -= 1
            if pieces == 0 and way == "early":
                break
            if pieces == 0:
                raise AngryError
    return way


async def _caller(llm: Runtime, rng: random.Random, outcomes: Counter[str]) -> None:
    for _ in range(CALLS):
        await _call(llm, rng, outcomes)


async def _call(llm: Runtime, rng: random.Random, outcomes: Counter[str]) -> None:
    """Ask somebody in some way, and perhaps give up."""
    name = rng.choice(("all", "all", "all", "first", "second", "race", "wide", "p1", "p4"))
    patience = rng.choice((0.0, 0.003, 0.01, 0.03, 0.1, 0.3, *[9.0] * 7))
    with trio.move_on_after(patience):
        try:
            outcomes[await _in_some_way(llm.provider(name), rng)] += 1
        except LLMError as error:
            outcomes["error"] += 1
            outcomes.update(each.error for each in error.attempts if each.error == CRASHED)
        except AngryError:
            outcomes["angry"] += 1
        return
    outcomes["cancelled"] += 1


async def _round(
    llm: Runtime, upstreams: Sequence[Upstream], seed: str, outcomes: Counter[str]
) -> None:
    for number, upstream in enumerate(upstreams):
        upstream.script = Moody(random.Random(f"{seed}/server/{number}"))
    async with trio.open_nursery() as nursery:
        for caller in range(CALLERS):
            nursery.start_soon(_caller, llm, random.Random(f"{seed}/{caller}"), outcomes)
    assert_at_rest(llm)
    for upstream in upstreams:
        await upstream.wait_until(lambda counts: counts.in_flight == 0)


def _objects() -> Counter[str]:
    """Count what lives of the library's own classes, those of its servers left out."""
    gc.collect()
    kinds: list[type[object]] = [type(each) for each in gc.get_objects()]
    return Counter(
        kind.__qualname__
        for kind in kinds
        if (module := str(kind.__module__)).partition(".")[0] == "trio_llm"
        and "testing" not in module
    )


@asynccontextmanager
async def _open_upstreams(count: int) -> AsyncGenerator[list[Upstream], None]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_upstream()) for _ in range(count)]


async def _storm(upstreams: Sequence[Upstream], rounds: Sequence[str]) -> Counter[str]:
    """Open a runtime, let the callers loose on it, and look at it after each round."""
    outcomes: Counter[str] = Counter()
    told: Counter[str] = Counter()
    before = client_sockets()
    tree = _tree(upstreams)
    config = Config(default=tree, close_deadline=30.0, drain_deadline=0.0)
    async with open_runtime(config, rng=random.Random(0)) as llm:
        actors = sorted(runtime_tasks())
        objects: Counter[str] = Counter()
        llm.subscribe(lambda event: told.update([event.kind]))
        for seed in rounds:
            try:
                await _round(llm, upstreams, seed, outcomes)
                assert sorted(runtime_tasks()) == actors
                idle = client_sockets() - before
                assert sum(map(open_connections, upstreams)) <= idle <= 9 * PLACES
            except BaseException as error:
                error.add_note(f"in the round of seed {seed!r}")
                raise
            objects = objects or _objects()
        # Connections are kept, up to one for each place; nothing grows with the calls.
        assert max((_objects() - objects).values(), default=0) <= 9 * PLACES
        await _assert_everybody_works(llm, upstreams)
    assert client_sockets() == before
    assert runtime_tasks() == []
    assert told["RequestStarted"] == told["RequestFinished"]
    ended = ("AttemptSucceeded", "AttemptFailed", "AttemptCancelled")
    assert told["AttemptStarted"] == sum(told[kind] for kind in ended)
    return outcomes


async def _works(endpoint: Endpoint) -> bool:
    try:
        return (await endpoint.generate("hello")).text == "Hello, world"
    except LLMError:
        return False


async def _assert_everybody_works(llm: Runtime, upstreams: Sequence[Upstream]) -> None:
    """Demand an answer of everyone: no place is lost, and no probe."""
    for upstream in upstreams:
        upstream.script = Behaviour()
    for status in llm.status():
        # One may still rest, or be late on a busy machine; what is lost stays lost.
        with trio.fail_after(60.0):
            while not await _works(llm.provider(status.name)):  # noqa: ASYNC110 - by trying
                await trio.sleep(0.02)
        (now,) = [each for each in llm.status() if each.name == status.name]
        assert now.state == "ready"


@pytest.mark.parametrize("storm", STORMS)
async def test_leases_tasks_sockets_and_memory_return_to_where_they_began(storm: int) -> None:
    """However calls end, everything that served them is given back."""
    async with _open_upstreams(4) as upstreams:
        # What is made once and kept: caches, and the classes' own machinery.
        await _storm(upstreams, ["first"])
        await _settle(upstreams)
        living = trio.lowlevel.current_statistics().tasks_living
        objects = _objects()
        outcomes = await _storm(upstreams, [f"{storm}/{number}" for number in ROUNDS])
        await _settle(upstreams)
        assert trio.lowlevel.current_statistics().tasks_living == living
        assert _objects() == objects
    assert sum(outcomes.values()) == len(ROUNDS) * CALLERS * CALLS
    assert set(outcomes) == {*WAYS, "error", "cancelled"}


async def _settle(upstreams: Sequence[Upstream]) -> None:
    for upstream in upstreams:
        await upstream.wait_no_connections()
    await wait_all_tasks_blocked()
