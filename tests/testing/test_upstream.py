"""The simulated upstream answers as its script says, and records what it saw."""

import ssl
from collections.abc import AsyncGenerator

import attrs
import pytest
import trio
import trustme

from trio_llm.chat import Completion, Request, ToolCall, Usage
from trio_llm.errors import ProviderError
from trio_llm.testing.upstream import (
    Behaviour,
    Fault,
    Served,
    ServedOutcome,
    Upstream,
    digest,
    open_upstream,
)
from trio_llm.transport import Connections, TimeLimits
from trio_llm.wire import DIALECTS, Dialect

NAMES = sorted(DIALECTS)
LIMITS = TimeLimits()


@pytest.fixture
async def connections() -> AsyncGenerator[Connections, None]:
    """Give connections that are closed at the end."""
    made = Connections(trust_env=False)
    yield made
    await made.aclose()


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]


async def ask(
    connections: Connections,
    upstream: Upstream,
    dialect: Dialect,
    *,
    stream: bool = False,
    model: str = "m",
) -> Answer:
    """Send a prompt in a dialect and give the raw answer."""
    outgoing = dialect.encode(Request(messages="Hi"), model=model, stream=stream, max_tokens=9)
    headers = {"content-type": "application/json", **outgoing.headers}
    headers |= dialect.authenticate("sk-test")
    url = upstream.base_url(dialect.name) + outgoing.path
    async with connections.exchange(url, headers, outgoing.body, LIMITS) as response:
        body = await response.read()
        return Answer(response.status, body, dict(response.headers))


def decode(dialect: Dialect, body: bytes, *, stream: bool) -> Completion:
    """Read a whole answer, plain or streamed."""
    if not stream:
        return dialect.decode(body)
    decoder = dialect.decoder()
    decoder.feed(body)
    return decoder.close()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("trickle", [False, True], ids=["whole", "trickle"])
async def test_an_answer_is_read_by_the_dialect(
    connections: Connections, name: str, stream: bool, trickle: bool
) -> None:
    """Text, tool calls, finish reason and usage arrive in every dialect."""
    dialect = DIALECTS[name]
    behaviour = Behaviour(
        chunks=("One", " two"),
        tool_calls=(ToolCall("call_1", "look", {"at": "it"}),),
        finish_reason="tool_calls",
        usage=Usage(input_tokens=7, output_tokens=2),
        trickle=trickle,
    )
    async with open_upstream(behaviour) as upstream:
        answer = await ask(connections, upstream, dialect, stream=stream)
    completion = decode(dialect, answer.body, stream=stream)
    assert completion.message.text == "One two"
    assert [dict(call.arguments) for call in completion.message.tool_calls] == [{"at": "it"}]
    assert completion.finish_reason == "tool_calls"
    assert completion.usage == Usage(input_tokens=7, output_tokens=2)
    assert upstream.served[0].model == "m"
    assert upstream.served[0].stream is stream


@pytest.mark.parametrize("name", NAMES)
async def test_an_error_is_classified_by_the_dialect(connections: Connections, name: str) -> None:
    """Status, headers and words of an error arrive."""
    behaviour = Behaviour(status=429, headers={"retry-after": "7"}, message="slow down")
    async with open_upstream(behaviour) as upstream:
        answer = await ask(connections, upstream, DIALECTS[name])
    error = DIALECTS[name].classify(answer.status, answer.headers, answer.body, now=0.0)
    assert error.retry_after == 7
    assert "slow down" in str(error)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault.EMPTY,
        Fault.HTML,
        Fault.CUT,
        Fault.MALFORMED,
        Fault.ERROR_FRAME,
        Fault.INVALID_UTF8,
    ],
)
async def test_a_faulty_answer_is_no_success(
    connections: Connections, name: str, stream: bool, fault: Fault
) -> None:
    """Every fault inside a success of HTTP is found by the dialect."""
    dialect = DIALECTS[name]
    async with open_upstream(Behaviour(fault=fault)) as upstream:
        answer = await ask(connections, upstream, dialect, stream=stream)
    assert answer.status == 200
    if fault is Fault.INVALID_UTF8:
        with pytest.raises(UnicodeDecodeError):
            answer.body.decode()
        return
    with pytest.raises(ProviderError):
        decode(dialect, answer.body, stream=stream)


async def test_a_missing_terminator_keeps_the_finish_reason(connections: Connections) -> None:
    """All frames come but the last."""
    dialect = DIALECTS["openai_chat"]
    async with open_upstream(Behaviour(fault=Fault.NO_TERMINATOR)) as upstream:
        answer = await ask(connections, upstream, dialect, stream=True)
    assert b"[DONE]" not in answer.body
    assert b'"finish_reason":"stop"' in answer.body.replace(b": ", b":")


async def test_behaviours_come_in_turn(connections: Connections) -> None:
    """A sequence is worked off, and its last behaviour stays."""
    script = [Behaviour(status=500), Behaviour(status=503), Behaviour()]
    async with open_upstream(script) as upstream:
        dialect = DIALECTS["openai_chat"]
        statuses = [(await ask(connections, upstream, dialect)).status for _ in range(4)]
    assert statuses == [500, 503, 200, 200]


