"""Batch: many prompts, so many at once, and an outcome for each.

Prompts are read one by one, each when there is a place for it. A prompt that has been
read holds its place in the *window*, of twice the limit, until its outcome is taken:
so a slow consumer slows the reading, and in ordered mode no more outcomes than that
wait for the one before them. A prompt that finds every line full waits until another
of the batch has ended.
"""

import inspect
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import attrs
import trio

from trio_llm.chat import Message, Reply, Request
from trio_llm.errors import InvalidRequestError, LLMError
from trio_llm.operations.asking import only_failure
from trio_llm.operations.backlog import Backlog
from trio_llm.prompt import CallOptions, Prompt, to_request
from trio_llm.switchboard import Switchboard

if TYPE_CHECKING:
    from trio_llm.endpoint.inquiry import Inquiry

Prompts: TypeAlias = Iterable[Prompt] | AsyncIterable[Prompt]
Outcome: TypeAlias = tuple[int, Reply | LLMError]

WINDOW: Final = 2
"""How many times the limit may have been read and not been taken."""

_END: Final = object()


@attrs.define(eq=False, repr=False)
class BatchResults:
    """The outcomes of a batch: ``(index, reply or error)``, as they come or in order.

    Attributes:
        spoilt: What the prompts raised while they were closed, after the block was left.
    """

    _board: Switchboard
    _name: str
    _inquire: "Callable[[Request], Inquiry]"
    _prompts: Prompts
    _options: CallOptions
    _limit: int
    _ordered: bool
    _places: trio.Semaphore = attrs.field(init=False)
    _window: trio.Semaphore = attrs.field(init=False)
    _ready: deque[Outcome] = attrs.field(factory=deque[Outcome], init=False)
    _early: dict[int, Reply | LLMError] = attrs.field(
        factory=dict[int, Reply | LLMError], init=False
    )
    _next: int = attrs.field(default=0, init=False)
    _pending: int = attrs.field(default=0, init=False)
    _read: bool = attrs.field(default=False, init=False)
    _broken: Exception | None = attrs.field(default=None, init=False)
    _left: bool = attrs.field(default=False, init=False)
    spoilt: Exception | None = attrs.field(default=None, init=False)
    _backlog: Backlog = attrs.field(factory=Backlog, init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._places = trio.Semaphore(self._limit)
        self._window = trio.Semaphore(WINDOW * self._limit)

    def __repr__(self) -> str:
        counts = f"{self._pending} under way, {len(self._ready)} to be taken"
        return f"<BatchResults of {self._name!r}, {counts}>"

    def __aiter__(self) -> AsyncIterator[Outcome]:
        return self

    async def __anext__(self) -> Outcome:
        await trio.lowlevel.checkpoint()
        while not self._ready:
            if self._read and not self._pending:
                if self._broken is not None:
                    broken, self._broken = self._broken, None
                    raise broken
                raise StopAsyncIteration
            if self._news.is_set():  # several tasks may wait for the same news
                self._news = trio.Event()
            await self._news.wait()
        self._window.release()
        return self._ready.popleft()

    async def feed(self, nursery: trio.Nursery) -> None:
        """Read the prompts, and ask each when there is a place."""
        try:
            async with _reading(self._prompts, self._board) as source:
                await self._ask_all(source, nursery)
        except Exception as error:  # noqa: BLE001 - the user's iterable; raised by the iteration
            if self._left:
                self.spoilt = error
            self._broken = error
        self._read = True
        self._news.set()

    def leave(self) -> None:
        """Note that the block is being left, so that nobody iterates any more."""
        self._left = True

    def end(self) -> None:
        """Give nothing more: the block has been left."""
        self._read, self._pending, self._broken = True, 0, None
        self._ready.clear()
        self._news.set()

    async def _ask_all(self, source: "_Source", nursery: trio.Nursery) -> None:
        index = 0
        while True:
            await self._window.acquire()
            await self._places.acquire()
            prompt = await source.next()
            if prompt is _END:
                return
            self._pending += 1
            try:
                inquiry = self._inquire(to_request(cast("Prompt", prompt), self._options))
            except LLMError as error:
                self._end(index, error)
            except Exception:  # a prompt that cannot even be read, like a broken iterable
                self._pending -= 1
                raise
            else:
                if await self._begin(index, inquiry):
                    nursery.start_soon(self._wait, index, inquiry)
            index += 1

    async def _begin(self, index: int, inquiry: "Inquiry") -> bool:
        """Ask, unless there is a reply already; false if the outcome is there."""
        try:
            reply = await inquiry.recalled()
        except LLMError as error:
            self._end(index, error)
            return False
        if reply is not None:
            self._end(index, reply)
            return False
        return await self._open(index, inquiry)

    async def _open(self, index: int, inquiry: "Inquiry") -> bool:
        """Open a call; false if it was refused, which is then its outcome."""
        while True:
            self._backlog.began()
            try:
                inquiry.open()
            except LLMError as error:
                if not await self._backlog.may_retry(error):
                    await self._fail(index, inquiry, error)
                    return False
            else:
                return True

    async def _wait(self, index: int, inquiry: "Inquiry") -> None:
        """Wait for an outcome; one that found no room is asked for again."""
        while True:
            try:
                reply = await inquiry.reply()
            except LLMError as error:
                if not await self._backlog.may_retry(error):
                    await self._fail(index, inquiry, error)
                    return
            else:
                self._backlog.ended()
                self._end(index, reply)
                return
            if not await self._open(index, inquiry):
                return

    async def _fail(self, index: int, inquiry: "Inquiry", error: LLMError) -> None:
        self._end(index, await inquiry.amended(error) or error)

    def _end(self, index: int, outcome: Reply | LLMError) -> None:
        """Free the place of a prompt that has its outcome."""
        self._places.release()
        self._settle(index, outcome)

    def _settle(self, index: int, outcome: Reply | LLMError) -> None:
        """Keep an outcome, and let those through whose turn it is."""
        self._pending -= 1
        if self._ordered:
            self._early[index] = outcome
            while self._next in self._early:
                self._ready.append((self._next, self._early.pop(self._next)))
                self._next += 1
        else:
            self._ready.append((index, outcome))
        self._news.set()


@attrs.define
class _Source:
    """Prompts from an iterator of either kind."""

    _iterator: Iterator[Any] | AsyncIterator[Any]

    async def next(self) -> object:
        """Give the next prompt, or `_END`."""
        if isinstance(self._iterator, AsyncIterator):
            return await anext(self._iterator, _END)
        return next(self._iterator, _END)


@asynccontextmanager
async def _reading(prompts: Prompts, board: Switchboard) -> AsyncGenerator[_Source, None]:
    """Iterate prompts; a generator is closed at the end, however far it was read."""
    async with AsyncExitStack() as stack:
        if isinstance(prompts, AsyncIterable):
            iterator: Iterator[Any] | AsyncIterator[Any] = aiter(prompts)
            if inspect.isasyncgen(prompts):
                stack.push_async_callback(_close, prompts.aclose, board)
        else:
            iterator = iter(prompts)
            if inspect.isgenerator(prompts):
                stack.callback(prompts.close)
        yield _Source(iterator)


async def _close(aclose: Callable[[], Awaitable[None]], board: Switchboard) -> None:
    with trio.CancelScope(shield=True, deadline=board.closing_time()):
        await aclose()


@asynccontextmanager
async def batch(
    board: Switchboard,
    name: str,
    inquire: "Callable[[Request], Inquiry]",
    prompts: Prompts,
    *,
    limit: int,
    ordered: bool,
    options: CallOptions,
) -> AsyncGenerator[BatchResults, None]:
    """Ask many prompts; leaving the block cancels what is left and waits until it is gone.

    Args:
        board: What opens and ends calls.
        name: Who is asked.
        inquire: Gives the steps of asking, for each prompt anew: a batch may outlast a
            configuration.
        prompts: The prompts.
        limit: How many calls may be under way.
        ordered: Whether outcomes come in the order of the prompts.
        options: The options of each call.

    Raises:
        InvalidRequestError: `prompts` is not iterable, `limit` is no positive integer,
            or an option is unknown or out of range.
        ConfigError: `prefer` names nobody.
    """
    given = cast("object", prompts)
    if isinstance(given, str | bytes | Message | Request) or not isinstance(
        given, Iterable | AsyncIterable
    ):
        raise _invalid(f"prompts must be several prompts, not {type(prompts).__name__}")
    if type(limit) is not int or limit < 1:
        raise _invalid(f"limit must be an integer of at least 1, not {limit!r}")
    prefer = to_request("-", options).prefer
    if prefer is not None:
        board.named(prefer, "prefer")
    results = BatchResults(board, name, inquire, prompts, options, limit, ordered)
    left_with: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(results.feed, nursery)
            try:
                yield results
            except BaseException as error:  # noqa: BLE001 - raised again below, unwrapped
                left_with = error
            results.leave()
            nursery.cancel_scope.cancel(reason="the caller left the batch")
    except (trio.Cancelled, BaseExceptionGroup) as error:
        failure = only_failure(error) if isinstance(error, BaseExceptionGroup) else error
        if left_with is None or not isinstance(failure, trio.Cancelled | BaseExceptionGroup):
            raise failure from None
    finally:
        results.end()
    if left_with is not None:
        raise left_with
    if results.spoilt is not None:
        raise results.spoilt


def _invalid(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, phase="request")
