"""Moderation: a verdict for every text, or an error; an error is never "safe"."""

from typing import Any

import pytest

from tests.operations.operations_stage import Stage
from trio_llm import (
    AllProvidersFailed,
    AuthenticationError,
    Completion,
    Config,
    CooldownSettings,
    Fallback,
    InvalidRequestError,
    LLMError,
    MalformedResponseError,
    Message,
    ModerateRequest,
    Moderation,
    OverloadedError,
    ProviderCrashedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RateLimitError,
    Timeouts,
    Verdict,
)
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import Crashes, Fails, Judges, Stalls, Step, World, run
from trio_llm.testing.script import Script


def _judge(script: Script, name: str = "judge", **settings: Any) -> Any:
    return Stage().provider(name, script, ModerateRequest, **settings)


def _judged(tree: Member, texts: Any) -> Any:
    async def scenario(world: World) -> object:
        async with world.open(Config(default=tree)) as llm:
            return await llm.moderate(texts)

    return run(scenario).value


def test_every_text_gets_a_verdict_in_order() -> None:
    """The whole is flagged when one text is, and names the categories."""
    result = _judged(_judge(Judges()), ["good", "bad", "fine"])
    assert [verdict.flagged for verdict in result.verdicts] == [False, True, False]
    assert result.flagged
    assert result.categories == {"bad"}
    assert not _judged(_judge(Judges()), "good").flagged


def test_many_texts_go_in_batches() -> None:
    """A hundred texts are judged in batches of 32, and come back in order."""
    texts = ["bad" if index % 3 == 0 else "good" for index in range(100)]
    result = _judged(_judge(Judges()), texts)
    assert [verdict.flagged for verdict in result.verdicts] == [text == "bad" for text in texts]
    assert len(result.attempts) == 4


class _Gives:
    """A step that gives whatever it is told."""

    def __init__(self, result: Any) -> None:
        self.result = result

    async def play(self, _work: Work) -> Any:
        """Give it."""
        return self.result


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (Fails(RateLimitError), RateLimitError),
        (Fails(OverloadedError), OverloadedError),
        (Fails(AuthenticationError), AuthenticationError),
        (Crashes(), ProviderCrashedError),
        (Stalls(), ProviderTimeoutError),
        (Judges(missing=1), MalformedResponseError),
        (_Gives(Moderation(verdicts=())), MalformedResponseError),
        (_Gives(Moderation(verdicts=(Verdict(False), Verdict(False)))), MalformedResponseError),
        (_Gives(Completion(Message("assistant", "safe"))), MalformedResponseError),
        (_Gives("safe"), MalformedResponseError),
    ],
)
def test_a_failure_is_an_error_and_never_a_verdict(step: Step, error: type[LLMError]) -> None:
    """Whatever goes wrong, nothing comes back that could be taken for safe."""
    with pytest.raises(error):
        _judged(_judge(step, timeouts=Timeouts(first_token=5.0)), "anything")


def test_one_failed_batch_fails_the_call() -> None:
    """Verdicts of the other batches are not given as if they were all."""

    def script(work: Work) -> Step:
        return Fails() if work.call == 2 else Judges()

    with pytest.raises(LLMError, match="scripted to fail"):
        _judged(_judge(script), ["good"] * 100)


def test_a_provider_that_is_cooling_does_not_judge() -> None:
    """A refusal without an attempt is an error as well."""

    async def scenario(world: World) -> None:
        tired = _judge(Fails(), cooldown=CooldownSettings(initial=60, after_failures=1))
        async with world.open(Config(default=tired)) as llm:
            with pytest.raises(LLMError):
                await llm.moderate("x")
            with pytest.raises(ProviderUnavailableError, match="cooling down"):
                await llm.moderate("x")

    run(scenario)


def test_when_all_members_fail_the_group_is_raised() -> None:
    """A fallback that nobody answers is an error with every cause."""
    with pytest.raises(AllProvidersFailed) as caught:
        _judged(Fallback([_judge(Fails(), "a"), _judge(Judges(missing=1), "b")]), "x")
    assert [type(error).__name__ for error in caught.value.errors] == [
        "ServerError",
        "MalformedResponseError",
    ]


@pytest.mark.parametrize("texts", [[], "", ["a", ""], [None]])
def test_nothing_to_judge_is_no_verdict(texts: Any) -> None:
    """An empty list would be "not flagged" without anybody having looked."""
    with pytest.raises(InvalidRequestError, match="texts"):
        _judged(_judge(Judges()), texts)


@pytest.mark.parametrize("verdict", [None, "safe", Verdict(None), Verdict("no"), Verdict(0)])  # type: ignore[arg-type]
def test_a_verdict_that_says_nothing_is_no_answer(verdict: Any) -> None:
    """What is not plainly true or false must not be read as safe."""

    class Mumbles:
        async def play(self, _work: Work) -> Moderation:
            return Moderation(verdicts=(Verdict(False), verdict))

    with pytest.raises(MalformedResponseError, match="verdict 1 does not say"):
        _judged(_judge(Mumbles()), ["a", "b"])
