"""The tool loop: tools run side by side, bounded, and end with their caller."""

import pickle
from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.scenes import steps_later
from tests.operations.tool_scenes import Calls, Ends, scripted
from trio_llm import (
    Completion,
    InvalidRequestError,
    Message,
    ServerError,
    Tool,
    ToolCall,
    ToolCallError,
    ToolResult,
    ToolRoundsExceededError,
    ToolRun,
    Usage,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Fails, Step, World, run
from trio_llm.testing.script import Script


@Tool.from_function
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@Tool.from_function
async def fail(why: str) -> None:
    """Fail, and say why."""
    await trio.sleep(1)
    raise LookupError(why)


def _loop(script: Script, tools: list[Tool], **options: Any) -> tuple[ToolRun, list[Any]]:
    """Run the loop once; give the run, and what the model was asked each time."""
    model, config = scripted(script)

    async def scenario(world: World) -> ToolRun:
        async with world.open(config) as llm:
            return await llm.run_tools("Go.", tools=tools, **options)

    return run(scenario).value, [work.conversation for work in model.asked]


def _results(run_: ToolRun) -> list[ToolResult]:
    return [outcome.result for outcome in run_.calls]


def test_the_model_is_told_the_results_until_it_answers() -> None:
    """The run carries the conversation, the calls, the rounds and the tokens of all of them."""
    script: list[Step] = [
        Calls([("add", '{"a": 1, "b": 2}')]),
        Calls([("add", '{"a": 3}')]),
        Ends("six"),
    ]
    done, asked = _loop(script, [add])
    assert (done.text, done.rounds) == ("six", 3)
    assert [result.content for result in _results(done)] == ["3", "4"]
    assert [outcome.round for outcome in done.calls] == [1, 2]
    assert [message.role for message in done.messages] == [
        *("user", "assistant", "tool", "assistant", "tool", "assistant")
    ]
    assert asked[2].messages == done.messages[:-1]
    assert done.usage == Usage(23, 12)
    assert len(done.attempts) == 3
    assert all(request.tools == (add,) for request in asked)


def test_the_calls_of_one_turn_run_side_by_side_and_are_bounded() -> None:
    """Six calls of one second, three at a time, take two seconds; results keep their order."""
    running, most = 0, 0

    async def slow(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(1)
        running -= 1
        return number

    calls = Calls([("slow", f'{{"number": {n}}}') for n in range(6)])
    _, config = scripted([calls, Ends("ok")])

    async def scenario(world: World) -> tuple[ToolRun, float]:
        async with world.open(config) as llm:
            done = await llm.run_tools("Go.", tools=[Tool.from_function(slow)], max_concurrency=3)
            return done, trio.current_time()

    done, elapsed = run(scenario).value
    assert (most, elapsed) == (3, 2.0)
    assert [result.content for result in _results(done)] == ["0", "1", "2", "3", "4", "5"]
    assert [result.call_id for result in _results(done)] == [f"call_{n}" for n in range(6)]
    assert {outcome.latency for outcome in done.calls} == {1.0}


def test_a_cancelled_caller_takes_its_tools_along() -> None:
    """When the caller has left, no tool runs, and each had its chance to clean up."""
    alive: set[int] = set()
    cleaned: list[int] = []

    async def endless(number: int) -> None:
        alive.add(number)
        try:
            await trio.sleep_forever()
        finally:
            alive.discard(number)
            cleaned.append(number)

    model, config = scripted([Calls([("endless", f'{{"number": {n}}}') for n in range(3)])])

    async def scenario(world: World) -> float:
        async with world.open(config) as llm:
            with trio.move_on_after(5) as scope:
                await llm.run_tools("Go.", tools=[Tool.from_function(endless)])
            assert scope.cancelled_caught
            assert alive == set()
            return trio.current_time()

    assert run(scenario).value == 5.0
    assert (sorted(cleaned), model.running) == ([0, 1, 2], 0)


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("fail", '{"why": "no such key"}', "LookupError: no such key"),
        ("nobody", "{}", "no tool is named 'nobody'; there are: add, fail"),
        ("add", "[1]", "the arguments of add are no JSON object"),
        ("add", '{"a": 1', "the arguments of add are no JSON object"),
        (
            "add",
            '{"a": "one", "c": 2}',
            """the arguments of add do not fit
  - arguments.a: expected an integer, not a string
  - arguments.c: no such argument; there are: a, b""",
        ),
    ],
)
def test_errors_are_told_to_the_model(name: str, arguments: str, told: str) -> None:
    """Whatever goes wrong with one call goes back as its result, and the others stand."""
    calls = Calls([(name, arguments), ("add", '{"a": 1}')])
    done, _ = _loop([calls, Ends("sorry")], [add, fail])
    wrong, right = _results(done)
    assert (wrong.content, wrong.is_error, wrong.name) == (told, True, name)
    assert (right.content, right.is_error) == ("2", False)
    assert done.calls[0].error is not None
    assert done.calls[1].error is None


