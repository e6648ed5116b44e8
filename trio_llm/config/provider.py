"""One provider made whole: its kind, address, key and class."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import attrs

from trio_llm.chat import Capability, EmbedRequest, ModerateRequest, Operation, Price
from trio_llm.config.blames import resolve_blames, resolve_retries
from trio_llm.config.custom import find_custom
from trio_llm.config.faults import Faults
from trio_llm.config.plan import ResolvedProvider
from trio_llm.config.prices import price_of, resolve_prices
from trio_llm.config.rules import is_table, key_of, quoted, suggestion, under
from trio_llm.config.schema import BALANCERS, KeySource, Provider
from trio_llm.config.secret import Secret
from trio_llm.config.settings import PriceSettings, Retry, Simulation
from trio_llm.config.shapes import is_base_url, key_problem, shown_variable
from trio_llm.errors import ProviderError
from trio_llm.ledger import PriceTable
from trio_llm.policy.retry import RetryRule
from trio_llm.providers.catalogue import KINDS, Kind
from trio_llm.wire import DIALECTS, Quirks

_WIRE_ONLY: Final = (
    "base_url",
    "api_key_env",
    "api_key_envs",
    "api_key",
    "dialect",
    "api_version",
    "structured_output",
    "headers",
    "proxy",
    "verify",
)
_VERSIONED_DIALECTS: Final = frozenset({"anthropic"})
_OLLAMA_PORT: Final = "11434"
_ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - it is replaced, not listened on


def url_from_environment(kind: Kind, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Give the variable that moves a kind's base URL, and the URL; ``None`` if none is set.

    A value without a scheme, as Ollama's own OLLAMA_HOST allows, means http and
    Ollama's port; the address that means *every interface* to a server means
    this machine to a client.
    """
    for variable in kind.url_variables:
        value = environ.get(variable, "").strip().rstrip("/")
        if not value:
            continue
        if "://" not in value:
            value = _with_scheme(value)
        value = re.sub(rf"(?<=://){re.escape(_ANY_ADDRESS)}(?=[:/]|$)", "127.0.0.1", value)
        return variable, value
    return None


def _with_scheme(value: str) -> str:
    """Make a URL of ``host``, ``host:port``, ``:port`` or an IPv6 address, perhaps with a path."""
    address, slash, path = value.partition("/")
    if address.count(":") > 1 and not address.startswith("["):
        address = f"[{address}]"
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, port = address, ""
    return f"http://{host or 'localhost'}:{port or _OLLAMA_PORT}{slash}{path}"


