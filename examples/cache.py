"""The cache: an answer is given again, streamed or not, for as long as it is good."""

from typing import Unpack

import trio

import trio_llm


class Librarian:
    """A provider that takes its time, until it falls ill."""

    ill = False

    async def generate(self, request: trio_llm.Request) -> str:
        """Answer with the prompt turned round, or fail."""
        await trio.sleep(0.1)
        if self.ill:
            raise trio_llm.OverloadedError("no capacity")
        return request.messages[-1].text[::-1]


async def main() -> None:
    """Ask the same in several ways; then when nobody can answer."""
    librarian = Librarian()
    config = trio_llm.Config(
        default=trio_llm.Provider("custom", "librarian", cls=librarian),
        cache=trio_llm.CacheSettings(mode="on", ttl=0.5, stale_if_error=60),
    )
    async with trio_llm.open_runtime(config) as llm:
        await show(llm, "stressed")
        await show(llm, "stressed")
        await show(llm, "was it a rat I saw, or a stressed cat?")
        async with llm.stream("was it a rat I saw, or a stressed cat?") as stream:
            print("streamed:", "|".join([piece async for piece in stream.text()]))

        await show(llm, "stressed", user="ada")  # what one was answered is given to no other
        await show(llm, "stressed", cache=False)  # a call can do without

        await trio.sleep(0.6)
        await show(llm, "stressed")  # its time is over: asked again

        librarian.ill = True
        await trio.sleep(0.6)
        await show(llm, "stressed")  # over again, but nobody can answer

        counts = llm.cache.statistics()
        print(f"{counts.hits} hits, {counts.misses} misses, {counts.stale_hits} stale")
        print("forgotten:", await llm.cache.clear())


async def show(llm: trio_llm.Runtime, prompt: str, **options: Unpack[trio_llm.CallOptions]) -> None:
    """Print a reply, and how it came about."""
    reply = await llm.generate(prompt, **options)
    how = reply.degraded or reply.cached or "asked"
    said = ", ".join(f"{name}={value!r}" for name, value in options.items())
    print(f"{prompt} ({said or 'as usual'}): {reply.text} [{how}, {reply.latency:.1f} s]")


if __name__ == "__main__":
    trio.run(main)
