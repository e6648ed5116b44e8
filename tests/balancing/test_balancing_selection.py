"""A load balance by the user's own rule: what the rule is shown, and what may come of it."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import (
    AllProvidersFailed,
    Config,
    Fallback,
    LLMError,
    LoadBalance,
    ModerateRequest,
    Provider,
    ProviderCrashedError,
    ProviderStatus,
    ProviderUnavailableError,
    RateLimitError,
    Request,
    Runtime,
    Selection,
    Tool,
)
from trio_llm.testing import Answers, Judges, RateLimits, ScriptedProvider, World, run

_Choice = Callable[[Request, Sequence[ProviderStatus]], Any]


def _gives(what: object) -> _Choice:
    """Make a choice that is the same for every request."""

    def choose(_request: Request, _members: Sequence[ProviderStatus]) -> object:
        return what

    return choose


def _always(*names: str) -> _Choice:
    return _gives(names)


@attrs.define(eq=False)
class _Rule:
    """A rule that a test gives, and what it was shown."""

    choose: _Choice
    shown: list[list[str]] = attrs.field(factory=list[list[str]])

    def order(self, request: Request, members: Sequence[ProviderStatus]) -> Any:
        """Note the members, and choose."""
        self.shown.append([member.name for member in members])
        return self.choose(request, members)


def _tree(cast: Cast, rule: Selection, *names: str) -> LoadBalance:
    members = [cast.provider(name, Answers(name)) for name in names or "abc"]
    return LoadBalance(members, strategy="custom", selection=rule)


def _failure(choose: _Choice) -> LLMError:
    """Ask once by a rule that cannot be followed."""

    async def scenario(world: World) -> LLMError:
        cast = Cast()
        async with world.open(Config(default=_tree(cast, _Rule(choose)))) as llm:
            with pytest.raises(LLMError) as caught:
                await llm.generate("hi")
            assert cast.started == 0
            assert_idle(cast, llm)
            return caught.value

    return run(scenario).value


def test_the_first_name_that_can_take_the_call_gets_it() -> None:
    """The rule's order is followed, whatever the declared one is."""

    async def scenario(world: World) -> None:
        cast = Cast()

        def choose(_request: Request, members: Sequence[ProviderStatus]) -> list[str]:
            return [member.name for member in reversed(members)]

        rule = _Rule(choose)
        async with world.open(Config(default=_tree(cast, rule))) as llm:
            assert (await llm.generate("hi")).provider == "c"
        assert rule.shown == [["a", "b", "c"]]

    run(scenario)


def test_the_rule_is_shown_the_request_and_how_members_fare() -> None:
    """It may go by tags, and by who is busy or rests."""

    async def scenario(world: World) -> None:
        cast = Cast()

        def choose(request: Request, members: Sequence[ProviderStatus]) -> list[str]:
            ready = [member.name for member in members if member.state == "ready"]
            return ready[::-1] if request.tags.get("tier") == "last" else ready

        members = [
            cast.provider("a", RateLimits(60.0)),
            *[cast.provider(name, Answers()) for name in "bc"],
        ]
        tree = LoadBalance(members, strategy="custom", selection=_Rule(choose))
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises(RateLimitError):
                await llm.provider("a").generate("hi")
            assert (await llm.generate("hi")).provider == "b"
            assert (await llm.generate("hi", tags={"tier": "last"})).provider == "c"

    run(scenario)


def test_members_left_out_are_not_asked() -> None:
    """The one that the rule named refuses, and no other takes its place."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", RateLimits(60.0)), cast.provider("b", Answers())]
        tree = LoadBalance(members, strategy="custom", selection=_Rule(_always("a")))
        async with world.open(Config(default=tree)) as llm:
            for expected in (RateLimitError, ProviderUnavailableError):
                with pytest.raises(AllProvidersFailed) as caught:
                    await llm.generate("hi")
                assert [type(error) for error in caught.value.errors] == [expected]
        assert cast.scripts["b"].started == 0

    run(scenario)


def test_a_name_that_refuses_passes_the_call_on_to_the_next_name() -> None:
    """The rule need not know who can take the call now."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", RateLimits(60.0)), cast.provider("b", Answers())]
        tree = LoadBalance(members, strategy="custom", selection=_Rule(_always("a", "b", "a")))
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises(AllProvidersFailed):
                await llm.generate("hi")
            assert (await llm.generate("hi")).provider == "b"

    run(scenario)


def test_members_that_cannot_serve_the_request_are_not_shown() -> None:
    """Capabilities are looked at before the rule; one named all the same refuses in its turn."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("plain", Answers(), capabilities=["chat"]),
            cast.provider("handy", Answers(), capabilities=["chat", "tools"]),
        ]
        rule = _Rule(_always("plain", "handy"))
        tree = LoadBalance(members, strategy="custom", selection=rule)
        async with world.open(Config(default=tree)) as llm:
            assert (await llm.generate("hi")).provider == "plain"
            assert (await llm.generate("hi", tools=[Tool("look")])).provider == "handy"
        assert rule.shown == [["plain", "handy"], ["handy"]]

    run(scenario)


def test_where_nobody_can_serve_the_request_the_rule_is_not_asked() -> None:
    """The error says of every member why not."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Answers(), capabilities=["chat"]) for name in "ab"]
        rule = _Rule(_always())
        tree = LoadBalance(members, strategy="custom", selection=rule)
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hi", tools=[Tool("look")])
        assert [error.message for error in caught.value.errors] == ["it does not offer tools"] * 2
        assert rule.shown == []

    run(scenario)


