"""The operations besides one answer, at servers that we did not write."""

import math
from typing import Literal

import attrs
import pytest
import trio

from tests.real.real_server import CONTEXT, Server, idle, in_turn, provider
from trio_llm import (
    AllProvidersFailed,
    AttemptOutcome,
    Config,
    ConnectionFailedError,
    ContextLengthError,
    Fallback,
    InvalidRequestError,
    LLMError,
    LoadBalance,
    Message,
    Reply,
    StructuredOutputError,
    Tool,
    ToolResult,
    ToolRoundsExceededError,
    open_runtime,
)

pytestmark = pytest.mark.real

dialects = pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses", "anthropic"])

PROMPT = "bade kilo"
SYLLABLES = [f"{head}{tail}" for head in "bdfgklmnprst" for tail in "aeiou"]


def _alone(server: Server, kind: str = "llamacpp", **settings: object) -> Config:
    return Config(default=provider(server, "real", kind, **settings))


async def test_vectors_keep_the_order_of_their_texts(embedder: Server) -> None:
    """300 texts go in three requests, and each vector is that of its own text."""
    texts = [f"{one} {two}" for one in SYLLABLES for two in SYLLABLES[:5]]
    async with open_runtime(_alone(embedder)) as llm:
        whole = await llm.embed(texts)
        single = {index: await llm.embed(texts[index]) for index in (0, 127, 128, 255, 256, 299)}
    assert len(whole) == len(texts) == 300
    assert len(whole.attempts) == 3
    assert whole.dimensions == 64
    assert len(set(whole.vectors)) == 300
    for index, alone in single.items():
        assert whole[index] == pytest.approx(alone[0], abs=1e-4)
    assert whole.usage is not None
    assert whole.usage.input_tokens > 300


async def test_vectors_are_the_same_as_base64(embedder: Server) -> None:
    """Asked for base64, as the kind openai does, the server gives the same numbers."""
    texts = ["bade", "kilo"]
    async with open_runtime(_alone(embedder)) as llm:
        plain = await llm.embed(texts)
    coded_config = _alone(embedder, "openai", embedding_model="syllables")
    async with open_runtime(coded_config) as llm:
        coded = await llm.embed(texts)
    assert isinstance(plain.raw["data"][0]["embedding"], list)
    assert isinstance(coded.raw["data"][0]["embedding"], str)
    for one, other in zip(plain, coded, strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-7)
        assert math.hypot(*one) == pytest.approx(1, rel=1e-4)


async def test_a_text_that_is_too_long_to_embed(embedder: Server) -> None:
    """The server refuses it with 500, and yet that is the caller's fault."""
    async with open_runtime(_alone(embedder)) as llm:
        with pytest.raises(ContextLengthError, match="too large to process") as caught:
            await llm.embed(["ba", "ba " * CONTEXT])
        assert llm.status_of().failures == 0
    assert len(caught.value.attempts) == 1


async def test_a_server_that_does_not_embed(servers: list[Server]) -> None:
    """A server that was not started for it says so; nothing is retried."""
    async with open_runtime(_alone(servers[0])) as llm:
        with pytest.raises(InvalidRequestError, match="does not support embeddings") as caught:
            await llm.embed("bade")
        assert llm.status_of().failures == 0
    assert len(caught.value.attempts) == 1


WEATHER = Tool("weather", "Says the weather.", {"type": "object", "properties": {}})

COUNTED: dict[str, dict[str, object]] = {
    "one word": {"prompt": "bade"},
    "a conversation": {
        "prompt": [
            Message("system", "be brief"),
            Message("user", PROMPT),
            Message("assistant", "mora"),
            Message("user", "bade " * 50),
        ]
    },
    "tools": {"prompt": PROMPT, "tools": [WEATHER]},
}


@pytest.mark.parametrize("kind", ["openai_responses", "anthropic"])
@pytest.mark.parametrize("case", COUNTED)
async def test_a_count_is_what_the_answer_costs(
    servers: list[Server], kind: str, case: str
) -> None:
    """Where the dialect has a place for counting, the count is exact."""
    options = COUNTED[case]
    async with open_runtime(_alone(servers[0], kind)) as llm:
        count = await llm.count_tokens(**options)  # type: ignore[arg-type]
        reply = await llm.generate(max_tokens=1, **options)  # type: ignore[arg-type]
    assert count.exact
    assert count.error is None
    assert count.tokens == reply.usage.input_tokens


