"""TLS contexts, shared: loading the certificates of one costs 16 ms of CPU."""

import functools
import os
import ssl
from typing import TypeAlias

from trio_llm.transport.library import httpx

Verify: TypeAlias = "bool | str | ssl.SSLContext"
"""``True``: the usual authorities; ``False``: no check; a path: authorities from
this file; or a context of one's own."""


def context_for(verify: Verify) -> ssl.SSLContext:
    """Give the context of a setting; equal settings share one.

    Raises:
        OSError: The file of authorities cannot be read.
        ssl.SSLError: It holds no certificate.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    # The variables that OpenSSL reads belong to the key: a context made before
    # they were changed must not serve afterwards.
    return load_context(verify, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.lru_cache(maxsize=16)
def load_context(verify: bool | str, _file: str | None, _directory: str | None) -> ssl.SSLContext:
    """Load a context anew for each different set of arguments."""
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return httpx.create_ssl_context(verify=verify)


@functools.cache
def unused_context() -> ssl.SSLContext:
    """Give a context for origins without TLS.

    A transport insists on one, and would load every authority for it. This one
    trusts nobody, so that it fails closed if it were ever used.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
