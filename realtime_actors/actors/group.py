"""Groups: children that are supervised together. A child spawned by itself is a group of one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from .actor import Child
from .errors import ActorStopped, RealtimeError, RestartBudgetExceeded, in_words
from .ref import Ref
from .signals import ActorRestarting, StopReason
from .supervision import Backoff, Budget, GiveUp, Outcome, Plan, Strategy, Supervision

if TYPE_CHECKING:
    from .life import Life
    from .runtime import Runtime
    from .slot import Slot

__all__ = ["Children", "Group"]

log = logging.getLogger("realtime_actors.actors")


class Group:
    """Runs its members by the plans of a `Supervision`. One task; each life of a member is a task below it."""

    def __init__(self, supervision: Supervision, on_give_up: Callable[[BaseException], None] | None) -> None:
        self.slots: list[Slot] = []
        self.done = trio.Event()
        self._supervision = supervision
        self._on_give_up = on_give_up
        self._nursery: trio.Nursery | None = None
        # Whose life is over and not yet dealt with. No next one begins before that is done: an exit is always that
        # of the slot's present life.
        self._exits: dict[Slot, Life] = {}
        self._due: dict[Slot, float] = {}
        self._stopping = False
        self._news = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start all members or none, then supervise until the last one has ended. Raises what a start raised."""
        start_error: BaseException | None = None
        given_up: BaseException | None = None
        try:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as self._nursery:
                    try:
                        start_error = await self._start_all()
                        if start_error is None:
                            # Whoever spawns may have been cancelled by now, and could not be given what it started.
                            await trio.lowlevel.checkpoint_if_cancelled()
                            scope.shield = True
                            task_status.started()
                            given_up = await self._supervise()
                    finally:
                        with trio.CancelScope(shield=True):
                            await self._stop_all()
        finally:
            self.done.set()
        if start_error is not None:
            raise start_error
        if given_up is not None and self._on_give_up is not None:
            self._on_give_up(given_up)

    def request_stop(self) -> None:
        """Have all members stop, one by one in reverse order of their start. Does not wait."""
        self._stopping = True
        for slot in self.slots:
            if slot.life is not None and not slot.life.has_started:
                slot.life.finish()
        self.wake()

    def wake(self) -> None:
        """Something was requested."""
        self._news.set()

    async def _start_all(self) -> BaseException | None:
        for slot in self.slots:
            try:
                if self._stopping:
                    raise ActorStopped(f"{slot.path} was stopped before it started")
                await self._start(slot)
            except Exception as error:  # noqa: BLE001 - raised by `run`, outside the nursery
                error.add_note(f"while starting the actor {slot.path} ({slot.kind})")
                return error
        return None

    async def _start(self, slot: Slot) -> None:
        life = slot.new_life()
        assert self._nursery is not None
        await self._nursery.start(self._live, slot, life, name=slot.path)

    async def _live(self, slot: Slot, life: Life, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await life.run(task_status=task_status)
            # A start that failed is told to `_start` by its error instead.
            self._exits[slot] = life
            if life.error is not None:
                _log_failure(slot, "crashed", life.error)
        finally:
            life.over.set()
            self.wake()

    async def _supervise(self) -> BaseException | None:
        """Returns the error with which the group gives up, if it does."""
        while self.slots and not self._stopping:
            self._news = trio.Event()
            now = trio.current_time()
            for slot in [slot for slot in self._due if slot.stop_requested]:
                self._forget(slot, "stopped")
            due = [slot for slot in self.slots if self._due.get(slot, now + 1) <= now]
            failure = None
            if self._exits:
                failure = await self._on_exit(next(iter(self._exits)))
            elif due:
                failure = await self._restart(due[0])
            elif self.slots:
                with trio.move_on_at(min(self._due.values(), default=float("inf"))):
                    await self._news.wait()
            if failure is not None:
                return failure
        return None

    async def _on_exit(self, slot: Slot) -> BaseException | None:
        life = self._exits.pop(slot)
        return await self._decide(slot, _outcome(slot, life), life.error)

    async def _restart(self, slot: Slot) -> BaseException | None:
        del self._due[slot]
        try:
            await self._start(slot)
        except Exception as error:  # noqa: BLE001 - a failed restart is the supervision's business
            if slot.stop_requested or self._stopping:
                self._due[slot] = trio.current_time()
                return None
            _log_failure(slot, "failed to start again", error)
            return await self._decide(slot, Outcome.START_FAILED, error)
        return None

    async def _decide(self, slot: Slot, outcome: Outcome, cause: BaseException | None) -> BaseException | None:
        members = [slot.as_member() for slot in self.slots]
        match self._supervision.exited(members, slot.name, outcome, trio.current_time()):
            case GiveUp(max_restarts, within):
                error = RestartBudgetExceeded(
                    f"{slot.path} ended ({outcome.value}) after {max_restarts} restarts within {within:g} s"
                )
                error.__cause__ = cause
                self._forget(slot, "crashed", error)
                return error
            case Plan() as plan:
                await self._carry_out(plan, slot, outcome, cause)
                return None

    async def _carry_out(self, plan: Plan, ended: Slot, outcome: Outcome, cause: BaseException | None) -> None:
        by_name = {slot.name: slot for slot in self.slots}
        for name in plan.stop:
            await self._stop_life(by_name[name])
        for name in plan.forget:
            slot = by_name[name]
            if slot is ended:
                self._forget(slot, outcome.value, cause)
            elif slot not in self._exits:  # else it crashed before its turn to stop, and will be dealt with for that
                self._forget(slot, "stopped", slot.life and slot.life.error)
        at = trio.current_time() + plan.delay
        for name in plan.start:
            slot = by_name[name]
            # This restart is also that of one which crashed before its turn to stop.
            self._exits.pop(slot, None)
            self._due[slot] = at
            if not slot.stop_requested:
                slot.state = "restarting"
                slot.runtime.bus.publish(
                    f"runtime.restarting.{slot.path}", ActorRestarting(slot.path, slot.lives, plan.delay, cause)
                )

    async def _stop_life(self, slot: Slot) -> None:
        if slot.life is None or not slot.alive:
            return
        slot.state = "stopping"
        slot.life.finish()
        await slot.life.over.wait()
        self._exits.pop(slot, None)

    def _forget(self, slot: Slot, reason: StopReason, cause: BaseException | None = None) -> None:
        self.slots.remove(slot)
        self._due.pop(slot, None)
        slot.end(reason, cause)

    async def _stop_all(self) -> None:
        for slot in reversed(list(self.slots)):
            reason: StopReason = "stopped" if slot.has_run else "start_failed"
            if slot in self._exits:
                reason = _outcome(slot, self._exits[slot]).value
            restarting = slot in self._due
            slot.take_no_more()
            await self._stop_life(slot)
            cause = slot.life.error if slot.life is not None and not restarting else None
            self._forget(slot, reason, cause)


def _outcome(slot: Slot, life: Life) -> Outcome:
    if slot.stop_requested:
        return Outcome.STOPPED
    if life.error is not None:
        return Outcome.CRASHED
    return Outcome.NORMAL if life.ended_itself else Outcome.STOPPED


def _log_failure(slot: Slot, what: str, error: BaseException) -> None:
    """Say why an actor ended. An error of this package's says all in its message; others are bugs: where are they?"""
    trace = None if isinstance(error, RealtimeError) else error
    log.error("%s %s: %s", slot.path, what, in_words(error), exc_info=trace)


class Children:
    """The groups below one actor, or below the root."""

    def __init__(self, runtime: Runtime, path: str, on_give_up: Callable[[BaseException], None] | None) -> None:
        self.nursery: trio.Nursery | None = None
        self._runtime = runtime
        self._path = path
        self._on_give_up = on_give_up
        self._groups: dict[Group, None] = {}
        self._closed = False

    async def spawn(self, child: Child, *, max_restarts: int, within: float, backoff: Backoff | None) -> Ref:
        """Start one child with a budget of its own."""
        supervision = Supervision("one_for_one", Budget(max_restarts, within), backoff or Backoff())
        [ref] = await self._start(Group(supervision, None), [child])
        return ref

    async def spawn_group(
        self,
        children: Sequence[Child],
        *,
        strategy: Strategy,
        max_restarts: int,
        within: float,
        backoff: Backoff | None,
    ) -> list[Ref]:
        """Start a declared group: all or none."""
        supervision = Supervision(strategy, Budget(max_restarts, within), backoff or Backoff())
        return await self._start(Group(supervision, self._on_give_up), children)

    async def _start(self, group: Group, children: Sequence[Child]) -> list[Ref]:
        if self._closed or self.nursery is None:
            what = ", ".join(type(child.actor).__name__ for child in children)
            if not self._path and not self._closed:
                raise ActorStopped(f"the runtime does not run yet, and can start no {what}: see open_runtime")
            raise ActorStopped(f"{self._path or 'the runtime'} is stopping: it can start no {what}")
        refs: list[Ref] = []
        try:
            for child in children:
                slot = self._runtime.new_slot(group, child, self._path)
                group.slots.append(slot)
                refs.append(slot.ref)
        except BaseException:
            for slot in group.slots:
                slot.end("start_failed")
            raise
        self._groups[group] = None
        await self.nursery.start(self._run, group, name=f"supervision of {', '.join(ref.path for ref in refs)}")
        return refs

    async def _run(self, group: Group, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await group.run(task_status=task_status)
        finally:
            del self._groups[group]

    async def stop(self) -> None:
        """Stop all groups at once, and wait for them. No other can be started any more."""
        self._closed = True
        groups = list(self._groups)
        for group in groups:
            group.request_stop()
        for group in groups:
            await group.done.wait()
