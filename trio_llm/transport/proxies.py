"""Which proxy the environment names for an origin.

``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, in the reading of the
standard library; `httpx.AsyncHTTPTransport` alone does not look at them.
"""

from urllib.request import getproxies, proxy_bypass


def proxy_from_environment(scheme: str, authority: str) -> str | None:
    """Give the URL of the proxy for one origin, or ``None`` for a direct connection.

    Args:
        scheme: ``http`` or ``https``.
        authority: The host, with its port if it is not the scheme's own.
    """
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(authority):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
