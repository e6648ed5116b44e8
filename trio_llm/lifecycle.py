"""Tells the event stream, and an actor's own count, how the actor fares."""

import attrs
import trio

from trio_llm import events
from trio_llm.balancing import BalancerActor
from trio_llm.events import EventStream
from trio_llm.providers.actor import ProviderActor


@attrs.define(eq=False)
class ActorLog:
    """Turns what the cell of one actor reports into events."""

    _events: EventStream
    _actor: ProviderActor | BalancerActor

    def actor_crashed(self, name: str, error: BaseException) -> None:
        """Record a crash."""
        self._emit(events.ActorCrashed, name, _in_words(error))

    def actor_restarted(self, name: str, delay: float) -> None:
        """Count and record a restart."""
        self._actor.restarts += 1
        self._emit(events.ActorRestarted, name, delay)

    def actor_down(self, name: str) -> None:
        """Record that an actor was given up."""
        self._emit(events.ActorDown, name)

    def actor_drained(self, name: str, unfinished: int) -> None:
        """Record that an actor has stopped."""
        self._emit(events.ActorDrained, name, unfinished)

    def _emit(self, record: type[events.Event], name: str, *fields: object) -> None:
        if self._events.heard:
            self._events.emit(record(trio.current_time(), None, (name,), *fields))


def _in_words(error: BaseException) -> str:
    """Name an error, or the one error in a group of one."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    if len(inner) == 1:
        return _in_words(inner[0])
    return f"{type(error).__name__}: {error}"
