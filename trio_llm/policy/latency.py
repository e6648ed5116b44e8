"""What is remembered of latencies and outcomes: four small statistics of fixed size."""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final, Self

import attrs

UNKNOWN_PENALTY: Final = 3600.0
"""Seconds that a request counts for while nothing is known of how long it will take."""

_SHORTEST: Final = 0.001
_LONGEST: Final = 3600.0
_BUCKETS: Final = 160
_WIDTH: Final = math.log(_LONGEST / _SHORTEST) / _BUCKETS
_GROWTH: Final = math.exp(_WIDTH)

RELATIVE_ERROR: Final = (_GROWTH - 1.0) / (_GROWTH + 1.0)
"""How far a percentile may be from the exact one, as a share of it: 4.7 %."""

# The harmonic mean of a bucket's ends is equally far, as a share, from both of them.
_MIDDLES: Final = tuple(
    _SHORTEST * _GROWTH**bucket * 2.0 * _GROWTH / (_GROWTH + 1.0) for bucket in range(_BUCKETS)
)


@attrs.define
class PeakEwma:
    """A mean that jumps up to a peak at once, and comes down slowly.

    A slow answer is believed at once, fast ones only little by little, and silence
    wears the mean away, so that a member that was slow once is tried again (the rule
    of Finagle's peak EWMA load balancer).

    Args:
        decay: Time constant, in seconds; should be several calls long.
    """

    decay: float = 10.0
    _level: float | None = attrs.field(default=None, init=False)
    _stamp: float = attrs.field(default=math.inf, init=False)

    @classmethod
    def restored(cls, level: float, stamp: float, decay: float = 10.0) -> Self:
        """Make one from a `level`.

        Args:
            level: The mean, in seconds.
            stamp: The instant from which silence counts.
            decay: Time constant, in seconds.

        Raises:
            ValueError: No mean has such a state.
        """
        if not (0.0 <= level < math.inf and math.isfinite(stamp)):
            raise ValueError(f"a level must be 0 or more, not {level}, at an instant, not {stamp}")
        ewma = cls(decay)
        ewma._level, ewma._stamp = level, stamp
        return ewma

    @property
    def level(self) -> float | None:
        """The mean in seconds as the last sample left it; silence does not wear it away."""
        return self._level

    def observe(self, now: float, seconds: float) -> None:
        """Note a latency.

        Args:
            now: The present instant.
            seconds: How long it took.
        """
        level = self._level
        if level is None:
            self._level, self._stamp = seconds, now
            return
        kept = 1.0
        if now > self._stamp:
            kept = math.exp((self._stamp - now) / self.decay)
            self._stamp = now
        level *= kept
        self._level = seconds if seconds >= level else level + seconds * (1.0 - kept)

    def value(self, now: float) -> float | None:
        """Give the mean in seconds, worn away by the silence since; ``None`` without samples."""
        if self._level is None or now <= self._stamp:
            return self._level
        return self._level * math.exp((self._stamp - now) / self.decay)

    def score(self, now: float, outstanding: int) -> float:
        """Give what one request more would have to wait for, in seconds; less is better.

        With fresh samples it is ``value * (outstanding + 1)``. Requests under way count
        in full, however long it has been silent: long calls are silent too, and one that
        comes back from a rest must not draw every call until its first answer. With no
        sample at all it is 0 when idle, so that a new member is tried, and
        `UNKNOWN_PENALTY` per request under way, so that not everything goes to it.

        Args:
            now: The present instant.
            outstanding: Requests under way.
        """
        level = self._level
        if level is None:
            return UNKNOWN_PENALTY * outstanding
        worn = level
        if now > self._stamp:
            worn *= math.exp((self._stamp - now) / self.decay)
        return worn + level * outstanding


@attrs.define
class Ewma:
    """A mean in which a sample weighs less the older it is.

    Every sample weighs ``exp(-age / decay)``. Silence changes nothing: all weights
    shrink alike.

    Args:
        decay: Time constant, in seconds.
    """

    decay: float = 300.0
    _mean: float = attrs.field(default=0.0, init=False)
    _weight: float = attrs.field(default=0.0, init=False)
    _stamp: float = attrs.field(default=math.inf, init=False)

    @classmethod
    def restored(cls, state: tuple[float, float], decay: float = 300.0) -> Self:
        """Make one from a `state`; its samples count as if they had come just before the next.

        Raises:
            ValueError: No mean has such a state.
        """
        mean, weight = state
        if not (math.isfinite(mean) and 0.0 <= weight < math.inf):
            raise ValueError(f"a mean and its weight must be finite, not {mean} and {weight}")
        ewma = cls(decay)
        ewma._mean, ewma._weight = mean, weight
        return ewma

    @property
    def mean(self) -> float | None:
        """The mean; ``None`` without samples."""
        return self._mean if self._weight else None

    def observe(self, now: float, value: float) -> None:
        """Note a sample."""
        if now > self._stamp:
            self._weight *= math.exp((self._stamp - now) / self.decay)
            self._stamp = now
        elif self._stamp == math.inf:
            self._stamp = now
        self._weight += 1.0
        self._mean += (value - self._mean) / self._weight

    def state(self) -> tuple[float, float]:
        """Give what it remembers, to be kept: the mean, and the weight of its samples."""
        return self._mean, self._weight


