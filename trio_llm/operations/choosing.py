"""Which provider does something best, and which model of all does it cheapest."""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

import trio

from trio_llm.chat import (
    AnyRequest,
    Capability,
    EmbedRequest,
    ModelInfo,
    ModerateRequest,
    Price,
    Request,
)
from trio_llm.config.rules import quoted, suggestion
from trio_llm.errors import InvalidRequestError
from trio_llm.providers.node import Node

UNTRIED: Final = 0.5
"""The success rate that a provider is taken to have before its first call."""

LOOK_UPS: Final = 64
"""How many prices are looked up without a checkpoint; one takes up to half a millisecond."""

_WORDS: Final = tuple(capability.value for capability in Capability)
_TALKING: Final = frozenset({Capability.CHAT, Capability.TEXT_GENERATION})
_TASKS: Final = frozenset(
    {
        Capability.TEXT_GENERATION,
        Capability.CODE_GENERATION,
        Capability.TRANSLATION,
        Capability.SUMMARIZATION,
    }
)
"""What one that writes text is asked for in words, and no list of models tells."""

_PROBES: Final[Mapping[Capability, Callable[[], AnyRequest]]] = {
    Capability.EMBEDDING: lambda: EmbedRequest(texts="x"),
    Capability.MODERATION: lambda: ModerateRequest(texts="x"),
}
_MAY_TAKE: Final = frozenset({"busy", "unsuitable"})
"""Refusals of a probe that do not speak against a provider: it has a line, or another use."""

_NAMED: Final = (
    ("embed", Capability.EMBEDDING),
    ("moderation", Capability.MODERATION),
    ("whisper", Capability.AUDIO_INPUT),
    ("transcribe", Capability.AUDIO_INPUT),
    ("tts", Capability.AUDIO_GENERATION),
    ("dall-e", Capability.IMAGE_GENERATION),
    ("image", Capability.IMAGE_GENERATION),
    ("imagen", Capability.IMAGE_GENERATION),
    ("sora", Capability.VIDEO_GENERATION),
    ("veo", Capability.VIDEO_GENERATION),
)
"""Parts of names that say that a model does this and nothing else, where no list does."""


def to_capability(value: Capability | str | None) -> Capability | None:
    """Read a capability or its word.

    Raises:
        InvalidRequestError: It is none; the message has the nearest word.
    """
    if value is None or isinstance(value, Capability):
        return value
    given = cast("Any", value)
    if not isinstance(given, str):
        raise InvalidRequestError(
            f"capability must be a Capability or its word, not {type(given).__name__}",
            phase="request",
        )
    try:
        return Capability(given)
    except ValueError:
        raise InvalidRequestError(
            f"no capability {quoted(given)}; {suggestion(given, _WORDS)}", phase="request"
        ) from None


def best_provider(
    nodes: Sequence[Node], capability: Capability | None, model: str | None, *, free_only: bool
) -> Node | None:
    """Give the provider that a request is best sent to now; ``None`` if there is none.

    Args:
        nodes: The providers, in the order of preference.
        capability: What it must have.
        model: What it must serve; one that declares it goes before one that declares none.
        free_only: Whether it must cost nothing.
    """
    make = _PROBES.get(capability) if capability is not None else None
    probe = Request(messages="x") if make is None else make()
    able = [node for node in nodes if capability is None or node.offers(capability)]
    if free_only:
        able = [node for node in able if _is_free(node.price(model))]
    if model is not None:
        answers = [node.serves(model) for node in able]
        wanted = True if True in answers else None
        able = [node for node, answer in zip(able, answers, strict=True) if answer is wanted]
    able = [node for node in able if _may_take(node, probe)]
    return min(able, key=_merit, default=None)


def _may_take(node: Node, probe: AnyRequest) -> bool:
    refusal = node.refusal(probe)
    return refusal is None or refusal.code in _MAY_TAKE


def _merit(node: Node) -> tuple[float, float]:
    """Give what a provider is judged by, less being better; a percent decides, no less."""
    known = node.vitals.snapshot(trio.current_time())
    rate = UNTRIED if known.success_rate is None else known.success_rate
    return -round(rate, 2), math.inf if known.latency is None else known.latency


async def cheapest(
    models: Sequence[ModelInfo],
    nodes: Mapping[str, Node],
    capability: Capability | None,
    *,
    free_only: bool,
) -> ModelInfo | None:
    """Give the cheapest of some models, the first of equals; ``None`` if none will do.

    Args:
        models: The models, each with the name of its provider.
        nodes: The providers by name.
        capability: What the model must do.
        free_only: Whether it must cost nothing.
    """
    chosen: ModelInfo | None = None
    least: tuple[bool, Decimal] = (True, Decimal(0))
    for index, model in enumerate(models):
        if index % LOOK_UPS == 0:
            await trio.lowlevel.checkpoint()
        node = nodes[model.provider]
        price = model.price or node.price(model.id)
        if free_only and not _is_free(price):
            continue
        if capability is not None and not _does(model, node, capability):
            continue
        unknown = price is None
        cost = Decimal(0) if price is None else price.input + price.output
        if chosen is None or (unknown, cost) < least:
            chosen, least = model, (unknown, cost)
    return chosen


def _is_free(price: Price | None) -> bool:
    return price is not None and price.free


def _does(model: ModelInfo, node: Node, capability: Capability) -> bool:
    """Whether a model has a capability, by its list, by its name, or by its provider."""
    known = model.capabilities
    if known is None:
        name = model.id.lower()
        known = frozenset([what for part, what in _NAMED if part in name])
        if not known:
            return node.offers(capability)
    if capability in known:
        return True
    return capability in _TASKS and bool(known & _TALKING) and node.offers(capability)
