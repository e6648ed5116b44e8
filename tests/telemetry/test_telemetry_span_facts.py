"""What the spans of calls and attempts say, and what keeps them in bounds."""

from decimal import Decimal

import pytest

from tests.guarantees.scenes import Cast
from tests.telemetry.telemetry_scenes import PROMPT, Recorder, everything_said, facts, traced
from trio_llm import Config, EmbedRequest, Provider, Runtime, Simulation, events
from trio_llm.chat import Certainty, Cost, Usage
from trio_llm.telemetry import Tracing
from trio_llm.telemetry import tracing as room
from trio_llm.testing import Answers, Embeds, ScriptedProvider, World, run


def test_other_operations_have_the_names_of_the_conventions() -> None:
    """Vectors are `embeddings`; what the conventions do not know keeps our word."""
    recorder = Recorder()

    async def scene(world: World) -> None:
        script = ScriptedProvider(Embeds(3), [EmbedRequest])
        house = Provider("custom", "house", cls=script, embedding_model="vectors")
        async with world.open(Config(default=house)) as llm:
            llm.subscribe(Tracing(recorder.provider))
            await llm.embed([PROMPT])

    run(scene)
    attempt, call = recorder.spans
    assert attempt.name == "embeddings vectors"
    assert call.name == "embeddings house"
    assert facts(attempt)["gen_ai.operation.name"] == "embeddings"
    assert PROMPT not in everything_said(attempt) + everything_said(call)


def test_a_simulated_provider_is_named_by_its_kind() -> None:
    """The kind of the catalogue is the provider's name where the conventions have none."""
    recorder = traced(Provider("simulated", "toy", simulation=Simulation(latency=0.0)))
    assert facts(recorder.attempt("toy"))["gen_ai.provider.name"] == "simulated"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("openai", "openai"),
        ("openai_responses", "openai"),
        ("anthropic", "anthropic"),
        ("gemini", "gcp.gemini"),
        ("cohere", "cohere"),
        ("azure", "azure.ai.openai"),
        ("mistral", "mistral_ai"),
        ("groq", "groq"),
        ("deepseek", "deepseek"),
        ("xai", "x_ai"),
        ("perplexity", "perplexity"),
        ("bedrock", "aws.bedrock"),
        ("openrouter", "openrouter"),
        ("", "unknown"),
    ],
)
def test_kinds_have_the_names_of_the_conventions(kind: str, name: str) -> None:
    """Each kind that the conventions know is called as they call it."""
    recorder = Recorder()
    tracing = Tracing(recorder.provider)
    tracing(events.RequestStarted(1.0, 1, ("house",), False))
    tracing(events.AttemptStarted(1.0, 1, ("house",), 1, "m", kind))
    tracing(events.AttemptFailed(1.0, 1, ("house",), 1, 0.1, "ServerError", "no", "m", kind))
    (span,) = recorder.spans
    assert facts(span)["gen_ai.provider.name"] == name


def test_every_kind_of_token_and_the_cost_are_told() -> None:
    """Parts of the input and of the output have attributes of their own."""
    recorder = Recorder()
    tracing = Tracing(recorder.provider)
    tracing(events.RequestStarted(1.0, 1, ("house",), False))
    tracing(events.AttemptStarted(1.0, 1, ("house",), 1, "m", "openai"))
    tracing(
        events.AttemptSucceeded(
            2.0,
            1,
            ("house",),
            1,
            1.0,
            "m",
            answered_by="m-2026",
            usage=Usage(100, 50, 60, 20, 30),
            cost=Cost(Decimal("0.25"), Certainty.ESTIMATED),
            finish_reason="length",
            response_id="resp_1",
        )
    )
    said = facts(recorder.attempt("house"))
    assert said["gen_ai.usage.cache_read.input_tokens"] == 60
    assert said["gen_ai.usage.cache_write.input_tokens"] == 20
    assert said["gen_ai.usage.reasoning.output_tokens"] == 30
    assert said["gen_ai.response.id"] == "resp_1"
    assert said["gen_ai.response.model"] == "m-2026"
    assert said["gen_ai.response.finish_reasons"] == ("length",)
    assert said["trio_llm.cost.dollars"] == 0.25
    assert said["trio_llm.cost.certainty"] == "estimated"


def test_open_calls_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should ends be missing, the oldest span is ended, and no more are kept."""
    monkeypatch.setattr(room, "MOST_SPANS", 3)
    recorder = Recorder()
    tracing = Tracing(recorder.provider)
    for number in range(5):
        tracing(events.RequestStarted(1.0, number, ("house",), False))
    assert [facts(span)["trio_llm.call.number"] for span in recorder.spans] == [0, 1]
    tracing.close()
    assert len(recorder.spans) == 5
    tracing(events.RequestFinished(1.0, 4, ("house",), "succeeded", 0.1))
    assert len(recorder.spans) == 5


def test_what_began_before_it_looked_is_left_alone() -> None:
    """Ends without beginnings make no span and no error."""
    recorder = Recorder()
    tracing = Tracing(recorder.provider)
    tracing(events.AttemptStarted(1.0, 1, ("house",), 1, "m"))
    tracing(events.AttemptSucceeded(1.0, 1, ("house",), 1, 0.5))
    tracing(events.FirstToken(1.0, 1, ("house",), 1, 0.5))
    tracing(events.FellBack(1.0, 1, ("house",), "a", "no"))
    tracing(events.RequestFinished(1.0, 1, ("house",), "succeeded", 0.5))
    tracing(events.ConfigReloaded(1.0, None, (), 2, (), (), ()))
    assert recorder.spans == []


def test_an_attempt_that_was_not_seen_to_begin_ends_no_other() -> None:
    """Within an attempt, the end of one of an unknown call is left alone."""
    recorder = Recorder()
    tracing = Tracing(recorder.provider)
    tracing(events.RequestStarted(1.0, 2, ("house",), False))
    tracing(events.AttemptStarted(1.0, 2, ("house",), 1, "m"))
    tracing(events.AttemptStarted(1.0, 1, ("house",), 1, "m"))
    tracing(events.FirstToken(1.0, 1, ("house",), 1, 0.5))
    tracing(events.AttemptSucceeded(1.0, 1, ("house",), 1, 0.5, "m"))
    assert recorder.spans == []
    tracing(events.AttemptCancelled(1.0, 2, ("house",), 1, 0.5, "no need"))
    (span,) = recorder.spans
    assert facts(span)["trio_llm.outcome"] == "cancelled"
    assert "gen_ai.response.time_to_first_chunk" not in facts(span)


def test_a_model_that_the_caller_names_is_in_the_name() -> None:
    """The conventions call a span by its operation and its model."""

    async def named(llm: Runtime) -> None:
        await llm.generate(PROMPT, model="large")

    (call,) = traced(Cast().provider("house", Answers()), named).calls
    assert call.name == "chat large"
    assert facts(call)["gen_ai.request.model"] == "large"
