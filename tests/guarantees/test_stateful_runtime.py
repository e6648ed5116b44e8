"""A whole runtime, driven at random, step by step; every invariant holds after every step.

The steps: callers ask, plain and streaming, and leave or are cancelled; providers come to
fail, stall, break, refuse and crash, and recover; the configuration is reloaded, well or
with faults; time passes.
"""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.guarantees.stateful_host import Host
from trio_llm import (
    Config,
    ConfigError,
    Consensus,
    CooldownSettings,
    Fallback,
    Hedge,
    LLMError,
    LoadBalance,
    Provider,
    Race,
    RateLimit,
    Retry,
    Runtime,
    events,
    open_runtime,
)
from trio_llm.config.schema import Member
from trio_llm.errors import (
    AuthenticationError,
    ContentFilterError,
    InvalidRequestError,
    QuotaExceededError,
    ServerError,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    Crashes,
    Cuts,
    Fails,
    RateLimits,
    ScriptedProvider,
    Stalls,
    seeds,
)
from trio_llm.testing.script import Step

NAMES = "abcd"
CAP = 6
"""The most attempts of a call."""

BEHAVIOURS: tuple[Step, ...] = (
    Answers(after=1.0),
    Answers("in pieces", after=0.5, pieces=4, gap=0.5),
    Answers(),
    Fails(ServerError, after=0.5),
    Fails(InvalidRequestError),
    Fails(ContentFilterError, after=0.5),
    Fails(AuthenticationError),
    Fails(QuotaExceededError),
    RateLimits(3.0),
    RateLimits(None, after=0.5),
    Stalls(),
    Stalls(pieces=1),
    Cuts(pieces=2, text="abcdef", gap=0.5),
    Crashes(after=0.5),
    Crashes(after=0.5, actor=True),
)


@attrs.define(eq=False)
class Caller:
    """One call, and how it ended.

    Attributes:
        scope: Its caller's.
        leave_after: After how many events it leaves a stream; ``None`` for a plain call.
        cap: The most attempts that it may make.
        outcome: What it came to; ``None`` while it is open.
        attempts: How many attempts its outcome tells of.
    """

    scope: trio.CancelScope
    leave_after: int | None
    cap: int
    outcome: str | None = None
    attempts: int = 0

    async def ask(self, llm: Runtime, name: str | None, options: dict[str, Any]) -> None:
        """Ask, and note the outcome; exactly one there is."""
        outcomes: list[str] = []
        with self.scope:
            try:
                endpoint = llm if name is None else llm.provider(name)
                if self.leave_after is None:
                    reply = await endpoint.generate("hi", **options)
                    self.attempts = len(reply.attempts)
                else:
                    async with endpoint.stream("hi", **options) as stream:
                        left = self.leave_after
                        async for _ in stream:
                            left -= 1
                            if left < 0:
                                break
                outcomes.append("replied")
            except LLMError as error:
                self.attempts = len(error.attempts)
                outcomes.append("failed")
        if self.scope.cancelled_caught:
            outcomes.append("cancelled")
        (self.outcome,) = outcomes


