"""Mailboxes: two lanes, their order, and what happens when one is full."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import attrs
import pytest
import trio
from actors_kit import Note, Notes, Sleep, Urgent, UrgentCrash, Worker, read_all
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorStopped,
    MailboxFull,
    MessagesDropped,
    Overflow,
    Ref,
    droppable,
    open_runtime,
    receives,
)


@droppable
@attrs.frozen
class Audio:
    number: int


@attrs.frozen
class Text:
    number: int


@attrs.define(eq=False)
class Listener(Worker):
    heard: list[Audio | Text] = attrs.field(init=False, factory=list[Audio | Text])

    @receives
    async def hear(self, message: Audio | Text) -> str:
        self.heard.append(message)
        return "heard"

    @receives(lane="control")
    async def what(self, message: Notes) -> list[Any]:  # type: ignore[override]
        return self.heard

    report = None  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


def kinds(messages: list[Any]) -> str:
    return " ".join(f"{type(message).__name__[0].lower()}{message.number}" for message in messages)


def parse(words: str) -> list[Audio | Text]:
    return [{"a": Audio, "t": Text}[word[0]](int(word[1:])) for word in words.split()]


async def busy(ref: Ref, seconds: float = 10) -> None:
    """Keep the data lane waiting, with nothing queued."""
    ref.tell(Sleep(seconds))
    await wait_all_tasks_blocked()


async def test_messages_are_handled_in_the_order_they_were_told() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Worker(), capacity=500)
        for i in range(500):
            ref.tell(Note(str(i)))
        assert ref.statistics().queued >= 499
        await wait_all_tasks_blocked()
        assert await ref.ask(Notes(), timeout=1) == [str(i) for i in range(500)]
        statistics = ref.statistics()
        assert (statistics.handled, statistics.queued, statistics.capacity) == (501, 0, 500)


async def test_handlers_of_one_lane_run_one_at_a_time(autojump_clock: MockClock) -> None:
    running: list[str] = []

    async def handle(lane: str) -> None:
        assert lane not in running
        running.append(lane)
        await trio.sleep(1)
        running.remove(lane)

    @attrs.define(eq=False)
    class Slow(Actor):
        @receives
        async def note(self, message: Note) -> None:
            await handle("data")

        @receives(lane="control")
        async def urgent(self, message: Urgent) -> None:
            await handle("control")

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Slow())
        for _ in range(5):
            ref.tell(Note(""))
            ref.tell(Urgent(""))
        await wait_all_tasks_blocked()
        assert sorted(running) == ["control", "data"]
        await ref.ask(Urgent(""), timeout=10)
        await trio.sleep(10)
        assert ref.statistics().handled == 11


async def test_23_a_control_message_is_handled_while_a_data_handler_waits(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        log: list[str] = []
        ref = await runtime.spawn(Worker(log), name="w")
        assert len(task_names("w")) == 1
        ref.tell(Sleep(5))
        ref.tell(Note("data"))
        await wait_all_tasks_blocked()
        assert await ref.ask(Urgent("control"), timeout=1) == "control"
        assert await ref.ask(Urgent("again"), timeout=1) == "again"
        assert log == ["w started", "w notes control", "w notes again"]
        await trio.sleep(6)
        assert log[3:] == ["w slept", "w notes data"]


def task_names(part: str) -> list[str]:
    """The tasks now alive below the root whose names hold this (the lane of control runs in a task of its own)."""
    found: list[str] = []
    root = trio.lowlevel.current_root_task()
    assert root is not None
    pending = [root]
    while pending:
        task = pending.pop()
        found.append(task.name)
        for nursery in task.child_nurseries:
            pending.extend(nursery.child_tasks)
    return [name for name in found if name == part]


async def test_a_queued_burst_lets_others_run() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Plain(), capacity=10_000)
        for _ in range(10_000):
            ref.tell(Note(""))
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        assert ref.statistics().queued > 9_000


@attrs.define(eq=False)
class Plain(Actor):
    @receives
    def note(self, message: Note) -> None:
        pass


# -- behaviour 19: overflow at capacity 2


async def full(runtime: Any, overflow: Overflow, queued: str) -> Ref:
    ref = await runtime.spawn(Listener(), name="l", capacity=2, overflow=overflow)
    await busy(ref)
    for message in parse(queued):
        ref.tell(message)
    assert ref.statistics().queued == 2
    return ref


async def give(ref: Ref, how: str, message: object) -> None:
    if how == "tell":
        ref.tell(message)
    elif how == "send":
        await ref.send(message)
    else:
        assert await ref.ask(message, timeout=30) == "heard"


async def heard_by(ref: Ref) -> str:
    await trio.sleep(11)
    return kinds(await ref.ask(Notes(), timeout=1))


@pytest.mark.parametrize(
    "case",
    [
        ("drop_oldest", "a1 a2", "a3", "a2 a3"),
        ("drop_oldest", "a1 a2", "t3", "a2 t3"),
        ("drop_oldest", "t1 a2", "a3", "t1 a3"),
        ("drop_oldest", "t1 a2", "t3", "t1 t3"),
        ("drop_oldest", "t1 t2", "a3", "t1 t2"),
        ("drop_newest", "a1 a2", "a3", "a1 a2"),
        ("drop_newest", "a1 a2", "t3", "a1 t3"),
        ("drop_newest", "a1 t2", "t3", "t2 t3"),
        ("drop_newest", "t1 a2", "t3", "t1 t3"),
        ("drop_newest", "t1 t2", "a3", "t1 t2"),
    ],
)
@pytest.mark.parametrize("how", ["tell", "send", "ask"])
async def test_19_a_full_mailbox_that_drops_takes_a_droppable_message(
    autojump_clock: MockClock, case: tuple[Overflow, str, str, str], how: Literal["tell", "send", "ask"]
) -> None:
    overflow, queued, new, left = case
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dropped") as reports:
        ref = await full(runtime, overflow, queued)
        [message] = parse(new)
        if how == "ask" and new not in left:
            with pytest.raises(MailboxFull, match="the full mailbox of l dropped the question"):
                await ref.ask(message, timeout=30)
        else:
            await give(ref, how, message)
        assert ref.statistics().dropped == 1
        assert read_all(reports) == [MessagesDropped("l", 1, 1)]
        assert await heard_by(ref) == left


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
@pytest.mark.parametrize("how", ["tell", "send", "ask"])
async def test_19_a_mailbox_full_of_what_cannot_be_dropped_raises(
    autojump_clock: MockClock, overflow: Overflow, how: str
) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dropped") as reports:
        ref = await full(runtime, overflow, "t1 t2")
        with pytest.raises(MailboxFull):
            await give(ref, how, Text(3))
        assert ref.statistics().dropped == 0
        assert read_all(reports) == []
        assert await heard_by(ref) == "t1 t2"


async def test_19_wait_makes_send_wait_and_tell_raise(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await full(runtime, "wait", "a1 a2")
        with pytest.raises(MailboxFull, match=r"the data lane of l is full \(2 messages\)"):
            ref.tell(Audio(3))
        before = trio.current_time()
        await ref.send(Audio(3))
        assert trio.current_time() - before == pytest.approx(10)
        assert await heard_by(ref) == "a1 a2 a3"
        assert ref.statistics().dropped == 0


async def test_19_fail_makes_both_raise(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await full(runtime, "fail", "a1 a2")
        with pytest.raises(MailboxFull):
            ref.tell(Audio(3))
        with pytest.raises(MailboxFull):
            await ref.send(Audio(3))
        with pytest.raises(MailboxFull):
            await ref.ask(Audio(3), timeout=1)
        assert await heard_by(ref) == "a1 a2"


@pytest.mark.parametrize("overflow", ["wait", "fail", "drop_oldest", "drop_newest"])
async def test_19_a_stop_gets_through_a_full_mailbox(autojump_clock: MockClock, overflow: Overflow) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await full(runtime, overflow, "t1 t2")
        before = trio.current_time()
        await ref.stop()
        assert trio.current_time() - before == pytest.approx(5)
        assert [letter.message for letter in read_all(dead)] == [Sleep(10), Text(1), Text(2)]


async def test_a_full_control_lane_always_raises(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Deaf(Actor):
        @receives(lane="control")
        async def urgent(self, message: Urgent) -> None:
            await trio.sleep(3600)

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Deaf(), overflow="drop_oldest", capacity=1)
        ref.tell(Urgent(""))
        await wait_all_tasks_blocked()
        for _ in range(256):
            ref.tell(Urgent(""))
        assert ref.statistics().queued_control == 256
        with pytest.raises(MailboxFull, match="the control lane"):
            ref.tell(Urgent(""))
        with pytest.raises(MailboxFull, match="the control lane"):
            await ref.send(Urgent(""))
        before = trio.current_time()
        await ref.stop()
        assert trio.current_time() - before == pytest.approx(5)


async def test_context_tell_makes_a_dead_letter_of_what_a_full_neighbour_refuses(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Teller(Actor):
        neighbour: Ref

        @receives
        async def note(self, message: Note) -> bool:
            return self.context.tell(self.neighbour, Text(3))

    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        neighbour = await full(runtime, "wait", "t1 t2")
        teller = await runtime.spawn(Teller(neighbour))
        assert await teller.ask(Note(""), timeout=1) is False
        [letter] = read_all(dead)
        assert (letter.path, letter.message, letter.reason) == ("l", Text(3), "mailbox_full")
        assert isinstance(letter.cause, MailboxFull)
        assert await heard_by(neighbour) == "t1 t2"
        assert await teller.ask(Note(""), timeout=1) is True
        assert read_all(dead) == []


async def test_drops_are_reported_at_most_once_a_second_for_each_queue(autojump_clock: MockClock) -> None:
    async with (
        open_runtime() as runtime,
        runtime.bus.subscribe("runtime.dropped") as reports,
        trio.open_nursery() as nursery,
    ):
        refs = [
            await runtime.spawn(Listener(), name=name, capacity=1, overflow="drop_oldest", stop_timeout=0.1)
            for name in ("one", "two")
        ]
        for ref in refs:
            await busy(ref, 3600)
            ref.tell(Audio(0))
        times: dict[str, list[float]] = {"one": [], "two": []}
        counted = {"one": 0, "two": 0}
        one, two = refs

        async def read() -> None:
            async for report in reports:
                times[report.queue].append(trio.current_time())
                counted[report.queue] += report.count
                assert report.total == counted[report.queue]

        nursery.start_soon(read)
        # The second queue begins to drop between the first one's reports.
        for step in range(40):
            one.tell(Audio(step))
            if step >= 5:
                two.tell(Audio(step))
            await trio.sleep(0.1)
        await trio.sleep(2)
        assert counted == {"one": 40, "two": 35}
        for moments in times.values():
            assert len(moments) >= 4
            assert all(b - a >= 0.999 for a, b in pairwise(moments))
        # After a quiet time the next drop is told at once.
        await trio.sleep(5)
        one.tell(Audio(99))
        await wait_all_tasks_blocked()
        assert times["one"][-1] == trio.current_time()
        assert counted["one"] == 41
        reports.close()


async def test_a_waiting_send_is_a_dead_letter_when_the_actor_stops(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await full(runtime, "wait", "t1 t2")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.send, Text(3))
            await wait_all_tasks_blocked()
            await ref.stop()
        assert [letter.message for letter in read_all(dead)] == [Sleep(10), Text(1), Text(2), Text(3)]


async def test_a_waiting_ask_fails_when_the_actor_stops(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await full(runtime, "wait", "t1 t2")

        async def ask() -> None:
            with pytest.raises(ActorStopped):
                await ref.ask(Text(3), timeout=None)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            await ref.stop()


async def test_a_cancelled_send_leaves_no_message(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        ref = await full(runtime, "wait", "t1 t2")
        with trio.move_on_after(1):
            await ref.send(Text(3))
        assert await heard_by(ref) == "t1 t2"


@pytest.mark.parametrize("capacity", [0, -1])
async def test_a_mailbox_has_room_for_one_at_least(capacity: int) -> None:
    async with open_runtime() as runtime:
        with pytest.raises(ValueError, match="capacity of 1 or more"):
            await runtime.spawn(Worker(), capacity=capacity, name="w")
        await runtime.spawn(Worker(), capacity=1, name="w")


async def test_a_class_says_what_its_mailbox_is_and_spawn_may_say_otherwise() -> None:
    @attrs.define(eq=False)
    class Small(Actor):
        mailbox_capacity = 7
        mailbox_overflow = "fail"

    async with open_runtime() as runtime:
        assert (await runtime.spawn(Actor())).statistics().capacity == 256
        assert (await runtime.spawn(Small())).statistics().capacity == 7
        assert (await runtime.spawn(Small(), capacity=9)).statistics().capacity == 9


@pytest.mark.parametrize(
    ("overflow", "left"),
    [("wait", "t1 t2 a3"), ("fail", "t1 t2 a3"), ("drop_oldest", "t1 t2 a4"), ("drop_newest", "t1 t2 a3")],
)
async def test_a_message_handed_to_a_life_that_crashes_stays_the_first(overflow: Overflow, left: str) -> None:
    """It waits for the next life, ahead of the others and beside the room they have."""
    for _ in range(20):
        heard: list[Audio | Text] = []

        @attrs.define(eq=False)
        class Hears(Worker):
            said: list[Audio | Text] = attrs.field(factory=list[Audio | Text])

            @receives
            def hear(self, message: Audio | Text) -> None:
                self.said.append(message)

        async with open_runtime() as runtime:
            ref = await runtime.spawn(Hears(said=heard), restart="permanent", capacity=2, overflow=overflow)
            await ref.ask(Urgent("both lanes run now"), timeout=1)
            await wait_all_tasks_blocked()
            # Both lanes wait: each of these is handed over at once, and which runs first is random.
            ref.tell(UrgentCrash())
            ref.tell(Text(1))
            ref.tell(Text(2))
            ref.tell(Audio(3))
            if overflow.startswith("drop"):
                ref.tell(Audio(4))
            await wait_all_tasks_blocked()
            assert ref.statistics().incarnation == 2
            assert kinds(heard) == left


@attrs.frozen
class Alarm:
    """Makes the data lane tell its own control lane something."""


@attrs.define(eq=False)
class Patient(Actor):
    seen: list[str]

    @receives
    def hear(self, message: Text) -> None:
        self.seen.append(str(message.number))

    @receives
    def raise_alarm(self, message: Alarm) -> None:
        self.seen.append("alarm")
        self.context.ref.tell(Urgent("now"))

    @receives(lane="control")
    def attend(self, message: Urgent) -> None:
        self.seen.append(message.text)


@pytest.mark.parametrize("first_ever", [True, False])
async def test_a_control_message_goes_before_all_data_that_is_not_begun(first_ever: bool) -> None:
    # Trio wakes two lanes in any order: often enough to see both.
    for _ in range(30):
        seen: list[str] = []
        async with open_runtime() as runtime:
            ref = await runtime.spawn(Patient(seen))
            if not first_ever:
                ref.tell(Urgent("before"))
                await wait_all_tasks_blocked()
                seen.clear()
            for number in range(10):
                ref.tell(Text(number))
            ref.tell(Urgent("now"))
            await wait_all_tasks_blocked()
            assert seen == ["now", *map(str, range(10))]
            seen.clear()
            ref.tell(Text(1))
            ref.tell(Alarm())
            for number in range(2, 5):
                ref.tell(Text(number))
            await wait_all_tasks_blocked()
            assert seen == ["1", "alarm", "now", "2", "3", "4"]


async def test_a_control_lane_that_is_busy_does_not_hold_up_data(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Slow(Actor):
        seen: list[int]

        @receives
        def hear(self, message: Text) -> None:
            self.seen.append(message.number)

        @receives(lane="control")
        async def attend(self, message: Urgent) -> None:
            await trio.sleep(60)

    async with open_runtime() as runtime:
        ref = await runtime.spawn(Slow(seen := []), stop_timeout=0)
        ref.tell(Urgent("slow"))
        ref.tell(Urgent("queued behind it"))
        for number in range(200):
            ref.tell(Text(number))
        await wait_all_tasks_blocked()
        assert len(seen) == 200
