"""Embeddings, moderation and models in OpenAI's form and those that come near it."""

import base64
import json
import struct
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.wire_junk import junk
from tests.wire.wire_operations import answered, asked, embedded, listed
from trio_llm.chat import (
    Capability,
    CountRequest,
    EmbedRequest,
    ListModels,
    ModerateRequest,
    Moderation,
    Operation,
    Price,
    ShowModel,
    Usage,
)
from trio_llm.errors import (
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    ProviderError,
    QuotaExceededError,
)
from trio_llm.testing import seeds
from trio_llm.wire import DIALECTS, Quirks
from trio_llm.wire.openai_chat.operations import openai_operations
from trio_llm.wire.values import as_list

EMBED = EmbedRequest(texts=["a", "b"])
JUDGE = ModerateRequest(texts=["a", "b"])
few = settings(max_examples=len(seeds(150, share=4)), deadline=None)


def body_of(operation: Operation, **options: Any) -> Any:
    """Give the body of an operation, read back."""
    return json.loads(asked(operation, **options).body)


def packed(*numbers: float, form: str = "f") -> str:
    """Write numbers in base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}{form}", *numbers)).decode()


def data(*vectors: Any) -> dict[str, Any]:
    """Write a response with these vectors."""
    return {"data": [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]}


def test_the_dialect_offers_four_operations() -> None:
    """Embeddings, moderation, models; token counting is none of this dialect."""
    assert set(openai_operations()) == {EmbedRequest, ModerateRequest, type(LIST), type(SHOW)}
    assert CountRequest not in DIALECTS["openai_chat"].operations


def test_an_embedding_request_holds_the_texts_in_order() -> None:
    """Nothing is sent that was not asked for."""
    outgoing = asked(EMBED)
    assert (outgoing.path, outgoing.method) == ("/embeddings", "POST")
    assert json.loads(outgoing.body) == {"model": "m", "input": ["a", "b"]}


def test_every_field_of_an_embedding_request_is_sent() -> None:
    """Dimensions, user and extra fields go under the provider's names."""
    request = EmbedRequest(
        texts="a", dimensions=3, user="u", extra={"openai_chat": {"task": "t"}, "other": {"x": 1}}
    )
    quirks = Quirks(dimensions_field="output_dimension", encoding="base64")
    assert body_of(request, quirks=quirks) == {
        "model": "m",
        "input": ["a"],
        "output_dimension": 3,
        "encoding_format": "base64",
        "user": "u",
        "task": "t",
    }
    assert "user" not in body_of(request, quirks=Quirks(unsupported=frozenset({"user"})))


def test_dimensions_that_cannot_be_chosen_are_refused() -> None:
    """The error names the field and the remedy."""
    with pytest.raises(InvalidRequestError, match=r"dimensions: .* leave them out"):
        asked(EmbedRequest(texts="a", dimensions=3), quirks=Quirks(dimensions_field=None))


@pytest.mark.parametrize(
    ("purpose", "word"), [(None, "passage"), ("query", "q"), ("clustering", "passage")]
)
def test_a_purpose_is_told_where_the_provider_has_words(purpose: Any, word: str) -> None:
    """The first word stands for what is not said and for what the provider cannot say."""
    quirks = Quirks(purposes=(("document", "passage"), ("query", "q")))
    assert body_of(EmbedRequest(texts="a", purpose=purpose), quirks=quirks)["input_type"] == word
    assert "input_type" not in body_of(EmbedRequest(texts="a", purpose=purpose))


