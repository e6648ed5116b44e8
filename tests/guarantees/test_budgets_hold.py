"""A budget is kept by callers at the same time, and what it sets aside never stays.

What an attempt may cost is set aside in the step that begins it, and what it did cost takes
its place in the step that ends it. So n callers that ask at once never spend more than the
limit, but for the errors of the estimates of those under way.
"""

import contextlib
import random
from collections.abc import Callable
from decimal import Decimal

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle, field, kinds
from trio_llm import (
    Budget,
    BudgetExceededError,
    Config,
    ConfigError,
    EmbedRequest,
    Fallback,
    Hedge,
    LLMError,
    LoadBalance,
    Message,
    PriceSettings,
    Provider,
    Race,
    Request,
    Retry,
    Runtime,
    StoreSettings,
    Usage,
    load_config,
)
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.providers.pricing import input_tokens
from trio_llm.testing import (
    Answers,
    Embeds,
    Fails,
    ScriptedProvider,
    Step,
    World,
    explore,
    run,
    seeds,
)

OUTPUT = 100
QUESTION = Request(messages=(Message("user", "How long is the coast?"),), max_tokens=OUTPUT)
READ = round(input_tokens(QUESTION))
PRICE = PriceSettings(input=10.0, output=20.0)
EXPECTED = Decimal(READ * 10 + OUTPUT * 20) / 1_000_000
"""What each attempt is expected to cost."""


def _answers(seed: int, most: float) -> Callable[[Work], Step]:
    def step(work: Work) -> Step:
        rng_of = random.Random(f"{seed}/{work.call}/{work.path}/{work.number}")
        if rng_of.random() < 0.2:
            return Fails(after=0.25)
        factor = rng_of.uniform(0.2, most) if most > 1 else 1
        usage = Usage(READ, round(OUTPUT * factor))
        return Answers("far", after=rng_of.choice((0.0, 0.25, 1.0)), usage=usage)

    return step


def _tree(rng: random.Random, cast: Cast, world_seed: int, most: float) -> Member:
    members = [
        cast.provider(
            name,
            _answers(world_seed, most),
            price=PRICE,
            max_concurrency=rng.randint(1, 8),
            mailbox=64,
            retry=Retry(attempts=rng.randrange(3), base_delay=0.1),
        )
        for name in ("a", "b", "c")[: rng.randint(1, 3)]
    ]
    if len(members) == 1:
        return members[0]
    kind = rng.randrange(4)
    if kind == 0:
        return Race(tuple(members))
    if kind == 1:
        return Fallback(tuple(members))
    if kind == 2:
        return Hedge(tuple(members), delay=0.2, max_extra_calls=1.0)
    return LoadBalance(tuple(members))


async def _spend(world: World, most: float) -> None:
    rng, cast = world.rng, Cast()
    per = rng.choice(("runtime", "user", "provider", "model"))
    room = rng.randint(1, 6)
    limit = EXPECTED * room + EXPECTED / 3
    budget = Budget(
        limit=float(limit), per=per, on_limit=rng.choice(("refuse", "fall_on")), period="total"
    )
    # An attempt costs at most this much more than was set aside for it.
    excess = (
        Decimal(OUTPUT * 20) / 1_000_000 * Decimal(max(0.0, most - 0.2)).quantize(Decimal("0.1"))
    )
    async with world.open(
        Config(default=_tree(rng, cast, world.seed, most), budgets={"b": budget})
    ) as llm:
        under_way = sum(status.max_concurrency or 0 for status in llm.status())

        breaches: list[str] = []

        def look(_event: object = None) -> None:  # observers are isolated, so it raises nothing
            for status in llm.budgets():
                most_spent = limit + excess * under_way
                together = status.spent + status.reserved
                if status.spent > most_spent or (most == 1 and together > limit):
                    breaches.append(repr(status))

        async def caller() -> None:
            await trio.sleep(rng.choice((0.0, 0.0, 0.25, 1.0)))
            with trio.move_on_after(rng.choice((0.3, 5.0, float("inf")))):
                with contextlib.suppress(LLMError):
                    await llm.generate(QUESTION, user=rng.choice(("ada", "bob")))
            look()

        llm.subscribe(look)
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(caller)
        assert breaches == []
        assert_idle(cast, llm)
        for status in llm.budgets():
            assert status.reserved == 0


