"""The backend of every provider that speaks over HTTP: a dialect and its connections."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import trio

from trio_llm.chat import Completion
from trio_llm.errors import (
    AuthenticationError,
    MalformedResponseError,
    ProviderError,
    ProviderTimeoutError,
)
from trio_llm.policy import TimeLimits
from trio_llm.providers.backend import Work
from trio_llm.providers.sink import is_useful
from trio_llm.transport import (
    Connections,
    Exchange,
    TransportChoice,
    check_choice,
    transport_for,
)
from trio_llm.wire import DIALECTS, Outgoing

# Servers without keys are given words such as "none", which an error may well use.
_LEAST_SECRET = 8


@attrs.frozen(kw_only=True)
class Remote:
    """Where a provider is, and how it is reached.

    Attributes:
        name: The provider's name.
        dialect: The name of its wire format.
        base_url: Its address, without a slash at the end.
        key: Its key, or an async callable that gives one, asked before each attempt.
        limits: How long an exchange may take, and before it the giving of the key.
        headers: Further headers for every request.
        proxy: The URL of a proxy; ``None`` means what the environment says.
        verify: Whether certificates are checked, or a file of those to trust.
        close_deadline: Seconds that closing one connection may take.
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
        self._dialect = DIALECTS[remote.dialect]
        self._headers = {"content-type": "application/json"}
        self._secret = ""
        if isinstance(remote.key, str):
            self._secret = remote.key
            self._headers |= self._dialect.authenticate(self._secret)

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

    async def answer(self, work: Work) -> Completion:
        """Do one exchange; the connection is closed or kept when this returns."""
        outgoing = self._dialect.encode(
            work.request, model=work.model, stream=work.sink is not None
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
        with trio.move_on_after(patience) as scope:
            key = await source()
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
    ) -> Completion:
        async with self._connections.exchange(
            f"{self._remote.base_url}{outgoing.path}",
            headers,
            outgoing.body,
            self._remote.limits,
            fresh=work.fresh,
        ) as response:
            if not 200 <= response.status < 300:
                raise await self._refused(response)
            if work.sink is None:
                return self._dialect.decode(await response.read())
            return await self._stream(response, work)

    async def _stream(self, response: Exchange, work: Work) -> Completion:
        decoder = self._dialect.decoder()
        sink = work.sink
        reasoning = work.request.reasoning is not None
        async for data in response:
            deltas = decoder.feed(data)
            if deltas and sink is not None:
                for delta in deltas:
                    if is_useful(delta, reasoning=reasoning):
                        response.useful()
                        break
                await sink.put(deltas)
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
        if text and secret in text:
            setattr(error, name, text.replace(secret, "[redacted]"))
    error.args = (error.message, *error.args[1:])