async def test_an_estimate_learns_from_one_answer(servers: list[Server]) -> None:
    """Elsewhere it is an estimate; after one answer it is within a tenth for alike prompts."""
    short, long = "bade kilo " * 40, "bade kilo " * 400
    async with open_runtime(_alone(servers[0])) as llm:
        before = await llm.count_tokens(long)
        await llm.generate(short, max_tokens=1)
        after = await llm.count_tokens(long)
        real = (await llm.generate(long, max_tokens=1)).usage.input_tokens
        learnt = await llm.count_tokens(short)
    assert not before.exact
    assert not after.exact
    assert before.error is None
    assert abs(after.tokens - real) / real < 0.1
    assert learnt.error is not None
    assert learnt.error < 0.1


async def test_the_models_of_two_servers(servers: list[Server]) -> None:
    """Both lists come, each model under the name of its provider, with what the wire says."""
    async with open_runtime(in_turn(servers)) as llm:
        models = await llm.models()
        one = await llm.provider("first").show_model("syllables")
    assert [(model.provider, model.id) for model in models] == [
        ("first", "syllables"),
        ("second", "syllables"),
    ]
    assert models.errors == {}
    assert one == models[0]
    assert one.context_window == CONTEXT
    assert one.price is not None
    assert one.price.free  # it stands on one's own machine


async def test_the_models_when_one_server_is_gone(mortals: list[Server]) -> None:
    """The other one's are given, and the failure beside them; if all are gone, it is raised."""
    async with open_runtime(in_turn(mortals)) as llm:
        mortals[0].kill()
        models = await llm.models()
        mortals[1].kill()
        with pytest.raises(AllProvidersFailed):
            await llm.models()
    assert [model.provider for model in models] == ["second"]
    assert isinstance(models.errors["first"], ConnectionFailedError)


async def test_two_servers_are_compared(mortals: list[Server]) -> None:
    """Both outcomes are kept: at temperature 0 the same text, then one answer and one error."""
    async with open_runtime(in_turn(mortals)) as llm:
        both = await llm.compare(PROMPT, max_tokens=8, temperature=0)
        mortals[0].kill()
        after = await llm.compare(PROMPT, max_tokens=8, temperature=0)
    assert list(both) == list(after) == ["first", "second"]
    texts = {reply.text for reply in both.values() if isinstance(reply, Reply)}
    assert len(texts) == 1
    assert isinstance(after["first"], ConnectionFailedError)
    assert isinstance(after["second"], Reply)
    assert after["second"].text in texts


async def test_a_batch_outlives_a_server(mortals: list[Server]) -> None:
    """40 prompts, 8 at once, over two servers of which one dies: every index gets an answer."""
    members = {name: provider(server, name) for server, name in zip(mortals, "ab", strict=True)}
    outcomes: dict[int, Reply | LLMError] = {}
    turns = [Fallback(names, name="-".join(names)) for names in (("a", "b"), ("b", "a"))]
    config = Config(providers=members, default=LoadBalance(turns))
    async with open_runtime(config) as llm:
        with trio.fail_after(60):
            async with llm.batch(
                [f"{PROMPT} {SYLLABLES[index]}" for index in range(40)], limit=8, max_tokens=40
            ) as results:
                async for index, outcome in results:
                    assert index not in outcomes
                    outcomes[index] = outcome
                    if len(outcomes) == 10:
                        mortals[0].kill()
        await mortals[1].reached(idle)
    assert sorted(outcomes) == list(range(40))
    replies = [outcome for outcome in outcomes.values() if isinstance(outcome, Reply)]
    assert len(replies) == 40
    assert {reply.provider for reply in replies} == {"a", "b"}
    assert {reply.usage.output_tokens for reply in replies} == {40}
    failed = [one for reply in replies for one in reply.attempts]
    assert AttemptOutcome.FAILED in {one.outcome for one in failed}
    assert {one.error for one in failed if one.provider == "b"} == {None}


