"""A conversation with tools that begins at one provider and goes on at three others.

Each provider has its own form for a tool call and its result, and its own rules for the
call's identifier. A conversation is plain values, so it goes on anywhere: what differs
is written anew at the edge, as the bodies show that the servers got.
"""

import json
from typing import Any

import trio

import trio_llm
from trio_llm.testing.upstream import Behaviour, MemoryUpstream, Served

CALL = trio_llm.ToolCall("toolu_01AbCdEfGh", "population", {"city": "Oslo"})
DIALECTS = {
    "first": "anthropic",
    "openai": "openai_chat",
    "mistral": "openai_chat",
    "gemini": "gemini",
}


@trio_llm.Tool.from_function
async def population(city: str) -> int:
    """Look up how many people live in a city."""
    await trio.sleep(0.01)
    return {"Oslo": 717_710}[city]


def answer(served: Served) -> Behaviour:
    """Call the tool at first; whoever is shown its result answers."""
    if b"717710" in served.body:
        return Behaviour(chunks=("About ", "700,000 ", "people."))
    return Behaviour(chunks=(), tool_calls=(CALL,), finish_reason="tool_calls")


def config(upstream: MemoryUpstream) -> trio_llm.Config:
    """Name four providers of four kinds, all of which one upstream plays."""
    return trio_llm.Config(
        providers={
            name: trio_llm.Provider(
                "anthropic" if name == "first" else name,
                base_url=upstream.base_url(dialect),
                model="some-model",
                api_key="k-none-needed",
            )
            for name, dialect in DIALECTS.items()
        }
    )


def call_and_result(body: dict[str, Any]) -> list[str]:
    """Find the parts of a request that hold the tool call and its result."""
    turns = body.get("contents") or body["messages"]
    parts = [
        part for turn in turns for part in (turn.get("parts") or turn.get("tool_calls") or [turn])
    ]
    written = [json.dumps(part) for part in parts]
    return [text for text in written if '"population"' in text or "717710" in text]


async def main() -> None:
    """Run the tool at the first provider, and ask the others about the same conversation."""
    upstream = MemoryUpstream(answer)
    async with trio_llm.open_runtime(config(upstream), transport=upstream) as llm:
        first = llm.provider("first")
        run = await first.run_tools("How many live in Oslo?", tools=[population])
        print(f"first: {run.text}  ({' > '.join(message.role for message in run.messages)})")
        again = [*run.messages, trio_llm.Message("user", "Are you sure?")]
        for name in ("openai", "mistral", "gemini"):
            reply = await llm.provider(name).generate(again, tools=[population])
            print(f"{name}: {reply.text}")
            for part in call_and_result(json.loads(upstream.served[-1].body)):
                print(f"    {part}")


if __name__ == "__main__":
    trio.run(main)