def test_errors_are_raised_when_that_is_asked_for() -> None:
    """One error leaves as it is, and the other tools of its turn are cancelled."""
    finished: list[str] = []

    async def slow() -> None:
        await trio.sleep(100)
        finished.append("slow")

    calls = Calls([("fail", '{"why": "x"}'), ("slow", "{}")])
    _, config = scripted([calls])

    async def scenario(world: World) -> float:
        async with world.open(config) as llm:
            with pytest.raises(LookupError, match="x"):
                await llm.run_tools("Go.", tools=[fail, Tool.from_function(slow)], on_error="raise")
            return trio.current_time()

    assert run(scenario).value <= steps_later(1.0)
    assert finished == []


def test_several_errors_are_raised_as_a_group() -> None:
    """Tools that fail in the same instant are all named."""
    calls = Calls([("fail", '{"why": "x"}'), ("fail", '{"why": "y"}')])

    def bad() -> None:
        _loop([calls], [fail], on_error="raise")

    for seed in range(10):
        with pytest.raises((ExceptionGroup, LookupError)) as caught:
            bad()
        errors = getattr(caught.value, "exceptions", (caught.value,))
        assert {str(error) for error in errors} <= {"'x'", "'y'", "x", "y"}, seed


@pytest.mark.parametrize(
    ("name", "arguments", "faults"),
    [
        ("nobody", "{}", ()),
        ("add", '{"b": 1}', ("arguments.a: is missing",)),
    ],
)
def test_a_call_that_cannot_be_run_is_raised_with_its_faults(
    name: str, arguments: str, faults: tuple[str, ...]
) -> None:
    """The typed error carries the call."""
    with pytest.raises(ToolCallError) as caught:
        _loop([Calls([(name, arguments)])], [add], on_error="raise")
    assert caught.value.faults == faults
    assert caught.value.call.name == name
    again: ToolCallError = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (str(again), again.call) == (str(caught.value), caught.value.call)


def test_the_rounds_have_a_cap_and_the_error_carries_the_conversation() -> None:
    """The calls of the last round are not run; asking with the messages goes on."""
    count = 0

    @Tool.from_function
    def tick() -> int:
        nonlocal count
        count += 1
        return count

    with pytest.raises(ToolRoundsExceededError, match="after 3 rounds; raise max_rounds") as caught:
        _loop(Calls([("tick", "{}")]), [tick], max_rounds=3)
    error = caught.value
    assert (error.rounds, count, len(error.attempts)) == (3, 2, 3)
    assert [message.role for message in error.messages] == [
        *("user", "assistant", "tool", "assistant", "tool")
    ]
    assert error.reply.tool_calls[0].name == "tick"
    again: ToolRoundsExceededError = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (again.messages, again.rounds) == (error.messages, 3)


def test_a_forced_choice_holds_for_the_first_round_only() -> None:
    """Otherwise the model could never answer."""
    _, asked = _loop(
        [Calls([("add", '{"a": 1}')]), Ends("two")], [add], tool_choice="add", temperature=0.5
    )
    assert [request.tool_choice for request in asked] == ["add", None]
    assert [request.temperature for request in asked] == [0.5, 0.5]


def test_every_message_is_shown_as_it_joins() -> None:
    """What has been said is not lost when a later round fails."""
    seen: list[Message] = []
    with pytest.raises(ServerError):
        _loop([Calls([("add", '{"a": 1}')]), Fails(ServerError)], [add], on_message=seen.append)
    assert [message.role for message in seen] == ["assistant", "tool"]


def test_an_answer_without_calls_ends_the_loop_at_once() -> None:
    """One round is enough where no tool is wanted."""
    done, _ = _loop(Answers("no need"), [add])
    assert (done.text, done.rounds, done.calls) == ("no need", 1, ())


