"""What a balancer, or the runtime, sees of a provider or of another balancer."""

from typing import Protocol

from trio_llm.actors import Releasable
from trio_llm.chat import AnyRequest, Capability, EmbedRequest, Operation, Price
from trio_llm.policy.preference import Standing
from trio_llm.policy.vitals import Vitals
from trio_llm.providers.lease import Refusal
from trio_llm.providers.limits import BatchLimits
from trio_llm.providers.status import NodeStatistics, ProviderStatus
from trio_llm.providers.visit import Ask


class Node(Protocol):
    """A provider or a balancer: it can be asked, wherever it stands in the tree.

    `reserve` and `enqueue` are synchronous and book on the spot; what they give
    rides in the envelope.
    """

    @property
    def name(self) -> str:
        """Its unique name."""
        ...

    @property
    def height(self) -> int:
        """0 for a provider; for a balancer, one more than its highest member."""
        ...

    @property
    def vitals(self) -> Vitals:
        """What is known of how fast, how sound and how busy it is."""
        ...

    def expected(self, now: float, /) -> float | None:
        """Give the seconds within which it most often answers; ``None`` if nothing is known."""
        ...

    def cost(self, request: AnyRequest, /) -> float | None:
        """Estimate what a request costs there, in US dollars; ``None`` if that is not known."""
        ...

    def price(self, model: str | None, /) -> Price | None:
        """Give what a model costs, its own if none is named; ``None`` if that is not known."""
        ...

    def standing(self, request: AnyRequest, /, *, priced: bool) -> Standing:
        """Give what a choice among members goes by; the cost only if that is asked for."""
        ...

    def covers(self, name: str, /) -> bool:
        """Whether a name is its own or that of a member, however deep."""
        ...

    def serves(self, model: str, /) -> bool | None:
        """Whether it serves a model; ``None`` when it does not declare its models."""
        ...

    def offers(self, capability: Capability, /) -> bool:
        """Whether it has a capability, as far as its configuration and its kind say."""
        ...

    def embedding_family(self, request: EmbedRequest, /) -> str | None:
        """Give the family of the vectors that it would give; ``None`` if it gives none."""
        ...

    def batch_limits(self, operation: Operation, /) -> BatchLimits | None:
        """Say how much all that may answer take at once; ``None`` if nobody does it."""
        ...

    def providers(self) -> "tuple[Node, ...]":
        """Give itself, or the providers below it, in declared order; one may come twice.

        What stands for a provider with several keys gives itself.
        """
        ...

    def refusal(self, request: AnyRequest, /) -> Refusal | None:
        """Say why it could not take the request now; books nothing."""
        ...

    def reserve(self, request: AnyRequest, /) -> Releasable | Refusal:
        """Book a place, or say why not."""
        ...

    def enqueue(self, request: AnyRequest, /) -> Releasable | Refusal:
        """Book a place, or one in the line for it, or say why not even that."""
        ...

    def post(self, ask: Ask, /) -> None:
        """Put an ask into the mailbox.

        Raises:
            Refused: It does not fit, or the actor is draining or down.
        """
        ...

    def won(self) -> None:
        """Count that its answer was taken by the level above."""
        ...

    def status(self) -> ProviderStatus:
        """Give a snapshot."""
        ...

    def statistics(self) -> NodeStatistics:
        """Give the counts."""
        ...
