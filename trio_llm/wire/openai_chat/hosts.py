"""The hosts of a model that a router passes on to one of several."""

from typing import Any

from trio_llm.wire.values import as_list, as_object


def hosts_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the hosts of a model, those that are up; none where there is no router."""
    hosts = [as_object(item) for item in as_list(entry.get("providers"))]
    return [host for host in hosts if host.get("status") in (None, "live")]
