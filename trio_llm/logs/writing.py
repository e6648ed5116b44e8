"""How log records are written where the configuration says so: lines of text, or of JSON."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

TEXT: Final = logging.Formatter("%(asctime)s %(levelname)-8s %(name)s: %(message)s")


class JsonLines(logging.Formatter):
    """One JSON object per record: timestamp (UTC), level, logger, message, and what else is known.

    ``event`` has the fields of the record of the event stream, ``exception`` a traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        told: dict[str, Any] = {
            "timestamp": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        event = getattr(record, "trio_llm", None)
        if event is not None:
            told["event"] = event
        if record.exc_info and record.exc_info[0] is not None:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


FORMATTERS: Final = {"text": TEXT, "json": JsonLines()}


class ToStderr(logging.Handler):
    """Writes to what is the standard error stream at the time, if there is any."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        stream: Any = sys.stderr
        if stream is None:
            return
        try:
            stream.write(f"{self.format(record)}\n")
            stream.flush()
        except Exception:  # noqa: BLE001 - a log that cannot be written must fail nothing
            self.handleError(record)
