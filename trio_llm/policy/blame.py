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
ContextLengthError           no       no      no            no
ContentFilterError           no       no      no            no
===========================  =======  ======  ============  =====
"""

import attrs

from trio_llm.errors import (
    AuthenticationError,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderCrashedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)


@attrs.frozen
class Blame:
    """What an error class means for the provider and for the call.

    Attributes:
        charges: It counts against the provider's health.
        cools: It starts a cooldown at once, not only after several.
        falls_through: A balancer tries its next member.
        retries: The same provider may be asked again.
    """

    charges: bool
    cools: bool
    falls_through: bool
    retries: bool


_TABLE: dict[type[BaseException], Blame] = {
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
    ContextLengthError: Blame(charges=False, cools=False, falls_through=False, retries=False),
    ContentFilterError: Blame(charges=False, cools=False, falls_through=False, retries=False),
}

_UNKNOWN = Blame(charges=True, cools=False, falls_through=True, retries=False)


def blame_for(error: BaseException) -> Blame:
    """Look an error's class up in the table, or the nearest of its bases."""
    for cls in type(error).__mro__:
        if cls in _TABLE:
            return _TABLE[cls]
    return _UNKNOWN
