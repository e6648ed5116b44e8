"""Steps of a scripted provider that answer operations; see `script` for conversations.

Give the operations that are offered beside the script:
``ScriptedProvider(Embeds(), {EmbedRequest})``.
"""

import attrs
import trio

from trio_llm.chat import (
    Done,
    Embeddings,
    EmbedRequest,
    ModelInfo,
    ModelList,
    ModerateRequest,
    Moderation,
    PullProgress,
    Usage,
    Verdict,
)
from trio_llm.errors import ProviderError
from trio_llm.providers.backend import Work


@attrs.frozen
class Embeds:
    """Gives a vector for each text: the length of the text, then the vector's own number.

    Args:
        dimensions: The length of the vectors, unless the request asks for another.
        after: Seconds to the answer.
        missing: How many vectors are left out, as a broken provider does.
    """

    dimensions: int = 4
    after: float = 0.0
    missing: int = 0

    async def play(self, work: Work) -> Embeddings:
        """Wait, then embed."""
        await trio.sleep(self.after)
        request = work.request
        texts = request.texts if isinstance(request, EmbedRequest) else ()
        length = (request.dimensions if isinstance(request, EmbedRequest) else 0) or self.dimensions
        vectors = [
            (float(len(text)), float(index), *[0.0] * length)[:length]
            for index, text in enumerate(texts)
        ]
        return Embeddings(
            vectors=tuple(vectors[: len(vectors) - self.missing]),
            usage=Usage(sum(len(text) for text in texts)),
            model=work.model,
        )


@attrs.frozen
class Judges:
    """Flags the texts that hold a word.

    Args:
        word: The word.
        after: Seconds to the answer.
        missing: How many verdicts are left out, as a broken provider does.
    """

    word: str = "bad"
    after: float = 0.0
    missing: int = 0

    async def play(self, work: Work) -> Moderation:
        """Wait, then judge."""
        await trio.sleep(self.after)
        request = work.request
        texts = request.texts if isinstance(request, ModerateRequest) else ()
        verdicts = [Verdict(self.word in text, {self.word: self.word in text}) for text in texts]
        return Moderation(
            verdicts=tuple(verdicts[: len(verdicts) - self.missing]), model=work.model
        )


@attrs.frozen
class Lists:
    """Gives a list of models."""

    models: tuple[ModelInfo, ...] = ()
    after: float = 0.0

    async def play(self, _work: Work) -> ModelList:
        """Wait, then list."""
        await trio.sleep(self.after)
        return ModelList(models=self.models)


@attrs.frozen
class Pulls:
    """Fetches a model in steps, and then says so or breaks.

    Args:
        steps: How many parts of 100 bytes there are.
        gap: Seconds before each.
        error: What it ends with in place of a success.
    """

    steps: int = 3
    gap: float = 1.0
    error: ProviderError | None = None

    async def play(self, work: Work) -> Done:
        """Fetch, part by part."""
        for number in range(1, self.steps + 1):
            await trio.sleep(self.gap)
            if work.sink is not None:
                total = 100 * self.steps
                await work.sink.put([PullProgress("pulling", "sha256:0", total, 100 * number)])
        if self.error is not None:
            raise self.error.copy()
        return Done(status="success")
