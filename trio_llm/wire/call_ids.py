"""Identifiers of tool calls as a provider accepts them, each used by one call."""

import re
from collections import deque


class CallIds:
    """Gives each call of a conversation an identifier that no other has, and its result the same.

    Those that other providers made can be longer, or have other letters, and those
    that were made up for a dialect without any repeat from turn to turn. Results of
    calls that share one are told apart by their order.

    Args:
        longest: The most letters; ``None`` means any number.
        strange: Letters that the provider does not take.
    """

    def __init__(self, longest: int | None = 64, strange: re.Pattern[str] | None = None) -> None:
        self._longest = longest
        self._strange = strange
        self._waiting: dict[str, deque[str]] = {}
        self._answered: dict[str, str] = {}
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}

    def new(self, call_id: str) -> str:
        """Give the identifier of a call."""
        plain = name = self._plain(call_id)
        number = self._numbers.get(plain, 1)
        while name in self._used:
            number += 1
            end = f"_{number}"
            name = f"{plain if self._longest is None else plain[: self._longest - len(end)]}{end}"
        self._numbers[plain] = number
        self._used.add(name)
        self._waiting.setdefault(call_id, deque()).append(name)
        return name

    def current(self, call_id: str) -> str:
        """Give the identifier of the call that a result answers: the first that waits for one."""
        waiting = self._waiting.get(call_id)
        if waiting:
            self._answered[call_id] = waiting.popleft()
        return self._answered.get(call_id) or self._plain(call_id)

    def _plain(self, call_id: str) -> str:
        if self._strange is not None:
            call_id = self._strange.sub("_", call_id)
        return call_id[: self._longest] or "call"
