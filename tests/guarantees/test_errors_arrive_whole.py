"""Errors arrive whole: one per attempt, in the shape of the call tree, never a bare group.

What the body of `open_runtime` or of a stream raises leaves it as the same object.
"""

import pickle

import pytest
import trio

from tests.guarantees.scenes import Cast, by_attempt
from trio_llm import (
    AllProvidersFailed,
    AttemptOutcome,
    AuthenticationError,
    Config,
    ContextLengthError,
    Fallback,
    LLMError,
    LoadBalance,
    MalformedResponseError,
    OverloadedError,
    Provider,
    ProviderCrashedError,
    ProviderError,
    Race,
    RateLimitError,
    Restart,
    Retry,
    Runtime,
    ServerError,
)
from trio_llm.testing import (
    Answers,
    Crashes,
    Fails,
    RateLimits,
    SendsGarbage,
    Stalls,
    World,
    explore,
    run,
    seeds,
)


async def _failure(llm: Runtime, *, streaming: bool) -> AllProvidersFailed:
    with pytest.raises(AllProvidersFailed) as caught:
        await _ask(llm, streaming=streaming)
    return caught.value


async def _ask(llm: Runtime, *, streaming: bool) -> None:
    if not streaming:
        await llm.generate("hello")
        return
    async with llm.stream("hello"):
        raise AssertionError("a stream that failed before its commit is not entered")


def _nested(cast: Cast) -> Fallback:
    inner = Race(
        (cast.provider("a", Fails(after=1.0)), cast.provider("b", RateLimits(7.0, after=0.5))),
        name="inner",
    )
    spread = LoadBalance((cast.provider("c", SendsGarbage()),), name="spread")
    return Fallback((inner, spread, cast.provider("d", Crashes())), name="outer")


def test_all_failed_has_the_shape_of_the_call_tree() -> None:
    """The group nests as the balancers do, with one typed error for each attempt."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=_nested(Cast()))) as llm:
            error = await _failure(llm, streaming=world.seed % 2 == 0)
        assert error.balancer == "outer"
        inner, spread, crashed = error.exceptions
        assert isinstance(inner, AllProvidersFailed)
        assert isinstance(spread, AllProvidersFailed)
        assert (inner.balancer, spread.balancer) == ("inner", "spread")
        assert [type(leaf) for leaf in inner.exceptions] == [ServerError, RateLimitError]
        assert [type(leaf) for leaf in spread.exceptions] == [MalformedResponseError]
        assert isinstance(crashed, ProviderCrashedError)
        assert isinstance(crashed.__cause__, RuntimeError)
        assert [leaf.provider for leaf in error.errors] == ["a", "b", "c", "d"]
        assert error.retry_after == 7.0
        paths = [attempt.path for attempt in error.attempts]
        assert paths == [
            ("outer", "inner", "a"),
            ("outer", "inner", "b"),
            ("outer", "spread", "c"),
            ("outer", "d"),
        ]
        assert {attempt.outcome for attempt in error.attempts} == {AttemptOutcome.FAILED}

    explore(scenario, seeds=seeds(1000, share=50))


def test_except_star_finds_single_classes() -> None:
    """``except*`` picks errors by class out of the tree, and passes the others on."""

    async def scenario(world: World) -> None:
        found: list[str | None] = []
        rest: list[BaseException] = []
        async with world.open(Config(default=_nested(Cast()))) as llm:
            try:
                await llm.generate("hello")
            except* RateLimitError as group:
                found += [_leaf(group).provider]
            except* MalformedResponseError as group:
                found += [_leaf(group).provider]
            except* ProviderError as group:
                rest.append(group)
        (left,) = rest
        assert found == ["b", "c"]
        assert isinstance(left, AllProvidersFailed)
        assert [leaf.provider for leaf in left.errors] == ["a", "d"]
        assert (left.balancer, len(left.attempts)) == ("outer", 4)

    run(scenario)


def _leaf(group: BaseException) -> ProviderError:
    assert isinstance(group, AllProvidersFailed)
    (leaf,) = group.errors
    return leaf


def test_the_group_survives_split_and_pickle() -> None:
    """Splitting and pickling keep the class, the balancer and the attempts."""

    async def scenario(world: World) -> AllProvidersFailed:
        async with world.open(Config(default=_nested(Cast()))) as llm:
            return await _failure(llm, streaming=False)

    error = run(scenario).value
    matched, rest = error.split(ServerError)
    assert isinstance(matched, AllProvidersFailed)
    assert isinstance(rest, AllProvidersFailed)
    assert len(matched.errors) + len(rest.errors) == 4
    assert matched.attempts == rest.attempts == error.attempts
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(twin, AllProvidersFailed)
    assert [str(leaf) for leaf in twin.errors] == [str(leaf) for leaf in error.errors]
    assert twin.attempts == error.attempts


def test_every_attempt_of_a_retry_is_attached() -> None:
    """An error carries a record of each attempt, retries on the same provider included."""

    async def scenario(world: World) -> None:
        script = [Fails(OverloadedError, after=1.0), Fails(after=2.0), Fails(AuthenticationError)]
        provider = Cast().provider("a", script, retry=Retry(attempts=5, base_delay=0.0))
        async with world.open(Config(default=provider)) as llm:
            with pytest.raises(AuthenticationError) as caught:
                await llm.generate("hello")
        records = [(attempt.number, attempt.error) for attempt in caught.value.attempts]
        assert records == [(1, "OverloadedError"), (2, "ServerError"), (3, "AuthenticationError")]
        assert [attempt.latency for attempt in caught.value.attempts] == [1.0, 2.0, 0.0]

    run(scenario)


def test_an_error_that_no_member_could_mend_arrives_alone() -> None:
    """An invalid request ends the call as itself; earlier failures are its cause."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = (
            cast.provider("a", Fails()),
            cast.provider("b", Fails(ContextLengthError)),
            cast.provider("c", Answers()),
        )
        async with world.open(Config(default=Fallback(members))) as llm:
            with pytest.raises(ContextLengthError) as caught:
                await llm.generate("hello")
        assert isinstance(caught.value.__cause__, AllProvidersFailed)
        assert [leaf.provider for leaf in caught.value.__cause__.errors] == ["a"]
        assert cast.scripts["c"].started == 0

    run(scenario)


