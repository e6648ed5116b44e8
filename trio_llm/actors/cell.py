"""A supervised actor: its mailbox, its loop, its jobs, its restarts.

Each request runs as its own task in the actor's nursery, so a slow one never
stands in the way of the next, and an actor may ask itself. Admission is one
synchronous step from the mailbox to a job: an envelope is either in the one or in
the other, never in between. While the actor stands idle at an empty mailbox the
step is taken at once, in `post`; otherwise envelopes queue, in order, and the
actor's loop admits them when it is there again.
"""

import contextvars
import enum
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Protocol, TypeVar

import trio

from trio_llm.actors.envelope import Envelope
from trio_llm.actors.restart import RestartIntensity

P = TypeVar("P")
V = TypeVar("V")


class ActorState(enum.Enum):
    """Where an actor is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    DRAINING = "draining"
    DOWN = "down"


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """The mailbox did not take the envelope; `code` says why.

    ``mailbox_full``, ``draining`` or ``down``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ActorCrash(Exception):  # noqa: N818 - a signal to the supervisor
    """Raised inside a job to say that the actor itself is broken.

    Any other exception of a job fails that request only. This one ends the
    actor's present life: every job in it is answered, and it is restarted.
    """


class Behaviour(Protocol[P, V]):
    """What an actor does."""

    @property
    def name(self) -> str:
        """The actor's name."""
        ...

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open what one life of the actor needs; closed before the next life."""
        ...

    async def serve(self, envelope: Envelope[P, V], /) -> None:
        """Run one request: decide the envelope, and clean up."""
        ...

    def unanswered(self, reason: str, cause: BaseException | None, /) -> Exception:
        """Make the error for an envelope that got no answer.

        Args:
            reason: ``crashed``, ``stopped``, ``cancelled``, ``draining`` or ``down``.
            cause: What was raised, if anything was.
        """
        ...


class Lifecycle(Protocol):
    """Who wants to know how an actor fares."""

    def actor_crashed(self, name: str, error: BaseException, /) -> None:
        """The actor's loop, its resources, or an `ActorCrash` ended its life."""
        ...

    def actor_restarted(self, name: str, delay: float, /) -> None:
        """A new life begins after `delay` seconds of pause."""
        ...

    def actor_down(self, name: str, /) -> None:
        """Too many crashes; the actor stays down."""
        ...

    def actor_drained(self, name: str, unfinished: int, /) -> None:
        """The actor has stopped; `unfinished` requests had to be cut."""
        ...


