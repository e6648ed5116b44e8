"""The cache under what asks more than once: batches, typed answers, tools, comparing."""

import pytest
import trio

from tests.operations.cache_stage import asked, caching
from tests.operations.operations_stage import Stage
from trio_llm import (
    Completion,
    CooldownSettings,
    Fallback,
    InvalidRequestError,
    LLMError,
    Message,
    Provider,
    Reply,
    Request,
    Tool,
    ToolCall,
)
from trio_llm.testing import Answers, Fails, Step, World, explore, run, seeds


def _how(outcome: Reply | LLMError) -> str | None:
    return outcome.cached if isinstance(outcome, Reply) else type(outcome).__name__


@pytest.mark.parametrize("ordered", [True, False])
def test_a_batch_finds_what_is_kept_and_keeps_the_rest(ordered: bool) -> None:
    """Each prompt is served as by a plain call, equal ones in the same batch included."""

    async def scenario(world: World) -> None:
        stage = Stage()
        member = Fallback((stage.provider("a", Answers("fine", after=1.0)),), name="f")
        async with world.open(caching(member)) as llm:
            await llm.generate("known")
            prompts = ["known", "new", "", "known", "new", "other"]
            async with llm.batch(prompts, limit=1, ordered=ordered) as results:
                outcomes = {index: _how(outcome) async for index, outcome in results}
            assert outcomes == {
                0: "hit",
                1: None,
                2: "InvalidRequestError",
                3: "hit",
                4: "hit",
                5: None,
            }
            assert asked(stage) == 3
            assert llm.cache.statistics().hits == 3
            stage.assert_idle(llm)
            async with llm.batch(["known"], cache=False) as results:
                assert [_how(outcome) async for _, outcome in results] == [None]

    explore(scenario, seeds=seeds(200, share=20))


def test_a_batch_of_hits_needs_no_place_and_no_provider() -> None:
    """What is kept is given while the provider fails and its line is full."""

    async def scenario(world: World) -> None:
        stage = Stage()
        script: list[Step] = [*[Answers()] * 3, Fails()]
        member = stage.provider("a", script, max_concurrency=1, mailbox=1)
        async with world.open(caching(member)) as llm:
            for prompt in "abc":
                await llm.generate(prompt)
            async with llm.batch(list("abcabcabcx"), limit=8, ordered=True) as results:
                outcomes = [_how(outcome) async for _, outcome in results]
            assert outcomes == [*["hit"] * 9, "ServerError"]

    run(scenario)


