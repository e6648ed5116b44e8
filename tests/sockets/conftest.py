"""Clocks that leave nothing to luck, certificates, and no proxy in between."""

import ssl

import pytest
import trustme
from trio.testing import MockClock


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def clock() -> MockClock:
    """Give a clock that all but stands still: time passes when the test says so.

    It does creep, since a race waits for the next instant that its clock can show.
    """
    return MockClock(rate=0.001)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Give an authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """Give the context of a server with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context
