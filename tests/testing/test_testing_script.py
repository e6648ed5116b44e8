"""Scripted providers do what their steps say, below the real provider actor."""

import pytest
import trio

from trio_llm import (
    Config,
    LLMError,
    MalformedResponseError,
    Provider,
    ProviderCrashedError,
    RateLimitError,
    Request,
    ServerError,
    StreamInterruptedError,
    ToolCallDelta,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    CallsTool,
    Clings,
    Crashes,
    Cuts,
    Fails,
    RateLimits,
    ScriptedProvider,
    SendsGarbage,
    Stalls,
    Step,
    World,
    run,
)


def _config(script: ScriptedProvider) -> Config:
    return Config(default=Provider("custom", "a", cls=script))


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (Fails(), ServerError),
        (Fails(MalformedResponseError("a copy of this")), MalformedResponseError),
        (RateLimits(3.0), RateLimitError),
        (SendsGarbage(), MalformedResponseError),
        (Cuts(), StreamInterruptedError),
        (Crashes(), ProviderCrashedError),
        (Crashes(actor=True), ProviderCrashedError),
    ],
)
def test_a_step_fails_as_it_says(step: Step, error: type[LLMError]) -> None:
    """Each failing step raises its class at the caller."""

    async def scenario(world: World) -> None:
        async with world.open(_config(ScriptedProvider(step))) as llm:
            with pytest.raises(error):
                await llm.generate("hello")

    run(scenario)


def test_steps_are_taken_in_turn_and_the_last_is_repeated() -> None:
    """A sequence gives one step per attempt, then its last one for ever."""

    async def scenario(world: World) -> list[str]:
        script = ScriptedProvider([Answers("one"), Answers("two")])
        async with world.open(_config(script)) as llm:
            texts = [(await llm.generate("hello")).text for _ in range(4)]
        assert (script.started, script.running, script.most_running, script.opened) == (4, 0, 1, 1)
        return texts

    assert run(scenario).value == ["one", "two", "two", "two"]


def test_a_function_sees_the_work() -> None:
    """A script may be a function of what is asked."""

    def script(work: Work) -> Step:
        return Answers(f"{work.conversation.messages[0].text} {work.call} {'/'.join(work.path)}")

    async def scenario(world: World) -> str:
        async with world.open(_config(ScriptedProvider(script))) as llm:
            await llm.generate("hello")
            return (await llm.generate("again")).text

    assert run(scenario).value == "again 2 a"


def test_answers_come_in_pieces_with_gaps() -> None:
    """A streamed answer has as many pieces as it says, so many seconds apart."""

    async def scenario(world: World) -> list[tuple[float, str]]:
        step = Answers("abcdefg", after=1.0, pieces=3, gap=0.5)
        async with (
            world.open(_config(ScriptedProvider(step))) as llm,
            llm.stream("hello") as stream,
        ):
            return [(trio.current_time(), piece) async for piece in stream.text()]

    assert run(scenario).value == [(1.0, "abc"), (1.5, "def"), (2.0, "g")]


def test_a_tool_call_comes_in_fragments() -> None:
    """The fragments of the arguments make the call of the reply."""

    async def scenario(world: World) -> None:
        step = CallsTool("look", ('{"at":', '"this"}'))
        async with (
            world.open(_config(ScriptedProvider(step))) as llm,
            llm.stream("hello") as stream,
        ):
            deltas = [event async for event in stream if isinstance(event, ToolCallDelta)]
        assert "".join(delta.arguments for delta in deltas) == '{"at":"this"}'
        assert dict(stream.reply.tool_calls[0].arguments) == {"at": "this"}
        assert stream.reply.finish_reason == "tool_calls"

    run(scenario)


@pytest.mark.parametrize(("step", "until"), [(Stalls(), 1.0), (Clings(1.5), 1.5)])
def test_a_step_that_stays_leaves_when_it_can(step: Step, until: float) -> None:
    """A stall leaves with the cancellation, a clinging step only when its time is over."""

    async def scenario(world: World) -> float:
        async with world.open(_config(ScriptedProvider(step))) as llm:
            with trio.move_on_after(1.0):
                await llm.generate("hello")
            return trio.current_time()

    assert run(scenario).value == until


async def test_a_script_can_be_asked_without_a_runtime() -> None:
    """`ScriptedProvider.generate` plays a step by itself."""
    completion = await ScriptedProvider(Answers("alone")).generate(Request(messages="hello"))
    assert completion.message.text == "alone"