def test_a_batch_with_a_cache_loses_nobody_to_a_full_line() -> None:
    """More at once than the provider has room for: they wait for one another, and are kept."""

    async def scenario(world: World) -> None:
        stage = Stage()
        member = stage.provider("a", Answers("fine", after=1.0), max_concurrency=1, mailbox=1)
        for single_flight in (False, True):
            async with world.open(caching(member, single_flight=single_flight)) as llm:
                prompts = [str(number) for number in range(12)]
                async with llm.batch(prompts, limit=8) as results:
                    outcomes = [_how(outcome) async for _, outcome in results]
                assert outcomes == [None] * 12
                assert llm.cache.statistics().stores == 12
                stage.assert_idle(llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_leaving_a_batch_leaves_its_shared_calls() -> None:
    """What is left is cancelled, and nothing of it runs."""

    async def scenario(world: World) -> None:
        stage = Stage()
        member = stage.provider("a", Answers("fine", after=9.0))
        async with world.open(caching(member, single_flight=True)) as llm:
            async with llm.batch(["x", "x", "y"], limit=3):
                await trio.sleep(1.0)
                assert llm.cache.statistics().under_way == 2
            assert trio.current_time() == 1.0
            assert llm.cache.statistics().under_way == 0
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_comparing_asks_everyone_indeed() -> None:
    """Nothing is taken from the cache, and nothing is kept there."""

    async def scenario(world: World) -> None:
        stage = Stage()
        members = tuple(stage.provider(name, Answers(name)) for name in "ab")
        config = caching(Fallback(members, name="f"), single_flight=True)
        async with world.open(config) as llm:
            await llm.provider("a").generate("hello")
            for _ in range(2):
                replies = await llm.compare("hello", providers=["a", "b"])
                assert [_how(reply) for reply in replies.values()] == [None, None]
            assert asked(stage) == 5
            assert llm.cache.statistics().stores == 1

    run(scenario)


def test_a_typed_answer_is_kept_with_its_repair() -> None:
    """The answer that did not fit, and the one that does, are each one question."""

    class Careless:
        asked = 0

        async def generate(self, _request: Request) -> str:
            self.asked += 1
            return '{"value": "seven"}' if self.asked == 1 else '{"value": 7}'

    async def scenario(world: World) -> None:
        careless = Careless()
        async with world.open(caching(Provider("custom", "a", cls=careless))) as llm:
            replies: list[Reply] = []
            for _ in range(2):
                replies.clear()
                assert await llm.generate_as(int, "seven?", on_reply=replies.append) == 7
                assert len(replies) == 2
            assert [reply.cached for reply in replies] == ["hit", "hit"]
            assert careless.asked == 2
            async with llm.stream_as(int, "seven?", cache="write_only") as stream:
                async for _ in stream:
                    pass
            async with llm.stream_as(int, "seven?") as stream:
                async for _ in stream:
                    pass
                assert (stream.value, stream.reply.cached) == (7, "hit")

    run(scenario)


def test_each_round_of_tools_is_a_question_of_its_own() -> None:
    """The second run is answered from the cache; its tools run, since they are the caller's."""
    looked: list[str] = []

    def look(name: str) -> str:
        """Look something up."""
        looked.append(name)
        return "found"

    class Agent:
        asked = 0

        async def generate(self, request: Request) -> Completion:
            self.asked += 1
            if request.messages[-1].role == "tool":
                return Completion(Message("assistant", "done"))
            call = ToolCall("c", "look", {"name": "x"})
            return Completion(Message("assistant", [call]), "tool_calls")

    async def scenario(world: World) -> None:
        looked.clear()
        agent = Agent()
        async with world.open(caching(Provider("custom", "a", cls=agent))) as llm:
            tools = [Tool.from_function(look)]
            first = await llm.run_tools("hello", tools=tools)
            again = await llm.run_tools("hello", tools=tools)
            assert (first.text, again.text) == ("done", "done")
            assert (agent.asked, looked, again.reply.cached) == (2, ["x", "x"], "hit")

    run(scenario)


def test_an_endpoint_that_is_gone_is_each_prompts_error() -> None:
    """A batch over a reload that takes its provider away goes on to its end."""

    async def scenario(world: World) -> None:
        stage = Stage()
        config = caching(Fallback((stage.provider("a", Answers()),), name="f"))
        async with world.open(config) as llm:
            endpoint = llm.provider("f")
            async with endpoint.batch(["x", "y"], limit=1, ordered=True) as results:
                _, first = await anext(results)
                await llm.reload(caching(stage.provider("b", Answers())))
                rest = [_how(outcome) async for _, outcome in results]
            assert _how(first) is None
            assert rest in ([None], ["ConfigError"])

    explore(scenario, seeds=seeds(200, share=20))


def test_an_option_that_cannot_be_used_is_refused_as_without_a_cache() -> None:
    """Bad arguments and unknown dialects are errors before anything is looked up."""

    async def scenario(world: World) -> None:
        sturdy = CooldownSettings(after_failures=100)
        config = caching(Stage().provider("a", Answers(), cooldown=sturdy), single_flight=True)
        async with world.open(config) as llm:
            with pytest.raises(InvalidRequestError, match="the prompt is empty"):
                await llm.generate("")
            with pytest.raises(InvalidRequestError, match="no dialect named"):
                await llm.generate("hello", extra={"nonsense": {}})
            with pytest.raises(InvalidRequestError, match="no dialect named"):
                async with llm.stream("hello", extra={"nonsense": {}}):
                    raise AssertionError("never entered")
            async with llm.batch(["hello"], extra={"nonsense": {}}) as results:
                assert [_how(outcome) async for _, outcome in results] == ["InvalidRequestError"]
            assert llm.cache.statistics().misses == 0

    run(scenario)
