"""The thread in which Trio runs the runtime, and calls from asyncio into it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import attrs
import trio

from realtime_actors.actors import ActorStopped, Runtime

from .crossing import Crossing
from .errors import WrongLoop

__all__ = ["RuntimeThread"]

log = logging.getLogger("realtime_actors.asyncio")

T = TypeVar("T")

_LOOK_AGAIN = 0.5  # seconds
_ENDED = "the runtime has ended: open another"
_FOR_ASYNCIO = "this open_runtime is for asyncio hosts: for a Trio program it is realtime_actors.open_runtime"
_IN_TRIO = (
    "this belongs to an asyncio event loop, and was used where none runs, in an actor for instance: use ref.ref there "
    "(that is what goes into actors and messages), and self.context for what the runtime does"
)


@attrs.define(eq=False)
class _Call(Generic[T]):
    """A function that runs in the thread while a task here waits for it."""

    function: Callable[[], Awaitable[T]]
    undo: Callable[[T], Awaitable[object]] | None
    """Takes back a result that nobody waits for any more."""
    result: asyncio.Future[T]
    context: Context
    over: asyncio.Future[None] | None = None
    """Made by a waiter that was cancelled: it waits on until the function has ended."""
    scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)
    has_ended: bool = attrs.field(init=False, default=False)
    returned: list[T] = attrs.field(init=False, factory=list[T])
    error: BaseException | None = attrs.field(init=False, default=None)


class RuntimeThread:
    """`async with RuntimeThread(…)`: Trio in a thread of its own, with a runtime in it.

    The block's task is cancelled if the thread ends before the block does, and the block then raises its error.
    """

    def __init__(self, runtime: Runtime, shutdown_timeout: float, capacity: int) -> None:
        self.runtime = runtime
        self.to_trio: Crossing
        """The way there; `capacity` messages at most are under way."""
        self._loop = _running_loop(_FOR_ASYNCIO)
        # Bounded by the tasks here: one answer for each call that waits, one wake-up for each subscription.
        self.to_loop = Crossing(self._loop.call_soon_threadsafe, capacity)
        """The way back."""
        self.on_end: dict[object, Callable[[], None]] = {}
        """What to call here when the thread has ended."""
        self._shutdown_timeout = shutdown_timeout
        self._capacity = capacity
        self._calls: set[_Call[Any]] = set()
        self._nursery: trio.Nursery | None = None
        self._stop: trio.Event | None = None
        self._is_stopping = False
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[BaseException | None] = self._loop.create_future()
        task = asyncio.current_task()
        assert task is not None
        self._task: asyncio.Task[Any] = task
        self._has_interrupted = False

    async def __aenter__(self) -> Self:
        # A daemon, so that a host that leaves its loop behind can still exit. Whoever leaves the block waits for it.
        self._thread = threading.Thread(target=self._run, name="realtime_actors", daemon=True)
        self._thread.start()
        try:
            await asyncio.wait([self._started, self._ended], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._end()
            raise
        if not self._started.done():
            raise self._ended.result() or ActorStopped(_ENDED)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        cancelled = await self._end()
        if self._has_interrupted:
            self._task.uncancel()
        failure = self._ended.result() or cancelled
        if failure is not None:
            raise failure

    async def _end(self) -> asyncio.CancelledError | None:
        """Shut down, and wait for it: the runtime bounds how long that takes. A cancellation meanwhile is returned."""
        self._is_stopping = True
        if self._stop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self.to_trio.put(trio.Event.set, self._stop)
        cancelled: asyncio.CancelledError | None = None
        while not self._ended.done():
            try:
                await asyncio.wait([self._ended])
            except asyncio.CancelledError as error:
                cancelled = error
        self._thread.join()  # all that is left of it is to return
        return cancelled

    # -- calls, made here

    @property
    def waiting_calls(self) -> int:
        """Calls that have not returned."""
        return len(self._calls)

    async def call(
        self, function: Callable[[], Awaitable[T]], undo: Callable[[T], Awaitable[object]] | None = None
    ) -> T:
        """Run an async function in the thread, and return what it returns or raise what it raises.

        Cancelled, it cancels the function there and waits for its end, `shutdown_timeout` at most.
        Raises `ActorStopped` when the runtime has ended, `WrongLoop` outside of the event loop that opened it.
        """
        self.check_loop()
        call = _Call(function, undo, self._loop.create_future(), copy_context())
        self._put(self._begin, call)
        self._calls.add(call)
        try:
            return await call.result
        except asyncio.CancelledError:
            await self._cancel(call)
            raise
        finally:
            self._calls.discard(call)

    def check_loop(self) -> None:
        """Raise `WrongLoop` outside of the event loop that opened the runtime."""
        if _running_loop(_IN_TRIO) is not self._loop:
            raise WrongLoop(
                "this belongs to the event loop that opened the runtime, and was used in another one: open a runtime "
                "there too, or have it done here, with asyncio.run_coroutine_threadsafe(…, loop)"
            )

    async def _cancel(self, call: _Call[Any]) -> None:
        if call.result.done() and not call.result.cancelled():
            call.result.exception()  # asyncio complains of errors that nobody looked at
        if self._ended.done():
            return
        call.over = self._loop.create_future()
        try:
            self._put(self._cancel_there, call)
        except ActorStopped:
            return
        _, late = await asyncio.wait(
            [call.over, self._ended], timeout=self._shutdown_timeout, return_when="FIRST_COMPLETED"
        )
        if len(late) == 2:
            log.error("%r ignores that it was cancelled, and is not waited for any more", call.function)

    def tell(self, deliver: Callable[[Any], object], message: Any) -> None:
        """Have `deliver(message)` called in the thread. Raises `CrossingFull` or `ActorStopped`."""
        try:
            self.to_trio.put_if_room(deliver, message)
        except RuntimeError:
            raise ActorStopped(_ENDED) from None

    def _put(self, function: Callable[[Any], object], argument: Any) -> None:
        try:
            self.to_trio.put(function, argument)
        except RuntimeError:
            raise ActorStopped(_ENDED) from None

    def _answered(self, call: _Call[Any]) -> None:
        if not call.result.done():
            if call.error is not None:
                call.result.set_exception(call.error)
            else:
                call.result.set_result(call.returned[0])

    def _over(self, call: _Call[Any]) -> None:
        if call.over is not None and not call.over.done():
            call.over.set_result(None)

    def _on_started(self, _: object) -> None:
        self._started.set_result(None)

    def _on_ended(self, error: BaseException | None) -> None:
        self._ended.set_result(error)
        for call in self._calls:
            if not call.result.done():
                call.result.set_exception(ActorStopped(_ENDED))
        functions = list(self.on_end.values())
        self.on_end.clear()
        for function in functions:
            function()
        if not self._is_stopping and self._started.done():
            self._has_interrupted = True
            self._task.cancel()

    # -- in the thread

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            trio.run(self._main)
        except BaseException as error:  # noqa: BLE001 - it is raised in the host
            failure = error
        try:
            self._loop.call_soon_threadsafe(self._on_ended, failure)
        except RuntimeError:
            if failure is not None:
                log.error("the runtime failed, and the host's event loop was closed before", exc_info=failure)

    async def _main(self) -> None:
        failure: BaseException | None = None
        async with trio.open_nursery() as self._nursery:
            try:
                async with self.runtime.running():
                    self.to_trio = Crossing(trio.lowlevel.current_trio_token().run_sync_soon, self._capacity)
                    self._stop = trio.Event()
                    self._nursery.start_soon(self._watch_host, self._stop)
                    self.answer(self._on_started, None)
                    if not self._is_stopping:  # read after _stop is there, as _end sets it before it looks for that
                        await self._stop.wait()
            except BaseException as error:  # noqa: BLE001 - raised below: the nursery would wrap it
                failure = error
            self._nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def answer(self, function: Callable[[Any], object], argument: Any) -> None:
        """Have a function called in the host's loop, unless that was closed."""
        with contextlib.suppress(RuntimeError):
            self.to_loop.put(function, argument)

    async def _watch_host(self, stop: trio.Event) -> None:
        """End when the loop was closed before the block was left: of that there is no news."""
        while not self._loop.is_closed():  # noqa: ASYNC110 - it is no event of Trio's
            await trio.sleep(_LOOK_AGAIN)
        log.error("the host's event loop was closed before the runtime, which ends now")
        stop.set()

    def _begin(self, call: _Call[Any]) -> None:
        assert self._nursery is not None
        if self._nursery.cancel_scope.cancel_called:
            return  # the thread ends: `_on_ended` fails it
        call.context.run(self._nursery.start_soon, self._serve, call)

    def _cancel_there(self, call: _Call[Any]) -> None:
        assert self._nursery is not None
        call.scope.cancel()
        if call.has_ended and not self._nursery.cancel_scope.cancel_called:
            self._nursery.start_soon(self._take_back, call)

    async def _serve(self, call: _Call[Any]) -> None:
        try:
            with call.scope:
                if not call.scope.cancel_called:  # else it would go on as far as its first checkpoint
                    call.returned.append(await call.function())
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - raised where the call was made
            call.error = error
        call.has_ended = True
        if call.scope.cancel_called:
            await self._take_back(call)
        else:
            self.answer(self._answered, call)

    async def _take_back(self, call: _Call[Any]) -> None:
        """Nobody waits for the result any more, only for the end."""
        if call.returned and call.undo is not None:
            try:
                await call.undo(call.returned[0])
            except Exception:
                log.exception("the result of a call that was cancelled could not be taken back")
        self.answer(self._over, call)


def _running_loop(or_else: str) -> asyncio.AbstractEventLoop:
    """The event loop of the task that calls. Raises `WrongLoop` with these words when asyncio runs none here."""
    if not trio.lowlevel.in_trio_task():
        with contextlib.suppress(RuntimeError):
            return asyncio.get_running_loop()
    raise WrongLoop(or_else)
