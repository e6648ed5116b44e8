"""The runtime: opens the tree of actors, offers the operations, closes cleanly."""

import math
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import trio

from trio_llm import operations
from trio_llm.actors import Supervisor
from trio_llm.assembly import Surroundings, build
from trio_llm.bookkeeping import keep_books, open_books
from trio_llm.cache import AnswerCache, CacheControl
from trio_llm.chat import NOTHING, Cost
from trio_llm.config import Config, Plan
from trio_llm.degradation import StandIns
from trio_llm.endpoint import Degrading, Endpoint
from trio_llm.events import EventStream, Observer
from trio_llm.generations import ConfigSource as ConfigSource
from trio_llm.generations import Generations, ReloadReport, planned
from trio_llm.history import HistoryFile
from trio_llm.ledger import Ledger
from trio_llm.logs import EventLog, logging_events
from trio_llm.operations import Health as Health
from trio_llm.policy import RetryBudget
from trio_llm.policy.spending import BudgetStatus
from trio_llm.providers.node import Node
from trio_llm.providers.status import NodeStatistics, ProviderStatus
from trio_llm.switchboard import Switchboard
from trio_llm.telemetry import MetricsSnapshot
from trio_llm.telemetry.switch import Telemetry, watching

if TYPE_CHECKING:
    from trio_llm.transport import TransportChoice


@attrs.frozen
class Statistics:
    """Counts since the runtime began.

    Attributes:
        calls: Counts of the default provider or balancer.
        nodes: Counts of every provider and balancer of the present configuration, by
            name. One that a reload has changed goes on counting, unless it is of
            another kind now.
        overruns: Jobs that were still running `close_deadline` seconds after they
            were cancelled.
        retired: Counts of those that are in the configuration no more, by name, so that
            nothing is lost from sums; those of the longest gone together under the
            empty name.
        degraded: Callers that got a stale reply or the default one in place of an error.
        cost: What all attempts and probes at all providers have cost, those that are in the
            configuration no more included.
    """

    calls: NodeStatistics
    nodes: Mapping[str, NodeStatistics]
    overruns: int = 0
    retired: Mapping[str, NodeStatistics] = attrs.field(factory=dict[str, NodeStatistics])
    degraded: int = 0
    cost: Cost = NOTHING

    @property
    def distribution(self) -> dict[str, float]:
        """The share of all physical attempts that each provider made."""
        attempts = {name: node.attempts for name, node in self.nodes.items() if node.attempts}
        total = sum(attempts.values())
        return {name: count / total for name, count in attempts.items()}


