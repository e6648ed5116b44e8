"""Every error that the library raises, under one root."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import attrs

if TYPE_CHECKING:
    from trio_llm.chat import Attempt, Message, Reply, ToolCall


class LLMError(Exception):
    """The root of all errors of this library."""

    attempts: "tuple[Attempt, ...]" = ()
    """One record per physical attempt of the call that failed."""

    call_number: int | None = None
    """The number of the call that failed, as the events of its runtime have it."""


@attrs.frozen
class Blame:
    """What an error means for the provider and for the call.

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


class ConfigError(LLMError):
    """A configuration that cannot be used; it lists every fault with its path.

    Attributes:
        faults: One sentence per fault, each starting with the place.
        source: Where the configuration came from.
    """

    def __init__(self, faults: Sequence[str], source: str = "configuration") -> None:
        self.faults = tuple(faults)
        self.source = source
        many = f"{len(self.faults)} faults" if len(self.faults) != 1 else "1 fault"
        lines = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"{source}: {many}{lines}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.faults, self.source)


class RuntimeClosedError(LLMError):
    """The runtime is being closed, or has been, and takes no new configuration."""


class BudgetExceededError(LLMError):
    """A budget has no room for what the call is expected to cost; nothing was sent.

    Attributes:
        message: What happened, in words.
        budget: The name of the budget.
        account: Whose it is, where each has its own: the name of the provider, the model
            or the user; empty for a budget of the whole runtime.
        limit: What may be spent in the period, in US dollars.
        spent: What has been, and what is set aside for calls under way.
        expected: What the attempt may cost; ``None`` where its price is not known.
        retry_after: Seconds until the next period begins; ``None`` if there is none.
        falls_through: Whether a balancer goes on to members that cost less.
    """

    def __init__(
        self,
        message: str,
        *,
        budget: str,
        account: str = "",
        limit: Decimal,
        spent: Decimal,
        expected: Decimal | None = None,
        retry_after: float | None = None,
        falls_through: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.budget = budget
        self.account = account
        self.limit = limit
        self.spent = spent
        self.expected = expected
        self.retry_after = retry_after
        self.falls_through = falls_through

    def __reduce__(self) -> tuple[Any, ...]:
        return _plain, (type(self), self.args), self.__dict__.copy()


class StoreError(LLMError):
    """What is kept on disk cannot be read or written; the error names the file and the remedy."""


class ProviderError(LLMError):
    """One provider did not give a usable answer.

    Attributes:
        message: What happened, in words; never contains a secret.
        provider: The provider's name in the configuration.
        model: The model that was asked.
        status: The HTTP status, if one arrived.
        code: The provider's own error code.
        request_id: The provider's identifier of the request, for its support.
        retry_after: Seconds to wait, if the provider said so.
        phase: Where it happened: ``connect``, ``first_token``, ``idle``,
            ``total``, ``response``, ``stream``, ...
        elapsed: Seconds from the start of the attempt to the failure.
        blame: What follows from it, where the configuration of its provider says
            otherwise than the table in `trio_llm.policy.blame`.
    """

    blame: Blame | None = None

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        phase: str | None = None,
        elapsed: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.model = model
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.phase = phase
        self.elapsed = elapsed

    def __str__(self) -> str:
        where = f"{self.provider}: " if self.provider else ""
        facts = [
            text
            for text in (
                f"HTTP {self.status}" if self.status is not None else "",
                f"code {self.code}" if self.code else "",
                f"request {self.request_id}" if self.request_id else "",
                f"retry after {self.retry_after:g} s" if self.retry_after is not None else "",
            )
            if text
        ]
        return f"{where}{self.message}" + (f" ({', '.join(facts)})" if facts else "")

    def copy(self) -> Self:
        """Give an equal error without traceback, to be raised in another task.

        One exception object raised by several callers would grow its traceback.
        """
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(facts_of(self))
        twin.__cause__ = self.__cause__
        twin.__suppress_context__ = self.__suppress_context__
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message,), self.__dict__.copy()


class AuthenticationError(ProviderError):
    """The key is missing, wrong or expired."""


class PermissionDeniedError(ProviderError):
    """The key is good but may not do this."""


class RateLimitError(ProviderError):
    """Too many requests or tokens for now; waiting helps."""


class QuotaExceededError(ProviderError):
    """The money or the allowance is used up; waiting does not help."""


class ModelNotFoundError(ProviderError):
    """The provider does not serve this model."""


class ContextLengthError(ProviderError):
    """The conversation is longer than the model can read."""


class ContentFilterError(ProviderError):
    """The provider refused the content."""


class InvalidRequestError(ProviderError):
    """The provider, or the dialect, cannot accept this request as it is."""


class UnsupportedError(InvalidRequestError):
    """This provider's interface has no form for a part of the request; another's may.

    Nothing was sent, or the server itself said that it takes no such part. A balancer
    goes on to its next member.
    """


class OverloadedError(ProviderError):
    """The provider is out of capacity; its fault, not the caller's rate."""


class ServerError(ProviderError):
    """The provider failed inside."""


class ProviderTimeoutError(ProviderError):
    """A configured limit of time passed; `phase` says which."""


class ConnectionFailedError(ProviderError):
    """No connection, or one that broke before the answer began."""


class StaleConnectionError(ConnectionFailedError):
    """A connection used before had ended before any byte of the response came.

    The upstream closed it while it was idle, as it may at any time, so the
    request can be sent once more, on a fresh connection. Whoever owns the
    attempts does that, and counts it.
    """


class MalformedResponseError(ProviderError):
    """The provider's bytes are not an answer in its dialect."""


