"""The estimate of tokens: its rules, what it learns, and what that costs."""

import random
from contextlib import AbstractAsyncContextManager, nullcontext

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_llm import Audio, CountRequest, File, Image, Message, Operation, Request, Tool, ToolCall
from trio_llm.chat import AnyResult, Completion, OutputSchema, Reasoning, ToolResult, Usage
from trio_llm.providers.backend import Work
from trio_llm.providers.estimate import (
    BYTES_PER_TOKEN,
    EAGER,
    FILE_BY_ADDRESS,
    IMAGE,
    LEAST_FILE,
    MODELS,
    Calibration,
    EstimatingBackend,
    media_tokens,
    size_of,
    text_tokens,
)


@given(st.text(max_size=1024))
def test_the_size_of_a_short_text_is_exact(text: str) -> None:
    """It is the length in UTF-8; what has no such form counts as a question mark."""
    assert size_of(text) == len(text.encode(errors="replace"))


@pytest.mark.parametrize("letter", ["x", "é", "語", "🙂"])
def test_the_size_of_a_long_text_comes_from_its_beginning(letter: str) -> None:
    """A text of one script is measured well without being read to its end."""
    text = letter * 100_000
    assert size_of(text) == pytest.approx(len(text.encode()))


def test_every_part_is_counted_by_its_rule() -> None:
    """Text, calls, results, tools and schema by their bytes; media by fixed rules."""
    call = Message("assistant", (ToolCall("id", "look", {"a": 1}), Reasoning("hmm.")))
    result = Message("tool", (ToolResult("id", "found"),))
    request = Request(
        messages=(Message("user", "1234"), call, result),
        tools=(Tool("look", "looks", {"type": "object"}),),
        output=OutputSchema("shape", {"type": "object"}),
    )
    size = 4 + len("look") + len('{"a": 1}') + 4 + len("found") + len("looklooks")
    assert text_tokens(request) == (size + 2 * len('{"type": "object"}')) / BYTES_PER_TOKEN + 12
    assert media_tokens([Image(url="https://x.test/a.png")]) == IMAGE
    assert media_tokens([Audio(b"0" * 32_000)]) == 32
    assert media_tokens([File(url="https://x.test/a.pdf")]) == FILE_BY_ADDRESS
    assert media_tokens([File(content=b"0" * 400, media_type="text/plain")]) == 100
    assert media_tokens([File(content=b"0" * 400, media_type="application/pdf")]) == LEAST_FILE
    assert media_tokens([File(content=b"0" * 500_000, media_type="application/pdf")]) == 10_000


def test_a_request_with_a_picture_claims_no_error() -> None:
    """Nothing learnt from text says how a picture is billed."""
    calibration = Calibration()
    text = Request(messages="x" * 400)
    for _ in range(3):
        calibration.learn(text, 104)
    assert calibration.estimate(text).error == 0.0
    picture = Request(messages=Message("user", ("hi", Image(url="https://x.test/a.png"))))
    count = calibration.estimate(picture)
    assert (count.exact, count.error) == (False, None)
    assert count.tokens > IMAGE


def test_the_calibration_follows_a_change() -> None:
    """Old answers fade, so that a new tokenizer is learnt in some tens of answers."""
    calibration = Calibration()
    request = Request(messages="x" * 4000)
    for _ in range(100):
        calibration.learn(request, 1000)
    for _ in range(100):
        calibration.learn(request, 2000)
    assert calibration.estimate(request).tokens == pytest.approx(2000, rel=0.01)
    assert calibration.error is not None
    assert calibration.error < 0.05


def test_the_error_tells_how_far_estimates_were_off() -> None:
    """Billing that varies by a tenth leaves an error of about that much."""
    rng = random.Random(1)
    calibration = Calibration()
    for _ in range(300):
        length = rng.randrange(2_000, 20_000)
        billed = round(length / 3 * rng.uniform(0.9, 1.1))
        calibration.learn(Request(messages="x" * length), billed)
    assert calibration.error is not None
    assert 0.02 < calibration.error < 0.1


@attrs.define(eq=False)
class _Inner:
    """Bills what it is told."""

    billed: int = 100
    usage: bool = True
    operations: frozenset[type[Operation]] = frozenset()

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Nothing."""
        return nullcontext()

    async def answer(self, _work: Work) -> AnyResult:
        """Answer."""
        usage = Usage(self.billed, 1) if self.usage else None
        return Completion(Message("assistant", "ok"), usage=usage)


def _work(request: Request | Operation, model: str = "m") -> Work:
    return Work(request, model, 1, ("a",), 1, None)


async def _estimate(backend: EstimatingBackend, request: Request, model: str = "m") -> AnyResult:
    return await backend.answer(_work(CountRequest(request=request), model))


async def test_an_answer_without_usage_teaches_nothing() -> None:
    """Neither does one that bills no input at all."""
    request = Request(messages="x" * 400)
    for inner in (_Inner(usage=False), _Inner(billed=0)):
        backend = EstimatingBackend(inner)
        await backend.answer(_work(request))
        assert getattr(await _estimate(backend, request), "tokens", None) == 104


async def test_the_models_that_are_remembered_are_bounded() -> None:
    """A caller that names ever new models fills no memory."""
    backend = EstimatingBackend(_Inner())
    request = Request(messages="x" * 400)
    for number in range(3 * MODELS):
        await backend.answer(_work(request, f"m{number}"))
    assert len(backend.learnt) == MODELS
    assert f"m{3 * MODELS - 1}" in backend.learnt


async def test_learning_is_rare_once_there_is_somethinglearnt() -> None:
    """After the first answers only every sixteenth is looked at."""
    backend = EstimatingBackend(_Inner(billed=104))
    request = Request(messages="x" * 400)
    for _ in range(EAGER):
        await backend.answer(_work(request))
    known = attrs.evolve(backend.learnt["m"])
    for _ in range(EAGER - 1):
        await backend.answer(_work(request))
    assert attrs.evolve(backend.learnt["m"], seen=known.seen) == known
