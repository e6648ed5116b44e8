"""What a provider serves: its models, abilities and limits."""

from collections.abc import Mapping
from typing import Final

import attrs

from trio_llm.chat import (
    OPERATIONS,
    AnyRequest,
    Capability,
    EmbedRequest,
    Operation,
    Request,
    model_family,
)
from trio_llm.errors import InvalidRequestError, ProviderError
from trio_llm.policy.retry import RetryRule
from trio_llm.providers.lease import Refusal
from trio_llm.providers.pricing import input_tokens


@attrs.frozen
class BatchLimits:
    """How much a provider takes in one request of an operation on texts.

    Attributes:
        texts: Texts.
        tokens: Tokens of all texts together; ``None`` means no limit.
    """

    texts: int
    tokens: int | None = None

    def within(self, other: "BatchLimits") -> "BatchLimits":
        """Give what both allow."""
        if self.tokens is None or other.tokens is None:
            tokens = self.tokens or other.tokens
        else:
            tokens = min(self.tokens, other.tokens)
        return BatchLimits(min(self.texts, other.texts), tokens)


UNDOCUMENTED: Final = BatchLimits(32)
"""What is sent at once to a provider of which nothing is known."""

MARGIN: Final = 1.1
"""By how much an estimate may exceed a context window; so much may it be wrong."""

_ANYTHING: Final = frozenset(
    {
        Capability.CHAT,
        Capability.TOOLS,
        Capability.VISION,
        Capability.AUDIO_INPUT,
        Capability.FILE_INPUT,
    }
)
"""All that a request can need, see `Request.needs`."""


@attrs.frozen(kw_only=True)
class ProviderLimits:
    """What a provider actor is allowed; seconds and tokens.

    Attributes:
        model: The model used when the request names none.
        models: The models it declares to serve; empty means it does not say.
        capabilities: What it can do.
        operations: What it does besides answering requests.
        operation_models: The models for those that are not done by `model`.
        batches: How many texts an operation takes in one request.
        continues: Whether it goes on with an answer that ends the conversation.
        max_tokens: Upper limit on output tokens of any request.
        stop: How many stop strings it takes; ``None`` means any number.
        context_window: Tokens that its model reads and writes at most; ``None`` where
            that is not known.
        retry: How often it is asked again after a failure that may pass. A wait that the
            provider asks for is kept to the letter, up to `LONGEST_RETRY_AFTER` or the
            longest pause, if that is longer.
        retries: Where that differs, by the class of the error.
    """

    model: str | None = None
    models: frozenset[str] = frozenset()
    capabilities: frozenset[Capability] = _ANYTHING
    operations: frozenset[type[Operation]] = frozenset()
    operation_models: Mapping[type[Operation], str] = attrs.field(
        factory=dict[type[Operation], str]
    )
    batches: Mapping[type[Operation], BatchLimits] = attrs.field(
        factory=dict[type[Operation], BatchLimits]
    )
    continues: bool = False
    max_tokens: int | None = None
    stop: int | None = None
    context_window: int | None = None
    retry: RetryRule = attrs.field(factory=RetryRule)
    retries: Mapping[type[ProviderError], RetryRule] = attrs.field(
        factory=dict[type[ProviderError], RetryRule]
    )

    def serves(self, model: str) -> bool | None:
        """Whether it serves a model; ``None`` when it does not declare its models."""
        if model == self.model or model in self.models:
            return True
        if model in self.operation_models.values():
            return True
        return False if self.models else None

    def offers(self, capability: Capability) -> bool:
        """Whether it has a capability; one that an operation is for, if it does that."""
        if capability not in self.capabilities:
            return False
        meant = [kind for kind in OPERATIONS if capability in kind.needs]
        return not meant or any(kind in self.operations for kind in meant)

    def unsuitable(self, request: AnyRequest) -> Refusal | None:
        """Say why it cannot serve a request at all, if it cannot."""
        if not isinstance(request, Request):
            return self._unable(request)
        if not self.capabilities >= _ANYTHING:
            missing = sorted(need.value for need in request.needs - self.capabilities)
            if missing:
                return Refusal("unsuitable", f"it does not offer {', '.join(missing)}")
        if request.continuation and not self.continues:
            return Refusal("unsuitable", "it cannot go on with an answer that has begun")
        if self.stop is not None and len(request.stop) > self.stop:
            return Refusal("unsuitable", f"it takes at most {self.stop} stop strings")
        return None if self.context_window is None else self._too_long(request)

    def _too_long(self, request: Request) -> Refusal | None:
        """Say that a request does not fit into the context window, by estimate."""
        window = self.context_window or 0
        output = request.max_tokens or 0
        if self.max_tokens is not None:
            output = min(output, self.max_tokens)
        needed = round(input_tokens(request)) + output
        if needed <= window * MARGIN:
            return None
        answer = f", {output} of them for the answer," if output else ""
        return Refusal(
            "context_length",
            f"the request needs about {needed} tokens{answer} by estimate, and its context "
            f"window has {window}",
        )

    def _unable(self, operation: Operation) -> Refusal | None:
        if type(operation) not in self.operations:
            return Refusal("unsuitable", f"it does not offer {operation.what}")
        if isinstance(operation, EmbedRequest) and operation.family is not None:
            model = self.model_for(operation)
            if model is not None and model_family(model) != operation.family:
                return Refusal(
                    "unsuitable",
                    f"it embeds with {model}, whose vectors cannot stand beside those of "
                    f"{operation.family}",
                )
        return None

    def model_for(self, operation: Operation) -> str | None:
        """Give the model that does an operation."""
        return operation.model or self.operation_models.get(type(operation), self.model)

    def embedding_family(self, request: EmbedRequest) -> str | None:
        """Give the family of the vectors that it would give; ``None`` if it gives none."""
        if EmbedRequest not in self.operations:
            return None
        model = self.model_for(request)
        return None if model is None else model_family(model)

    def batch_limits(self, operation: Operation) -> BatchLimits | None:
        """Say how much of an operation it takes at once; ``None`` if it does not do it."""
        if self.unsuitable(operation) is not None:
            return None
        return self.batches.get(type(operation), UNDOCUMENTED)

    def fit(self, request: AnyRequest, provider: str) -> tuple[AnyRequest, str]:
        """Apply the provider's own limits to a request; give it, and the model to ask.

        Raises:
            InvalidRequestError: No model is named anywhere.
        """
        if not isinstance(request, Request):
            model = self.model_for(request) or ""
            if request.needs_model and not model:
                raise InvalidRequestError(
                    f"no model is named for {request.what}: name one in the call or in the "
                    "configuration",
                    provider=provider,
                )
            return request, model
        model = request.model or self.model or ""
        if not model:
            raise InvalidRequestError(
                "no model is named: set `model` in the configuration or in the call",
                provider=provider,
            )
        cap = self.max_tokens
        if cap is not None and (request.max_tokens is None or request.max_tokens > cap):
            request = attrs.evolve(request, max_tokens=cap)
        return request, model