def test_those_that_were_not_shown_are_in_the_error() -> None:
    """Whoever cannot serve the request says why, beside the one that the rule chose."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("plain", Answers(), capabilities=["chat"]),
            cast.provider("handy", RateLimits(60.0)),
        ]
        tree = LoadBalance(members, strategy="custom", selection=_Rule(_always("handy")))
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises(RateLimitError):
                await llm.provider("handy").generate("hi")
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hi", tools=[Tool("look")])
        assert [error.code for error in caught.value.errors] == ["unsuitable", "cooling"]

    run(scenario)


def _raise(_request: Request, _members: Sequence[ProviderStatus]) -> list[str]:
    raise ZeroDivisionError("by nothing")


@pytest.mark.parametrize(
    ("choose", "said"),
    [
        (_raise, "its selection _Rule raised ZeroDivisionError: by nothing"),
        (_always("a", "anna"), "chose 'anna', which is no member; members are a, b, c"),
        (_gives([1]), "chose 1, which is no member"),
        (_gives(None), "gave NoneType and no list of names"),
        (_gives("abc"), "gave str and no list of names"),
        (_gives({"a", "b"}), "gave set and no list of names"),
    ],
    ids=["raises", "unknown", "number", "nothing", "string", "set"],
)
def test_a_rule_that_cannot_be_followed_is_a_typed_error(choose: _Choice, said: str) -> None:
    """It names the rule and what it did, and nobody was asked."""
    error = _failure(choose)
    assert isinstance(error, ProviderCrashedError)
    assert said in error.message
    assert (error.provider, error.code) == ("default", "selection")


def test_what_the_rule_raised_is_the_cause() -> None:
    """The traceback of the user's own code is kept."""
    assert isinstance(_failure(_raise).__cause__, ZeroDivisionError)


def test_an_async_rule_is_said_to_be_one() -> None:
    """A rule must give its names at once; nothing is left to be awaited."""

    async def choose(_request: Request, _members: Sequence[ProviderStatus]) -> list[str]:
        return ["a"]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "is async" in str(_failure(choose))


def test_a_rule_that_chooses_nobody_refuses_the_call() -> None:
    """No attempt was made, so a balancer above goes on to its next member."""

    async def scenario(world: World) -> None:
        cast = Cast()
        picky = _tree(cast, _Rule(_always()))
        tree = Fallback([picky, cast.provider("z", Answers())])
        async with world.open(Config(default=tree)) as llm:
            assert (await llm.generate("hi")).provider == "z"

    error = _failure(_always())
    assert isinstance(error, ProviderUnavailableError)
    assert error.code == "unselected"
    run(scenario)


def test_a_crash_of_the_rule_harms_its_own_call_only() -> None:
    """Calls beside it and after it are served, by the same actor in the same life."""

    async def scenario(world: World) -> None:
        cast = Cast()

        def choose(request: Request, members: Sequence[ProviderStatus]) -> list[str]:
            if request.messages[0].text == "crash":
                raise KeyError("oops")
            return [members[0].name]

        members = [cast.provider("a", Answers(after=1.0))]
        tree = LoadBalance(members, strategy="custom", selection=_Rule(choose))
        async with world.open(Config(default=tree)) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(llm.generate, "beside it")
            await trio.sleep(0.5)
            with pytest.raises(ProviderCrashedError):
                await llm.generate("crash")
            assert (await llm.generate("after it")).provider == "a"
            assert llm.status()[-1].restarts == 0

    run(scenario)


def test_a_crash_of_the_rule_falls_through() -> None:
    """A fallback above goes on, as when a member has crashed."""

    async def scenario(world: World) -> None:
        cast = Cast()
        tree = Fallback([_tree(cast, _Rule(_raise)), cast.provider("z", Answers())])
        async with world.open(Config(default=tree)) as llm:
            assert (await llm.generate("hi")).provider == "z"

    run(scenario)


def test_what_is_no_conversation_goes_by_turns() -> None:
    """A rule over requests is not asked about operations."""

    async def scenario(world: World) -> None:
        scripts = {name: ScriptedProvider(Judges(), [ModerateRequest]) for name in "ab"}
        members = [Provider("custom", name, cls=script) for name, script in scripts.items()]
        rule = _Rule(_always("a"))
        tree = LoadBalance(members, strategy="custom", selection=rule)
        async with world.open(Config(default=tree)) as llm:
            for _ in range(6):
                await llm.moderate("fine")
        assert [script.started for script in scripts.values()] == [3, 3]
        assert rule.shown == []

    run(scenario)


def test_the_rule_may_be_named_in_a_file() -> None:
    """``package.module:name`` leads to an object, or to a class that is called for one."""

    async def scenario(world: World) -> None:
        for name in ("Alphabetical", "ALPHABETICAL"):
            config = {
                "providers": {name: {"kind": "simulated"} for name in ("zoe", "ann", "eve")},
                "balancers": {
                    "pool": {
                        "kind": "load_balance",
                        "strategy": "custom",
                        "selection": f"{__name__}:{name}",
                    }
                },
                "default": "pool",
            }
            async with world.open(config) as llm:
                assert (await llm.generate("hi")).provider == "ann"

    run(scenario)


class Alphabetical:
    """Puts members in the order of their names."""

    def order(self, _request: Request, members: Sequence[ProviderStatus]) -> list[str]:
        """Sort."""
        return sorted(member.name for member in members)


ALPHABETICAL = Alphabetical()


async def _preferring(llm: Runtime, name: str) -> str:
    return (await llm.generate("hi", prefer=name)).provider


def test_the_preferred_member_is_first_among_those_chosen() -> None:
    """`prefer` moves one that the rule named, and brings none back that it left out."""

    async def scenario(world: World) -> None:
        cast = Cast()
        tree = _tree(cast, _Rule(_always("a", "b")))
        async with world.open(Config(default=tree)) as llm:
            assert await _preferring(llm, "b") == "b"
            assert await _preferring(llm, "c") == "a"

    run(scenario)
