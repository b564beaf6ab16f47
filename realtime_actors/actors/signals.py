"""What the kernel publishes about itself, on `runtime.<kind>.<path>`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    from .ref import Ref

__all__ = [
    "ActorRestarting",
    "ActorStarted",
    "ActorTerminated",
    "DeadLetter",
    "Lost",
    "MessagesDropped",
    "RuntimeEvent",
    "StopReason",
    "Terminated",
]

StopReason = Literal["normal", "stopped", "crashed", "start_failed"]
"""Why an actor ended for good: by itself, by request, by an error, or because it did not start."""


@attrs.frozen
class Terminated:
    """Sent to whoever watches an actor, when it has ended for good and its `stopping()` is over."""

    ref: Ref
    reason: StopReason
    cause: BaseException | None


@attrs.frozen
class ActorStarted:
    """`runtime.started.<path>`: an incarnation is running; the first has number 1."""

    path: str
    incarnation: int


@attrs.frozen
class ActorRestarting:
    """`runtime.restarting.<path>`: an incarnation ended, and the next starts in `delay` s."""

    path: str
    incarnation: int
    delay: float
    cause: BaseException | None


@attrs.frozen
class ActorTerminated:
    """`runtime.terminated.<path>`: the actor has ended for good."""

    path: str
    reason: StopReason
    cause: BaseException | None


@attrs.frozen
class DeadLetter:
    """`runtime.dead_letter.<path>`: a message that nobody handled, and why."""

    path: str
    message: Any
    reason: Literal["unhandled", "stopped", "crashed", "mailbox_full", "late_answer"]
    cause: BaseException | None = None


@attrs.frozen
class MessagesDropped:
    """`runtime.dropped`: a full queue dropped `count` messages since its last report, `total` in all."""

    queue: str
    """The path of the actor whose mailbox it is, or which subscription."""
    count: int
    total: int


RuntimeEvent = ActorStarted | ActorRestarting | ActorTerminated | DeadLetter | MessagesDropped
"""What the runtime says of itself. What becomes of that makes it say no more: it would never come to an end."""


@attrs.frozen
class Lost:
    """Read from a subscription whose full buffer dropped `count` messages."""

    count: int
