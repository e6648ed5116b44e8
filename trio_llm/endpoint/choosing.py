"""Finding the provider or the model for a purpose."""

from typing import TYPE_CHECKING

from trio_llm import operations
from trio_llm.chat import Capability, ModelInfo
from trio_llm.endpoint.asking import Asking, unique

if TYPE_CHECKING:
    from trio_llm.endpoint import Endpoint


class Choosing(Asking):
    """Looking for who does something best, or cheapest."""

    def find_provider(
        self,
        capability: Capability | str | None = None,
        *,
        model: str | None = None,
        free_only: bool = False,
    ) -> "Endpoint | None":
        """Give the provider under this node that a call is best sent to now.

        Of the enabled providers that have the capability and can take a call now (one
        that is full still can, in its line; one that rests or is down cannot) it is the
        one with the highest success rate, to the percent; then the one with the lowest
        latency; then the first in the order in which this node asks, or in which they are
        declared. One that was never asked counts as succeeding every other time.

        Args:
            capability: What it must do: a `Capability` or its word, such as
                ``code_generation``.
            model: A model that it must serve.
            free_only: Whether its model, or the one named, must cost nothing. Servers on
                the user's own machines (Ollama, LM Studio, llama.cpp, vLLM) and simulated
                providers ask for no money.

        Returns:
            It, to be asked by itself; ``None`` if there is none.

        Raises:
            InvalidRequestError: There is no such capability.
            ConfigError: Nobody bears the name of this endpoint any more.
        """
        # Imported here: an endpoint is made of this class.
        from trio_llm.endpoint import Endpoint  # noqa: PLC0415

        wanted = operations.to_capability(capability)
        nodes = unique([*self._look_up().providers(), *self._leaves()])
        best = operations.best_provider(nodes, wanted, model, free_only=free_only)
        return None if best is None else Endpoint(self._switchboard, best.name)

    async def cheapest_model(
        self, capability: Capability | str | None = None, *, free_only: bool = False
    ) -> ModelInfo | None:
        """Give the model under this node that costs least, by input and output together.

        Every enabled provider is asked for its models, as by `models`. What a list does
        not tell of a model's price comes from the configuration or the extra ``prices``;
        models on the user's own machines cost nothing, as in `find_provider`; one of
        which no price is known comes last. Equals are taken in declared order.

        A model of which neither its list nor its name says what it can do is taken to do
        what its provider does.

        Args:
            capability: What it must do: a `Capability` or its word.
            free_only: Whether it must cost nothing.

        Returns:
            It, with the name of its provider; ``None`` if there is none.

        Raises:
            InvalidRequestError: There is no such capability.
            ProviderError: The one provider asked did not give its models.
            AllProvidersFailed: None of several did.
        """
        wanted = operations.to_capability(capability)
        nodes = {node.name: node for node in self._leaves()}
        models = await operations.list_models(self._switchboard, tuple(nodes.values()), self.name)
        return await operations.cheapest(models, nodes, wanted, free_only=free_only)