class Runtime(Degrading, Endpoint):
    """A running tree of actors; itself the endpoint of its default member.

    Its own `generate` and `stream`, and what is made of these, give what the
    configuration says under `Config.degradation` in place of an error; the same calls
    at `provider` give the error.
    """

    def __init__(self, generations: Generations, telemetry: Telemetry, log: EventLog) -> None:
        super().__init__(generations.board, None, generations.stand_ins)
        self._generations = generations
        self._telemetry = telemetry
        self._log = log

    @property
    def config(self) -> Config:
        """The configuration that it runs."""
        return self._generations.config

    @property
    def generation(self) -> int:
        """The number of that configuration: 1, and one more with each reload."""
        return self._generations.number

    def provider(self, name: str) -> Endpoint:
        """Give one provider or balancer, to be asked by itself.

        It may be kept over a reload: it is whoever then bears the name.

        Raises:
            ConfigError: Nobody bears that name.
        """
        self._switchboard.endpoint(name)
        return Endpoint(self._switchboard, name)

    async def reload(self, config: ConfigSource) -> ReloadReport:
        """Run another configuration from now on.

        Providers that have not changed live on, with their cooldowns, statistics and
        connections; balancers, too, where whom they ask lives on. The others start
        before the change and end after it: calls that are under way finish on the plan
        on which they began, and what has left it drains, balancers first, for as long
        as that takes, or until the runtime is closed. A provider that is down is
        started anew. One of which only settings have changed keeps its counts, and the
        cooldown that it is in; while its old calls run, its places are counted apart.

        The change itself is one step. Where this raises, or is cancelled, nothing has
        changed. Of several reloads each waits for the one before.

        Args:
            config: As in `open_runtime`.

        Raises:
            ConfigError: The configuration has faults; all of them are listed. Another store is
                one: that cannot change while the runtime runs.
            StoreError: A budget is new, and what was spent cannot be read.
            RuntimeClosedError: The runtime is being closed.
        """
        report = await self._generations.reload(config)
        self._telemetry.apply(self.config)
        self._log.apply(self.config)
        return report

    def _leaves(self) -> tuple[Node, ...]:
        """Give every enabled provider, whether or not it stands under the default."""
        return self._generations.tree.providers

    def status(self) -> tuple[ProviderStatus, ...]:
        """Give a snapshot of every provider and balancer, members first."""
        return tuple([node.status() for node in self._generations.tree.nodes.values()])

    def statistics(self) -> Statistics:
        """Give the counts since the runtime began."""
        generations = self._generations
        nodes = {name: node.statistics() for name, node in generations.tree.nodes.items()}
        return Statistics(
            nodes[self.name],
            nodes,
            self._switchboard.overruns,
            generations.retired(),
            self._stand_ins.given + self._switchboard.answers.statistics().stale_hits,
            generations.around.accounts.paid,
        )

    @property
    def ledger(self) -> Ledger:
        """What was used and what it cost, to be asked for by provider, model, user, day, ..."""
        return Ledger(self._generations.around.accounts, self.config.time_zone)

    @property
    def cache(self) -> CacheControl:
        """The answers that are given again, and the calls that callers share."""
        return CacheControl(self._switchboard.answers, self._switchboard.flights)

    def budgets(self) -> tuple[BudgetStatus, ...]:
        """Tell how the budgets stand, one record for each account that has been used."""
        return self._generations.around.accounts.budgets()

    def metrics(self) -> MetricsSnapshot:
        """Give the counters and histograms since the runtime began, or since they were turned on.

        Raises:
            ConfigError: Nothing is counted: ``telemetry.metrics`` is off.
        """
        return self._telemetry.snapshot()

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Have every event given to an observer, in order; gives the way to stop that.

        Observers are synchronous and must be quick. One that raises is logged and
        harms nothing.
        """
        return self._switchboard.events.subscribe(observer)

    async def check(self, name: str | None = None) -> Health:
        """See whether a provider answers, by its cheapest call: one token.

        That is a probe: it takes a place and is told to the provider's breaker, but counts
        as no traffic. It waits for a place if it must. There is never more than one at a
        provider: a second one shares the outcome of the first. While the provider rests
        there is none, and the answer is no, but where its key was not accepted: then it is
        asked whether the key is good again. A balancer is asked as by any caller.

        Args:
            name: The provider or balancer; ``None`` for the default.

        Raises:
            ConfigError: Nobody bears that name.
        """
        return await operations.check(self._switchboard, name)

    async def monitor(
        self,
        interval: float,
        *,
        names: Sequence[str] | None = None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Probe providers on an interval, until cancelled.

        ``await nursery.start(llm.monitor, 30.0)`` returns when the first round has been
        scheduled. What is found shows in the events `ProbeFinished`, `BreakerChanged` and
        `ProviderRecovered`, and in `status`. A provider is not probed while it rests, while
        every place of it is taken, and when it has answered a caller within the interval.
        Who joins by a reload is probed from the next round on.

        Args:
            interval: Seconds between two rounds; within one, each provider is up to a
                tenth of that later, by chance.
            names: Whom to probe, and for a balancer all below it; ``None`` means every
                provider.
            task_status: Told when the first round has been scheduled.

        Raises:
            ConfigError: Nobody bears one of the names.
            InvalidRequestError: The interval is none.
        """
        seed = self._generations.around.seed
        await operations.monitor(
            self._switchboard, interval, names, seed=seed, task_status=task_status
        )


@asynccontextmanager
async def open_runtime(
    config: ConfigSource = None,
    *,
    transport: "TransportChoice" = None,
    rng: random.Random | None = None,
    wall_clock: Callable[[], float] | None = None,
) -> AsyncGenerator[Runtime, None]:
    """Open a runtime; leaving the block closes it, with no task and no socket left.

    An exception of the body leaves unwrapped. When the block is cancelled from
    outside, the body is cancelled first: its ``finally`` blocks can still ask. Work
    that is not done `drain_deadline` seconds after the body has left is cut.

    Args:
        config: A `Config`, a mapping, a path to TOML or JSON, or nothing: then the
            environment decides, and where no key is set, simulated providers answer.
        transport: An ``httpx.AsyncBaseTransport`` for every provider, or a callable
            from provider name to one; it is not closed here.
        rng: Source of everything random; seeded from the system if absent.
        wall_clock: Seconds since the epoch, for records and dates only.

    Raises:
        ConfigError: The configuration has faults; all of them are listed.
        StoreError: The store cannot be opened.
        TypeError: The transport is none of the HTTP library in use.
    """
    plan = await planned(config)
    wall_clock = time.time if wall_clock is None else wall_clock
    rng = random.Random() if rng is None else rng  # noqa: S311 - jitter and shares
    stream = EventStream()
    with (
        logging_events(stream, plan.config) as log,
        watching(stream, wall_clock, plan.config) as telemetry,
    ):
        async with open_books(plan.config, stream, wall_clock) as accounts:
            around = Surroundings(
                stream,
                transport,
                rng.getrandbits(64),
                wall_clock,
                RetryBudget(plan.config.retry_budget.share, plan.config.retry_budget.per_second),
                accounts,
            )
            running = _running(plan, around, telemetry, log)
            del plan, config  # those who leave the plan are not kept by this frame
            async with running as runtime:
                yield runtime


