"""What the tests of breaker, limits and probes share: a look inside."""

# pyright: reportPrivateUsage=false

from trio_llm import Runtime
from trio_llm.providers.actor import ProviderActor
from trio_llm.providers.gate import Gate


def gate_of(llm: Runtime, name: str = "a") -> Gate:
    """Give the gate of a provider, to look inside."""
    actor = llm._generations.tree.nodes[name]
    assert isinstance(actor, ProviderActor)
    return actor._gate


def assert_nothing_leaked(llm: Runtime, name: str = "a") -> None:
    """Demand that no place, permit or booking is left with anybody, and nobody waits."""
    gate = gate_of(llm, name)
    assert gate.circuit.breaker._probe is None
    assert (gate.places.used, gate.waiting, len(gate._again)) == (0, 0, 0)
