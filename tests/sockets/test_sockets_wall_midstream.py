"""The wall of faults behind the commit: a stream breaks when its consumer has text already.

Each `Break` of `tests.sockets.wall_faults` in every dialect, under each policy: what the
consumer got, what is on record, and what both servers saw.
"""

from typing import Literal, TypeAlias

import attrs
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.sockets.socket_scenes import KINDS, jump_when_blocked
from tests.sockets.wall_case import HEALTHY, PARTIAL, Break
from tests.sockets.wall_faults import BREAKS
from tests.sockets.wall_scene import Scene, open_wall
from trio_llm import (
    AllProvidersFailed,
    AttemptOutcome,
    Finished,
    OnInterrupt,
    Reply,
    ServerError,
    StreamInterruptedError,
    Switched,
    TextDelta,
    events,
)
from trio_llm.testing.upstream import Behaviour, Served, ServedOutcome
from trio_llm.wire import DIALECTS

Policy: TypeAlias = Literal["fail", "restart", "resume"]

BROKEN = pytest.mark.parametrize("brick", [pytest.param(brick, id=brick.name) for brick in BREAKS])
EVERYWHERE = pytest.mark.parametrize("dialect", list(KINDS))


@attrs.define
class Consumed:
    """What a consumer got.

    Attributes:
        pieces: Text and switches, in order.
        reply: The reply, if the stream ended well.
        error: The error, if it did not.
    """

    pieces: list[str | Switched] = attrs.field(factory=list[str | Switched])
    reply: Reply | None = None
    error: StreamInterruptedError | None = None


async def _consume(scene: Scene, policy: Policy | None) -> Consumed:
    """Take a stream, and let the time pass that each further piece takes."""
    got = Consumed()
    try:
        async with scene.llm.stream("hello", on_interrupt=policy) as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    got.pieces.append(event.text)
                    late = len(got.pieces) == 2 and scene.case.passes
                    scene.let_pass(scene.case.passes if late else 1.0)
                elif isinstance(event, Switched):
                    got.pieces.append(event)
                else:
                    assert isinstance(event, Finished)
            got.reply = stream.reply
    except StreamInterruptedError as error:
        got.error = error
    return got


async def _assert_told(scene: Scene, brick: Break, got: Reply | StreamInterruptedError) -> None:
    """Demand the record and the charge of the attempt that broke, and its end at the server."""
    first = got.attempts[0]
    assert (first.provider, first.outcome) == ("bad", AttemptOutcome.FAILED)
    assert first.error == brick.error.__name__
    assert first.time_to_first_token is not None
    (served,) = scene.bad.served
    assert await served.wait_finished() is brick.seen
    bad, good = scene.status("bad"), scene.status("good")
    assert [(one.failures, one.breaker) for one in (bad, good)] == [(1, "closed"), (0, "closed")]
    broken = [event for event in scene.log if isinstance(event, events.AttemptFailed)]
    assert [(event.actor, event.error) for event in broken] == [("bad", brick.error.__name__)]


async def _whole(scene: Scene) -> Served:
    """Give the one request that the healthy member's server saw, and answered to its end."""
    (served,) = scene.good.served
    assert await served.wait_finished() is ServedOutcome.COMPLETED
    return served


def _asked(served: Served) -> list[tuple[str, str]]:
    """Read the conversation that a server was sent."""
    assert served.dialect is not None
    request = DIALECTS[served.dialect].parse(served.path, served.body).request
    return [(message.role, message.text) for message in request.messages]


@pytest.mark.parametrize("policy", ["fail", None], ids=["fail", "default"])
@EVERYWHERE
@BROKEN
async def test_by_default_the_consumer_gets_the_error_and_its_partial_text(
    clock: MockClock, brick: Break, dialect: str, policy: Policy | None
) -> None:
    """No other member is asked: the consumer has seen text already."""
    async with open_wall(clock, brick, dialect) as scene:
        got = await _consume(scene, policy)
        error = got.error
        assert error is not None
        assert (error.partial_text, error.provider, error.model) == (PARTIAL, "bad", "bad")
        assert got.pieces == ["Hello", ", "]
        cause = error if brick.error is StreamInterruptedError else error.__cause__
        assert type(cause) is brick.error
        assert len(error.attempts) == 1
        await _assert_told(scene, brick, error)
        assert scene.good.served == []


