"""The bus: topics and patterns, and subscriptions that cannot slow anyone."""

from __future__ import annotations

import gc
from typing import Any

import attrs
import pytest
import trio
from actors_kit import Crash, Note, Notes, Sleep, Worker, read_all
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorStarted,
    Bus,
    BusOverflow,
    DeadLetter,
    InvalidName,
    Lost,
    MessagesDropped,
    Subscription,
    SubscriptionOverflow,
    droppable,
    open_runtime,
    receives,
)


@droppable
@attrs.frozen
class Audio:
    number: int


def new_bus() -> Bus:
    return Bus(on_drop=lambda queue, label, total: None)


def matches(pattern: str, topic: str) -> bool:
    """What NATS says, word by word."""
    wanted, words = pattern.split("."), topic.split(".")
    for i, word in enumerate(wanted):
        if word == ">":
            return len(words) > i
        if i >= len(words) or word not in ("*", words[i]):
            return False
    return len(words) == len(wanted)


words = st.sampled_from(["a", "b", "c"])
topics = st.lists(words, min_size=1, max_size=4).map(".".join)
patterns = st.one_of(
    st.lists(st.one_of(words, st.just("*")), min_size=1, max_size=4).map(".".join),
    st.lists(st.one_of(words, st.just("*")), max_size=3).map(lambda start: ".".join([*start, ">"])),
)


@given(st.lists(patterns, max_size=8), st.lists(topics, max_size=8), st.data())
def test_patterns_match_as_in_nats(subscribed: list[str], published: list[str], data: st.DataObject) -> None:
    bus = new_bus()
    subscriptions = [bus.subscribe(pattern) for pattern in subscribed]
    expected: list[list[str]] = [[] for _ in subscribed]
    open_ones = set(range(len(subscribed)))
    for topic in published:
        if open_ones and data.draw(st.booleans()):
            closing = data.draw(st.sampled_from(sorted(open_ones)))
            subscriptions[closing].close()
            open_ones.discard(closing)
        bus.publish(topic, topic)
        for i in open_ones:
            if matches(subscribed[i], topic):
                expected[i].append(topic)
    assert [read_all(subscription) for subscription in subscriptions] == expected


@pytest.mark.parametrize("topic", ["", ".", "a.", ".a", "a..b", "a.*", ">", "a b", "ä", "a\n"])
def test_a_bad_topic_is_refused(topic: str) -> None:
    with pytest.raises(InvalidName, match="is no topic"):
        new_bus().publish(topic, None)


@pytest.mark.parametrize("pattern", ["", ".", "a.", "a..b", ">.a", "a.>.b", "a*", "a>", "a b", "ä", "a\n"])
def test_a_bad_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidName, match="is no pattern"):
        new_bus().subscribe(pattern)


def test_closed_subscriptions_leave_nothing_behind() -> None:
    bus = new_bus()

    def count() -> int:
        gc.collect()
        return len(gc.get_objects())

    def subscribe_and_close(i: int) -> None:
        for pattern in (f"x{i}.a.b", f"x{i}.*", f"x{i}.a.>"):
            subscription = bus.subscribe(pattern, capacity=1, overflow="close")
            bus.publish(f"x{i}.a", 1)
            bus.publish(f"x{i}.a", 1)
            subscription.close()
            subscription.close()

    subscribe_and_close(-1)
    # Topics are remembered, up to a bound: what counts here is what patterns leave.
    bus.subscribe("clear").close()
    before = count()
    for i in range(300):
        subscribe_and_close(i)
    bus.subscribe("clear").close()
    assert count() - before < 50


async def test_a_subscription_is_read_in_order_and_ends_when_closed() -> None:
    bus = new_bus()
    async with bus.subscribe("a.*") as events:
        for i in range(200):
            bus.publish("a.b", i)
        events.close()
        bus.publish("a.b", "too late")
        assert [event async for event in events] == list(range(200))


async def test_a_subscription_closed_while_one_reads_ends_the_reading() -> None:
    bus = new_bus()
    async with bus.subscribe("a") as events, trio.open_nursery() as nursery:

        @nursery.start_soon
        async def read() -> None:
            assert [event async for event in events] == [1]

        await wait_all_tasks_blocked()
        bus.publish("a", 1)
        await wait_all_tasks_blocked()
        events.close()
    with pytest.raises(trio.EndOfChannel):
        await events.receive()