@attrs.define
class _Resolution:
    """The checks of one provider that need its kind or the environment."""

    name: str
    path: str
    provider: Provider
    environ: Mapping[str, str]
    faults: Faults

    def at(self, key: str) -> str:
        return under(self.path, key)

    def sound(self, key: str) -> bool:
        """Whether the check of the value alone had nothing to say."""
        return self.at(key) not in self.faults.places

    def kind(self) -> Kind | None:
        word = self.provider.kind
        if not self.sound("kind"):
            return None
        kind = KINDS.get(word)
        if kind is None:
            if not word:
                problem = f"a kind is missing; known are {', '.join(KINDS)}"
            else:
                known = (*KINDS, *(cls.kind for cls in BALANCERS))
                problem = f"no kind {quoted(word)}; {suggestion(word, known)}"
                if word in known:
                    problem = f"{word} is a kind of balancer; use its class"
            self.faults.add(self.at("kind"), problem)
        return kind

    def unread(self, kind: Kind) -> None:
        """Refuse settings that nothing would read for this kind."""
        provider = self.provider
        blank = Provider(kind.name)
        names: list[str] = []
        if kind.in_process:
            names += _WIRE_ONLY
        if kind.name != "custom":
            names += ("cls", "options")
        if kind.name != "simulated":
            names += ("simulation",)
        if not (kind.versioned or self.dialect(kind) in _VERSIONED_DIALECTS):
            names += ("api_version",)
        if Capability.STRUCTURED_OUTPUT not in self.capabilities(kind):
            names += ("structured_output",)
        if not self.does(kind, EmbedRequest):
            names += ("embedding_model",)
        if not self.does(kind, ModerateRequest):
            names += ("moderation_model",)
        for field in attrs.fields(Provider):
            if field.name in names and getattr(provider, field.name) != getattr(blank, field.name):
                self.faults.add(
                    self.at(key_of(field)),
                    f"a provider of the kind {kind.name} has no use for it; leave it out",
                )

    def dialect(self, kind: Kind) -> str | None:
        return None if kind.in_process else self.provider.dialect or kind.dialect

    def quirks(self, kind: Kind, base_url: str | None) -> Quirks:
        quirks, provider = kind.quirks_at(base_url), self.provider
        return attrs.evolve(
            quirks,
            version=quirks.version if provider.api_version is None else provider.api_version,
            output=provider.structured_output or quirks.output,
        )

    def capabilities(self, kind: Kind) -> frozenset[Capability]:
        words = self.provider.capabilities
        if words is None:
            return kind.capabilities
        return frozenset(word for word in words if isinstance(word, Capability))

    def does(self, kind: Kind, operation: type[Operation]) -> bool:
        """Whether it offers an operation, and its dialect can ask for it."""
        dialect = DIALECTS.get(self.dialect(kind) or "")
        spoken = dialect is None or operation in dialect.operations
        return spoken and operation.needs <= self.capabilities(kind)

    def base_url(self, kind: Kind) -> str | None:
        given = self.provider.base_url
        if kind.in_process or not self.sound("base_url"):
            return None
        if given is not None:
            return given.rstrip("/")
        moved = url_from_environment(kind, self.environ)
        if moved is not None:
            variable, url = moved
            url += urlsplit(kind.dialect_urls.get(self.dialect(kind) or "", "")).path
            problem = is_base_url(url)
            if problem is not None:
                self.faults.add(self.at("base_url"), f"environment variable {variable}: {problem}")
            return url
        if kind.base_url is None:
            self.faults.add(
                self.at("base_url"), f"missing; the kind {kind.name} needs the server's URL"
            )
        if not (kind.url_parts and self.provider.enabled):
            return kind.url_in(self.dialect(kind))
        filled, problems = kind.fill(self.dialect(kind), self.environ)
        flaw = None if filled is None else is_base_url(filled)
        if flaw is not None:
            variables = ", ".join(name for p in kind.url_parts.values() for name in p.variables)
            problems.append(f"environment variable {variables}: {flaw}")
        for problem in problems:
            self.faults.add(self.at("base_url"), problem)
        return filled

    def key(self, kind: Kind) -> Secret | KeySource | None:
        provider = self.provider
        if kind.in_process or any(
            self.faults.touch(self.at(place))
            for place in ("api_key", "api_key_env", "api_key_envs")
        ):
            return None
        given = [
            name
            for name in ("api_key_env", "api_key_envs", "api_key")
            if getattr(provider, name) not in (None, ())
        ]
        if len(given) > 1:
            self.faults.add(self.at(given[-1]), f"given together with {given[0]}; give one")
        if provider.api_key is not None:
            return provider.api_key
        if provider.api_key_envs:
            return None
        variable = self.key_variable(kind)
        value = "" if variable is None else self.environ.get(variable, "").strip()
        if value:
            problem = key_problem(value)
            if problem is not None:
                self.faults.add(
                    self.at("api_key_env"),
                    f"environment variable {shown_variable(variable or '')}: {problem}",
                )
            return Secret(value)
        if provider.enabled and (kind.key_required or provider.api_key_env is not None):
            several = () if provider.api_key_env else kind.key_variables[1:]
            if variable is None:
                problem = "missing; name the environment variable that holds the key"
            elif several:
                problem = (
                    f"none of the environment variables {', '.join(kind.key_variables)} is "
                    "set; export one or set api_key_env"
                )
            else:
                problem = (
                    f"environment variable {shown_variable(variable)} is not set; "
                    "export it or set api_key_env"
                )
            self.faults.add(self.at("api_key_env"), problem)
        return None

    def key_variable(self, kind: Kind) -> str | None:
        return self.provider.api_key_env or kind.key_variable(self.environ)

    def model(self, kind: Kind) -> str | None:
        model = self.provider.model or kind.default_model
        if model is None and not kind.in_process and self.sound("model"):
            self.faults.add(
                self.at("model"), f"missing; the kind {kind.name} has no model of its own"
            )
        return model

    def operation_models(self, kind: Kind) -> dict[type[Operation], str]:
        provider = self.provider
        models = {
            EmbedRequest: provider.embedding_model or kind.embedding_model,
            ModerateRequest: provider.moderation_model or kind.moderation_model,
        }
        return {operation: model for operation, model in models.items() if model is not None}

    def retry(self) -> RetryRule:
        retry = self.provider.retry
        sound = self.sound("retry") and not self.faults.touch(self.at("retry"))
        retry = retry if sound else Retry()
        return RetryRule(retry.attempts, retry.base_delay, retry.max_delay)

    def retries(self, usual: RetryRule) -> dict[type[ProviderError], RetryRule]:
        retry = self.provider.retry
        if not isinstance(retry, Retry) or not is_table(retry.errors):  # pyright: ignore[reportUnnecessaryIsInstance]
            return {}
        return resolve_retries(retry.errors, usual, under(self.at("retry"), "errors"), self.faults)

    def price(self) -> Price | None:
        price = self.provider.price
        if not isinstance(price, PriceSettings) or self.faults.touch(self.at("price")):
            return None
        return price_of(price)

    def prices(self) -> PriceTable:
        return resolve_prices(self.provider.prices, self.at("prices"), self.faults)

    def custom(self, kind: Kind) -> object:
        provider = self.provider
        if kind.name != "custom" or not provider.enabled or not self.sound("options"):
            return None
        try:
            return find_custom(provider.cls, provider.options)
        except LookupError as error:
            problem = str(error)
        self.faults.add(self.at("class"), problem)
        return None


def resolve_provider(
    name: str, path: str, provider: Provider, environ: Mapping[str, str], faults: Faults
) -> ResolvedProvider | None:
    """Make one provider whole; what is wrong goes to `faults`.

    Gives ``None`` when its kind is unknown, so that nothing else can be said.
    """
    work = _Resolution(name, path, faults.mended(provider, path), environ, faults)
    kind = work.kind()
    if kind is None:
        return None
    work.unread(kind)
    model = work.model(kind)
    base_url = work.base_url(kind)
    retry = work.retry()
    custom = work.custom(kind)
    continues = work.provider.continues
    return ResolvedProvider(
        name=name,
        kind=kind,
        model=model,
        models=frozenset(word for word in (model, *work.provider.models) if word is not None),
        dialect=work.dialect(kind),
        quirks=work.quirks(kind, base_url),
        base_url=base_url,
        key=work.key(kind),
        key_variable=work.key_variable(kind),
        capabilities=work.capabilities(kind),
        operation_models=work.operation_models(kind),
        blames=resolve_blames(work.provider.errors, work.at("errors"), faults),
        retry=retry,
        retries=work.retries(retry),
        price=work.price(),
        prices=work.prices(),
        continues=(
            kind.continues or getattr(custom, "continues", False) is True
            if continues is None
            else continues
        ),
        custom=custom,
        simulation=work.provider.simulation or Simulation(),
        settings=provider,
    )
