"""Several keys of one provider, over real sockets: each key harms only itself."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from tests.sockets.socket_scenes import PATIENT, ask, open_llm
from trio_llm import (
    AllProvidersFailed,
    AuthenticationError,
    Provider,
    QuotaExceededError,
    RateLimitError,
    Runtime,
)
from trio_llm.testing.upstream import Behaviour, Upstream, digest, open_upstream
from trio_llm.testing.upstream.record import Served

KEYS = {"KEY_ONE": "sk-one-0123456789", "KEY_TWO": "sk-two-0123456789", "KEY_SIX": "sk-six-01234"}
REFUSED = Behaviour(status=401, message="Incorrect API key provided", code="invalid_api_key")
LIMITED = Behaviour(status=429, headers={"retry-after": "30"}, message="too many requests")
SPENT = Behaviour(status=429, message="no more credit", code="insufficient_quota")

_NAMES = {digest(f"Bearer {key}".encode()): name for name, key in KEYS.items()}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)


def _by_key(**behaviours: Behaviour) -> Callable[[Served], Behaviour]:
    def script(served: Served) -> Behaviour:
        return behaviours.get(_NAMES[served.headers["authorization"]], Behaviour())

    return script


def _seen(upstream: Upstream) -> list[str]:
    """Give the keys that the upstream saw, in the order of the requests."""
    return [_NAMES[served.headers["authorization"]] for served in upstream.served]


def _provider(upstream: Upstream) -> Provider:
    return Provider(
        "openai_compatible",
        "a",
        base_url=upstream.base_url("openai_chat"),
        model="m",
        api_key_envs=tuple(KEYS),
        timeouts=PATIENT,
    )


def _states(llm: Runtime) -> dict[str, str]:
    return {status.name: status.state for status in llm.status()}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bad_key_and_a_limited_one_harm_only_themselves(
    clock: MockClock, stream: bool
) -> None:
    """The third key answers every call; the limited one is asked again after its rest."""
    async with open_upstream(_by_key(KEY_ONE=REFUSED, KEY_TWO=LIMITED)) as upstream:
        async with open_llm(_provider(upstream)) as llm:
            replies = [await ask(llm, stream=stream) for _ in range(6)]
            assert {reply.provider for reply in replies} == {"a-3"}
            assert _seen(upstream).count("KEY_TWO") == 1
            assert _seen(upstream).count("KEY_SIX") == 6
            states = _states(llm)
            assert states["a-2"] == "cooling"
            assert states["a-3"] == "ready"
            before = len(upstream.served)
            clock.jump(31.0)
            upstream.script = _by_key(KEY_ONE=REFUSED)
            later = [await ask(llm, stream=stream) for _ in range(4)]
        assert {reply.provider for reply in later} == {"a-2", "a-3"}
        assert {"KEY_TWO", "KEY_SIX"} <= set(_seen(upstream)[before:])
        first = replies[0]
        assert [(one.provider, one.error) for one in first.attempts] == [
            ("a-1", "AuthenticationError"),
            ("a-2", "RateLimitError"),
            ("a-3", None),
        ]


@pytest.mark.parametrize("stream", [False, True])
async def test_when_no_key_is_any_good(clock: MockClock, stream: bool) -> None:
    """The error names what came of each key, and no key itself."""
    behaviours = {"KEY_ONE": REFUSED, "KEY_TWO": LIMITED, "KEY_SIX": SPENT}
    async with (
        open_upstream(_by_key(**behaviours)) as upstream,
        open_llm(_provider(upstream)) as llm,
    ):
        with pytest.raises(AllProvidersFailed) as caught:
            await ask(llm, stream=stream)
    assert {type(error): error.provider for error in caught.value.errors} == {
        AuthenticationError: "a-1",
        RateLimitError: "a-2",
        QuotaExceededError: "a-3",
    }
    assert sorted(_seen(upstream)) == sorted(KEYS)
    told = repr(caught.value) + str(caught.value) + "".join(map(str, caught.value.errors))
    assert not any(key in told for key in KEYS.values())
    assert clock.current_time() < 1


async def test_the_keys_share_the_calls(clock: MockClock) -> None:
    """With all keys good, calls at the same time go to them in turn."""
    async with open_upstream(Behaviour(latency=1.0)) as upstream:
        async with open_llm(_provider(upstream)) as llm, trio.open_nursery() as nursery:
            for _ in range(9):
                nursery.start_soon(llm.generate, "hello")
            await upstream.wait_requests(9)
            clock.jump(1.0)
        assert sorted(_seen(upstream)) == sorted([*KEYS] * 3)


async def test_the_models_come_once() -> None:
    """A list that a bad key does not get is asked for with the next one."""
    models = Behaviour(body=b'{"object": "list", "data": [{"id": "m"}]}')
    script = _by_key(KEY_ONE=REFUSED, KEY_TWO=models, KEY_SIX=models)
    async with open_upstream(script) as upstream, open_llm(_provider(upstream)) as llm:
        found = await llm.models()
    assert [(model.provider, model.id) for model in found] == [("a", "m")]
    assert found.errors == {}
    assert _seen(upstream) == ["KEY_ONE", "KEY_TWO"]