async def test_a_subscription_has_one_reader_at_a_time() -> None:
    bus = new_bus()
    async with bus.subscribe("a") as events, trio.open_nursery() as nursery:
        nursery.start_soon(events.receive)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await events.receive()
        bus.publish("a", 1)


async def test_a_cancelled_reader_loses_nothing() -> None:
    bus = new_bus()
    async with bus.subscribe("a") as events:
        for _ in range(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(events.receive)
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
                bus.publish("a", 1)
        # In each step either the reader had it or it still waits.
        assert events.statistics().delivered + len(read_all(events)) == 20


async def test_reading_what_waits_lets_others_run_now_and_then() -> None:
    bus = new_bus()
    async with bus.subscribe("a") as events, trio.open_nursery() as nursery:
        for i in range(1000):
            bus.publish("a", i)
        ran: list[int] = []

        @nursery.start_soon
        async def other() -> None:
            while len(ran) < 5:
                ran.append(events.statistics().waiting)
                await trio.lowlevel.checkpoint()

        for _ in range(1000):
            await events.receive()
        assert len(ran) == 5


async def test_a_cancelled_scope_reads_nothing() -> None:
    bus = new_bus()
    async with bus.subscribe("a") as events:
        bus.publish("a", 1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await events.receive()
        assert scope.cancelled_caught
        assert read_all(events) == [1]


async def test_waiting_for_a_message_lets_others_run() -> None:
    bus = new_bus()
    async with bus.subscribe("a") as events, trio.open_nursery() as nursery:
        with assert_checkpoints():
            nursery.start_soon(publish_later, bus)
            await events.receive()


async def publish_later(bus: Bus) -> None:
    await wait_all_tasks_blocked()
    bus.publish("a", 1)


# -- overflow


def numbers(subscription: Subscription) -> list[Any]:
    return [each.number if isinstance(each, Audio) else each for each in read_all(subscription)]


@pytest.mark.parametrize(
    ("overflow", "published", "read"),
    [
        ("drop_oldest", [1, 2, 3, 4], [Lost(2), 3, 4]),
        ("drop_newest", [1, 2, 3, 4], [Lost(2), 1, 2]),
        ("drop_oldest", ["t", Audio(1), "u"], [Lost(1), "t", "u"]),
        ("drop_newest", ["t", Audio(1), "u"], [Lost(1), "t", "u"]),
        ("drop_oldest", ["t", "u", Audio(1)], [Lost(1), "t", "u"]),
        ("drop_newest", ["t", "u", Audio(1)], [Lost(1), "t", "u"]),
        ("drop_oldest", [Audio(1), Audio(2), Audio(3)], [Lost(1), 2, 3]),
        ("drop_newest", [Audio(1), Audio(2), Audio(3)], [Lost(1), 1, 2]),
        ("drop_newest", [Audio(1), Audio(2), "t"], [Lost(1), 1, "t"]),
        ("drop_oldest", [Audio(1), Audio(2), "t"], [Lost(1), 2, "t"]),
    ],
)
def test_a_full_subscription_drops_what_is_droppable_first(
    overflow: BusOverflow, published: list[Any], read: list[Any]
) -> None:
    bus = new_bus()
    subscription = bus.subscribe("a", capacity=2, overflow=overflow)
    for message in published:
        bus.publish("a", message)
    dropped = len(published) - 2
    assert subscription.statistics().dropped == dropped
    assert numbers(subscription) == read
    bus.publish("a", "next")
    assert read_all(subscription) == ["next"]


async def test_a_subscription_that_closes_on_overflow_says_so_after_what_it_had() -> None:
    bus = new_bus()
    async with bus.subscribe("a", capacity=2, overflow="close") as events:
        for i in range(5):
            bus.publish("a", i)
        assert await events.receive() == 0
        assert await events.receive() == 1
        with pytest.raises(SubscriptionOverflow, match="the subscription to a ran full") as caught:
            await events.receive()
        assert caught.value.lost == 3
        bus.publish("a", 9)
        with pytest.raises(SubscriptionOverflow):
            await events.receive()


async def test_a_group_can_be_discarded_from_a_subscription_that_has_run_full() -> None:
    bus = new_bus()
    async with bus.subscribe("a", capacity=2, overflow="close") as events:
        for i in range(3):
            bus.publish("a", i, group="g")
        bus.discard("a", "g")
        with pytest.raises(SubscriptionOverflow):
            await events.receive()


def test_a_slow_subscriber_slows_nobody() -> None:
    bus = new_bus()
    slow = bus.subscribe("a", capacity=1)
    quick = bus.subscribe(">", capacity=1000)
    for i in range(1000):
        bus.publish("a", i)
    assert read_all(quick) == list(range(1000))
    assert read_all(slow) == [Lost(999), 999]


def test_a_weighed_subscription_bounds_the_sum() -> None:
    bus = new_bus()
    subscription = bus.subscribe("a", capacity=10, weigh=len)
    for text in ("aaaa", "bbbb", "cccc"):
        bus.publish("a", text)
    assert read_all(subscription) == [Lost(1), "bbbb", "cccc"]
    bus.publish("a", "x" * 10)
    bus.publish("a", "y" * 10)
    assert read_all(subscription) == [Lost(1), "y" * 10]


def test_what_is_heavier_than_the_whole_buffer_pushes_nothing_out() -> None:
    bus = new_bus()
    subscription = bus.subscribe("a", capacity=10, weigh=len)
    bus.publish("a", "aaaa")
    bus.publish("a", "x" * 11)
    assert read_all(subscription) == [Lost(1), "aaaa"]
    closing = bus.subscribe("a", capacity=10, overflow="close", weigh=len)
    bus.publish("a", "x" * 11)
    with pytest.raises(SubscriptionOverflow):
        closing.receive_nowait()


def test_what_weighs_nothing_counts_as_one() -> None:
    bus = new_bus()
    subscription = bus.subscribe("a", capacity=3, weigh=len)
    for _ in range(10):
        bus.publish("a", "")
    assert read_all(subscription) == [Lost(7), "", "", ""]


droppables = st.builds(Audio, st.integers(1, 5))
fixed = st.integers(1, 5)


def number_of(message: Audio | int) -> int:
    return message.number if isinstance(message, Audio) else message


@given(
    st.sampled_from(["drop_oldest", "drop_newest", "close"]),
    st.integers(1, 12),
    st.lists(st.one_of(droppables, fixed, st.none()), max_size=40),
)
def test_a_buffer_keeps_its_bound_and_its_books(
    overflow: BusOverflow, capacity: int, steps: list[Audio | int | None]
) -> None:
    """Whatever is published and read (None reads one): what came in is what was read, waits, or was dropped."""
    bus = new_bus()
    subscription = bus.subscribe("a", capacity=capacity, overflow=overflow, weigh=number_of)
    published: list[Any] = []
    read: list[Any] = []
    lost = 0
    for step in steps:
        if step is not None:
            published.append(step)
            bus.publish("a", step)
            continue
        try:
            got = subscription.receive_nowait()
        except (trio.WouldBlock, SubscriptionOverflow):
            continue
        if isinstance(got, Lost):
            lost += got.count
        else:
            read.append(got)
    waiting = subscription.statistics().waiting
    try:
        while True:
            got = subscription.receive_nowait()
            if isinstance(got, Lost):
                lost += got.count
            else:
                read.append(got)
                waiting -= 1
    except trio.WouldBlock:
        pass
    except SubscriptionOverflow as error:
        lost += error.lost
    assert waiting == 0
    assert len(published) == len(read) + lost
    assert lost == subscription.statistics().dropped
    assert subscription.statistics().delivered == len(read)
    # In order, though not all.
    left = iter(published)
    assert all(any(message is other for other in left) for message in read)


async def test_the_drops_of_a_subscription_are_reported(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        reports = runtime.bus.subscribe("runtime.dropped")
        slow = runtime.bus.subscribe("a.>", capacity=1)
        for i in range(11):
            runtime.bus.publish("a.b", i)
        await trio.sleep(1.5)
        label = "subscription to a.>"
        assert read_all(reports) == [MessagesDropped(label, 1, 1), MessagesDropped(label, 9, 10)]
        assert slow.statistics().dropped == 10


async def test_what_the_runtime_says_of_itself_makes_it_say_no_more(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        reports = runtime.bus.subscribe("runtime.dropped")
        runtime.bus.subscribe("runtime.>", capacity=1)
        runtime.bus.subscribe(">", capacity=1)
        runtime.bus.subscribe("*.>", capacity=1)
        for i in range(5):
            await runtime.spawn(Worker(), name=f"w{i}")
        await trio.sleep(5)
        assert read_all(reports) == []


@attrs.define(eq=False)
class Auditor(Actor):
    """Listens to all that the runtime says, and understands little of it."""

    pattern: str = "runtime.>"

    async def started(self) -> None:
        self.context.subscribe(self.pattern)

    @receives
    async def sleep(self, message: Sleep) -> None:
        await trio.sleep(message.seconds)


@pytest.mark.parametrize("pattern", ["runtime.>", ">", "*.*.*", "runtime.dead_letter.>"])
async def test_an_actor_that_cannot_take_what_the_runtime_says_makes_it_say_no_more(
    autojump_clock: MockClock, pattern: str
) -> None:
    """It has no handler for it, its mailbox is full, it is being stopped: a dead letter about a dead letter is none."""
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        auditor = await runtime.spawn(Auditor(pattern), capacity=1)
        for _ in range(2):
            auditor.tell(Sleep())
            await wait_all_tasks_blocked()
        await runtime.spawn(Worker(), name="w")
        runtime.bus.publish("runtime.dead_letter.x", DeadLetter("x", Note(""), "unhandled"))
        read_all(dead)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(auditor.stop)
            await wait_all_tasks_blocked()
            await runtime.spawn(Worker(), name="w2")
            runtime.bus.publish("runtime.dead_letter.x", DeadLetter("x", Note(""), "unhandled"))
        assert len(read_all(dead)) <= 3


async def test_nothing_a_subscriber_does_reaches_the_publisher() -> None:
    def weigh(_: Any) -> int:
        raise ValueError("cannot weigh this")

    bus = new_bus()
    bus.subscribe("a", weigh=weigh)
    good = bus.subscribe("a")
    bus.publish("a", 1)
    assert read_all(good) == [1]


# -- discard


async def test_23_a_discarded_group_is_not_among_what_a_sleeping_subscriber_reads_next() -> None:
    bus = new_bus()
    async with bus.subscribe("agents.>") as events, bus.subscribe("agents.one.audio") as audio:
        for i in range(5):
            bus.publish("agents.one.audio", f"one {i}", group="r1")
            bus.publish("agents.one.audio", f"two {i}", group="r2")
            bus.publish("agents.two.audio", f"other {i}", group="r1")
        bus.discard("agents.one.audio", "r1")
        bus.publish("agents.one.done", "done")
        # Only what was published on that topic goes.
        assert read_all(audio) == [f"two {i}" for i in range(5)]
        left = read_all(events)
        assert [each for each in left if each.startswith("one")] == []
        assert left[-1] == "done"
        assert audio.statistics().superseded == 5
        assert audio.statistics().dropped == 0


async def test_a_subscriber_woken_for_nothing_waits_on() -> None:
    bus = new_bus()
    read: list[Any] = []

    async def read_one() -> None:
        read.append(await events.receive())

    async with bus.subscribe("a") as events, trio.open_nursery() as nursery:
        nursery.start_soon(read_one)
        await wait_all_tasks_blocked()
        bus.publish("a", Audio(1), group="g")
        bus.discard("a", "g")
        await wait_all_tasks_blocked()
        assert read == []
        bus.publish("a", Audio(2))
    assert read == [Audio(2)]


def test_what_was_discarded_makes_room_again() -> None:
    bus = new_bus()
    subscription = bus.subscribe("a", capacity=4, weigh=lambda _: 2)
    bus.publish("a", 1, group="g")
    bus.publish("a", 2)
    bus.discard("a", "g")
    bus.publish("a", 3)
    assert read_all(subscription) == [2, 3]


def test_no_group_cannot_be_discarded() -> None:
    bus = new_bus()
    subscription = bus.subscribe("a")
    bus.publish("a", 1)
    bus.discard("a", None)
    assert read_all(subscription) == [1]


# -- refs


async def test_an_actor_subscribes_for_as_long_as_its_life_lasts() -> None:
    @attrs.define(eq=False)
    class Listener(Worker):
        async def started(self) -> None:
            await super().started()
            self.context.subscribe("news.*")

    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Listener(), name="l", restart="permanent")
        runtime.bus.publish("news.a", Note("1"))
        assert await ref.ask(Notes(), timeout=1) == ["1"]
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        # One subscription, not two: that of the life that ended is gone.
        runtime.bus.publish("news.a", Note("2"))
        assert await ref.ask(Notes(), timeout=1) == ["2"]
        await ref.stop()
        read_all(dead)
        runtime.bus.publish("news.a", Note("3"))
        assert read_all(dead) == []


async def test_a_ref_that_subscribes_is_told_until_it_ends() -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w", restart="permanent")
        subscription = runtime.bus.subscribe_ref("news.>", ref)
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        runtime.bus.publish("news.a", Note("1"))
        assert await ref.ask(Notes(), timeout=1) == ["1"]
        subscription.close()
        runtime.bus.publish("news.a", Note("2"))
        assert await ref.ask(Notes(), timeout=1) == ["1"]
        runtime.bus.subscribe_ref("news.>", ref)
        await ref.stop()
        read_all(dead)
        runtime.bus.publish("news.a", Note("3"))
        assert read_all(dead) == []


async def test_a_full_subscriber_costs_a_dead_letter_and_not_the_publisher(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        ref = await runtime.spawn(Worker(), name="w", capacity=1)
        runtime.bus.subscribe_ref("news", ref)
        ref.tell(Sleep(1))
        await wait_all_tasks_blocked()
        runtime.bus.publish("news", Note("1"))
        runtime.bus.publish("news", Note("2"))
        assert [(letter.message, letter.reason) for letter in read_all(dead)] == [(Note("2"), "mailbox_full")]


async def test_starts_and_ends_are_published() -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.started.>") as started:
        await runtime.spawn(Worker(), name="w")
        assert read_all(started) == [ActorStarted("w", 1)]


@attrs.define(eq=False)
class Changes(Actor):
    """Subscribes to one thing after another."""

    @receives
    async def note(self, message: Note) -> None:
        self.context.subscribe(f"news.{message.text}").close()


async def test_an_actor_that_subscribes_again_and_again_keeps_none_of_it() -> None:
    async with open_runtime() as runtime:
        ref = await runtime.spawn(Changes())

        async def count(times: int) -> int:
            for _ in range(times):
                await ref.ask(Note("a"), timeout=None)
            gc.collect()
            return len(gc.get_objects())

        before = await count(5)
        assert await count(500) - before < 100


async def test_who_cannot_see_that_it_ran_full_is_called() -> None:
    calls: list[str] = []
    async with open_runtime() as runtime:
        closing = runtime.bus.subscribe("a", capacity=1, overflow="close", on_overflow=lambda: calls.append("closing"))
        runtime.bus.subscribe("a", capacity=1, on_overflow=lambda: calls.append("dropping"))
        runtime.bus.publish("a", Note("fits"))
        assert calls == []
        for _ in range(3):
            runtime.bus.publish("a", Note("does not"))
        assert calls == ["closing"]
        assert await closing.receive() == Note("fits")
        with pytest.raises(SubscriptionOverflow):
            await closing.receive()


# -- several patterns, and what is of no use any more


def test_a_subscription_to_several_patterns_is_given_each_message_once() -> None:
    bus = new_bus()
    both = bus.subscribe("rooms.lobby.>")
    both.also("people.*.ann")
    both.also("rooms.*.line")
    bus.publish("rooms.lobby.line", Note("1"))
    bus.publish("rooms.other.line", Note("2"))
    bus.publish("people.lobby.ann", Note("3"))
    bus.publish("people.lobby.ben", Note("4"))
    both.close()
    bus.publish("people.lobby.ann", Note("5"))
    assert [note.text for note in read_all(both)] == ["1", "2", "3"]
    with pytest.raises(InvalidName):
        bus.subscribe("a").also("no pattern")


def test_what_waits_and_is_of_no_use_is_dropped_by_its_reader() -> None:
    bus = new_bus()
    notes = bus.subscribe("notes", capacity=3)
    for text in ("1", "2", "3"):
        bus.publish("notes", Note(text))
    assert [note.text for note in notes.waiting()] == ["1", "2", "3"]
    notes.drop(lambda note: note.text < "3")
    bus.publish("notes", Note("4"))
    notes.close()
    assert [note.text for note in read_all(notes)] == ["3", "4"]
    statistics = notes.statistics()
    assert (statistics.superseded, statistics.dropped, statistics.delivered) == (2, 0, 2)
