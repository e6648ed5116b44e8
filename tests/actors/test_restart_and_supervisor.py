"""Restarts are limited in number within a window; a supervisor keeps an order."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.echo import Ask, Diary, Echo, EchoCell, cell_of
from trio_llm.actors import ActorState, AnyCell, Envelope, Refused, RestartIntensity, Supervisor
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


def _states(*cells: AnyCell) -> list[ActorState]:
    """Give the states of cells, as they are now."""
    return [cell.state for cell in cells]


async def _wait(ask: Ask) -> None:
    await trio.sleep(1.0)
    ask.decide(ask.payload, trio.current_time())


def test_actors_are_started_and_retired_while_others_live() -> None:
    """One that comes later serves at once; one that is retired ends when it has nothing to do."""

    async def scenario(_world: World) -> None:
        first, later, diary = cell_of(Echo(), Diary()), cell_of(Echo(_wait), Diary()), Diary()
        other = cell_of(Echo(), diary)
        supervisor = Supervisor([first])
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await supervisor.start([later, other])
            ask: Ask = Envelope("hello")
            later.post(ask)
            gone: list[tuple[float, str]] = []

            def ended(cell: AnyCell) -> None:
                gone.append((trio.current_time(), "other" if cell is other else "later"))

            supervisor.retire([other, later], ended)
            with pytest.raises(Refused, match="draining"):
                later.post(Envelope("too late"))
            await ask.wait_settled()
            assert ask.value == "hello"
            await trio.testing.wait_all_tasks_blocked()
            assert gone == [(0.0, "other"), (1.0, "later")]
            assert _states(first) == [ActorState.RUNNING]
            assert diary.lines == [("drained", 0)]
            supervisor.retire([other], ended)
            assert gone[-1] == (1.0, "other")
            await supervisor.stop(trio.current_time())
        assert _states(first) == [ActorState.DOWN]

    explore(scenario, seeds=seeds(1000, share=50))


def test_of_those_that_are_retired_together_the_one_that_asks_ends_first() -> None:
    """An actor takes envelopes until the last that asks it, whether retired or not, has ended."""

    async def scenario(world: World) -> None:
        async def through(inner: EchoCell, ask: Ask) -> None:
            await trio.sleep(1.0)
            onward: Ask = Envelope(ask.payload)
            inner.post(onward)
            await onward.wait_decided()
            ask.decide(f"{onward.value}!", trio.current_time())

        diaries = {name: Diary() for name in ("inner", "left", "right")}
        inner = cell_of(Echo(_wait), diaries["inner"])
        left = cell_of(Echo(lambda ask: through(inner, ask)), diaries["left"])
        right = cell_of(Echo(), diaries["right"])
        supervisor = Supervisor([inner, left, right], {left: [inner], right: [inner]})
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            ask: Ask = Envelope("hello")
            left.post(ask)
            retired = [inner, left]
            world.rng.shuffle(retired)
            supervisor.retire(retired)
            await ask.wait_settled()
            assert (ask.value, trio.current_time()) == ("hello!", 2.0)
            await trio.testing.wait_all_tasks_blocked()
            assert _states(left, inner) == [ActorState.DOWN, ActorState.RUNNING]
            supervisor.retire([right])
            await trio.testing.wait_all_tasks_blocked()
            assert _states(inner) == [ActorState.DOWN]
            await supervisor.stop(trio.current_time())
        assert all(diary.lines == [("drained", 0)] for diary in diaries.values())

    explore(scenario, seeds=seeds(1000, share=50))


def test_who_is_held_does_not_drain() -> None:
    """A caller that will ask again keeps an actor from draining until it lets go."""

    async def scenario(_world: World) -> None:
        cell = cell_of(Echo(), Diary())
        supervisor = Supervisor([cell])
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            supervisor.hold(cell)
            supervisor.hold(cell)
            supervisor.retire([cell])
            supervisor.let_go(cell)
            await trio.testing.wait_all_tasks_blocked()
            ask: Ask = Envelope("hello")
            cell.post(ask)
            await ask.wait_settled()
            assert ask.value == "hello"
            supervisor.let_go(cell)
            await trio.testing.wait_all_tasks_blocked()
            assert _states(cell) == [ActorState.DOWN]
            supervisor.hold(cell)  # of one that has ended there is nothing to keep
            supervisor.let_go(cell)
            await supervisor.stop(trio.current_time())

    run(scenario)


def test_a_start_that_is_cancelled_leaves_nobody_behind() -> None:
    """Those that had started already are retired, and those before them live on."""

    async def scenario(world: World) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        old, fine = cell_of(Echo(), Diary()), cell_of(Echo(), Diary())
        hanging = cell_of(Echo(broken_lives=99), Diary(), max_restarts=99)
        supervisor = Supervisor([old])
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            with trio.move_on_after(world.rng.choice((0.0, 0.25, 3.0))) as scope:
                await supervisor.start([fine, hanging], {hanging: [fine]})
            assert scope.cancelled_caught
            await trio.testing.wait_all_tasks_blocked()
            assert old.state is ActorState.RUNNING
            assert fine.state is ActorState.DOWN
            assert hanging.state in {ActorState.DOWN, ActorState.STARTING}  # or never reached
            assert list(supervisor._posts) == [old]  # pyright: ignore[reportPrivateUsage]
            await supervisor.stop(trio.current_time())
        assert trio.lowlevel.current_statistics().tasks_living == before

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_supervisor_that_stops_starts_nobody() -> None:
    """A start is refused before, during and after the stop; what was starting is stopped."""

    async def scenario(world: World) -> None:
        async def start() -> None:
            with pytest.raises(Refused, match="draining"):
                await supervisor.start(starting)

        supervisor = Supervisor([cell_of(Echo(), Diary())])
        with pytest.raises(Refused):
            await supervisor.start([cell_of(Echo(), Diary())])
        starting = [cell_of(Echo(broken_lives=3), Diary(), max_restarts=99)]
        if world.rng.random() < 0.5:
            starting.append(cell_of(Echo(), Diary()))
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            nursery.start_soon(start)
            await trio.testing.wait_all_tasks_blocked()
            await supervisor.stop(trio.current_time() + 60.0)
            assert supervisor.stopping
        assert trio.current_time() < 60.0
        await start()

    explore(scenario, seeds=seeds(1000, share=50))


def test_what_is_retired_is_cut_with_the_rest() -> None:
    """A retired actor whose request never ends does not outlast the deadline of the stop."""

    async def scenario(_world: World) -> None:
        async def hang(_ask: Ask) -> None:
            await trio.sleep_forever()

        diary = Diary()
        inner, outer = cell_of(Echo(), Diary()), cell_of(Echo(hang), diary)
        supervisor = Supervisor([inner, outer], {outer: [inner]})
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            ask: Ask = Envelope("hello")
            outer.post(ask)
            supervisor.retire([outer, inner])
            await trio.sleep(100.0)
            assert inner.state is ActorState.RUNNING
            await supervisor.stop(trio.current_time() + 5.0)
        assert trio.current_time() == 105.0
        assert (ask.decided, diary.lines) == (True, [("drained", 1)])

    run(scenario)
