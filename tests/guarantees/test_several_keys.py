"""Several keys of one provider: one bad key harms no other.

Each key has health and places of its own. A call goes to the next key in turn, and on
to another one when that fails by no fault of the request.
"""

import pytest
import trio

from trio_llm import (
    AllProvidersFailed,
    AuthenticationError,
    Config,
    CooldownSettings,
    Fallback,
    InvalidRequestError,
    Provider,
    Race,
    RateLimitError,
)
from trio_llm.config.schema import Member
from trio_llm.testing import World, explore, run
from trio_llm.testing.upstream import Behaviour, MemoryUpstream, Served
from trio_llm.testing.upstream.record import digest

KEYS = {"KEY_A": "k-aaaaaaaaaaaa", "KEY_B": "k-bbbbbbbbbbbb", "KEY_C": "k-cccccccccccc"}
GOOD = Behaviour()
BAD = Behaviour(status=401, message="wrong key")
LIMITED = Behaviour(status=429, headers={"retry-after": "30"}, message="too many requests")
WRONG = Behaviour(status=400, message="no such field")


def _key_of(served: Served) -> str:
    """Tell by which key a request came; the record holds a digest of it only."""
    sent = served.headers["authorization"]
    return next(n for n, key in KEYS.items() if digest(f"Bearer {key}".encode()) == sent)


def _upstream(**by_key: Behaviour) -> MemoryUpstream:
    return MemoryUpstream(lambda served: by_key.get(_key_of(served), GOOD))


def _lab(upstream: MemoryUpstream, *, after_failures: int = 1) -> Provider:
    return Provider(
        "openai_compatible",
        "lab",
        base_url=upstream.base_url("openai_chat"),
        model="m",
        api_key_envs=list(KEYS),
        cooldown=CooldownSettings(initial=60.0, after_failures=after_failures),
    )


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)


def test_calls_go_to_the_keys_in_turn() -> None:
    """Each key takes the same share."""

    async def scenario(world: World) -> None:
        upstream = _upstream()
        async with world.open(Config(default=_lab(upstream)), transport=upstream) as llm:
            providers = [(await llm.generate("hello")).provider for _ in range(6)]
        assert providers == ["lab-1", "lab-2", "lab-3"] * 2
        assert [_key_of(served) for served in upstream.served] == list(KEYS) * 2

    run(scenario)


def test_a_bad_key_harms_no_other() -> None:
    """Every call is answered, the bad key rests, and the others are charged with nothing."""

    async def scenario(world: World) -> None:
        upstream = _upstream(KEY_B=BAD)
        async with world.open(Config(default=_lab(upstream)), transport=upstream) as llm:
            for number in range(9):
                if number % 2:
                    assert (await llm.generate("hello")).provider != "lab-2"
                    continue
                async with llm.stream("hello") as stream:
                    async for _event in stream:
                        pass
                assert stream.reply.provider != "lab-2"
            states = {status.name: status for status in llm.status()}
        assert [states[f"lab-{n}"].state for n in (1, 2, 3)] == ["ready", "cooling", "ready"]
        assert [states[f"lab-{n}"].failures for n in (1, 2, 3)] == [0, 1, 0]
        assert [_key_of(served) for served in upstream.served].count("KEY_B") == 1

    explore(scenario, seeds=range(8))


def test_a_limit_of_one_key_is_not_that_of_the_others() -> None:
    """The call that met the limit is answered by the next key; the limited one rests."""

    async def scenario(world: World) -> None:
        upstream = _upstream(KEY_A=LIMITED)
        async with world.open(Config(default=_lab(upstream)), transport=upstream) as llm:
            reply = await llm.generate("hello")
            assert reply.provider == "lab-2"
            assert [attempt.provider for attempt in reply.attempts] == ["lab-1", "lab-2"]
            remaining = {s.name: s.cooldown_remaining for s in llm.status()}
            assert remaining["lab-1"] == 30.0
            assert remaining["lab-2"] == remaining["lab-3"] == 0.0
            await trio.sleep(30.0)
            upstream.script = GOOD
            again = {(await llm.generate("hello")).provider for _ in range(3)}
            assert again == {"lab-1", "lab-2", "lab-3"}

    run(scenario)


def test_with_every_key_bad_the_error_has_them_all() -> None:
    """It is a group with one error for each key, in the order of the keys."""

    async def scenario(world: World) -> None:
        upstream = _upstream(KEY_A=BAD, KEY_B=LIMITED, KEY_C=BAD)
        async with world.open(Config(default=_lab(upstream)), transport=upstream) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hello")
        assert caught.value.balancer == "lab"
        assert [(error.provider, type(error)) for error in caught.value.errors] == [
            ("lab-1", AuthenticationError),
            ("lab-2", RateLimitError),
            ("lab-3", AuthenticationError),
        ]

    run(scenario)


def test_a_fault_of_the_request_is_not_sent_to_every_key() -> None:
    """What no other key could mend ends the call, with the errors before it as the cause."""

    async def scenario(world: World) -> None:
        upstream = _upstream(KEY_A=BAD, KEY_B=WRONG)
        async with world.open(Config(default=_lab(upstream)), transport=upstream) as llm:
            with pytest.raises(InvalidRequestError) as caught:
                await llm.generate("hello")
        assert caught.value.provider == "lab-2"
        assert isinstance(caught.value.__cause__, AllProvidersFailed)
        assert [_key_of(served) for served in upstream.served] == ["KEY_A", "KEY_B"]

    run(scenario)


@pytest.mark.parametrize("balancer", [Fallback, Race])
def test_inside_another_balancer_it_is_one_member(balancer: type[Fallback] | type[Race]) -> None:
    """A fallback or a race asks it as one, and can prefer one of its keys by name."""

    async def scenario(world: World) -> None:
        upstream = _upstream(KEY_A=BAD)
        members: tuple[Member, ...] = (_lab(upstream),)
        tree = balancer(members, name="outer")
        async with world.open(Config(default=tree), transport=upstream) as llm:
            assert (await llm.generate("hello")).provider == "lab-2"
            assert (await llm.generate("hello", prefer="lab-3")).provider == "lab-3"
            assert (await llm.provider("lab").generate("hello")).provider.startswith("lab-")
            status = {s.name: s for s in llm.status()}
            assert status["lab"].members == ("lab-1", "lab-2", "lab-3")

    run(scenario)


def test_the_places_are_those_of_each_key() -> None:
    """With one place for each key three calls run at once, and the fourth waits."""

    async def scenario(world: World) -> None:
        upstream = MemoryUpstream(Behaviour(latency=1.0))
        lab = Provider(
            "openai_compatible",
            "lab",
            base_url=upstream.base_url("openai_chat"),
            model="m",
            api_key_envs=list(KEYS),
            max_concurrency=1,
        )
        took: list[float] = []

        async def caller() -> None:
            began = trio.current_time()
            await llm.generate("hello")
            took.append(trio.current_time() - began)

        async with (
            world.open(Config(default=lab), transport=upstream) as llm,
            trio.open_nursery() as nursery,
        ):
            for _ in range(4):
                nursery.start_soon(caller)
        assert sorted(round(seconds) for seconds in took) == [1, 1, 1, 2]

    run(scenario)
