"""A slot: the place of an actor that outlives its restarts, with its path, ref and mailbox."""

from __future__ import annotations

import logging
from collections.abc import Set
from threading import get_ident
from typing import TYPE_CHECKING, Any, Literal

import trio

from .actor import Child, configuration_of
from .errors import ActorStopped, AskedItself, MailboxFull, UnhandledMessage, WrongThread
from .instruments import sending
from .life import Life
from .mailbox import Mailbox
from .messages import handlers_of
from .ref import ActorState, ActorStatistics, Ref
from .reply import Envelope, Reply, message_of
from .signals import ActorStarted, ActorTerminated, DeadLetter, RuntimeEvent, StopReason, Terminated
from .supervision import Member, RestartType

if TYPE_CHECKING:
    from .group import Group
    from .runtime import Runtime
    from .timers import Timer

__all__ = ["Slot"]

log = logging.getLogger("realtime_actors.actors")


class Slot:
    """An actor's place: what refs point to."""

    def __init__(self, runtime: Runtime, group: Group, child: Child, path: str, name: str) -> None:
        cls = type(child.actor)
        self.runtime = runtime
        self.instruments = runtime.instruments
        self.group = group
        self.path = path
        self.name = name
        self.kind = cls.__name__
        self.restart: RestartType = child.restart
        self.handlers = handlers_of(cls)
        self.simple: Set[type] = frozenset() if self.instruments else self.handlers.simple
        """The types that `tell` only has to queue in the data lane; none once it is to stop."""
        self.mailbox = Mailbox(
            path,
            cls.mailbox_capacity if child.capacity is None else child.capacity,
            cls.mailbox_overflow if child.overflow is None else child.overflow,
            self._on_drop,
        )
        self.stop_timeout = cls.stop_timeout if child.stop_timeout is None else child.stop_timeout
        if not self.stop_timeout >= 0:
            raise ValueError(f"{path}: stop_timeout is {self.stop_timeout!r}: it is a number of seconds, 0 or more")
        self.ref = Ref(self)
        self.state: ActorState = "starting"
        self.life: Life | None = None
        """Its present life, or the last until the next begins."""
        self.lives = 0
        self.has_run = False
        self.handled = 0
        self.stop_requested = False
        self.is_urgent = False
        """Whether a control message has come since the lanes last looked."""
        self.terminated: Terminated | None = None
        self.watchers: set[Life] = set()
        self._class = cls
        self._complained_of: set[type] = set()
        self._configuration = configuration_of(child.actor)
        self._ended = trio.Event()

    # -- messages

    def post(
        self, message: object, reply: Reply | None = None, trace: object | None = None, timer: Timer | None = None
    ) -> None:
        """Queue a message. Raises `MailboxFull`; any other obstacle makes a dead letter, or fails the ask."""
        if get_ident() != self.runtime.thread:
            raise WrongThread(f"{self.path} was told of a {type(message).__name__}")
        try:
            entry = self.handlers[type(message)]
        except KeyError:
            entry = self.handlers.find(type(message))
        if entry is None or self.stop_requested:
            self._refuse(message, reply)
            return
        item = message
        if trace is not None or reply or timer or self.instruments:
            item = self._envelope(message, reply, trace, timer)
        elif entry.is_direct and self.life is not None and self.life.handle_directly(entry, message):
            return
        if entry.lane == "data":
            self.mailbox.put_data(item)
        else:
            self._put_control(item)

    async def post_when_room(self, message: object, reply: Reply | None, trace: object | None) -> None:
        """As `post`, waiting for room; where there is room it is no checkpoint."""
        if get_ident() != self.runtime.thread:
            raise WrongThread(f"{self.path} was told of a {type(message).__name__}")
        entry = self.handlers.get(type(message)) or self.handlers.find(type(message))
        if entry is None or self.stop_requested:
            self._refuse(message, reply)
            return
        item = message
        if reply is not None or trace is not None or self.instruments:
            item = self._envelope(message, reply, trace, None)
        if entry.lane == "data":
            await self.mailbox.put_data_when_room(item)
        else:
            self._put_control(item)

    def _put_control(self, item: object) -> None:
        self.mailbox.put_control(item)
        self.is_urgent = True
        if self.life is not None:
            self.life.ensure_control()

    def take_over(self, message: object, reply: Reply | None, trace: object | None) -> None:
        """Queue what another actor forwards, with whom to answer."""
        try:
            self.post(message, reply, trace)
        except MailboxFull as error:
            self.dead_letter(message, "mailbox_full", error)
            if reply is not None:
                reply.fail(error)

    def check_asker(self, message: object) -> None:
        """Raise `AskedItself` if whoever asks is the one that would have to answer."""
        entry = self.handlers.find(type(message))
        life = self.life
        if entry is not None and life is not None and life.is_busy and life.waits_in_this_task(entry.lane):
            raise AskedItself(
                f"{self.path} ({self._class.__name__}) asked itself for {type(message).__name__}, and could "
                f"only answer after that: call {entry.function.__qualname__}, or tell"
            )

    def check_waiter(self) -> None:
        """Raise `AskedItself` if whoever waits for the end is what has to come to an end before."""
        if self.life is not None and self.life.waits_in_this_task(None):
            raise AskedItself(f"{self.path} waits for its own end: call self.context.stop(), which does not wait")

    def _envelope(self, message: object, reply: Reply | None, trace: object | None, timer: Timer | None) -> Envelope:
        if not self.instruments:
            return Envelope(message, reply, trace, timer)
        trace = sending(self.instruments, self.ref, message, trace)
        return Envelope(message, reply, trace, timer, self.runtime.now())

    def _on_drop(self, item: object, dropped: object) -> None:
        if not isinstance(message_of(item), RuntimeEvent):
            self.runtime.on_drop(self, self.path, self.mailbox.dropped)
        if isinstance(dropped, Envelope):
            if dropped.timer is not None:
                dropped.timer.on_drop()
            if dropped.reply is not None:
                dropped.reply.fail(MailboxFull(f"the full mailbox of {self.path} dropped the question"))

    def _refuse(self, message: object, reply: Reply | None) -> None:
        name = type(message).__name__
        if self.stop_requested:
            reason: Literal["stopped", "unhandled"] = "stopped"
            failure: Exception = ActorStopped(f"{self.path} has stopped: it did not receive {name}")
        else:
            reason = "unhandled"
            failure = UnhandledMessage(f"{self.path} ({self._class.__name__}) has no handler for {name}")
            if type(message) not in self._complained_of:
                self._complained_of.add(type(message))
                log.warning("%s: it became a dead letter, as others of that type will", failure)
        self.dead_letter(message, reason)
        if reply is not None:
            reply.fail(failure)

    def dead_letter(
        self,
        message: Any,
        reason: Literal["unhandled", "stopped", "crashed", "mailbox_full", "late_answer"],
        cause: BaseException | None = None,
    ) -> None:
        """Publish that nobody handled a message."""
        log.debug("dead letter for %s: %s (%s)", self.path, type(message).__name__, reason)
        if isinstance(message, RuntimeEvent):
            return
        self.runtime.bus.publish(f"runtime.dead_letter.{self.path}", DeadLetter(self.path, message, reason, cause))

    # -- life

    def new_life(self) -> Life:
        """The next life, not yet running."""
        self.lives += 1
        self.life = Life(self, self.lives, self._class(**self._configuration))
        return self.life

    def on_started(self, life: Life) -> None:
        """The life's `started()` has returned."""
        self.state = "running"
        self.has_run = True
        self.runtime.bus.publish(f"runtime.started.{self.path}", ActorStarted(self.path, life.number))

    @property
    def alive(self) -> bool:
        """Whether a life of it is not over."""
        return self.life is not None and not self.life.over.is_set()

    def as_member(self) -> Member:
        """As the supervision's rules see it."""
        return Member(self.name, self.restart, running=self.alive)

    def request_stop(self, *, drain: bool = False) -> None:
        """Have the actor end for good. Does not wait."""
        if self.terminated is not None:
            return
        self.take_no_more()
        self.state = "stopping"
        if self.life is not None:
            self.life.finish(drain=drain)
        self.group.wake()

    def take_no_more(self) -> None:
        """It is to end for good: what is told from now on becomes dead letters."""
        self.stop_requested = True
        self.simple = frozenset()

    async def wait_terminated(self) -> Terminated:
        """Wait for the end for good."""
        await self._ended.wait()
        assert self.terminated is not None
        return self.terminated

    def end(self, reason: StopReason, cause: BaseException | None = None) -> None:
        """The actor has ended for good: what is queued becomes dead letters, watchers are told."""
        self.take_no_more()
        self.state = "stopped"
        self.life = None
        for queue in (self.mailbox.control, self.mailbox.data):
            if queue is not None:
                left = queue.take_all()
                queue.close()
                for item in left:
                    if not isinstance(item, Envelope):
                        self._refuse(item, None)
                    elif item.timer is None:
                        self._refuse(item.message, item.reply)
        self.terminated = Terminated(self.ref, reason, cause)
        self.runtime.slots.pop(self.path, None)
        for watcher in self.watchers:
            watcher.notify(self.terminated)
        self.watchers.clear()
        self._ended.set()
        self.runtime.bus.publish(f"runtime.terminated.{self.path}", ActorTerminated(self.path, reason, cause))

    @property
    def queued_control(self) -> int:
        """Messages in the control lane, one handed over and not yet handled included."""
        control = self.mailbox.control
        return 0 if self.terminated is not None or control is None else len(control)

    def statistics(self) -> ActorStatistics:
        """A snapshot."""
        mailbox = self.mailbox
        ended = self.terminated is not None
        life = self.life
        in_hand = life.in_hand() if life is not None else None
        return ActorStatistics(
            path=self.path,
            kind=self.kind,
            state=self.state,
            incarnation=self.lives,
            queued=0 if ended else len(mailbox.data),
            queued_control=self.queued_control,
            capacity=mailbox.capacity,
            peak=mailbox.data.peak,
            restarts=max(0, self.lives - 1),
            in_hand=in_hand and type(in_hand[0].message).__name__,
            in_hand_s=in_hand and max(0.0, self.runtime.now() - in_hand[1]),
            handled=self.handled,
            dropped=mailbox.dropped,
        )
