"""A stream that breaks in a tree: who goes on with it, and what its consumer is told."""

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import (
    AllProvidersFailed,
    Completion,
    Config,
    Fallback,
    Hedge,
    LoadBalance,
    OnInterrupt,
    ProviderStatus,
    Race,
    Reply,
    Request,
    Runtime,
    ServerError,
    StreamInterruptedError,
    Switched,
    TextDelta,
    Tool,
)
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    CallsTool,
    Cuts,
    Fails,
    Stalls,
    Step,
    World,
    explore,
    run,
    seeds,
)

BROKEN = Cuts(pieces=2, text="abcdef", gap=1.0)
"""Gives ``abcd`` in two pieces, one second apart, and breaks a second later."""

AT_ONCE = Cuts(pieces=1, text="abcdef")
"""Gives ``abc`` and breaks in the same instant."""


@attrs.define
class Seen:
    """What a consumer saw, and how it ended."""

    text: str = ""
    switches: list[Switched] = attrs.field(factory=list[Switched])
    reply: Reply | None = None
    error: StreamInterruptedError | None = None
    told: list[str] = attrs.field(factory=list[str])

    @property
    def policies(self) -> list[OnInterrupt]:
        """How each switch was said to go on."""
        return [switch.policy for switch in self.switches]


async def _read(world: World, tree: Member, seen: Seen, request: Request, wait: float) -> None:
    async with world.open(Config(default=tree)) as llm, llm.stream(request) as stream:
        await trio.sleep(wait)
        try:
            async for event in stream:
                if isinstance(event, TextDelta):
                    seen.text += event.text
                elif isinstance(event, Switched):
                    seen.switches.append(event)
                    seen.told.append(stream.provider)
            seen.reply = stream.reply
        except StreamInterruptedError as error:
            seen.error = error


def _consume(
    tree: Member, policy: OnInterrupt | None = None, *, wait: float = 0.0, tool: bool = False
) -> Seen:
    """Read one stream over a tree to its end, beginning `wait` seconds after its commit."""
    seen = Seen()
    tools = (Tool("look"),) if tool else ()
    request = Request(messages="hi", on_interrupt=policy, tools=tools)
    run(lambda world: _read(world, tree, seen, request, wait))
    return seen


def test_a_stream_that_was_already_gone_on_with_below_can_be_gone_on_with_above() -> None:
    """What breaks, is gone on with and breaks again behind a race's barrier still reaches its end.

    The consumer gets all the text of the reply, on every schedule.
    """

    async def scenario(world: World) -> None:
        cast, seen = Cast(), Seen()
        inner = Fallback([cast.provider("a", AT_ONCE), cast.provider("b", AT_ONCE)])
        tree = Race([inner, cast.provider("c", Answers("whole", after=3.0))])
        request = Request(messages="hi", on_interrupt="restart")
        await _read(world, tree, seen, request, 0.0)
        assert seen.reply is not None
        assert (seen.reply.text, seen.reply.provider) == ("whole", "c")
        assert seen.text.endswith("whole")

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_consumer_can_be_cancelled_while_the_level_above_goes_on() -> None:
    """Its deadline holds, though the members below have all broken before it began to read."""

    async def scenario(world: World) -> None:
        cast = Cast()
        inner = Fallback([cast.provider("a", AT_ONCE), cast.provider("b", AT_ONCE)])
        tree = Race([inner, cast.provider("c", Stalls())])
        async with world.open(Config(default=tree)) as llm:
            with trio.move_on_after(5.0) as scope:
                async with llm.stream("hi", on_interrupt="restart") as stream:
                    async for _ in stream:
                        pass
            assert scope.cancelled_caught
            assert trio.current_time() == 5.0
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize("policy", [OnInterrupt.RESTART, OnInterrupt.RESUME])
def test_who_answers_is_known_however_deep_it_stands(policy: OnInterrupt) -> None:
    """The reply and the stream name the last provider, and the reply all that broke before it."""
    cast = Cast()
    inner = Fallback(
        [
            cast.provider("b", BROKEN, continues=True),
            cast.provider("c", BROKEN, continues=True),
        ]
    )
    tree = Fallback(
        [cast.provider("a", BROKEN), inner, cast.provider("d", Answers("end"), continues=True)]
    )
    seen = _consume(tree, policy)
    assert [(each.failed, each.provider) for each in seen.switches] == [
        ("a", "b"),
        ("b", "c"),
        ("c", "d"),
    ]
    assert seen.told == ["b", "c", "d"]
    assert seen.reply is not None
    assert seen.reply.provider == "d"
    assert seen.reply.metadata["switched_from"] == ("a", "b", "c")


