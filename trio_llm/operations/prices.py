"""What a reply cost, as far as the installed prices tell."""

from collections.abc import Mapping
from decimal import Decimal

from trio_llm.chat import Reply
from trio_llm.ledger import amount, open_book


def cost_of(reply: Reply, kinds: Mapping[str, str]) -> Decimal | None:
    """Give the cost of the exchange that won, in US dollars; ``None`` if unknown.

    Args:
        reply: The reply.
        kinds: The kind of each provider, by name.
    """
    if not reply.usage.total_tokens:
        return None
    listing = open_book().find(kinds.get(reply.provider, ""), reply.model)
    if listing is None or listing.price is None:
        return None
    return amount(listing.price, reply.usage)
