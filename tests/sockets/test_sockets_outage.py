"""An outage of one minute under load: no caller notices, and the dead member is left alone.

A fallback of a flaky member and a healthy one gets 20 calls a second (5 in everyday
runs) for three minutes, plain and streaming by turns, in bursts of five; the flaky one is
dead for the second of them. Time is jumped over, so that counts and order are exact.
"""

import itertools
from collections.abc import Callable
from typing import TypeAlias

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.sockets.socket_scenes import ask, member, open_llm
from tests.sockets.wall import OUTAGES
from trio_llm import CooldownSettings, Fallback, Reply, Runtime, Timeouts, events
from trio_llm.testing import seeds
from trio_llm.testing.upstream import (
    Behaviour,
    Fault,
    ServedOutcome,
    Timetable,
    Upstream,
    open_upstream,
)

BEGINS, ENDS, OVER = 60.0, 120.0, 180.0
BURST = 5
EVERY = BURST / (20 if len(seeds(2, share=2, least=1)) == 2 else 5)
PATIENCE = 5.0
RESTS = CooldownSettings(initial=2.0, maximum=8.0, after_failures=3)
JITTER = 1.1
INSTANT = 0.05
"""By how much the clock has crept in one instant, at the very most."""

Act: TypeAlias = Callable[[], None]


@attrs.frozen
class Outage:
    """One way of being dead, at its place in time.

    Attributes:
        dead: What the server does with requests; ``None`` if it is not there at all.
        shows_after: Seconds until a failure shows.
    """

    dead: Behaviour | None
    shows_after: float = 0.0

    def timetable(self, start: float) -> Timetable:
        """Give the script of the whole run."""
        dead = self.dead or Behaviour()
        return Timetable(start, ((0.0, Behaviour()), (BEGINS, dead), (ENDS, Behaviour())))

    def acts(self, flaky: Upstream) -> dict[float, Act]:
        """Give what happens to the server itself, by the time."""
        return {} if self.dead else {BEGINS: flaky.go_down, ENDS: flaky.come_up}


WAYS = {
    "refused": Outage(None),
    "500": Outage(Behaviour(status=500)),
    "silent": Outage(Behaviour(fault=Fault.SILENCE), PATIENCE),
}


@attrs.define
class Seen:
    """What the callers and an observer saw; times are seconds from the start.

    Attributes:
        replies: Each reply, with the time of its call.
        attempts: When the flaky member was asked.
        rests: When each of its rests began, and when it was to end.
        states: The states that its breaker came to.
        recoveries: When it was said to be back.
    """

    start: float
    replies: list[tuple[float, Reply]] = attrs.field(factory=list[tuple[float, Reply]])
    attempts: list[float] = attrs.field(factory=list[float])
    rests: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])
    states: list[str] = attrs.field(factory=list[str])
    recoveries: list[float] = attrs.field(factory=list[float])

    def observe(self, event: events.Event) -> None:
        """Note what concerns the flaky member."""
        if event.actor != "flaky":
            return
        if isinstance(event, events.AttemptStarted):
            self.attempts.append(event.time - self.start)
        elif isinstance(event, events.CooldownStarted):
            self.rests.append((event.time - self.start, event.until - self.start))
        elif isinstance(event, events.BreakerChanged):
            self.states.append(event.new)
        elif isinstance(event, events.ProviderRecovered):
            self.recoveries.append(event.time - self.start)

    async def call(self, llm: Runtime, stream: bool) -> None:
        """Ask once; nothing but a reply will do."""
        asked = trio.current_time() - self.start
        self.replies.append((asked, await ask(llm, stream=stream)))

    def answered_by(self, begin: float, end: float) -> set[str]:
        """Give who answered the calls of a stretch of time."""
        return {reply.provider for asked, reply in self.replies if begin <= asked < end}


