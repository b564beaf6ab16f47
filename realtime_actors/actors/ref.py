"""What others hold of an actor."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import attrs
import trio

from .errors import AskTimeout, MailboxFull
from .reply import Reply, trace_context
from .signals import Terminated

if TYPE_CHECKING:
    from .slot import Slot

__all__ = ["ActorState", "ActorStatistics", "Ref"]

_current_trace = trace_context.get

ActorState = Literal["starting", "running", "restarting", "stopping", "stopped"]
"""What an actor is doing."""


@attrs.frozen
class ActorStatistics:
    """A snapshot of an actor."""

    path: str
    kind: str
    """The name of its class."""
    state: ActorState
    incarnation: int
    """The number of its life: 1 until it is restarted."""
    queued: int
    """Messages in its data lane."""
    queued_control: int
    """Messages in its control lane."""
    capacity: int
    """Room in its data lane."""
    peak: int
    """The most messages that waited in its data lane at a time."""
    restarts: int
    """How often it was started again, attempts that failed included."""
    in_hand: str | None
    """The type of the message that it is handling; of two lanes, in the one busy for longer."""
    in_hand_s: float | None
    """For how many seconds."""
    handled: int
    dropped: int
    """Messages dropped by the overflow policy."""


class Ref:
    """Stands for an actor, through all its restarts.

    `tell` never waits; `send` waits for room; `ask` waits for an answer.
    """

    __slots__ = ("_slot",)

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    @property
    def path(self) -> str:
        """The names from the root down, joined by dots."""
        return self._slot.path

    @property
    def name(self) -> str:
        """The last word of the path."""
        return self._slot.name

    @property
    def kind(self) -> str:
        """The name of the actor's class."""
        return self._slot.kind

    @property
    def state(self) -> ActorState:
        """What the actor is doing."""
        return self._slot.state

    def tell(self, message: Any) -> None:
        """Give the actor a message, without waiting. For a stopped actor it becomes a dead letter.

        Raises `MailboxFull` where the overflow policy does not drop, and `InvalidMessage` for what is no object of an
        attrs class.
        """
        slot = self._slot
        if type(message) in slot.simple and _current_trace() is None and get_ident() == slot.runtime.thread:
            slot.mailbox.put_data(message)
        else:
            slot.post(message, None, _current_trace())

    def tell_or_dead_letter(self, message: Any) -> bool:
        """As `tell`, but what a full mailbox refuses becomes a dead letter, and the result is False."""
        try:
            self.tell(message)
        except MailboxFull as error:
            self._slot.dead_letter(message, "mailbox_full", error)
            return False
        return True

    async def send(self, message: Any) -> None:
        """Give the actor a message, waiting for room: this is how back pressure reaches a producer.

        Not between actors, which could wait for each other for ever. Raises `MailboxFull` where the overflow
        policy is not `wait`.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        await self._slot.post_when_room(message, None, trace_context.get())
        # Shielded: a send that is cancelled has sent nothing.
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def ask(self, message: Any, *, timeout: float | None) -> Any:  # noqa: ASYNC109 - part of the contract
        """Give the actor a message and return what its handler returns. `timeout` is in seconds.

        Raises `AskTimeout`, `ActorStopped`, `ActorCrashed` (the cause is the handler's error), `UnhandledMessage`,
        `MailboxFull`, `InvalidMessage`, or `AskedItself` in the handler that would have to answer.
        """
        if timeout is None:
            return await self._ask(message)
        with trio.move_on_after(timeout) as scope:
            return await self._ask(message)
        assert scope.cancelled_caught
        raise AskTimeout(f"{self.path} did not answer {type(message).__name__} within {timeout:g} s")

    async def _ask(self, message: Any) -> Any:
        self._slot.check_asker(message)
        reply = Reply()
        try:
            await self._slot.post_when_room(message, reply, trace_context.get())
            return await reply.wait()
        finally:
            reply.abandon()

    async def stop(self, *, drain: bool = False) -> None:
        """Stop the actor for good, and wait until it has ended. With `drain` it handles what is queued first.

        Raises `AskedItself` in a handler of the actor's own: `self.context.stop()` is for that.
        """
        self._slot.check_waiter()
        self._slot.request_stop(drain=drain)
        await self.wait_stopped()

    async def wait_stopped(self) -> Terminated:
        """Wait until the actor has ended for good. Says why. Raises `AskedItself` as `stop` does."""
        self._slot.check_waiter()
        return await self._slot.wait_terminated()

    def statistics(self) -> ActorStatistics:
        """A snapshot of its state and counters."""
        return self._slot.statistics()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._slot is self._slot

    def __hash__(self) -> int:
        return hash(id(self._slot))

    def __deepcopy__(self, _: object) -> Ref:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"the ref of {self.path} cannot be pickled: it is of use in this process only")

    def __copy__(self) -> Ref:
        return self

    def __repr__(self) -> str:
        return f"<Ref {self.path} {self._slot.state}>"