class StreamInterruptedError(ProviderError):
    """A stream broke after it had begun.

    Attributes:
        partial_text: The text that had arrived.
    """

    def __init__(self, message: str, *, partial_text: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.partial_text = partial_text


class ProviderCrashedError(ProviderError):
    """The code that serves the provider raised, or was stopped, before it answered."""


class ProviderUnavailableError(ProviderError):
    """The provider cannot take the call now; no attempt was made.

    `code` says why: ``busy``, ``cooling``, ``probing`` (one request tries whether it works
    again), ``rate_limited``, ``starting``, ``restarting``, ``draining``, ``down``,
    ``mailbox_full``, ``unsuitable``, ``context_length``, ``attempts_spent``,
    ``unselected`` (the user's own selection left it out), or ``quorum`` (a consensus
    had too few answers).
    """


class StructuredOutputError(LLMError):
    """An answer did not have the shape that was asked for, after the repair if there was one.

    Attributes:
        message: What is wrong, in words.
        reason: ``invalid``, ``truncated`` (cut at the limit on output tokens),
            ``filtered`` (cut by the provider's filter), or ``tool_calls`` (the model
            called a tool in place of answering).
        faults: One sentence per fault, each starting with its path.
        text: The answer.
        reply: The whole reply.
    """

    def __init__(
        self, message: str, *, reason: str, faults: Sequence[str], text: str, reply: "Reply"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.faults = tuple(faults)
        self.text = text
        self.reply = reply

    def __str__(self) -> str:
        return self.message + "".join(f"\n  - {fault}" for fault in self.faults)

    def __reduce__(self) -> tuple[Any, ...]:
        return _plain, (type(self), self.args), self.__dict__.copy()


class ToolCallError(LLMError):
    """A model called a tool that there is not, or with arguments that do not fit.

    Attributes:
        message: What is wrong, in words.
        call: The call.
        faults: One sentence per fault, each starting with its path.
    """

    def __init__(self, message: str, *, call: "ToolCall", faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.call = call
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return self.message + "".join(f"\n  - {fault}" for fault in self.faults)

    def __reduce__(self) -> tuple[Any, ...]:
        return _plain, (type(self), self.args), self.__dict__.copy()


class ToolRoundsExceededError(LLMError):
    """A model still asked for tools when its rounds were used up.

    Attributes:
        rounds: How many times it was asked.
        messages: The conversation up to the last results; asking with it goes on.
        reply: The last reply, whose calls were not run.
    """

    def __init__(
        self, message: str, *, rounds: int, messages: "Sequence[Message]", reply: "Reply"
    ) -> None:
        super().__init__(message)
        self.rounds = rounds
        self.messages = tuple(messages)
        self.reply = reply

    def __reduce__(self) -> tuple[Any, ...]:
        return _plain, (type(self), self.args), self.__dict__.copy()


def facts_of(error: LLMError) -> dict[str, Any]:
    """Give what an error carries, for another one: a note that is added to it is its own."""
    facts = error.__dict__.copy()
    if "__notes__" in facts:
        facts["__notes__"] = list(facts["__notes__"])
    return facts


def _plain(cls: type[LLMError], args: tuple[Any, ...]) -> LLMError:
    """Make an error again whose facts follow, for pickle."""
    return cls.__new__(cls, *args)


class AllProvidersFailed(LLMError, ExceptionGroup[LLMError]):  # noqa: N818 - a fixed public name
    """Every member of a balancer failed.

    An exception group in the shape of the call tree: each member is a
    `ProviderError`, or again an `AllProvidersFailed` for a nested balancer.
    ``except*`` finds single classes in it.

    Attributes:
        balancer: The name of the balancer.
    """

    balancer: str

    def __new__(  # noqa: D102 - see the class
        cls, message: str, exceptions: Sequence[LLMError], balancer: str = ""
    ) -> Self:
        self = super().__new__(cls, message, exceptions)
        self.balancer = balancer
        return self

    def __init__(
        self,
        message: str,
        exceptions: Sequence[LLMError],
        balancer: str = "",  # noqa: ARG002 - taken by __new__
    ) -> None:
        super().__init__(message, exceptions)

    def derive(self, excs: Sequence[LLMError]) -> "AllProvidersFailed":  # type: ignore[override]
        """Make a group of the same kind with other members, for ``split`` and ``except*``."""
        twin = AllProvidersFailed(self.message, excs, self.balancer)
        twin.attempts = self.attempts
        return twin

    @property
    def for_want_of_money(self) -> "BudgetExceededError | None":
        """The error of a budget, if nothing but budgets kept the members back.

        One that ends the call goes before one that lets a balancer go on, else the first.
        """
        budgets = [error for error in self.leaves if isinstance(error, BudgetExceededError)]
        if len(budgets) < len(self.leaves):
            return None
        return min(budgets, key=lambda error: error.falls_through, default=None)

    @property
    def errors(self) -> tuple[ProviderError, ...]:
        """The single errors of providers in the whole tree, in declared order."""
        return tuple([error for error in self.leaves if isinstance(error, ProviderError)])

    @property
    def leaves(self) -> tuple[LLMError, ...]:
        """All single errors in the whole tree, those of budgets, too, in declared order."""
        found: list[LLMError] = []
        for error in self.exceptions:
            if isinstance(error, AllProvidersFailed):
                found += error.leaves
            elif isinstance(error, LLMError):
                found.append(error)
        return tuple(found)

    @property
    def retry_after(self) -> float | None:
        """The shortest wait, in seconds, that any provider asked for."""
        waits = [error.retry_after for error in self.errors if error.retry_after is not None]
        return min(waits, default=None)

    def __str__(self) -> str:
        causes = "; ".join(str(error) for error in self.leaves)
        return f"{self.message}: {causes}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.exceptions, self.balancer), self.__dict__.copy()
