"""The backend of every provider that speaks over HTTP: a dialect and its connections."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import overload
from urllib.parse import urlsplit

import attrs
import trio

from trio_llm.chat import (
    AnyResult,
    Completion,
    CountRequest,
    Operation,
    OperationResult,
    PullModel,
)
from trio_llm.errors import (
    AuthenticationError,
    InvalidRequestError,
    MalformedResponseError,
    ProviderError,
    ProviderTimeoutError,
)
from trio_llm.policy import TimeLimits
from trio_llm.providers.backend import Work
from trio_llm.providers.continued import without_beginning
from trio_llm.providers.origin import Origin
from trio_llm.providers.sink import is_useful, wants_reasoning
from trio_llm.transport import (
    Connections,
    Exchange,
    TransportChoice,
    check_choice,
    transport_for,
)
from trio_llm.wire import DIALECTS, PLAIN, Outgoing, ProgressDecoder, Quirks, StreamDecoder
from trio_llm.wire.rate_limits import read_rate_limits

# Servers without keys are given words such as "none", which an error may well use.
_LEAST_SECRET = 8
_REDACTED = "[redacted]"

PULL_SILENCE = 600.0
"""Seconds that a server may be silent while it fetches a model, as when it checks many
gigabytes; the whole of it has no limit."""


@attrs.frozen(kw_only=True)
class Remote:
    """Where a provider is, and how it is reached.

    Attributes:
        name: The provider's name.
        dialect: The name of its wire format.
        base_url: Its address, without a slash at the end.
        usual_url: Where its kind is when nobody says otherwise; empty for a kind that
            is nowhere.
        key: Its key, or an async callable that gives one, asked before each attempt.
        limits: How long an exchange may take, and before it the giving of the key.
        headers: Further headers for every request.
        proxy: The URL of a proxy; ``None`` means what the environment says.
        verify: Whether certificates are checked, or a file of those to trust.
        close_deadline: Seconds that closing one connection may take.
        quirks: In what it differs from its dialect.
        operations: What it does besides answering, as far as its dialect can ask.
    """

    name: str
    dialect: str
    base_url: str
    key: str | Callable[[], Awaitable[str]] | None = attrs.field(repr=False)
    limits: TimeLimits
    headers: Mapping[str, str] = attrs.field(repr=False)
    proxy: str | None = attrs.field(repr=False)
    verify: bool | str
    close_deadline: float
    quirks: Quirks = PLAIN
    operations: frozenset[type[Operation]] = frozenset()
    usual_url: str = ""

    @property
    def root(self) -> str:
        """Where a path begins that is not under the base URL.

        At the kind's own server it is the server's root. Behind another address it is
        the base URL without the path that the kind's own has, so that a gateway's
        prefix stays: ``https://gateway/hf/v1`` gives ``https://gateway/hf``.
        """
        usual, base = urlsplit(self.usual_url), urlsplit(self.base_url)
        if base.netloc == usual.netloc:
            return f"{base.scheme}://{base.netloc}"
        return self.base_url.removesuffix(usual.path.rstrip("/"))


class HttpBackend:
    """Encodes a request, sends it on a connection of its own, decodes the answer.

    Args:
        remote: Where to.
        transport: In place of connections of our own.
        wall_clock: Seconds since the epoch, for dates in answers.

    Raises:
        TypeError: The transport is none.
    """

    def __init__(
        self, remote: Remote, *, transport: TransportChoice, wall_clock: Callable[[], float]
    ) -> None:
        check_choice(transport)
        self._remote = remote
        self._transport = transport
        self._wall_clock = wall_clock
        self._connections: Connections
        self._dialect = DIALECTS[remote.dialect].adapted(remote.quirks)
        self._origin = Origin.of(remote.dialect, remote.base_url)
        self._root = remote.root
        limits = remote.limits
        self._pulling = attrs.evolve(
            limits,
            first_token=max(limits.first_token, PULL_SILENCE),
            idle=max(limits.idle, PULL_SILENCE),
            total=math.inf,
        )
        self._headers = {"content-type": "application/json"}
        self._secret = ""
        if isinstance(remote.key, str):
            self._secret = remote.key
            self._headers |= self._dialect.authenticate(self._secret)

    @property
    def operations(self) -> frozenset[type[Operation]]:
        """What the dialect can ask for and the provider does."""
        return self._remote.operations & frozenset(self._dialect.operations)

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open the provider's connections; all are closed when the actor's life ends."""
        return self._life()

    @asynccontextmanager
    async def _life(self) -> AsyncGenerator[None, None]:
        self._connections = Connections(
            transport=transport_for(self._transport, self._remote.name),
            verify=self._remote.verify,
            proxy=self._remote.proxy,
            close_deadline=self._remote.close_deadline,
        )
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await self._connections.aclose()

    async def answer(self, work: Work) -> AnyResult:
        """Do one exchange; the connection is closed or kept when this returns."""
        request = work.request
        if isinstance(request, Operation):
            codec = self._dialect.operations.get(type(request))
            if codec is None:
                raise InvalidRequestError(f"this provider does not offer {request.what}")
            if isinstance(request, CountRequest):
                request = attrs.evolve(request, request=self._origin.outward(request.request))
            outgoing = codec.encode(request, model=work.model)
        else:
            outgoing = self._dialect.encode(
                self._origin.outward(request), model=work.model, stream=work.sink is not None
            )
        headers, secret = self._headers, self._secret
        key = self._remote.key
        if key is not None and not isinstance(key, str):
            secret = await self._key_from(key)
            headers = headers | self._dialect.authenticate(secret)
        if outgoing.headers or self._remote.headers:
            headers = {**headers, **outgoing.headers, **self._remote.headers}
        try:
            return await self._exchange(work, outgoing, headers)
        except ProviderError as error:
            _conceal(secret, error)
            raise

    async def _key_from(self, source: Callable[[], Awaitable[str]]) -> str:
        """Ask for the key: in time, and one that a header can hold."""
        limits = self._remote.limits
        phase = "first_token" if limits.first_token < limits.total else "total"
        patience = min(limits.first_token, limits.total)
        key: object = None
        raised = ""
        with trio.move_on_after(patience) as scope:
            try:
                key = await source()
            except ProviderError:
                raise  # said on purpose, in words meant to be read
            except Exception as error:  # noqa: BLE001 - a user's own code
                raised = type(error).__name__
        if raised:
            # Its own words are left out, in the causes too: they may quote a key.
            raise AuthenticationError(
                f"api_key raised {raised} and gave no key; a ProviderError raised there "
                "would be passed on as it is",
                phase="request",
            )
        if scope.cancelled_caught:
            raise ProviderTimeoutError(
                f"api_key gave no key within {patience:g} s", phase=phase, elapsed=patience
            )
        if not isinstance(key, str) or not key or not all("!" <= letter <= "~" for letter in key):
            # It is the provider's set-up that is wrong, not the request, so that
            # another member may answer.
            raise AuthenticationError(
                "what api_key gave is no key: a string of visible ASCII letters is needed",
                phase="request",
            )
        return key

    async def _exchange(
        self, work: Work, outgoing: Outgoing, headers: Mapping[str, str]
    ) -> AnyResult:
        base = self._root if outgoing.from_root else self._remote.base_url
        async with self._connections.exchange(
            f"{base}{outgoing.path}",
            headers,
            outgoing.body,
            self._pulling if isinstance(work.request, PullModel) else self._remote.limits,
            method=outgoing.method,
            fresh=work.fresh,
        ) as response:
            if work.observe is not None and response.mentions(b"ratelimit"):
                work.observe(read_rate_limits(response.headers, self._wall_clock()))
            if not 200 <= response.status < 300:
                raise await self._refused(response)
            request = work.request
            if isinstance(request, Operation):
                return await self._operate(response, work, request)
            if work.sink is None:
                completion = self._dialect.decode(await response.read())
                if request.continuation:
                    completion = without_beginning(request, completion)
                return self._origin.inward(completion)
            return self._origin.inward(await self._stream(response, work, self._dialect.decoder()))

    async def _operate(
        self, response: Exchange, work: Work, operation: Operation
    ) -> OperationResult:
        codec = self._dialect.operations[type(operation)]
        decoder = None if work.sink is None else codec.decoder(operation)
        if decoder is None:
            return codec.decode(await response.read(), operation)
        return await self._stream(response, work, decoder)

    @overload
    async def _stream(
        self, response: Exchange, work: Work, decoder: StreamDecoder
    ) -> Completion: ...

    @overload
    async def _stream(
        self, response: Exchange, work: Work, decoder: ProgressDecoder
    ) -> OperationResult: ...

    async def _stream(
        self, response: Exchange, work: Work, decoder: StreamDecoder | ProgressDecoder
    ) -> AnyResult:
        sink = work.sink
        reasoning = wants_reasoning(work.request)
        async for data in response:
            deltas = decoder.feed(data)
            if deltas and sink is not None:
                for delta in deltas:
                    if is_useful(delta, reasoning=reasoning):
                        response.useful()
                        break
                await sink.put(self._origin.inward_events(deltas))
            if decoder.finished:
                break
        return decoder.close()

    async def _refused(self, response: Exchange) -> ProviderError:
        """Classify a response that is no success."""
        if response.status < 400:
            return MalformedResponseError(
                f"it answered with HTTP {response.status}, which leads elsewhere; "
                "set base_url to where it leads",
                status=response.status,
                phase="response",
            )
        body = await response.read_start()
        return self._dialect.classify(
            response.status, response.headers, body, now=self._wall_clock()
        )


def _conceal(secret: str, error: ProviderError) -> None:
    """Take the key out of what the provider says: some quote the key that they refuse."""
    if len(secret) < _LEAST_SECRET:
        return
    for name in ("message", "code", "request_id"):
        text = getattr(error, name)
        if text:
            setattr(error, name, _without(secret, text))
    error.args = (error.message, *error.args[1:])


def _without(secret: str, text: str) -> str:
    text = text.replace(secret, _REDACTED)
    # A long text was cut, perhaps in the middle of the key.
    kept = text.removesuffix("...")
    for length in range(min(len(secret) - 1, len(kept)), _LEAST_SECRET - 1, -1):
        if kept.endswith(secret[:length]):
            return kept[:-length] + _REDACTED + text[len(kept) :]
    return text
