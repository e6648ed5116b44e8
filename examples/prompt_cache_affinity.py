"""Affinity: a conversation stays at the member that has its beginning in the prompt cache.

Providers take up a prompt that they have seen faster and cheaper. Spread turn by turn, a
conversation finds a cold cache nearly every time; with `affinity` only the first time.
"""

import trio

import trio_llm
from trio_llm import Completion, Message, Usage

TURNS = 6


class Caching:
    """Remembers the messages that it has seen, as a provider's prompt cache does."""

    def __init__(self) -> None:
        self._seen: set[tuple[Message, ...]] = set()

    async def generate(self, request: trio_llm.Request) -> Completion:
        """Answer, and say how many input tokens were in the cache."""
        await trio.sleep(0.002)
        messages = request.messages
        known = max(
            (end for end in range(len(messages) + 1) if messages[:end] in self._seen), default=0
        )
        self._seen |= {messages[:end] for end in range(1, len(messages) + 1)}
        usage = Usage(tokens(messages), 5, cached_tokens=tokens(messages[:known]))
        return Completion(Message("assistant", f"answer {len(messages)}"), "stop", usage=usage)


def tokens(messages: tuple[Message, ...]) -> int:
    """Count words, which will do here."""
    return sum(len(message.text.split()) for message in messages)


async def talk(llm: trio_llm.Runtime, topic: str) -> tuple[int, int, set[str]]:
    """Hold one conversation; give its input tokens, those from a cache, and who answered."""
    conversation = [Message("system", f"{topic} " * 500), Message("user", topic)]
    read = cached = 0
    members: set[str] = set()
    for turn in range(TURNS):
        reply = await llm.generate(conversation)
        read, cached = read + reply.usage.input_tokens, cached + reply.usage.cached_tokens
        members.add(reply.provider)
        conversation += [reply.message, Message("user", f"and {turn}?")]
    return read, cached, members


async def main() -> None:
    """Hold the same conversations without and with affinity."""
    for affinity in (False, True):
        members = [trio_llm.Provider("custom", name, cls=Caching()) for name in ("a", "b", "c")]
        tree = trio_llm.LoadBalance(members, affinity=affinity)
        async with trio_llm.open_runtime(trio_llm.Config(default=tree)) as llm:
            talks = [await talk(llm, f"topic {number}") for number in range(6)]
            served = {name: llm.statistics().nodes[name].requests for name in ("a", "b", "c")}
        share = sum(cached for _, cached, _ in talks) / sum(read for read, _, _ in talks)
        most = max(len(names) for _, _, names in talks)
        print(
            f"affinity {affinity!s:>5}: {share:.0%} of the input from a cache, "
            f"{most} member(s) for a conversation, calls {served}"
        )


if __name__ == "__main__":
    trio.run(main)