def test_who_answers_at_the_end_stands_below() -> None:
    """A balancer that goes on, and goes on itself, gives the reply of its last member."""
    cast = Cast()
    inner = Fallback([cast.provider("b", BROKEN), cast.provider("c", Answers("end"))])
    seen = _consume(Fallback([cast.provider("a", BROKEN), inner]), OnInterrupt.RESTART)
    assert seen.reply is not None
    assert (seen.reply.text, seen.reply.provider) == ("end", "c")
    assert seen.reply.metadata["switched_from"] == ("a", "b")


@pytest.mark.parametrize("below", list(OnInterrupt))
def test_a_resumed_stream_stays_one_text_whatever_the_levels_below_do(below: OnInterrupt) -> None:
    """Members are asked to go on with all the text so far, in one message, and it is never void."""
    cast = Cast()
    asked: list[list[str]] = []

    def goes_on(step: Step, work: Work) -> Step:
        asked.append([message.text for message in work.conversation.messages])
        return step

    inner = Fallback(
        [
            cast.provider(
                "b", lambda work: goes_on(Cuts(1, "efgh", gap=1.0), work), continues=True
            ),
            cast.provider("c", lambda work: goes_on(Answers("gh"), work), continues=True),
        ],
        on_interrupt=below,
    )
    seen = _consume(Fallback([cast.provider("a", BROKEN), inner], on_interrupt="resume"))
    assert asked == [["hi", "abcd"], ["hi", "abcdef"]]
    assert seen.text == "abcdefgh"
    assert seen.policies == [OnInterrupt.RESUME, OnInterrupt.RESUME]
    assert seen.reply is not None
    assert seen.reply.text == "abcdefgh"


@pytest.mark.parametrize("policy", [OnInterrupt.RESTART, OnInterrupt.RESUME])
def test_what_nobody_had_read_at_the_break_is_not_given_any_more(policy: OnInterrupt) -> None:
    """Who begins to read while another member is being asked gets the one answer of that."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", Answers("whole", after=5.0))])
    seen = _consume(tree, policy, wait=4.0)  # it broke two seconds after its commit
    assert (seen.text, seen.switches) == ("whole", [])


def test_what_nobody_had_read_is_given_when_nobody_goes_on() -> None:
    """The text that came before the break comes before the error."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", Fails(after=5.0))])
    seen = _consume(tree, OnInterrupt.RESTART, wait=4.0)
    assert seen.error is not None
    assert (seen.text, seen.error.partial_text) == ("abcd", "abcd")


def test_calls_of_tools_that_were_read_are_never_made_anew_by_resume() -> None:
    """A stream with tools cannot be resumed, even if it broke before any text."""

    @attrs.frozen
    class Breaks:
        async def play(self, work: Work) -> Completion:
            """Call, and break."""
            await CallsTool().play(work)
            await trio.sleep(1.0)
            raise StreamInterruptedError("scripted cut")

    cast = Cast()
    breaks: Step = Breaks()
    tree = Fallback([cast.provider("a", breaks), cast.provider("b", CallsTool(), continues=True)])
    seen = _consume(tree, OnInterrupt.RESUME, tool=True)
    assert seen.error is not None
    assert cast.scripts["b"].started == 0


def _cut(tree: Member, policy: OnInterrupt) -> StreamInterruptedError:
    """Close the runtime while a stream is read; give the error of that."""
    seen = Seen()

    async def consumer(llm: Runtime) -> None:
        async with llm.stream("hi", on_interrupt=policy) as stream:
            try:
                async for _ in stream:
                    pass
            except StreamInterruptedError as error:
                seen.error = error

    async def scenario(world: World) -> None:
        config = Config(default=tree, drain_deadline=20.0)
        async with trio.open_nursery() as nursery, world.open(config) as llm:
            nursery.start_soon(consumer, llm)
            await trio.sleep(5.0)

    run(scenario)
    assert seen.error is not None
    return seen.error


