"""The idle connections to one origin: last in, first out.

State changes only in synchronous methods; what must be closed is kept aside as
*spent*, and closed outside.
"""

from collections.abc import Callable

import attrs

from trio_llm.transport.connection import Connection


@attrs.define(eq=False)
class Stack:
    """Connections to one origin that wait to be used again.

    The one used last is the one used next, so that those beyond the need of the
    moment grow old and go.

    Args:
        dial: Makes a new connection, without I/O.
        keepalive: Seconds that an idle connection is kept.
    """

    _dial: Callable[[], Connection] = attrs.field(alias="dial")
    _keepalive: float = attrs.field(alias="keepalive")
    opened: int = attrs.field(default=0, init=False)
    reused: int = attrs.field(default=0, init=False)
    in_use: int = attrs.field(default=0, init=False)
    spent: list[Connection] = attrs.field(factory=list[Connection], init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _idle: list[Connection] = attrs.field(factory=list[Connection], init=False)

    @property
    def idle(self) -> int:
        """How many connections wait."""
        return len(self._idle)

    def take(self, now: float, *, fresh: bool) -> Connection:
        """Give a connection: the one used last that still stands, or a new one."""
        idle = self._idle
        while idle and not fresh:
            connection = idle.pop()
            if now - connection.idle_since <= self._keepalive and connection.is_usable:
                self.reused += 1
                self.in_use += 1
                return connection
            self.spent.append(connection)
        connection = self._dial()
        self.opened += 1
        self.in_use += 1
        return connection

    def give_back(self, connection: Connection, now: float) -> None:
        """Take a connection whose response was read to its end."""
        self.in_use -= 1
        if connection.is_usable and not self._closed:
            connection.idle_since = now
            self._idle.append(connection)
        else:
            self.spent.append(connection)
        self.expire(now)

    def discard(self, connection: Connection) -> None:
        """Take a connection that must not be used again."""
        self.in_use -= 1
        self.spent.append(connection)

    def expire(self, now: float) -> None:
        """Set those aside that have been idle for too long; the oldest lie at the bottom."""
        idle = self._idle
        while idle and now - idle[0].idle_since > self._keepalive:
            self.spent.append(idle.pop(0))

    def close(self) -> None:
        """Set all idle connections aside, and those that are given back later."""
        self._closed = True
        self.spent += self._idle
        self._idle.clear()