def test_vectors_come_in_the_order_of_their_index() -> None:
    """The order on the wire does not matter where each vector has its number."""
    body = {
        "model": "m-1",
        "data": [{"index": 1, "embedding": [2, 3.5]}, {"index": 0, "embedding": [0, 1]}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
    result = embedded(body, 2)
    assert result.vectors == ((0.0, 1.0), (2.0, 3.5))
    assert (result.model, result.usage) == ("m-1", Usage(4))
    assert result.dimensions == 2


def test_vectors_without_an_index_keep_their_order() -> None:
    """A server that numbers nothing answers in the order of the texts."""
    body = {"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]}
    assert embedded(body, 2).vectors == ((1.0,), (2.0,))


def test_vectors_are_read_from_base64() -> None:
    """Thirty-two bits each, the lowest byte first."""
    assert embedded(data(packed(0.5, -2.0))).vectors == ((0.5, -2.0),)


def test_signed_bytes_are_read_where_they_were_asked_for() -> None:
    """Perplexity's form of base64 is told from the usual one by what was asked."""
    quirks = Quirks(encoding="base64_int8")
    body = data(packed(-128, 0, 1, 127, form="b"))
    assert embedded(body, quirks=quirks).vectors == ((-128.0, 0.0, 1.0, 127.0),)


def test_doubles_in_base64_are_noticed() -> None:
    """One vLLM server wrote 64 bits a number, which read as 32 would be silent nonsense."""
    numbers = [0.00163 + i / 1024 for i in range(40)]
    narrow = struct.unpack("<40f", struct.pack("<40f", *numbers))
    assert embedded(data(packed(*narrow, form="d"))).vectors == (narrow,)
    assert embedded(data(packed(*narrow))).vectors == (narrow,)
    zeros = (0.0,) * 128
    assert embedded(data(packed(*zeros))).vectors == (zeros,)


def test_a_servers_own_forms_are_read() -> None:
    """llama.cpp's list, the bare list of an embeddings server, and Cloudflare's envelope."""
    own = [{"index": 1, "embedding": [[2.0]]}, {"index": 0, "embedding": [[1.0]]}]
    assert embedded(own, 2).vectors == ((1.0,), (2.0,))
    assert embedded([[1.0], [2.0]], 2).vectors == ((1.0,), (2.0,))
    native: Any = {"result": {"shape": [1, 1], "data": [[1.0]]}, "success": True, "errors": []}
    assert embedded(native).vectors == ((1.0,),)


def test_usage_that_states_only_a_total_is_input() -> None:
    """Some servers count no prompt tokens of their own; no output is made up."""
    assert embedded({**data([1.0]), "usage": {"total_tokens": 3}}).usage == Usage(3)
    assert embedded({**data([1.0]), "usage": {}}).usage is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (data([1.0]), "1 vectors for 2 texts"),
        (data([1.0], [1.0], [1.0]), "3 vectors for 2 texts"),
        ({"data": []}, "no vectors"),
        ({}, "no vectors"),
        ([], "no vectors"),
        (data([1.0], [1.0, 2.0]), "differ in length"),
        (data([1.0], []), "is empty"),
        (data([1.0], None), "is empty"),
        (data([1.0], ""), "is empty"),
        (data([1.0], [True]), "no number"),
        (data([1.0], ["1"]), "no number"),
        (data([1.0], [10**400]), "no finite number"),
        (data([1.0, 2.0], [float("inf"), float("-inf")]), "no finite number"),
        (data([1.0], packed(float("nan"))), "no finite number"),
        (data([1.0], packed(float("inf"))), "no finite number"),
        (data([1.0], "AAAA"), "32-bit"),
        (data([1.0], "?"), "base64"),
        (data([1.0], [[1.0], [2.0]]), "each token"),
        ({"data": [{"index": 0, "embedding": [1.0]}] * 2}, "which text"),
        ({"data": [{"index": 0, "embedding": [1.0]}, {"embedding": [1.0]}]}, "which text"),
        ({"data": [{"index": "0", "embedding": [1]}, {"index": 1, "embedding": [1]}]}, "which"),
        (b'{"data":[{"embedding":[NaN]},{"embedding":[1]}]}', "no finite number"),
        (b'{"data":[{"embedding":[1e999]},{"embedding":[1]}]}', "no finite number"),
        (b"", "empty"),
        (b"<html></html>", "HTML"),
    ],
)
def test_vectors_that_cannot_be_trusted_are_malformed(body: Any, words: str) -> None:
    """A vector that is missing, ragged or no row of numbers is never given."""
    with pytest.raises(MalformedResponseError, match=words):
        embedded(body, 2)


def test_a_vector_whose_sum_is_too_large_is_a_vector_all_the_same() -> None:
    """Each number must be finite; what they come to is no matter."""
    large = [1.7e308, 1.7e308, -1.0]
    assert list(embedded(data(large)).vectors[0]) == large


def test_vectors_of_another_length_than_asked_for_are_malformed() -> None:
    """A provider that ignores the wish would fill a store with vectors of another space."""
    with pytest.raises(MalformedResponseError, match="2 dimensions, though 3"):
        embedded(data([1.0, 2.0]), dimensions=3)


@pytest.mark.parametrize("operation", [EMBED, JUDGE, ListModels(), ShowModel(model="m")])
def test_an_error_inside_a_200_is_an_error(operation: Operation) -> None:
    """No operation takes an error body for an answer."""
    with pytest.raises(QuotaExceededError):
        answered(operation, {"error": {"message": "no", "code": "insufficient_quota"}})
    with pytest.raises(ProviderError):
        answered(operation, {"detail": "no"})
    with pytest.raises(ProviderError):
        answered(operation, {"object": "error", "message": "no"})


def test_a_moderation_request_holds_the_texts() -> None:
    """The model is left out where there is none to name."""
    request = ModerateRequest(texts=["a", "b"], extra={"openai_chat": {"x": 1}})
    assert asked(request).path == "/moderations"
    assert body_of(request) == {"model": "m", "input": ["a", "b"], "x": 1}
    assert body_of(JUDGE, model="") == {"input": ["a", "b"]}


def judged(*results: Any) -> Moderation:
    """Read these verdicts."""
    texts = ["x"] * len(results)
    result = answered(ModerateRequest(texts=texts), {"model": "m-1", "results": list(results)})
    assert isinstance(result, Moderation)
    return result


def test_openais_verdicts_are_read() -> None:
    """What is flagged, by which categories, and how surely."""
    result = judged(
        {
            "flagged": True,
            "categories": {"hate": True, "violence": False, "illicit": None},
            "category_scores": {"hate": 0.9, "violence": 0, "illicit": None},
        },
        {"flagged": False, "categories": {}, "category_scores": {}},
    )
    assert [verdict.flagged for verdict in result.verdicts] == [True, False]
    assert result.flagged
    assert result.categories == {"hate"}
    assert result.verdicts[0].scores == {"hate": 0.9, "violence": 0.0}
    assert result.model == "m-1"


def test_mistrals_verdicts_are_read() -> None:
    """Without ``flagged``, a text is flagged if any category applies."""
    result = judged({"categories": {"pii": False}}, {"categories": {"pii": True, "law": False}})
    assert [verdict.flagged for verdict in result.verdicts] == [False, True]


@pytest.mark.parametrize(
    "results",
    [
        [],
        None,
        {},
        [{"flagged": False}],
        [{"flagged": False}] * 3,
        [{"flagged": False}, {}],
        [{"flagged": False}, None],
        [{"flagged": False}, {"categories": {}}],
        [{"flagged": False}, {"categories": {"hate": None}}],
        [{"flagged": False}, {"categories": {"hate": "false"}}],
        [{"flagged": False}, {"flagged": "false"}],
        [{"flagged": False}, {"flagged": 0}],
        [{"flagged": False}, {"flagged": False, "categories": {"hate": "true"}}],
    ],
)
def test_a_text_without_a_verdict_is_never_safe(results: Any) -> None:
    """Whatever is missing or unreadable is an error, not a pass."""
    with pytest.raises(MalformedResponseError):
        answered(JUDGE, {"results": results})


LIST = ListModels()
SHOW = ShowModel(model="org/m:x y")


def test_models_are_asked_for_by_get() -> None:
    """All of them, or one by its name in the path."""
    outgoing = asked(LIST)
    assert (outgoing.method, outgoing.path, outgoing.body) == ("GET", "/models", b"")
    assert asked(SHOW).path == "/models/org/m:x%20y"
    assert asked(SHOW, quirks=Quirks(lists_only=True)).path == "/models"


def test_a_plain_list_says_only_names() -> None:
    """What OpenAI does not tell is unknown, not zero."""
    entry = {"id": "gpt-x", "object": "model", "created": 1, "owned_by": "openai"}
    (model,) = listed(LIST, {"object": "list", "data": [entry]})
    assert model.id == "gpt-x"
    facts = (model.capabilities, model.context_window, model.max_output_tokens, model.price)
    assert facts == (None, None, None, None)
    assert model.details == entry


def test_entries_without_a_name_are_passed_over() -> None:
    """An entry that cannot be asked for is none; the others are still listed."""
    body = {"data": [{}, None, "x", {"id": 3}, {"id": ""}, {"id": "a"}]}
    assert [model.id for model in listed(LIST, body)] == ["a"]


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, 3, "x", None])
def test_no_list_is_malformed(body: Any) -> None:
    """A response without a list is not an empty list."""
    with pytest.raises(MalformedResponseError):
        listed(LIST, body)