def test_a_stream_that_is_cut_while_another_goes_on_fails_with_the_text_of_that() -> None:
    """At the drain deadline the error is that of who answered last, with what it gave."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", Stalls(1, "uvw"))])
    error = _cut(tree, OnInterrupt.RESTART)
    assert (error.provider, error.partial_text) == ("b", "uvw")
    cause = error.__cause__
    assert isinstance(cause, AllProvidersFailed)
    assert [each.provider for each in cause.errors] == ["a", "b"]


@attrs.frozen
class _ClingsOn:
    """Gives some text, and then does not leave when it is cancelled."""

    async def play(self, work: Work) -> Completion:
        """Begin, and stay."""
        if work.sink is not None:
            await work.sink.put([TextDelta("ef")])
        with trio.CancelScope(shield=True):
            await trio.sleep(60.0)
        await trio.lowlevel.checkpoint()
        raise AssertionError("unreachable")


def test_a_cut_whose_end_is_not_known_fails_with_the_text_up_to_the_last_break() -> None:
    """What clings on beyond the close deadline leaves nothing twice in the partial text."""
    cast = Cast()
    tree = Fallback([cast.provider("a", BROKEN), cast.provider("b", _ClingsOn(), continues=True)])
    assert _cut(tree, OnInterrupt.RESUME).partial_text == "abcd"


class _OnlyA:
    """A `Selection` that leaves everybody out but one."""

    def order(self, _request: Request, _members: object) -> list[str]:
        """Choose ``a``."""
        return ["a"]


class _Backwards:
    """A `Selection` from the last member to the first."""

    def order(self, _request: Request, members: "tuple[ProviderStatus, ...]") -> list[str]:
        """Turn the members round."""
        return [member.name for member in reversed(members)]


def test_who_was_left_out_by_a_selection_does_not_go_on_either() -> None:
    """Those who go on are those that the rule named, in its order."""
    cast = Cast()
    left_out = LoadBalance(
        [cast.provider("a", BROKEN), cast.provider("b", Answers("whole"))],
        strategy="custom",
        selection=_OnlyA(),
    )
    assert _consume(left_out, OnInterrupt.RESTART).error is not None
    assert cast.scripts["b"].started == 0
    cast = Cast()
    members = [cast.provider(name, Answers(name)) for name in "ab"]
    backwards = LoadBalance(
        [*members, cast.provider("c", BROKEN)], strategy="custom", selection=_Backwards()
    )
    seen = _consume(backwards, OnInterrupt.RESTART)
    assert seen.reply is not None
    assert seen.reply.provider == "b"


def test_those_who_go_on_are_counted_by_max_retries() -> None:
    """No more members are tried than the fallback may try, before and after a break together."""
    for most in range(3):
        cast = Cast()
        first = [cast.provider("a", Fails()), cast.provider("b", BROKEN)]
        rest = [cast.provider("c", BROKEN), cast.provider("d", Answers("whole"))]
        seen = _consume(Fallback([*first, *rest], max_retries=1 + most), OnInterrupt.RESTART)
        assert [cast.scripts[name].started for name in "abcd"] == [1, 1, most > 0, most > 1]
        assert (seen.reply is None) == (most < 2)


@pytest.mark.parametrize("kind", [Fallback, Hedge, Race])
def test_who_failed_before_the_break_goes_on_only_when_nobody_else_does(
    kind: type[Fallback | Hedge | Race],
) -> None:
    """A member that has failed in this call comes after those that have not."""
    cast = Cast()
    members = [
        cast.provider("a", Fails(ServerError)),
        cast.provider("b", BROKEN),
        cast.provider("c", Answers("whole", after=9.0)),
    ]
    tree = Hedge(members, delay=99.0) if kind is Hedge else kind(members)
    seen = _consume(tree, OnInterrupt.RESTART)
    assert seen.reply is not None
    assert seen.reply.provider == "c"
    assert cast.scripts["a"].started == 1
