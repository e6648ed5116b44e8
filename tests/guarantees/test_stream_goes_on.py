"""What happens when a stream breaks after it has begun: `on_interrupt`."""

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import (
    AllProvidersFailed,
    Config,
    Fallback,
    LoadBalance,
    OnInterrupt,
    Provider,
    Race,
    Reply,
    ReplyStream,
    Request,
    ServerError,
    StreamInterruptedError,
    Switched,
    TextDelta,
    Tool,
)
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Cuts, Fails, Stalls, World, explore, run, seeds

BROKEN = Cuts(pieces=2, text="abcdef", gap=1.0)
"""Gives ``abcd`` in two pieces, one second apart, and breaks a second later."""


@attrs.define
class Consumed:
    """What a consumer saw: events in order, and how it ended."""

    events: list[object] = attrs.field(factory=list[object])
    reply: Reply | None = None
    error: StreamInterruptedError | None = None

    @property
    def text(self) -> str:
        """All text in the order in which it came."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def switches(self) -> list[Switched]:
        """The switches among the events."""
        return [event for event in self.events if isinstance(event, Switched)]


async def _consume(stream: ReplyStream, into: Consumed, pause: float = 0.0) -> None:
    try:
        async for event in stream:
            into.events.append(event)
            await trio.sleep(pause)
        into.reply = stream.reply
    except StreamInterruptedError as error:
        into.error = error


def _go_on(cast: Cast, tree: Member, policy: str | None = None, wait: float = 0.0) -> Consumed:
    """Consume one stream over a tree, beginning `wait` seconds after its commit."""
    seen = Consumed()

    async def scenario(world: World) -> None:
        async with world.open(Config(default=tree)) as llm:
            async with llm.stream("hi", on_interrupt=policy) as stream:  # type: ignore[arg-type]
                await trio.sleep(wait)
                await _consume(stream, seen)
            assert_idle(cast, llm)

    run(scenario)
    return seen


def _resumes(work: Work) -> Answers:
    """Answer ``abcdef``, or what is missing of it."""
    request = work.conversation
    begun = request.messages[-1].text if request.continuation else ""
    assert "abcdef".startswith(begun)
    return Answers("abcdef"[len(begun) :], pieces=2)


def test_by_default_a_broken_stream_is_an_error_with_the_partial_text() -> None:
    """Without a policy nobody goes on, even where another member could."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", Answers("whole"))])
    seen = _go_on(cast, tree)
    assert seen.error is not None
    assert (seen.error.partial_text, seen.text, seen.switches) == ("abcd", "abcd", [])
    assert cast.scripts["b"].started == 0


def test_a_restart_is_visible_once_something_was_delivered() -> None:
    """The consumer gets a `Switched` event, then the whole answer of the next member."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", Answers("whole"))])
    seen = _go_on(cast, tree, "restart")
    (switch,) = seen.switches
    assert (switch.failed, switch.provider) == ("a", "b")
    assert switch.policy is OnInterrupt.RESTART
    assert seen.text == "abcdwhole"
    assert seen.reply is not None
    assert (seen.reply.text, seen.reply.provider) == ("whole", "b")
    assert seen.reply.metadata["switched_from"] == ("a",)
    assert [attempt.provider for attempt in seen.reply.attempts] == ["a", "b"]


def test_a_restart_is_not_seen_while_nothing_was_delivered() -> None:
    """What the broken member gave is dropped when the consumer has taken none of it."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", Answers("whole"))])
    seen = _go_on(cast, tree, "restart", wait=5.0)
    assert (seen.switches, seen.text) == ([], "whole")


def test_a_resumed_stream_is_one_text() -> None:
    """The next member goes on where the text broke off, and the reply holds all of it."""
    cast = Cast()
    tree = Fallback(
        [cast.provider("a", BROKEN), cast.provider("b", _resumes, continues=True)],
        on_interrupt=OnInterrupt.RESUME,
    )
    seen = _go_on(cast, tree)
    (switch,) = seen.switches
    assert switch.policy is OnInterrupt.RESUME
    assert seen.text == "abcdef"
    assert seen.reply is not None
    assert (seen.reply.text, seen.reply.provider) == ("abcdef", "b")


