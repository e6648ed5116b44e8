"""The headers that go out with each request."""

from collections.abc import Mapping

from trio_llm._version import __version__
from trio_llm.errors import InvalidRequestError

_DEFAULT_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "identity",
    "user-agent": f"trio-llm/{__version__}",
}
_FRAMING = ("content-length", "transfer-encoding", "connection")


def encode_headers(headers: Mapping[str, str], host: bytes) -> list[tuple[bytes, bytes]]:
    """Give the headers for the wire: the caller's, over the usual ones, without framing.

    Args:
        headers: The caller's; names in any case.
        host: The value of ``host``, unless the caller has one.

    Raises:
        InvalidRequestError: A header is not ASCII; the message does not quote it.
    """
    lower = _DEFAULT_HEADERS | {name.lower(): value for name, value in headers.items()}
    encoded = [(b"host", host)] if "host" not in lower else []
    try:
        encoded += [
            (name.encode("ascii"), value.encode("ascii"))
            for name, value in lower.items()
            if name not in _FRAMING
        ]
    except UnicodeEncodeError:
        encoded = []
    if not encoded:
        # Outside the handler: the exception there holds the header.
        raise InvalidRequestError("a header of the request has characters beyond ASCII")
    return encoded