async def test_behaviours_are_chosen_by_model(connections: Connections) -> None:
    """A mapping is looked up by the model, and ``*`` stands for the others."""
    async with open_upstream({"bad": Behaviour(status=500), "*": Behaviour()}) as upstream:
        dialect = DIALECTS["anthropic"]
        assert (await ask(connections, upstream, dialect, model="bad")).status == 500
        assert (await ask(connections, upstream, dialect, model="good")).status == 200


async def test_behaviours_are_chosen_by_a_function(connections: Connections) -> None:
    """A function sees the record of the request."""

    def script(served: Served) -> Behaviour:
        return Behaviour(status=200 if served.ordinal > 1 else 529)

    async with open_upstream(script) as upstream:
        dialect = DIALECTS["ollama"]
        assert (await ask(connections, upstream, dialect)).status == 529
        upstream.script = Behaviour(status=418)
        assert (await ask(connections, upstream, dialect)).status == 418


async def test_a_request_outside_the_dialect_is_refused(connections: Connections) -> None:
    """What the dialect cannot parse gets its error, with status 400."""
    async with open_upstream() as upstream:
        url = upstream.base_url("openai_chat") + "/chat/completions"
        async with connections.exchange(url, {}, b"not JSON", LIMITS) as response:
            assert response.status == 400


async def test_keys_are_recorded_as_digests(connections: Connections) -> None:
    """A record tells keys apart and holds none."""
    async with open_upstream() as upstream:
        await ask(connections, upstream, DIALECTS["openai_chat"])
        served = upstream.served[0]
        assert await served.wait_finished() is ServedOutcome.COMPLETED
    assert served.headers["authorization"] == digest(b"Bearer sk-test")
    assert "sk-test" not in repr(served)
    assert served.path.startswith("/")
    assert "openai_chat" not in served.path
    assert served.finished is not None
    assert served.finished >= served.received


async def test_counts_tell_what_runs(connections: Connections) -> None:
    """Requests in flight, their maximum, and connections are counted."""
    async with open_upstream(Behaviour(latency=0.01)) as upstream:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask, connections, upstream, DIALECTS["openai_chat"])
            await upstream.wait_until(lambda counts: counts.in_flight == 3)
        await upstream.wait_until(lambda counts: counts.in_flight == 0)
        counts = upstream.statistics()
        assert (counts.requests, counts.max_in_flight) == (3, 3)
        assert (counts.connections_accepted, counts.connections_open) == (3, 3)
        await connections.aclose()
        await upstream.wait_no_connections()


async def test_a_client_that_leaves_is_seen() -> None:
    """The end of the client's connection ends the request at once."""
    async with open_upstream(Behaviour(body=b"", latency=60)) as upstream:
        port = int(upstream.url.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n")
            await upstream.wait_requests(1)
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED
        await upstream.wait_no_connections()


async def test_garbage_from_a_client_ends_its_connection() -> None:
    """What is not HTTP is no request."""
    async with open_upstream() as upstream:
        port = int(upstream.url.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"\x00\x00\r\n\r\n")
            assert await stream.receive_some() == b""
        assert upstream.statistics().requests == 0


async def test_an_error_of_the_test_leaves_unwrapped() -> None:
    """What is raised in the block is not put into a group."""
    with pytest.raises(ZeroDivisionError):
        async with open_upstream():
            raise ZeroDivisionError


async def test_leaving_stops_what_still_runs(connections: Connections) -> None:
    """Requests that nobody finishes are marked as stopped."""

    async def call(upstream: Upstream) -> None:
        with pytest.raises(ProviderError):
            await ask(connections, upstream, DIALECTS["openai_chat"])

    async with (
        trio.open_nursery() as nursery,
        open_upstream(Behaviour(fault=Fault.SILENCE)) as upstream,
    ):
        nursery.start_soon(call, upstream)
        await upstream.wait_requests(1)
    assert upstream.served[0].outcome is ServedOutcome.STOPPED
    assert upstream.statistics().connections_open == 0


async def test_it_speaks_tls() -> None:
    """With a context the same answers come over ``https``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    connections = Connections(verify=False, trust_env=False)
    async with open_upstream(tls=context) as upstream:
        assert upstream.url.startswith("https://")
        assert (await ask(connections, upstream, DIALECTS["anthropic"])).status == 200
        await connections.aclose()


async def test_a_status_without_a_body(connections: Connections) -> None:
    """Where HTTP allows no body, none is sent, and the server goes on serving."""
    dialect = DIALECTS["ollama"]
    async with open_upstream([Behaviour(status=204), Behaviour(chunks=("on",))]) as upstream:
        answer = await ask(connections, upstream, dialect)
        assert (answer.status, answer.body) == (204, b"")
        assert dialect.decode((await ask(connections, upstream, dialect)).body).message.text == "on"
