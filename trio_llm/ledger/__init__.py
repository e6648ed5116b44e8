"""What models cost: where the figures come from, and what a use of tokens amounts to."""

from trio_llm.ledger.books import installed_book as installed_book
from trio_llm.ledger.books import open_book as open_book
from trio_llm.ledger.genai import GenaiPrices as GenaiPrices
from trio_llm.ledger.prices import Listing as Listing
from trio_llm.ledger.prices import NoPrices as NoPrices
from trio_llm.ledger.prices import PriceBook as PriceBook
from trio_llm.ledger.prices import amount as amount
