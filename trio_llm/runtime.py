"""The runtime: opens the tree of actors, offers the operations, closes cleanly."""

import logging
import os
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import trio

from trio_llm.actors import Supervisor
from trio_llm.assembly import Surroundings, Tree, build
from trio_llm.config import Config, check, load_config
from trio_llm.config.rules import quoted, suggestion
from trio_llm.endpoint import Endpoint
from trio_llm.errors import ConfigError, LLMError
from trio_llm.events import EventStream, Observer
from trio_llm.policy import RetryBudget
from trio_llm.providers.node import Node
from trio_llm.providers.status import NodeStatistics, ProviderStatus
from trio_llm.switchboard import Switchboard

if TYPE_CHECKING:
    from trio_llm.transport import TransportChoice

ConfigSource: TypeAlias = Config | Mapping[str, Any] | str | os.PathLike[str] | None

_logger = logging.getLogger("trio_llm.runtime")


@attrs.frozen
class Health:
    """What `Runtime.check` found.

    Attributes:
        name: The provider or balancer.
        healthy: Whether it answered.
        latency: Seconds to the answer or the failure.
        error: Why it did not answer.
        model: The model that answered.
    """

    name: str
    healthy: bool
    latency: float
    error: LLMError | None = None
    model: str | None = None


@attrs.frozen
class Statistics:
    """Counts since the runtime began.

    Attributes:
        calls: Counts of the default provider or balancer.
        nodes: Counts of every provider and balancer, by name.
        overruns: Jobs that were still running `close_deadline` seconds after they
            were cancelled.
    """

    calls: NodeStatistics
    nodes: Mapping[str, NodeStatistics]
    overruns: int = 0

    @property
    def distribution(self) -> dict[str, float]:
        """The share of all physical attempts that each provider made."""
        attempts = {name: node.attempts for name, node in self.nodes.items() if node.attempts}
        total = sum(attempts.values())
        return {name: count / total for name, count in attempts.items()}


class Runtime(Endpoint):
    """A running tree of actors; itself the endpoint of its default member."""

    def __init__(self, tree: Tree, switchboard: Switchboard, config: Config) -> None:
        super().__init__(tree.nodes[tree.default], switchboard)
        self._tree = tree
        self._config = config

    @property
    def config(self) -> Config:
        """The configuration that it runs."""
        return self._config

    def provider(self, name: str) -> Endpoint:
        """Give one provider or balancer, to be asked by itself.

        Raises:
            ConfigError: Nobody bears that name.
        """
        node = self._tree.nodes.get(name)
        if node is None:
            hint = suggestion(name, sorted(self._tree.nodes))
            raise ConfigError([f"provider: none is named {quoted(name)}; {hint}"], "call")
        return Endpoint(node, self._switchboard)

    def _leaves(self) -> tuple[Node, ...]:
        """Give every enabled provider, whether or not it stands under the default."""
        return self._tree.providers

    def status(self) -> tuple[ProviderStatus, ...]:
        """Give a snapshot of every provider and balancer, members first."""
        return tuple([node.status() for node in self._tree.nodes.values()])

    def statistics(self) -> Statistics:
        """Give the counts since the runtime began."""
        nodes = {name: node.statistics() for name, node in self._tree.nodes.items()}
        return Statistics(nodes[self.name], nodes, self._switchboard.overruns)

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Have every event given to an observer, in order; gives the way to stop that.

        Observers are synchronous and must be quick. One that raises is logged and
        harms nothing.
        """
        return self._switchboard.events.subscribe(observer)

    async def check(self, name: str | None = None) -> Health:
        """Ask one provider for a single token, and say how that went.

        The question is a real call: it costs a few tokens and takes a place.

        Args:
            name: The provider or balancer; ``None`` for the default.

        Raises:
            ConfigError: Nobody bears that name.
        """
        endpoint = self if name is None else self.provider(name)
        started = trio.current_time()
        try:
            reply = await endpoint.generate("ping", max_tokens=1)
        except LLMError as error:
            return Health(endpoint.name, False, trio.current_time() - started, error)
        return Health(endpoint.name, True, trio.current_time() - started, model=reply.model)


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
        TypeError: The transport is none of the HTTP library in use.
    """
    loaded = load_config(config)
    plan = check(loaded)
    if config is None and loaded.simulated:
        _logger.warning("no provider is configured and no key is set: simulated providers answer")
    events = EventStream()
    retries = RetryBudget()
    tree = build(
        plan,
        Surroundings(
            events,
            transport,
            random.Random() if rng is None else rng,  # noqa: S311 - jitter and shares
            time.time if wall_clock is None else wall_clock,
            retries,
        ),
    )
    supervisor = Supervisor(tree.cells)
    switchboard = Switchboard(
        events, loaded.close_deadline, tree.nodes, loaded.max_attempts, retries
    )
    runtime = Runtime(tree, switchboard, loaded)
    left_with: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(_shielded, supervisor)
            try:
                yield runtime
            except BaseException as error:  # noqa: BLE001 - raised again below, unwrapped
                left_with = error
            with trio.CancelScope(shield=True):
                try:
                    await supervisor.stop(trio.current_time() + loaded.drain_deadline)
                except BaseException:  # a second Ctrl-C: the actors are shielded, so tell them
                    supervisor.cut()
                    raise
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
        """Shield the actors, and report that they have started."""
        self._scope.shield = True
        self._task_status.started()


async def _shielded(supervisor: Supervisor, task_status: trio.TaskStatus[None]) -> None:
    """Keep the actors alive until they are stopped, whatever is cancelled outside."""
    with trio.CancelScope() as scope:
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
