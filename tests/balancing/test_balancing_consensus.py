"""Consensus: when answers agree, who answers for them, and what is told of the vote."""

from typing import Any

import pytest
import trio

from tests.balancing.asked import ask
from tests.guarantees.choosing_scenes import Plays
from tests.guarantees.scenes import Cast
from trio_llm import (
    Config,
    Consensus,
    EmbedRequest,
    Fallback,
    Finished,
    OutputSchema,
    Provider,
    TextDelta,
    Tool,
)
from trio_llm.chat import AttemptOutcome
from trio_llm.testing import Answers, CallsTool, Embeds, Fails, ScriptedProvider, Stalls, World, run
from trio_llm.testing.script import Script

SUCCEEDED, DISCARDED = AttemptOutcome.SUCCEEDED, AttemptOutcome.DISCARDED
FAILED = AttemptOutcome.FAILED
STREAMING = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])


def _panel(cast: Cast, *steps: Script, **settings: Any) -> Consensus:
    """Give a consensus of members a, b, c ... that each do one thing."""
    members = [cast.provider(name, step) for name, step in zip("abcdefg", steps, strict=False)]
    return Consensus(members, name="panel", **settings)


@STREAMING
def test_the_answer_of_most_members_wins(streaming: bool) -> None:
    """Case, space and punctuation at the end do not matter; the best-ranked one answers."""
    cast = Cast()
    panel = _panel(cast, Answers("Lyon", 0.5), Answers("Paris", 1.0), Answers(" paris. ", 0.75))
    asked = ask(cast, panel, streaming=streaming)
    assert asked.reply.text == "Paris"
    assert asked.reply.provider == "b"
    assert asked.reply.metadata == {
        "consensus_provider": "b",
        "consensus_share": pytest.approx(2 / 3),
        "consensus_votes": [
            {"names": ["b", "c"], "size": 2, "weight": 2.0, "won": True},
            {"names": ["a"], "size": 1, "weight": 1.0, "won": False},
        ],
    }
    assert asked.attempts == {"a": DISCARDED, "b": SUCCEEDED, "c": DISCARDED}
    assert asked.entries("VoteCast", "member", "group") == [("a", "a"), ("c", "c"), ("b", "b")]
    assert asked.entries("ConsensusReached", "winner", "votes") == [
        ("b", ((("b", "c"), 2.0), (("a",), 1.0)))
    ]
    assert asked.entries("LoserDiscarded", "loser", "reason") == [
        ("c", "agreed with 'b'"),
        ("a", "the vote went to 'b'"),
    ]


def test_ties_go_to_the_member_declared_first() -> None:
    """Of groups of one weight the one with the best-ranked member wins."""
    cast = Cast()
    panel = _panel(cast, Answers("x", 1.0), Answers("y", 0.5), Answers("z", 0.75))
    assert ask(cast, panel).reply.provider == "a"


def test_votes_count_by_weight() -> None:
    """One member of great weight outvotes two of little."""
    cast = Cast()
    panel = _panel(
        cast,
        Answers("x", 1.0),
        Answers("x", 1.0),
        Answers("y", 1.0),
        strategy="weighted",
        weights={"a": 0.3, "b": 0.4, "c": 0.8},
    )
    asked = ask(cast, panel)
    assert asked.reply.text == "y"
    assert asked.reply.metadata["consensus_share"] == pytest.approx(0.8 / 1.5)


def test_votes_without_weight_still_decide() -> None:
    """Where nobody of any weight answers, the first declared does, with no share."""
    cast = Cast()
    weights = {"a": 0, "b": 0, "c": 1}
    panel = _panel(cast, Answers("x"), Answers("y"), Fails(), strategy="weighted", weights=weights)
    asked = ask(cast, panel)
    assert (asked.reply.text, asked.reply.metadata["consensus_share"]) == ("x", 0.0)


def test_alike_texts_agree_by_threshold() -> None:
    """With the strategy ``similarity`` the words decide."""
    texts = ("black cats sat on mats", "dogs bark loudly at night", "cats sat on mats")
    cast = Cast()
    for threshold, winner in ((0.7, ["a", "c"]), (1.0, ["a"])):
        panel = _panel(
            cast,
            *[Answers(text, 1.0) for text in texts],
            strategy="similarity",
            threshold=threshold,
        )
        assert ask(cast, panel).reply.metadata["consensus_votes"][0]["names"] == winner


def _embedder(step: Any = None, **settings: Any) -> tuple[ScriptedProvider, dict[str, Provider]]:
    script = ScriptedProvider(step or Embeds(2, after=0.5), {EmbedRequest})
    provider = Provider("custom", cls=script, models=("m",), embedding_model="m", **settings)
    return script, {"vectors": provider}


@STREAMING
def test_vectors_decide_where_an_embedder_is_named(streaming: bool) -> None:
    """Each new text is embedded once, and votes when its vector is there."""
    cast = Cast()
    texts = ("four", "eleven more", "five", "four")  # the vector is the length of the text
    script, beside = _embedder()
    panel = _panel(
        cast,
        *[Answers(text, 1.0 + index / 4) for index, text in enumerate(texts)],
        strategy="embedding",
        embedder="vectors",
        threshold=0.9,
        quorum=4,
    )
    asked = ask(cast, panel, beside=beside, streaming=streaming)
    assert asked.reply.metadata["consensus_votes"][0]["names"] == ["a", "b", "c", "d"]
    assert asked.reply.text == "four"
    assert script.started == 3
    assert asked.at == pytest.approx(2.0)
    assert [attempt.path for attempt in asked.reply.attempts[4:]] == [("panel", "vectors")] * 3


