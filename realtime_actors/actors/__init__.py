"""The actor kernel: actors, refs, mailboxes, supervision and a bus, on Trio. It knows nothing of voice."""

from .actor import Actor, Child, Context, Supervisor
from .bus import Bus, BusOverflow, RefSubscription, Subscription, SubscriptionStatistics
from .errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    AskTimeout,
    InvalidActor,
    InvalidName,
    MailboxFull,
    NameTaken,
    RealtimeError,
    RestartBudgetExceeded,
    SubscriptionOverflow,
    UnhandledMessage,
)
from .mailbox import Overflow
from .messages import Lane, droppable, receives
from .ref import ActorState, ActorStatistics, Ref
from .reply import trace_context
from .runtime import Runtime, open_runtime
from .signals import (
    ActorRestarting,
    ActorStarted,
    ActorTerminated,
    DeadLetter,
    Lost,
    MessagesDropped,
    StopReason,
    Terminated,
)
from .supervision import Backoff, RestartType, Strategy

__all__ = [
    "Actor",
    "ActorCrashed",
    "ActorError",
    "ActorRestarting",
    "ActorStarted",
    "ActorState",
    "ActorStatistics",
    "ActorStopped",
    "ActorTerminated",
    "AskTimeout",
    "Backoff",
    "Bus",
    "BusOverflow",
    "Child",
    "Context",
    "DeadLetter",
    "InvalidActor",
    "InvalidName",
    "Lane",
    "Lost",
    "MailboxFull",
    "MessagesDropped",
    "NameTaken",
    "Overflow",
    "RealtimeError",
    "Ref",
    "RefSubscription",
    "RestartBudgetExceeded",
    "RestartType",
    "Runtime",
    "StopReason",
    "Strategy",
    "Subscription",
    "SubscriptionOverflow",
    "SubscriptionStatistics",
    "Supervisor",
    "Terminated",
    "UnhandledMessage",
    "droppable",
    "open_runtime",
    "receives",
    "trace_context",
]