class Cell(Generic[P, V]):
    """One actor: post envelopes to it, run it in a nursery, stop it."""

    def __init__(
        self,
        behaviour: Behaviour[P, V],
        *,
        capacity: int,
        intensity: RestartIntensity,
        lifecycle: Lifecycle,
    ) -> None:
        self._behaviour = behaviour
        self._job_name = f"trio_llm job of {behaviour.name}"
        self._intensity = intensity
        self._lifecycle = lifecycle
        self._send, self._receive = trio.open_memory_channel[Envelope[P, V]](capacity)
        self._scope = trio.CancelScope()
        self._pause = trio.CancelScope()
        self._ended = trio.Event()
        self._idle_nursery: trio.Nursery | None = None
        self._jobs = 0
        self._cut = 0
        self.state = ActorState.STARTING

    @property
    def name(self) -> str:
        """The actor's name."""
        return self._behaviour.name

    @property
    def jobs(self) -> int:
        """How many requests are running."""
        return self._jobs

    @property
    def queued(self) -> int:
        """How many envelopes lie in the mailbox."""
        return self._send.statistics().current_buffer_used

    def post(self, envelope: Envelope[P, V]) -> None:
        """Put an envelope into the mailbox, at once or not at all.

        Raises:
            Refused: The mailbox is full, or the actor is draining or down. The
                envelope has settled, so its lease is released.
        """
        if self.state is ActorState.DRAINING or self.state is ActorState.DOWN:
            envelope.settle()
            raise Refused(self.state.value)
        if self._idle_nursery is not None:
            self._admit(self._idle_nursery, envelope)
            return
        envelope.context = contextvars.copy_context()
        try:
            self._send.send_nowait(envelope)
        except trio.WouldBlock:
            envelope.settle()
            raise Refused("mailbox_full") from None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Live, crash and live again, until stopped or down."""
        started = False
        try:
            with self._scope:
                while True:
                    try:
                        async with self._behaviour.resources():
                            if self.state is not ActorState.DRAINING:
                                self.state = ActorState.RUNNING
                            if not started:
                                started = True
                                task_status.started()
                            await self._live()
                    except Exception as error:  # noqa: BLE001 - the supervisor's one duty
                        if not await self._recover(error):
                            break
                    else:
                        break
        except Exception as error:  # noqa: BLE001 - what cut jobs raised on their way out
            self._lifecycle.actor_crashed(self.name, error)
        finally:
            self._close()
        if not started:
            task_status.started()

    async def _live(self) -> None:
        async with trio.open_nursery() as jobs:
            try:
                while True:
                    try:
                        envelope = self._receive.receive_nowait()
                    except trio.WouldBlock:
                        self._idle_nursery = jobs
                        envelope = await self._receive.receive()
                    self._admit(jobs, envelope)
            except trio.EndOfChannel:
                pass  # closed and empty: the jobs still run to their ends
            finally:
                self._break()

    def _admit(self, jobs: trio.Nursery, envelope: Envelope[P, V]) -> None:
        if not envelope.settled:
            envelope.accepted = True
            self._jobs += 1
            if envelope.context is None:  # admitted by its caller, in its context
                self._start(jobs, envelope)
            else:
                envelope.context.run(self._start, jobs, envelope)

    def _start(self, jobs: trio.Nursery, envelope: Envelope[P, V]) -> None:
        jobs.start_soon(self._job, envelope, name=self._job_name)

    async def _job(self, envelope: Envelope[P, V]) -> None:
        reason = "stopped"
        cause: Exception | None = None
        try:
            with envelope.scope:
                await self._behaviour.serve(envelope)
            if envelope.scope.cancelled_caught:
                reason = "cancelled"
        except ActorCrash as error:
            reason, cause = "crashed", error
            self._break()
            raise
        except Exception as error:  # noqa: BLE001 - a crash harms its own request only
            reason, cause = "crashed", error
        finally:
            self._jobs -= 1
            if not envelope.decided:
                if reason == "stopped" and self.state is ActorState.DRAINING:
                    self._cut += 1
                envelope.fail(self._behaviour.unanswered(reason, cause), trio.current_time())
            envelope.settle()

    def _break(self) -> None:
        """Take nothing more in this life, which may need a while to close."""
        self._idle_nursery = None
        if self.state is ActorState.RUNNING:
            self.state = ActorState.RESTARTING

    async def _recover(self, error: Exception) -> bool:
        """Note a crash and pause before the next life; false means that there is none."""
        self._lifecycle.actor_crashed(self.name, error)
        if self.state is ActorState.DRAINING and not self.queued:
            return False  # stopping, with nobody left to serve: there is nothing to live for
        delay = self._intensity.crashed(trio.current_time())
        if delay is None:
            self.state = ActorState.DOWN
            self._lifecycle.actor_down(self.name)
            return False
        if self.state is not ActorState.DRAINING:
            self.state = ActorState.RESTARTING
            with self._pause:
                await trio.sleep(delay)
            self._pause = trio.CancelScope()
        self._lifecycle.actor_restarted(self.name, delay)
        return True

    def _close(self) -> None:
        """Answer what is still queued, then let nothing more in."""
        was_down = self.state is ActorState.DOWN
        reason = "down" if was_down else "draining"
        self.state = ActorState.DOWN
        while True:
            try:
                envelope = self._receive.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                break
            envelope.fail(self._behaviour.unanswered(reason, None), trio.current_time())
            envelope.settle()
        self._receive.close()
        self._send.close()
        if not was_down:
            self._lifecycle.actor_drained(self.name, self._cut)
        self._ended.set()

    def drain(self) -> None:
        """Take nothing new; what was accepted or queued is still served."""
        if self.state is not ActorState.DOWN:
            self.state = ActorState.DRAINING
            self._send.close()
            self._pause.cancel(reason="draining")

    async def stop(self, deadline: float) -> None:
        """Drain, and cut what is unfinished at the deadline (Trio's clock)."""
        self.drain()
        with trio.move_on_at(deadline):
            await self._ended.wait()
        self.cut("the drain deadline passed")
        await self._ended.wait()

    def cut(self, reason: str) -> None:
        """Take nothing new, and cancel what is unfinished."""
        self.drain()
        self._scope.cancel(reason=reason)


AnyCell = Cell[Any, Any]