@STREAMING
@pytest.mark.parametrize("step", [Fails(after=0.5), Stalls()])
def test_without_vectors_the_words_decide(step: Any, streaming: bool) -> None:
    """An embedder that fails, or takes until the timeout, does not cost anybody its vote."""
    cast = Cast()
    _, beside = _embedder(step)
    panel = _panel(
        cast,
        Answers("no such thing", 1.0),
        Answers("red and green", 1.25),
        Answers("red or green", 1.5),
        strategy="embedding",
        embedder="vectors",
        timeout=4.0,
    )
    asked = ask(cast, panel, beside=beside, streaming=streaming)
    assert asked.reply.text == "red and green"
    assert asked.at == pytest.approx(2.0 if isinstance(step, Fails) else 4.0)
    told = asked.entries("AdviceMissing", "adviser", "member")
    assert told == ([("vectors", name) for name in "abc"] if isinstance(step, Fails) else [])


def test_an_embedder_that_cannot_be_asked_is_done_without() -> None:
    """A refusal counts like a failure."""
    cast = Cast()
    script, beside = _embedder(enabled=True)
    panel = _panel(
        cast, Answers("x", 1.0), Answers("x", 1.0), strategy="embedding", embedder="vectors"
    )
    asked = ask(cast, panel, beside=beside, max_attempts=2)
    assert asked.reply.text == "x"
    assert asked.entries("AdviceMissing", "adviser", "member") == [
        ("vectors", "a"),
        ("vectors", "b"),
    ]
    assert script.started == 0


@STREAMING
@pytest.mark.parametrize("strategy", ["majority", "similarity"])
def test_typed_answers_agree_by_their_value(strategy: str, streaming: bool) -> None:
    """The order of keys, the spelling of numbers and a fence around it do not matter."""
    cast = Cast()
    panel = _panel(
        cast,
        Answers('{"city": "Oslo", "nights": 3}', 1.0),
        Answers('{"nights": 2.0, "city": "Oslo"}', 1.0),
        Answers('```json\n{"city": "Oslo", "nights": 2}\n```', 1.0),
        strategy=strategy,
    )
    output = OutputSchema("stop", {"type": "object"})
    asked = ask(cast, panel, output=output, streaming=streaming)
    assert asked.reply.metadata["consensus_votes"][0]["names"] == ["b", "c"]


@STREAMING
@pytest.mark.parametrize("strategy", ["majority", "similarity"])
def test_tool_calls_agree_by_name_and_arguments(strategy: str, streaming: bool) -> None:
    """What is called, and with what, is the answer."""
    cast = Cast()
    panel = _panel(
        cast,
        CallsTool("look", ('{"at": 1}',), after=1.0),
        CallsTool("look", ('{"at": 2,', ' "in": "x"}'), after=1.0),
        CallsTool("look", ('{"in":"x","at":2.0}',), after=1.0),
        Answers("I would look at 2 in x", 1.0),
        strategy=strategy,
    )
    asked = ask(cast, panel, tools=[Tool("look"), Tool("find")], streaming=streaming)
    assert asked.reply.metadata["consensus_votes"][0]["names"] == ["b", "c"]
    assert asked.reply.tool_calls[0].arguments == {"at": 2, "in": "x"}


def test_a_stream_is_collected_and_replayed() -> None:
    """The consumer gets all events of the answer at once, however many, and then the end."""
    cast = Cast()
    panel = _panel(
        cast,
        Answers("l" * 300, after=1.0, pieces=300, gap=0.0625),
        Plays("l" * 300, 0.5, 1.0),
        Plays("broken", 0.25, 0.5, breaks=True),
    )
    asked = ask(cast, panel, streaming=True, on_interrupt="restart")
    assert [event.text for event in asked.shown if isinstance(event, TextDelta)] == ["l"] * 300
    assert isinstance(asked.shown[-1], Finished)
    assert asked.at == pytest.approx(1.0 + 299 / 16)
    assert asked.attempts == {"a": SUCCEEDED, "b": DISCARDED, "c": FAILED}
    assert asked.reply.time_to_first_token == asked.reply.latency == pytest.approx(asked.at)


def test_a_member_may_go_on_with_its_own_streams() -> None:
    """What a balancer below makes whole again is collected as if it had never broken."""
    cast = Cast()
    below = Fallback(
        [
            cast.provider("x", Plays("w" * 9, 0.5, 0.5, breaks=True)),
            cast.provider("y", Answers("w" * 200, after=0.5, pieces=200, gap=0.001)),
        ],
        on_interrupt="restart",
        name="below",
    )
    panel = Consensus([below, cast.provider("z", Answers("w" * 200, after=1.0))])
    asked = ask(cast, panel, streaming=True)
    assert [event.text for event in asked.shown if isinstance(event, TextDelta)] == ["w"] * 200
    assert (asked.reply.provider, asked.reply.text) == ("y", "w" * 200)
    assert asked.reply.metadata["switched_from"] == ("x",)


def test_what_is_no_conversation_goes_to_the_first() -> None:
    """Embeddings are not voted on: the first answer wins at once."""
    members = [
        Provider(
            "custom",
            name,
            cls=ScriptedProvider(Embeds(after=after), {EmbedRequest}),
            models=("m",),
            embedding_model="m",
        )
        for name, after in (("slow", 2.0), ("quick", 1.0))
    ]

    async def scenario(world: World) -> str:
        async with world.open(Config(default=Consensus(members))) as llm:
            found = await llm.embed(["text"])
            assert trio.current_time() < 1.1
            return found.provider

    assert run(scenario).value == "quick"
