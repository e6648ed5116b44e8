"""Makes the actor of one provider: its places, limits and backend."""

from trio_llm import errors
from trio_llm.assembly.surroundings import Surroundings
from trio_llm.chat import OPERATIONS, EmbedRequest, ListModels, ModerateRequest, Price, ShowModel
from trio_llm.config import Config, ResolvedProvider, Secret
from trio_llm.ledger import open_book
from trio_llm.policy import Cooldown, TimeLimits
from trio_llm.providers.actor import ProviderActor
from trio_llm.providers.backend import Backend
from trio_llm.providers.custom import CustomBackend, is_backend
from trio_llm.providers.custom_operations import operations_of
from trio_llm.providers.estimate import EstimatingBackend
from trio_llm.providers.kind import UNPRICED
from trio_llm.providers.lease import Occupancy
from trio_llm.providers.limits import BatchLimits, ProviderLimits
from trio_llm.providers.pricing import PriceSource, Pricing
from trio_llm.providers.simulated import SimulatedBackend
from trio_llm.providers.structured import NO_LIMITS, NativeLimits, OutputMode, StructuredBackend
from trio_llm.providers.timed import TimedBackend


def provider_actor(
    resolved: ResolvedProvider, config: Config, around: Surroundings, seed: int
) -> ProviderActor:
    """Make the actor of a provider; its cell is made by whoever starts it."""
    settings = resolved.settings
    declared = settings.capabilities is not None
    documented = resolved.kind.limits
    backend = EstimatingBackend(_backend(resolved, config, around, seed))
    offered = frozenset(kind for kind in OPERATIONS if kind.needs <= resolved.capabilities)
    if not resolved.kind.lists_models(resolved.base_url):
        offered -= {ListModels, ShowModel}
    return ProviderActor(
        resolved.name,
        resolved.kind.name,
        backend,
        occupancy=Occupancy(settings.max_concurrency, settings.mailbox),
        cooldown=Cooldown(
            settings.cooldown.initial, settings.cooldown.maximum, settings.cooldown.after_failures
        ),
        limits=ProviderLimits(
            model=resolved.model or (resolved.name if resolved.kind.in_process else None),
            models=frozenset(settings.models),
            capabilities=resolved.capabilities if declared else None,
            operations=offered & backend.operations,
            operation_models=resolved.operation_models,
            batches={
                EmbedRequest: BatchLimits(documented.embed_texts, documented.embed_tokens),
                ModerateRequest: BatchLimits(documented.moderate_texts),
            },
            continues=resolved.continues,
            max_tokens=settings.max_tokens_per_request,
            stop=documented.stop,
            retries=settings.retry.attempts,
            base_delay=settings.retry.base_delay,
            max_delay=settings.retry.max_delay,
        ),
        blames=resolved.blames,
        stream=around.events,
        wall_clock=around.wall_clock,
        retries=around.retries,
        seed=seed,
        pricing=Pricing(_prices(resolved)),
    )


def _prices(resolved: ResolvedProvider) -> PriceSource:
    """Give where the prices of a provider come from: its configuration, or the installed book."""
    own = resolved.price

    def find(model: str) -> Price | None:
        if own is not None:
            return own
        if resolved.kind.name in UNPRICED:
            return None
        listing = open_book().find(resolved.kind.name, model)
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
