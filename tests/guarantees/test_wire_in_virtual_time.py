"""The guarantees below the dialects: real encoders, decoders and exchanges, scripted bytes.

The transport is in this process, so faults of the wire play in virtual time, under
every schedule.
"""

import random

import trio

from trio_llm import (
    Config,
    Fallback,
    Finished,
    LLMError,
    LoadBalance,
    Provider,
    Race,
    ReplyStream,
    Runtime,
    StreamInterruptedError,
    TextDelta,
    Timeouts,
)
from trio_llm.config.schema import Member
from trio_llm.testing import World, canonical, explore, run, seeds
from trio_llm.testing.upstream import Behaviour, Fault, MemoryUpstream, Served

KINDS = {
    "openai_compatible": "openai_chat",
    "openai_responses": "openai_responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "cohere": "cohere",
    "ollama": "ollama",
}
WORDS = ("Once ", "upon ", "a ", "time")
ERRORS = (400, 401, 404, 429, 500, 503, 529)
FAULTS = [fault for fault in Fault if fault is not Fault.ENDLESS]


def _behave(seed: int, served: Served) -> Behaviour:
    """Draw a behaviour that depends on the request alone, not on the order of arrival."""
    rng = random.Random(f"{seed}/{served.dialect}/{served.model}/{served.body!r}")
    status = rng.choice(ERRORS) if rng.random() < 0.25 else 200
    return Behaviour(
        latency=rng.choice((0.0, 0.1, 0.1, 0.2)),
        first_token=rng.choice((0.0, 0.1)),
        gap=rng.choice((0.0, 0.1)),
        chunks=WORDS,
        status=status,
        headers={"retry-after": "2"} if status == 429 else {},
        fault=rng.choice(FAULTS) if status == 200 and rng.random() < 0.5 else None,
        fault_after=rng.randrange(4),
    )


def _tree(rng: random.Random, upstream: MemoryUpstream) -> Member:
    """Draw a tree over providers, two of each dialect."""
    leaves: list[Member] = [
        Provider(
            kind,
            f"{dialect}-{number}",
            base_url=upstream.base_url(dialect),
            api_key="k",
            model=f"model-{number}",
            timeouts=Timeouts(first_token=2.0, idle=1.0, total=5.0),
        )
        for kind, dialect in KINDS.items()
        for number in (1, 2)
    ]
    rng.shuffle(leaves)
    inner: list[Member] = [Race(leaves[:2]), LoadBalance(leaves[2:4]), Fallback(leaves[4:])]
    rng.shuffle(inner)
    return rng.choice((Fallback(inner), Race(inner), Race([Fallback(inner[:2]), inner[2]])))


async def _read(answer: ReplyStream, pieces: list[str]) -> None:
    """Read a stream to its end, keeping its pieces."""
    async for event in answer:
        if isinstance(event, Finished):
            assert event.reply.text == "".join(pieces) == "".join(WORDS)
        elif isinstance(event, TextDelta):
            pieces.append(event.text)
    assert answer.reply.text == "".join(WORDS)


async def _call(llm: Runtime, prompt: str, *, patience: float, streaming: bool) -> str:
    """Call once, and give the word for how it ended."""
    pieces: list[str] = []
    with trio.move_on_after(patience):
        try:
            if not streaming:
                reply = await llm.generate(prompt)
                assert reply.text == "".join(WORDS)
                return "replied"
            async with llm.stream(prompt) as answer:
                await _read(answer, pieces)
        except StreamInterruptedError as error:
            return "interrupted" if error.partial_text == "".join(pieces) else "text was lost"
        except LLMError as error:
            return type(error).__name__
        return "finished"
    return "cancelled"


def test_every_call_over_the_wire_ends_once_and_leaves_no_response_open() -> None:
    """Whatever the bytes do, a call ends in one way, and every response is closed by then."""

    async def scenario(world: World) -> list[str]:
        upstream = MemoryUpstream(lambda served: _behave(world.seed, served))
        ends: list[str] = []

        async def caller(number: int, patience: float) -> None:
            streaming = number % 2 == 0
            ends.append(await _call(llm, f"call {number}", patience=patience, streaming=streaming))

        tree = _tree(world.rng, upstream)
        async with world.open(Config(default=tree), transport=upstream) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(6):
                    patience = world.rng.choice((0.15, 0.3, 100.0, 100.0))
                    nursery.start_soon(caller, number, patience)
            assert upstream.open_responses == 0
            assert [status.in_flight for status in llm.status() if status.in_flight] == []
        assert "text was lost" not in ends
        assert len(ends) == 6
        return ends

    ends = [
        end for outcome in explore(scenario, seeds=seeds(1000, share=50)) for end in outcome.value
    ]
    assert {"replied", "finished", "cancelled", "interrupted"} <= set(ends)


def test_a_single_call_over_the_wire_is_the_same_under_every_schedule() -> None:
    """Reply or error, and the canonical log, do not depend on the order of tasks."""

    async def scenario(world: World) -> str:
        upstream = MemoryUpstream(lambda served: _behave(world.seed, served))
        tree = _tree(world.rng, upstream)
        async with world.open(Config(default=tree), transport=upstream) as llm:
            try:
                reply = await llm.generate("one call")
            except LLMError as error:
                return str(error)
            return f"{reply.provider}: {reply.text}"

    for world_seed in seeds(200, share=50, least=4):
        runs = [run(scenario, seed=world_seed, schedule=schedule) for schedule in range(10)]
        assert len({outcome.value for outcome in runs}) == 1, world_seed
        assert len({repr(canonical(outcome.log)) for outcome in runs}) == 1, world_seed
