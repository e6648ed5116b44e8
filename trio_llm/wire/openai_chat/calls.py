"""Identifiers of tool calls, as the provider at hand accepts them."""

import hashlib
import re

_MOST_LETTERS = 40
"""What OpenAI takes at most: "Expected a string with maximum length 40"."""


class CallNames:
    """Gives each call of one conversation an identifier, and its results the same one.

    Where the provider takes any identifier, only those that are too long change.
    Where it wants an exact length, every identifier that does not fit is replaced,
    by the same one each time the conversation is sent, so that the provider's cache
    of the prompt still fits; and none is used twice, though dialects without
    identifiers make up the same ones in every turn.

    Args:
        length: The exact length, in letters and digits; ``None`` means any.
    """

    def __init__(self, length: int | None) -> None:
        self._length = length
        self._fits = re.compile(rf"[a-zA-Z0-9]{{{length}}}") if length else None
        self._current: dict[str, str] = {}
        self._used: set[str] = set()
        self._times: dict[str, int] = {}

    def new(self, call_id: str) -> str:
        """Give the identifier of a call."""
        name = self._name(call_id)
        self._used.add(name)
        self._times[call_id] = self._times.get(call_id, 0) + 1
        self._current[call_id] = name
        return name

    def current(self, call_id: str) -> str:
        """Give the identifier of the latest call that has this one."""
        return self._current.get(call_id) or self._name(call_id)

    def _name(self, call_id: str) -> str:
        if self._length is None or self._fits is None:
            return call_id if len(call_id) <= _MOST_LETTERS else f"call_{_digest(call_id, 24)}"
        name = call_id if self._fits.fullmatch(call_id) else _digest(call_id, self._length)
        number = self._times.get(call_id, 0)
        while name in self._used:
            number += 1
            name = _digest(f"{call_id} {number}", self._length)
        return name


def _digest(text: str, length: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:length]
