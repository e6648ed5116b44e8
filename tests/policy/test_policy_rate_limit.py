"""Requests and tokens together: what is reserved is settled, and no more goes than fits."""

import attrs
from hypothesis import given
from hypothesis import strategies as st

from trio_llm.policy.rate_limit import RateLimiter, Reservation

DAY = 24 * 3600.0

EIGHTHS = st.integers(0, 80).map(lambda number: number / 8)
TOKENS = st.integers(1, 400).map(lambda number: number / 4)
REQUESTS_PER_MINUTE = st.sampled_from([15.0, 30.0, 60.0])
TOKENS_PER_MINUTE = st.sampled_from([30.0, 240.0, 3840.0])
REQUESTS_PER_DAY = st.sampled_from([675.0, 2700.0])
LIMITERS = st.builds(
    RateLimiter,
    st.none() | REQUESTS_PER_MINUTE,
    st.none() | TOKENS_PER_MINUTE,
    st.none() | REQUESTS_PER_DAY,
)
"""A unit of each comes back in a power of two of seconds, so that all numbers are exact."""


def fresh(limiter: RateLimiter) -> RateLimiter:
    """Give another with the same limits."""
    return RateLimiter(
        limiter.requests_per_minute, limiter.tokens_per_minute, limiter.requests_per_day
    )


@attrs.frozen
class Call:
    """One call: when it comes, for how long it runs, what it was taken for and what it was."""

    after: float
    runs: float
    estimate: float
    actual: float | None


CALLS = st.lists(
    st.builds(Call, EIGHTHS, EIGHTHS.map(lambda s: s * 10), TOKENS, st.none() | TOKENS),
    max_size=12,
)


def play(limiter: RateLimiter, calls: list[Call], start: float) -> float:
    """Take every call when it comes, settle it when it ends; give when all is over."""
    now, happenings = start, list[tuple[float, int]]()
    for number, call in enumerate(calls):
        now += call.after
        happenings += [(now, number), (now + call.runs, number)]
    open_calls: dict[int, Reservation] = {}
    for now, number in sorted(happenings, key=lambda happening: happening[0]):
        if number in open_calls:
            limiter.settle(open_calls[number], now, calls[number].actual)
            limiter.settle(open_calls[number], now, 1e6)
        else:
            open_calls[number] = limiter.take(now, calls[number].estimate)
    return now


def as_it_was(calls: list[Call]) -> list[Call]:
    """Give the calls that were really made, each taken for what it was."""
    real: list[Call] = []
    skipped = 0.0
    for call in calls:
        if call.actual is None:
            skipped += call.after
            continue
        real.append(attrs.evolve(call, after=call.after + skipped, estimate=call.actual))
        skipped = 0.0
    return real


def same(left: RateLimiter, right: RateLimiter, now: float) -> bool:
    """Whether two would treat everything alike from now on."""
    return all(
        left.wait(later, tokens) == right.wait(later, tokens)
        and left.snapshot(later) == right.snapshot(later)
        for later in (now, now + 1.0, now + 100.0, now + 1e5)
        for tokens in (0.0, 1.0, 25.0, 1e4)
    )


@given(LIMITERS, CALLS)
def test_what_is_settled_is_what_was_used(limiter: RateLimiter, calls: list[Call]) -> None:
    """Under load the books are in the end, to the last bit, those of the real uses alone."""
    reference = fresh(limiter)
    for each in (limiter, reference):
        for _ in range(256):  # more than comes back while the calls run
            each.take(0.0, 64.0)
    end = play(limiter, calls, 0.0)
    play(reference, as_it_was(calls), 0.0)
    assert same(limiter, reference, end)


@given(LIMITERS, CALLS)
def test_an_idle_limiter_is_off_by_no_more_than_the_estimates(
    limiter: RateLimiter, calls: list[Call]
) -> None:
    """Without load a bucket may have run over; that error is bounded, and gone when it is full."""
    reference = fresh(limiter)
    end = play(limiter, calls, 0.0)
    play(reference, as_it_was(calls), 0.0)
    errors = sum(abs(call.estimate - (call.actual or 0.0)) for call in calls)
    skipped = sum(call.actual is None for call in calls)
    ours, theirs = limiter.snapshot(end), reference.snapshot(end)
    if ours.tokens_available is not None and theirs.tokens_available is not None:
        assert abs(ours.tokens_available - theirs.tokens_available) <= errors
    if ours.requests_available is not None and theirs.requests_available is not None:
        assert abs(ours.requests_available - theirs.requests_available) <= skipped
    assert same(limiter, reference, end + 2 * DAY)


