"""The key goes to the server, and nowhere else."""

import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from tests.sockets.socket_scenes import ask, member, open_llm
from trio_llm import (
    AuthenticationError,
    CooldownSettings,
    Fallback,
    LLMError,
    ProviderTimeoutError,
    Timeouts,
)
from trio_llm.events import Event
from trio_llm.testing.upstream import Behaviour, Fault, digest, open_upstream

# One that looks like a key, and one that only its owner can recognise.
KEYS = ("sk-live-0123456789abcdef", "correct horse battery staple".replace(" ", "."))


def _echoes(key: str) -> list[Behaviour]:
    return [
        Behaviour(status=401, message=f"Incorrect API key provided: {key}."),
        Behaviour(status=400, message=f"who is {key}, and what does it want?"),
        Behaviour(status=500, body=f"upstream said: Authorization: Bearer {key}".encode()),
        Behaviour(status=403, message="no", code=key),
        Behaviour(status=500, message="no", headers={"x-request-id": key}),
        Behaviour(status=400, message=f"{'x' * 480} {key}"),
        Behaviour(status=403, message="no", code=f"{'x' * 85}{key}"),
        Behaviour(fault=Fault.ERROR_FRAME, message=f"{key} is not welcome", fault_after=0),
        Behaviour(fault=Fault.ERROR_FRAME, message=f"{key} is not welcome", fault_after=1),
        Behaviour(fault=Fault.NOT_HTTP),
        Behaviour(fault=Fault.CLOSE),
        Behaviour(fault=Fault.RESET_MIDWAY),
        Behaviour(body=f"<html><title>{key}</title></html>".encode()),
    ]


def _from_a_vault(key: str) -> Callable[[], Awaitable[str]]:
    async def vault() -> str:
        return key

    return vault


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asked_for", [False, True])
@pytest.mark.parametrize("key", KEYS)
async def test_no_text_of_the_library_holds_the_key(
    key: str, asked_for: bool, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Errors, their causes and tracebacks, events, logs and status: not even when it is echoed."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    def listen(event: Event) -> None:
        said.append(repr(event))

    async with open_upstream() as upstream:
        source = _from_a_vault(key) if asked_for else key
        provider = member(upstream, api_key=source, cooldown=CooldownSettings(after_failures=100))
        async with open_llm(Fallback((provider,), name="tree")) as llm:
            llm.subscribe(listen)
            for behaviour in _echoes(key):
                upstream.script = behaviour
                for endpoint in (llm, llm.provider("a")):
                    with pytest.raises(LLMError) as caught:
                        await ask(endpoint, stream=stream)
                    error = caught.value
                    said += [str(error), repr(error), repr(error.attempts), repr(vars(error))]
                    said += traceback.format_exception(error)
            said += [repr(llm.status()), repr(llm.statistics()), repr(llm.config), repr(llm)]
        sent = {served.headers["authorization"] for served in upstream.served}
    assert sent == {digest(f"Bearer {key}".encode())}
    assert [line for line in said if key in line or key[:12] in line] == []
    # What came in, the HTTP library may log; what went out, nobody.
    logged = [f"{record.name} {record.getMessage()}" for record in caplog.records]
    assert logged
    assert [line for line in logged if key in line and "receive_response" not in line] == []


@pytest.mark.parametrize("given", [None, "", 7, f"{KEYS[0]}\n", f"{KEYS[0]}\N{SNOWMAN}"])
async def test_a_callable_that_gives_no_key_is_the_providers_fault(given: Any) -> None:
    """It is an `AuthenticationError` without the key in it, and the next member answers."""
    async with open_upstream() as upstream:
        broken = member(upstream, "broken", api_key=_from_a_vault(given))
        async with open_llm(Fallback((broken, member(upstream, "sound")), name="tree")) as llm:
            assert (await llm.generate("hello")).provider == "sound"
            with pytest.raises(AuthenticationError, match="what api_key gave is no key") as caught:
                await llm.provider("broken").generate("hello")
        assert KEYS[0] not in "".join(traceback.format_exception(caught.value))
        assert [served.model for served in upstream.served] == ["sound"]


async def test_a_callable_that_never_gives_a_key_is_late() -> None:
    """The limits of the provider hold for the giving of its key, too."""
    async with open_upstream() as upstream:
        stuck = member(upstream, api_key=trio.sleep_forever, timeouts=Timeouts(total=0.05))
        async with open_llm(stuck) as llm:
            with pytest.raises(ProviderTimeoutError, match=r"gave no key within 0\.05 s") as caught:
                await llm.generate("hello")
        assert caught.value.phase == "total"
        assert upstream.served == []
