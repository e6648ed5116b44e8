"""A process that spends money until it is killed; it says what it has been told of.

``python -m tests.guarantees.spending_victim FILE RUN`` asks a scripted provider, many times at
once, and prints ``asked`` when the provider is asked, and ``paid`` or ``failed`` with what the call
has cost when its caller knows how it ended.
"""

import random
import sys

import trio

from tests.guarantees.scenes import Cast
from trio_llm import (
    Budget,
    Config,
    PriceSettings,
    Request,
    Retry,
    ServerError,
    StoreSettings,
    Usage,
    open_runtime,
)
from trio_llm.chat import Cost
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Fails, Step

QUESTION = Request(messages="How much is the fish?", max_tokens=50)


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def config_for(path: str, run: str = "") -> Config:
    """Give the configuration of the process, and of those who look at what it left."""

    def step(work: Work) -> Step:
        rng = random.Random(f"{run}/{work.call}/{work.number}")
        _say("asked", run, work.call, work.number)
        if rng.random() < 0.2:
            return Fails()
        usage = Usage(rng.randrange(1, 1000), rng.randrange(1, 1000))
        return Answers(after=rng.choice((0.0, 0.001, 0.005)), usage=usage)

    provider = Cast().provider(
        "shop",
        step,
        price=PriceSettings(input=1.0, output=3.0),
        retry=Retry(attempts=1, base_delay=0.001),
        max_concurrency=8,
        mailbox=64,
    )
    return Config(
        default=provider,
        store=StoreSettings(path=path),
        budgets={"all": Budget(limit=1000.0, period="total")},
    )


async def _spend(path: str, run: str) -> None:
    async with open_runtime(config_for(path, run)) as llm:

        async def caller() -> None:
            while True:
                try:
                    reply = await llm.generate(QUESTION, tags={"run": run})
                except ServerError as error:
                    _say("failed", run, Cost.total([each.cost for each in error.attempts]).amount)
                else:
                    _say("paid", run, reply.cost.amount)

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(caller)


if __name__ == "__main__":
    trio.run(_spend, sys.argv[1], sys.argv[2])
