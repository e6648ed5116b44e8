"""Actors on Trio: envelope, mailbox, supervision. Knows nothing of LLMs.

An actor is a `Behaviour` in a `Cell`. The cell owns both ends of the mailbox, so
that what is queued survives a restart, and answers whatever is left when it
ends. Every accepted envelope is decided exactly once and settled exactly once.
"""

from trio_llm.actors.cell import ActorCrash as ActorCrash
from trio_llm.actors.cell import ActorState as ActorState
from trio_llm.actors.cell import AnyCell as AnyCell
from trio_llm.actors.cell import Behaviour as Behaviour
from trio_llm.actors.cell import Cell as Cell
from trio_llm.actors.cell import Lifecycle as Lifecycle
from trio_llm.actors.cell import Refused as Refused
from trio_llm.actors.envelope import Envelope as Envelope
from trio_llm.actors.envelope import Releasable as Releasable
from trio_llm.actors.envelope import dismiss as dismiss
from trio_llm.actors.restart import RestartIntensity as RestartIntensity
from trio_llm.actors.supervisor import Supervisor as Supervisor
