"""What an asyncio host holds of an actor."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from realtime_actors.actors import ActorState, ActorStatistics, Ref, Terminated, trace_context
from realtime_actors.actors.messages import check_message_type

from .thread import RuntimeThread

__all__ = ["AsyncioRef"]


class AsyncioRef:
    """Stands for an actor, through all its restarts, in the host's event loop.

    `tell` never waits; `send` waits for room; `ask` waits for an answer. Cancelling one that waits cancels it in the
    runtime's thread as well, and returns when it has ended there. Once the runtime has ended all raise
    `ActorStopped`. What waits raises `WrongLoop` outside of the event loop that opened the runtime: in an actor, use
    `ref`.
    """

    __slots__ = ("_deliver", "_thread", "ref")

    def __init__(self, thread: RuntimeThread, ref: Ref) -> None:
        self.ref = ref
        """The actor's ref in the runtime's thread: what goes into messages and into actors. Not to be used here."""
        self._thread = thread
        self._deliver = ref.tell_or_dead_letter

    @property
    def path(self) -> str:
        """The names from the root down, joined by dots."""
        return self.ref.path

    @property
    def name(self) -> str:
        """The last word of the path."""
        return self.ref.name

    @property
    def state(self) -> ActorState:
        """What the actor is doing."""
        return self.ref.state

    def tell(self, message: Any) -> None:
        """Give the actor a message, without waiting. What a full mailbox refuses becomes a dead letter.

        That the mailbox is full shows in the other thread only: `send` waits for room. Raises `CrossingFull` when too
        much is on its way there, and `InvalidMessage` for what is no object of an attrs class.
        """
        check_message_type(cast("type[object]", type(message)))
        trace = trace_context.get()
        deliver = self._deliver if trace is None else partial(_deliver_traced, self._deliver, trace)
        self._thread.tell(deliver, message)

    async def send(self, message: Any) -> None:
        """Give the actor a message, waiting for room. Raises `MailboxFull` where its overflow policy is not `wait`."""
        await self._thread.call(partial(self.ref.send, message))

    async def ask(self, message: Any, *, timeout: float | None) -> Any:  # noqa: ASYNC109 - as that of Ref
        """Give the actor a message and return what its handler returns. `timeout` is in seconds.

        Raises `AskTimeout`, `ActorStopped`, `ActorCrashed` (the cause is the handler's error), `UnhandledMessage`,
        `MailboxFull` or `InvalidMessage`.
        """
        return await self._thread.call(partial(self.ref.ask, message, timeout=timeout))

    async def stop(self, *, drain: bool = False) -> None:
        """Stop the actor for good, and wait until it has ended. With `drain` it handles what is queued first."""
        await self._thread.call(partial(self.ref.stop, drain=drain))

    async def wait_stopped(self) -> Terminated:
        """Wait until the actor has ended for good. Says why."""
        return await self._thread.call(self.ref.wait_stopped)

    def statistics(self) -> ActorStatistics:
        """A snapshot of its state and counters, which go on changing while it is taken."""
        return self.ref.statistics()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsyncioRef) and other.ref == self.ref

    def __hash__(self) -> int:
        return hash(self.ref)

    def __repr__(self) -> str:
        return f"<AsyncioRef {self.ref!r}>"


def _deliver_traced(deliver: Any, trace: object, message: Any) -> None:
    before = trace_context.set(trace)
    try:
        deliver(message)
    finally:
        trace_context.reset(before)
