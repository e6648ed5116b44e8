"""Many calls with random trees, faults and cancellations: all is as it was before."""

import random
from collections import Counter

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from tests.sockets.socket_scenes import (
    KINDS,
    ask,
    assert_at_rest,
    client_sockets,
    member,
    open_connections,
    runtime_tasks,
)
from trio_llm import (
    Config,
    CooldownSettings,
    Fallback,
    LLMError,
    LoadBalance,
    Provider,
    Race,
    Runtime,
    open_runtime,
)
from trio_llm.testing import seeds
from trio_llm.testing.upstream import Behaviour, Fault, Served, Upstream, open_upstream

CALLERS = 4

FAULTS = (
    Fault.CLOSE,
    Fault.RESET,
    Fault.SILENCE,
    Fault.STALL,
    Fault.CLOSE_MIDWAY,
    Fault.RESET_MIDWAY,
    Fault.MALFORMED,
    Fault.ERROR_FRAME,
    Fault.CUT,
)


@attrs.define(eq=False)
class Servers:
    """What the upstream answers: drawn for each request."""

    rng: random.Random

    def script(self, _served: Served) -> Behaviour:
        """Draw a behaviour: half of them faulty, all of them quick."""
        rng = self.rng
        return Behaviour(
            latency=rng.choice((0.0, 0.0, 0.001, 0.003)),
            gap=rng.choice((0.0, 0.0, 0.001)),
            fault=rng.choice((None, *FAULTS)) if rng.random() < 0.5 else None,
            fault_after=rng.randrange(3),
            keep_alive=rng.random() < 0.9,
        )


def _tree(upstream: Upstream) -> Config:
    # A rest would take the faults out of the test.
    restless = CooldownSettings(after_failures=1_000_000)

    def provider(name: str, dialect: str) -> Provider:
        return member(upstream, name, dialect=dialect, cooldown=restless, max_concurrency=3)

    a, b, c = (provider(name, dialect) for name, dialect in zip("abc", KINDS, strict=False))
    d, e = provider("d", "openai_chat"), provider("e", "anthropic")
    inner = Race((b, Fallback((c, "a"), name="spare")), name="inner")
    shared = LoadBalance((d, e), name="shared")
    return Config(default=Race((a, inner, shared), name="outer"), close_deadline=30.0)


async def _call(llm: Runtime, rng: random.Random, outcomes: Counter[str]) -> None:
    """Ask somebody, in some way, and perhaps give up."""
    name = rng.choice(("outer", "outer", "inner", "spare", "a"))
    patience = rng.choice((0.0, 0.001, 0.003, 0.01, 0.1))
    stream = rng.random() < 0.5
    with trio.move_on_after(patience):
        try:
            reply = await ask(llm.provider(name), stream=stream)
        except LLMError as error:
            outcomes[type(error).__name__] += 1
            attempts = error.attempts
        else:
            assert reply.text == "Hello, world"
            outcomes["Reply"] += 1
            attempts = reply.attempts
        assert "ProviderCrashedError" not in {attempt.error for attempt in attempts}
        return
    outcomes["cancelled"] += 1


async def test_leases_tasks_and_sockets_return_to_where_they_began() -> None:
    """However calls end, every place, task and socket is given back."""
    outcomes: Counter[str] = Counter()
    rounds = seeds(1000 // CALLERS, share=4)
    before = client_sockets()
    async with open_upstream() as upstream:
        await wait_all_tasks_blocked()
        living = trio.lowlevel.current_statistics().tasks_living
        async with open_runtime(_tree(upstream), rng=random.Random(0)) as llm:
            for seed in rounds:
                rng = random.Random(seed)
                upstream.script = Servers(rng).script
                async with trio.open_nursery() as nursery:
                    for caller in range(CALLERS):
                        rng_of_caller = random.Random(f"{seed}/{caller}")
                        nursery.start_soon(_call, llm, rng_of_caller, outcomes)
                assert_at_rest(llm)
                # What is open is idle, and kept.
                idle = client_sockets() - before
                assert open_connections(upstream) <= idle <= 5 * 3
        assert client_sockets() == before
        assert runtime_tasks() == []
        await upstream.wait_no_connections()
        await wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == living
        assert upstream.statistics().in_flight == 0
    assert sum(outcomes.values()) == len(rounds) * CALLERS
    assert outcomes["Reply"]
    assert outcomes["cancelled"]