class RuntimeMachine(RuleBasedStateMachine):
    """The runtime under test, the world around it, and what must be true of both."""

    callers = Bundle("callers")

    @initialize(seed=st.integers(0, 2**32 - 1), shape=st.integers(0, 5))
    def open(self, seed: int, shape: int) -> None:
        """Open a runtime over one of the trees."""
        self.behaviours: dict[str, Step] = dict.fromkeys(NAMES, BEHAVIOURS[0])
        self.scripts = {name: ScriptedProvider(self._acting(name)) for name in NAMES}
        self.open_calls: list[Caller] = []
        self.active: dict[tuple[int | None, tuple[str, ...], int], float] = {}
        self.begun: set[int | None] = set()
        self.ended: list[int | None] = []
        self.rests: dict[str, float] = {}
        self.half_open_since: dict[str, float] = {}
        self.host = Host(seed)
        self.host.start()
        self.llm: Runtime
        self.done = trio.Event()

        async def live(task_status: trio.TaskStatus[Runtime]) -> None:
            async with open_runtime(self._config(shape, changed=False)) as llm:
                llm.subscribe(self._observe)
                task_status.started(llm)
                await self.done.wait()
            self.closed = True

        async def begin(nursery: trio.Nursery) -> None:
            self.llm = await nursery.start(live)

        self.closed = False
        self.host.step(begin)

    def _acting(self, name: str) -> Callable[[Work], Step]:
        return lambda _work: self.behaviours[name]

    def _config(self, shape: int, *, changed: bool) -> Config:
        retry = Retry(attempts=2, base_delay=0.5) if changed else Retry(attempts=1)
        cooldown = CooldownSettings(initial=2.0, maximum=16.0, after_failures=2)

        def member(name: str, **more: Any) -> Provider:
            more = {"max_concurrency": 2, "mailbox": 2, "retry": retry, **more}
            return Provider(
                "custom", name, cls=self.scripts[name], cooldown=cooldown, continues=True, **more
            )

        a, b, c = (member(name) for name in "abc")
        limited = member("d", rate_limit=RateLimit(requests_per_minute=30))
        trees: tuple[Member, ...] = (
            Fallback([Race([a, b], name="fast"), c, limited]),
            LoadBalance([a, Fallback([b, c], name="pair")], strategy="least_busy"),
            Race([Hedge([a, b], delay=0.75, name="late"), limited], strategy="weighted"),
            Consensus([a, b, c]),
            Fallback([LoadBalance([a, limited], strategy="adaptive", name="spread"), b]),
            Fallback([b, c]),
        )
        return Config(default=trees[shape], max_attempts=CAP)

    def _observe(self, event: events.Event) -> None:
        if isinstance(event, events.RequestStarted):
            self.begun.add(event.call)
        elif isinstance(event, events.RequestFinished):
            self.ended.append(event.call)
        elif isinstance(event, events.AttemptStarted):
            self.active[event.call, event.path, event.number] = event.time
        elif isinstance(
            event, events.AttemptSucceeded | events.AttemptFailed | events.AttemptCancelled
        ):
            del self.active[event.call, event.path, event.number]
        elif isinstance(event, events.BreakerChanged):
            if event.new == "half_open":
                self.half_open_since[event.actor] = event.time
            else:
                self.half_open_since.pop(event.actor, None)

    # Steps.

    @rule(
        target=callers,
        leave_after=st.none() | st.integers(0, 6),
        name=st.none() | st.sampled_from(NAMES),
        policy=st.none() | st.sampled_from(["restart", "resume"]),
        cap=st.none() | st.integers(1, CAP),
    )
    def ask(
        self, leave_after: int | None, name: str | None, policy: str | None, cap: int | None
    ) -> Caller:
        """A caller asks the default, or one provider that is in the plan."""
        present = {status.name for status in self.llm.status()}
        caller = Caller(trio.CancelScope(), leave_after, cap or CAP)
        options: dict[str, Any] = {"on_interrupt": policy, "max_attempts": cap}

        async def begin(nursery: trio.Nursery) -> None:
            nursery.start_soon(caller.ask, self.llm, name if name in present else None, options)

        self.open_calls.append(caller)
        self.host.step(begin)
        return caller

    @rule(caller=callers)
    def cancel(self, caller: Caller) -> None:
        """A caller is cancelled: it has its outcome before any time passes."""

        async def act(_nursery: trio.Nursery) -> None:
            caller.scope.cancel(reason="the machine says so")

        self.host.step(act)
        assert caller.outcome is not None

    @rule(name=st.sampled_from(NAMES), behaviour=st.sampled_from(BEHAVIOURS))
    def behave(self, name: str, behaviour: Step) -> None:
        """A provider changes its ways, for the attempts to come."""
        self.behaviours[name] = behaviour

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0, 2.0, 5.0, 70.0, 700.0]))
    def pass_time(self, seconds: float) -> None:
        """Time passes, in one jump."""

        async def act(_nursery: trio.Nursery) -> None:
            self.host.clock.jump(seconds)

        self.host.step(act)

    @rule(shape=st.integers(0, 5), changed=st.booleans())
    def reload(self, shape: int, changed: bool) -> None:
        """Another configuration takes over at once."""
        reports: list[int] = []

        async def act(nursery: trio.Nursery) -> None:
            async def reload() -> None:
                report = await self.llm.reload(self._config(shape, changed=changed))
                reports.append(report.generation)

            nursery.start_soon(reload)

        generation = self.llm.generation
        self.host.step(act)
        assert reports == [generation + 1] == [self.llm.generation]

    @rule()
    def reload_with_faults(self) -> None:
        """A faulty configuration changes nothing."""
        before = (self.llm.generation, self.llm.config)

        async def act(_nursery: trio.Nursery) -> None:
            with pytest.raises(ConfigError):
                await self.llm.reload({"providers": {"a": {"kind": "nothing"}}})

        self.host.step(act)
        assert (self.llm.generation, self.llm.config) == before

    # What must be true after each of them.

    @precondition(lambda self: hasattr(self, "llm"))
    @invariant()
    def nobody_is_booked_twice(self) -> None:
        """No provider serves more than it has places for, and its status is its occupancy."""
        for status in self.llm.status():
            if status.max_concurrency is not None:
                assert 0 <= status.in_flight <= status.max_concurrency
                assert status.occupied == (status.in_flight >= status.max_concurrency)
                assert 0 <= status.queued <= 2 + status.max_concurrency

    @precondition(lambda self: hasattr(self, "llm"))
    @invariant()
    def nothing_outlives_its_call(self) -> None:
        """A call that has ended has no attempt under way, and ended once."""
        over = set(self.ended)
        assert len(over) == len(self.ended)
        assert over <= self.begun
        assert not [call for call, _, _ in self.active if call in over]

    @precondition(lambda self: hasattr(self, "llm"))
    @invariant()
    def every_call_is_open_or_has_one_outcome(self) -> None:
        """Who is open and who has ended make up all who have begun, within their attempts."""
        still = [caller for caller in self.open_calls if caller.outcome is None]
        assert len(self.begun) - len(self.ended) == len(still)
        assert all(caller.attempts <= caller.cap for caller in self.open_calls)
        self.open_calls = still

    @precondition(lambda self: hasattr(self, "llm"))
    @invariant()
    def at_rest_nothing_is_left(self) -> None:
        """With no call open nothing runs, waits or occupies a place."""
        if any(caller.outcome is None for caller in self.open_calls):
            return
        assert not self.active
        assert sum(script.running for script in self.scripts.values()) == 0
        for status in self.llm.status():
            assert (status.name, status.in_flight, status.queued) == (status.name, 0, 0)

    @precondition(lambda self: hasattr(self, "llm"))
    @invariant()
    def rests_are_never_shortened(self) -> None:
        """The end of a rest moves only later, over restarts and reloads too."""
        now = self.host.clock.current_time()
        for status in self.llm.status():
            before = self.rests.get(status.name, 0.0)
            until = now + status.cooldown_remaining
            if before > now:
                assert until >= before - 1e-6, status.name
            if status.cooldown_remaining:
                self.rests[status.name] = max(before, until)

    @precondition(lambda self: hasattr(self, "llm"))
    @invariant()
    def at_most_one_probe_is_under_way(self) -> None:
        """A half-open provider has one attempt at most that began since it is so."""
        for name, since in self.half_open_since.items():
            probes = [
                key for key, began in self.active.items() if key[1][-1] == name and began >= since
            ]
            assert len(probes) <= 1, probes

    @precondition(lambda self: hasattr(self, "llm"))
    @invariant()
    def nothing_had_to_be_hidden(self) -> None:
        """No job was still running when its clean-up had to be over."""
        assert self.llm.statistics().overruns == 0

    def teardown(self) -> None:
        """Close the runtime: everything ends."""
        if not hasattr(self, "llm"):
            return

        async def act(_nursery: trio.Nursery) -> None:
            self.done.set()

        self.host.step(act)
        self.pass_time(10.0)  # beyond the deadline for those that are draining
        assert self.closed
        assert all(caller.outcome is not None for caller in self.open_calls)
        assert sum(script.running for script in self.scripts.values()) == 0
        self.host.stop()


def test_every_invariant_holds_after_every_step() -> None:
    """Calls, cancels, faults, reloads and jumps of the clock, in any order Hypothesis finds."""
    examples = len(seeds(1000, share=50))
    run_state_machine_as_test(
        RuntimeMachine,
        settings=settings(max_examples=examples, stateful_step_count=40, deadline=None),
    )
