"""Which errors are whose fault, and what follows from it: one table.

===========================  =======  ======  ============  =====
error                        charges  cools   falls         retry
                             health   at once through       same
===========================  =======  ======  ============  =====
RateLimitError               no       yes     yes           yes
OverloadedError              yes      no      yes           yes
ServerError                  yes      no      yes           yes
ProviderTimeoutError         yes      no      yes           no
ConnectionFailedError        yes      no      yes           yes
MalformedResponseError       yes      no      yes           no
StreamInterruptedError       yes      no      yes           no
ProviderCrashedError         yes      no      yes           no
AuthenticationError          yes      no      yes           no
PermissionDeniedError        yes      no      yes           no
QuotaExceededError           yes      yes     yes           no
ModelNotFoundError           no       no      yes           no
ProviderUnavailableError     no       no      yes           no
InvalidRequestError          no       no      no            no
UnsupportedError             no       no      yes           no
ContextLengthError           no       no      no            no
ContentFilterError           no       no      no            no
===========================  =======  ======  ============  =====

A provider may have rows of its own: ``errors`` in its configuration. What an error
of it then means is written on the error (`ProviderError.blame`), so that every
balancer above it sees the same. A `StaleConnectionError` goes by the row of
`ConnectionFailedError`, except that it is never charged: it says nothing of health.

A `BudgetExceededError` is nobody's fault, and no attempt was made; whether it falls through
its budget says (`Budget.on_limit`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from trio_llm.errors import (
    AllProvidersFailed,
    AuthenticationError,
    Blame,
    BudgetExceededError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderCrashedError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    UnsupportedError,
)

_TABLE: Final[dict[type[BaseException], Blame]] = {
    RateLimitError: Blame(charges=False, cools=True, falls_through=True, retries=True),
    OverloadedError: Blame(charges=True, cools=False, falls_through=True, retries=True),
    ServerError: Blame(charges=True, cools=False, falls_through=True, retries=True),
    ProviderTimeoutError: Blame(charges=True, cools=False, falls_through=True, retries=False),
    ConnectionFailedError: Blame(charges=True, cools=False, falls_through=True, retries=True),
    MalformedResponseError: Blame(charges=True, cools=False, falls_through=True, retries=False),
    StreamInterruptedError: Blame(charges=True, cools=False, falls_through=True, retries=False),
    ProviderCrashedError: Blame(charges=True, cools=False, falls_through=True, retries=False),
    AuthenticationError: Blame(charges=True, cools=False, falls_through=True, retries=False),
    PermissionDeniedError: Blame(charges=True, cools=False, falls_through=True, retries=False),
    QuotaExceededError: Blame(charges=True, cools=True, falls_through=True, retries=False),
    ModelNotFoundError: Blame(charges=False, cools=False, falls_through=True, retries=False),
    ProviderUnavailableError: Blame(charges=False, cools=False, falls_through=True, retries=False),
    InvalidRequestError: Blame(charges=False, cools=False, falls_through=False, retries=False),
    UnsupportedError: Blame(charges=False, cools=False, falls_through=True, retries=False),
    ContextLengthError: Blame(charges=False, cools=False, falls_through=False, retries=False),
    ContentFilterError: Blame(charges=False, cools=False, falls_through=False, retries=False),
}

_BUDGET: Final = {
    falls_through: Blame(charges=False, cools=False, falls_through=falls_through, retries=False)
    for falls_through in (False, True)
}
"""What follows from a `BudgetExceededError`: its budget says whether others are asked."""

_UNKNOWN = Blame(charges=True, cools=False, falls_through=True, retries=False)


CONFIGURABLE: Final[Mapping[str, type[ProviderError]]] = MappingProxyType(
    {
        cls.__name__: cls
        for cls in _TABLE
        if issubclass(cls, ProviderError) and cls is not ProviderUnavailableError
    }
)
"""The rows that the configuration of a provider may change, by name.

All but `ProviderUnavailableError`: there was no attempt, so the provider has done
nothing that anybody could judge otherwise.
"""


def blame_for(error: BaseException) -> Blame:
    """Give what follows from an error.

    The configuration of its provider has the first word, then the row of its class,
    or of the nearest of its bases.
    """
    if isinstance(error, ProviderError) and error.blame is not None:
        return error.blame
    if isinstance(error, BudgetExceededError):
        return _BUDGET[error.falls_through]
    for cls in type(error).__mro__:
        if cls in _TABLE:
            return _TABLE[cls]
    return _UNKNOWN


def is_fault(error: BaseException) -> bool:
    """Whether an error says something of the one that was asked, and not of the request."""
    if isinstance(error, AllProvidersFailed):
        return any(is_fault(leaf) for leaf in error.errors)
    blame = blame_for(error)
    return blame.charges or blame.cools


def row_of(name: str) -> Blame:
    """Give the row of a class in the table, by the name of the class.

    Raises:
        KeyError: It has none that a configuration may change.
    """
    return _TABLE[CONFIGURABLE[name]]


def own_blame(error: ProviderError, own: Mapping[type[ProviderError], Blame]) -> Blame | None:
    """Give what one provider's own rows say of an error; ``None`` if nothing.

    A row of the general table for a nearer base goes before an own row for a farther.
    """
    for cls in type(error).__mro__:
        if cls in own:
            return own[cls]
        if cls in _TABLE:
            return None
    return None
