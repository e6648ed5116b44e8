"""The cache: answers that are given again, and calls that callers share."""

from trio_llm.cache.answers import AnswerCache as AnswerCache
from trio_llm.cache.answers import Found as Found
from trio_llm.cache.control import CacheControl as CacheControl
from trio_llm.cache.event_log import Cursor as Cursor
from trio_llm.cache.event_log import EventLog as EventLog
from trio_llm.cache.flight import Flight as Flight
from trio_llm.cache.flight import Origin as Origin
from trio_llm.cache.flight import Seat as Seat
from trio_llm.cache.flights import Flights as Flights
from trio_llm.cache.statistics import CacheStatistics as CacheStatistics
