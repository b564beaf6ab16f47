"""The probe."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from realtime_actors.actors import (
    Actor,
    ActorCrashed,
    Ref,
    Runtime,
    Terminated,
    open_runtime,
    receives,
)
from realtime_actors.testing import ExpectationFailed, InvalidExpectation, Probe, run_virtual


@attrs.frozen
class Ping:
    number: int = 0


@attrs.frozen
class Pong:
    number: int
    kind: str = "plain"


@attrs.frozen
class Secret:
    key: str = attrs.field(repr=False)


class NoMessage:
    pass


@attrs.define(eq=False)
class Player(Actor):
    """Answers a `Ping` to `friend`, after a while."""

    friend: Ref
    after: float = 0.0

    @receives
    async def ping(self, message: Ping) -> None:
        await trio.sleep(self.after)
        self.friend.tell(Pong(message.number))


async def probes(runtime: Runtime) -> tuple[Probe, Ref]:
    probe = await Probe.spawn(runtime, name="probe")
    return probe, await runtime.spawn(Player(probe.ref, after=0.75), name="player")


async def failure(runtime: Runtime, *, tell: tuple[object, ...] = (), within: float | None = None) -> str:
    """What `expect(Pong, number=5)` says of these."""
    probe = await Probe.spawn(runtime, name="probe")
    for message in tell:
        probe.ref.tell(message)
    with pytest.raises(ExpectationFailed) as caught:
        await probe.expect(Pong, number=5, within=within)
    assert isinstance(caught.value, AssertionError)
    return str(caught.value)


async def test_a_message_that_is_expected_is_returned(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe, player = await probes(runtime)
        player.tell(Ping(3))
        player.tell(Ping(4))
        pong = await probe.expect(Pong, number=3)
        assert pong.number == 3  # typed as a Pong
        assert await probe.expect(Pong, where=lambda pong: pong.number > 3, within=2) == Pong(4)


async def test_a_field_may_be_named_as_anything_else(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        probe.ref.tell(Pong(1, kind="special"))
        assert await probe.expect(Pong, kind="special") == Pong(1, "special")


async def test_nothing_in_time_fails(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        assert await failure(runtime) == "probe probe expected Pong(number=5) within 1 s, and nothing came"
        assert trio.current_time() == 1


async def test_a_probe_waits_as_long_as_it_was_told_when_it_was_spawned(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime, within=7)
        for wait in (probe.expect(Pong), probe.until(Pong)):
            began = trio.current_time()
            with pytest.raises(ExpectationFailed, match="within 7 s"):
                await wait
            assert trio.current_time() - began == 7


async def test_another_message_fails_at_once_and_says_what_is_different(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        said = await failure(runtime, tell=(Pong(4), Ping(), Secret("very secret")))
    assert "probe probe expected Pong(number=5); after 0 s came instead\n  Pong(number=4, kind='plain')" in said
    assert "(number: expected 5, got 4)\nAfter it came\n  Ping(number=0)\n  Secret()" in said


async def test_another_type_fails(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        assert "Ping(number=0)\n(it is no Pong)" in await failure(runtime, tell=(Ping(),))


async def test_what_does_not_hold_fails(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        probe.ref.tell(Pong(1))

        def is_even(pong: Pong) -> bool:
            return pong.number % 2 == 0

        with pytest.raises(
            ExpectationFailed, match=r"expected Pong where is_even\(\).*\n.*\n\(is_even\(\) does not hold"
        ):
            await probe.expect(Pong, where=is_even)


async def test_long_messages_and_many_are_shortened(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        said = await failure(runtime, tell=(Pong(1, "x" * 100_000), *(Ping(number) for number in range(50))))
    assert len(said) < 1000
    assert said.endswith("Ping(number=9)\n  and 40 more")


async def test_a_message_whose_repr_raises_is_named(autojump_clock: MockClock) -> None:
    @attrs.frozen
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    async with open_runtime() as runtime:
        assert "<Broken whose repr raised RuntimeError>" in await failure(runtime, tell=(Broken(),))


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (NoMessage, {}, "NoMessage is no message type: messages are @attrs.frozen classes"),
        (int, {}, "the built-in int is no message type"),
        (Pong(3), {}, r"takes the type of a message, not Pong\(number=3"),
        (Pong, {"numbre": 3}, "Pong has no field 'numbre': it has number, kind"),
        (Pong, {"where": 3}, "where takes a function of the message, not 3"),
    ],
)
async def test_what_can_never_come_is_said_at_once(
    kind: type[object], fields: dict[str, object], said: str, autojump_clock: MockClock
) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        with pytest.raises(InvalidExpectation, match=said):
            await probe.expect(kind, **fields)  # pyright: ignore[reportArgumentType] - it is wrong
        with pytest.raises(InvalidExpectation, match=said):
            await probe.until(kind, **fields)  # pyright: ignore[reportArgumentType]
        assert trio.current_time() == 0


async def test_nothing_is_expected_and_nothing_comes(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe, player = await probes(runtime)
        player.tell(Ping(1))
        await probe.expect_nothing(within=0.5)
        assert trio.current_time() == 0.5
        with pytest.raises(ExpectationFailed, match=r"nothing within 0.5 s; after 0.25 s came\n  Pong\(number=1"):
            await probe.expect_nothing()
        assert trio.current_time() == 0.75
        assert await probe.expect(Pong) == Pong(1)  # it is still there
        with pytest.raises(InvalidExpectation, match="give it some"):
            await probe.expect_nothing(within=0)


async def test_what_is_there_already_is_not_nothing(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        probe.ref.tell(Ping())
        with pytest.raises(ExpectationFailed, match="nothing within"):
            await probe.expect_nothing()


async def test_until_takes_all_up_to_what_is_expected(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        sent = [Ping(1), Pong(1), Ping(2), Pong(2), Ping(3)]
        for message in sent:
            probe.ref.tell(message)
        assert await probe.until(Pong, number=2) == sent[:4]
        with pytest.raises(ExpectationFailed, match=r"expected Pong within 2 s, and there came\n  Ping\(number=3\)"):
            await probe.until(Pong, within=2)
        with pytest.raises(ExpectationFailed, match="and nothing came"):
            await probe.until(Pong)


async def test_what_has_come_can_be_taken(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        assert probe.take_all() == []
        probe.ref.tell(Ping(1))
        probe.ref.tell(Ping(2))
        await trio.testing.wait_all_tasks_blocked()
        assert repr(probe) == f"<Probe {probe.ref.path} 2 waiting>"
        assert probe.take_all() == [Ping(1), Ping(2)]
        await probe.expect_nothing()


async def test_questions_are_answered(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        assert await probe.ref.ask(Ping(1), timeout=1) is None
        probe.answer(Ping, Pong(7))
        assert await probe.ref.ask(Ping(2), timeout=1) == Pong(7)

        def same(ping: Ping) -> Pong:
            return Pong(ping.number)

        probe.answer(Ping, same)
        assert await probe.ref.ask(Ping(3), timeout=1) == Pong(3)

        async def later(ping: Ping) -> Pong:
            await trio.sleep(2)
            return Pong(-ping.number)

        probe.answer(Ping, later)
        assert await probe.ref.ask(Ping(4), timeout=3) == Pong(-4)
        assert probe.take_all() == [Ping(1), Ping(2), Ping(3), Ping(4)]
        with pytest.raises(InvalidExpectation, match="no message type"):
            probe.answer(NoMessage, 1)


async def test_an_answer_that_raises_crashes_the_probe(autojump_clock: MockClock) -> None:
    def fail(_: Ping) -> None:
        raise ValueError("no")

    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        probe.answer(Ping, fail)
        with pytest.raises(ActorCrashed, match="no"):
            await probe.ref.ask(Ping(), timeout=1)


async def test_the_end_of_an_actor_is_seen(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe, player = await probes(runtime)
        probe.watch(player)
        await probe.expect_nothing()
        await player.stop()
        assert (await probe.expect(Terminated, ref=player)).reason == "stopped"
        probe.watch(player)
        await probe.expect(Terminated, reason="stopped")


async def test_topics_are_heard(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        subscription = probe.subscribe("games.*")
        runtime.bus.publish("games.chess", Ping(1))
        runtime.bus.publish("news", Ping(2))
        await probe.expect(Ping, number=1)
        subscription.close()
        runtime.bus.publish("games.chess", Ping(3))
        await probe.expect_nothing()


async def test_what_nobody_takes_is_bounded(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime, capacity=2)
        for number in range(5):
            await probe.ref.send(Ping(number))
            await trio.testing.wait_all_tasks_blocked()
        said = "holds 2 messages that nobody took, and lost the 3 after them"
        for wait in (probe.expect(Ping), probe.until(Ping), probe.expect_nothing()):
            with pytest.raises(ExpectationFailed, match=said):
                await wait
        with pytest.raises(ExpectationFailed, match=said):
            probe.take_all()
        assert probe.ref.statistics().state == "running"


async def test_many_may_come_at_once(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        probe = await Probe.spawn(runtime)
        for number in range(1000):
            probe.ref.tell(Ping(number))
        assert await probe.until(Ping, number=999) == [Ping(number) for number in range(1000)]


async def test_a_probe_below_an_actor_ends_with_it(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Parent(Actor):
        found: list[Probe]

        async def started(self) -> None:
            self.found.append(await Probe.spawn(self.context, name="child"))

    async with open_runtime() as runtime:
        found: list[Probe] = []
        parent = await runtime.spawn(Parent(found), name="parent")
        assert found[0].ref.path == "parent.child"
        await parent.stop()
        assert (await found[0].ref.wait_stopped()).reason == "stopped"


def test_it_works_without_a_plugin() -> None:
    async def main(runtime: Runtime, number: int) -> Pong:
        probe, player = await probes(runtime)
        player.tell(Ping(number))
        return await probe.expect(Pong)

    assert run_virtual(main, 8) == Pong(8)
