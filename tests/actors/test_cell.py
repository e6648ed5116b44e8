"""A cell serves every accepted envelope once, through crashes, restarts and its stop."""

import contextvars
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from tests.actors.echo import Ask, Diary, Echo, Token, UnansweredError, cell_of
from trio_llm.actors import ActorCrash, ActorState, Envelope, Refused
from trio_llm.testing import World, explore, run, seeds


def _reason(ask: Ask) -> str:
    assert isinstance(ask.error, UnansweredError)
    return ask.error.reason


def test_what_is_posted_is_answered() -> None:
    """Posted envelopes are decided with a stamp, and settle."""

    async def scenario(_world: World) -> None:
        cell = cell_of(Echo(), Diary())
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            asks: list[Ask] = [Envelope(str(number)) for number in range(3)]
            for ask in asks:
                cell.post(ask)
            for ask in asks:
                await ask.wait_settled()
            assert [ask.value for ask in asks] == ["0", "1", "2"]
            assert {ask.stamp for ask in asks} == {0.0}
            await cell.stop(1.0)
        assert cell.state is ActorState.DOWN

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_slow_request_does_not_stand_in_the_way() -> None:
    """Requests run side by side, and an actor may ask itself."""

    async def scenario(_world: World) -> None:
        async def job(ask: Ask) -> None:
            if ask.payload == "outer":
                inner: Ask = Envelope("inner")
                cell.post(inner)
                await inner.wait_decided()
                ask.decide(f"outer of {inner.value}", trio.current_time())
            else:
                await trio.sleep(1.0)
                ask.decide(ask.payload, trio.current_time())

        cell = cell_of(Echo(job), Diary(), capacity=1)
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            asks: list[Ask] = [Envelope("outer") for _ in range(5)]
            for ask in asks:
                cell.post(ask)
            for ask in asks:
                await ask.wait_settled()
            assert {ask.value for ask in asks} == {"outer of inner"}
            assert trio.current_time() == 1.0
            assert cell.jobs == 0
            await cell.stop(2.0)

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_full_mailbox_refuses_at_once_and_releases_the_lease() -> None:
    """While an actor restarts, its mailbox holds so many envelopes and refuses the next."""

    async def scenario(_world: World) -> None:
        cell = cell_of(Echo(broken_lives=1), Diary(), capacity=2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await trio.testing.wait_all_tasks_blocked()
            tokens = [Token() for _ in range(3)]
            asks: list[Ask] = [Envelope("hello", token) for token in tokens]
            cell.post(asks[0])
            cell.post(asks[1])
            assert cell.queued == 2
            with pytest.raises(Refused) as refused:
                cell.post(asks[2])
            assert refused.value.code == "mailbox_full"
            assert [token.released for token in tokens] == [0, 0, 1]
            await asks[1].wait_settled()
            assert [ask.value for ask in asks] == ["hello", "hello", None]
            assert [token.released for token in tokens] == [1, 1, 1]
            await cell.stop(trio.current_time())

    run(scenario)


def test_a_tombstone_is_skipped() -> None:
    """An envelope cancelled in the mailbox is never served."""

    async def scenario(_world: World) -> None:
        served: list[str] = []

        async def job(ask: Ask) -> None:
            served.append(ask.payload)
            ask.decide("yes", trio.current_time())
            await trio.lowlevel.checkpoint()

        cell = cell_of(Echo(job, broken_lives=1), Diary())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await trio.testing.wait_all_tasks_blocked()
            one: Ask = Envelope("one")
            two: Ask = Envelope("two")
            cell.post(one)
            cell.post(two)
            one.cancel("not wanted")
            await two.wait_settled()
            assert served == ["two"]
            await cell.stop(trio.current_time())

    run(scenario)


def test_an_exception_harms_its_own_request_only() -> None:
    """A job that raises fails its envelope with the cause; its siblings and the actor live on."""

    async def scenario(_world: World) -> None:
        async def job(ask: Ask) -> None:
            await trio.sleep(1.0)
            if ask.payload == "bad":
                raise ValueError("mine")
            await trio.sleep(1.0)
            ask.decide("good", trio.current_time())

        echo, diary = Echo(job), Diary()
        cell = cell_of(echo, diary)
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            bad: Ask = Envelope("bad")
            good: Ask = Envelope("good")
            cell.post(bad)
            cell.post(good)
            await good.wait_settled()
            assert good.value == "good"
            assert isinstance(bad.error, UnansweredError)
            assert isinstance(bad.error.cause, ValueError)
            assert (_reason(bad), bad.stamp) == ("crashed", 1.0)
            await cell.stop(trio.current_time())
        assert (echo.lives, diary.lines) == (1, [("drained", 0)])

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_job_that_returns_without_an_answer_is_answered() -> None:
    """Serving without deciding still gives the caller an error."""

    async def scenario(_world: World) -> None:
        async def job(_ask: Ask) -> None:
            await trio.lowlevel.checkpoint()

        cell = cell_of(Echo(job), Diary())
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            ask: Ask = Envelope("hello")
            cell.post(ask)
            await ask.wait_settled()
            assert _reason(ask) == "stopped"
            await cell.stop(0.0)

    run(scenario)


def test_a_crash_of_the_actor_answers_every_job_and_restarts() -> None:
    """All jobs of the life that ended are answered; what was queued is served in the next."""

    async def scenario(_world: World) -> None:
        async def job(ask: Ask) -> None:
            if ask.payload == "crash":
                await trio.sleep(1.0)
                raise ActorCrash("broken")
            if ask.payload == "wait":
                await trio.sleep_forever()
            ask.decide("served", trio.current_time())

        echo, diary = Echo(job), Diary()
        cell = cell_of(echo, diary)
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            crash: Ask = Envelope("crash")
            waits: list[Ask] = [Envelope("wait") for _ in range(3)]
            for ask in (crash, *waits):
                cell.post(ask)
            for ask in (crash, *waits):
                await ask.wait_settled()
            assert _reason(crash) == "crashed"
            assert {_reason(ask) for ask in waits} == {"stopped"}
            await trio.sleep(0.25)
            assert cell.state.value == "restarting"
            later: Ask = Envelope("later")
            cell.post(later)
            await later.wait_settled()
            assert (later.value, later.stamp) == ("served", 1.5)
            assert cell.state.value == "running"
            await cell.stop(trio.current_time())
        assert (echo.lives, echo.closed) == (2, 2)
        assert [line for line, _ in diary.lines] == ["crashed", "restarted", "drained"]

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_broken_actor_takes_nothing_more_into_its_life() -> None:
    """From the crash on the actor is restarting, however long its life needs to close."""

    async def scenario(_world: World) -> None:
        async def job(ask: Ask) -> None:
            if ask.payload == "crash":
                raise ActorCrash("broken")
            if ask.payload == "cling":
                with trio.CancelScope(shield=True):
                    await trio.sleep(5.0)
            ask.decide("served", trio.current_time())

        cell = cell_of(Echo(job), Diary())
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            for payload in ("cling", "crash"):
                cell.post(Envelope(payload))
            await trio.testing.wait_all_tasks_blocked()
            assert cell.state is ActorState.RESTARTING
            ask: Ask = Envelope("later")
            cell.post(ask)
            await ask.wait_settled()
            assert (ask.value, ask.stamp) == ("served", 5.5)
            await cell.stop(trio.current_time())

    explore(scenario, seeds=seeds(1000, share=50))


def test_an_actor_that_crashes_too_often_answers_its_mailbox_and_stays_down() -> None:
    """After the last allowed restart, queued envelopes are answered and new ones refused."""

    async def scenario(_world: World) -> None:
        diary = Diary()
        cell = cell_of(Echo(broken_lives=99), diary, max_restarts=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await trio.testing.wait_all_tasks_blocked()
            token = Token()
            ask: Ask = Envelope("hello", token)
            cell.post(ask)
            await ask.wait_settled()
            assert (_reason(ask), token.released) == ("down", 1)
            assert cell.state is ActorState.DOWN
            with pytest.raises(Refused) as refused:
                cell.post(Envelope("late"))
            assert refused.value.code == "down"
        assert [line for line, _ in diary.lines] == ["crashed", "restarted", "crashed", "down"]

    run(scenario)


def test_a_cell_that_never_opens_still_tells_its_starter() -> None:
    """``nursery.start`` returns for an actor that went down before its first life."""

    async def scenario(_world: World) -> None:
        cell = cell_of(Echo(broken_lives=99), Diary(), max_restarts=0)
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            assert cell.state is ActorState.DOWN

    run(scenario)


def test_draining_serves_what_was_accepted_and_cuts_at_the_deadline() -> None:
    """A drained actor finishes what it can until the deadline, and counts what it cut."""

    async def scenario(_world: World) -> None:
        async def job(ask: Ask) -> None:
            await trio.sleep(float(ask.payload))
            ask.decide("done", trio.current_time())

        diary = Diary()
        cell = cell_of(Echo(job), diary)
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            asks: list[Ask] = [Envelope(seconds) for seconds in ("1", "2", "30", "40")]
            for ask in asks:
                cell.post(ask)
            nursery.start_soon(cell.stop, 5.0)
            await trio.sleep(0.5)
            assert cell.state is ActorState.DRAINING
            with pytest.raises(Refused) as refused:
                cell.post(Envelope("1"))
            assert refused.value.code == "draining"
        assert trio.current_time() == 5.0
        assert [ask.value for ask in asks] == ["done", "done", None, None]
        assert [_reason(ask) for ask in asks[2:]] == ["stopped", "stopped"]
        assert diary.lines == [("drained", 2)]

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_drain_does_not_wait_for_the_pause_before_a_restart() -> None:
    """An actor that is stopped while it pauses serves its mailbox at once, and ends."""

    async def scenario(_world: World) -> None:
        cell = cell_of(Echo(broken_lives=1), Diary())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cell.run)
            await trio.testing.wait_all_tasks_blocked()
            ask: Ask = Envelope("hello")
            cell.post(ask)
            await cell.stop(100.0)
        assert ask.value == "hello"
        assert trio.current_time() == 0.0

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_job_runs_in_the_context_of_its_caller() -> None:
    """A context variable set by the caller is seen by the job, and not the other way round."""
    variable = contextvars.ContextVar("variable", default="unset")

    async def scenario(_world: World) -> None:
        async def job(ask: Ask) -> None:
            ask.decide(variable.get(), trio.current_time())
            variable.set("changed by the job")
            await trio.lowlevel.checkpoint()

        cell = cell_of(Echo(job), Diary())
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            variable.set("the caller's")
            ask: Ask = Envelope("hello")
            cell.post(ask)
            await ask.wait_settled()
            assert ask.value == "the caller's"
            assert variable.get() == "the caller's"
            await cell.stop(0.0)

    run(scenario)


def test_a_crash_in_the_instant_of_the_cut_stays_inside() -> None:
    """An actor that crashes while its jobs are being cut ends; nothing leaves the cell."""

    async def scenario(_world: World) -> None:
        async def job(ask: Ask) -> None:
            await trio.sleep(float(ask.payload))
            raise ActorCrash("broken")

        diary = Diary()
        cell = cell_of(Echo(job), diary)
        asks: list[Ask] = [Envelope("5"), Envelope("50")]
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            for ask in asks:
                cell.post(ask)
            await cell.stop(5.0)
        assert all(ask.decided and ask.settled for ask in asks)
        assert diary.lines[-1][0] == "drained"

    explore(scenario, seeds=seeds(1000))


def test_a_life_that_ends_by_its_resources_takes_nothing_more() -> None:
    """While its jobs still leave, the actor is restarting, and what is posted waits for that."""

    async def scenario(_world: World) -> None:
        class Failing(Echo):
            @asynccontextmanager
            async def _life(self) -> AsyncGenerator[None, None]:
                self.lives += 1
                async with trio.open_nursery() as nursery:
                    if self.lives == 1:
                        nursery.start_soon(_fail_later)
                    yield

        async def job(ask: Ask) -> None:
            with trio.CancelScope(shield=ask.payload == "slow"):
                await trio.sleep(3.0 if ask.payload == "slow" else 0.0)
            ask.decide(ask.payload, trio.current_time())

        cell = cell_of(Failing(job), Diary())
        async with trio.open_nursery() as nursery:
            await nursery.start(cell.run)
            slow: Ask = Envelope("slow")
            cell.post(slow)
            await trio.sleep(2.0)
            assert cell.state is ActorState.RESTARTING
            late: Ask = Envelope("late")
            cell.post(late)
            await late.wait_settled()
            assert (slow.value, late.value) == ("slow", "late")
            await cell.stop(10.0)

    explore(scenario, seeds=seeds(1000, share=50))


async def _fail_later() -> None:
    await trio.sleep(1.0)
    raise OSError("the resources are gone")
