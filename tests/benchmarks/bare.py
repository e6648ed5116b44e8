"""The bare clients that the runtime is measured against."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import h11
import httpx
import trio

from tests.benchmarks.measure import Call

QUESTION = {"model": "bench", "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def async_client(url: str, concurrency: int) -> AsyncGenerator[Call, None]:
    """``httpx.AsyncClient.post``, one client for all."""
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:  # noqa: S113 - as bare as can be

        async def call() -> object:
            response = await client.post(f"{url}/chat/completions", json=QUESTION)
            return response.json()["choices"][0]["message"]["content"]

        yield call


@asynccontextmanager
async def h11_client(port: int) -> AsyncGenerator[Call, None]:
    """h11 over Trio streams, one connection per caller: the floor."""
    idle: list[tuple[trio.SocketStream, h11.Connection]] = []
    body = json.dumps(QUESTION).encode()

    async def call() -> object:
        if idle:
            stream, connection = idle.pop()
        else:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            connection = h11.Connection(h11.CLIENT)
        request = h11.Request(
            method="POST",
            target="/v1/chat/completions",
            headers=[("host", "x"), ("content-length", str(len(body)))],
        )
        out = (connection.send(request) or b"") + (connection.send(h11.Data(body)) or b"")
        await stream.send_all(out + (connection.send(h11.EndOfMessage()) or b""))
        data = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(65536))
            elif isinstance(event, h11.Data):
                data += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
        connection.start_next_cycle()
        idle.append((stream, connection))
        return json.loads(data)["choices"][0]["message"]["content"]

    try:
        yield call
    finally:
        for stream, _ in idle:
            await stream.aclose()
