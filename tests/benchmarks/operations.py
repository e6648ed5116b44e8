"""What the operations cost beside plain calls and plain libraries: CPU alone, no network."""

import base64
import json
import random
from array import array
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import trio_llm
from tests.benchmarks.measure import Call, Row, cpu_of, cpu_per_call, ratio
from trio_llm import (
    Completion,
    Config,
    EmbedRequest,
    Fallback,
    Message,
    Provider,
    Request,
    Simulation,
    Tool,
    ToolCall,
    Usage,
)
from trio_llm.chat import AnyResult, Operation
from trio_llm.providers.backend import Backend, Work
from trio_llm.providers.estimate import EstimatingBackend
from trio_llm.providers.origin import Origin
from trio_llm.providers.structured import StructuredBackend
from trio_llm.wire import DIALECTS

EXCHANGES = 2000
CALLS = 400
ROUNDS = 10
VECTORS = 2048
DIMENSIONS = 1536
REQUEST = Request(messages="hi", model="bench")
COMPLETION = Completion(Message("assistant", "hi"), usage=Usage(9, 1))


class _Instant:
    """A backend that answers at once."""

    operations: frozenset[type[Operation]] = frozenset()

    @asynccontextmanager
    async def resources(self) -> AsyncGenerator[None, None]:
        """Open nothing."""
        yield

    async def answer(self, _work: Work) -> AnyResult:
        """Give the same completion every time."""
        return COMPLETION


async def wrappers() -> list[Row]:
    """Measure what stands between a provider's actor and its backend."""
    work = Work(REQUEST, "bench", 1, ("bench",), 1, None)

    async def cost(backend: Backend) -> float:
        async def exchanges() -> None:
            for _ in range(EXCHANGES):
                await backend.answer(work)

        return await cpu_per_call(exchanges, calls=20, concurrency=1) / EXCHANGES

    inner = _Instant()
    bare = await cost(inner)
    origin = Origin.of("openai_chat", "https://api.example.com/v1")

    def marked() -> None:
        for _ in range(EXCHANGES):
            origin.outward(REQUEST)
            origin.inward(COMPLETION)

    added = {
        "token estimates": await cost(EstimatingBackend(inner)) - bare,
        "answers of a given shape, unused": await cost(StructuredBackend(inner, "tool")) - bare,
        "origin of reasoning, none there": cpu_of(marked) / EXCHANGES,
    }
    return [(name, f"{value * 1000:.0f}") for name, value in added.items()]


def vectors() -> list[Row]:
    """Measure the reading of a full request of embeddings."""
    rng = random.Random(1)
    numbers = [array("f", [rng.gauss(0, 0.03) for _ in range(DIMENSIONS)]) for _ in range(64)]
    rows = [numbers[index % len(numbers)] for index in range(VECTORS)]
    written = [json.dumps([round(number, 8) for number in row]) for row in numbers]
    packed = [json.dumps(base64.b64encode(row.tobytes()).decode()) for row in numbers]
    codec = DIALECTS["openai_chat"].operations[EmbedRequest]
    request = EmbedRequest(texts=["text"] * VECTORS)

    def body(items: list[str]) -> bytes:
        entries = [
            f'{{"index":{index},"embedding":{items[index % len(items)]}}}'
            for index in range(VECTORS)
        ]
        return f'{{"data":[{",".join(entries)}],"model":"bench"}}'.encode()

    as_numbers, as_base64 = body(written), body(packed)
    encoded = [base64.b64encode(row.tobytes()) for row in rows]

    def unpacked() -> None:
        for row in encoded:
            array("f").frombytes(base64.b64decode(row))

    cases = (
        (
            "numbers, beside json.loads",
            as_numbers,
            cpu_of(lambda: json.loads(as_numbers), rounds=2),
        ),
        ("base64, beside array.frombytes", as_base64, cpu_of(unpacked, rounds=3)),
    )
    results: list[Row] = []
    for name, content, bare in cases:
        cost = cpu_of(partial(codec.decode, content, request), rounds=2)
        results.append((name, f"{len(content) / 1e6:.0f}", f"{cost / 1000:.0f}", ratio(cost, bare)))
    return results


def simulated(name: str) -> Provider:
    """Give a provider in this process that answers at once."""
    return Provider("simulated", name, simulation=Simulation(latency=0.0, text="words"))


async def throughput() -> list[Row]:
    """Measure batches beside a loop of plain calls."""
    member = Fallback([simulated("a"), simulated("b")])
    prompts = ["hi"] * CALLS
    async with trio_llm.open_runtime(Config(default=member)) as llm:

        async def plain() -> None:
            for prompt in prompts:
                await llm.generate(prompt)

        async def batched(limit: int) -> None:
            async with llm.batch(prompts, limit=limit) as results:
                async for _ in results:
                    pass

        cases: dict[str, Call] = {
            "generate, one after the other": plain,
            "batch, one at a time": partial(batched, 1),
            "batch, 8 at once": partial(batched, 8),
            "batch, 64 at once": partial(batched, 64),
        }
        costs = {
            name: await cpu_per_call(case, calls=3, concurrency=1) / CALLS
            for name, case in cases.items()
        }
    alone = costs["generate, one after the other"]
    return [
        (name, f"{cost:.0f}", f"{1e6 / cost:,.0f}", ratio(cost, alone))
        for name, cost in costs.items()
    ]


class _Caller:
    """Calls a tool in every turn but the last."""

    async def generate(self, request: Request) -> Completion:
        """Give one more call until there have been `ROUNDS`."""
        turn = len(request.messages) // 2
        if turn == ROUNDS:
            return COMPLETION
        return Completion(
            Message("assistant", [ToolCall(f"call_{turn}", "look", {})]), "tool_calls"
        )


async def tool_rounds() -> list[Row]:
    """Measure a round of tools beside a plain call of the same provider."""

    async def look(_arguments: object) -> str:
        return "rain"

    tool = Tool("look", "Looks.", function=look)
    async with trio_llm.open_runtime(Config(default=Provider("custom", cls=_Caller()))) as llm:

        async def plain() -> None:
            await llm.generate("hi")

        async def looped() -> None:
            await llm.run_tools("hi", tools=[tool], max_rounds=ROUNDS + 1)

        alone = await cpu_per_call(plain, calls=1000, concurrency=1)
        turn = await cpu_per_call(looped, calls=100, concurrency=1) / (ROUNDS + 1)
    return [
        ("generate", f"{alone:.0f}", "1.00"),
        ("run_tools, a turn with one call", f"{turn:.0f}", ratio(turn, alone)),
    ]
