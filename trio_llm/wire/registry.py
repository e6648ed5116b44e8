"""Every dialect by its name, each loaded when it is first asked for.

A program speaks one or two of them, and together they are a tenth of the time that
importing this library takes.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from trio_llm.wire.dialect import Dialect

_CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openai_chat": "OpenAIChat",
        "openai_responses": "OpenAIResponses",
        "anthropic": "Anthropic",
        "ollama": "Ollama",
        "cohere": "Cohere",
        "gemini": "Gemini",
        "huggingface": "HuggingFace",
        "cloudflare_run": "CloudflareRun",
    }
)
"""The class of each dialect, in the package of this room that has the dialect's name."""

_PACKAGES: Final[Mapping[str, str]] = MappingProxyType({"cloudflare_run": "cloudflare"})
"""The packages that have another name than their dialect."""


class _Dialects(Mapping[str, Dialect]):
    """A read-only table; to look at its names loads nothing."""

    def __init__(self) -> None:
        self._loaded: dict[str, Dialect] = {}

    def __getitem__(self, name: str) -> Dialect:
        if name not in self._loaded:
            cls = _CLASSES[name]
            package = import_module(f"trio_llm.wire.{_PACKAGES.get(name, name)}")
            self._loaded[name] = getattr(package, cls)()
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in _CLASSES

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


DIALECTS: Final[Mapping[str, Dialect]] = _Dialects()
"""Every dialect by its name."""
