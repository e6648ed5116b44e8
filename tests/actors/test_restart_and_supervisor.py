"""Restarts are limited in number within a window; a supervisor keeps an order."""

import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.echo import Ask, Diary, Echo, cell_of
from trio_llm.actors import Envelope, RestartIntensity, Supervisor
from trio_llm.testing import World, explore, run, seeds


def test_pauses_double_up_to_the_longest() -> None:
    """Each crash within the window doubles the pause, up to the longest."""
    intensity = RestartIntensity(max_restarts=5, window=60.0, backoff=0.5, max_backoff=3.0)
    assert [intensity.crashed(float(now)) for now in range(6)] == [0.5, 1.0, 2.0, 3.0, 3.0, None]


def test_crashes_outside_of_the_window_are_forgotten() -> None:
    """Crashes that are rare enough never give an actor up."""
    intensity = RestartIntensity(max_restarts=1, window=10.0, backoff=0.5)
    assert [intensity.crashed(now) for now in (0.0, 10.0, 20.0)] == [0.5, 0.5, 0.5]
    assert intensity.crashed(29.9) is None


def test_no_restart_may_be_allowed() -> None:
    """With ``max_restarts=0`` the first crash is the last."""
    assert RestartIntensity(max_restarts=0).crashed(0.0) is None


@given(
    gaps=st.lists(st.floats(0.0, 50.0), max_size=60),
    allowed=st.integers(0, 5),
    window=st.floats(0.5, 60.0),
)
def test_no_window_holds_more_restarts_than_allowed(
    gaps: list[float], allowed: int, window: float
) -> None:
    """Up to the moment it gives up, no window holds more crashes than the allowed restarts."""
    intensity = RestartIntensity(max_restarts=allowed, window=window)
    now, restarts = 0.0, list[float]()
    for gap in gaps:
        now += gap
        if intensity.crashed(now) is None:
            within = [then for then in restarts if then > now - window]
            assert len(within) == allowed
            break
        restarts.append(now)
        assert len([then for then in restarts if then > now - window]) <= allowed


def test_a_supervisor_starts_left_to_right_and_stops_right_to_left() -> None:
    """While the right-hand actors finish their requests, those to their left still serve."""

    async def scenario(_world: World) -> None:
        async def through_left(ask: Ask) -> None:
            await trio.sleep(1.0)
            inner: Ask = Envelope("inner")
            left.post(inner)
            await inner.wait_decided()
            ask.decide(f"{ask.payload} {inner.value}", trio.current_time())

        first, second = Diary(), Diary()
        left, right = cell_of(Echo(), first), cell_of(Echo(through_left), second)
        supervisor = Supervisor([left, right])
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            ask: Ask = Envelope("outer")
            right.post(ask)
            await supervisor.stop(10.0)
        assert ask.value == "outer inner"
        assert (first.lines, second.lines) == ([("drained", 0)], [("drained", 0)])

    explore(scenario, seeds=seeds(1000, share=50))


def test_restarts_are_one_for_one() -> None:
    """An actor that goes down disturbs no other."""

    async def scenario(_world: World) -> None:
        broken, good = cell_of(Echo(broken_lives=99), Diary()), cell_of(Echo(), Diary())
        supervisor = Supervisor([broken, good])
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            ask: Ask = Envelope("hello")
            good.post(ask)
            await ask.wait_settled()
            assert ask.value == "hello"
            await supervisor.stop(trio.current_time())

    run(scenario)


def test_thousands_of_restarts_may_be_allowed() -> None:
    """The pause stays at the longest one, however often it has doubled."""
    intensity = RestartIntensity(max_restarts=2000, window=60.0, backoff=0.5, max_backoff=3.0)
    pauses = [intensity.crashed(0.0) for _ in range(2001)]
    assert pauses[10:2000] == [3.0] * 1990
    assert pauses[2000] is None
