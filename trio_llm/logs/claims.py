"""Who says what the loggers do: levels and a handler, for as long as each says it.

Loggers belong to the process, runtimes come and go. Each makes a *claim*; where several
speak of one logger, the last one counts. When nobody does any more, everything is as it
was before the first, but for what the application has set itself meanwhile.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

import attrs

from trio_llm.config import LoggingSettings
from trio_llm.config.accounting import ROOMS
from trio_llm.logs.writing import FORMATTERS, ToStderr

ROOT: Final = logging.getLogger("trio_llm")
LOGGERS: Final = {room: logging.getLogger(f"trio_llm.{room}") for room in ROOMS}
"""The logger of each room."""


@attrs.frozen(eq=False)
class _Claim:
    levels: dict[logging.Logger, int]
    format: str | None
    foremost: bool


@attrs.define(eq=False)
class Claims:
    """All claims on the loggers of this process."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _claims: list[_Claim] = attrs.field(factory=list[_Claim], init=False)
    _before: dict[logging.Logger, int] = attrs.field(factory=dict[logging.Logger, int], init=False)
    _set: dict[logging.Logger, int] = attrs.field(factory=dict[logging.Logger, int], init=False)
    _handler: ToStderr | None = attrs.field(default=None, init=False)
    _propagated: bool = attrs.field(default=True, init=False)

    def claim(self, settings: LoggingSettings, *, foremost: bool = False) -> Callable[[], None]:
        """Have the loggers do as is said; give the way to take that back.

        Args:
            settings: What is said.
            foremost: Whether it goes before all that others say, now or later, of any
                logger.
        """
        names = logging.getLevelNamesMapping()
        levels = {LOGGERS[room]: names[level] for room, level in settings.rooms.items()}
        if settings.level is not None:
            levels[ROOT] = names[settings.level]
        if foremost:
            levels = dict.fromkeys(LOGGERS.values(), logging.NOTSET) | levels
        claim = _Claim(levels, settings.format, foremost)
        with self._lock:
            self._claims.append(claim)
            self._claims.sort(key=lambda each: each.foremost)
            self._apply()

        def release() -> None:
            with self._lock:
                if claim in self._claims:
                    self._claims.remove(claim)
                    self._apply()

        return release

    def _apply(self) -> None:
        wanted: dict[logging.Logger, int] = {}
        form: str | None = None
        for claim in self._claims:
            wanted |= claim.levels
            form = claim.format if claim.format is not None or claim.foremost else form
        for logger in (ROOT, *LOGGERS.values()):
            if logger in wanted:
                self._before.setdefault(logger, logger.level)
                if self._set.get(logger) != wanted[logger]:
                    logger.setLevel(wanted[logger])
                self._set[logger] = wanted[logger]
            elif logger in self._before:
                before = self._before.pop(logger)
                if logger.level == self._set.pop(logger):
                    logger.setLevel(before)
        self._write(form)

    def _write(self, form: str | None) -> None:
        """Have one handler write in a form; without one, let the application's own do it."""
        if form is None and self._handler is not None:
            ROOT.removeHandler(self._handler)
            self._handler.close()
            self._handler = None
            ROOT.propagate = ROOT.propagate or self._propagated
        elif form is not None:
            if self._handler is None:
                self._handler = ToStderr()
                ROOT.addHandler(self._handler)
                # What is written here must not be written again by the handlers above.
                self._propagated, ROOT.propagate = ROOT.propagate, False
            self._handler.setFormatter(FORMATTERS[form])


CLAIMS: Final = Claims()