def test_callers_at_once_never_exceed_a_limit() -> None:
    """Where estimates are right, what is spent and set aside is within it at every instant."""
    explore(lambda world: _spend(world, 1), seeds=seeds(1000, share=30))


def test_a_limit_is_exceeded_by_the_errors_of_estimates_alone() -> None:
    """Where they are wrong, by no more than what attempts under way cost beyond them."""
    explore(lambda world: _spend(world, 3.0), seeds=seeds(1000, share=30))


def _members(cast: Cast) -> tuple[Provider, Provider]:
    dear = cast.provider("dear", Answers(usage=Usage(READ, OUTPUT), after=1.0), price=PRICE)
    free = cast.provider("free", Answers("for nothing"), price=PriceSettings())
    return dear, free


def _budgeted(cast: Cast, on_limit: str, **budget: object) -> Config:
    dear, free = _members(cast)
    rule = Budget(limit=float(EXPECTED * 2), on_limit=on_limit, **budget)  # type: ignore[arg-type]
    return Config(default=Fallback((dear, free), name="either"), budgets={"b": rule})


@pytest.mark.parametrize("per", ["runtime", "provider"])
def test_a_budget_that_refuses_ends_the_call(per: str) -> None:
    """The caller gets the budget's error itself, and no other member is asked."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(_budgeted(cast, "refuse", per=per)) as llm:
            for _ in range(2):
                await llm.generate(QUESTION)
            with pytest.raises(
                BudgetExceededError, match=r"^budget 'b'.* a month are spent"
            ) as info:
                await llm.generate(QUESTION)
            error = info.value
            assert (error.budget, error.limit, error.spent) == ("b", EXPECTED * 2, EXPECTED * 2)
            assert error.retry_after is not None
            assert error.retry_after > 0
            assert (error.attempts, cast.started) == ((), 2)
            assert llm.statistics().nodes["free"].attempts == 0

    run(scenario)


def test_a_budget_that_falls_on_leads_to_members_that_cost_less() -> None:
    """A balancer goes on to the next member; without one the error is the same."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(_budgeted(cast, "fall_on")) as llm:
            providers = [(await llm.generate(QUESTION)).provider for _ in range(4)]
            assert providers == ["dear", "dear", "free", "free"]
            with pytest.raises(BudgetExceededError):
                await llm.provider("dear").generate(QUESTION)

    run(scenario)


@pytest.mark.parametrize("kind", [Fallback, Race, LoadBalance, Hedge])
def test_a_budget_refuses_below_a_nested_balancer(kind: type[Fallback]) -> None:
    """As it does when the member stands there by itself: the call ends with its error."""

    async def scenario(world: World) -> None:
        cast = Cast()
        dear, free = _members(cast)
        nested = Fallback((kind((dear,), name="inner"), free), name="outer")
        rule = Budget(limit=float(EXPECTED * 2), on_limit="refuse")
        async with world.open(Config(default=nested, budgets={"b": rule})) as llm:
            for _ in range(2):
                await llm.generate(QUESTION)
            with pytest.raises(BudgetExceededError):
                await llm.generate(QUESTION)
            with pytest.raises(BudgetExceededError):
                await llm.provider("inner").generate(QUESTION)
            assert llm.statistics().nodes["free"].attempts == 0
        falling = attrs.evolve(rule, on_limit="fall_on")
        async with world.open(Config(default=nested, budgets={"b": falling})) as llm:
            providers = [(await llm.generate(QUESTION)).provider for _ in range(3)]
            assert providers == ["dear", "dear", "free"]

    run(scenario)


def test_a_reload_without_budgets_keeps_nothing_set_aside() -> None:
    """What was set aside before is given back when the attempt ends, budgets or not."""

    async def scenario(world: World) -> None:
        cast = Cast()
        config = _budgeted(cast, "refuse")
        async with world.open(config) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.generate, QUESTION)
                await trio.sleep(0.5)
                await llm.reload(Config(default=config.default))
            await llm.reload(config)
            (status,) = llm.budgets()
            assert (status.spent, status.reserved) == (EXPECTED, Decimal(0))

    run(scenario)


