"""What a reload means for those who hold a runtime, an endpoint, or the result of a call."""

from pathlib import Path
from typing import Any

import pytest
import trio

from trio_llm import (
    Config,
    ConfigError,
    CooldownSettings,
    Degradation,
    EmbedRequest,
    Fallback,
    ListModels,
    NodeStatistics,
    Provider,
    Race,
    ReloadReport,
    Reply,
    Retry,
    RetryBudgetSettings,
    ServerError,
)
from trio_llm.retirement import MOST_NAMES, THE_REST, together
from trio_llm.testing import Answers, Embeds, Fails, Lists, ScriptedProvider, World, run


def scripted(name: str, text: str | None = None, **settings: Any) -> Provider:
    """Make a provider that answers with its name, or another text."""
    script = ScriptedProvider(Answers(text or name, after=1.0))
    return Provider("custom", name, cls=script, **settings)


def test_an_endpoint_speaks_to_whoever_bears_its_name() -> None:
    """One that was taken before a reload asks the new provider after it."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Fallback((scripted("a", "old"),), name="f"))) as llm:
            endpoint, balancer = llm.provider("a"), llm.provider("f")
            assert (await endpoint.generate("hello")).text == "old"
            await llm.reload(Config(default=Fallback((scripted("a", "new"),), name="f")))
            assert (await endpoint.generate("hello")).text == "new"
            async with endpoint.stream("hello") as stream:
                assert [piece async for piece in stream.text()] == ["new"]
            assert (await balancer.generate("hello")).text == "new"
            assert endpoint.status_of().state == "ready"
            assert (await endpoint.compare("hello"))["a"] is not None

    run(scenario)


def test_an_endpoint_whose_name_is_gone_says_so() -> None:
    """Every operation of it raises a `ConfigError` that names what there is, until it is back."""

    async def scenario(world: World) -> None:
        both = Config(default=Fallback((scripted("anna"), scripted("ben")), name="f"))
        async with world.open(both) as llm:
            endpoint = llm.provider("ben")
            await llm.reload(Config(default=scripted("anna")))
            assert endpoint.name == "ben"
            for ask in (
                lambda: endpoint.generate("hello"),
                lambda: endpoint.embed("hello"),
                endpoint.models,
                lambda: endpoint.compare("hello"),
                lambda: endpoint.generate_as(int, "hello"),
            ):
                with pytest.raises(ConfigError, match='none is named "ben"; '):
                    await ask()
            with pytest.raises(ConfigError, match='none is named "ben"'):
                async with endpoint.stream("hello"):
                    raise AssertionError("never entered")
            with pytest.raises(ConfigError, match='none is named "ben"'):
                async with endpoint.batch(["hello"]):
                    raise AssertionError("never entered")
            with pytest.raises(ConfigError, match='none is named "ben"'):
                endpoint.status_of()
            with pytest.raises(ConfigError, match='no provider named "ben"'):
                await llm.generate("hello", prefer="ben")
            await llm.reload(both)
            assert (await endpoint.generate("hello")).text == "ben"

    run(scenario)


def test_the_runtime_follows_the_new_default() -> None:
    """Its own methods ask whoever the new configuration names."""

    async def scenario(world: World) -> None:
        first = Config(default=Fallback((scripted("a"),), name="f"), max_attempts=7)
        second = Config(default=scripted("b"), max_attempts=3)
        async with world.open(first) as llm:
            assert (llm.name, llm.generation, llm.config) == ("f", 1, first)
            assert (await llm.generate("hello")).text == "a"
            report = await llm.reload(second)
            assert report == ReloadReport(2, ("b",), ("a", "f"), (), ())
            assert (llm.name, llm.generation, llm.config) == ("b", 2, second)
            assert (await llm.generate("hello")).text == "b"
            assert (await llm.check()).name == "b"
            assert llm.statistics().calls == llm.statistics().nodes["b"]

    run(scenario)


def test_a_file_is_read_again(tmp_path: Path) -> None:
    """The same path gives what the file says now; while it is faulty nothing changes."""
    path = tmp_path / "llm.toml"
    path.write_text('[providers.a]\nkind = "simulated"\n', encoding="utf-8")

    async def scenario(world: World) -> None:
        async with world.open(path) as llm:
            path.write_text("[providers.b]\nkind = 'simulated'\nmailbox = 0\n", encoding="utf-8")
            with pytest.raises(ConfigError, match="mailbox"):
                await llm.reload(path)
            assert [status.name for status in llm.status()] == ["a"]
            path.write_text("[providers.b]\nkind = 'simulated'\n", encoding="utf-8")
            assert (await llm.reload(str(path))).added == ("b",)
            assert (await llm.reload({"providers": {"c": {"kind": "simulated"}}})).added == ("c",)

    run(scenario)


def test_a_batch_goes_on_with_the_new_plan() -> None:
    """What a batch has asked is answered by the old plan, what it reads then by the new one."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Fallback((scripted("old"),), name="f"))) as llm:
            texts: dict[int, str] = {}
            async with llm.batch(["hello"] * 6, limit=2) as results:
                async for index, outcome in results:
                    assert isinstance(outcome, Reply)
                    texts[index] = outcome.text
                    if len(texts) == 1:
                        await llm.reload(Config(default=Race((scripted("new"),), name="r")))
            old = sum(text == "old" for text in texts.values())
            assert 2 <= old <= 4  # two were answered, and two more perhaps read meanwhile
            assert [texts[index] for index in range(6)] == ["old"] * old + ["new"] * (6 - old)

    run(scenario)


