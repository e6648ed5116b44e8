"""Metrics as Prometheus reads them, by its own parser."""

import re
from decimal import Decimal

import pytest
import trio
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from tests.guarantees.scenes import Cast
from trio_llm import (
    Config,
    ConfigError,
    CooldownSettings,
    Fallback,
    LLMError,
    TelemetrySettings,
    events,
    open_runtime,
)
from trio_llm.chat import Cost, Usage
from trio_llm.telemetry import Metrics, prometheus_collector, prometheus_text
from trio_llm.testing import Answers, Fails, World, run

COUNTING = TelemetrySettings(metrics=True)


def _families(text: str) -> dict[str, Family]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def _samples(family: Family, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for sample in family.samples
        if sample.name == name
    }


def _scraped() -> str:
    """Give the page of a runtime whose first member failed and rests."""

    async def scene(world: World) -> str:
        cast = Cast()
        rest = CooldownSettings(initial=30.0, after_failures=1)
        member = Fallback(
            [
                cast.provider("broken", Fails(after=0.5), cooldown=rest),
                cast.provider("spare", Answers(after=1.0)),
            ],
            name="reliable",
        )
        async with world.open(Config(default=member, telemetry=COUNTING)) as llm:
            await llm.generate("hi")
            async with llm.stream("hi") as stream:
                async for _ in stream:
                    pass
                return prometheus_text(llm)

    return run(scene).value


def test_the_page_is_what_prometheus_reads() -> None:
    """Every family is parsed, described and prefixed, with the unit and `_total` behind."""
    text = _scraped()
    assert text.endswith("\n")
    families = _families(text)
    assert len(families) > 35
    for name, family in families.items():
        assert name.startswith("trio_llm_")
        assert family.documentation
        assert family.type in {"counter", "gauge", "histogram"}
    assert families["trio_llm_cost_dollars"].type == "counter"
    assert families["trio_llm_input_tokens"].type == "counter"
    assert families["trio_llm_request_duration_seconds"].type == "histogram"
    assert families["trio_llm_cache_stored_bytes"].type == "counter"
    assert not re.search(r"^trio_llm_\w*_total_total", text, flags=re.MULTILINE)


def test_counters_and_histograms_have_the_figures_of_the_runtime() -> None:
    """Counts by label; buckets that add up, to the sum and the count."""
    families = _families(_scraped())
    attempts = _samples(families["trio_llm_attempts"], "trio_llm_attempts_total")
    by_provider = {dict(labels)["provider"]: value for labels, value in attempts.items()}
    assert by_provider == {"broken": 1, "spare": 2}
    (failed,) = [labels for labels in attempts if dict(labels)["outcome"] == "failed"]
    assert dict(failed)["error"] == "ServerError"
    name = "trio_llm_request_duration_seconds"
    buckets = _samples(families[name], f"{name}_bucket")
    counts = [buckets[labels] for labels in buckets if ("outcome", "succeeded") in labels]
    assert counts == sorted(counts)
    assert len(counts) == 15
    assert counts[-1] == 2
    assert list(_samples(families[name], f"{name}_count").values()) == [2]
    # The first call fell back after half a second, the second one asked the spare at once.
    assert list(_samples(families[name], f"{name}_sum").values()) == [pytest.approx(2.5)]
    bounds = {dict(labels)["le"] for labels in buckets}
    assert {"0.01", "81.92", "+Inf"} <= bounds


def test_the_state_of_every_node_is_there() -> None:
    """Places, line, rest and breaker, as `status()` has them."""
    families = _families(_scraped())
    rest = _samples(families["trio_llm_node_cooldown_seconds"], "trio_llm_node_cooldown_seconds")
    assert {dict(labels)["node"]: value > 0 for labels, value in rest.items()} == {
        "broken": True,
        "spare": False,
        "reliable": False,
    }
    breakers = _samples(families["trio_llm_breaker_state"], "trio_llm_breaker_state")
    on = {
        dict(labels)["provider"]: dict(labels)["state"] for labels in breakers if breakers[labels]
    }
    assert set(on) == {"broken", "spare"}
    assert on["spare"] == "closed"
    assert len(breakers) == 12
    for gauge in ("in_flight", "queued", "occupied"):
        values = _samples(families[f"trio_llm_node_{gauge}"], f"trio_llm_node_{gauge}")
        assert {dict(labels)["node"] for labels in values} == {"broken", "spare", "reliable"}


