"""A waiting upstream for benchmarks, in a process of its own.

It answers OpenAI-shaped calls after a while, with as little work as possible, so
that what is measured in the client's process is the client. Usage:
``python server.py DELAY [CERTIFICATE]`` prints its port.
"""

import argparse
import json
import ssl

import trio

TEXT = "a few words of an answer " * 36
REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 200, "total_tokens": 209},
    }
).encode()
PLAIN = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(REPLY)
) + REPLY
CHUNKS = 500


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    frame = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "bench",
        "choices": [choice],
    }
    data = b"data: " + json.dumps(frame, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"".join(_chunk({"content": f"word{number} "}) for number in range(CHUNKS))
    + _chunk({}, "stop")
    + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
)


async def serve(stream: trio.abc.Stream, delay: float) -> None:
    """Serve one connection until the client leaves."""
    buffer = b""
    try:
        while True:
            while b"\r\n\r\n" not in buffer:
                data = await stream.receive_some(65536)
                if not data:
                    return
                buffer += data
            head, _, rest = buffer.partition(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            while len(rest) < length:
                data = await stream.receive_some(65536)
                if not data:
                    return
                rest += data
            body, buffer = rest[:length], rest[length:]
            never = b'"model":"never"' in body.replace(b" ", b"")
            await trio.sleep(3600 if never else delay)
            streaming = b'"stream":true' in body.replace(b" ", b"")
            await stream.send_all(STREAM if streaming else PLAIN)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return  # the client left in the middle, as losers of a race do


async def main(delay: float, certificate: str | None) -> None:
    """Listen on a free port of loopback and say which."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=4096)
    print(listener.socket.getsockname()[1], flush=True)  # noqa: T201 - the parent reads it

    async def handle(stream: trio.SocketStream) -> None:
        if certificate is None:
            await serve(stream, delay)
            return
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        await serve(trio.SSLStream(stream, context, server_side=True), delay)

    await trio.serve_listeners(handle, [listener])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("delay", type=float, help="seconds to an answer")
    parser.add_argument("certificate", nargs="?", help="a PEM file: serve TLS")
    given = parser.parse_args()
    trio.run(main, given.delay, given.certificate)
