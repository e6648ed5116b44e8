"""Standard input to its end, so that a Ctrl-C is heard at whatever moment it comes."""

import io
import os
import select
import signal
import socket
import sys

_CHUNK = 1 << 16


def read_input() -> str:
    """Read standard input to its end.

    A signal that comes right before a blocking read begins is noted by Python, and
    heard when the read ends: never, at a terminal. So the wait is for the input and
    for the byte that a signal writes, whichever comes first.

    Raises:
        UnicodeError: It is no text.
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return sys.stdin.read()
    if os.name == "nt":  # pragma: no cover - there select() is for sockets alone
        return sys.stdin.read()
    return _read(descriptor).decode(sys.stdin.encoding).replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            pieces: list[bytes] = []
            while True:
                ready, _, _ = select.select([descriptor, ours.fileno()], [], [])
                if ours.fileno() in ready:
                    ours.recv(_CHUNK)
                if descriptor in ready:
                    piece = os.read(descriptor, _CHUNK)
                    if not piece:
                        return b"".join(pieces)
                    pieces.append(piece)
        finally:
            signal.set_wakeup_fd(before)
