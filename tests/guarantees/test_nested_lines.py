"""G6 in a tree: nobody waits in a line while another member is free, at any depth."""

import pytest
import trio

from trio_llm import AllProvidersFailed, Config, Fallback, LoadBalance, Provider, Race, Reply
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, ScriptedProvider, World, explore, seeds


def _single(name: str) -> Provider:
    answers = ScriptedProvider(Answers(after=1.0))
    return Provider("custom", name, cls=answers, max_concurrency=1)


def _callers(tree: Member, count: int) -> list[list[Reply]]:
    """Call so often in one instant, under many schedules."""

    async def scenario(world: World) -> list[Reply]:
        replies: list[Reply] = []

        async def caller() -> None:
            replies.append(await llm.generate("hi"))

        async with world.open(Config(default=tree)) as llm, trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(caller)
        return replies

    return [outcome.value for outcome in explore(scenario, seeds=seeds(1000))]


def test_a_fallback_goes_on_when_a_nested_balancer_is_only_busy() -> None:
    """Two calls in one instant use both places, though the first is behind a balancer."""
    for replies in _callers(Fallback([LoadBalance([_single("a")]), _single("b")]), 2):
        assert sorted(reply.provider for reply in replies) == ["a", "b"]
        assert {reply.latency for reply in replies} == {1.0}


def test_a_load_balance_of_balancers_uses_every_place_before_any_line() -> None:
    """Four calls in one instant use four places, two levels down."""
    tree = LoadBalance(
        [LoadBalance([_single("a"), _single("b")]), Fallback([_single("c"), _single("d")])]
    )
    for replies in _callers(tree, 4):
        assert sorted(reply.provider for reply in replies) == ["a", "b", "c", "d"]


def test_calls_beyond_every_place_wait_in_the_lines_below() -> None:
    """With every place taken, the rest wait and are served."""
    tree = Fallback([LoadBalance([_single("a")]), Race([_single("b")])])
    for replies in _callers(tree, 6):
        assert len(replies) == 6
        assert min(reply.latency for reply in replies) == 1.0


@pytest.mark.parametrize("balancer", [Race, Fallback, LoadBalance])
def test_no_more_calls_wait_through_a_balancer_than_its_mailbox_holds(
    balancer: type[Race | Fallback | LoadBalance],
) -> None:
    """One is served, two wait, and the rest are refused in the instant of the call."""

    async def scenario(world: World) -> tuple[list[float], list[float]]:
        served: list[float] = []
        refused: list[float] = []

        async def caller() -> None:
            try:
                await llm.generate("hi")
            except AllProvidersFailed as error:
                refused.extend(
                    trio.current_time() for e in error.errors if e.code == "mailbox_full"
                )
            else:
                served.append(trio.current_time())

        tree = balancer([_single("a")], mailbox=2)
        async with world.open(Config(default=tree)) as llm, trio.open_nursery() as nursery:
            for _ in range(7):
                nursery.start_soon(caller)
        return served, refused

    for outcome in explore(scenario, seeds=seeds(1000, share=50)):
        served, refused = outcome.value
        assert served == pytest.approx([1.0, 2.0, 3.0])
        assert refused == [0.0] * 4
