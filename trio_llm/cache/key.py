"""The key of an answer: equal for two calls exactly if one answer may serve both.

This is the specification of version 1. A key is the BLAKE2b digest, 32 bytes long, of
these pieces, in this order:

1. the ASCII text ``trio_llm cache 1`` and a line feed, the number being `VERSION`;
2. the *fingerprint* of the endpoint that is asked, 32 bytes;
3. the *digest* of the request, 32 bytes;
4. ``prefer``, in UTF-8 (lone surrogates as they are), or nothing without one.

The **fingerprint** is the BLAKE2b digest, 32 bytes long, of a JSON document: keys sorted,
no white space, all that is not ASCII escaped. It has two entries: ``endpoint``, the name of
the one that is asked, and ``nodes``, which describes by its name everyone that may come to
be asked on its behalf:

- a provider by ``kind``, ``dialect``, ``base_url``, ``model``, ``models`` (sorted), and
  ``runs``: where it runs in this process, the address of its class, or the text that it is
  to simulate;
- a balancer by ``kind``, ``strategy``, ``members`` (in their order), ``primary``,
  ``models``, ``virtual_models`` and ``advisers`` (the judge, the embedder, the specialists).

A provider with several keys is described as the one provider that it is. What only says
how somebody is reached is no part of it: keys, headers, proxies, limits, prices, weights.
Of an instance or the options of a custom class nothing is known, so they are no part either.

The **digest** is that of `trio_llm.chat.digest.digest_of`: BLAKE2b over the fields of the
request in the order of their declaration, each by its name and its value. Fields that are
``None`` are left out, and so are ``cache``, ``metadata``, ``prefer``, ``max_attempts``,
``on_interrupt``, ``side_effects`` and ``tags``. The user is in it, so nobody is given what
was answered to another; the functions of tools are not. A value is written as its class, a
colon, its length, a semicolon, and its content: text in UTF-8, a list as its items, a table
as its keys and values in the order of the keys, a record as its fields, a float without a
fraction as the integer.

Whether the answer is streamed is no part of a key: a stream may be answered by what a plain
call was answered, and the other way round.

Whoever changes any of this raises `VERSION`; a test holds a key of each form against that.
"""

import hashlib
import json
from typing import Any, Final

from trio_llm.chat import Request
from trio_llm.chat.digest import digest_of
from trio_llm.config import Plan, ResolvedBalancer, ResolvedProvider

VERSION: Final = 1
"""The version of all that this module says."""

_HEAD: Final = b"trio_llm cache %d\n" % VERSION
_SIZE: Final = 32


def key_of(fingerprint: bytes, request: Request) -> bytes | None:
    """Give the key of a request to an endpoint; ``None`` if it is nested too deeply for one."""
    digest = digest_of(request)
    if digest is None:
        return None
    prefer = (request.prefer or "").encode("utf-8", "surrogatepass")
    whole = b"".join((_HEAD, fingerprint, digest, prefer))
    return hashlib.blake2b(whole, digest_size=_SIZE).digest()


def fingerprint_of(plan: Plan, name: str) -> bytes:
    """Give the fingerprint of an endpoint under a plan."""
    nodes: dict[str, dict[str, Any]] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each in nodes:
            continue
        balancer = plan.balancers.get(each)
        if balancer is None:
            nodes[each] = _provider(plan.providers[each])
        elif balancer.is_provider:
            nodes[each] = _provider(plan.providers[balancer.members[0]])
        else:
            nodes[each] = _balancer(balancer)
            waiting += balancer.members
            waiting += [adviser for row in balancer.advisers.values() for adviser in row]
    document = json.dumps({"endpoint": name, "nodes": nodes}, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(document.encode("ascii"), digest_size=_SIZE).digest()


def _provider(resolved: ResolvedProvider) -> dict[str, Any]:
    return {
        "kind": resolved.kind.name,
        "dialect": resolved.dialect,
        "base_url": resolved.base_url,
        "model": resolved.model,
        "models": sorted(resolved.models),
        "runs": _runs(resolved),
    }


def _runs(resolved: ResolvedProvider) -> str | None:
    custom = resolved.custom
    if custom is not None:
        cls = custom if isinstance(custom, type) else type(custom)
        return f"{cls.__module__}:{cls.__qualname__}"
    return resolved.simulation.text


def _balancer(resolved: ResolvedBalancer) -> dict[str, Any]:
    settings = resolved.settings
    return {
        "kind": settings.kind,
        "strategy": getattr(settings, "strategy", None),
        "members": resolved.members,
        "primary": resolved.primary,
        "models": dict(settings.models),
        "virtual_models": {name: dict(each) for name, each in settings.virtual_models.items()},
        "advisers": dict(resolved.advisers),
    }
