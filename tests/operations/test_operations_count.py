"""Counting tokens: the provider's count where there is one, else an estimate that says so."""

from typing import Any

import pytest

from tests.operations.operations_stage import Stage
from trio_llm import (
    Completion,
    Config,
    CooldownSettings,
    CountRequest,
    Fallback,
    InvalidRequestError,
    LLMError,
    Message,
    ModelNotFoundError,
    RateLimitError,
    ServerError,
    TokenCount,
    Usage,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Fails, Step, World, run


class _Counts:
    """Counts a hundred tokens."""

    async def play(self, _work: Work) -> TokenCount:
        """Count."""
        return TokenCount(tokens=100, exact=True)


class _Bills:
    """Answers, and bills one token for two letters."""

    async def play(self, work: Work) -> Completion:
        """Answer."""
        letters = len(work.conversation.messages[-1].text)
        return Completion(Message("assistant", "ok"), usage=Usage(letters // 2, 1))


def _by_request(work: Work) -> Step:
    return Fails() if isinstance(work.request, CountRequest) else Answers()


def test_the_providers_own_count_is_exact() -> None:
    """A provider that counts is asked, and the result says that it is no estimate."""

    async def scenario(world: World) -> Any:
        tree = Stage().provider("a", _Counts(), CountRequest)
        async with world.open(Config(default=tree)) as llm:
            return await llm.count_tokens("hello")

    count = run(scenario).value
    assert (count.tokens, count.exact, count.error, count.provider) == (100, True, None, "a")


def test_without_a_count_there_is_an_estimate_that_says_so() -> None:
    """A quarter of the bytes, and a little for each message; the error is not known yet."""

    async def scenario(world: World) -> Any:
        async with world.open(Config(default=Stage().provider("a", Answers()))) as llm:
            return await llm.count_tokens("x" * 400)

    count = run(scenario).value
    assert (count.tokens, count.exact, count.error) == (104, False, None)


def test_the_estimate_learns_from_what_was_billed() -> None:
    """After some answers it is near the truth, and tells how near."""

    async def scenario(world: World) -> tuple[TokenCount, TokenCount]:
        async with world.open(Config(default=Stage().provider("a", _Bills()))) as llm:
            before = await llm.count_tokens("x" * 4000)
            for _ in range(20):
                await llm.generate("x" * 4000)
            return before, await llm.count_tokens("x" * 4000)

    before, after = run(scenario).value
    assert before.tokens == 1004
    assert after.tokens == pytest.approx(2000, rel=0.01)
    assert after.error is not None
    assert after.error < 0.05


def test_what_one_model_teaches_is_not_said_of_another() -> None:
    """Each model has its own way of cutting text."""

    async def scenario(world: World) -> TokenCount:
        async with world.open(Config(default=Stage().provider("a", _Bills()))) as llm:
            for _ in range(20):
                await llm.generate("x" * 4000, model="one")
            return await llm.count_tokens("x" * 4000, model="two")

    assert run(scenario).value.tokens == 1004


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_address_that_does_not_exist_is_asked_once(status: int) -> None:
    """A compatible server without the endpoint gets an estimate, and is left alone."""

    async def scenario(world: World) -> tuple[TokenCount, int]:
        stage = Stage()
        missing = Fails(ModelNotFoundError("no such page", status=status))
        async with world.open(Config(default=stage.provider("a", missing, CountRequest))) as llm:
            await llm.count_tokens("hello")
            return await llm.count_tokens("hello"), stage.scripts["a"].started

    count, asked = run(scenario).value
    assert (count.exact, asked) == (False, 1)


@pytest.mark.parametrize("error", [ServerError, RateLimitError, ModelNotFoundError])
def test_a_count_that_fails_is_an_error(error: type[LLMError]) -> None:
    """An estimate does not hide that the provider is ill."""

    async def scenario(world: World) -> None:
        failing = Stage().provider("a", Fails(error), CountRequest)  # type: ignore[arg-type]
        async with world.open(Config(default=failing)) as llm:
            with pytest.raises(error):
                await llm.count_tokens("hello")

    run(scenario)


def test_a_fallback_counts_where_the_call_would_go() -> None:
    """The first member that can take it counts."""

    async def scenario(world: World) -> str:
        stage = Stage()
        tree = Fallback(
            [
                stage.provider("a", _by_request, CountRequest),
                stage.provider("b", _Counts(), CountRequest),
            ]
        )
        async with world.open(Config(default=tree)) as llm:
            return (await llm.count_tokens("hello")).provider

    assert run(scenario).value == "b"


def test_an_estimate_does_not_mend_the_providers_health() -> None:
    """Counting between failures must not keep a broken provider out of its cooldown."""

    async def scenario(world: World) -> str:
        broken = Stage().provider("a", Fails(), cooldown=CooldownSettings(after_failures=2))
        async with world.open(Config(default=broken)) as llm:
            for _ in range(2):
                await llm.count_tokens("hello")
                with pytest.raises(ServerError):
                    await llm.generate("hello")
            return llm.status_of().state

    assert run(scenario).value == "cooling"


def test_a_prompt_that_cannot_be_sent_is_not_counted() -> None:
    """The rules for a prompt are those of `generate`."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Stage().provider("a", Answers()))) as llm:
            with pytest.raises(InvalidRequestError, match="the prompt is empty"):
                await llm.count_tokens("")

    run(scenario)
