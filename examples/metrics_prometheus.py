"""Metrics for Prometheus: a page at /metrics, answered by the application's own server.

Needs the extra `prometheus`. Here a few lines on Trio stand for the server; in an application
the same string goes out through whatever it serves its pages with.
"""

from functools import partial

import trio

import trio_llm
from trio_llm.telemetry import prometheus_text

SHOWN = (
    "trio_llm_requests_total",
    "trio_llm_attempts_total",
    "trio_llm_fallbacks_total",
    "trio_llm_cost_dollars_total",
    "trio_llm_request_duration_seconds_count",
    "trio_llm_breaker_state",
)


async def serve(llm: trio_llm.Runtime, stream: trio.SocketStream) -> None:
    """Answer one scrape."""
    async with stream:
        await stream.receive_some()
        page = prometheus_text(llm).encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        await stream.send_all(f"{head}Content-Length: {len(page)}\r\n\r\n".encode() + page)


async def scrape(port: int) -> str:
    """Ask for the page, as Prometheus does every few seconds."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return b"".join([part async for part in stream]).decode()


async def main() -> None:
    """Make some calls, and look at the page."""
    price = trio_llm.PriceSettings(input=3.0, output=15.0)
    broken = trio_llm.Provider(
        "simulated", simulation=trio_llm.Simulation(latency=0.01, failure_rate=1.0)
    )
    house = trio_llm.Provider(
        "simulated", price=price, simulation=trio_llm.Simulation(latency=0.02)
    )
    config = trio_llm.Config(
        {"broken": broken, "house": house},
        default=trio_llm.Fallback(["broken", "house"], name="reliable"),
        telemetry=trio_llm.TelemetrySettings(metrics=True),
    )
    async with trio_llm.open_runtime(config) as llm, trio.open_nursery() as nursery:
        serving = partial(trio.serve_tcp, partial(serve, llm), 0, host="127.0.0.1")
        (listener,) = await nursery.start(serving)
        for _ in range(5):
            await llm.generate("What is a counter?")
        page = await scrape(listener.socket.getsockname()[1])
        for line in page.splitlines():
            if line.startswith(SHOWN) and not line.endswith(" 0.0"):
                print(line)
        # The same figures are records in the program.
        metrics = llm.metrics()
        print(f"shares: {metrics.distribution}")
        print(f"half of the calls within {metrics.request_duration.total().quantile(0.5):.2f} s")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
