"""The one place that emits records, and any number of observers."""

import logging
from collections.abc import Callable
from typing import TypeAlias

import attrs

from trio_llm.events.record import Event

_logger = logging.getLogger("trio_llm.events")

Observer: TypeAlias = Callable[[Event], None]


@attrs.define(eq=False)
class EventStream:
    """Hands every record to every observer, in order.

    Observers are synchronous and isolated: one that raises is logged, keeps its
    place, and harms neither the others nor the call.

    Attributes:
        content: Whether records may hold what is asked and answered.
    """

    content: bool = False
    _observers: tuple[Observer, ...] = attrs.field(default=(), init=False)
    _watchers: tuple[Observer, ...] = attrs.field(default=(), init=False)

    @property
    def watched(self) -> bool:
        """Whether anybody looks at all that happens; such records need not be made otherwise."""
        return bool(self._watchers)

    @property
    def heard(self) -> bool:
        """Whether anybody hears of what is rare: what has failed, is used up, or rests."""
        return bool(self._observers)

    def emit(self, event: Event, *, usual: bool = False) -> None:
        """Hand a record to every observer.

        Args:
            event: The record.
            usual: Whether it is one that every call has; those who are content with what is
                rare are not told then.
        """
        for observer in self._watchers if usual else self._observers:
            try:
                observer(event)
            except Exception:
                _logger.exception("an event observer raised on %s", event.kind)

    def subscribe(self, observer: Observer, *, passive: bool = False) -> Callable[[], None]:
        """Add an observer; give the function that removes it.

        Args:
            observer: Who is told.
            passive: Whether it is content with the records that are made anyway: of what
                is rare, and while somebody else watches of all but what every call has.
        """
        self._observers = (*self._observers, observer)
        if not passive:
            self._watchers = (*self._watchers, observer)

        def unsubscribe() -> None:
            self._observers = tuple(o for o in self._observers if o is not observer)
            self._watchers = tuple(o for o in self._watchers if o is not observer)

        return unsubscribe
