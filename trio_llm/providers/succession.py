"""One gate takes the place of another, as after a reload: what it knows from then on.

With the same rules both go by one breaker: there is one probe, whoever sends it, and a
failure counts wherever it is met. With other rules the new one takes over the rests, and
what is still to be proved, also what the old one learns while its last calls end. Rate
limits that have not changed are one bucket.
"""

import weakref

from trio_llm.providers.gate import Gate


def succeed(gate: Gate, other: Gate, now: float) -> None:
    """Let a gate take the place of an earlier one to the same account."""
    if gate.circuit is not other.circuit:
        if not gate.kin and gate.circuit.goes_by_the_rules_of(other.circuit):
            _join(gate, other)
        elif other.heir is not gate:
            other.heir, other.told = gate, -1
    pass_on(other, now)
    gate.rates.inherit(other.rates)


def _join(gate: Gate, other: Gate) -> None:
    """Let a gate go by another one's breaker."""
    gate.circuit = other.circuit
    family = [*(other.family() if other.kin else [other]), gate]
    for each in family:
        each.kin = tuple([weakref.ref(one) for one in family])


def pass_on(gate: Gate, now: float) -> None:
    """Tell whoever has taken a gate's place of what is new, and who has that of its kin."""
    for each in gate.family() if gate.kin else (gate,):
        heir, epoch = each.heir, gate.circuit.breaker.epoch
        if heir is not None and epoch != each.told:
            each.told = epoch
            heir.circuit.inherit(gate.circuit, now)
            heir.advance_all(now)
            pass_on(heir, now)
