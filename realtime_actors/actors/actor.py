"""What an actor is written as."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import attrs

from .errors import InvalidActor
from .mailbox import Overflow
from .messages import check_handlers
from .supervision import Backoff, RestartType, Strategy, one_of

if TYPE_CHECKING:
    from .bus import Bus, RefSubscription
    from .group import Children
    from .life import Life
    from .ref import Ref
    from .timers import Timer
    from .tree import ActorTree

__all__ = ["Actor", "Child", "Context", "Spawner", "Supervisor", "configuration_of"]


@attrs.define(eq=False)
class Actor:
    """Base class of actors. Declare them with `@attrs.define(eq=False)` (or plain `@attrs.define`).

    Fields with `init` are its configuration: they are taken from the instance given to `spawn`, and each life
    begins with a new instance made of them (so a converter must take what it gives). Fields with `init=False` are
    its state: give them defaults, or set them in `started()`. Handlers are methods marked `@receives`.
    """

    mailbox_capacity: ClassVar[int] = 256
    """How many messages the data lane holds."""
    mailbox_overflow: ClassVar[Overflow] = "wait"
    """What a full data lane does."""
    stop_timeout: ClassVar[float] = 5.0
    """Seconds that the message in hand, and then `stopping()`, may take when the actor is stopped."""

    context: Context = attrs.field(init=False, repr=False)
    """The actor's way to the runtime. A prototype, which never runs, has none."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Check the handlers that the class declares."""
        super().__init_subclass__(**options)
        check_handlers(cls)

    async def started(self) -> None:
        """Called when a life begins, before any message. An error here comes out of `spawn`."""

    async def stopping(self) -> None:
        """Called once when a life that had started ends, however it ended; its children are gone by then."""


def configuration_of(actor: Actor) -> dict[str, Any]:
    """The init values of an actor, by which another of its kind can be made. Raises `InvalidActor`."""
    for cls in type(actor).__mro__:
        if issubclass(cls, Actor) and "__attrs_attrs__" not in vars(cls) and inspect.get_annotations(cls):
            raise InvalidActor(
                f"{cls.__module__}.{cls.__qualname__} declares fields that are none yet: decorate it with "
                "@attrs.define(eq=False)"
            )
    return {field.alias: getattr(actor, field.name) for field in attrs.fields(type(actor)) if field.init}


@attrs.frozen(kw_only=True)
class Child:
    """A member of a declared group: an actor and how it is supervised.

    `capacity`, `overflow` and `stop_timeout` replace what the actor's class says.
    """

    actor: Actor = attrs.field(kw_only=False)
    name: str | None = None
    restart: RestartType = attrs.field(default="permanent", validator=one_of(get_args(RestartType)))
    capacity: int | None = None
    overflow: Overflow | None = attrs.field(default=None, validator=one_of((*get_args(Overflow), None)))
    stop_timeout: float | None = None


