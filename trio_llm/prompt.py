"""What a call is made of: a prompt and the options that go with it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, cast

import attrs

from trio_llm.chat import (
    EmbedRequest,
    Message,
    ModerateRequest,
    OnInterrupt,
    OutputSchema,
    Request,
    Tool,
)
from trio_llm.config.rules import quoted, suggestion
from trio_llm.errors import InvalidRequestError

Prompt: TypeAlias = str | Message | Sequence[Message] | Request


class CallOptions(TypedDict, total=False):
    """The options of a call, as `Request` describes them."""

    model: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: str | Iterable[str] | None
    seed: int | None
    tools: Iterable[Tool] | None
    tool_choice: str | None
    parallel_tool_calls: bool | None
    reasoning: str | None
    output: OutputSchema | None
    user: str | None
    metadata: Mapping[str, str] | None
    prefer: str | None
    max_attempts: int | None
    on_interrupt: OnInterrupt | Literal["fail", "restart", "resume"] | None
    side_effects: bool | None
    cache: bool | Literal["off", "on", "read_only", "write_only"] | None
    extra: Mapping[str, Mapping[str, Any]] | None
    tags: Mapping[str, str] | None


def to_request(prompt: Prompt, options: CallOptions) -> Request:
    """Make a request of a prompt and the options of a call.

    Raises:
        InvalidRequestError: The prompt is empty or no prompt; or an option is unknown
            or out of range.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in CallOptions.__annotations__:
            known = suggestion(name, tuple(CallOptions.__annotations__))
            raise InvalidRequestError(f"no option named {quoted(name)}; {known}", phase="request")
    try:
        if isinstance(prompt, Request):
            return attrs.evolve(prompt, **given) if given else prompt
        return Request(messages=prompt, **given)
    except (TypeError, ValueError) as error:
        why = str(error.args[0]) if error.args else type(error).__name__
        raise InvalidRequestError(why, phase="request") from error


class OperationOptions(TypedDict, total=False):
    """The options of an operation, as `Operation` describes them."""

    model: str | None
    prefer: str | None
    max_attempts: int | None
    extra: Mapping[str, Mapping[str, Any]] | None
    tags: Mapping[str, str] | None


class EmbedOptions(OperationOptions, total=False):
    """The options of `Endpoint.embed`, as `EmbedRequest` describes them."""

    dimensions: int | None
    purpose: Literal["query", "document", "classification", "clustering"] | None
    user: str | None


_PURPOSES = ("query", "document", "classification", "clustering")


def to_embed_request(texts: str | Iterable[str], options: EmbedOptions) -> EmbedRequest:
    """Make a request of texts to be embedded.

    Raises:
        InvalidRequestError: There is no text, or an empty one; or an option is
            unknown or out of range.
    """
    given = _checked(options, EmbedOptions)
    dimensions = given.get("dimensions")
    if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
        raise _invalid(f"dimensions must be an integer of at least 1, not {dimensions!r}")
    if given.get("purpose") not in {None, *_PURPOSES}:
        raise _invalid(f"purpose must be one of {', '.join(_PURPOSES)}")
    return EmbedRequest(texts=to_texts(texts), **given)


def to_moderate_request(texts: str | Iterable[str], options: OperationOptions) -> ModerateRequest:
    """Make a request of texts to be judged.

    Raises:
        InvalidRequestError: There is no text, or an empty one; or an option is
            unknown or out of range.
    """
    return ModerateRequest(texts=to_texts(texts), **_checked(options, OperationOptions))


def to_texts(texts: str | Iterable[str]) -> tuple[str, ...]:
    """Make a tuple of one text or several.

    Raises:
        InvalidRequestError: There is none, one is empty, or one is no string.
    """
    given = cast("object", (texts,) if isinstance(texts, str) else texts)
    if not isinstance(given, Iterable) or isinstance(given, bytes | Mapping):
        raise _invalid(f"texts must be a string or strings, not {type(texts).__name__}")
    several = tuple(cast("Iterable[object]", given))
    if not several:
        raise _invalid("texts is empty: give at least one text")
    for index, text in enumerate(several):
        if not isinstance(text, str):
            raise _invalid(f"texts[{index}] must be a string, not {type(text).__name__}")
        if not text:
            raise _invalid(f"texts[{index}] is empty: leave it out, or give it content")
    return cast("tuple[str, ...]", several)


def _checked(options: OperationOptions, kind: type) -> dict[str, Any]:
    """Give the options that are set, by the rules that `Request` has for them."""
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    own = kind.__annotations__
    for name in given:
        if name not in own:
            raise _invalid(f"no option named {quoted(name)}; {suggestion(name, tuple(own))}")
    shared = {name: value for name, value in given.items() if name in CallOptions.__annotations__}
    to_request("-", cast("CallOptions", shared))
    return given


def _invalid(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, phase="request")
