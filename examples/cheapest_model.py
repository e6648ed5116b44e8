"""Who can do it, and what does it cheapest: by capability, by price, for nothing."""

from collections.abc import Iterable
from decimal import Decimal

import trio

import trio_llm
from trio_llm import Capability, ModelInfo, Price


class Shop:
    """A provider with a list of models and their prices, as many servers give it."""

    def __init__(self, **models: Iterable[float | str]) -> None:
        self._models = models

    async def models(self) -> list[ModelInfo]:
        """List the models: US dollars per million tokens in and out, then what they can do."""
        listed: list[ModelInfo] = []
        for name, (paid, given, *words) in self._models.items():
            price = Price(Decimal(str(paid)), Decimal(str(given)))
            can = frozenset(Capability(word) for word in words)
            listed.append(ModelInfo(id=name, price=price, capabilities=can))
        return listed

    async def generate(self, request: trio_llm.Request) -> str:
        """Say which model was asked."""
        await trio.sleep(0.01)
        return f"{request.model} at your service"


CONFIG = trio_llm.Config(
    providers={
        "market": trio_llm.Provider(
            "custom",
            cls=Shop(
                large=(3.0, 15.0, "chat", "vision", "tools"),
                small=(0.25, 1.25, "chat", "tools"),
                vectors=(0.02, 0.0, "embedding"),
            ),
            model="large",
        ),
        "corner": trio_llm.Provider("custom", cls=Shop(basic=(0.5, 0.75, "chat")), model="basic"),
        "own": trio_llm.Provider(
            "simulated", model="at-home", capabilities=["chat", "translation"]
        ),
    }
)


async def main() -> None:
    """Look for models and providers, and ask what was found."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        for capability in (Capability.TOOLS, Capability.VISION, Capability.EMBEDDING):
            model = await llm.provider("market").cheapest_model(capability)
            print(f"{capability.value}: {model.id if model else 'nobody'}")
        gift = await llm.cheapest_model("translation", free_only=True)
        print(f"translation for nothing: {gift.id} of {gift.provider}" if gift else "not for free")

        chat = await llm.provider("corner").cheapest_model("code_generation")
        if chat is not None:
            reply = await llm.provider(chat.provider).generate("a loop", model=chat.id)
            print(f"code generation at the corner: {reply.text}")

        best = llm.find_provider("vision")
        print(f"the best with vision now: {best.name if best else 'nobody'}")
        print(f"for video: {llm.find_provider(Capability.VIDEO_GENERATION)}")
        try:
            llm.find_provider("code_generaton")
        except trio_llm.InvalidRequestError as error:
            print(f"misspelt: {error}")


if __name__ == "__main__":
    trio.run(main)
