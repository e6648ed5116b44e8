"""Faults below become typed errors whose messages help and hold no secret."""

import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest
import trio

from trio_llm.errors import ConnectionFailedError, ProviderTimeoutError
from trio_llm.transport import Connections, TimeLimits, httpx
from trio_llm.transport.faults import explain

Connect = Callable[..., Connections]


def run_python(source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env={"PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path)), **environment},
    )


def test_running_out_of_file_descriptors_is_named() -> None:
    """The error says what is short, and what to do."""
    result = run_python("""
        import os, resource, trio
        from trio_llm.errors import ConnectionFailedError
        from trio_llm.transport import Connections, TimeLimits

        async def starved():
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
            connections = Connections(trust_env=False)
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            taken = []
            try:
                while True:
                    taken.append(os.dup(0))
            except OSError:
                pass
            try:
                await connections.exchange(url, {}, b"", TimeLimits()).__aenter__()
            except ConnectionFailedError as error:
                print(error.phase, str(error))
            for number in taken:
                os.close(number)
            await listener.aclose()

        trio.run(starved)
    """)
    assert result.stderr == ""
    assert result.stdout.startswith("connect out of file descriptors: raise the limit")


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_the_variable_chooses_the_library(library: str) -> None:
    """``TRIO_LLM_HTTP`` is read at import, and the other library is not loaded."""
    result = run_python(
        """
        import sys
        from trio_llm.transport import httpx
        print(httpx.__name__, "httpx" in sys.modules, "httpx2" in sys.modules)
        """,
        TRIO_LLM_HTTP=library,
    )
    assert result.stderr == ""
    assert result.stdout.split() == [library, str(library == "httpx"), str(library == "httpx2")]


def test_an_unknown_library_is_a_configuration_error() -> None:
    """The message names the variable."""
    result = run_python("import trio_llm.transport", TRIO_LLM_HTTP="requests")
    assert "TRIO_LLM_HTTP: must be httpx or httpx2, not 'requests'" in result.stderr


async def test_a_host_name_that_does_not_resolve_is_named(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped host is told apart from a host that is down."""

    async def fail(*_arguments: object, **_options: object) -> None:
        await trio.lowlevel.checkpoint()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", fail)
    with pytest.raises(ConnectionFailedError, match="does not resolve"):
        await connect().exchange("http://no.such.test", {}, b"", TimeLimits()).__aenter__()


@pytest.mark.parametrize(
    ("fault", "phase", "expected"),
    [
        (httpx.ConnectTimeout("late"), "response", "connect"),
        (httpx.ReadTimeout("late"), "response", "first_token"),
        (httpx.ReadTimeout("late"), "stream", "idle"),
    ],
)
def test_a_transport_s_own_limit_is_a_timeout(fault: Exception, phase: str, expected: str) -> None:
    """Limits inside a handed-in transport have the phases of ours."""
    error = explain(fault, phase)
    assert isinstance(error, ProviderTimeoutError)
    assert error.phase == expected
    assert error.__cause__ is fault
