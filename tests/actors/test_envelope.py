"""An envelope is decided once, settled once, and can be given up at any moment."""

import math

import trio
import trio.testing

from tests.actors.echo import Ask, Token
from trio_llm.actors import Envelope, dismiss


def test_the_first_decision_stands() -> None:
    """Later values and errors change neither the outcome nor its stamp."""
    ask: Ask = Envelope("hello")
    assert not ask.decided
    assert ask.decide("one", 1.0)
    assert not ask.decide("two", 0.5)
    assert not ask.fail(ValueError(), 0.25)
    assert (ask.value, ask.error, ask.stamp, ask.decided) == ("one", None, 1.0, True)


def test_an_error_decides_as_well() -> None:
    """An envelope that failed has the error, and no value any more."""
    ask: Ask = Envelope("hello")
    error = ValueError()
    assert ask.fail(error, 2.0)
    assert not ask.decide("late", 1.0)
    assert (ask.value, ask.error, ask.stamp) == (None, error, 2.0)


def test_settling_releases_the_lease_once() -> None:
    """However often an envelope is settled or cancelled, its lease is given back once."""
    token = Token()
    ask: Ask = Envelope("hello", token)
    ask.settle()
    ask.settle()
    ask.cancel("too late")
    assert token.released == 1
    assert ask.settled
    assert ask.cancel_reason is None


def test_a_follower_is_told_once_that_it_has_settled() -> None:
    """It is called in that very step, when the lease is free again."""
    token = Token()
    ask: Ask = Envelope("hello", token)
    told: list[tuple[bool, int]] = []
    ask.follower = lambda: told.append((ask.settled, token.released))
    ask.decide("one", 1.0)
    assert told == []
    ask.settle()
    ask.settle()
    assert told == [(True, 1)]


def test_one_in_the_mailbox_becomes_a_tombstone() -> None:
    """An envelope that no actor has accepted settles in the moment it is cancelled."""
    token = Token()
    ask: Ask = Envelope("hello", token)
    ask.cancel("not wanted")
    assert ask.settled
    assert not ask.decided
    assert (token.released, ask.cancel_reason) == (1, "not wanted")


def test_an_accepted_one_is_cancelled_but_not_settled() -> None:
    """A running envelope is told to leave; it settles when its job has."""
    ask: Ask = Envelope("hello")
    ask.accepted = True
    ask.cancel("first")
    ask.cancel("second")
    assert ask.scope.cancel_called
    assert not ask.settled
    assert ask.cancel_reason == "first"


async def test_waiting_for_what_has_happened_takes_no_checkpoint() -> None:
    """Waits on a decided and settled envelope return at once."""
    ask: Ask = Envelope("hello")
    ask.decide("one", 1.0)
    ask.settle()
    with trio.testing.assert_no_checkpoints():
        await ask.wait_decided()
        await ask.wait_settled()


async def test_all_who_wait_are_woken(autojump_clock: trio.testing.MockClock) -> None:
    """Any number of tasks can wait for both moments."""
    assert autojump_clock.autojump_threshold == 0
    ask: Ask = Envelope("hello")
    woken: list[tuple[str, float]] = []

    async def decided() -> None:
        await ask.wait_decided()
        woken.append(("decided", trio.current_time()))

    async def settled() -> None:
        await ask.wait_settled()
        woken.append(("settled", trio.current_time()))

    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for waiter in (decided, settled, decided, settled):
            nursery.start_soon(waiter)
        await trio.sleep(1.0)
        ask.decide("one", trio.current_time())
        await trio.sleep(1.0)
        ask.settle()
    assert sorted(woken) == [("decided", start + 1.0)] * 2 + [("settled", start + 2.0)] * 2


async def test_dismiss_waits_shielded_and_not_for_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Seeing off one that does not leave ends at the deadline, in a cancelled task too."""
    assert autojump_clock.autojump_threshold == 0
    ask: Ask = Envelope("hello")
    ask.accepted = True
    start = trio.current_time()
    with trio.CancelScope() as scope:
        scope.cancel()
        assert not await dismiss(ask, "enough", start + 3.0)
    assert trio.current_time() == start + 3.0
    ask.settle()
    assert await dismiss(ask, "enough", math.inf)
