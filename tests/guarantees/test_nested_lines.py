"""G6 in a tree: nobody waits in a line while another member is free, at any depth."""

import trio

from trio_llm import Config, Fallback, LoadBalance, Provider, Race, Reply
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
