"""A configuration made of nothing but the environment."""

from collections.abc import Mapping

from trio_llm.config.provider import url_from_environment
from trio_llm.config.schema import Provider, Race
from trio_llm.config.settings import Simulation
from trio_llm.config.tree import Config
from trio_llm.providers.catalogue import KINDS


def simulated_config() -> Config:
    """Give three simulated providers of different speed, and a race over them."""
    providers = {
        f"sim-{number}": Provider("simulated", simulation=Simulation(latency=latency, seed=number))
        for number, latency in enumerate((0.6, 0.2, 0.4), start=1)
    }
    return Config(providers=providers, default=Race(tuple(providers)))


def config_from_environment(environ: Mapping[str, str]) -> Config:
    """Give one provider for every kind that the environment sets up.

    That is every kind of which a key variable is set, and what its URL needs
    besides (CLOUDFLARE_ACCOUNT_ID, AZURE_OPENAI_ENDPOINT), and Ollama when OLLAMA_URL
    or OLLAMA_HOST is; of two kinds with the same key, the first. Several are asked
    one after the other, in the order of the catalogue. With none, `simulated_config`.
    """
    providers = {
        kind.name: Provider(kind.name)
        for kind in KINDS.values()
        if kind.from_environment
        and (kind.set_up(environ) or url_from_environment(kind, environ) is not None)
    }
    return Config(providers=providers) if providers else simulated_config()
