"""Degradation: a stale answer or a default one, marked as such, when nobody can answer."""

import trio

import trio_llm

SORRY = "Our assistant takes a break. Please try again in a few minutes."


class Moody:
    """A provider that answers until it is told not to."""

    broken = False

    async def generate(self, request: trio_llm.Request) -> str:
        """Answer with the prompt turned round, or fail."""
        await trio.sleep(0.05)
        if self.broken:
            raise trio_llm.OverloadedError("no capacity")
        return request.messages[-1].text[::-1]


async def main() -> None:
    """Ask on a good day and on a bad one."""
    moody = Moody()
    patient = trio_llm.CooldownSettings(after_failures=100)
    provider = trio_llm.Provider("custom", "moody", cls=moody, cooldown=patient)
    config = trio_llm.Config(
        default=trio_llm.Fallback((provider,), name="all"),
        degradation=trio_llm.Degradation(stale=True, stale_for=600, reply=SORRY),
    )
    async with trio_llm.open_runtime(config) as llm:
        await show(llm, "stressed")

        moody.broken = True
        await show(llm, "stressed")  # answered before, so that is given again
        await show(llm, "drawer")  # never answered, so the text is given
        async with llm.stream("drawer") as stream:
            print("streamed:", "|".join([piece async for piece in stream.text()]))

        # Who asks one provider by its name is told how it fares.
        try:
            await llm.provider("moody").generate("stressed")
        except trio_llm.OverloadedError as error:
            print("asked by name:", error)
        print("healthy:", (await llm.check()).healthy)
        print("callers who got a stand-in:", llm.statistics().degraded)


async def show(llm: trio_llm.Runtime, prompt: str) -> None:
    """Print a reply, how it came about, and why."""
    reply = await llm.generate(prompt)
    print(f"{prompt}: {reply.text} [{reply.degraded or 'fresh'}, by {reply.provider}]")
    if reply.degraded:
        print(f"  because {reply.metadata['degraded_error']}")


if __name__ == "__main__":
    trio.run(main)