def test_alerts_of_a_budget_that_comes_late_are_sent() -> None:
    """A reload brings a budget that is nearly used up: the next attempt says so."""

    async def scenario(world: World) -> None:
        cast = Cast()
        config = _budgeted(cast, "warn")
        async with world.open(Config(default=config.default)) as llm:
            for _ in range(2):
                await llm.generate(QUESTION)
            await llm.reload(config)
            await llm.generate(QUESTION)
        alerts = kinds(world.log, "BudgetAlert")
        assert [field(alert, "threshold") for alert in alerts] == [0.8, 1.0]

    run(scenario)


def test_what_a_provider_charges_of_late_is_set_aside() -> None:
    """Where no price is known: after the first charge, callers at once are held to the limit."""

    async def scenario(world: World) -> None:
        cast = Cast()
        steps = Answers(after=1.0, charged=Decimal(1))
        unknown = cast.provider("unknown", steps, max_concurrency=30)
        async with world.open(Config(default=unknown, budgets={"b": Budget(limit=5.0)})) as llm:
            await llm.generate(QUESTION)
            refused = 0

            async def ask() -> None:
                nonlocal refused
                try:
                    await llm.generate(QUESTION)
                except BudgetExceededError:
                    refused += 1

            async with trio.open_nursery() as nursery:
                for _ in range(30):
                    nursery.start_soon(ask)
            assert (refused, llm.budgets()[0].spent) == (26, Decimal(5))

    run(scenario)


def test_what_costs_next_to_nothing_is_kept_back_too() -> None:
    """Only what is free passes an exhausted budget: one token of input is not."""

    async def scenario(world: World) -> None:
        tiny = ScriptedProvider(Embeds(), {EmbedRequest})
        member = Provider("custom", "tiny", cls=tiny, embedding_model="m", price=PRICE)
        budget = Budget(limit=1e-5, period="total")
        async with world.open(Config(default=member, budgets={"b": budget})) as llm:
            await llm.embed("x")
            with pytest.raises(BudgetExceededError):
                await llm.embed("y")

    run(scenario)


def test_a_budget_of_nobody_is_a_fault() -> None:
    """The name of a provider that there is not would limit nothing."""
    config = Config(
        {"openai": Provider("simulated")},
        budgets={"b": Budget(limit=1.0, per="provider", only=("opneai",))},
    )
    with pytest.raises(ConfigError, match=r'budgets\.b\.only\[0\]: no provider named "opneai"'):
        load_config(config)


def test_a_failed_reload_leaves_the_budgets_as_they_are() -> None:
    """What is closed after it is kept in mind no more, and the old limit holds."""

    async def scenario(world: World) -> None:
        cast = Cast()
        config = _budgeted(cast, "refuse")
        async with world.open(config) as llm:
            with pytest.raises(ConfigError, match="store: it cannot change"):
                await llm.reload(attrs.evolve(config, store=StoreSettings(path="elsewhere.db")))
            other = attrs.evolve(config, budgets={"w": Budget(limit=1.0, period="week")})
            with trio.CancelScope() as scope:
                scope.cancel()
                await llm.reload(other)
            accounts = llm._generations.around.accounts  # pyright: ignore[reportPrivateUsage]
            assert accounts._meanwhile is None  # pyright: ignore[reportPrivateUsage]
            for _ in range(2):
                await llm.generate(QUESTION)
            with pytest.raises(BudgetExceededError):
                await llm.generate(QUESTION)

    run(scenario)