@asynccontextmanager
async def _running(
    plan: Plan, around: Surroundings, telemetry: Telemetry, log: EventLog
) -> AsyncGenerator[Runtime, None]:
    """Run the actors of a plan for as long as the block is open."""
    loaded = plan.config
    tree = build(plan, around)
    supervisor = Supervisor(tree.cells, tree.uses)
    switchboard = Switchboard(
        around.events,
        around.retries,
        supervisor,
        tree.nodes,
        plan.default,
        loaded.close_deadline,
        loaded.max_attempts,
        around.accounts,
        AnswerCache(plan, around.accounts.journal.store, around.wall_clock),
    )
    await switchboard.answers.open()
    stand_ins = StandIns(loaded.degradation)
    history = HistoryFile(around.events, around.wall_clock)
    history.take_over(loaded, tree, await history.read(loaded))
    generations = Generations(around, supervisor, switchboard, stand_ins, tree, history)
    keep_days = loaded.store.keep_days
    del plan, loaded, tree  # those who leave the plan are not kept by this frame
    runtime = Runtime(generations, telemetry, log)
    left_with: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_books, around.accounts, keep_days)
            history.start(nursery)
            try:
                await nursery.start(_shielded, supervisor, switchboard)
                try:
                    yield runtime
                except BaseException as error:  # noqa: BLE001 - raised again below, unwrapped
                    left_with = error
                with trio.CancelScope(shield=True):
                    patience = generations.config.drain_deadline
                    deadline = trio.current_time() + patience
                    try:
                        await supervisor.stop(deadline)
                        await switchboard.flights.stop(deadline)
                        await switchboard.answers.behind.stop(switchboard.closing_time())
                    except BaseException:  # a second Ctrl-C: the actors are shielded
                        supervisor.cut()
                        switchboard.flights.cut()
                        switchboard.answers.behind.cut()
                        raise
            finally:
                around.accounts.journal.close()
                history.close(generations.config.close_deadline)
    except BaseExceptionGroup as group:
        # No failure leaves an actor, but an interrupt does: it hits whichever task runs.
        raise _innermost(group) from None
    if left_with is not None:
        raise left_with


def _innermost(error: BaseException) -> BaseException:
    """Unwrap what is alone in its group, however deep."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _innermost(inner[0]) if len(inner) == 1 else error


@attrs.define
class _ShieldOnceStarted:
    """Lets the start be cancelled, and nothing from outside after it."""

    _scope: trio.CancelScope
    _task_status: trio.TaskStatus[None]

    def started(self, value: None = None) -> None:  # noqa: ARG002 - the protocol has it
        """Report that the actors have started, and shield them.

        A start that was cancelled meanwhile leaves them where they are, in a nursery that
        only they keep open: then they are not shielded, and leave.
        """
        self._task_status.started()
        self._scope.shield = trio.current_effective_deadline() > -math.inf


async def _shielded(
    supervisor: Supervisor, switchboard: Switchboard, task_status: trio.TaskStatus[None]
) -> None:
    """Keep the actors and shared calls alive until they are stopped, whatever is cancelled."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(switchboard.flights.run)
            await nursery.start(switchboard.answers.behind.run)
            await supervisor.run(_ShieldOnceStarted(scope, task_status))


async def run_runtime(
    config: ConfigSource = None,
    *,
    transport: "TransportChoice" = None,
    rng: random.Random | None = None,
    wall_clock: Callable[[], float] | None = None,
    task_status: trio.TaskStatus[Runtime] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a runtime in a nursery of the application's own.

    ``llm = await nursery.start(trio_llm.run_runtime, config)``; it ends when it is
    cancelled. The arguments are those of `open_runtime`.
    """
    async with open_runtime(config, transport=transport, rng=rng, wall_clock=wall_clock) as runtime:
        task_status.started(runtime)
        await trio.sleep_forever()
