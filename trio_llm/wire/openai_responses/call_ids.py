"""Identifiers of tool calls as the provider accepts them."""

_LONGEST = 64


class CallIds:
    """Identifiers of at most 64 characters, each used by one call of a conversation.

    Those that other providers made can be longer, and those that were made up for
    a dialect without any repeat from turn to turn.
    """

    def __init__(self) -> None:
        self._current: dict[str, str] = {}
        self._used: set[str] = set()

    def new(self, call_id: str) -> str:
        """Give the identifier of a call."""
        name = call_id[:_LONGEST] or "call"
        number = 1
        while name in self._used:
            number += 1
            end = f"_{number}"
            name = f"{call_id[: _LONGEST - len(end)]}{end}"
        self._used.add(name)
        self._current[call_id] = name
        return name

    def current(self, call_id: str) -> str:
        """Give the identifier of the latest call that has this one."""
        return self._current.get(call_id) or call_id[:_LONGEST] or "call"
