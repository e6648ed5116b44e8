"""Several keys of one provider: calls take turns, and a key that fails harms no other."""

import os

import trio

import trio_llm
from trio_llm.testing.upstream import Behaviour, MemoryUpstream, Served, digest

KEYS = {"LAB_KEY_1": "k-first", "LAB_KEY_2": "k-expired", "LAB_KEY_3": "k-third"}
EXPIRED = digest(f"Bearer {KEYS['LAB_KEY_2']}".encode())


def answer(served: Served) -> Behaviour:
    """Refuse the one key, as a server would; anything else is answered."""
    if served.headers["authorization"] == EXPIRED:
        return Behaviour(status=401, message="this key has expired")
    return Behaviour(chunks=("fine",))


async def main() -> None:
    """Ask a few times, and show which key answered and how each of them fares."""
    os.environ.update(KEYS)
    upstream = MemoryUpstream(answer)  # in place of a real server
    lab = trio_llm.Provider(
        "openai_compatible",
        "lab",
        base_url=upstream.base_url("openai_chat"),
        model="some-model",
        api_key_envs=list(KEYS),
        cooldown=trio_llm.CooldownSettings(initial=60, after_failures=1),
    )
    config = trio_llm.Config(default=lab)
    async with trio_llm.open_runtime(config, transport=upstream) as llm:
        for number in range(1, 6):
            reply = await llm.generate(f"question {number}")
            tried = ", ".join(attempt.provider for attempt in reply.attempts)
            print(f"question {number}: {reply.text} from {reply.provider} (tried {tried})")
        for status in llm.status():
            print(f"{status.name:>6}: {status.state}")


if __name__ == "__main__":
    trio.run(main)
