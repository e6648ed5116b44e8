"""The values of a stream, in each of the forms in which it comes.

With ``alt=sse`` it is server-sent events, in whose place an error may come as a bare
JSON object; without it, one JSON array whose elements arrive over time.
"""

import re

from trio_llm.errors import MalformedResponseError
from trio_llm.wire.lines import MAX_LINE
from trio_llm.wire.sse import EventStream

# White space, and the mark that some servers put first.
_BLANK = b"\xef\xbb\xbf \t\r\n"
# More than any reader of JSON here can take.
_DEEPEST = 1000
_OUTSIDE = re.compile(rb'["{}]')
_INSIDE = re.compile(rb'["\\]')


class ObjectScanner:
    """Cuts JSON objects out of bytes, in one pass; what stands between them is skipped.

    Args:
        limit: The largest object, in bytes.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._held = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False

    @property
    def is_open(self) -> bool:
        """Whether an object has begun and not ended."""
        return self._depth > 0

    def feed(self, data: bytes) -> list[bytes]:
        """Give the objects that `data` completes.

        Raises:
            MalformedResponseError: An object is too large, or nested too deeply.
        """
        found: list[bytes] = []
        start = place = 0
        while place < len(data):
            if self._depth == 0:
                place = start = data.find(b"{", place)
                if place < 0:
                    return found
                self._depth = 1
                place += 1
            elif self._in_string:
                place = self._skip_string(data, place)
            else:
                mark = _OUTSIDE.search(data, place)
                if mark is None:
                    break
                place = mark.end()
                if self._take(mark[0]):
                    self._pieces.append(data[start:place])
                    found.append(b"".join(self._pieces))
                    self._pieces.clear()
                    self._held = 0
                    start = place
        if self._depth > 0:
            self._hold(data[start:])
        return found

    def _skip_string(self, data: bytes, place: int) -> int:
        if self._escaped:
            self._escaped = False
            return place + 1
        mark = _INSIDE.search(data, place)
        if mark is None:
            return len(data)
        if mark[0] == b"\\":
            self._escaped = True
        else:
            self._in_string = False
        return mark.end()

    def _take(self, mark: bytes) -> bool:
        """Take a mark outside of strings; tell whether it ends the object."""
        if mark == b'"':
            self._in_string = True
            return False
        self._depth += 1 if mark == b"{" else -1
        if self._depth > _DEEPEST:
            raise MalformedResponseError("the stream is nested too deeply", phase="stream")
        return self._depth == 0

    def _hold(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)
        if self._held > self._limit:
            msg = f"an object of the stream is larger than {self._limit} bytes"
            raise MalformedResponseError(msg, phase="stream")


class Frames:
    """Turns the bytes of a stream into the JSON texts of its values."""

    def __init__(self) -> None:
        self._events = EventStream()
        self._bare = ObjectScanner()
        self._begun = False
        self._is_array = False
        self._strays = 0
        self._strayed = False

    @property
    def stray(self) -> bytes:
        """What came that is no event, at most 64 KiB of it."""
        return self._events.stray

    def feed(self, data: bytes) -> list[str]:
        """Give the values that `data` completes.

        Raises:
            MalformedResponseError: A value is too large, or not UTF-8.
        """
        if not self._begun:
            rest = data.lstrip(_BLANK)
            if rest:
                self._begun = True
                self._is_array = rest[0] in b"[{"
                data = rest if self._is_array else data
        if self._is_array:
            return self._objects(data)
        texts = [text for _, text in self._events.feed(data)]
        return texts + self._between()

    def close(self) -> list[str]:
        """Give the value that the end of input completes, if there is one.

        Raises:
            MalformedResponseError: It is not UTF-8, or is cut.
        """
        texts: list[str] = []
        if not self._is_array:
            texts = [text for _, text in self._events.close()]
            texts += self._between()
        if self._bare.is_open:
            raise MalformedResponseError("the stream is cut inside a value", phase="stream")
        return texts

    def _between(self) -> list[str]:
        """Give the bare objects among the lines that belong to no event."""
        texts: list[str] = []
        for line in self._events.stray_lines[self._strays :]:
            self._strayed = self._strayed or line.lstrip()[:1] in (b"{", b"[")
            if self._strayed:
                texts += self._objects(line + b"\n")
        self._strays = len(self._events.stray_lines)
        return texts

    def _objects(self, data: bytes) -> list[str]:
        try:
            return [value.decode() for value in self._bare.feed(data)]
        except UnicodeDecodeError:
            msg = "a value of the stream is not UTF-8"
            raise MalformedResponseError(msg, phase="stream") from None
