"""One question to one provider.

Without a key three simulated providers race; with a key in the environment (say,
OPENAI_API_KEY) the same program asks the real one.
"""

import trio

import trio_llm


async def main() -> None:
    """Open a runtime, ask, and look at the reply."""
    async with trio_llm.open_runtime() as llm:
        reply = await llm.generate("What is an actor, in one sentence?", max_tokens=100)
    # Here nothing runs any more: no task, no socket.
    print(reply.text)
    print(f"-- {reply.provider} ({reply.model}), {reply.latency:.2f} s")
    print(f"-- {reply.usage.input_tokens} tokens in, {reply.usage.output_tokens} out")


if __name__ == "__main__":
    trio.run(main)