class Spawner(abc.ABC):
    """Whoever starts actors: the runtime, and an actor by its context."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def _own_children(self) -> Children: ...

    async def spawn(
        self,
        actor: Actor,
        *,
        name: str | None = None,
        restart: RestartType = "temporary",
        max_restarts: int = 3,
        within: float = 5.0,
        backoff: Backoff | None = None,
        capacity: int | None = None,
        overflow: Overflow | None = None,
        stop_timeout: float | None = None,
    ) -> Ref:
        """Start an actor and return its ref when its `started()` has returned; what that raises comes out as it is.

        `actor` is a prototype: its configuration is taken, and each life is a new instance. It is started again
        as `restart` says, at most `max_restarts` times within `within` seconds, waiting as `backoff` says; past
        that it ends for good. `capacity`, `overflow` (of its mailbox) and `stop_timeout` (s) replace what its
        class says. It ends with whoever spawned it. Raises `InvalidActor`, `InvalidName`, `NameTaken`,
        `ValueError` for a setting that does not exist, or `ActorStopped` when the parent is stopping.
        """
        child = Child(
            actor, name=name, restart=restart, capacity=capacity, overflow=overflow, stop_timeout=stop_timeout
        )
        return await self._own_children.spawn(child, max_restarts=max_restarts, within=within, backoff=backoff)


class Context(Spawner):
    """An actor's way to the runtime: `self.context`, for as long as this life lasts."""

    __slots__ = ("_life", "ref")

    def __init__(self, life: Life, ref: Ref) -> None:
        self._life = life
        self.ref = ref
        """The actor's own ref, to give to others."""

    @property
    def path(self) -> str:
        """The actor's path."""
        return self.ref.path

    @property
    def name(self) -> str:
        """The name it was spawned with."""
        return self.ref.name

    @property
    def bus(self) -> Bus:
        """The runtime's bus."""
        return self._life.runtime.bus

    @property
    def queued_control(self) -> int:
        """Messages that wait in the actor's own control lane: a data handler may let them go first."""
        return self._life.slot.queued_control

    def tell(self, ref: Ref, message: Any) -> bool:
        """Give another actor a message. False when its mailbox is full: the message became a dead letter."""
        return ref.tell_or_dead_letter(message)

    @property
    def _own_children(self) -> Children:
        return self._life.children

    async def spawn_group(
        self,
        children: Sequence[Child],
        *,
        strategy: Strategy = "one_for_one",
        max_restarts: int = 3,
        within: float = 5.0,
        backoff: Backoff | None = None,
    ) -> list[Ref]:
        """Start children that share a strategy and a budget, in order: all of them or none.

        When the budget is spent, this actor crashes with `RestartBudgetExceeded`.
        """
        return await self._life.children.spawn_group(
            children, strategy=strategy, max_restarts=max_restarts, within=within, backoff=backoff
        )

    def start_soon(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run a background task that ends with this life at the latest. Its crash is the actor's crash."""
        self._life.start_soon(function, *args)

    def send_after(self, delay: float, message: Any, *, to: Ref | None = None) -> Timer:
        """Have a message told to this actor (or `to`) once, in `delay` s.

        The timer ends with this life: its message never reaches the next one. Raises `ValueError` for a delay below
        0, `UnhandledMessage` for a message that this actor does not handle.
        """
        return self._life.set_timer(delay, None, message, to)

    def send_every(self, interval: float, message: Any, *, delay: float | None = None, to: Ref | None = None) -> Timer:
        """Have a message told to this actor (or `to`) every `interval` s, the first in `delay` s (`interval` if None).

        The times do not drift. A tick that comes while the one before is still queued is left out, and so are all
        but one of those that are due after a stall: `Timer.missed` counts them. Otherwise as `send_after`.
        """
        return self._life.set_timer(interval if delay is None else delay, interval, message, to)

    def find(self, path: str) -> Ref | None:
        """The actor with this path (from the root), if there is one now."""
        return self._life.runtime.find(path)

    def tree(self) -> ActorTree:
        """A snapshot of all actors of the runtime."""
        return self._life.runtime.tree()

    def watch(self, ref: Ref) -> None:
        """Have a `Terminated` told to this actor, once, when `ref` ends for good (at once if it already has)."""
        self._life.watch(ref)

    def unwatch(self, ref: Ref) -> None:
        """Take `watch` back, a notice that is already waiting included."""
        self._life.unwatch(ref)

    def subscribe(self, pattern: str) -> RefSubscription:
        """Have what is published on matching topics told to this actor, for as long as this life lasts."""
        return self._life.subscribe(pattern)

    def stop(self) -> None:
        """End this life normally once the message in hand is handled (a `permanent` actor is then restarted)."""
        self._life.finish(itself=True)


@attrs.define(eq=False)
class Supervisor(Actor):
    """An actor that does nothing but supervise its children.

    They start in order, all or none. More than `max_restarts` within `within` seconds, and it crashes in turn.
    """

    children: Sequence[Child]
    strategy: Strategy = attrs.field(default="one_for_one", validator=one_of(get_args(Strategy)))
    max_restarts: int = 3
    within: float = 5.0
    backoff: Backoff | None = None

    async def started(self) -> None:
        """Start the children."""
        await self.context.spawn_group(
            self.children,
            strategy=self.strategy,
            max_restarts=self.max_restarts,
            within=self.within,
            backoff=self.backoff,
        )
