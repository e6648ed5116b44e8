"""Logs what happens in a runtime: an observer of its event stream."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import attrs

from trio_llm.config import Config
from trio_llm.config.presets import effective_logging
from trio_llm.events import Event, EventStream
from trio_llm.logs.claims import CLAIMS, LOGGERS
from trio_llm.logs.extras import extras
from trio_llm.logs.sentences import LINES, Line, sentence

_UNKNOWN: Final = Line("events", logging.DEBUG, lambda event: event.kind)


@attrs.define(eq=False)
class EventLog:
    """Logs each record on the logger of its room.

    Nothing is made of a record unless its logger takes the level. While no logger takes
    more than warnings, no record is made for the log either, but those of what is rare:
    `EventStream.subscribe` says which. Whether one does is looked up when the runtime is
    opened, and at each reload.

    Args:
        stream: What it observes.
    """

    stream: EventStream
    _unsubscribe: Callable[[], None] | None = attrs.field(default=None, init=False)
    _release: Callable[[], None] | None = attrs.field(default=None, init=False)
    _passive: bool = attrs.field(default=True, init=False)

    def apply(self, config: Config) -> None:
        """Log as a configuration says, from now on."""
        release, self._release = self._release, CLAIMS.claim(effective_logging(config))
        if release is not None:
            release()
        passive = not any(logger.isEnabledFor(logging.INFO) for logger in LOGGERS.values())
        if self._unsubscribe is not None:
            if passive is self._passive:
                return
            self._unsubscribe()
        self._passive = passive
        self._unsubscribe = self.stream.subscribe(self, passive=passive)

    def close(self) -> None:
        """Log nothing any more, and leave the loggers as they were."""
        for undo in (self._unsubscribe, self._release):
            if undo is not None:
                undo()
        self._unsubscribe = self._release = None

    def __call__(self, event: Event) -> None:
        """Log one record."""
        line = LINES.get(type(event), _UNKNOWN)
        level = line.level if isinstance(line.level, int) else line.level(event)
        logger = LOGGERS[line.room]
        if not logger.isEnabledFor(level):
            return
        content = self.stream.content
        # Made here and not by the logger, which would look for the caller: that is us.
        record = logger.makeRecord(
            logger.name,
            level,
            __file__,
            0,
            sentence(event, line, content=content),
            (),
            None,
            extra={"trio_llm": extras(event, content=content)},
        )
        logger.handle(record)


@contextmanager
def logging_events(stream: EventStream, config: Config) -> Generator[EventLog, None, None]:
    """Log what happens, as a configuration says, for as long as the block is open."""
    log = EventLog(stream)
    log.apply(config)
    del config  # those who leave the plan are not kept by this frame
    try:
        yield log
    finally:
        log.close()
