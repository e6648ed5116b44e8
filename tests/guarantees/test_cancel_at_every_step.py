"""A call can be cancelled at every step that any task takes for it.

The cancellation is put in before the first task step of the call, before the second,
and so on until the call is through. Whatever the step: when the caller has its
outcome, no job runs, no place is occupied, no provider's health has suffered, and no
virtual time has passed since the cancellation.
"""

import random
from collections.abc import Callable

import trio

from tests.guarantees.cancelling import CancelBefore
from tests.guarantees.scenes import Cast, assert_idle, steps_later
from trio_llm import (
    Config,
    Consensus,
    Fallback,
    Hedge,
    LLMError,
    LoadBalance,
    Provider,
    Race,
    Runtime,
    Simulation,
)
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Fails, Stalls, World, run, seeds

Shape = Callable[[Cast], Member]


def _answering(cast: Cast, name: str, after: float = 1.0, **settings: int) -> Provider:
    return cast.provider(name, Answers(name, after=after, pieces=3, gap=0.25, passes=1), **settings)


def _flat(cast: Cast) -> Member:
    return _answering(cast, "a")


def _race(cast: Cast) -> Member:
    return Race((_answering(cast, "a"), _answering(cast, "b"), cast.provider("c", Stalls())))


def _fallback(cast: Cast) -> Member:
    return Fallback((cast.provider("a", Fails(after=0.5)), _answering(cast, "b")))


def _load_balance(cast: Cast) -> Member:
    return LoadBalance((_answering(cast, "a"), _answering(cast, "b")))


def _hedge(cast: Cast) -> Member:
    stalls, fails = cast.provider("a", Stalls()), cast.provider("e", Fails(after=0.25))
    return Hedge((stalls, fails, _answering(cast, "c", 0.5)), delay=0.5, max_extra_calls=1.0)


def _nested(cast: Cast) -> Member:
    slow = Race((_answering(cast, "a", 2.0), cast.provider("b", Fails(after=0.5))), name="slow")
    spread = LoadBalance((_answering(cast, "c"), _answering(cast, "d")), name="spread")
    return Fallback(
        (
            Race((cast.provider("e", Fails(after=0.25)),), name="broken"),
            Race((slow, spread, cast.provider("f", Stalls())), name="fast"),
        )
    )


def _weighted(cast: Cast) -> Member:
    members = (_answering(cast, "a"), _answering(cast, "b", 1.25), cast.provider("c", Stalls()))
    return Race(members, strategy="weighted", grace_period=0.5)


def _judged(cast: Cast) -> Member:
    members = (_answering(cast, "a"), _answering(cast, "b", 1.25), cast.provider("c", Stalls()))
    return Race(members, strategy="quality", grace_period=0.75, judge="a", timeout=9.0)


def _agreed(cast: Cast) -> Member:
    embedding = Provider("simulated", "d", simulation=Simulation(latency=1.5))
    members = (_answering(cast, "a"), embedding, _answering(cast, "e"))
    agreed = Consensus(
        members, strategy="embedding", embedder="d", threshold=1.0, quorum=3, name="agreed"
    )
    return Race((agreed, _answering(cast, "f", 9.0)))


SHAPES: tuple[Shape, ...] = (
    _flat,
    _race,
    _fallback,
    _load_balance,
    _hedge,
    _nested,
    _weighted,
    _judged,
    _agreed,
)


async def _call(llm: Runtime, *, streaming: bool) -> str:
    if not streaming:
        return (await llm.generate("hello")).text
    async with llm.stream("hello") as stream:
        return "".join([piece async for piece in stream.text()])


def _cancelled_at(shape: Shape, step: int, *, streaming: bool, schedule: int) -> int:
    """Play one call, cancelled before a step; give how many steps it took."""
    cast = Cast()

    async def scenario(world: World) -> int:
        async with world.open(Config(default=shape(cast))) as llm:
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            outcome, ended = None, 0.0
            trio.lowlevel.add_instrument(instrument)
            with scope:
                try:
                    outcome = await _call(llm, streaming=streaming)
                except LLMError as error:
                    outcome = type(error).__name__
                ended = trio.current_time()
            trio.lowlevel.remove_instrument(instrument)
            assert_idle(cast, llm)
            assert (outcome is not None) != scope.cancelled_caught
            if scope.cancelled_caught:
                assert instrument.cancelled_at is not None
                assert trio.current_time() <= steps_later(instrument.cancelled_at)
            else:
                assert ended >= 1.0, "only a call that is through may ignore a cancellation"
            assert {status.cooldown_remaining for status in llm.status()} == {0.0}
            broken = {"a": 1} if shape is _fallback else {"b": 1, "e": 1}
            for status in llm.status():
                assert status.failures <= broken.get(status.name, 0)
            assert llm.statistics().overruns == 0
            assert await _call(llm, streaming=streaming)
            return instrument.steps

    return run(scenario, schedule=schedule).value


def test_a_call_leaves_nothing_behind_wherever_it_is_cancelled() -> None:
    """A call that is cancelled before any of its task steps ends at once and leaves nothing."""
    steps = 0
    for seed in seeds(1000, share=125, least=8):
        rng = random.Random(seed)
        shape = SHAPES[seed % len(SHAPES)]
        streaming = rng.random() < 0.5
        whole = _cancelled_at(shape, -1, streaming=streaming, schedule=seed)
        for step in range(rng.randrange(2), whole, 1 + (seed >= 20)):
            _cancelled_at(shape, step, streaming=streaming, schedule=seed)
            steps += 1
    assert steps > 100


def test_every_shape_is_cancelled_before_every_step() -> None:
    """The flat and the nested shapes, plain and streaming, are cancelled before each step."""
    for shape in SHAPES:
        for streaming in (False, True):
            whole = _cancelled_at(shape, -1, streaming=streaming, schedule=0)
            assert whole > 3
            for step in range(whole):
                _cancelled_at(shape, step, streaming=streaming, schedule=0)


def test_cancellation_reaches_the_leaf_in_the_same_instant() -> None:
    """A caller's cancellation through three balancers ends the leaf's exchange at once."""
    cast = Cast()

    async def scenario(world: World) -> None:
        inner = Race((cast.provider("a", Stalls()), cast.provider("b", Stalls())), name="inner")
        config = Config(default=Fallback((LoadBalance((inner,), name="spread"),)))
        async with world.open(config) as llm:
            with trio.move_on_after(3.25) as scope:
                await llm.generate("hello")
            assert scope.cancelled_caught
            assert trio.current_time() == 3.25
            assert_idle(cast, llm)
        gone = [entry for entry in world.log if entry.kind == "AttemptCancelled"]
        assert [entry.time for entry in gone] == [3.25, 3.25]

    for seed in seeds(1000):
        run(scenario, seed=seed)