def test_an_operation_of_several_requests_stays_on_its_plan() -> None:
    """Texts of one `embed` go to one plan, though a reload takes its provider out meanwhile."""

    async def scenario(world: World) -> None:
        embedding = ScriptedProvider(Embeds(after=1.0), {EmbedRequest})
        old = Provider("custom", "old", cls=embedding, embedding_model="m")
        async with world.open(Config(default=Fallback((old,), name="f"))) as llm:
            seen: list[str] = []
            llm.subscribe(lambda event: seen.append(f"{event.kind} {event.actor}"))

            async def embed() -> None:
                found = await llm.embed([f"text {index}" for index in range(128 * 12)])
                assert (len(found.vectors), found.provider) == (128 * 12, "old")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(embed)
                await trio.sleep(0.5)
                await llm.reload(Config(default=scripted("new")))
            assert trio.current_time() == 3.0
            await trio.sleep(1.0)
            assert embedding.started == 12
            assert seen.index("ConfigReloaded ") < seen.index("ActorDrained old")
            assert seen[-1] == "ActorDrained old"

    run(scenario)


def test_models_are_told_of_the_plan_that_was_asked() -> None:
    """A list under way while its providers leave the plan is given all the same."""

    async def scenario(world: World) -> None:
        old = [
            Provider("custom", name, cls=ScriptedProvider(Lists(after=1.0), {ListModels}))
            for name in ("a", "b")
        ]
        async with world.open(Config(default=Fallback(old, name="f"))) as llm:
            found: list[int] = []

            async def listing() -> None:
                found.append(len((await llm.models()).errors))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(listing)
                await trio.sleep(0.5)
                await llm.reload(Config(default=scripted("new")))
            assert found == [0]

    run(scenario)


def test_lengths_of_vectors_are_those_of_the_plan() -> None:
    """What a changed balancer gave first does not bind what it gives now."""

    def embedding(dimensions: int) -> Config:
        script = ScriptedProvider(Embeds(dimensions), {EmbedRequest})
        member = Provider("custom", "a", cls=script, embedding_model="m")
        return Config(default=Fallback((member,), name="f"))

    async def scenario(world: World) -> None:
        async with world.open(embedding(4)) as llm:
            assert (await llm.embed("hello")).dimensions == 4
            await llm.reload(embedding(8))
            assert (await llm.embed("hello")).dimensions == 8

    run(scenario)