def test_a_call_never_raises_a_group_of_a_nursery() -> None:
    """Whatever the members raise, a call raises an error of this library."""

    class _WildError(Exception):
        pass

    async def scenario(world: World) -> None:
        cast = Cast()
        steps = (
            Fails(after=0.5),
            Crashes(error=_WildError),
            Crashes(after=0.5, actor=True),
            Stalls(),
        )

        def wild(name: str) -> Provider:
            return cast.provider(name, by_attempt(world.seed, name, steps))

        race = Race((wild("a"), Fallback((wild("b"), wild("c")), name="f")), timeout=2.0, name="r")
        config = Config(
            default=Race((race, wild("d")), timeout=3.0), restart=Restart(max_restarts=1)
        )
        async with world.open(config) as llm:
            for _ in range(5):
                error = await _failure(llm, streaming=world.rng.random() < 0.5)
                assert all(isinstance(leaf, ProviderError) for leaf in error.errors)

    explore(scenario, seeds=seeds(1000, share=50))


def test_two_callers_never_share_an_error() -> None:
    """Callers that fail together get an error object each."""

    async def scenario(world: World) -> None:
        shared = ServerError("always the same object")
        provider = Cast().provider("a", Fails(shared, after=1.0))
        async with world.open(Config(default=provider)) as llm:
            errors: list[LLMError] = []

            async def caller() -> None:
                try:
                    await llm.generate("hello")
                except LLMError as error:
                    errors.append(error)

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(caller)
            assert len({id(error) for error in errors}) == 3

    run(scenario)


@pytest.mark.parametrize("raised", [ValueError("mine"), StopAsyncIteration(), KeyboardInterrupt()])
def test_an_exception_of_the_body_leaves_the_runtime_unwrapped(raised: BaseException) -> None:
    """What the body of open_runtime raises leaves as the same object, with calls under way."""

    async def scenario(world: World) -> None:
        async with trio.open_nursery() as nursery:
            with pytest.raises(type(raised)) as caught:
                await _leave_runtime_with(raised, world, nursery)
            assert caught.value is raised

    explore(scenario, seeds=seeds(1000, share=50))


async def _leave_runtime_with(raised: BaseException, world: World, nursery: trio.Nursery) -> None:
    async with world.open(Config(default=Cast().provider("a", Stalls()))) as llm:
        nursery.start_soon(_ignore_failure, llm)
        await trio.sleep(1.0)
        raise raised


async def _ignore_failure(llm: Runtime) -> None:
    with pytest.raises(ProviderCrashedError):
        await llm.generate("hello")


async def _leave_stream_with(raised: Exception, llm: Runtime) -> None:
    async with llm.stream("hello") as stream:
        await anext(stream)
        raise raised


def test_an_exception_of_the_body_leaves_the_stream_unwrapped() -> None:
    """What the body of a stream raises leaves as the same object, after the clean-up."""
    raised = ValueError("mine")

    async def scenario(world: World) -> None:
        cast = Cast()
        race = Race((cast.provider("a", Stalls(pieces=1)), cast.provider("b", Stalls())))
        async with world.open(Config(default=race)) as llm:
            with pytest.raises(ValueError, match="mine") as caught:
                await _leave_stream_with(raised, llm)
            assert caught.value is raised
            assert cast.running == 0

    explore(scenario, seeds=seeds(1000, share=50))
