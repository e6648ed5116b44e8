"""JSON values, one to a line."""

from typing import Any

from trio_llm.errors import MalformedResponseError
from trio_llm.wire.lines import MAX_LINE, LineSplitter
from trio_llm.wire.values import load, looks_like_html


class JSONLines:
    """Turns bytes into the JSON values of their lines; blank lines are skipped.

    Args:
        limit: The longest line, in bytes.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._lines = LineSplitter(limit)

    def feed(self, data: bytes) -> list[Any]:
        """Give the values that `data` completes.

        Raises:
            MalformedResponseError: A line is too long, not UTF-8 or no JSON.
        """
        return [_read(line) for line in self._lines.feed(data) if line and not line.isspace()]

    def close(self) -> list[Any]:
        """Give the value of a last line without an end; one that is cut is dropped."""
        rest = self._lines.close()
        if not rest.strip():
            return []
        try:
            return [_read(rest)]
        except MalformedResponseError:
            if rest.lstrip().startswith(b"{"):
                return []
            raise


def _read(line: bytes) -> Any:
    try:
        return load(line.decode())
    except UnicodeDecodeError:
        raise MalformedResponseError("a line of the stream is not UTF-8", phase="stream") from None
    except ValueError:
        kind = "an HTML page" if looks_like_html(line) else "no JSON"
        raise MalformedResponseError(f"a line of the stream is {kind}", phase="stream") from None
