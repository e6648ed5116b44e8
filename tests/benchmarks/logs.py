"""What the log adds to a call: CPU alone, over a provider that answers at once."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

import trio_llm
from tests.benchmarks.measure import Row, cpu_per_call
from trio_llm import Config, Fallback, Provider, Simulation
from trio_llm.events import Event
from trio_llm.logs import EventLog
from trio_llm.logs.writing import JsonLines

CALLS = 400
ROUNDS = 12


class _Drops(logging.Handler):
    """Formats each record, and sends it nowhere."""

    def emit(self, record: logging.LogRecord) -> None:
        """Forget it."""
        self.format(record)


def _ignore(_event: Event) -> None:
    """Look at nothing."""


@contextmanager
def _application(level: str, handler: logging.Handler) -> Generator[None, None, None]:
    """Log as an application would that has set all this up itself."""
    logger = logging.getLogger("trio_llm")
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


async def logged() -> list[Row]:
    """Measure a call at each level, beside the same call without a log."""
    answering = Simulation(latency=0.0, text="words")
    members = [Provider("simulated", name, simulation=answering) for name in ("one", "two")]
    config = Config(default=Fallback(members, name="safe"))
    as_json = _Drops()
    as_json.setFormatter(JsonLines())
    cases = {
        "none": (None, logging.NullHandler(), False),
        "WARNING, which is the default": ("WARNING", logging.NullHandler(), False),
        "WARNING, and somebody else watches": ("WARNING", logging.NullHandler(), True),
        "none, and somebody else watches": (None, logging.NullHandler(), True),
        "INFO": ("INFO", logging.NullHandler(), False),
        "DEBUG": ("DEBUG", logging.NullHandler(), False),
        "DEBUG, as lines of JSON": ("DEBUG", as_json, False),
    }
    costs = dict.fromkeys(cases, float("inf"))
    async with trio_llm.open_runtime(config) as llm:

        async def call() -> None:
            await llm.generate("hi")

        stream = llm._switchboard.events  # pyright: ignore[reportPrivateUsage]
        for observer in stream._observers:  # pyright: ignore[reportPrivateUsage]
            if isinstance(observer, EventLog):
                observer.close()
        # They take turns, so that a machine that slows down slows all of them.
        for _ in range(ROUNDS):
            for name, (level, handler, watched) in cases.items():
                stop = llm.subscribe(_ignore) if watched else None
                log = EventLog(stream)
                with _application(level or "WARNING", handler):
                    if level is not None:
                        log.apply(config)
                    cost = await cpu_per_call(call, calls=CALLS, concurrency=1, rounds=1)
                    log.close()
                costs[name] = min(costs[name], cost)
                if stop is not None:
                    stop()
    alone = costs["none"]
    return [(name, f"{cost:.0f}", f"{cost - alone:.1f}") for name, cost in costs.items()]
