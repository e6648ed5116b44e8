"""Metrics through OpenTelemetry: names, units, bounds and attributes of the conventions."""

from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider

from tests.guarantees.scenes import Cast
from tests.telemetry.telemetry_scenes import Figures
from trio_llm import Config, EmbedRequest, Fallback, Hedge, Provider, Race, Retry, events
from trio_llm.chat import Certainty, Cost, Usage
from trio_llm.config.schema import Member
from trio_llm.telemetry import OtelMetrics
from trio_llm.testing import Answers, Embeds, Fails, ScriptedProvider, World, run

HOUSE = ("fast", "house")


def _counted(*given: events.Event) -> Figures:
    figures = Figures()
    metrics = OtelMetrics(figures.provider)
    for event in given:
        metrics(event)
    return figures


def _measured(member: Member, streaming: bool = False) -> Figures:
    figures = Figures()

    async def scene(world: World) -> None:
        async with world.open(Config(default=member)) as llm:
            llm.subscribe(OtelMetrics(figures.provider))
            if not streaming:
                await llm.generate("hi")
                return
            async with llm.stream("hi") as stream:
                async for _ in stream:
                    pass

    run(scene)
    return figures


def _only(points: dict[Any, Any]) -> tuple[dict[str, Any], Any]:
    """Give the attributes and the point where there is one."""
    ((labels, point),) = points.items()
    return dict(labels), point


def test_an_attempt_is_an_inference() -> None:
    """Its duration has the attributes and the bounds that the conventions ask for."""
    house = Cast().provider("house", Answers(after=0.5), model="large")
    figures = _measured(Fallback([house], name="safe"))
    labels, point = _only(figures.points("gen_ai.client.inference.duration"))
    assert labels == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "custom",
        "gen_ai.request.model": "large",
        "gen_ai.response.model": "large",
        "trio_llm.provider": "house",
        "trio_llm.outcome": "succeeded",
    }
    assert (point.count, point.sum) == (1, pytest.approx(0.5))
    assert tuple(point.explicit_bounds[:2]) == (0.01, 0.02)
    assert point.explicit_bounds[-1] == 81.92
    assert figures.points("gen_ai.client.operation.duration") == {}
    assert figures.points("gen_ai.client.inference.time_to_first_chunk") == {}
    labels, point = _only(figures.points("trio_llm.call.duration"))
    assert labels == {
        "trio_llm.endpoint": "safe",
        "gen_ai.operation.name": "chat",
        "trio_llm.outcome": "succeeded",
    }


def test_units_are_those_of_the_conventions() -> None:
    """Seconds are `s`, tokens `{token}`."""
    figures = _measured(Cast().provider("house", Answers()), streaming=True)
    units = figures.units
    assert units["gen_ai.client.inference.duration"] == "s"
    assert units["gen_ai.client.inference.time_to_first_chunk"] == "s"
    assert units["gen_ai.client.inference.usage.input_tokens"] == "{token}"
    assert units["gen_ai.client.inference.operation.output_tokens"] == "{token}"
    assert units["trio_llm.call.duration"] == "s"


def test_a_stream_has_a_first_chunk() -> None:
    """Streams, and they alone, tell when it came."""
    house = Cast().provider("house", Answers(after=0.5, pieces=2, gap=1.0))
    _, point = _only(
        _measured(house, streaming=True).points("gen_ai.client.inference.time_to_first_chunk")
    )
    assert point.sum == pytest.approx(0.5)


def test_tokens_are_counted_by_their_part() -> None:
    """Totals and parts are counters; the size of one operation is a histogram."""
    figures = _counted(
        events.AttemptSucceeded(
            1.0, 1, HOUSE, 1, 0.5, "m", "openai", usage=Usage(100, 50, 60, 20, 30)
        ),
        events.AttemptSucceeded(1.0, 1, HOUSE, 1, 0.5, "m", "openai", usage=Usage(10, 5)),
    )
    used = "gen_ai.client.inference.usage."
    expected = {
        "input_tokens": 110,
        "output_tokens": 55,
        "cache_read.input_tokens": 60,
        "cache_write.input_tokens": 20,
        "reasoning.output_tokens": 30,
    }
    for name, tokens in expected.items():
        labels, point = _only(figures.points(used + name))
        assert point.value == tokens
        assert labels["gen_ai.token.modality"] == "unknown"
        assert labels["gen_ai.provider.name"] == "openai"
    _, point = _only(figures.points("gen_ai.client.inference.operation.input_tokens"))
    assert (point.count, point.sum) == (2, 110)
    assert tuple(point.explicit_bounds[:3]) == (1, 4, 16)
    assert point.explicit_bounds[-1] == 67108864


