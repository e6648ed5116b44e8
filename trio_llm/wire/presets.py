"""The `Quirks` of the providers that are on record, by the name of their kind.

Each says where it comes from: a vendor's documentation, its own SDK's types, or a
recorded exchange. A kind that is not here has no differences (`PLAIN`).
"""

from typing import Final

from trio_llm.wire.quirks import Quirks

_NOTHING: Final[frozenset[str]] = frozenset()
_NOT_STORED: Final = frozenset({"metadata"})
"""Who stores nothing knows no ``metadata``; it changes no answer."""

_NO_LABELS: Final = frozenset({"user", "metadata"})

# The reference at platform.openai.com. A message with a field of another provider's
# is refused; vectors as base64 are about a third of the size.
OPENAI: Final = Quirks(encoding="base64", replays=_NOTHING, pairs_calls=True)

# learn.microsoft.com, "Azure OpenAI v1 API": ``{resource}/openai/v1`` needs no
# version; the key goes bare into a header of its own. A deployment has any name, so
# that a reasoning model cannot be told by it, and every one takes the newer field.
AZURE: Final = Quirks(
    key_header="api-key",
    max_tokens_field="max_completion_tokens",
    encoding="base64",
    replays=_NOTHING,
    pairs_calls=True,
)

# The same, for ``{resource}/openai/deployments/{name}``: 2024-10-21 is the last
# version of that interface which is no preview.
AZURE_DEPLOYMENT: Final = Quirks(
    version="2024-10-21",
    key_header="api-key",
    max_tokens_field="max_completion_tokens",
    encoding="base64",
    replays=_NOTHING,
    pairs_calls=True,
)

# platform.claude.com/docs/en/build-with-claude/structured-outputs: a schema with
# anything but the listed keywords is refused.
ANTHROPIC: Final = Quirks(output_closed=True)

# Models before version 3 refuse the two together: "Function calling with a response
# mime type: 'application/json' is unsupported" (googleapis/python-genai, issue 867).
GEMINI: Final = Quirks(output_excludes_tools=r"gemini-[12](?!\d)")

# docs.cohere.com/reference/chat: no ``response_format`` beside ``tools``.
COHERE: Final = Quirks(output_excludes_tools=".*")

# docs.mistral.ai and the types of its SDK (mistralai 3.7): extra fields are refused
# with 422, usage comes in every stream unasked (recorded), identifiers of calls are
# nine letters and digits; "Unexpected role 'user' after role 'tool'" (public issues).
MISTRAL: Final = Quirks(
    max_tokens_field="max_tokens",
    seed_field="random_seed",
    required_choice="any",
    stream_options=False,
    unsupported=frozenset({"user"}),
    call_id_length=9,
    reply_after_results=True,
    pairs_calls=True,
    dimensions_field="output_dimension",
    replays=_NOTHING,
)

# The types of its SDK (groq 1.7): ``max_tokens`` is deprecated, ``metadata`` is not
# supported.
GROQ: Final = Quirks(
    max_tokens_field="max_completion_tokens", unsupported=_NOT_STORED, replays=_NOTHING
)

# api-docs.deepseek.com: content is a string, an answer's shape is at most "JSON", and
# a forced choice of tool is refused while thinking (recorded). Its reasoning must come
# back beside tool calls.
DEEPSEEK: Final = Quirks(
    max_tokens_field="max_tokens",
    seed_field=None,
    plain_content=True,
    output="prompt",
    unsupported=_NO_LABELS,
    replays=frozenset({"reasoning_content"}),
    pairs_calls=True,
    lists_only=True,
)

# docs.x.ai, "Chat completions": ``max_tokens`` is deprecated.
XAI: Final = Quirks(
    max_tokens_field="max_completion_tokens", unsupported=_NOT_STORED, replays=_NOTHING
)

# The types of its SDK (together 3.1): no labels; models are a bare list (documented).
TOGETHER: Final = Quirks(
    max_tokens_field="max_tokens", unsupported=_NO_LABELS, replays=_NOTHING, lists_only=True
)

# docs.fireworks.ai, "Create chat completion".
FIREWORKS: Final = Quirks(
    max_tokens_field="max_tokens",
    unsupported=_NOT_STORED,
    replays=frozenset({"reasoning_content"}),
)

# docs.perplexity.ai: no seed; usage comes in every chunk unasked, and vectors come as
# signed bytes (both recorded). The request of its SDK (perplexityai 0.46) for Responses
# has neither ``include`` nor ``parallel_tool_calls``, and a form of its own for schemas.
PERPLEXITY: Final = Quirks(
    max_tokens_field="max_tokens",
    seed_field=None,
    stream_options=False,
    unsupported=_NO_LABELS | {"include", "parallel_tool_calls"},
    output="prompt",
    encoding="base64_int8",
    replays=_NOTHING,
    lists_only=True,
)

# docs.api.nvidia.com: fields that a model does not list are refused, which models
# hold an answer to a schema is not said, and those that embed must be told for what.
NVIDIA: Final = Quirks(
    max_tokens_field="max_tokens",
    output="prompt",
    unsupported=_NO_LABELS,
    purposes=(("document", "passage"), ("query", "query")),
    encoding="float",
    replays=_NOTHING,
    lists_only=True,
)

# openrouter.ai/docs: one object tells every upstream how much to reason, and details
# of reasoning go back to the upstream that made them. The counts of an embedding have
# "Cost of the request in credits" (the types of its SDK), and a credit is a US dollar.
OPENROUTER: Final = Quirks(
    max_tokens_field="max_tokens",
    reasoning="object",
    replays=frozenset({"reasoning_details"}),
    lists_only=True,
    bare_cost=True,
)

# huggingface.co/docs/inference-providers: the router hands fields on as they are.
HUGGINGFACE: Final = Quirks(
    max_tokens_field="max_tokens",
    unsupported=_NO_LABELS,
    dimensions_field=None,
    replays=_NOTHING,
    lists_only=True,
)

# developers.cloudflare.com/workers-ai: the schemas of its models list no labels.
CLOUDFLARE: Final = Quirks(
    max_tokens_field="max_tokens",
    unsupported=_NO_LABELS,
    dimensions_field=None,
    replays=_NOTHING,
    lists_only=True,
)

# docs.aws.amazon.com/bedrock, "Chat Completions API".
BEDROCK: Final = Quirks(
    max_tokens_field="max_completion_tokens", unsupported=_NOT_STORED, replays=_NOTHING
)

# lmstudio.ai/docs, "OpenAI compatibility endpoints".
LMSTUDIO: Final = Quirks(max_tokens_field="max_tokens", unsupported=_NO_LABELS)

# The server's README: what it does not know it passes over; it has no address for one
# model.
LLAMACPP: Final = Quirks(max_tokens_field="max_tokens", lists_only=True)

# docs.vllm.ai: the older field is a synonym of the newer one in every version. One
# recorded server wrote vectors in base64 as doubles, so that plain numbers are asked for.
VLLM: Final = Quirks(max_tokens_field="max_tokens", encoding="float", lists_only=True)
