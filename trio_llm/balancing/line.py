"""The waiting room of a balancer: how many of its calls stand in its members' lines."""

import attrs

from trio_llm.actors import Releasable
from trio_llm.providers.lease import Lease, Refusal


@attrs.define(eq=False)
class WaitingRoom:
    """Counts the calls of one balancer that wait for a place.

    Args:
        limit: How many may wait at once.
    """

    limit: int
    _leases: list[Lease] = attrs.field(factory=list[Lease], init=False)

    def refusal(self) -> Refusal | None:
        """Say that nobody more may wait, if that is so."""
        self._leases = [lease for lease in self._leases if lease.waiting]
        if len(self._leases) < self.limit:
            return None
        return Refusal("mailbox_full", f"{len(self._leases)} of its calls already wait")

    def enter(self, lease: Releasable) -> None:
        """Count a lease, if it is a place in a line and not yet one at a provider."""
        if isinstance(lease, Lease) and lease.waiting:
            self._leases.append(lease)
