"""Makes the actor of one provider: its places, limits and backend."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from trio_llm import errors
from trio_llm.assembly.surroundings import Surroundings
from trio_llm.chat import OPERATIONS, EmbedRequest, ListModels, ModerateRequest, Price, ShowModel
from trio_llm.config import Config, ResolvedProvider, Secret
from trio_llm.ledger import open_book
from trio_llm.policy import Breaker, Cooldown, TimeLimits
from trio_llm.providers.actor import ProviderActor
from trio_llm.providers.backend import Backend
from trio_llm.providers.circuit import Circuit
from trio_llm.providers.custom import CustomBackend, is_backend
from trio_llm.providers.custom_operations import operations_of
from trio_llm.providers.estimate import EstimatingBackend
from trio_llm.providers.faults import Faults
from trio_llm.providers.gate import Gate
from trio_llm.providers.kind import FREE, UNPRICED
from trio_llm.providers.limits import BatchLimits, ProviderLimits
from trio_llm.providers.places import Places
from trio_llm.providers.pricing import PriceSource, Pricing
from trio_llm.providers.probe_plan import ProbePlan
from trio_llm.providers.rates import RateLimits, Rates
from trio_llm.providers.simulated import SimulatedBackend
from trio_llm.providers.structured import NO_LIMITS, NativeLimits, OutputMode, StructuredBackend
from trio_llm.providers.timed import TimedBackend

_NOTHING: Final = Price(Decimal(0), Decimal(0), source="kind")


def provider_actor(
    resolved: ResolvedProvider, config: Config, around: Surroundings, seed: int
) -> ProviderActor:
    """Make the actor of a provider; its cell is made by whoever starts it."""
    settings = resolved.settings
    backend = EstimatingBackend(_backend(resolved, config, around, seed))
    check = settings.health_check
    return ProviderActor(
        resolved.name,
        resolved.kind.name,
        backend,
        gate=_gate(resolved, around, seed),
        limits=_limits(resolved, backend),
        faults=Faults(resolved.name, resolved.blames),
        stream=around.events,
        wall_clock=around.wall_clock,
        retries=around.retries,
        accounts=around.accounts,
        seed=seed,
        probes=ProbePlan(
            interval=check.interval,
            jitter=check.jitter,
            timeout=check.timeout,
            lists_models=check.call == "models",
            close_deadline=config.close_deadline,
        ),
    )


def _gate(resolved: ResolvedProvider, around: Surroundings, seed: int) -> Gate:
    settings = resolved.settings
    cooldown, breaker, rates = settings.cooldown, settings.breaker, settings.rate_limit
    return Gate(
        Places(settings.max_concurrency, settings.hold_after_cancel),
        Circuit(
            resolved.name,
            Breaker(
                Cooldown(cooldown.initial, cooldown.maximum, cooldown.after_failures),
                breaker.ratio,
                breaker.window,
                breaker.minimum_calls,
                breaker.jitter,
                breaker.quota_rest,
                breaker.authentication_rest,
            ),
            around.events,
            seed,
            fixed_key=isinstance(resolved.key, Secret),
        ),
        Rates(
            RateLimits(
                requests_per_minute=rates.requests_per_minute,
                tokens_per_minute=rates.tokens_per_minute,
                requests_per_day=rates.requests_per_day,
                waits=rates.on_limit == "wait",
                learns=rates.learn,
            ),
            Pricing(_prices(resolved), around.wall_clock),
        ),
        settings.mailbox,
    )


def _limits(resolved: ResolvedProvider, backend: Backend) -> ProviderLimits:
    settings, documented = resolved.settings, resolved.kind.limits
    offered = frozenset(kind for kind in OPERATIONS if kind.needs <= resolved.capabilities)
    if not resolved.kind.lists_models(resolved.base_url):
        offered -= {ListModels, ShowModel}
    return ProviderLimits(
        model=resolved.model or (resolved.name if resolved.kind.in_process else None),
        models=frozenset(settings.models),
        capabilities=resolved.capabilities,
        operations=offered & backend.operations,
        operation_models=resolved.operation_models,
        batches={
            EmbedRequest: BatchLimits(documented.embed_texts, documented.embed_tokens),
            ModerateRequest: BatchLimits(documented.moderate_texts),
        },
        continues=resolved.continues,
        max_tokens=settings.max_tokens_per_request,
        stop=documented.stop,
        context_window=settings.context_window,
        retry=resolved.retry,
        retries=resolved.retries,
    )


def _prices(resolved: ResolvedProvider) -> PriceSource:
    """Give where the prices of a provider come from: its configuration, or the installed book."""

    def find(model: str, at: datetime) -> Price | None:
        stated = resolved.prices.find(model, at.date()) or resolved.price
        if stated is not None:
            return stated
        if resolved.kind.name in UNPRICED:
            return _NOTHING if resolved.kind.name in FREE else None
        listing = open_book().find(resolved.kind.name, model, at)
        return None if listing is None else listing.price

    return find


def _backend(
    resolved: ResolvedProvider, config: Config, around: Surroundings, seed: int
) -> Backend:
    settings = resolved.settings
    timeouts = settings.timeouts
    limits = TimeLimits(timeouts.connect, timeouts.first_token, timeouts.idle, timeouts.total)
    if resolved.dialect is None or resolved.base_url is None:
        return _shaped(TimedBackend(_in_process(resolved, seed), limits), _own_means(resolved))
    # Imported here: the HTTP library is half of this library's import time.
    from trio_llm.providers.http import HttpBackend, Remote  # noqa: PLC0415

    key = resolved.key
    remote = Remote(
        name=resolved.name,
        dialect=resolved.dialect,
        base_url=resolved.base_url,
        usual_url=resolved.kind.url_in(resolved.dialect) or "",
        key=key.reveal() if isinstance(key, Secret) else key,
        limits=limits,
        headers=dict(settings.headers),
        proxy=settings.proxy,
        verify=settings.verify,
        close_deadline=config.close_deadline,
        quirks=resolved.quirks,
        operations=OPERATIONS,
    )
    backend = HttpBackend(remote, transport=around.transport, wall_clock=around.wall_clock)
    quirks = resolved.quirks
    # Who says how a shape is asked for has it so.
    if settings.structured_output is not None:
        return _shaped(backend, quirks.output)
    natively = NativeLimits(quirks.output_excludes_tools, closed=quirks.output_closed)
    return _shaped(backend, quirks.output, natively)


def _own_means(resolved: ResolvedProvider) -> OutputMode:
    """Tell how a provider in this process is asked for a shape: it says so if it has means."""
    said = getattr(resolved.custom, "structured_output", False)
    return "native" if resolved.kind.name == "simulated" or said is True else "prompt"


def _shaped(backend: Backend, mode: OutputMode, limits: NativeLimits = NO_LIMITS) -> Backend:
    if mode == "native" and limits == NO_LIMITS:
        return backend
    return StructuredBackend(backend, mode, limits)


def _in_process(resolved: ResolvedProvider, seed: int) -> Backend:
    if resolved.kind.name == "simulated":
        simulation = resolved.simulation
        return SimulatedBackend(
            name=resolved.name,
            latency=simulation.latency,
            jitter=simulation.jitter,
            text=simulation.text,
            chunks=simulation.chunks,
            gap=simulation.gap,
            failure_rate=simulation.failure_rate,
            fail_with=getattr(errors, simulation.fail_with),
            seed=seed ^ simulation.seed,
        )
    custom = resolved.custom
    if isinstance(custom, type):
        options = dict(resolved.settings.options)
        return CustomBackend(lambda: custom(**options), resolved.model, operations_of(custom))
    if is_backend(custom):
        return custom
    return CustomBackend(lambda: custom, resolved.model, operations_of(custom))
