"""A simulated upstream server, with faults, over real sockets."""

from trio_llm.testing.upstream.behaviour import Behaviour as Behaviour
from trio_llm.testing.upstream.behaviour import Fault as Fault
from trio_llm.testing.upstream.behaviour import Script as Script
from trio_llm.testing.upstream.behaviour import Timetable as Timetable
from trio_llm.testing.upstream.memory import MemoryUpstream as MemoryUpstream
from trio_llm.testing.upstream.record import Served as Served
from trio_llm.testing.upstream.record import ServedOutcome as ServedOutcome
from trio_llm.testing.upstream.record import digest as digest
from trio_llm.testing.upstream.server import Upstream as Upstream
from trio_llm.testing.upstream.server import UpstreamStatistics as UpstreamStatistics
from trio_llm.testing.upstream.server import open_upstream as open_upstream