@given(
    st.sampled_from([240.0, 3840.0]),
    st.lists(st.builds(Call, EIGHTHS, EIGHTHS, TOKENS, TOKENS), min_size=1, max_size=40),
)
def test_concurrent_calls_exceed_the_limit_by_their_errors_at_most(
    limit: float, calls: list[Call]
) -> None:
    """In any minute the real uses stay within limit, burst and the errors of the estimates."""
    limiter, now = RateLimiter(tokens_per_minute=limit), 0.0
    running: list[tuple[float, Reservation, float]] = []
    begun: list[tuple[float, Call]] = []
    for call in calls:
        now += call.after / 8
        now += limiter.wait(now, call.estimate)
        for end, reservation, actual in sorted(running, key=lambda run: run[0]):
            if end <= now:
                limiter.settle(reservation, now, actual)
        running = [run for run in running if run[0] > now]
        now += limiter.wait(now, call.estimate)
        running.append((now + call.runs, limiter.take(now, call.estimate), call.actual or 0.0))
        begun.append((now, call))
    most = max([limit / 10, *(call.estimate for call in calls)])
    errors = sum(abs(call.estimate - (call.actual or 0.0)) for call in calls)
    for begin, _ in begun:
        used = sum(call.actual or 0.0 for at, call in begun if begin <= at <= begin + 60.0)
        assert used <= limit + most + errors


@given(st.integers(1, 50), TOKENS)
def test_those_that_come_at_once_share_what_there_is(callers: int, estimate: float) -> None:
    """Each reserves before the next is asked, so no more go than fit."""
    limiter = RateLimiter(requests_per_minute=60.0, tokens_per_minute=3840.0)
    admitted = 0
    for _ in range(callers):
        if limiter.wait(0.0, estimate) == 0.0:
            limiter.take(0.0, estimate)
            admitted += 1
    assert admitted == min(callers, 6, max(1, int(384 // estimate)))


def test_all_limits_must_admit_a_call() -> None:
    """The longest of the waits counts, and a call without tokens waits for no tokens."""
    limiter = RateLimiter(requests_per_minute=60.0, tokens_per_minute=600.0)
    limiter.take(0.0, 660.0)
    assert limiter.wait(0.0, 1.0) == 60.1
    assert limiter.wait(0.0, 0.0) == 0.0
    for _ in range(9):
        limiter.take(0.0, 0.0)
    assert limiter.wait(0.0, 0.0) == 5.0
    assert limiter.wait(0.0, 1.0) == 60.1


def test_a_call_behind_others_waits_for_theirs() -> None:
    """Requests and tokens of those ahead count, each in the limits of its kind."""
    limiter = RateLimiter(60.0, 600.0, 2700.0)
    assert limiter.wait(0.0, 1.0, requests_ahead=8) == 3.0
    assert limiter.wait(0.0, 10.0, tokens_ahead=100.0) == 5.0
    assert limiter.wait(0.0, 0.0, tokens_ahead=100.0) == 0.0
    assert RateLimiter(None, None, 2700.0).wait(0.0, 1.0, requests_ahead=2700) == 32.0


def test_a_day_is_not_spread_over_its_minutes() -> None:
    """All requests of a day may go at once; then they come back evenly."""
    limiter = RateLimiter(requests_per_day=1350.0)
    for _ in range(1350):
        assert limiter.wait(0.0, 1.0) == 0.0
        limiter.take(0.0, 1.0)
    assert limiter.wait(0.0, 1.0) == 64.0
    assert limiter.wait(64.0, 1.0) == 0.0


def test_a_call_that_was_not_sent_costs_nothing() -> None:
    """Its request comes back too; a second settlement of it changes nothing."""
    limiter = RateLimiter(60.0, 600.0, 2700.0)
    before = limiter.snapshot(0.0)
    reservation = limiter.take(0.0, 50.0)
    assert limiter.snapshot(0.0) != before
    limiter.settle(reservation, 0.0, None)
    limiter.settle(reservation, 0.0, None)
    limiter.settle(reservation, 0.0, 500.0)
    assert limiter.snapshot(0.0) == before


def test_a_call_that_was_sent_costs_its_request() -> None:
    """Only the tokens are put right, also where none were used."""
    limiter = RateLimiter(requests_per_minute=60.0, tokens_per_minute=600.0)
    limiter.settle(limiter.take(0.0, 50.0), 0.0, 0.0)
    snapshot = limiter.snapshot(0.0)
    assert (snapshot.requests_available, snapshot.tokens_available) == (5.0, 60.0)
