"""Routers, and forwarding, which they are made of."""

from __future__ import annotations

import attrs
import pytest
import trio
from actors_kit import Crash, Finish, Note, Notes, Sleep, Unknown, Urgent, Worker, read_all
from trio.testing import MockClock

from realtime_actors.actors import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskTimeout,
    ByKey,
    DeadLetter,
    Forward,
    MailboxFull,
    Ref,
    RestartBudgetExceeded,
    RoundRobin,
    UnhandledMessage,
    open_runtime,
    receives,
)


@attrs.frozen
class Keyed:
    key: str
    number: int


@attrs.define(eq=False)
class Echo(Worker):
    @receives
    def keyed(self, message: Keyed) -> str:
        self.log.append(f"{self.context.name} {message.key}{message.number}")
        return self.context.path

    @receives
    def note_where(self, message: Note) -> str:
        return self.context.path

    note = None  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


async def test_each_in_turn() -> None:
    async with open_runtime() as runtime:
        router = await runtime.spawn(RoundRobin(Echo(), 3), name="pool")
        answers = [await router.ask(Note("a"), timeout=1) for _ in range(7)]
        assert answers == [f"pool.{number}" for number in (1, 2, 3, 1, 2, 3, 1)]


async def test_the_same_key_goes_to_the_same_one_in_order() -> None:
    async with open_runtime() as runtime:
        router = await runtime.spawn(ByKey(Echo(log=(log := [])), 4, key=lambda message: message.key))
        log.clear()
        for number in range(50):
            for key in "abcdefgh":
                await router.send(Keyed(key, number))
        await router.ask(Keyed("a", 50), timeout=1)
        await trio.testing.wait_all_tasks_blocked()
        for key in "abcdefgh":
            handled = [line for line in log if line.split()[1].startswith(key)]
            assert len({line.split()[0] for line in handled}) == 1
            numbers = [int(line.split()[1][1:]) for line in handled]
            assert numbers == sorted(numbers)
            assert len(numbers) >= 50
        assert len({line.split()[0] for line in log}) > 1


async def test_one_that_is_being_started_again_is_passed_over(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        gate = trio.Event()

        @attrs.define(eq=False)
        class SlowToReturn(Echo):
            async def started(self) -> None:
                if self.context.ref.statistics().incarnation > 1:
                    await gate.wait()

        router = await runtime.spawn(RoundRobin(SlowToReturn(), 2), name="pool")
        with pytest.raises(ActorCrashed):
            await router.ask(Crash(), timeout=1)
        assert {await router.ask(Note("a"), timeout=1) for _ in range(4)} == {"pool.2"}
        gate.set()
        await trio.sleep(1)
        assert {await router.ask(Note("a"), timeout=1) for _ in range(4)} == {"pool.1", "pool.2"}


async def test_routees_are_permanent_and_share_a_budget() -> None:
    async with open_runtime() as runtime:
        router = await runtime.spawn(RoundRobin(Echo(), 2, max_restarts=3), name="pool")
        for _ in range(3):
            router.tell(Finish())
            await trio.testing.wait_all_tasks_blocked()
        assert router.state == "running"
        router.tell(Crash())
        terminated = await router.wait_stopped()
        assert isinstance(terminated.cause, RestartBudgetExceeded)
        assert runtime.tree().actors == ()


async def test_what_routees_do_not_take_is_told_to_who_asks() -> None:
    async with open_runtime() as runtime:
        router = await runtime.spawn(RoundRobin(Echo(), 2))
        with pytest.raises(UnhandledMessage, match=r"roundrobin-1\.1 \(Echo\) has no handler for Unknown"):
            await router.ask(Unknown(), timeout=1)


@pytest.mark.parametrize("size", [0, -1])
def test_a_router_of_none_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="a router needs 1 or more"):
        RoundRobin(Echo(), size)


async def test_a_routee_that_cannot_start_is_the_spawn_s_error() -> None:
    def fail() -> None:
        raise OSError("no microphone")

    async with open_runtime() as runtime:
        with pytest.raises(OSError, match="no microphone") as caught:
            await runtime.spawn(RoundRobin(Worker(start=fail), 2), name="pool")
        assert any("pool.1" in note for note in caught.value.__notes__)
        assert runtime.find("pool") is None


# -- forwarding


@attrs.define(eq=False)
class Desk(Actor):
    clerk: Ref

    @receives
    def pass_on(self, message: Note | Notes | Crash | Sleep) -> Forward:
        return Forward(self.clerk)

    @receives(lane="control")
    async def pass_on_urgently(self, message: Urgent) -> Forward:
        return Forward(self.clerk)


async def test_who_is_forwarded_to_answers_and_the_desk_is_free(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        clerk = await runtime.spawn(Worker(log=(log := [])), name="clerk")
        desk = await runtime.spawn(Desk(clerk), name="desk")
        desk.tell(Note("a"))
        assert await desk.ask(Notes(), timeout=1) == ["a"]
        # The receiver chooses the lane, of the forwarded message too.
        desk.tell(Sleep(5))
        assert await desk.ask(Urgent("b"), timeout=1) == "b"
        assert "clerk slept" not in log
        assert desk.statistics().handled == 4
        with pytest.raises(AskTimeout):
            await desk.ask(Sleep(50), timeout=10)


async def test_an_ask_fails_as_who_is_forwarded_to_does() -> None:
    async with open_runtime() as runtime:
        clerk = await runtime.spawn(Worker(), name="clerk", restart="transient")
        desk = await runtime.spawn(Desk(clerk), name="desk")
        with pytest.raises(ActorCrashed, match="clerk crashed while it handled Crash"):
            await desk.ask(Crash(), timeout=1)
        await clerk.stop()
        with pytest.raises(ActorStopped, match="clerk has stopped"):
            await desk.ask(Notes(), timeout=1)
        assert desk.state == "running"


async def test_a_full_mailbox_refuses_what_is_forwarded_and_the_desk_lives() -> None:
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead_letters:
        clerk = await runtime.spawn(Worker(), name="clerk", capacity=1, stop_timeout=0)
        desk = await runtime.spawn(Desk(clerk), name="desk")
        clerk.tell(Sleep())
        await trio.testing.wait_all_tasks_blocked()
        clerk.tell(Note("fills it"))
        desk.tell(Note("lost"))
        with pytest.raises(MailboxFull, match="the data lane of clerk is full"):
            await desk.ask(Notes(), timeout=1)
        assert desk.state == "running"
        letters: list[DeadLetter] = read_all(dead_letters)
        assert [(letter.path, letter.message, letter.reason) for letter in letters] == [
            ("clerk", Note("lost"), "mailbox_full"),
            ("clerk", Notes(), "mailbox_full"),
        ]
