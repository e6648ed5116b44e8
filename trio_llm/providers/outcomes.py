"""How an exchange ended, told to all that judge the provider by it.

Every exchange comes here once, whether it was a caller's or a probe: as a success, as a
failure, or as given up.
"""

import math

import attrs

from trio_llm.chat import AnyResult, TokenCount
from trio_llm.errors import ProviderError
from trio_llm.policy import BreakerState
from trio_llm.providers.gate import Gate
from trio_llm.providers.lease import Lease
from trio_llm.providers.rates import used_by_failure, used_by_success
from trio_llm.providers.succession import pass_on


@attrs.define(eq=False)
class Outcomes:
    """Settles what an exchange was given, and lets the next ones begin.

    Attributes:
        gate: Where its lease comes from.
        last_answer: When a caller's request was last answered, on Trio's clock.
    """

    gate: Gate
    last_answer: float = attrs.field(default=-math.inf, init=False)

    def succeeded(self, lease: Lease, result: AnyResult, now: float) -> None:
        """Note an answer."""
        gate = self.gate
        permit, lease.permit = lease.permit, None
        if type(result) is TokenCount and not result.exact:
            # Nobody was asked: an estimate says nothing of the provider's health.
            if permit is not None:
                gate.circuit.abandoned(permit)
            self._settle(lease, now, None)
        else:
            if permit is not None:
                gate.circuit.succeeded(permit, now)
            elif gate.circuit.state(now) is not BreakerState.CLOSED:
                gate.circuit.revived(now, "its key was accepted")
            if lease.booking is not None:
                self._settle(lease, now, used_by_success(result.usage, lease.tokens))
        gate.advance_all(now)

    def failed(
        self,
        lease: Lease,
        error: ProviderError,
        now: float,
        *,
        key: str,
        call: int | None = None,
        known: float = 0.0,
    ) -> None:
        """Note a failure.

        Args:
            lease: What the exchange was given.
            error: The failure, complete.
            now: The present instant.
            key: What tells this exchange from all others, for the jitter of a rest.
            call: The number of the call, for the records.
            known: The tokens that it is known to have used, if it used any.
        """
        gate = self.gate
        permit = lease.permit
        if permit is not None and gate.circuit.failed(permit, error, now, key=key, call=call):
            lease.permit = None
            pass_on(gate, now)
        self._settle(lease, now, used_by_failure(error, known))
        gate.advance_all(now)

    def given_up(self, lease: Lease, now: float, known: float) -> None:
        """Note that it was cancelled; the server may go on with it for a while."""
        lease.cut = True
        self._settle(lease, now, known)

    def _settle(self, lease: Lease, now: float, tokens: float | None) -> None:
        booking = lease.booking
        if booking is not None:
            lease.booking = None
            self.gate.rates.settle(booking, now, tokens)