async def test_a_batch_names_what_went_wrong(mortals: list[Server]) -> None:
    """With nobody left to answer, each of the remaining prompts has its error, in order."""
    async with open_runtime(_alone(mortals[0])) as llm:
        seen: list[tuple[int, bool]] = []
        async with llm.batch([PROMPT] * 12, limit=2, ordered=True, max_tokens=4) as results:
            async for index, outcome in results:
                seen.append((index, isinstance(outcome, Reply)))
                if index == 3:
                    mortals[0].kill()
    assert [index for index, _ in seen] == list(range(12))
    answered = [fine for _, fine in seen]
    assert answered == sorted(answered, reverse=True)
    assert answered[:4] == [True] * 4
    assert not answered[-1]


@attrs.frozen
class Town:
    name: Literal["bade", "kilo"]
    open: bool


async def test_a_value_of_a_class(servers: list[Server]) -> None:
    """In its own dialect the server holds the model to the schema of a class."""
    async with open_runtime(_alone(servers[0])) as llm:
        value = await llm.generate_as(Town, PROMPT, max_tokens=300)
    assert isinstance(value, Town)


@pytest.mark.parametrize("dialect", ["openai_responses", "anthropic"])
async def test_a_schema_that_the_server_passes_over(servers: list[Server], dialect: str) -> None:
    """In the other dialects it does not, and what the model says is never taken for a value."""
    config = Config(default=provider(servers[0], "real", dialect=dialect))
    async with open_runtime(config) as llm:
        with pytest.raises(StructuredOutputError):
            await llm.generate_as(Town, PROMPT, max_tokens=60)


@dialects
async def test_a_value_by_a_forced_tool(servers: list[Server], dialect: str) -> None:
    """In every dialect it holds the model to the arguments of a tool that it must call."""
    towns: list[Town] = []
    config = Config(default=provider(servers[0], "real", dialect=dialect))
    async with open_runtime(config) as llm:
        await llm.run_tools(
            PROMPT,
            tools=[Tool.from_class(Town, towns.append)],
            tool_choice="required",
            max_tokens=1500,
            temperature=1,
        )
    assert towns
    assert {type(town.open) for town in towns} == {bool}


@dialects
async def test_tools_are_run(servers: list[Server], dialect: str) -> None:
    """The model calls, the function runs with what it wrote, and the model answers."""
    asked: list[str] = []

    async def weather(town: Literal["bade", "kilo"]) -> str:
        """Say the weather.

        Args:
            town: Where.
        """
        await trio.lowlevel.checkpoint()
        asked.append(town)
        return f"rain in {town}"

    async with open_runtime(Config(default=provider(servers[0], "real", dialect=dialect))) as llm:
        run = await llm.run_tools(
            PROMPT,
            tools=[Tool.from_function(weather)],
            tool_choice="required",
            max_tokens=1500,
            temperature=1,
        )
    assert run.rounds == 2
    assert 0 < len(asked) == len(run.calls)
    assert set(asked) <= {"bade", "kilo"}
    assert [outcome.error for outcome in run.calls] == [None] * len(asked)
    results = [part for part in run.messages[2].content if isinstance(part, ToolResult)]
    assert [result.content for result in results] == [
        f"rain in {outcome.call.arguments['town']}" for outcome in run.calls
    ]
    assert run.text
    assert run.usage.output_tokens > len(run.text.split())


@dialects
async def test_a_tool_that_fails_is_told(servers: list[Server], dialect: str) -> None:
    """The model reads the failure, and the conversation with it is taken by the server."""

    def weather(town: Literal["bade", "kilo"]) -> str:
        """Say the weather."""
        msg = f"no weather in {town}"
        raise LookupError(msg)

    config = Config(default=provider(servers[0], "real", dialect=dialect))
    async with open_runtime(config) as llm:
        run = await llm.run_tools(
            PROMPT, tools=[Tool.from_function(weather)], max_tokens=1500, temperature=1
        )
    assert run.calls
    assert {type(outcome.error) for outcome in run.calls} == {LookupError}
    assert run.rounds == 2
    assert run.text


async def test_a_round_too_many(servers: list[Server]) -> None:
    """A model that would still call has said so within the limit of rounds."""

    def weather() -> str:
        """Say the weather."""
        return "rain"

    async with open_runtime(_alone(servers[0])) as llm:
        with pytest.raises(ToolRoundsExceededError) as caught:
            await llm.run_tools(
                PROMPT,
                tools=[Tool.from_function(weather)],
                tool_choice="required",
                max_rounds=1,
                max_tokens=1500,
                temperature=1,
            )
    assert caught.value.rounds == 1
    assert caught.value.reply is not None
    assert caught.value.reply.tool_calls
