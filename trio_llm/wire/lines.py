"""Lines out of bytes that arrive in any pieces."""

from trio_llm.errors import MalformedResponseError

_BOM = b"\xef\xbb\xbf"
MAX_LINE = 8 * 1024 * 1024
"""Bytes that one line, or one event, may have."""


class LineSplitter:
    r"""Splits bytes at ``\n``, ``\r\n`` and ``\r``, wherever the pieces end.

    Args:
        limit: The longest line, in bytes.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._held = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """Give the lines that `data` completes, without their ends.

        Raises:
            MalformedResponseError: A line is longer than the limit.
        """
        if self._after_cr and data:
            # The "\r" was taken as a line's end already: this is its other half.
            self._after_cr = False
            if data[0] == 0x0A:
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data[-1] == 0x0D
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in data:
            self._hold(data)
            return []
        if self._pieces:
            data = b"".join((*self._pieces, data))
            self._pieces.clear()
            self._held = 0
        lines = data.split(b"\n")
        self._hold(lines.pop())
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def close(self) -> bytes:
        """Give what came after the last line's end."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        return rest.removeprefix(_BOM) if self._at_start else rest

    def _hold(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self._held += len(data)
            if self._held > self._limit:
                msg = f"a line of the stream is longer than {self._limit} bytes"
                raise MalformedResponseError(msg, phase="stream")
