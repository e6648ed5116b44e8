"""Degradation: a marked reply in place of an error, where nobody could answer.

A caller of the runtime gets the last good answer to the same request, or the configured
text; both say what they are, and why. What another provider could not have mended stays
an error, and so does everything at a provider that is asked by its name.
"""

import random

import attrs
import pytest
import trio

from tests.guarantees.degraded_scenes import DEFAULT, SORRY, STALE, STURDY, text_of
from tests.guarantees.scenes import Cast, assert_idle, by_attempt, field, kinds
from trio_llm import (
    AllProvidersFailed,
    AttemptOutcome,
    AuthenticationError,
    Blame,
    Config,
    ConfigError,
    ContentFilterError,
    ContextLengthError,
    Fallback,
    InvalidRequestError,
    LLMError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    ProviderUnavailableError,
    Race,
    RateLimitError,
    Reply,
    ServerError,
    UnsupportedError,
    Usage,
)
from trio_llm.testing import (
    Answers,
    Crashes,
    Cuts,
    Fails,
    Stalls,
    Step,
    World,
    explore,
    run,
    seeds,
)


def test_the_default_reply_is_marked_and_tells_why() -> None:
    """Nobody answers: the caller gets the text, with the attempts and the error of its call."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = (cast.provider("a", Fails(after=0.5)), cast.provider("b", Fails(OverloadedError)))
        async with world.open(Config(default=Race(members, name="r"), degradation=DEFAULT)) as llm:
            reply = await llm.generate("hello", model=None)
            assert (reply.text, reply.degraded, reply.provider) == (SORRY, "default", "degraded")
            assert (reply.finish_reason, reply.usage, reply.latency) == ("stop", Usage(), 0.5)
            assert [attempt.provider for attempt in reply.attempts] == ["a", "b"]
            assert reply.metadata["degraded"] == "default"
            assert "all members of 'r' failed" in reply.metadata["degraded_error"]
            assert llm.statistics().degraded == 1
            assert llm.statistics().calls.failed == 1
        (entry,) = kinds(world.log, "Degraded")
        assert (entry.time, entry.actor, field(entry, "call")) == (0.5, "r", 1)
        assert (field(entry, "how"), field(entry, "error")) == ("default", "AllProvidersFailed")
        (finished,) = kinds(world.log, "RequestFinished")
        assert field(finished, "outcome") == "failed"

    explore(scenario, seeds=seeds(1000, share=50))


def test_the_last_good_answer_to_the_same_request_is_given() -> None:
    """It says who once gave it and how old it is, and it has cost nothing this time."""

    async def scenario(world: World) -> None:
        script = (Answers("one", after=1.0), Answers("two", after=1.0), Fails())
        provider = Cast().provider("a", script)
        degradation = attrs.evolve(STALE, reply=SORRY)
        async with world.open(Config(default=provider, degradation=degradation)) as llm:
            await llm.generate("hello")
            fresh = await llm.generate("hello", temperature=1)
            assert fresh.degraded is None
            await trio.sleep(10.0)
            reply = await llm.generate("hello", temperature=1.0)
            assert (reply.text, reply.degraded, reply.provider) == ("two", "stale", "a")
            assert (reply.model, reply.usage, reply.raw) == (fresh.model, Usage(), None)
            assert reply.metadata["degraded_age"] == 10.0
            assert reply.metadata["degraded_error"] == "a: scripted to fail"
            assert [attempt.outcome for attempt in reply.attempts] == [AttemptOutcome.FAILED]
            assert (await llm.generate("hello")).text == "one"
            assert (await llm.generate("another")).degraded == "default"
            assert llm.statistics().degraded == 3
        assert [field(entry, "how") for entry in kinds(world.log, "Degraded")] == [
            "stale",
            "stale",
            "default",
        ]

    run(scenario)


def test_an_answer_is_stale_for_so_long_and_no_longer() -> None:
    """The limit is kept to the instant, on Trio's clock."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", (Answers("once"), Fails()))
        async with world.open(Config(default=provider, degradation=STALE)) as llm:
            await llm.generate("hello")
            await trio.sleep(60.0)
            assert (await llm.generate("hello")).text == "once"
            await trio.sleep(0.001)
            with pytest.raises(ServerError):
                await llm.generate("hello")

    run(scenario)


