"""What a model can do, from the many words in which providers say it."""

from collections.abc import Iterator
from typing import Any

from trio_llm.chat import Capability
from trio_llm.wire.openai_chat.hosts import hosts_of
from trio_llm.wire.values import as_list, as_object, as_text

_TALKS = frozenset({Capability.CHAT, Capability.TEXT_GENERATION})
_EMBEDS = frozenset({Capability.EMBEDDING})
_TOOLS = frozenset({Capability.TOOLS})
_SEES = frozenset({Capability.VISION})
_HEARS = frozenset({Capability.AUDIO_INPUT})
_SHAPED = frozenset({Capability.STRUCTURED_OUTPUT})
_JUDGES = frozenset({Capability.MODERATION})
_DRAWS = frozenset({Capability.IMAGE_GENERATION})

_INPUTS = {
    "image": _SEES,
    "audio": _HEARS,
    "file": frozenset({Capability.FILE_INPUT}),
}
_OUTPUTS = {
    "text": _TALKS,
    "image": _DRAWS,
    "audio": frozenset({Capability.AUDIO_GENERATION}),
    "speech": frozenset({Capability.AUDIO_GENERATION}),
    "video": frozenset({Capability.VIDEO_GENERATION}),
    "embedding": _EMBEDS,
    "embeddings": _EMBEDS,
}
_FEATURES = {
    # OpenRouter and Groq
    "tools": _TOOLS,
    "structured_outputs": _SHAPED,
    # Mistral
    "completion_chat": _TALKS,
    "function_calling": _TOOLS,
    "vision": _SEES,
    "audio": _HEARS,
    "moderation": _JUDGES,
    # llama.cpp and LM Studio
    "completion": _TALKS,
    "multimodal": _SEES,
    "tool_use": _TOOLS,
    "embedding": _EMBEDS,
}
_TYPES = {
    # Together and LM Studio
    "chat": _TALKS,
    "language": frozenset({Capability.TEXT_GENERATION}),
    "code": frozenset({Capability.TEXT_GENERATION, Capability.CODE_GENERATION}),
    "image": _DRAWS,
    "embedding": _EMBEDS,
    "embeddings": _EMBEDS,
    "moderation": _JUDGES,
    "llm": _TALKS,
    "vlm": _TALKS | _SEES,
}
_FLAGS = {
    # Fireworks and Hugging Face's router
    "supports_chat": _TALKS,
    "supports_image_input": _SEES,
    "supports_tools": _TOOLS,
    "supports_structured_output": _SHAPED,
}


def capabilities_of(entry: dict[str, Any]) -> frozenset[Capability] | None:
    """Give what a list of models says that one can do; ``None`` where it says nothing."""
    found = frozenset[Capability]().union(*_found(entry))
    return found or None


def _found(entry: dict[str, Any]) -> Iterator[frozenset[Capability]]:
    for fields in (entry, as_object(entry.get("architecture"))):
        yield from _named(fields.get("input_modalities"), _INPUTS)
        yield from _named(fields.get("output_modalities"), _OUTPUTS)
    for name in ("supported_parameters", "supported_features", "capabilities"):
        yield from _named(entry.get(name), _FEATURES)
    yield _TYPES.get(as_text(entry.get("type")), frozenset())
    for fields in (entry, *hosts_of(entry)):
        yield from _named({name: value for name, value in fields.items() if name in _FLAGS}, _FLAGS)


def _named(value: Any, known: dict[str, frozenset[Capability]]) -> Iterator[frozenset[Capability]]:
    """Look up the words of a list, or those of an object that are true."""
    if type(value) is dict:
        value = [name for name, applies in as_object(value).items() if applies is True]
    for word in as_list(value):
        yield known.get(as_text(word), frozenset())
