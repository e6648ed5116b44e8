"""A process that writes into a store, says what has been written, and waits to be killed."""

import os
import sys
from pathlib import Path

import trio

from tests.store.store_pieces import charge, reservation
from trio_llm.chat import Usage
from trio_llm.store import CachedAnswer, SQLiteStore


async def main(path: Path, first: int, size: int) -> None:
    """Write batch after batch; a line on the output acknowledges each one."""
    store, number = SQLiteStore(path), first
    async with store.opened():
        os.write(1, b"open 0\n")
        while True:
            batch = range(number, number + size)
            await store.write([reservation(each) for each in batch])
            os.write(1, b"reserved %d\n" % number)
            await store.write([charge(each, usage=Usage(each, 1)) for each in batch])
            os.write(1, b"charged %d\n" % number)
            await store.keep(
                CachedAnswer(b"%d" % number, number, 9e9, bytes(5000)), entries=20, size=10**6
            )
            await store.prune(charge(number).time - 3000)
            number += size


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