def test_white_space_at_the_break_is_neither_lost_nor_doubled() -> None:
    """A text that broke off behind a space goes on with one, whoever gives it."""

    def go_on_with(rest: str) -> str:
        cast = Cast()
        cut = Cuts(pieces=1, text="one  two", gap=1.0)  # gives "one "
        tree = Fallback(
            [cast.provider("a", cut), cast.provider("b", Answers(rest, pieces=4), continues=True)]
        )
        seen = _go_on(cast, tree, "resume")
        assert seen.reply is not None
        assert seen.text == seen.reply.text
        return seen.text

    assert go_on_with(" two") == "one two"
    assert go_on_with("two") == "one two"
    assert go_on_with("  two") == "one  two"


def test_only_members_that_can_go_on_are_asked_to() -> None:
    """A member whose interface cannot continue an answer is passed over, and the error says so."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", Answers("whole"))])
    seen = _go_on(cast, tree, "resume")
    assert seen.error is not None
    assert seen.error.partial_text == "abcd"
    assert isinstance(seen.error.__cause__, AllProvidersFailed)
    assert "cannot go on" in str(seen.error.__cause__)
    assert cast.scripts["b"].started == 0


def test_a_stream_with_tools_is_not_resumed() -> None:
    """With tools in play the partial text is not the whole state of an answer."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", _resumes, continues=True)])
    seen = Consumed()

    async def scenario(world: World) -> None:
        request = Request(messages="hi", tools=(Tool("look"),), on_interrupt="resume")
        async with world.open(Config(default=tree)) as llm, llm.stream(request) as stream:
            await _consume(stream, seen)

    run(scenario)
    assert seen.error is not None
    assert cast.scripts["b"].started == 0


def test_it_breaks_again_and_again_until_a_member_holds() -> None:
    """Each break asks the next member; every one of them is told."""
    cast = Cast()
    breaking = [cast.provider(name, BROKEN) for name in "abc"]
    tree = Fallback([*breaking, cast.provider("d", Answers("whole"))])
    seen = _go_on(cast, tree, "restart")
    assert [(each.failed, each.provider) for each in seen.switches] == [
        ("a", "b"),
        ("b", "c"),
        ("c", "d"),
    ]
    assert seen.reply is not None
    assert seen.reply.text == "whole"
    assert seen.reply.metadata["switched_from"] == ("a", "b", "c")


def test_when_nobody_can_go_on_all_errors_are_in_the_one_that_is_raised() -> None:
    """The break stays the error, with its partial text; what the others said is its cause."""
    cast = Cast()
    tree = Fallback(
        [
            cast.provider("a", BROKEN),
            cast.provider("b", Fails(ServerError)),
            cast.provider("c", BROKEN),
        ]
    )
    seen = _go_on(cast, tree, "restart")
    assert seen.error is not None
    assert (seen.error.provider, seen.error.partial_text) == ("c", "abcd")
    cause = seen.error.__cause__
    assert isinstance(cause, AllProvidersFailed)
    assert [type(error) for error in cause.errors] == [
        StreamInterruptedError,
        ServerError,
        StreamInterruptedError,
    ]


def test_an_outer_balancer_goes_on_when_the_inner_one_cannot() -> None:
    """A race inside a fallback breaks with all its members; the fallback's next one goes on."""
    cast = Cast()
    inner = Race([cast.provider("a", BROKEN), cast.provider("b", Cuts(1, "xyz", after=1.0))])
    tree = Fallback([inner, LoadBalance([cast.provider("c", Answers("whole"))])])
    seen = _go_on(cast, tree, "restart")
    assert seen.reply is not None
    assert (seen.reply.text, seen.reply.provider) == ("whole", "c")
    assert [(each.failed, each.provider) for each in seen.switches] == [("a", "b"), ("b", "c")]


