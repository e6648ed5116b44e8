"""What is known of providers and balancers, so that it can outlive the process.

A *record* is what one of them has shown: how sound it is, how fast, and how often it wins.
Nobody is asked while the process is down, so what was known stays true for longer than in
a silence of a running one: of what is a day old half counts, of what is a week old next
to nothing.
"""

import math
from collections.abc import Iterable
from typing import Final

import attrs

from trio_llm.policy.latency import DecayedRate, Ewma, PeakEwma, RotatingHistogram
from trio_llm.policy.vitals import LATENCY_DECAY, Vitals

HALF_LIFE: Final = 86_400.0
"""Seconds after which the outcomes of a record count for half, and its latency is half gone."""

MOST_RECORDS: Final = 512
"""How many records are kept; those of the longest unseen go first."""

_LEAST: Final = 0.5
"""How many outcomes a share must stand for to be believed."""

_PACE: Final = LATENCY_DECAY * math.log(2.0) / HALF_LIFE
"""How many seconds of silence one second of age counts as, for the latency."""

_DIGITS: Final = 6


@attrs.frozen
class Identity:
    """Whose record it is; with another kind or model a provider begins anew.

    Attributes:
        name: The name in the configuration.
        kind: The kind of provider or balancer.
        model: The model that a provider asks for; empty for a balancer.
    """

    name: str
    kind: str
    model: str = ""


@attrs.frozen
class Record:
    """What one provider or balancer has shown.

    Attributes:
        identity: Whose record it is.
        last_seen: When its last outcome came, in seconds since the epoch.
        calls: How many calls the success rate stands for, older ones counting for less.
        success_rate: Share of these that succeeded.
        latency: Mean seconds of a call that stands at peaks; ``None`` if not known.
        races: How many races the win rate stands for, older ones counting for less.
        win_rate: Share of these that it won.
        race_latency: Mean seconds of its answers in races; ``None`` if not known.
        first_tokens: Seconds to the first token of late, and how often each.
    """

    identity: Identity
    last_seen: float
    calls: float = 0.0
    success_rate: float = 0.0
    latency: float | None = None
    races: float = 0.0
    win_rate: float = 0.0
    race_latency: float | None = None
    first_tokens: tuple[tuple[float, int], ...] = ()

    @classmethod
    def of(cls, identity: Identity, vitals: Vitals, now: float, wall: float) -> "Record":
        """Give what vitals know at an instant, to the microsecond.

        Args:
            identity: Whose vitals they are.
            vitals: The vitals; there has been an outcome.
            now: The present instant, on the clock of the vitals.
            wall: The same, in seconds since the epoch.
        """
        calls, races = vitals.success.weight, vitals.races.weight
        return cls(
            identity,
            round(wall - max(now - vitals.seen, 0.0), 3),
            round(calls, _DIGITS),
            round(vitals.success.value(weight=0.0), _DIGITS) if calls else 0.0,
            _rounded(vitals.latency.level),
            round(races, _DIGITS),
            round(vitals.races.value(weight=0.0), _DIGITS) if races else 0.0,
            _rounded(vitals.race_latency.mean),
            tuple([(float(f"{each:.4g}"), n) for each, n in vitals.first_token.state(now)]),
        )

    def restore(self, vitals: Vitals, now: float, wall: float) -> None:
        """Put it into vitals that know nothing yet, by what it is still worth.

        Args:
            vitals: Where to.
            now: The present instant, on the clock of the vitals.
            wall: The same, in seconds since the epoch.
        """
        age = max(wall - self.last_seen, 0.0)
        worth = 0.5 ** (age / HALF_LIFE)
        calls, races = self.calls * worth, self.races * worth
        vitals.seen = now - age
        if calls >= _LEAST:
            vitals.success = DecayedRate.restored((self.success_rate * calls, calls))
            if self.latency is not None:
                since = now - age * _PACE
                vitals.latency = PeakEwma.restored(self.latency, since, LATENCY_DECAY)
        if races >= _LEAST:
            vitals.races = DecayedRate.restored((self.win_rate * races, races))
            if self.race_latency is not None:
                vitals.race_latency = Ewma.restored((self.race_latency, races))
        if age < vitals.first_token.window:
            vitals.first_token = RotatingHistogram.restored(self.first_tokens, now - age)


@attrs.define(eq=False)
class History:
    """The records of all, also of those that are not in the configuration now.

    Args:
        most: How many are kept.
    """

    most: int = MOST_RECORDS
    _records: dict[Identity, Record] = attrs.field(factory=dict[Identity, Record], init=False)
    _recalled: dict[Identity, object] = attrs.field(factory=dict[Identity, object], init=False)

    @property
    def records(self) -> tuple[Record, ...]:
        """Every record, by name."""
        ordered = sorted(self._records.items(), key=lambda item: attrs.astuple(item[0]))
        return tuple([record for _, record in ordered])

    def add(self, records: Iterable[Record], wall: float) -> None:
        """Keep records; of two of the same one the later stands.

        Args:
            records: The records. None of them counts as later than now.
            wall: Seconds since the epoch.
        """
        for each in records:
            record = attrs.evolve(each, last_seen=wall) if each.last_seen > wall else each
            known = self._records.get(record.identity)
            if known is None or known.last_seen <= record.last_seen:
                self._records[record.identity] = record
        self._forget()

    def recall(self, identity: Identity, vitals: Vitals, now: float, wall: float) -> None:
        """Put what is known of one into its vitals, unless these know something already."""
        record = self._records.get(identity)
        if record is None or vitals.seen > -math.inf:
            return
        record.restore(vitals, now, wall)
        self._recalled[identity] = _outcomes(vitals)

    def note(self, identity: Identity, vitals: Vitals, now: float, wall: float) -> None:
        """Keep what vitals know; what was recalled, and nothing since, stays as it was."""
        if vitals.seen > -math.inf and _outcomes(vitals) != self._recalled.get(identity):
            self._records[identity] = Record.of(identity, vitals, now, wall)
            self._forget()

    def _forget(self) -> None:
        """Let the longest unseen go, if there are too many."""
        excess = len(self._records) - self.most
        if excess > 0:
            oldest = sorted(self._records.values(), key=lambda record: record.last_seen)
            for record in oldest[:excess]:
                del self._records[record.identity]
                self._recalled.pop(record.identity, None)


def _outcomes(vitals: Vitals) -> object:
    """Give what every outcome changes."""
    return vitals.seen, vitals.success.state(), vitals.races.state()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _DIGITS)
