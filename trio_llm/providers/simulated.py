"""The simulated provider: in-process, seeded, the embedded default.

It lets everything be tried without a key and without a network. What is random
in it depends on the seed, the call, the place in the tree and the attempt, never
on the order in which tasks run.
"""

import json
import random
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import trio

from trio_llm.chat import (
    AnyResult,
    Completion,
    FinishReason,
    Message,
    Operation,
    Request,
    TextDelta,
    Usage,
)
from trio_llm.chat.typed import example_of
from trio_llm.errors import ProviderError
from trio_llm.providers.backend import Work
from trio_llm.providers.simulated_operations import (
    LETTERS,
    OFFERED,
    perform,
    request_tokens,
    tokens_of,
)


@attrs.frozen(kw_only=True)
class SimulatedBackend:
    """Answers after a while, or fails, as told; `max_tokens` and `stop` cut the answer.

    Args:
        name: The provider's name, for its default answer.
        latency: Seconds to the answer, or to the first piece of a stream.
        jitter: Largest random addition to the latency, in seconds.
        text: What it answers; ``None`` for a sentence about the prompt.
        chunks: In how many pieces a stream comes.
        gap: Seconds between two pieces.
        failure_rate: Share of attempts that fail, 0 to 1.
        fail_with: The class of those failures.
        seed: Seed of everything random.
    """

    name: str
    latency: float
    jitter: float
    text: str | None
    chunks: int
    gap: float
    failure_rate: float
    fail_with: type[ProviderError]
    seed: int

    @property
    def operations(self) -> frozenset[type[Operation]]:
        """All but the management of models."""
        return OFFERED

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Nothing to open."""
        return _nothing()

    async def answer(self, work: Work) -> AnyResult:
        """Wait, then answer or fail."""
        request = work.request
        latency, fails = self.latency, False
        if self.jitter or self.failure_rate:
            key = f"{self.seed}/{work.call}/{'/'.join(work.path)}/{work.number}"
            rng = random.Random(key)  # noqa: S311 - a simulation
            latency += rng.uniform(0.0, self.jitter)
            fails = rng.random() < self.failure_rate
        await trio.sleep(latency)
        if fails:
            raise self.fail_with("a simulated failure", phase="response")
        if isinstance(request, Operation):
            return perform(request, work.model)
        text, finish = _cut(self._answer_to(request), request)
        if work.sink is not None:
            for index, piece in enumerate(_pieces(text, self.chunks)):
                if index and self.gap:
                    await trio.sleep(self.gap)
                await work.sink.put([TextDelta(piece)])
        return Completion(
            Message("assistant", text),
            finish,
            raw_finish=finish,
            usage=Usage(request_tokens(request), tokens_of((text,))),
            model=work.model,
        )

    def _answer_to(self, request: Request) -> str:
        """Give the answer, or of one that has begun, what is missing."""
        if not request.continuation:
            return self.text if self.text is not None else self._about(request)
        begun = request.messages[-1].text
        asked = attrs.evolve(request, messages=request.messages[:-1], continuation=False)
        text = self._answer_to(asked)
        return text[len(begun) :] if text.startswith(begun) else f" … {text}"

    def _about(self, request: Request) -> str:
        if request.output is not None:
            return json.dumps(example_of(request.output.schema), ensure_ascii=False)
        prompt = " ".join(request.messages[-1].text.split())
        short = prompt if len(prompt) <= 60 else prompt[:59] + "…"
        return f"This is {self.name}, a simulated provider. You asked: {short!r}."


@asynccontextmanager
async def _nothing() -> AsyncGenerator[None, None]:
    yield


def _cut(text: str, request: Request) -> tuple[str, FinishReason]:
    """End a text where a model would; give it, and why it ends."""
    for stop in request.stop:
        if stop:
            text = text.partition(stop)[0]
    limit = request.max_tokens
    if limit is not None and len(text) // LETTERS > limit:
        return text[: limit * LETTERS], "length"
    return text, "stop"


def _pieces(text: str, count: int) -> list[str]:
    """Cut a text into at most `count` pieces of about one length."""
    size = max(1, -(-len(text) // max(1, count)))
    return [text[start : start + size] for start in range(0, len(text), size)]
