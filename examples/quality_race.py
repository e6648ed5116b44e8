"""A quality race: of the answers that come within the grace period the best one wins."""

import trio

import trio_llm


def writer(name: str, latency: float, text: str) -> trio_llm.Provider:
    """Give a provider that says the same thing every time."""
    simulation = trio_llm.Simulation(latency=latency, text=text, chunks=4)
    return trio_llm.Provider("simulated", name, simulation=simulation)


WRITERS = (
    writer("refusing", 0.02, "I'm sorry, but I can't help with that."),
    writer("brief", 0.05, "An actor is a task with a mailbox."),
    writer("thorough", 0.1, "An actor is a task with a mailbox: it takes one message at a time."),
    writer("late", 30.0, "An actor, to begin at the beginning, is"),
)


def by_length(_request: trio_llm.Request, completion: trio_llm.Completion) -> float:
    """Score an answer by how much it says; a scorer may as well be async."""
    return len(completion.message.text)


async def ask(how: str, race: trio_llm.Race) -> None:
    """Race once, as a stream: it is collected, and the winner's is replayed."""
    judge = trio_llm.Provider("custom", cls=Terse())
    config = trio_llm.Config({"judge": judge}, default=race)
    async with trio_llm.open_runtime(config) as llm, llm.stream("What is an actor?") as stream:
        async for _ in stream.text():
            pass
        scores = stream.reply.metadata["racing_scores"]
        told = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
        print(f"{how}: {stream.reply.text}\n  {told}")


async def main() -> None:
    """Choose by form alone, by a function, and by the word of a judge."""
    race = trio_llm.Race(WRITERS, strategy="quality", grace_period=0.3, name="race")
    await ask("complete", race)

    longest = trio_llm.Race(WRITERS, strategy="quality", grace_period=0.3, scorer=by_length)
    await ask("longest", longest)

    judged = trio_llm.Race(WRITERS, strategy="quality", grace_period=0.3, judge="judge")
    await ask("judged", judged)


class Terse:
    """A judge that likes the shortest answer best, as far as it is one; yours is a model."""

    async def generate(self, request: trio_llm.Request) -> str:
        """Give a score from 0 to 10."""
        prompt = request.messages[-1].text
        return "2/10" if "sorry" in prompt else "6/10" if "one message" in prompt else "9/10"


if __name__ == "__main__":
    trio.run(main)