@attrs.define
class RotatingHistogram:
    """The latencies of the last minutes, by buckets that grow with the latency.

    160 buckets from 1 ms to 1 h, each 10 % wider than the last; what lies outside
    counts as the nearest end. Time is cut into slots: those of the window and the
    running one count, so a sample leaves when it is between one window and one window
    and a slot old. Costs no memory before the first sample.

    Args:
        window: How long a sample counts at least, in seconds.
        slots: Into how many slots the window is cut.
    """

    window: float = 300.0
    slots: int = 5
    _total: int = attrs.field(default=0, init=False)
    _counts: list[int] = attrs.field(factory=list[int], init=False)
    _kept: deque[tuple[int, dict[int, int]]] = attrs.field(
        factory=deque[tuple[int, dict[int, int]]], init=False
    )
    _newest: dict[int, int] = attrs.field(factory=dict[int, int], init=False)
    _rotates_at: float = attrs.field(default=-math.inf, init=False)

    @classmethod
    def restored(cls, state: Iterable[tuple[float, int]], now: float) -> Self:
        """Make one from a `state`; its samples count as if they had come now.

        Raises:
            ValueError: No latencies have such a state.
        """
        histogram = cls()
        for seconds, times in state:
            if times < 1 or math.isnan(seconds):
                raise ValueError(f"a latency must be known, and counted, not {seconds}, {times}")
            histogram.observe(now, seconds, times)
        return histogram

    def observe(self, now: float, seconds: float, times: int = 1) -> None:
        """Note a latency.

        Args:
            now: The present instant.
            seconds: How long it took.
            times: How many samples there are of it.
        """
        if now >= self._rotates_at:
            self._rotate(now)
        if seconds <= _SHORTEST:
            bucket = 0
        elif seconds >= _LONGEST:
            bucket = _BUCKETS - 1
        else:
            # Just below the longest, rounding may lead one bucket too far.
            bucket = min(int(math.log(seconds / _SHORTEST) / _WIDTH), _BUCKETS - 1)
        newest = self._newest
        newest[bucket] = newest.get(bucket, 0) + times
        self._counts[bucket] += times
        self._total += times

    def count(self, now: float) -> int:
        """Give the number of samples that count."""
        if self._total and now >= self._rotates_at:
            self._rotate(now)
        return self._total

    def percentile(self, now: float, share: float) -> float | None:
        """Give the latency that this share of the samples does not exceed, by nearest rank.

        It is within `RELATIVE_ERROR` of the exact one.

        Args:
            now: The present instant.
            share: From 0 to 1; 0.95 for the 95th percentile.

        Returns:
            Seconds, or ``None`` when no sample counts.
        """
        total = self.count(now)
        if not total:
            return None
        rank = min(max(math.ceil(share * total), 1), total)
        counts, low, high = self._counts, 0, _BUCKETS
        while high - low > 1:
            middle = (low + high) // 2
            below = sum(counts[low:middle])
            if rank <= below:
                high = middle
            else:
                rank -= below
                low = middle
        return _MIDDLES[low]

    def state(self, now: float) -> tuple[tuple[float, int], ...]:
        """Give what counts at an instant, to be kept: latencies, and how often each."""
        if not self.count(now):
            return ()
        counted = enumerate(self._counts)
        return tuple([(_MIDDLES[bucket], times) for bucket, times in counted if times])

    def _rotate(self, now: float) -> None:
        """Begin the slot of this instant, and let the slots before the window go."""
        length = self.window / self.slots
        slot = math.floor(now / length)
        kept, counts = self._kept, self._counts
        if not counts:
            counts += [0] * _BUCKETS
        while kept and kept[0][0] < slot - self.slots:
            for bucket, number in kept.popleft()[1].items():
                counts[bucket] -= number
                self._total -= number
        if not kept or kept[-1][0] != slot:
            kept.append((slot, {}))
        self._newest = kept[-1][1]
        self._rotates_at = (slot + 1) * length


@attrs.define
class DecayedRate:
    """The share of successes, in which an outcome weighs less the more have followed it.

    Args:
        half_life: After how many further outcomes one counts for half.
    """

    half_life: float = 100.0
    _successes: float = attrs.field(default=0.0, init=False)
    _weight: float = attrs.field(default=0.0, init=False)
    _kept: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._kept = 0.5 ** (1.0 / self.half_life)

    @classmethod
    def restored(cls, state: tuple[float, float], half_life: float = 100.0) -> Self:
        """Make one from a `state`; one of a longer half-life keeps its rate, and weighs less.

        Raises:
            ValueError: No rate has such a state.
        """
        successes, weight = state
        if not 0.0 <= successes <= weight < math.inf:
            raise ValueError(f"successes must be from 0 to their weight, not {successes}, {weight}")
        rate = cls(half_life)
        most = 1.0 / (1.0 - rate._kept)
        shrink = most / weight if weight > most else 1.0
        rate._successes, rate._weight = successes * shrink, weight * shrink
        return rate

    @property
    def weight(self) -> float:
        """How many outcomes it stands for; at most about 1.44 half-lives."""
        return self._weight

    def observe(self, success: bool) -> None:
        """Note an outcome."""
        kept = self._kept
        self._weight = self._weight * kept + 1.0
        self._successes = self._successes * kept + success

    def value(self, prior: float = 0.5, weight: float = 1.0) -> float:
        """Give the share of successes, from 0 to 1.

        Args:
            prior: What is believed before the first outcome.
            weight: For how many outcomes that belief counts.
        """
        total = self._weight + weight
        return (self._successes + prior * weight) / total if total else prior

    def state(self) -> tuple[float, float]:
        """Give what it remembers, to be kept: the weight of the successes, and of all."""
        return self._successes, self._weight
