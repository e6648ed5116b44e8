"""A string that is never shown."""

import hmac
from typing import Final, NoReturn, final

_MASK: Final = "********"


@final
class Secret:
    """An API key in a wrapper that no repr, log or traceback opens.

    Two secrets are equal when they hold the same string. They cannot be pickled,
    so that a key does not leave the process by accident.

    Args:
        value: The key itself.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the key itself, to be put into a request and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({_MASK!r})"

    def __str__(self) -> str:
        return _MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"),
            other._value.encode("utf-8", "surrogatepass"),
        )

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        msg = "a Secret cannot be pickled: keep the key in an environment variable instead"
        raise TypeError(msg)
