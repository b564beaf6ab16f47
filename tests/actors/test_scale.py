"""Many actors, and many lives: nothing is kept of those that are over."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Iterator

import attrs
import pytest
import trio
from actors_kit import Note
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorCrashed,
    ActorStopped,
    Backoff,
    Child,
    Ref,
    Runtime,
    Supervisor,
    open_runtime,
    receives,
)


@attrs.frozen
class Fail:
    """Crashes who handles it."""


@attrs.define(eq=False)
class Small(Actor):
    """Adds itself to those alive, and what it is told to a list."""

    alive: weakref.WeakSet[Actor]
    heard: list[str]

    async def started(self) -> None:
        self.alive.add(self)

    @receives
    def note(self, message: Note) -> None:
        self.heard.append(message.text)


@pytest.fixture(autouse=True)
def seldom_collected() -> Iterator[None]:
    """Half of the time would be the garbage collector's, which is called where it matters."""
    gc.disable()
    yield
    gc.enable()


def left_over() -> tuple[int, int]:
    """Tasks, and objects that the garbage collector knows."""
    gc.collect()
    return trio.lowlevel.current_statistics().tasks_living, len(gc.get_objects())


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What is captured of the log would keep the errors, and what they hold."""
    caplog.set_level(logging.CRITICAL + 1, "realtime_actors.actors")


@pytest.mark.parametrize(("many", "below_a_parent"), [(10_000, False), (1_000, True)])
async def test_ten_thousand_actors_are_started_told_once_and_stopped_and_leave_nothing(
    autojump_clock: MockClock, many: int, below_a_parent: bool
) -> None:
    @attrs.define(eq=False)
    class Parent(Actor):
        count: int
        alive: weakref.WeakSet[Actor]
        heard: list[str]

        @receives
        async def spawn_them(self, message: Note) -> list[Ref]:
            return [await self.context.spawn(Small(self.alive, self.heard)) for _ in range(self.count)]

    alive: weakref.WeakSet[Actor] = weakref.WeakSet()

    async def come_and_go(runtime: Runtime, count: int) -> list[Ref]:
        heard: list[str] = []
        if below_a_parent:
            parent = await runtime.spawn(Parent(count, alive, heard))
            refs: list[Ref] = await parent.ask(Note(""), timeout=None)
        else:
            parent = None
            refs = [await runtime.spawn(Small(alive, heard)) for _ in range(count)]
        assert len(alive) == count
        for number, ref in enumerate(refs):
            ref.tell(Note(str(number)))
        await wait_all_tasks_blocked()
        assert sorted(heard, key=int) == [str(number) for number in range(count)]
        if parent is not None:
            await parent.stop()
        else:
            async with trio.open_nursery() as nursery:
                for ref in refs:
                    nursery.start_soon(ref.stop)
        assert runtime.slots == {}
        assert {ref.state for ref in refs} == {"stopped"}
        # What is told now reaches nobody, and who asks is told so.
        with pytest.raises(ActorStopped):
            await refs[-1].ask(Note("late"), timeout=None)
        return refs

    async with open_runtime() as runtime:
        await come_and_go(runtime, 10)
        tasks, objects = left_over()
        refs = await come_and_go(runtime, many)
        gc.collect()
        # A ref that somebody keeps, keeps no actor.
        assert (len(refs), len(alive)) == (many, 0)
        refs.clear()
        tasks_after, objects_after = left_over()
        assert tasks_after == tasks
        assert objects_after - objects < many // 10


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all"])
async def test_24_of_three_thousand_lives_only_the_last_is_kept(autojump_clock: MockClock, strategy: str) -> None:
    """Timers, background tasks, watches, subscriptions, questions in hand, and starts that fail, included."""

    @attrs.define(eq=False)
    class Busy(Small):
        friend: Ref
        starts: list[int]

        async def started(self) -> None:
            self.starts.append(1)
            if len(self.starts) % 10 == 7:
                raise OSError("every tenth start fails")
            await super().started()
            self.context.send_every(1000, Note("tick"))
            self.context.send_after(1000, Note("once"))
            self.context.start_soon(trio.sleep_forever)
            self.context.watch(self.friend)
            self.context.subscribe("news.>")

        @receives
        async def fail(self, message: Fail) -> None:
            await trio.lowlevel.checkpoint()
            raise ValueError("as it was told")

    alive: weakref.WeakSet[Actor] = weakref.WeakSet()
    starts: list[int] = []
    async with open_runtime() as runtime:
        friend = await runtime.spawn(Small(weakref.WeakSet(), []), name="friend")
        children = [Child(Busy(alive, [], friend, starts), name="busy"), Child(Small(alive, []), name="other")]
        group = Supervisor(
            children,
            "one_for_all" if strategy == "one_for_all" else "one_for_one",
            100,
            0.1,
            Backoff(min=0.01, max=0.01),
        )
        await runtime.spawn(group, name="group")
        busy, other = runtime.find("group.busy"), runtime.find("group.other")
        assert busy is not None
        assert other is not None

        async def crash(until: int) -> None:
            while busy.statistics().restarts < until:
                with pytest.raises(ActorCrashed):
                    await busy.ask(Fail(), timeout=None)
                await trio.sleep(0.1)
            await wait_all_tasks_blocked()

        await crash(50)
        tasks, objects = left_over()
        await crash(3050)
        # Their number varies with whether a start fails just now.
        assert busy.state == other.state == "running"
        tasks_after, objects_after = left_over()
        assert tasks_after == tasks
        assert objects_after - objects < 300
        assert len(alive) == 2
        assert len(friend._slot.watchers) == 1  # pyright: ignore[reportPrivateUsage] - it has no other face