def test_the_retry_budget_goes_by_the_new_figures_and_keeps_its_balance() -> None:
    """A reload neither fills the budget nor forgets what it said."""
    script = ScriptedProvider(Fails())

    def failing(per_second: float) -> Config:
        retry = Retry(attempts=10, base_delay=0.0, max_delay=0.0)
        sturdy = CooldownSettings(after_failures=1000)
        return Config(
            default=Provider("custom", "a", cls=script, retry=retry, cooldown=sturdy),
            retry_budget=RetryBudgetSettings(share=0.0, per_second=per_second),
        )

    async def scenario(world: World) -> None:
        async with world.open(failing(0.3)) as llm:

            async def attempts() -> int:
                with pytest.raises(ServerError) as caught:
                    await llm.generate("hello")
                return len(caught.value.attempts)

            assert (await llm.reload(failing(0.1))).kept == ("a",)
            assert await attempts() == 1 + 1  # of the three that it had it may keep one
            await llm.reload(failing(10.0))
            assert await attempts() == 1
            await trio.sleep(0.5)
            assert await attempts() == 1 + 5

    run(scenario)


def test_the_clean_up_goes_by_the_new_limits() -> None:
    """`close_deadline` and `max_attempts` hold for the calls that begin after the change."""

    async def scenario(world: World) -> None:
        retry = Retry(attempts=10, base_delay=0.0)
        failing = Provider("custom", "a", cls=ScriptedProvider(Fails()), retry=retry)
        async with world.open(Config(default=failing)) as llm:
            report = await llm.reload(Config(default=failing, max_attempts=2))
            assert report.kept == ("a",)
            with pytest.raises(ServerError) as caught:
                await llm.generate("hello")
            assert len(caught.value.attempts) == 2
            report = await llm.reload(Config(default=failing, max_attempts=2, close_deadline=3.0))
            assert report.changed == ("a",)

    run(scenario)


def test_counts_of_those_who_have_left_are_never_lost() -> None:
    """However many names come and go, the sums are those of all calls, and are bounded."""

    async def scenario(world: World) -> None:
        rounds = MOST_NAMES + 100
        async with world.open(Config(default=scripted("first"))) as llm:
            for number in range(rounds):
                await llm.generate("hello")
                await llm.reload(Config(default=scripted(f"p{number}")))
                await trio.testing.wait_all_tasks_blocked()
            found = llm.statistics()
            assert len(found.retired) <= MOST_NAMES + 64 + 1
            assert found.retired[THE_REST].requests > 0
            assert sum(node.requests for node in found.retired.values()) == rounds
            assert sum(node.succeeded for node in found.retired.values()) == rounds
            assert found.retired[THE_REST].average_latency == pytest.approx(1.0)

    run(scenario)


def test_a_call_that_outlasts_several_changes_is_counted() -> None:
    """What a call counts at its end goes to whoever has the counts by then, or had them last."""

    async def scenario(world: World) -> None:
        slow = Provider("custom", "a", cls=ScriptedProvider(Answers(after=10.0)))
        async with world.open(Config(default=Fallback((slow,), name="f"))) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.generate, "hello")
                await trio.sleep(1.0)
                for mailbox in (5, 6, 7):
                    await llm.reload(Config(default=Fallback((slow,), name="f", mailbox=mailbox)))
                    await trio.sleep(1.0)
                await llm.reload(Config(default=scripted("b")))
                await trio.sleep(1.0)
                assert llm.statistics().retired["f"].requests == 0
            assert llm.statistics().retired["f"].requests == 1
            await trio.sleep(1.0)
            assert llm.statistics().retired["f"].succeeded == 1
            assert llm.statistics().retired["a"].succeeded == 1

    run(scenario)


def test_counts_add_up() -> None:
    """The average of two nodes is that of all their successes."""
    one = NodeStatistics(requests=3, succeeded=2, average_latency=1.0, input_tokens=5)
    other = NodeStatistics(requests=2, succeeded=1, failed=1, average_latency=4.0)
    both = together(one, other)
    assert (both.requests, both.succeeded, both.failed, both.input_tokens) == (5, 3, 1, 5)
    assert both.average_latency == 2.0
    assert together(NodeStatistics(), NodeStatistics()) == NodeStatistics()


def test_degradation_is_reloaded_too() -> None:
    """What callers get when nobody can answer is part of the plan."""

    async def scenario(world: World) -> None:
        failing = Provider("custom", "a", cls=ScriptedProvider(Fails()))
        async with world.open(Config(default=failing)) as llm:
            degradation = Degradation(reply="Later, please.")
            report = await llm.reload(Config(default=failing, degradation=degradation))
            assert report.kept == ("a",)
            assert (await llm.generate("hello")).text == "Later, please."

    run(scenario)
