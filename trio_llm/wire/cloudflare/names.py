"""The names that several sides of this dialect share."""

from urllib.parse import quote

DIALECT = "cloudflare_run"

_PREFIX = "/run/"


def run_path(model: str) -> str:
    """Give the path at which a model is run."""
    return f"{_PREFIX}{quote(model, safe='/@:')}"
