"""Every operation can be cancelled at every step that any task takes for it.

The cancellation is put in before the first task step, before the second, and so on until
the operation is through. Whatever the step: the caller meets either a result or its own
cancellation, plain and not in a group; no job and no tool runs, no place is occupied, and
each call that was opened is recorded once.
"""

from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio

from tests.guarantees.scenes import field, kinds
from tests.operations.operations_stage import CancelBefore, Stage
from tests.operations.tool_scenes import Calls
from trio_llm import (
    Config,
    EmbedRequest,
    Fallback,
    ListModels,
    LLMError,
    LoadBalance,
    ModerateRequest,
    Race,
    Request,
    Runtime,
    Tool,
)
from trio_llm.chat import Operation, PullModel
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    Embeds,
    Fails,
    Judges,
    Lists,
    Pulls,
    Stalls,
    Step,
    World,
    run,
    seeds,
)
from trio_llm.testing.script import Script

_OFFERED: tuple[type[Operation], ...] = (EmbedRequest, ModerateRequest, ListModels, PullModel)
_STEPS: dict[type[Operation], Step] = {
    EmbedRequest: Embeds(after=1.0),
    ModerateRequest: Judges(after=1.0),
    ListModels: Lists(after=1.0),
    PullModel: Pulls(),
}


@attrs.frozen
class _Point:
    x: int


def _served(work: Work) -> Step:
    """Answer whatever is asked; a typed answer is right at the second try only."""
    request = work.request
    if not isinstance(request, Request):
        return _STEPS[type(request)]
    if request.tools and request.messages[-1].role != "tool":
        return Calls([("work", "{}"), ("work", "{}")])
    fits = work.sink is not None or len(request.messages) > 2
    return Answers('{"x": 1}' if fits else '{"x": "one"}', after=1.0, pieces=4, gap=0.25)


def _member(stage: Stage, name: str, script: Script = _served, places: int = 4) -> Member:
    return stage.provider(name, script, *_OFFERED, embedding_model="small", max_concurrency=places)


def _alone(stage: Stage) -> Member:
    return _member(stage, "a")


def _race(stage: Stage) -> Member:
    return Race((_member(stage, "a"), _member(stage, "b"), _member(stage, "c", Stalls())))


def _fallback(stage: Stage) -> Member:
    return Fallback((_member(stage, "b", Fails(after=0.5)), _member(stage, "a")))


def _crowded(stage: Stage) -> Member:
    return LoadBalance((_member(stage, "a", places=1), _member(stage, "b", places=1)))


def _nested(stage: Stage) -> Member:
    spread = LoadBalance((_member(stage, "a"), _member(stage, "b")), name="spread")
    broken = Race((_member(stage, "c", Fails(after=0.5)),), name="broken")
    return Fallback((broken, Race((spread, _member(stage, "d", Stalls())), name="fast")))


SHAPES = (_alone, _race, _fallback, _crowded, _nested)

STRIDE = 1 if len(seeds(2, share=2, least=1)) > 1 else 3
"""Steps from one cancellation to the next: one, and three in everyday runs.

The first of them differs from shape to shape, so that no step is always left out.
"""


class _Tools:
    """A tool that takes a second, and how many of it run."""

    running = 0

    async def work(self) -> None:
        """Work for a second."""
        self.running += 1
        try:
            await trio.sleep(1.0)
        finally:
            self.running -= 1


async def _embed(llm: Runtime, _tools: _Tools) -> object:
    return (await llm.embed(["x"] * 300)).vectors


async def _moderate(llm: Runtime, _tools: _Tools) -> object:
    return (await llm.moderate(["x"] * 100)).verdicts


async def _count(llm: Runtime, _tools: _Tools) -> object:
    return (await llm.count_tokens("x")).tokens


async def _compare(llm: Runtime, _tools: _Tools) -> object:
    return await llm.compare("x", providers=["a"])


async def _generate_as(llm: Runtime, _tools: _Tools) -> object:
    return await llm.generate_as(_Point, "x")


async def _stream_as(llm: Runtime, _tools: _Tools) -> object:
    async with llm.stream_as(_Point, "x") as stream:
        async for _ in stream:
            pass
        return stream.value


async def _run_tools(llm: Runtime, tools: _Tools) -> object:
    return (await llm.run_tools("x", tools=[Tool.from_function(tools.work)])).text


async def _batch(llm: Runtime, _tools: _Tools) -> object:
    async with llm.batch(["x"] * 4, limit=3) as results:
        return [outcome async for outcome in results]


async def _models(llm: Runtime, _tools: _Tools) -> object:
    return await llm.provider("a").models()


async def _pull(llm: Runtime, _tools: _Tools) -> object:
    async with llm.provider("a").pull_model("m") as pulling:
        async for _ in pulling:
            pass
        return pulling.result


Ask = Callable[[Runtime, _Tools], Awaitable[object]]


def _cancelled_at(ask: Ask, shape: Callable[[Stage], Member], step: int, schedule: int) -> int:
    """Play one operation, cancelled before a step; give how many steps it took."""
    stage = Stage()

    async def scenario(world: World) -> int:
        tools = _Tools()
        async with world.open(Config(default=shape(stage))) as llm:
            living = trio.lowlevel.current_statistics().tasks_living
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            found: object = None
            met: list[type[BaseException]] = []
            trio.lowlevel.add_instrument(instrument)
            with scope:
                try:
                    found = await ask(llm, tools)
                except LLMError as error:
                    found = error
                except BaseException as error:
                    met.append(type(error))
                    raise
            trio.lowlevel.remove_instrument(instrument)
            stage.assert_idle(llm)
            assert trio.lowlevel.current_statistics().tasks_living == living
            assert (tools.running, llm.statistics().overruns) == (0, 0)
            assert met == ([trio.Cancelled] if scope.cancelled_caught else [])
            assert (found is None) == scope.cancelled_caught
            assert not isinstance(found, LLMError), found
        began = [field(entry, "call") for entry in kinds(world.log, "RequestStarted")]
        ended = [field(entry, "call") for entry in kinds(world.log, "RequestFinished")]
        assert sorted(began) == sorted(ended) == sorted(set(began))
        return instrument.steps

    return run(scenario, schedule=schedule).value


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "ask",
    [
        _embed,
        _moderate,
        _count,
        _models,
        _compare,
        _generate_as,
        _stream_as,
        _run_tools,
        _batch,
        _pull,
    ],
)
def test_an_operation_leaves_nothing_behind_wherever_it_is_cancelled(
    ask: Ask, shape: Callable[[Stage], Member]
) -> None:
    """It is cancelled before each of its task steps, or a third of them, in every tree."""
    for schedule in seeds(10, least=1):
        whole = _cancelled_at(ask, shape, -1, schedule)
        assert whole >= 2
        for step in range(SHAPES.index(shape) % STRIDE, whole, STRIDE):
            _cancelled_at(ask, shape, step, schedule)
