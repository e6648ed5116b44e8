"""What the server says about a model."""

from typing import Any

from trio_llm.chat import Capability, ModelInfo
from trio_llm.wire.values import as_count, as_list, as_name, as_object

_CAPABILITIES: dict[str, frozenset[Capability]] = {
    "completion": frozenset(
        {
            Capability.TEXT_GENERATION,
            Capability.CHAT,
            Capability.CODE_GENERATION,
            Capability.TRANSLATION,
            Capability.SUMMARIZATION,
            # The server holds any model to a schema by its grammar.
            Capability.STRUCTURED_OUTPUT,
        }
    ),
    "tools": frozenset({Capability.TOOLS}),
    "vision": frozenset({Capability.VISION}),
    "audio": frozenset({Capability.AUDIO_INPUT}),
    "embedding": frozenset({Capability.EMBEDDING}),
    "image": frozenset({Capability.IMAGE_GENERATION}),
}


def listed(entry: dict[str, Any]) -> ModelInfo | None:
    """Read one entry of the list; ``None`` for one without a name."""
    name = as_name(entry.get("model")) or as_name(entry.get("name"))
    if name is None:
        return None
    details = dict(as_object(entry.get("details")))
    details |= {field: entry[field] for field in ("digest", "modified_at") if field in entry}
    return ModelInfo(
        id=name,
        capabilities=_capabilities(entry),
        size=as_count(entry.get("size")) or None,
        details=details,
    )


def shown(name: str, fields: dict[str, Any]) -> ModelInfo:
    """Read the description of one model.

    Its licence, its template and its vocabulary can be megabytes; they stay in the
    raw body.
    """
    details = dict(as_object(fields.get("details")))
    if as_name(fields.get("modified_at")):
        details["modified_at"] = fields["modified_at"]
    return ModelInfo(
        id=name,
        capabilities=_capabilities(fields),
        context_window=_context_window(as_object(fields.get("model_info"))),
        details=details,
    )


def _context_window(facts: dict[str, Any]) -> int | None:
    """Find the window; its name begins with the model's architecture."""
    architecture = as_name(facts.get("general.architecture"))
    if architecture is not None:
        return as_count(facts.get(f"{architecture}.context_length")) or None
    windows = [value for name, value in facts.items() if name.endswith(".context_length")]
    return (as_count(windows[0]) or None) if windows else None


def _capabilities(fields: dict[str, Any]) -> frozenset[Capability] | None:
    """Read what the model can do; servers before 0.6 do not say."""
    if type(fields.get("capabilities")) is not list:
        return None
    words = [word for word in as_list(fields["capabilities"]) if type(word) is str]
    return frozenset({item for word in words for item in _CAPABILITIES.get(word, ())})
