"""A configuration as the runtime builds it: checked, named, and in order."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from trio_llm.chat import Capability, Operation, Price
from trio_llm.config.schema import Balancer, KeySource, Provider
from trio_llm.config.secret import Secret
from trio_llm.config.settings import Simulation
from trio_llm.config.tree import Config
from trio_llm.errors import ProviderError
from trio_llm.ledger import PriceTable
from trio_llm.policy import Blame
from trio_llm.policy.retry import RetryRule
from trio_llm.providers.catalogue import Kind
from trio_llm.wire import Quirks


@attrs.frozen
class ResolvedProvider:
    """One provider, with everything that follows from its kind and the environment.

    Attributes:
        name: Its unique name.
        kind: Its entry in the catalogue.
        model: The model to ask for; ``None`` only for the kind ``custom``.
        models: Every model that it is known to serve, that one included.
        dialect: Its wire format, by name; ``None`` when it runs in this process.
        quirks: In what it differs from its dialect.
        base_url: Where it is, without a slash at the end; ``None`` when it runs
            in this process.
        key: Its key, or an async callable that gives one; ``None`` when there is
            none.
        key_variable: The environment variable that holds its key, or would; ``None``
            when there is none to be read.
        capabilities: What it can be asked to do.
        operation_models: The models of the operations that `model` does not do.
        blames: Its own rows of the table of errors.
        retry: How often it is asked again, and after what pauses.
        retries: Its own rows of that, by class of error.
        price: What every model of it costs; ``None`` means what the installed prices say.
        prices: What single models cost, which goes before that.
        continues: Whether it goes on with an answer that ends the conversation.
        custom: The class or instance behind the kind ``custom``.
        simulation: How it behaves when it is of the kind ``simulated``.
        settings: The provider as it was written.
    """

    name: str
    kind: Kind
    model: str | None
    models: frozenset[str]
    dialect: str | None
    quirks: Quirks
    base_url: str | None
    key: Secret | KeySource | None
    key_variable: str | None
    capabilities: frozenset[Capability]
    operation_models: Mapping[type[Operation], str]
    blames: Mapping[type[ProviderError], Blame]
    retry: RetryRule
    retries: Mapping[type[ProviderError], RetryRule]
    price: Price | None
    prices: PriceTable
    continues: bool
    custom: object
    simulation: Simulation
    settings: Provider


@attrs.frozen
class ResolvedBalancer:
    """One balancer, its members by name.

    Attributes:
        name: Its unique name.
        members: The names of its members that are enabled, in declared order.
        weights: The weight of each of them; equal ones where the strategy has none.
        primary: For a fallback, the member that is tried first.
        advisers: By the name of the setting, those who are asked besides the members:
            ``judge``, ``embedder``, ``on_context_length``, ``on_content_filter``.
        scorer: For a race by quality, what scores an answer; ``None`` without one.
        selection: For a load balance by the user's own rule, that rule.
        height: 1 over a balancer of providers, and one more over each balancer.
        settings: The balancer as it was written; for one that stands for a provider
            with several keys, as it would be.
        passes_on: Whether a load balance passes a call on that failed at a member, as
            it does where the members are the keys of one provider.
    """

    name: str
    members: tuple[str, ...]
    weights: Mapping[str, float]
    primary: str
    height: int
    settings: Balancer
    passes_on: bool = False
    advisers: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict[str, tuple[str, ...]])
    scorer: Callable[..., Any] | None = None
    selection: Any = None

    @property
    def is_provider(self) -> bool:
        """Whether it stands for one provider, and its members for the keys of that."""
        return self.passes_on


@attrs.frozen
class Plan:
    """What the runtime builds.

    Attributes:
        providers: Every provider by name, those that are not enabled included; one
            with several keys is as many, ``name-1`` and so on.
        balancers: Every balancer by name, those included that stand for a provider
            with several keys.
        order: All names, members before the balancers that ask them.
        default: The name of the provider or balancer that is asked by default.
        config: The configuration as it was written.
    """

    providers: Mapping[str, ResolvedProvider]
    balancers: Mapping[str, ResolvedBalancer]
    order: tuple[str, ...]
    default: str
    config: Config
