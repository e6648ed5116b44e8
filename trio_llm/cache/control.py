"""What a runtime's user sees of its cache."""

import attrs

from trio_llm.cache.answers import AnswerCache
from trio_llm.cache.flights import Flights
from trio_llm.cache.statistics import CacheStatistics


@attrs.frozen(eq=False, repr=False)
class CacheControl:
    """The answers that a runtime keeps, and the calls that its callers share."""

    _answers: AnswerCache
    _flights: Flights

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.statistics()!r}>"

    def statistics(self) -> CacheStatistics:
        """Give the counts since the runtime began."""
        return attrs.evolve(
            self._answers.statistics(),
            shared=self._flights.shared,
            under_way=self._flights.under_way,
        )

    async def clear(self) -> int:
        """Forget every answer that is kept; give how many there were.

        Calls that are under way may keep theirs after that.

        Raises:
            StoreError: The store does not work; what it holds stays.
        """
        return await self._answers.clear()
