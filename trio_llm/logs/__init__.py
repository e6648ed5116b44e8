"""Logging: the event stream in sentences, by the standard `logging`, one logger per room."""

from trio_llm.logs.claims import CLAIMS as CLAIMS
from trio_llm.logs.event_log import EventLog as EventLog
from trio_llm.logs.event_log import logging_events as logging_events
