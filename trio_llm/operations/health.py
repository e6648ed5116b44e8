"""Whether a provider answers: asked once, or for ever on an interval."""

import math
import random
from collections.abc import Sequence
from typing import Final

import attrs
import trio

from trio_llm.chat import Message, Request
from trio_llm.errors import InvalidRequestError, LLMError
from trio_llm.providers.actor import ProviderActor
from trio_llm.switchboard import Switchboard

JITTER: Final = 0.1
"""By so much of its interval a monitor's probe may be late, by chance: many that were
started together must not ask together."""

_PING: Final = Request(messages=(Message("user", "ping"),), max_tokens=1)


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


async def check(board: Switchboard, name: str | None) -> Health:
    """Ask for a single token; a provider is probed, a balancer is called.

    Raises:
        ConfigError: Nobody bears the name.
    """
    node = board.endpoint(name)
    if isinstance(node, ProviderActor):

        def overran() -> None:
            board.overruns += 1

        found = await node.check(overran)
        return Health(node.name, found.healthy, found.latency, found.error, found.model)
    started = trio.current_time()
    try:
        ask = board.open_call(node, _PING, streaming=False)
        answer = await board.outcome(node, ask)
        reply = board.replied(ask.payload.call, node, answer)
    except LLMError as error:
        await trio.lowlevel.checkpoint()  # a call that was refused has met none
        return Health(node.name, False, trio.current_time() - started, error)
    return Health(node.name, True, trio.current_time() - started, model=reply.model)


async def monitor(
    board: Switchboard,
    interval: float,
    names: Sequence[str] | None,
    *,
    seed: int,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Probe providers on an interval until cancelled; see `Runtime.monitor`."""
    if type(interval) not in {int, float} or not 0.0 < interval < math.inf:
        raise InvalidRequestError(
            f"interval must be a number of seconds above 0, not {interval!r}", phase="request"
        )
    for name in names or ():
        board.named(name, "names")
    began = trio.current_time()
    number = 0
    async with trio.open_nursery() as nursery:
        while True:
            for actor in _meant(board, names):
                key = f"{seed}/{actor.name}/monitor/{number}"
                late = random.Random(key).uniform(0.0, JITTER)  # noqa: S311 - jitter
                nursery.start_soon(_probe_later, actor, late * interval, interval)
            if number == 0:
                task_status.started()
            # Rounds that the process slept through are left out, not made up for.
            passed = math.floor((trio.current_time() - began) / interval)
            number = max(number, passed) + 1
            await trio.sleep_until(began + number * interval)


async def _probe_later(actor: ProviderActor, delay: float, interval: float) -> None:
    await trio.sleep(delay)
    await actor.probe(interval)


def _meant(board: Switchboard, names: Sequence[str] | None) -> list[ProviderActor]:
    """Give the providers that these names mean now, those below a balancer for its name."""
    waiting = list(board.nodes if names is None else names)
    found: dict[str, ProviderActor] = {}
    while waiting:
        name = waiting.pop(0)
        node = board.nodes.get(name)
        if isinstance(node, ProviderActor):
            found[name] = node
        elif node is not None and names is not None:
            waiting += node.status().members
    return list(found.values())
