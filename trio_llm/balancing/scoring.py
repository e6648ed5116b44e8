"""How good the whole answers of a race are: by a function, or by the word of a judge."""

import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import attrs
import trio

from trio_llm import events
from trio_llm.balancing.advice import Adviser
from trio_llm.balancing.arrivals import Arrivals, last_call
from trio_llm.balancing.grace import GracedRace, Scores
from trio_llm.balancing.turn import Branch
from trio_llm.chat import Completion, Request
from trio_llm.policy.completeness import completeness, first_score_in, judge_prompt
from trio_llm.providers.node import Node

Scorer: TypeAlias = Callable[[Request, Completion], Any]
"""Gives a number for an answer, the more the better, at once or when awaited."""

_logger = logging.getLogger("trio_llm.balancing")


@attrs.frozen
class ScoredByFunction:
    """Has a function score each answer.

    A function of the user's own may raise, or give what is no number: the answer that it
    was asked about is then the worst, and the call goes on. What it does asynchronously
    it does for all answers at once, in the time that the race has left.

    Args:
        scorer: The function.
    """

    scorer: Scorer = completeness

    async def __call__(self, race: GracedRace, found: Sequence[Branch]) -> Scores:
        """Score what was found."""
        scores: dict[Branch, float | None] = dict.fromkeys(found)
        coming: dict[Branch, Awaitable[Any]] = {}
        for entrant in _declared(found):
            try:
                value = self.scorer(_request(race), completion_of(entrant))
                if inspect.isawaitable(value):
                    coming[entrant] = value
                else:
                    scores[entrant] = _number(value)
            except Exception as error:  # noqa: BLE001 - the scorer is the user's own code
                _raised(race, entrant, error)
        if not coming:
            return Scores(scores, race.arrivals.instant)
        late = set(coming)

        async def wait_for(entrant: Branch, value: Awaitable[Any]) -> None:
            try:
                scores[entrant] = _number(await value)
            except Exception as error:  # noqa: BLE001 - as above
                _raised(race, entrant, error)
            late.discard(entrant)

        with trio.move_on_at(_until(race)):
            async with trio.open_nursery() as nursery:
                for entrant, value in coming.items():
                    nursery.start_soon(wait_for, entrant, value)
        for entrant in coming:
            if entrant in late:
                _missing(race, entrant, "no score in time")
        return Scores(scores, trio.current_time())


@attrs.frozen
class ScoredByJudge:
    """Has a model judge each answer, all at once, in the time that the race has left.

    One of which the judge says nothing usable is scored by `completeness`, from 0 to 1
    like the others. A single answer needs no judge.

    Args:
        judge: Who is asked.
    """

    judge: Node

    async def __call__(self, race: GracedRace, found: Sequence[Branch]) -> Scores:
        """Score what was found."""
        request = _request(race)
        if len(found) == 1:
            score = completeness(request, completion_of(found[0]))
            return Scores({found[0]: score}, race.arrivals.instant)
        turn, until = race.turn, _until(race)
        adviser = Adviser(turn, self.judge)
        arrivals = Arrivals(turn, whole=True)
        judged: dict[Branch, Branch] = {}
        scores: dict[Branch, float | None] = {}
        for entrant in _declared(found):
            if trio.current_time() >= until:
                adviser.missing(entrant, "no time left")
                continue
            question = _question(request, completion_of(entrant))
            branch = adviser.ask(question, entrant, until)
            if branch is not None:
                race.asides.append(branch)
                judged[branch] = entrant
                arrivals.watch(branch)
        while judged:
            came = await arrivals.next(until)
            for branch in came:
                entrant = judged.pop(branch)
                failure = arrivals.failure(branch)
                said = "" if failure else completion_of(branch).message.text
                scores[entrant] = first_score_in(said)
                if scores[entrant] is None:
                    adviser.missing(entrant, failure or "no score in the judge's reply")
            if not came:
                break
        for entrant in judged.values():
            adviser.missing(entrant, "no score in time")
        for entrant in found:
            if scores.get(entrant) is None:
                scores[entrant] = completeness(request, completion_of(entrant))
        return Scores(scores, max(race.arrivals.instant, arrivals.instant))


def completion_of(branch: Branch) -> Completion:
    """Give the whole answer of one who was asked for a conversation."""
    answer = branch.ask.value
    if answer is None or not isinstance(answer.result, Completion):
        raise TypeError("it has not answered with a completion")
    return answer.result


def _question(request: Request, completion: Completion) -> Request:
    return Request(
        messages=judge_prompt(request, completion),
        temperature=0,
        user=request.user,
        tags=request.tags,
    )


def _request(race: GracedRace) -> Request:
    request = race.turn.request
    if not isinstance(request, Request):
        raise TypeError("only answers to a conversation are scored")
    return request


def _until(race: GracedRace) -> float:
    return min(race.deadline, last_call(race.turn))


def _declared(found: Sequence[Branch]) -> list[Branch]:
    return sorted(found, key=lambda entrant: entrant.candidate.index)


def _number(value: object) -> float:
    if isinstance(value, str | bytes):
        raise TypeError(f"a score must be a number, not {type(value).__name__}")
    score = float(value)  # type: ignore[arg-type]
    if math.isnan(score):
        raise ValueError("a score must be a number, not NaN")
    return score


def _raised(race: GracedRace, entrant: Branch, error: Exception) -> None:
    name = entrant.candidate.node.name
    _logger.warning("the scorer raised on the answer of %r", name, exc_info=error)
    _missing(race, entrant, f"{type(error).__name__}: {error}")


def _missing(race: GracedRace, entrant: Branch, reason: str) -> None:
    race.turn.emit(events.AdviceMissing, "scorer", entrant.candidate.node.name, reason)