def test_only_so_many_answers_are_remembered() -> None:
    """The one that was used least recently is forgotten, also when a reload allows fewer."""

    async def scenario(world: World) -> None:
        broken = False
        provider = Cast().provider(
            "a", lambda _work: Fails() if broken else Answers("fine"), cooldown=STURDY
        )
        config = Config(default=provider, degradation=attrs.evolve(STALE, entries=3))
        async with world.open(config) as llm:
            for word in "abcd":
                await llm.generate(word)
            broken = True
            for word, known in (("a", False), ("b", True), ("c", True), ("d", True), ("b", True)):
                if known:
                    assert (await llm.generate(word)).degraded == "stale"
                else:
                    with pytest.raises(ServerError):
                        await llm.generate(word)
            await llm.reload(attrs.evolve(config, degradation=attrs.evolve(STALE, entries=1)))
            assert (await llm.generate("b")).degraded == "stale"
            for word in "cd":
                with pytest.raises(ServerError):
                    await llm.generate(word)

    run(scenario)


@pytest.mark.parametrize(
    ("error", "degrades"),
    [
        (ServerError("x"), True),
        (OverloadedError("x"), True),
        (RateLimitError("x"), True),
        (AuthenticationError("x"), True),
        (ModelNotFoundError("x"), True),
        (ProviderUnavailableError("x", code="cooling"), True),
        (InvalidRequestError("x"), False),
        (UnsupportedError("x"), False),
        (ContentFilterError("x"), False),
        (ContextLengthError("x"), False),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_what_another_provider_could_not_have_mended_stays_an_error(
    error: ProviderError, degrades: bool, stream: bool, nested: bool
) -> None:
    """Bad requests and refused contents are raised; outages of every kind are mended."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Fails(error))
        default = Fallback((provider,), name="f") if nested else provider
        async with world.open(Config(default=default, degradation=DEFAULT)) as llm:

            async def ask() -> str:
                if not stream:
                    return (await llm.generate("hello")).text
                async with llm.stream("hello") as events:
                    return await text_of(events)

            if degrades:
                assert await ask() == SORRY
            else:
                with pytest.raises((type(error), AllProvidersFailed)):
                    await ask()
            assert llm.statistics().degraded == degrades

    run(scenario)


def test_a_refused_content_stays_an_error_whatever_the_configuration_makes_of_it() -> None:
    """A provider's own row may pass it on to others; it is still no outage when all refuse."""

    async def scenario(world: World) -> None:
        on = Blame(charges=False, cools=False, falls_through=True, retries=False)
        cast, own = Cast(), {"ContentFilterError": on}
        members = tuple(cast.provider(n, Fails(ContentFilterError), errors=own) for n in "ab")
        config = Config(default=Fallback(members, name="f"), degradation=DEFAULT)
        async with world.open(config) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hello")
            assert len(caught.value.errors) == 2

    run(scenario)


def test_mistakes_of_the_caller_are_told() -> None:
    """A name that nobody bears, an unknown option, an empty prompt: degradation hides none."""

    async def scenario(world: World) -> None:
        config = Config(default=Cast().provider("a", Fails()), degradation=DEFAULT)
        async with world.open(config) as llm:
            with pytest.raises(ConfigError):
                await llm.generate("hello", prefer="nobody")
            with pytest.raises(InvalidRequestError):
                await llm.generate("")
            with pytest.raises(InvalidRequestError):
                await llm.generate("hello", extra={"no such dialect": {}})

    run(scenario)


def test_who_asks_a_provider_by_its_name_gets_its_error() -> None:
    """Health checks, comparisons and batches see how a provider really fares."""

    async def scenario(world: World) -> None:
        config = Config(
            default=Fallback((Cast().provider("a", Fails(), cooldown=STURDY),), name="f"),
            degradation=DEFAULT,
        )
        async with world.open(config) as llm:
            assert not (await llm.check()).healthy
            for name in ("a", "f"):
                assert not (await llm.check(name)).healthy
                with pytest.raises(LLMError):
                    await llm.provider(name).generate("hello")
                with pytest.raises(LLMError):
                    async with llm.provider(name).stream("hello"):
                        raise AssertionError("never entered")
            assert isinstance((await llm.compare("hello"))["a"], ServerError)
            async with llm.batch(["hello"]) as results:
                assert [type(outcome) async for _, outcome in results] == [AllProvidersFailed]
            assert llm.statistics().degraded == 0

    run(scenario)


def test_a_cancelled_call_is_cancelled() -> None:
    """A deadline of the caller's is no outage: nothing stands in for the answer."""

    async def scenario(world: World) -> None:
        config = Config(default=Cast().provider("a", Stalls()), degradation=DEFAULT)
        async with world.open(config) as llm:
            with trio.move_on_after(1.0) as scope:
                await llm.generate("hello")
            assert scope.cancelled_caught
            with trio.move_on_after(1.0) as scope:
                async with llm.stream("hello"):
                    raise AssertionError("never entered")
            assert scope.cancelled_caught
            assert llm.statistics().degraded == 0

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_refusal_that_is_mended_takes_a_checkpoint() -> None:
    """A loop over degraded replies does not keep other tasks from running."""

    async def scenario(world: World) -> None:
        config = Config(
            default=Cast().provider("a", Fails(RateLimitError("x", retry_after=1000.0))),
            degradation=DEFAULT,
        )
        async with world.open(config) as llm:
            await llm.generate("hello")
            with trio.testing.assert_checkpoints():
                assert (await llm.generate("hello")).degraded == "default"
            with trio.testing.assert_checkpoints():
                async with llm.stream("hello") as stream:
                    assert stream.provider == "degraded"

    run(scenario)


def test_a_closed_runtime_says_that_it_is_closed() -> None:
    """A call that comes when the runtime is being closed is no outage of a provider."""

    async def scenario(world: World) -> None:
        config = Config(default=Cast().provider("a", Answers()), degradation=DEFAULT)
        async with world.open(config) as llm:
            pass
        with pytest.raises(ProviderUnavailableError):
            await llm.generate("hello")
        with pytest.raises(ProviderUnavailableError):
            async with llm.stream("hello"):
                raise AssertionError("never entered")

    run(scenario)


STEPS: tuple[Step, ...] = (
    Answers("fine", after=0.5, pieces=2, gap=0.25),
    Fails(after=0.5),
    Fails(RateLimitError("x", retry_after=2.0)),
    Fails(InvalidRequestError, after=0.5),
    Crashes(after=0.5),
    Cuts(after=0.5, pieces=1),
    Stalls(),
)


def test_in_a_storm_every_reply_is_whole_or_marked() -> None:
    """Under failures, cancels and reloads a caller gets an answer, a marked one, or its error."""

    async def scenario(world: World) -> None:
        rng, cast = world.rng, Cast()
        members = [
            cast.provider(name, by_attempt(world.seed, name, STEPS), max_concurrency=3)
            for name in ("a", "b", "c")
        ]
        degradations = (attrs.evolve(STALE, stale_for=3.0, reply=SORRY), STALE, DEFAULT)
        outcomes: list[Reply | str] = []

        async def ask(key: int) -> None:
            own = random.Random(f"{world.seed}/{key}")
            await trio.sleep(own.choice((0.0, 0.5, 1.0, 2.0, 4.0)))
            outcome: Reply | str = "cancelled"
            with trio.move_on_after(own.choice((0.5, 3.0))):
                try:
                    if own.random() < 0.5:
                        outcome = await llm.generate(own.choice("xyz"))
                    else:
                        async with llm.stream(own.choice("xyz")) as stream:
                            text = await text_of(stream)
                            outcome = stream.reply
                            assert text == outcome.text
                except LLMError as error:
                    outcome = type(error).__name__
            outcomes.append(outcome)

        config = Config(default=Fallback(members, name="f"), degradation=rng.choice(degradations))
        async with world.open(config) as llm:
            async with trio.open_nursery() as nursery:
                for key in range(12):
                    nursery.start_soon(ask, key)
                await trio.sleep(2.0)
                await llm.reload(attrs.evolve(config, degradation=rng.choice(degradations)))
            replies = [each for each in outcomes if isinstance(each, Reply)]
            for reply in replies:
                expected = {None: "fine", "stale": "fine", "default": SORRY}
                assert reply.text == expected[reply.degraded]
                assert reply.metadata.get("degraded") == reply.degraded
                assert (reply.usage == Usage()) == (reply.degraded is not None)
            marked = [reply for reply in replies if reply.degraded]
            assert len(outcomes) == 12
            assert len(marked) <= llm.statistics().degraded == len(kinds(world.log, "Degraded"))
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))
