"""What the decoders of all streams do alike: an error waits for the events before it."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from trio_llm.chat import Delta
from trio_llm.errors import MalformedResponseError, ProviderError
from trio_llm.wire.sse import EventStream
from trio_llm.wire.stray import what_came_instead

E = TypeVar("E")


class Decoding(ABC, Generic[E]):
    """The feeding of one decoder, whose dialect says what bytes mean."""

    def __init__(self) -> None:
        self._error: ProviderError | None = None

    def feed(self, data: bytes, /) -> list[E]:
        """Take the next bytes; give the events they complete."""
        events: list[E] = []
        if self._error is None:
            try:
                self._read(data, events)
            except ProviderError as error:
                self._error = error
        if self._error is not None and not events:
            raise self._error
        return events

    @abstractmethod
    def _read(self, data: bytes, events: list[E]) -> None:
        """Read the next bytes, and append what they complete.

        Raises:
            ProviderError: They are an error, or none of this dialect.
        """


class EventDecoding(Decoding[Delta]):
    """The same for server-sent events."""

    def __init__(self) -> None:
        super().__init__()
        self._events = EventStream()
        self._seen = False

    def _read(self, data: bytes, events: list[Delta]) -> None:
        for name, text in self._events.feed(data):
            self._event(name, text, events)

    @abstractmethod
    def _event(self, name: str, text: str, deltas: list[Delta]) -> None:
        """Read one event, append what it says, and note that one of the dialect was seen.

        Raises:
            ProviderError: It is an error, or none of this dialect.
        """

    def _read_end(self) -> None:
        """Take what the end of input left open; a cut event is no event.

        Raises:
            ProviderError: There was an error in the stream, or no event at all.
        """
        if self._error is not None:
            raise self._error
        try:
            for name, text in self._events.close():
                self._event(name, text, [])
        except MalformedResponseError:
            self._seen = True
        if not self._seen:
            raise what_came_instead(self._events.stray)
