"""Token counts for providers that do not count: an estimate that learns from what was billed.

The plain rule gives about one token for four bytes of text, the figure that vendors
publish for English (https://platform.openai.com/tokenizer), and a few tokens for
each message. Every answer tells how many input tokens there really were; the rule is
multiplied by what that teaches, for each model by itself.

What the text does not show is counted by rules that no answer corrects, because
their sizes depend on pixels, seconds and pages, which are not looked at:

- a picture: 1,000 tokens (one megapixel is 765 at OpenAI's, 1,400 at Anthropic's);
- a recording: one token for each 1,000 bytes;
- a document of text: as text; any other, one token for each 50 bytes, at least 1,000;
  one by address, 2,000.

A request with any of these teaches nothing, and its estimate claims no error.
"""

import json
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Final

import attrs

from trio_llm.chat import (
    AnyResult,
    Audio,
    Completion,
    CountRequest,
    File,
    Image,
    Operation,
    Part,
    Reasoning,
    Request,
    Text,
    TokenCount,
    ToolCall,
    ToolResult,
    Usage,
)
from trio_llm.errors import ProviderError
from trio_llm.providers.backend import Backend, Work
from trio_llm.providers.figures import MOST_TOKENS

BYTES_PER_TOKEN: Final = 4.0
TOKENS_PER_MESSAGE: Final = 4
"""The role and the marks around a message."""

IMAGE: Final = 1000
FILE_BY_ADDRESS: Final = 2000
LEAST_FILE: Final = 1000
BYTES_PER_AUDIO_TOKEN: Final = 1000
BYTES_PER_FILE_TOKEN: Final = 50

DECAY: Final = 0.95
"""What is left of an observation's weight after the next one."""

EAGER: Final = 16
"""So many answers of a model are all learnt from; after that every such one."""

MODELS: Final = 64
"""Of so many models the calibration is kept; the one met first is forgotten first."""

_SAMPLE: Final = 1024
_NO_SUCH_PLACE: Final = frozenset({404, 405, 501})


def size_of(text: str) -> float:
    """Give the length of a text in bytes of UTF-8; of a long one, by its beginning."""
    length = len(text)
    if text.isascii():
        return length
    if length <= _SAMPLE:
        return len(text.encode(errors="replace"))
    return len(text[:_SAMPLE].encode(errors="replace")) * length / _SAMPLE


def _text_of(part: Part) -> float:
    """Give the bytes of text in a part; 0 for one that holds none."""
    kind = type(part)
    if kind is Text or kind is Reasoning:
        return size_of(part.text)  # type: ignore[union-attr]
    if isinstance(part, ToolCall):
        raw = part.raw
        return size_of(part.name) + size_of(json.dumps(part.arguments) if raw is None else raw)
    if isinstance(part, ToolResult):
        return size_of(part.content)
    return 0.0


def media_tokens(parts: Iterable[Part]) -> float:
    """Count pictures, recordings and documents by the rules of this module."""
    tokens = 0.0
    for part in parts:
        if type(part) is Text:  # first, since most are
            continue
        if isinstance(part, Image):
            tokens += IMAGE
        elif isinstance(part, Audio):
            tokens += len(part.content) / BYTES_PER_AUDIO_TOKEN
        elif isinstance(part, File):
            if part.content is None:
                tokens += FILE_BY_ADDRESS
            elif (part.media_type or "").startswith("text/"):
                tokens += len(part.content) / BYTES_PER_TOKEN
            else:
                tokens += max(LEAST_FILE, len(part.content) / BYTES_PER_FILE_TOKEN)
    return tokens


def text_tokens(request: Request) -> float:
    """Count the words of a request by the plain rule, tools and schema included."""
    size = 0.0
    for message in request.messages:
        for part in message.content:
            size += size_of(part.text) if type(part) is Text else _text_of(part)
    for tool in request.tools:
        size += size_of(tool.name) + size_of(tool.description)
        size += size_of(json.dumps(tool.parameters, default=str))
    if request.output is not None:
        size += size_of(json.dumps(request.output.schema, default=str))
    return size / BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * len(request.messages)


