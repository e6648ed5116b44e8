"""Money: what models cost, what each attempt was booked with, and the budgets over it."""

from trio_llm.ledger.accounts import Accounts as Accounts
from trio_llm.ledger.accounts import Entry as Entry
from trio_llm.ledger.accounts import Spent as Spent
from trio_llm.ledger.books import installed_book as installed_book
from trio_llm.ledger.books import open_book as open_book
from trio_llm.ledger.genai import GenaiPrices as GenaiPrices
from trio_llm.ledger.journal import Journal as Journal
from trio_llm.ledger.prices import DatedPrice as DatedPrice
from trio_llm.ledger.prices import Listing as Listing
from trio_llm.ledger.prices import NoPrices as NoPrices
from trio_llm.ledger.prices import PriceBook as PriceBook
from trio_llm.ledger.prices import PriceTable as PriceTable
from trio_llm.ledger.prices import amount as amount
from trio_llm.ledger.reports import Ledger as Ledger
from trio_llm.ledger.reports import Projection as Projection
