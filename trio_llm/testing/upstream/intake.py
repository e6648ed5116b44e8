"""A request as the upstream reads it: which dialect, which model, streamed or not."""

import attrs
import trio

from trio_llm.errors import ProviderError
from trio_llm.testing.upstream.behaviour import Behaviour
from trio_llm.testing.upstream.record import Served, redact
from trio_llm.wire import DIALECTS, Dialect


@attrs.frozen
class ReadRequest:
    """A request as it came over the connection."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


def take_in(
    request: ReadRequest, *, ordinal: int, connection: int
) -> tuple[Served, Dialect | None, Behaviour | None]:
    """Read a request in the dialect that its path names.

    Args:
        request: The request.
        ordinal: Which request of this upstream, from 1.
        connection: Which connection of this upstream, from 1.

    Returns:
        Its record, its dialect (``None`` if the path names none), and the refusal that
        it gets if it is not in that dialect.
    """
    prefix, _, rest = request.target.removeprefix("/").partition("/")
    dialect = DIALECTS.get(prefix)
    served = Served(
        ordinal=ordinal,
        connection=connection,
        method=request.method,
        path=request.target if dialect is None else f"/{rest}",
        headers=redact(request.headers),
        body=request.body,
        received=trio.current_time(),
        dialect=None if dialect is None else dialect.name,
    )
    if dialect is None or request.method != "POST":
        return served, dialect, None
    try:
        incoming = dialect.parse(served.path, request.body)
    except ProviderError as error:
        return served, dialect, Behaviour(status=400, message=error.message)
    served.model = incoming.model
    served.stream = incoming.stream
    return served, dialect, None