def _has_media(request: Request) -> bool:
    for message in request.messages:
        for part in message.content:
            if isinstance(part, Image | Audio | File):
                return True
    return False


@attrs.define
class Calibration:
    """What the answers of one model have taught.

    Attributes:
        seen: Answers that told their input tokens.
        error: Mean relative error of the estimates that would have been given for
            them, recent ones weighing most; ``None`` until there are two.
    """

    seen: int = 0
    error: float | None = None
    _billed: float = 0.0
    _ruled: float = 0.0

    @property
    def factor(self) -> float:
        """By how much the plain rule is multiplied."""
        return self._billed / self._ruled if self._ruled else 1.0

    def learn(self, request: Request, billed: int) -> None:
        """Take what a request really was.

        Args:
            request: What was sent.
            billed: Its input tokens, as the provider tells them.
        """
        ruled = text_tokens(request)
        if self._ruled:
            missed = abs(self.factor * ruled - billed) / billed
            old = missed if self.error is None else self.error
            self.error = DECAY * old + (1.0 - DECAY) * missed
        self._billed = DECAY * self._billed + billed
        self._ruled = DECAY * self._ruled + ruled

    def estimate(self, request: Request) -> TokenCount:
        """Give the tokens of a request."""
        media = media_tokens(part for message in request.messages for part in message.content)
        tokens = round(text_tokens(request) * self.factor + media)
        return TokenCount(tokens=max(1, tokens), exact=False, error=None if media else self.error)


@attrs.define(eq=False)
class EstimatingBackend:
    """Counts tokens for a backend that cannot, and learns from its answers.

    One that can count is asked. Where its address turns out not to exist (HTTP 404,
    405 or 501), the estimate stands in, and the address is not asked again for that
    model; any other failure is the caller's to see.

    Attributes:
        learnt: The calibration of each model.
    """

    _backend: Backend
    learnt: dict[str, Calibration] = attrs.field(factory=dict[str, Calibration], init=False)
    _uncounted: dict[str, None] = attrs.field(factory=dict[str, None], init=False)

    @property
    def operations(self) -> frozenset[type[Operation]]:
        """What the backend can do, and token counting."""
        return self._inner | {CountRequest}

    @property
    def _inner(self) -> frozenset[type[Operation]]:
        return getattr(self._backend, "operations", frozenset())

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open what the backend needs."""
        return self._backend.resources()

    async def answer(self, work: Work) -> AnyResult:
        """Do one exchange, and learn from it; or count."""
        request = work.request
        if type(request) is CountRequest:
            return await self._count(work, request.request)
        result = await self._backend.answer(work)
        if type(result) is Completion:
            billed = result.usage.input_tokens if isinstance(result.usage, Usage) else 0
            # What is no count is refused further up, and must not have taught anything here.
            believed = type(billed) is int and 0 < billed <= MOST_TOKENS
            if believed and isinstance(request, Request):
                self._learn(work.model, request, billed)
        return result

    def _learn(self, model: str, request: Request, billed: int) -> None:
        learnt = self.learnt.get(model)
        if learnt is None:
            if len(self.learnt) >= MODELS:
                del self.learnt[next(iter(self.learnt))]
            learnt = self.learnt[model] = Calibration()
        learnt.seen += 1
        if (learnt.seen <= EAGER or learnt.seen % EAGER == 0) and not _has_media(request):
            learnt.learn(request, billed)

    async def _count(self, work: Work, request: Request) -> TokenCount | AnyResult:
        model = work.model
        if CountRequest in self._inner and model not in self._uncounted:
            try:
                return await self._backend.answer(work)
            except ProviderError as error:
                if error.status not in _NO_SUCH_PLACE:
                    raise
            if len(self._uncounted) >= MODELS:
                del self._uncounted[next(iter(self._uncounted))]
            self._uncounted[model] = None
        return self.learnt.get(model, _UNTAUGHT).estimate(request)


_UNTAUGHT: Final = Calibration()
