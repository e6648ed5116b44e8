"""Server-sent events, as the WHATWG defines them and as providers write them.

Source of the format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import Sequence

from trio_llm.errors import MalformedResponseError
from trio_llm.wire.lines import MAX_LINE, LineSplitter

_STRAY_LIMIT = 64 * 1024
_IGNORED = (b"id", b"retry")


class EventStream:
    """Turns bytes into ``(name, data)`` pairs; the name is empty for most.

    A line that is no field at all (a bare JSON error, a web page) is kept in
    `stray`, for whoever has to say what came instead of events.

    Args:
        limit: The largest event, in bytes.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._lines = LineSplitter(limit)
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0
        self._stray: list[bytes] = []
        self._stray_size = 0

    @property
    def stray(self) -> bytes:
        """The lines that belong to no event, at most 64 KiB of them."""
        return b"\n".join(self._stray)

    @property
    def stray_lines(self) -> Sequence[bytes]:
        """The same, line by line."""
        return self._stray

    def feed(self, data: bytes) -> list[tuple[str, str]]:
        """Give the events that `data` completes.

        Raises:
            MalformedResponseError: An event is too large, or not UTF-8.
        """
        events: list[tuple[str, str]] = []
        for line in self._lines.feed(data):
            if line:
                self._field(line)
            elif self._data:
                events.append(self._dispatch())
            else:
                self._name = ""
        return events

    def close(self) -> list[tuple[str, str]]:
        """Give the event that the end of input leaves open, if there is one.

        The standard drops it; several servers end without the blank line.

        Raises:
            MalformedResponseError: It is not UTF-8.
        """
        rest = self._lines.close()
        if rest:
            self._field(rest)
        return [self._dispatch()] if self._data else []

    def _dispatch(self) -> tuple[str, str]:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        name = self._name
        self._data.clear()
        self._size = 0
        self._name = ""
        try:
            return name, data.decode()
        except UnicodeDecodeError:
            msg = "an event of the stream is not UTF-8"
            raise MalformedResponseError(msg, phase="stream") from None

    def _add(self, value: bytes) -> None:
        self._size += len(value) + 1
        if self._size > self._limit:
            msg = f"an event of the stream is larger than {self._limit} bytes"
            raise MalformedResponseError(msg, phase="stream")
        self._data.append(value)

    def _field(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._add(line[6:] if line[5:6] == b" " else line[5:])
            return
        if line[0] == 0x3A:
            return
        field, _, value = line.partition(b":")
        if field == b"event":
            self._name = value.strip().decode("utf-8", "replace")
        elif field == b"error":
            # Older llama.cpp servers write the error as a field of its own.
            self._name = "error"
            self._add(value.strip())
        elif field not in _IGNORED and self._stray_size < _STRAY_LIMIT:
            self._stray.append(line[:_STRAY_LIMIT])
            self._stray_size += len(line)