def test_a_tool_by_hand_takes_the_arguments_as_they_are() -> None:
    """A function given to `Tool` is called with the object; it may be async."""

    async def echo(arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return {"got": arguments}

    tool = Tool("echo", parameters={"type": "object"}, function=echo)
    done, _ = _loop([Calls([("echo", '{"x": [1]}')]), Ends("ok")], [tool])
    assert _results(done)[0].content == '{"got": {"x": [1]}}'


def test_a_tool_may_ask_the_runtime_itself() -> None:
    """A tool runs in the caller's task tree, so that nested calls work."""
    model, config = scripted(
        lambda work: (
            Ends("inner")
            if not work.conversation.tools
            else Calls([("ask", "{}")])
            if len(work.conversation.messages) == 1
            else Ends("outer")
        )
    )

    async def scenario(world: World) -> ToolRun:
        async with world.open(config) as llm:

            async def ask() -> str:
                return (await llm.generate("inside")).text

            return await llm.run_tools("Go.", tools=[Tool.from_function(ask)])

    done = run(scenario).value
    assert (done.text, _results(done)[0].content, model.started) == ("outer", "inner", 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tools": []}, "tools: give at least one tool to run"),
        ({"tools": [Tool("x")]}, r"tools\[0\]: 'x' has nothing to run; make it with"),
        ({"tools": [add, add]}, r"tools\[1\]: a second tool is named 'add'"),
        ({"tools": [add], "max_rounds": 0}, "max_rounds must be an integer of at least 1"),
        ({"tools": [add], "max_concurrency": 1.5}, "max_concurrency must be an integer"),
        ({"tools": [add], "on_error": "hide"}, 'on_error must be "tell" or "raise"'),
        ({"tools": [add], "max_round": 1}, 'no option named "max_round"'),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_before_anything_is_asked(
    options: dict[str, Any], said: str
) -> None:
    """The error names the argument; the provider is not bothered."""
    model, config = scripted(Answers())

    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            with pytest.raises(InvalidRequestError, match=said):
                await llm.run_tools("Go.", **options)

    run(scenario)
    assert model.started == 0


@pytest.mark.parametrize("seed", range(10))
def test_a_tool_that_fails_while_the_caller_is_cancelled_hides_nothing(seed: int) -> None:
    """The cancellation reaches the caller, whatever the tools do on their way out."""

    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("on the way out")

    _, config = scripted([Calls([("stubborn", "{}"), ("stubborn", "{}")]), Ends("never")])

    async def scenario(world: World) -> tuple[bool, float]:
        async with world.open(config) as llm:
            with trio.move_on_after(2) as scope:
                await llm.run_tools("Go.", tools=[Tool.from_function(stubborn)])
            return scope.cancelled_caught, trio.current_time()

    assert run(scenario, seed=seed).value == (True, 2.0)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_an_interrupt_in_a_tool_leaves_as_it_is(error: BaseException) -> None:
    """No group of a nursery is wrapped around it, and the other tools have ended."""
    alive = 0

    async def interrupt() -> None:
        await trio.sleep(1)
        raise error

    async def slow() -> None:
        nonlocal alive
        alive += 1
        try:
            await trio.sleep_forever()
        finally:
            alive -= 1

    _, config = scripted([Calls([("slow", "{}"), ("interrupt", "{}")])])
    tools = [Tool.from_function(interrupt), Tool.from_function(slow)]

    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            with pytest.raises(type(error)) as caught:
                await llm.run_tools("Go.", tools=tools)
            assert caught.value is error
            assert alive == 0

    run(scenario)


def test_a_cancellation_in_a_turn_is_a_plain_one() -> None:
    """``except trio.Cancelled`` around the loop sees it, as around any other call."""
    seen: list[BaseException] = []

    async def endless() -> None:
        await trio.sleep_forever()

    _, config = scripted([Calls([("endless", "{}"), ("endless", "{}")])])

    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            with trio.move_on_after(1) as scope:
                try:
                    await llm.run_tools("Go.", tools=[Tool.from_function(endless)])
                except BaseException as error:
                    seen.append(error)
                    raise
            assert scope.cancelled_caught

    run(scenario)
    assert [type(error) for error in seen] == [trio.Cancelled]


def test_a_tool_cannot_change_what_the_model_has_written() -> None:
    """It works on arguments of its own; the conversation keeps those of the model."""

    def spoil(arguments: Any) -> str:
        arguments["list"].append(arguments.pop("x"))
        return "done"

    tool = Tool("spoil", function=spoil)
    done, asked = _loop([Calls([("spoil", '{"x": 1, "list": []}')]), Ends("ok")], [tool])
    assert asked[1].messages[1].tool_calls[0].arguments == {"x": 1, "list": []}
    assert done.calls[0].call.arguments == {"x": 1, "list": []}


def test_the_error_of_a_later_round_keeps_the_attempts_of_all() -> None:
    """What the loop has cost is not forgotten when it fails."""
    _, config = scripted([Calls([("add", '{"a": 1}')]), Fails()])

    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            with pytest.raises(ServerError) as caught:
                await llm.run_tools("Go.", tools=[add])
        outcomes = [attempt.outcome.value for attempt in caught.value.attempts]
        assert outcomes == ["succeeded", "failed"]

    run(scenario)


@attrs.frozen
class _SameIds:
    """Calls a tool several times in one turn, with ids as a careless model gives them."""

    ids: tuple[str, ...]

    async def play(self, work: Work) -> Completion:
        calls = [ToolCall(call_id, "add", {"a": n}) for n, call_id in enumerate(self.ids)]
        return Completion(Message("assistant", calls), "tool_calls", model=work.model)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("x", "y"), ("x", "y")),
        (("x", "x", "x"), ("x", "x_2", "x_3")),
        (("x", "x", "x_2"), ("x", "x_3", "x_2")),
        (("", ""), ("", "_2")),
    ],
)
def test_calls_of_one_turn_have_ids_of_their_own(
    given: tuple[str, ...], told: tuple[str, ...]
) -> None:
    """A result belongs to one call, so an id that a model uses twice is told apart."""
    done, asked = _loop([_SameIds(given), Ends("ok")], [add])
    assert tuple(call.id for call in asked[1].messages[1].tool_calls) == told
    assert tuple(result.call_id for result in _results(done)) == told
    assert [result.content for result in _results(done)] == [str(n + 1) for n in range(len(told))]