@pytest.mark.parametrize(
    "body",
    [{"id": "a"}, {"data": {"id": "a"}}, {"data": [{"id": "b"}, {"id": "a"}]}],
)
def test_one_model_is_found_in_every_form(body: Any) -> None:
    """As an object, wrapped in one, or picked out of the list."""
    assert [model.id for model in listed(ShowModel(model="a"), body)] == ["a"]


def test_a_model_is_found_by_another_name_of_it() -> None:
    """An alias counts, and so does the name before a choice of host."""
    body = {"data": [{"id": "a-2411", "aliases": ["a-latest"]}, {"id": "org/b"}]}
    assert listed(ShowModel(model="a-latest"), body)[0].id == "a-2411"
    assert listed(ShowModel(model="org/b:groq"), body)[0].id == "org/b"


def test_a_model_that_is_not_listed_is_not_found() -> None:
    """The error names the model."""
    with pytest.raises(ModelNotFoundError, match="'a'"):
        listed(ShowModel(model="a"), {"data": [{"id": "b"}]})


@pytest.mark.parametrize(
    ("pricing", "price"),
    [
        ({"prompt": "0.000003", "completion": "0.000015"}, Price(Decimal(3), Decimal(15))),
        ({"prompt": "0.00000005", "completion": "0"}, Price(Decimal("0.05"), Decimal(0))),
        ({"prompt": "0", "completion": "0"}, Price(Decimal(0), Decimal(0))),
        ({"input": 1.25, "output": 2.5}, Price(Decimal("1.25"), Decimal("2.5"))),
        (
            {"prompt": 1e-06, "completion": 2e-06, "input_cache_read": "0.0000001"},
            Price(Decimal(1), Decimal(2), Decimal("0.1")),
        ),
        (
            {"input": 10, "output": 50, "cache_write": 12.5, "cache_read": 1},
            Price(Decimal(10), Decimal(50), Decimal(1), Decimal("12.5")),
        ),
        (
            {"input": 1, "output": 2, "cached_input": 0.5},
            Price(Decimal(1), Decimal(2), Decimal("0.5")),
        ),
        (
            {"prompt": "0.000001", "completion": "0", "internal_reasoning": "0", "request": "0"},
            Price(Decimal(1), Decimal(0)),
        ),
        (
            {
                "prompt": "0.000001",
                "completion": "0.000002",
                "internal_reasoning": "0.000003",
                "request": "0.005",
            },
            Price(Decimal(1), Decimal(2), reasoning=Decimal(3), request=Decimal("0.005")),
        ),
        ({"prompt": "-1", "completion": "-1"}, None),
        ({"prompt": "0.000003"}, None),
        ({"prompt": None, "completion": None}, None),
        ({"prompt": "", "completion": "x"}, None),
        ({"prompt": "NaN", "completion": "Infinity"}, None),
        ({"prompt": "1e9", "completion": "1e9"}, None),
        ({"prompt": "1e999999999", "completion": "1"}, None),
        ({"prompt": True, "completion": True}, None),
        ({"prompt": "0" * 1000, "completion": "0"}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_prices_are_dollars_for_a_million_tokens(pricing: Any, price: Price | None) -> None:
    """Whatever the unit on the wire; a missing price is unknown, and a zero is free."""
    (model,) = listed(LIST, {"data": [{"id": "a", "pricing": pricing}]})
    assert model.price == price
    if price is not None:
        assert model.price is not None
        assert "E" not in str(model.price.input)


@pytest.mark.parametrize(
    ("entry", "window", "output"),
    [
        ({"context_length": 9, "top_provider": {"max_completion_tokens": 4}}, 9, 4),
        ({"context_window": 9, "max_completion_tokens": 4}, 9, 4),
        ({"max_context_length": 9}, 9, None),
        ({"max_model_len": 9}, 9, None),
        ({"meta": {"n_ctx": 8, "n_ctx_train": 9}}, 8, None),
        ({"meta": {"n_ctx_train": 9}}, 9, None),
        ({"context_length": 0, "max_completion_tokens": None}, None, None),
        ({"context_length": "9", "max_completion_tokens": True}, None, None),
    ],
)
def test_windows_are_found_under_every_name(
    entry: dict[str, Any], window: int | None, output: int | None
) -> None:
    """The window and the longest output, or nothing where there is no number."""
    (model,) = listed(LIST, {"data": [{"id": "a", **entry}]})
    assert (model.context_window, model.max_output_tokens) == (window, output)


@pytest.mark.parametrize(
    ("entry", "abilities"),
    [
        (
            {
                "architecture": {
                    "input_modalities": ["text", "image"],
                    "output_modalities": ["text"],
                }
            },
            {Capability.VISION, Capability.CHAT, Capability.TEXT_GENERATION},
        ),
        ({"supported_parameters": ["tools", "top_p"]}, {Capability.TOOLS}),
        ({"supported_features": ["structured_outputs"]}, {Capability.STRUCTURED_OUTPUT}),
        (
            {"capabilities": {"vision": True, "function_calling": False, "moderation": True}},
            {Capability.VISION, Capability.MODERATION},
        ),
        ({"capabilities": ["completion"]}, {Capability.CHAT, Capability.TEXT_GENERATION}),
        ({"type": "embedding"}, {Capability.EMBEDDING}),
        ({"supports_tools": True, "supports_chat": False}, {Capability.TOOLS}),
        ({"capabilities": {"vision": False}}, None),
        ({"capabilities": "all", "type": 3, "architecture": []}, None),
    ],
)
def test_capabilities_are_found_under_every_name(
    entry: dict[str, Any], abilities: set[Capability] | None
) -> None:
    """What a provider says that a model can do; ``None`` where it says nothing."""
    (model,) = listed(LIST, {"data": [{"id": "a", **entry}]})
    assert model.capabilities == abilities


FIELDS = (
    "data",
    "index",
    "embedding",
    "results",
    "flagged",
    "categories",
    "id",
    "pricing",
    "prompt",
    "completion",
    "providers",
    "result",
    "success",
    "properties",
    "usage",
)


@pytest.mark.parametrize("dialect", ["openai_chat", "huggingface", "cloudflare_run"])
@given(value=junk(FIELDS, width=4, leaves=20), cut=st.integers(0, 200))
@few
def test_whatever_answers_an_operation_is_a_value_or_a_typed_error(
    dialect: str, value: Any, cut: int
) -> None:
    """No body makes an operation raise anything but a provider's error."""
    body = json.dumps(value).encode()
    texts = ["x"] * max(1, len(as_list(value)))
    operations: list[Operation] = [
        EmbedRequest(texts=texts),
        ModerateRequest(texts=texts),
        LIST,
        ShowModel(model="x"),
    ]
    for operation in operations:
        for content in (body, body[:cut], b'{"success":true,"result":' + body + b"}"):
            if type(operation) not in DIALECTS[dialect].operations:
                continue
            with suppress(ProviderError):
                assert answered(operation, content, dialect=dialect).raw is not None


def test_a_codec_refuses_another_operation() -> None:
    """A codec that is asked for what it cannot write says so."""
    for kind, wrong in ((EmbedRequest, JUDGE), (ModerateRequest, EMBED)):
        with pytest.raises(TypeError, match="not"):
            openai_operations()[kind].encode(wrong, model="m")