def test_what_runs_shows() -> None:
    """A call under way is in flight, and its place occupied."""

    async def scene(world: World) -> str:
        cast = Cast()
        member = cast.provider("house", Answers(pieces=2, gap=1.0), max_concurrency=1)
        config = Config(default=member, telemetry=COUNTING)
        async with world.open(config) as llm, llm.stream("hi"):
            return prometheus_text(llm)

    families = _families(run(scene).value)
    for name in ("requests_in_flight", "node_in_flight", "node_occupied"):
        family = families[f"trio_llm_{name}"]
        assert [sample.value for sample in family.samples] == [1.0], name


def test_labels_are_escaped() -> None:
    """A name with quotes, backslashes and line ends comes back as it was."""
    metrics, model = Metrics(), 'a "model"\\of\nmine'
    metrics(
        events.AttemptSucceeded(
            1.0, 1, ("house",), 1, 0.1, model, usage=Usage(1, 1), cost=Cost(Decimal("0.000001"))
        )
    )
    families = _families(prometheus_text(metrics))
    costs = _samples(families["trio_llm_cost_dollars"], "trio_llm_cost_dollars_total")
    assert {dict(labels)["model"]: value for labels, value in costs.items()} == {model: 1e-06}
    assert "trio_llm_node_in_flight" not in families


def test_a_collector_stands_in_an_application_s_own_registry() -> None:
    """It is registered once, and gives the figures of each scrape."""
    registry, metrics = CollectorRegistry(), Metrics()
    registry.register(prometheus_collector(metrics))
    name, labels = "trio_llm_fallbacks_total", {"balancer": "fast", "failed": "house"}
    assert registry.get_sample_value(name, labels) is None
    for count in (1, 2):
        metrics(events.FellBack(1.0, 1, ("fast",), "house", "no"))
        assert registry.get_sample_value(name, labels) == count


def test_a_page_can_be_written_in_a_thread() -> None:
    """What was measured up to now can leave the thread of the runtime."""

    async def main() -> tuple[str, str]:
        config = Config(default=Cast().provider("house", Answers()), telemetry=COUNTING)
        async with open_runtime(config) as llm:
            await llm.generate("hi")
            elsewhere = await trio.to_thread.run_sync(prometheus_text, llm.metrics())
            return elsewhere, prometheus_text(llm)

    elsewhere, here = trio.run(main)
    assert "trio_llm_requests_total{" in elsewhere
    assert here.startswith(elsewhere)


def test_a_runtime_that_counts_nothing_says_so() -> None:
    """Without `telemetry.metrics` there is an error that names the setting, and no empty page."""

    async def scene(world: World) -> None:
        async with world.open(Config(default=Cast().provider("house", Answers()))) as llm:
            with pytest.raises(ConfigError, match=r"telemetry\.metrics: off"):
                prometheus_text(llm)
            with pytest.raises(ConfigError, match=r"telemetry\.metrics: off"):
                llm.metrics()

    run(scene)


def test_errors_of_callers_are_counted() -> None:
    """A call that failed shows with the class of its error."""

    async def scene(world: World) -> str:
        member = Cast().provider("house", Fails())
        async with world.open(Config(default=member, telemetry=COUNTING)) as llm:
            with pytest.raises(LLMError):
                await llm.generate("hi")
            return prometheus_text(llm)

    families = _families(run(scene).value)
    requests = _samples(families["trio_llm_requests"], "trio_llm_requests_total")
    ((labels, value),) = requests.items()
    assert value == 1
    assert dict(labels)["error"] == "ServerError"