def test_what_brought_no_tokens_counts_none() -> None:
    """A failure adds a zero to the counters, as the conventions want, and to no histogram."""
    figures = _counted(
        events.AttemptFailed(1.0, 1, HOUSE, 1, 0.5, "ServerError", "no", "m", "openai", status=500)
    )
    _, point = _only(figures.points("gen_ai.client.inference.usage.input_tokens"))
    assert point.value == 0
    assert figures.points("gen_ai.client.inference.operation.input_tokens") == {}
    labels, _ = _only(figures.points("gen_ai.client.inference.duration"))
    assert labels["error.type"] == "ServerError"
    assert labels["trio_llm.outcome"] == "failed"


def test_a_loser_is_no_error() -> None:
    """What was cancelled has a duration of its own outcome."""
    cast = Cast()
    racers = [cast.provider("quick", Answers(after=0.5)), cast.provider("slow", Answers(after=9.0))]
    figures = _measured(Race(racers, name="fast"))
    points = figures.points("gen_ai.client.inference.duration")
    outcomes = {dict(labels)["trio_llm.provider"]: dict(labels) for labels in points}
    assert outcomes["slow"]["trio_llm.outcome"] == "cancelled"
    assert "error.type" not in outcomes["slow"]
    labels, point = _only(figures.points("trio_llm.contests"))
    assert labels == {"trio_llm.endpoint": "fast", "trio_llm.provider": "quick"}
    assert point.value == 1


def test_embeddings_and_other_operations_have_metrics_of_their_own() -> None:
    """Vectors are no inference; neither is the rest."""
    script = ScriptedProvider(Embeds(3), [EmbedRequest])
    house = Provider("custom", "house", cls=script, embedding_model="vectors")
    figures = Figures()

    async def scene(world: World) -> None:
        async with world.open(Config(default=house)) as llm:
            llm.subscribe(OtelMetrics(figures.provider))
            await llm.embed(["one", "two"])

    run(scene)
    labels, _ = _only(figures.points("gen_ai.client.embeddings.duration"))
    assert labels["gen_ai.operation.name"] == "embeddings"
    assert len(figures.points("gen_ai.client.embeddings.operation.input_tokens")) == 1
    assert figures.points("gen_ai.client.inference.duration") == {}
    assert figures.points("gen_ai.client.inference.usage.input_tokens") == {}
    listed = _counted(events.AttemptSucceeded(1.0, 1, HOUSE, 1, 0.5, None, operation="list_models"))
    labels, _ = _only(listed.points("gen_ai.client.operation.duration"))
    assert labels["gen_ai.operation.name"] == "list_models"


def test_cost_is_in_dollars_with_its_certainty() -> None:
    """Every attempt adds what it cost; one without a price adds nothing."""
    cost = Cost(Decimal("0.25"), Certainty.AT_LEAST)
    figures = _counted(
        events.AttemptCancelled(1.0, 1, HOUSE, 1, 0.5, "lost", "m", "openai", cost=cost),
        events.AttemptCancelled(1.0, 1, HOUSE, 1, 0.5, "lost", "m", "openai", cost=cost),
        events.AttemptSucceeded(1.0, 1, HOUSE, 1, 0.5, "m", "openai"),
    )
    labels, point = _only(figures.points("trio_llm.cost"))
    assert point.value == 0.5
    assert labels["trio_llm.cost.certainty"] == "at_least"
    assert figures.units["trio_llm.cost"] == "{USD}"


def test_retries_fallbacks_and_hedges_are_counted() -> None:
    """Each by the balancer and the member that it is about."""
    cast = Cast()
    broken = cast.provider("broken", Fails(), retry=Retry(attempts=1))
    late = Hedge(
        [cast.provider("late", Answers(after=9.0)), cast.provider("quick", Answers(after=0.5))],
        delay=1.0,
        name="hedge",
    )
    figures = _measured(Fallback([broken, late], name="safe"))
    labels, point = _only(figures.points("trio_llm.retries"))
    assert (labels, point.value) == ({"trio_llm.provider": "broken"}, 1)
    labels, point = _only(figures.points("trio_llm.fallbacks"))
    assert labels == {"trio_llm.endpoint": "safe", "trio_llm.provider": "broken"}
    labels, point = _only(figures.points("trio_llm.hedges"))
    assert labels == {"trio_llm.endpoint": "hedge", "trio_llm.provider": "quick"}


def test_without_an_sdk_nothing_happens() -> None:
    """The API alone counts nothing, and raises nothing."""
    metrics = OtelMetrics(NoOpMeterProvider())
    metrics(events.AttemptSucceeded(1.0, 1, HOUSE, 1, 0.5, "m", usage=Usage(1, 1)))
    metrics(events.CacheMissed(1.0, 1, HOUSE))