async def _load(clock: MockClock, llm: Runtime, seen: Seen, acts: dict[float, Act]) -> None:
    streaming = itertools.cycle((False, True))
    async with trio.open_nursery() as nursery:
        for tick in range(int(OVER / EVERY)):
            acts.get(tick * EVERY, lambda: None)()
            for _ in range(BURST):
                nursery.start_soon(seen.call, llm, next(streaming))
            await wait_all_tasks_blocked()
            clock.jump(EVERY)


@pytest.mark.parametrize("way", [pytest.param(WAYS[name], id=name) for name in OUTAGES])
async def test_an_outage_under_load(clock: MockClock, way: Outage) -> None:
    """No call fails; one probe after each rest reaches the dead member; then it is back."""
    start = trio.current_time()
    seen = Seen(start)
    limits = Timeouts(connect=PATIENCE, first_token=PATIENCE, idle=PATIENCE, total=600.0)
    async with (
        open_upstream(way.timetable(start)) as flaky,
        open_upstream() as healthy,
    ):
        tree = Fallback(
            (
                member(flaky, "flaky", timeouts=limits, cooldown=RESTS, max_concurrency=200),
                member(healthy, "healthy", max_concurrency=200),
            )
        )
        async with open_llm(tree) as llm:
            llm.subscribe(seen.observe)
            await _load(clock, llm, seen, way.acts(flaky))
            (status,) = [status for status in llm.status() if status.name == "flaky"]
            assert (status.state, status.failures, status.breaker) == ("ready", 0, "closed")
        _assert_callers(seen, way)
        _assert_probes(seen, way)
        await _assert_servers(seen, way, flaky, healthy)


def _assert_callers(seen: Seen, way: Outage) -> None:
    """Demand that all got an answer, from whom they should."""
    assert len(seen.replies) == OVER / EVERY * BURST
    assert {reply.text for _, reply in seen.replies} == {"Hello, world"}
    assert seen.answered_by(0.0, BEGINS) == {"flaky"}
    assert seen.answered_by(BEGINS, ENDS) == {"healthy"}
    # A probe may have begun just before the end, and its rest is the longest.
    back = ENDS + way.shows_after + RESTS.maximum * JITTER + EVERY
    assert seen.answered_by(back, OVER) == {"flaky"}


def _assert_probes(seen: Seen, way: Outage) -> None:
    """Demand one attempt after each rest and none during it, and rests that double."""
    # Who had its place in the very instant of the opening counts as under way.
    opened = seen.rests[0][0] + INSTANT
    assert opened == pytest.approx(BEGINS + way.shows_after, abs=EVERY)
    under_way = [at for at in seen.attempts if BEGINS <= at <= opened]
    assert RESTS.after_failures <= len(under_way) <= BURST * (1 + way.shows_after / EVERY)
    for (_, until), following in itertools.pairwise(seen.rests):
        probes = [at for at in seen.attempts if opened < at <= following[0]]
        assert len(probes) == 1
        assert until <= probes[0] <= until + EVERY
        opened = following[0]
    for number, (begun, until) in enumerate(seen.rests):
        length = min(RESTS.initial * 2.0**number, RESTS.maximum)
        assert length - 0.01 <= until - begun <= length * JITTER + 0.01
    last = seen.rests[-1][1]
    assert last <= ENDS + way.shows_after + RESTS.maximum * JITTER
    assert all(at >= last for at in seen.attempts if at > opened)
    assert seen.states == [*["open", "half_open"] * len(seen.rests), "closed"]
    (back,) = seen.recoveries
    assert ENDS <= back <= last + EVERY


async def _assert_servers(seen: Seen, way: Outage, flaky: Upstream, healthy: Upstream) -> None:
    """Demand that the servers saw the calls, each once, and the dead one only its attempts."""
    by_healthy = [reply for _, reply in seen.replies if reply.provider == "healthy"]
    assert len(healthy.served) == len(by_healthy)
    ends = {await served.wait_finished() for served in healthy.served}
    assert ends == {ServedOutcome.COMPLETED}
    during = [served for served in flaky.served if BEGINS <= served.received - seen.start < ENDS]
    attempts = [at for at in seen.attempts if BEGINS <= at < ENDS]
    assert len(during) == (len(attempts) if way.dead else 0)