def test_a_budget_that_warns_lets_the_call_through() -> None:
    """The attempt is made, and an event says that there was no room for it."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(_budgeted(cast, "warn")) as llm:
            for _ in range(3):
                assert (await llm.generate(QUESTION)).provider == "dear"
            (status,) = llm.budgets()
            assert (status.spent, status.remaining) == (EXPECTED * 3, Decimal(0))
        (warning,) = kinds(world.log, "BudgetExceeded")
        assert (field(warning, "how"), field(warning, "budget")) == ("warn", "b")
        alerts = kinds(world.log, "BudgetAlert")
        assert [field(alert, "threshold") for alert in alerts] == [0.8, 1.0]

    run(scenario)


def test_a_new_period_begins_at_nothing() -> None:
    """A daily budget has room again from midnight in its time zone on."""

    async def scenario(world: World) -> None:
        cast = Cast()
        config = _budgeted(cast, "refuse", period="day")
        async with world.open(config) as llm:
            for _ in range(2):
                await llm.generate(QUESTION)
            with pytest.raises(BudgetExceededError) as info:
                await llm.generate(QUESTION)
            await trio.sleep(info.value.retry_after or 0.0)
            assert (await llm.generate(QUESTION)).provider == "dear"

    run(scenario)


def test_what_is_set_aside_goes_with_a_caller_who_is_cancelled() -> None:
    """A cancelled attempt is booked with what it cost at least, and holds nothing back."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(_budgeted(cast, "refuse")) as llm:
            with trio.move_on_after(0.5):
                await llm.generate(QUESTION)
            (status,) = llm.budgets()
            assert status.reserved == 0
            assert Decimal(0) < status.spent < EXPECTED
            assert status.certainty.word == "at least"

    run(scenario)


def test_whom_a_budget_turns_away_is_recorded() -> None:
    """One event for each time that a member was passed over, or a call ended, for it."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(_budgeted(cast, "fall_on")) as llm:
            for _ in range(4):
                await llm.generate(QUESTION)
            with pytest.raises(BudgetExceededError):
                await llm.provider("dear").generate(QUESTION)
        events = kinds(world.log, "BudgetExceeded")
        assert [(field(each, "how"), field(each, "expected")) for each in events] == [
            ("fall_on", EXPECTED)
        ] * 3

    run(scenario)


def test_a_budget_that_comes_while_attempts_are_under_way_has_them() -> None:
    """Whether they began before there was any budget, or end while a reload is under way."""

    async def scenario(world: World) -> None:
        cast = Cast()
        config = _budgeted(cast, "warn")
        async with world.open(Config(default=config.default)) as llm:
            async with trio.open_nursery() as nursery:
                for delay in (0.0, 0.5):
                    await trio.sleep(delay)
                    nursery.start_soon(llm.generate, QUESTION)
                await trio.sleep(0.2)
                await llm.reload(config)
            (status,) = llm.budgets()
            assert status.spent == EXPECTED * 2 == (await llm.ledger.total()).cost.amount
            narrower = attrs.evolve(config.budgets["b"], per="provider", only=("dear",))
            await llm.reload(attrs.evolve(config, budgets={"b": narrower}))
            (status,) = llm.budgets()
            assert (status.account, status.spent) == ("dear", EXPECTED * 2)

    run(scenario)


def test_a_probe_counts_in_the_budget_and_is_never_kept_back() -> None:
    """It is booked like any attempt, also when nothing is left."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(_budgeted(cast, "refuse")) as llm:
            for _ in range(3):
                await llm.check("dear")
            (status,) = llm.budgets()
            assert status.spent == EXPECTED * 3 == llm.statistics().cost.amount

    run(scenario)


def test_a_reload_changes_a_limit_and_keeps_what_was_spent() -> None:
    """The same budget with another limit goes on; a new one begins with what is booked."""

    async def spend(llm: Runtime) -> str:
        return (await llm.generate(QUESTION)).provider

    async def scenario(world: World) -> None:
        cast = Cast()
        config = _budgeted(cast, "fall_on")
        async with world.open(config) as llm:
            assert [await spend(llm) for _ in range(3)] == ["dear", "dear", "free"]
            more = Budget(limit=float(EXPECTED * 3), on_limit="fall_on")
            await llm.reload(Config(default=config.default, budgets={"b": more}))
            assert [await spend(llm) for _ in range(2)] == ["dear", "free"]
            other = Budget(limit=float(EXPECTED * 4), on_limit="fall_on", period="week")
            await llm.reload(Config(default=config.default, budgets={"w": other}))
            assert [await spend(llm) for _ in range(2)] == ["dear", "free"]

    run(scenario)
