"""Errors of the actor kernel, and the base class of every error this package raises.

::

    RealtimeError
    └── ActorError
        ├── ActorStopped            the actor has ended, or ends before it answers
        ├── ActorCrashed            the actor crashed while it handled the message; __cause__ says how
        ├── MailboxFull             the mailbox has no room and its policy does not drop this message
        ├── AskTimeout              no answer within the time given
        ├── UnhandledMessage        the actor has no handler for messages of this type
        ├── AskedItself             a handler asked its own actor, and would wait for itself for ever
        ├── InvalidActor            the class or a handler of it is not declared as the kernel needs it
        ├── InvalidMessage          what was sent is no message
        ├── InvalidName             a name, topic or pattern has a form that is not allowed
        ├── NameTaken               another actor has this path
        ├── RestartBudgetExceeded   a supervisor gave up: too many restarts in its window
        └── SubscriptionOverflow    a subscription with overflow="close" ran full
"""

__all__ = [
    "ActorCrashed",
    "ActorError",
    "ActorStopped",
    "AskTimeout",
    "AskedItself",
    "InvalidActor",
    "InvalidMessage",
    "InvalidName",
    "MailboxFull",
    "NameTaken",
    "RealtimeError",
    "RestartBudgetExceeded",
    "SubscriptionOverflow",
    "UnhandledMessage",
]


class RealtimeError(Exception):
    """Base class of every error raised by this package."""


class ActorError(RealtimeError):
    """Base class of the actor kernel's errors."""


class ActorStopped(ActorError):
    """The actor has ended, or it ended before it could answer."""


class ActorCrashed(ActorError):
    """The actor crashed while it handled the message; `__cause__` is its error."""


class MailboxFull(ActorError):
    """The mailbox has no room, and its policy does not allow this message to push another out."""


class AskTimeout(ActorError):
    """The answer to an `ask` did not come within the time given."""


class UnhandledMessage(ActorError):
    """The actor has no handler for messages of this type."""


class InvalidActor(ActorError):
    """An actor class, or one of its handlers, is not declared the way the kernel needs it."""


class InvalidMessage(ActorError, TypeError):
    """What was sent is not an object of an attrs class."""


class AskedItself(ActorError):
    """A handler asked its own actor for what the same lane handles: it would wait for itself for ever."""


class InvalidName(ActorError):
    """A name, a topic or a subscription pattern has a form that is not allowed."""


class NameTaken(ActorError):
    """Another living actor already has this path."""


class RestartBudgetExceeded(ActorError):
    """More restarts were needed within the window than the budget allows; `__cause__` is the last crash."""


class SubscriptionOverflow(ActorError):
    """A subscription that closes on overflow ran full; `lost` messages were not delivered."""

    def __init__(self, message: str, lost: int) -> None:
        super().__init__(message)
        self.lost = lost