def test_the_policy_of_the_call_goes_before_that_of_the_balancer() -> None:
    """`on_interrupt="fail"` in a call holds where the balancer would restart."""
    cast = Cast()
    tree = Fallback(
        [cast.provider("a", BROKEN), cast.provider("b", Answers("whole"))], on_interrupt="restart"
    )
    assert _go_on(cast, tree).reply is not None
    assert _go_on(cast, tree, "fail").error is not None


def test_text_alone_never_joins_two_answers() -> None:
    """`text()` raises, with what it gave, when an answer begins anew behind it."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", Answers("whole"))])

    async def scenario(world: World) -> None:
        async def read(stream: ReplyStream) -> None:
            async for _ in stream.text():
                pass

        async with (
            world.open(Config(default=tree)) as llm,
            llm.stream("hi", on_interrupt="restart") as stream,
        ):
            with pytest.raises(StreamInterruptedError) as caught:
                await read(stream)
        assert caught.value.partial_text == "abcd"

    run(scenario)


def test_the_attempts_of_a_call_cap_those_that_go_on() -> None:
    """`max_attempts` holds across a break."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", Answers("whole"))])

    async def scenario(world: World) -> None:
        seen = Consumed()
        async with (
            world.open(Config(default=tree)) as llm,
            llm.stream("hi", on_interrupt="restart", max_attempts=1) as stream,
        ):
            await _consume(stream, seen)
        assert seen.error is not None
        assert cast.scripts["b"].started == 0

    run(scenario)


def test_a_consumer_that_leaves_while_others_go_on_leaves_nothing_behind() -> None:
    """At whatever moment a consumer leaves or is cancelled, nothing of the stream runs on."""

    async def scenario(world: World) -> None:
        cast = Cast()
        slow = world.rng.choice((Answers("late", after=3.0, pieces=4, gap=1.0), Stalls()))
        inner = Fallback([cast.provider("a", BROKEN), cast.provider("b", slow)])
        tree = Race([inner, cast.provider("c", Stalls())])
        async with world.open(Config(default=tree)) as llm:
            with trio.move_on_after(world.rng.choice((0.0, 1.0, 2.0, 2.5, 4.0, 6.0))):
                async with llm.stream("hi", on_interrupt="restart") as stream:
                    async for _ in stream:
                        if world.rng.random() < 0.2:
                            break
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


def test_what_a_consumer_gets_does_not_depend_on_the_scheduler() -> None:
    """A tree of members that break gives one and the same events on every schedule."""

    def consumed(schedule: int) -> tuple[str, str, tuple[str, ...]]:
        async def scenario(world: World) -> tuple[str, str, tuple[str, ...]]:
            cast = Cast()
            inner = Race([cast.provider("a", BROKEN), cast.provider("b", BROKEN)])
            tree = Fallback([inner, cast.provider("c", Answers("whole", after=1.0, pieces=3))])
            seen = Consumed()
            async with world.open(Config(default=tree)) as llm:
                async with llm.stream("hi", on_interrupt="restart") as stream:
                    await _consume(stream, seen, pause=0.25)
                assert_idle(cast, llm)
            assert seen.reply is not None
            return seen.text, seen.reply.provider, tuple(each.provider for each in seen.switches)

        return run(scenario, schedule=schedule).value

    assert {consumed(schedule) for schedule in seeds(1000, share=50)} == {
        ("abcdabcdwhole", "c", ("b", "c"))
    }


def test_provider_alone_has_nobody_to_go_on() -> None:
    """At a single provider every policy is `fail`."""
    cast = Cast()
    tree: Provider = cast.provider("a", BROKEN)
    assert _go_on(cast, tree, "restart").error is not None
