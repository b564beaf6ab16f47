"""The actor kernel: actors, refs, mailboxes, supervision and a bus, on Trio. It knows nothing of voice."""

from .actor import Actor, Child, Context, Supervisor
from .bus import Bus, BusOverflow, RefSubscription, Subscriber, Subscription, SubscriptionStatistics
from .errors import (
    ActorCrashed,
    ActorError,
    ActorStopped,
    AskedItself,
    AskTimeout,
    InvalidActor,
    InvalidMessage,
    InvalidName,
    MailboxFull,
    NameTaken,
    RealtimeError,
    RestartBudgetExceeded,
    SubscriptionOverflow,
    UnhandledMessage,
    WrongThread,
)
from .instruments import Instrument
from .mailbox import Overflow
from .messages import Forward, Lane, droppable, receives
from .ref import ActorState, ActorStatistics, Ref
from .reply import trace_context
from .routers import ByKey, RoundRobin
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
from .timers import Timer
from .tree import ActorTree

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
    "ActorTree",
    "AskTimeout",
    "AskedItself",
    "Backoff",
    "Bus",
    "BusOverflow",
    "ByKey",
    "Child",
    "Context",
    "DeadLetter",
    "Forward",
    "Instrument",
    "InvalidActor",
    "InvalidMessage",
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
    "RoundRobin",
    "Runtime",
    "StopReason",
    "Strategy",
    "Subscriber",
    "Subscription",
    "SubscriptionOverflow",
    "SubscriptionStatistics",
    "Supervisor",
    "Terminated",
    "Timer",
    "UnhandledMessage",
    "WrongThread",
    "droppable",
    "open_runtime",
    "receives",
    "trace_context",
]
