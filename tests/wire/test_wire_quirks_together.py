"""Together: token identifiers, another word for the end, a bare list of models."""

from decimal import Decimal

import pytest

from tests.wire.wire_chat import DONE, event, refused, stream
from tests.wire.wire_operations import listed
from trio_llm.chat import Capability, ListModels, Price, ShowModel, TextDelta, Usage
from trio_llm.errors import AuthenticationError, MalformedResponseError, ModelNotFoundError
from trio_llm.wire.presets import TOGETHER


def test_together_ends_with_eos_and_numbers_its_tokens() -> None:
    """``text`` repeats the delta, and ``eos`` is a stop."""
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    first = {
        "index": 0,
        "text": "a",
        "delta": {"token_id": 11, "role": "assistant", "content": "a"},
    }
    last = {
        "index": 0,
        "text": "",
        "delta": {"token_id": 128009, "content": ""},
        "finish_reason": "eos",
    }
    deltas, completion = stream(
        event({"choices": [first]}), event({"choices": [last], "usage": counts}), DONE
    )
    assert deltas == [TextDelta("a")]
    assert (completion.finish_reason, completion.raw_finish) == ("stop", "eos")
    assert completion.usage == Usage(3, 2)


def test_together_errors_carry_an_identifier_beside_them() -> None:
    """The class is found all the same."""
    error = {"message": "Invalid API key provided", "type": "invalid_request_error", "code": None}
    assert isinstance(refused(401, {"id": "o1", "error": error}), AuthenticationError)


def test_together_lists_models_without_an_envelope() -> None:
    """Prices are for a million tokens; a stated zero is free."""
    body = [
        {
            "id": "meta/llama",
            "type": "chat",
            "context_length": 131_072,
            "pricing": {"input": 0.88, "output": 0.88, "hourly": 0, "base": 0},
        },
        {"id": "free", "type": "chat", "pricing": {"input": 0, "output": 0}},
        {"id": "vectors", "type": "embedding", "context_length": 512},
    ]
    llama, free, vectors = listed(ListModels(), body, quirks=TOGETHER)
    assert llama.price == Price(Decimal("0.88"), Decimal("0.88"))
    assert llama.context_window == 131_072
    assert free.price is not None
    assert free.price.free
    assert vectors.price is None
    assert vectors.capabilities == frozenset({Capability.EMBEDDING})


def test_together_has_no_address_for_one_model() -> None:
    """It is picked out of the list, or not found."""
    body = [{"id": "a"}, {"id": "b"}]
    assert listed(ShowModel(model="b"), body, quirks=TOGETHER)[0].id == "b"
    with pytest.raises(ModelNotFoundError):
        listed(ShowModel(model="c"), body, quirks=TOGETHER)
    with pytest.raises(MalformedResponseError):
        listed(ShowModel(model="c"), {"x": 1}, quirks=TOGETHER)
