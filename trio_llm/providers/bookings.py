"""What one provider's attempts are booked with: whose they are, and what they cost.

What is not charged by the provider in so many words is its tokens times the price. Where
the tokens are not known either, they are estimated: for an answer without a count as a
whole, for an attempt that was cut off by what is known to have gone to and fro.
"""

from decimal import Decimal
from typing import Final

import attrs

from trio_llm.chat import (
    NOTHING,
    AnyRequest,
    AnyResult,
    Certainty,
    Completion,
    Cost,
    EmbedRequest,
    ModerateRequest,
    Price,
    Request,
    Subject,
    Usage,
    operation_of,
)
from trio_llm.chat.cost import PICO, rounded
from trio_llm.errors import BudgetExceededError, ProviderError
from trio_llm.ledger import Accounts, Entry
from trio_llm.policy.costing import cost_of, estimated
from trio_llm.providers.estimate import BYTES_PER_TOKEN, size_of
from trio_llm.providers.lease import Estimate, Refusal
from trio_llm.providers.pricing import Pricing, input_tokens
from trio_llm.providers.rates import used_by_failure

_SUBJECTS: Final = 256
"""Of so many models and users the subject is remembered."""

_BILLED: Final = (Request, EmbedRequest, ModerateRequest)


@attrs.define(eq=False)
class Bookings:
    """Opens an entry for each attempt at one provider, and closes it.

    Args:
        provider: The provider's name.
        kind: Its kind.
        pricing: What its models cost.
        accounts: Where everything is booked.
    """

    provider: str
    kind: str
    pricing: Pricing
    accounts: Accounts
    _subjects: dict[tuple[str, str, type[AnyRequest]], Subject] = attrs.field(
        factory=dict[tuple[str, str, "type[AnyRequest]"], Subject], init=False
    )

    def subject(self, request: AnyRequest, model: str) -> Subject:
        """Tell whose attempt it is."""
        tags, user = request.tags, getattr(request, "user", None) or ""
        if tags:
            labels = tuple(sorted(tags.items()))
            return Subject(self.provider, self.kind, model, user, operation_of(request), labels)
        what = (model, user, type(request))
        known = self._subjects.get(what)  # most often it is the same again
        if known is None:
            if len(self._subjects) >= _SUBJECTS:
                self._subjects.clear()
            known = Subject(self.provider, self.kind, model, user, operation_of(request))
            self._subjects[what] = known
        return known

    def estimate(self, request: AnyRequest, model: str) -> Estimate:
        """Estimate what an attempt will cost, and say whom."""
        return Estimate(self.subject(request, model), self.expected(request, model))

    def obstacle(self, estimate: Estimate) -> Refusal | None:
        """Say that the budgets have no room for an attempt; books nothing."""
        error = self.accounts.obstacle(estimate.subject, estimate.expected)
        return None if error is None else Refusal.by_budget(error)

    def opened(
        self,
        call: int,
        path: tuple[str, ...],
        request: AnyRequest,
        model: str,
        estimate: Estimate | None = None,
    ) -> Entry | BudgetExceededError:
        """Open an entry for an attempt that is about to begin.

        Args:
            call: The number of its call.
            path: The way to the provider.
            request: What is asked.
            model: Which model is asked.
            estimate: What was estimated just before; ``None`` means that nothing was.
        """
        accounts = self.accounts
        if not accounts.budgeted:
            return accounts.open(self.subject(request, model), call, path, None)
        if estimate is None:
            estimate = self.estimate(request, model)
        return accounts.open(estimate.subject, call, path, estimate.expected)

    def probe(self, request: AnyRequest, model: str) -> Entry:
        """Open an entry for a probe, which no budget keeps back."""
        return Entry(attrs.evolve(self.subject(request, model), operation="probe"), 0)

    async def secured(self, entry: Entry) -> None:
        """Wait until what is set aside is on disk; no checkpoint where nothing has to be."""
        if entry.reserved:
            await self.accounts.secured(entry)

    def release(self, entry: Entry) -> None:
        """Give back what was set aside, if the attempt was not made."""
        if entry.open:
            self.accounts.release(entry)

    def expected(self, request: AnyRequest, model: str) -> Decimal | None:
        """Estimate what an attempt will cost; ``None`` where the price is not known.

        Without a price it is what the provider itself charged for such attempts of late.
        """
        if not isinstance(request, _BILLED):
            return NOTHING.amount
        price = self.pricing.price(model)
        if price is None:
            return self.pricing.charged(model)
        if price.free:
            return NOTHING.amount
        output = round(self.pricing.output_tokens(request))
        return max(PICO, estimated(price, _read(request), output))

    # How an attempt ended; each gives what was booked.

    def succeeded(
        self,
        entry: Entry,
        path: tuple[str, ...],
        request: AnyRequest,
        result: AnyResult,
        latency: float,
    ) -> Cost | None:
        """Close the entry of an attempt that gave an answer."""
        cost = self._paid(entry, request, result)
        self.accounts.close(entry, "succeeded", result.usage, cost, latency, path)
        return cost

    def failed(
        self,
        entry: Entry,
        path: tuple[str, ...],
        request: AnyRequest,
        error: ProviderError,
        latency: float,
        written: int,
    ) -> Cost | None:
        """Close the entry of an attempt that failed, after so many letters of an answer.

        What a server refuses, or never got, costs nothing.
        """
        worked = used_by_failure(error, 1.0)
        cost = self._begun(entry, request, written) if worked else NOTHING
        self.accounts.close(entry, "failed", None, cost, latency, path)
        return cost

    def given_up(
        self,
        entry: Entry,
        path: tuple[str, ...],
        request: AnyRequest,
        latency: float,
        written: int,
    ) -> Cost | None:
        """Close the entry of an attempt that was cancelled, after so many letters."""
        cost = self._begun(entry, request, written)
        self.accounts.close(entry, "cancelled", None, cost, latency, path)
        return cost

    def _paid(self, entry: Entry, request: AnyRequest, result: AnyResult) -> Cost | None:
        if result.charged is not None:
            self.pricing.was_charged(entry.subject.model, result.charged)
            return Cost(rounded(result.charged), result.certainty)
        if not isinstance(request, _BILLED):
            return NOTHING
        price = self._price(entry, result)
        if price is None:
            return None
        if price.free:
            return NOTHING
        if result.usage is not None:
            return cost_of(price, result.usage)
        letters = size_of(result.message.text) if isinstance(result, Completion) else 0.0
        used = Usage(_read(request), round(letters / BYTES_PER_TOKEN))
        return Cost(cost_of(price, used).amount, Certainty.ESTIMATED)

    def _price(self, entry: Entry, result: AnyResult) -> Price | None:
        """Give the price of the model that was asked for, or of the one that answered."""
        price = self.pricing.price(entry.subject.model)
        if price is None and result.model is not None and result.model != entry.subject.model:
            price = self.pricing.price(result.model)
        return price

    def _begun(self, entry: Entry, request: AnyRequest, written: int) -> Cost | None:
        """Give what an attempt cost at least that was cut off."""
        if not isinstance(request, _BILLED):
            return NOTHING
        price = self.pricing.price(entry.subject.model)
        if price is None:
            return None
        if price.free:
            return NOTHING
        tokens = round(written / BYTES_PER_TOKEN)
        return Cost(estimated(price, _read(request), tokens), Certainty.AT_LEAST)


def _read(request: AnyRequest) -> int:
    """Estimate the input tokens of a request."""
    if isinstance(request, (EmbedRequest, ModerateRequest)):  # a union would be made anew each time
        return round(sum(size_of(text) for text in request.texts) / BYTES_PER_TOKEN)
    return round(input_tokens(request))