@EVERYWHERE
@BROKEN
async def test_by_restart_the_healthy_member_answers_anew(
    clock: MockClock, brick: Break, dialect: str
) -> None:
    """The consumer is told, and gets a whole answer to the same prompt."""
    async with open_wall(clock, brick, dialect) as scene:
        got = await _consume(scene, "restart")
        *partial, switch, text = got.pieces
        assert (partial, text) == (["Hello", ", "], HEALTHY)
        assert isinstance(switch, Switched)
        assert (switch.failed, switch.provider, switch.model) == ("bad", "good", "good")
        assert switch.policy is OnInterrupt.RESTART
        await _assert_switched(scene, brick, got, HEALTHY)
        assert _asked(await _whole(scene)) == [("user", "hello")]


@EVERYWHERE
@BROKEN
async def test_by_resume_the_healthy_member_goes_on_with_the_text(
    clock: MockClock, brick: Break, dialect: str
) -> None:
    """It is sent the text so far, and the consumer gets one text of both."""
    async with open_wall(clock, brick, dialect) as scene:
        scene.good.script = Behaviour(chunks=("wor", "ld"))
        got = await _consume(scene, "resume")
        first, second, switch, *others = got.pieces
        assert (first, second, others) == ("Hello", ", ", ["wor", "ld"])
        assert isinstance(switch, Switched)
        assert (switch.failed, switch.provider, switch.model) == ("bad", "good", "good")
        assert switch.policy is OnInterrupt.RESUME
        await _assert_switched(scene, brick, got, "Hello, world")
        # White space at the end of a text to go on with is refused by some.
        assert _asked(await _whole(scene)) == [("user", "hello"), ("assistant", "Hello,")]


async def _assert_switched(scene: Scene, brick: Break, got: Consumed, text: str) -> None:
    """Demand a reply of the healthy member, with both attempts and the switch on record."""
    reply = got.reply
    assert reply is not None
    assert (reply.text, reply.provider) == (text, "good")
    assert reply.metadata["switched_from"] == ("bad",)
    assert [attempt.provider for attempt in reply.attempts] == ["bad", "good"]
    assert reply.attempts[1].outcome is AttemptOutcome.SUCCEEDED
    await _assert_told(scene, brick, reply)
    switched = [event for event in scene.log if isinstance(event, events.StreamSwitched)]
    assert [(event.failed, event.provider) for event in switched] == [("bad", "good")]


@pytest.mark.parametrize("policy", ["restart", "resume"])
@BROKEN
async def test_a_balancer_can_have_the_policy_too(
    clock: MockClock, brick: Break, policy: Policy
) -> None:
    """A call that says nothing goes by what its balancer says."""
    async with open_wall(clock, brick, "openai_chat", on_interrupt=policy) as scene:
        got = await _consume(scene, None)
        (switch,) = [piece for piece in got.pieces if isinstance(piece, Switched)]
        assert switch.policy is OnInterrupt(policy)
        await _assert_switched(
            scene, brick, got, HEALTHY if policy == "restart" else PARTIAL + HEALTHY
        )


@pytest.mark.parametrize("policy", ["restart", "resume"])
@BROKEN
async def test_a_break_that_comes_before_the_consumer_has_looked_is_not_seen(
    clock: MockClock, brick: Break, policy: Policy
) -> None:
    """Text that nobody has taken is dropped, and the whole answer is the healthy member's."""
    async with open_wall(clock, brick, "openai_chat") as scene:
        async with scene.llm.stream("hello", on_interrupt=policy) as stream:
            for seconds in (1.0, 1.0, brick.passes):
                await jump_when_blocked(clock, scene.bad, 1, seconds)
            await wait_all_tasks_blocked()
            got = [event async for event in stream]
        assert [event for event in got if not isinstance(event, Finished)] == [TextDelta(HEALTHY)]
        assert (stream.reply.provider, stream.reply.text) == ("good", HEALTHY)
        await _assert_told(scene, brick, stream.reply)
        assert _asked(await _whole(scene)) == [("user", "hello")]


@pytest.mark.parametrize("policy", ["restart", "resume"])
@BROKEN
async def test_nobody_is_left_to_go_on(clock: MockClock, brick: Break, policy: Policy) -> None:
    """With the other member down too, the break is the error, and it holds all the others."""
    async with open_wall(clock, brick, "openai_chat") as scene:
        scene.good.script = Behaviour(status=500)
        got = await _consume(scene, policy)
        assert got.error is not None
        assert (got.error.partial_text, got.error.provider) == (PARTIAL, "bad")
        assert got.pieces == ["Hello", ", "]
        assert isinstance(got.error.__cause__, AllProvidersFailed)
        causes = {(type(error), error.provider) for error in got.error.__cause__.errors}
        assert causes == {(StreamInterruptedError, "bad"), (ServerError, "good")}
        assert [attempt.provider for attempt in got.error.attempts] == ["bad", "good"]
        assert [served.model for served in scene.good.served] == ["good"]
