"""Errors of the actor kernel, and the base class of every error this package raises.

::

    RealtimeError
    └── ActorError
        ├── ActorStopped            the actor has ended, or ends before it answers
        ├── ActorCrashed            the actor crashed while it handled the message; __cause__ says how
        ├── MailboxFull             the mailbox has no room and its policy does not drop this message
        ├── AskTimeout              no answer within the time given
        ├── UnhandledMessage        the actor has no handler for messages of this type
        ├── AskedItself             a handler waits for its own actor, and would for ever
        ├── InvalidActor            the class or a handler of it is not declared as the kernel needs it
        ├── InvalidMessage          what was sent is no message
        ├── InvalidName             a name, topic or pattern has a form that is not allowed
        ├── NameTaken               another actor has this path
        ├── RestartBudgetExceeded   a supervisor gave up: too many restarts in its window
        ├── SubscriptionOverflow    a subscription with overflow="close" ran full
        └── WrongThread             the kernel was called from another thread than the runtime's
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
    "WrongThread",
    "in_words",
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
    """A handler waits for its own actor: for an answer that it would have to give, or for its end."""


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


class WrongThread(ActorError):
    """A ref or the bus was used in another thread than the runtime's."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} from another thread than the runtime's: use trio.from_thread.run_sync there, or a runtime of "
            "realtime_actors.asyncio"
        )


def in_words(error: BaseException) -> str:
    """What an error says, even one that cannot be printed."""
    try:
        return str(error) or repr(error)
    except Exception:  # noqa: BLE001 - whatever it is, it is of a bug that is being reported
        return f"{type(error).__name__} (it cannot be printed)"
