"""What probes cost is in the metrics, as it is in the ledger."""

from decimal import Decimal
from typing import Final

import trio

from tests.guarantees.scenes import Cast, field, kinds
from tests.telemetry.telemetry_scenes import Figures
from trio_llm import (
    Certainty,
    Config,
    Cost,
    HealthCheck,
    PriceSettings,
    Provider,
    ServerError,
    TelemetrySettings,
    Usage,
    events,
)
from trio_llm.telemetry import Metrics, OtelMetrics
from trio_llm.testing import Answers, Crashes, Fails, Stalls, World, run
from trio_llm.testing.script import Script

PRICE: Final = PriceSettings(input=10.0, output=20.0)
HOUSE: Final = ("house",)


def _house(script: Script, **settings: object) -> Provider:
    return Cast().provider("house", script, model="large", **settings)


def test_metrics_and_ledger_agree_with_probes_among_the_calls() -> None:
    """Those that succeed, fail, crash and take too long; by themselves, and asked for."""

    async def scenario(world: World) -> None:
        check = HealthCheck(interval=10.0, jitter=0.0, timeout=2.0)
        good, figures = Answers(usage=Usage(10, 100)), Figures()
        steps = (good, good, Stalls(), good, Fails(ServerError), Crashes(after=1.0), good)
        provider = _house(steps, price=PRICE, health_check=check)
        config = Config(default=provider, telemetry=TelemetrySettings(metrics=True))
        async with world.open(config) as llm:
            llm.subscribe(OtelMetrics(figures.provider))
            await llm.generate("hi")
            await llm.check()
            for _ in range(20):
                await trio.sleep(100.0)
                await llm.check()
            total = (await llm.ledger.total()).cost
            metrics = llm.metrics()
            assert metrics.probes.total(result="unhealthy") >= 3
            assert total == llm.statistics().cost == llm.statistics().nodes["house"].cost
            assert metrics.cost.total() == total.amount
            assert metrics.cost.total(provider="house", model="large") == total.amount
            assert metrics.attempts.total() == 1
            points = figures.points("trio_llm.cost").values()
            assert round(Decimal(sum(point.value for point in points)), 12) == total.amount
        ended = kinds(world.log, "ProbeFinished")
        assert {(field(each, "model"), field(each, "provider_kind")) for each in ended} == {
            ("large", "custom")
        }

    run(scenario)


def test_a_probe_without_a_price_is_unpriced() -> None:
    """As it makes the sum of the statistics *at least*."""

    async def scenario(world: World) -> None:
        config = Config(default=_house(Answers()), telemetry=TelemetrySettings(metrics=True))
        async with world.open(config) as llm:
            await llm.check()
            assert llm.metrics().unpriced.values == {("house", "large"): 1}
            assert llm.metrics().cost.total() == 0

    run(scenario)


def test_each_probe_adds_what_it_cost_and_no_attempt() -> None:
    """By its certainty; one that costs nothing for sure leaves no trace but its count."""
    cost = Cost(Decimal("0.25"), Certainty.AT_LEAST)
    metrics, figures = Metrics(), Figures()
    for observer in (metrics, OtelMetrics(figures.provider)):
        observer(events.ProbeFinished(1.0, None, HOUSE, 1, True, 0.5, None, "m", "openai", cost))
        observer(events.ProbeFinished(1.0, None, HOUSE, 2, True, 0.5))
    snapshot = metrics.snapshot()
    assert snapshot.cost.values == {("house", "m", "at_least"): Decimal("0.25")}
    assert snapshot.probes.total() == 2
    assert (snapshot.attempts.total(), snapshot.unpriced.total()) == (0, 0)
    ((labels, point),) = figures.points("trio_llm.cost").items()
    assert point.value == 0.25
    assert dict(labels) == {
        "gen_ai.operation.name": "probe",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "trio_llm.provider": "house",
        "trio_llm.cost.certainty": "at_least",
    }
