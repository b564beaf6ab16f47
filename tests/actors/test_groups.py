"""Declared groups: strategies, shared budgets, order, and nested supervisors."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from actors_kit import Crash, Finish, Note, Notes, Sleep, UrgentCrash, Worker, failing, read_all
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorStopped,
    Backoff,
    Child,
    NameTaken,
    Ref,
    RestartBudgetExceeded,
    Runtime,
    Strategy,
    Supervisor,
    open_runtime,
    receives,
)


@attrs.frozen
class Refs:
    """Asks a team for its members."""


@attrs.define(eq=False)
class Team(Supervisor):
    """A supervisor that tells who its children are."""

    refs: list[Ref] = attrs.field(init=False, factory=list[Ref])

    async def started(self) -> None:
        self.refs = await self.context.spawn_group(
            self.children,
            strategy=self.strategy,
            max_restarts=self.max_restarts,
            within=self.within,
            backoff=self.backoff,
        )

    @receives
    async def members(self, message: Refs) -> list[Ref]:
        return self.refs


async def members(team: Ref) -> list[Ref]:
    found: list[Ref] = await team.ask(Refs(), timeout=1)
    return found


def lives(refs: list[Ref]) -> list[int]:
    return [ref.statistics().incarnation for ref in refs]


def workers(log: list[str], names: str = "a b c", **options: Any) -> list[Child]:
    return [Child(Worker(log), name=name, **options) for name in names.split()]


async def settle() -> None:
    await wait_all_tasks_blocked()


async def test_02_one_for_one_restarts_only_the_one() -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(workers(log, "a b")), name="team")
        a, b = await members(team)
        assert (a.path, b.path) == ("team.a", "team.b")
        b.tell(Note("kept"))
        a.tell(Crash())
        await settle()
        assert lives([a, b]) == [2, 1]
        assert await b.ask(Notes(), timeout=1) == ["kept"]
        assert [line for line in log if line[0] == "a"] == ["a started", "a stopped", "a started"]
        assert [line for line in log if line[0] == "b"] == ["b started", "b notes kept"]


async def test_03_the_third_crash_in_the_window_ends_the_supervisor_and_all_its_children(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(workers(log, "a b"), max_restarts=2, within=3600), name="team")
        a, b = await members(team)
        for _ in range(2):
            a.tell(Crash())
            await trio.sleep(1000)
        assert lives([a, b]) == [3, 1]
        error = ValueError("the third")
        a.tell(Crash(error))
        terminated = await team.wait_stopped()
        assert terminated.reason == "crashed"
        assert isinstance(terminated.cause, RestartBudgetExceeded)
        assert terminated.cause.__cause__ is error
        assert (await b.wait_stopped()).reason == "stopped"
        gone = await a.wait_stopped()
        assert (gone.reason, gone.cause) == ("crashed", terminated.cause)


async def test_03_crashes_further_apart_than_the_window_are_survived(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(workers([], "a"), max_restarts=1, within=1))
        [a] = await members(team)
        for _ in range(5):
            a.tell(Crash())
            await trio.sleep(2.1)
        assert lives([a, team]) == [6, 1]


async def test_04_a_groups_budget_is_shared(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(workers([], "a b"), max_restarts=2, within=60))
        a, b = await members(team)
        a.tell(Crash())
        await settle()
        b.tell(Crash())
        await settle()
        assert lives([a, b]) == [2, 2]
        b.tell(Crash())
        assert isinstance((await team.wait_stopped()).cause, RestartBudgetExceeded)


async def test_04_children_spawned_dynamically_have_budgets_of_their_own() -> None:
    @attrs.define(eq=False)
    class Parent(Team):
        async def started(self) -> None:
            self.refs = [
                await self.context.spawn(Worker(), name=name, restart="permanent", max_restarts=1) for name in "ab"
            ]

    async with open_runtime() as runtime:
        parent = await runtime.spawn(Parent([]))
        a, b = await members(parent)
        for _ in range(2):
            a.tell(Crash())
            await settle()
        assert isinstance((await a.wait_stopped()).cause, RestartBudgetExceeded)
        assert lives([parent, b]) == [1, 1]
        assert parent.statistics().state == b.statistics().state == "running"


async def test_05_one_for_all_stops_the_others_first_and_all_are_new() -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(workers(log), "one_for_all"))
        a, b, c = await members(team)
        log.clear()
        a.tell(Crash())
        await settle()
        assert lives([a, b, c]) == [2, 2, 2]
        assert log == ["a stopped", "c stopped", "b stopped", "a started", "b started", "c started"]


async def test_06_rest_for_one_restarts_those_started_after_it() -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(workers(log), "rest_for_one"))
        a, b, c = await members(team)
        log.clear()
        b.tell(Crash())
        await settle()
        assert lives([a, b, c]) == [1, 2, 2]
        assert log == ["b stopped", "c stopped", "b started", "c started"]


async def test_07_one_for_all_tries_all_again_when_one_fails_to_start() -> None:
    log: list[str] = []
    children = workers(log)
    children[1] = Child(Worker(log, start=failing([None, OSError("not yet")])), name="b")
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children, "one_for_all"))
        refs = await members(team)
        log.clear()
        refs[2].tell(Crash())
        await settle()
        assert log == [
            "c stopped",
            "b stopped",
            "a stopped",
            "a started",
            "a stopped",
            "a started",
            "b started",
            "c started",
        ]
        assert [ref.statistics().state for ref in refs] == ["running"] * 3


async def test_07_rest_for_one_retries_from_the_failed_child_on() -> None:
    log: list[str] = []
    children = workers(log)
    children[1] = Child(Worker(log, start=failing([None, OSError("not yet")])), name="b")
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children, "rest_for_one"))
        refs = await members(team)
        log.clear()
        refs[0].tell(Crash())
        await settle()
        assert log == [
            "a stopped",
            "c stopped",
            "b stopped",
            "a started",
            "b started",
            "c started",
        ]
        assert lives(refs) == [2, 3, 2]


async def test_08_a_temporary_sibling_stopped_by_a_group_restart_is_gone_for_good() -> None:
    log: list[str] = []
    children = [*workers(log, "a"), *workers(log, "t", restart="temporary"), *workers(log, "c")]
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children, "one_for_all", max_restarts=2))
        a, t, c = await members(team)
        log.clear()
        a.tell(Crash())
        await settle()
        assert (await t.wait_stopped()).reason == "stopped"
        assert log == ["a stopped", "c stopped", "t stopped", "a started", "c started"]
        # It costs no budget: of two restarts one is left.
        a.tell(Crash())
        await settle()
        assert lives([a, c]) == [3, 3]


async def test_members_that_crash_in_one_step_cost_one_restart() -> None:
    """As in OTP, a group's restart covers whoever of it has ended meanwhile."""
    for _ in range(10):
        log: list[str] = []
        async with open_runtime() as runtime:
            team = await runtime.spawn(Team(workers(log), "one_for_all", max_restarts=1, within=3600))
            refs = await members(team)
            for ref in refs:
                ref.tell(Crash())
            await settle()
            assert lives(refs) == [2, 2, 2]


async def test_a_member_that_crashes_while_others_stop_costs_no_second_restart(autojump_clock: MockClock) -> None:
    log: list[str] = []
    children = [*workers(log, "a b"), Child(Worker(log, slow_stop=2), name="c")]
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children, "one_for_all", max_restarts=1, within=3600))
        a, b, c = await members(team)
        a.tell(Crash())
        await trio.sleep(1)
        b.tell(Crash())
        await trio.sleep(5)
        assert lives([a, b, c]) == [2, 2, 2]
        assert team.statistics().state == "running"


async def test_a_temporary_member_that_crashes_with_its_group_says_so() -> None:
    error = ValueError("of the temporary one")
    children = [*workers([], "a"), *workers([], "t", restart="temporary")]
    for _ in range(10):
        async with open_runtime() as runtime:
            team = await runtime.spawn(Team(children, "one_for_all"))
            a, t = await members(team)
            t.tell(Crash(error))
            a.tell(Crash())
            terminated = await t.wait_stopped()
            assert (terminated.reason, terminated.cause) == ("crashed", error)
            await settle()
            assert lives([a]) == [2]


async def test_a_temporary_member_that_crashes_while_others_stop_says_so(autojump_clock: MockClock) -> None:
    error = ValueError("of the temporary one")
    children = [*workers([], "a"), *workers([], "t", restart="temporary"), Child(Worker(slow_stop=2), name="c")]
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children, "one_for_all"))
        a, t, c = await members(team)
        a.tell(Crash())
        await trio.sleep(1)
        t.tell(Crash(error))
        terminated = await t.wait_stopped()
        assert (terminated.reason, terminated.cause) == ("crashed", error)
        await trio.sleep(5)
        assert lives([a, c]) == [2, 2]


async def test_one_that_crashed_as_its_group_gave_up_says_so() -> None:
    error = ValueError("of b")
    for _ in range(10):
        async with open_runtime() as runtime:
            team = await runtime.spawn(Team(workers([], "a b"), max_restarts=0))
            a, b = await members(team)
            a.tell(Crash(error))
            b.tell(Crash(error))
            causes = [(await ref.wait_stopped()).cause for ref in (a, b)]
            gave_up = (await team.wait_stopped()).cause
            assert sorted(causes, key=lambda cause: cause is error) == [gave_up, error]
            assert {(await ref.wait_stopped()).reason for ref in (a, b)} == {"crashed"}


async def test_a_stop_of_one_that_hangs_in_its_restart_touches_nobody_else() -> None:
    @attrs.define(eq=False)
    class Hangs(Worker):
        async def started(self) -> None:
            await super().started()
            if len(self.log) > 1:
                await trio.sleep_forever()

    children = [*workers([], "a"), Child(Hangs(), name="b"), *workers([], "c")]
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children, "one_for_all", max_restarts=1))
        a, b, c = await members(team)
        a.tell(Crash())
        await settle()
        assert b.statistics().state == "restarting"
        await b.stop()
        await settle()
        assert lives([a, c, team]) == [2, 2, 1]
        assert [ref.statistics().state for ref in (a, b, c)] == ["running", "stopped", "running"]


async def test_a_group_whose_start_is_cancelled_stops_what_it_started(autojump_clock: MockClock) -> None:
    log: list[str] = []

    @attrs.define(eq=False)
    class Hangs(Worker):
        async def started(self) -> None:
            await trio.sleep_forever()

    children = [*workers(log, "a b"), Child(Hangs(), name="c")]
    async with open_runtime() as runtime:
        with trio.move_on_after(1) as scope:
            await runtime.spawn(Team(children), name="team")
        assert scope.cancelled_caught
        assert log == ["a started", "b started", "b stopped", "a stopped"]
        await runtime.spawn(Team(workers([])), name="team")


async def test_09_a_start_that_fails_leaves_nothing_running() -> None:
    log: list[str] = []
    error = OSError("no port")
    children = workers(log)
    children[1] = Child(Worker(log, start=failing([error])), name="b")
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.terminated.>") as ended:
        tasks = trio.lowlevel.current_statistics().tasks_living
        with pytest.raises(OSError, match="no port") as caught:
            await runtime.spawn(Team(children), name="team")
        assert caught.value is error
        assert "while starting the actor team.b (Worker)" in error.__notes__
        assert log == ["a started", "a stopped"]
        assert {event.path: event.reason for event in read_all(ended)} == {
            "team.a": "stopped",
            "team.b": "start_failed",
            "team.c": "start_failed",
            "team": "start_failed",
        }
        await settle()
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        # All names are free again.
        await runtime.spawn(Team(workers([])), name="team")


async def test_10_stops_go_backwards_and_one_that_ignores_its_stop_is_cancelled_after_its_grace(
    autojump_clock: MockClock,
) -> None:
    ended: list[tuple[str, float]] = []

    @attrs.define(eq=False)
    class Timed(Worker):
        async def stopping(self) -> None:
            ended.append((self.context.name, trio.current_time() - start))

    children = [Child(Timed(), name=name, stop_timeout=3) for name in "abc"]
    async with open_runtime() as runtime, runtime.bus.subscribe("runtime.dead_letter.>") as dead:
        team = await runtime.spawn(Team(children))
        b = (await members(team))[1]
        b.tell(Sleep())
        await settle()
        start = trio.current_time()
        await team.stop()
        assert ended == [("c", 0), ("b", pytest.approx(3)), ("a", pytest.approx(3))]
        assert [(letter.message, letter.reason) for letter in read_all(dead)] == [(Sleep(), "stopped")]


async def test_11_a_supervisor_of_one_that_always_fails_to_start_stops_promptly(autojump_clock: MockClock) -> None:
    child = Child(Worker(start=failing([None, *[OSError()] * 1000])), name="a")
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team([child], max_restarts=1000, backoff=Backoff(min=1, max=100)))
        [a] = await members(team)
        a.tell(Crash())
        await trio.sleep(50)
        assert a.statistics().state == "restarting"
        before = trio.current_time()
        await team.stop()
        assert trio.current_time() == before
        assert a.statistics().state == "stopped"


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_a_supervisor_stops_promptly_while_a_member_hangs_in_its_restart(
    autojump_clock: MockClock, strategy: Strategy
) -> None:
    @attrs.define(eq=False)
    class Hangs(Worker):
        async def started(self) -> None:
            await super().started()
            if len(self.log) > 1:
                await trio.sleep_forever()

    log: list[str] = []
    children = [*workers(log, "a"), Child(Hangs(), name="b"), *workers(log, "c")]
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children, strategy))
        refs = await members(team)
        refs[1].tell(Crash())
        await settle()
        assert refs[1].statistics().state == "restarting"
        before = trio.current_time()
        with trio.fail_after(10):
            await team.stop()
        assert trio.current_time() == before
        assert all(ref.statistics().state == "stopped" for ref in refs)
        assert log.count("a started") == log.count("a stopped")
        assert log.count("c started") == log.count("c stopped")


async def test_12_an_inner_supervisor_that_gives_up_is_restarted_by_the_outer_one() -> None:
    log: list[str] = []

    @attrs.define(eq=False)
    class Inner(Team):
        async def started(self) -> None:
            log.append("inner started")
            await super().started()
            for ref in self.refs:
                ref.tell(Note("from inner"))

    outer_children = [
        *workers(log, "before"),
        Child(Inner(workers(log, "x y"), max_restarts=1), name="inner"),
        *workers(log, "after"),
    ]
    async with open_runtime() as runtime:
        outer = await runtime.spawn(Team(outer_children, "rest_for_one"), name="outer")
        before, inner, after = await members(outer)
        x, y = await members(inner)
        assert x.path == "outer.inner.x"
        x.tell(Crash())
        await settle()
        assert lives([x, y, inner]) == [2, 1, 1]
        log.clear()
        x.tell(Crash())
        await settle()
        assert lives([before, inner, after]) == [1, 2, 2]
        assert log[:4] == ["x stopped", "y stopped", "after stopped", "inner started"]
        assert (await x.wait_stopped()).reason == "crashed"
        assert (await y.wait_stopped()).reason == "stopped"
        new_x, new_y = await members(inner)
        assert lives([new_x, new_y]) == [1, 1]
        assert new_x != x


async def test_21_one_that_is_stopped_and_replaced_in_one_step_is_not_restarted_by_its_old_exit() -> None:
    log: list[str] = []

    @attrs.define(eq=False)
    class Parent(Team):
        @receives
        async def replace(self, message: Note) -> Ref:
            [old] = self.refs
            await old.stop()
            new = await self.context.spawn(Worker(log), name="child", restart="permanent", max_restarts=1)
            self.refs = [new]
            return new

        async def started(self) -> None:
            self.refs = [await self.context.spawn(Worker(log), name="child", restart="permanent", max_restarts=1)]

    async with open_runtime() as runtime:
        parent = await runtime.spawn(Parent([]), name="p")
        [old] = await members(parent)
        for _ in range(20):
            new: Ref = await parent.ask(Note(""), timeout=1)
            assert new != old
            await settle()
            assert (old.statistics().state, lives([old])) == ("stopped", [1])
            assert (new.statistics().state, lives([new])) == ("running", [1])
            old = new
        assert log.count("child started") == 21


async def test_a_stop_during_the_restart_of_the_group_stops_that_member_only(autojump_clock: MockClock) -> None:
    log: list[str] = []
    children = [*workers(log, "a b"), Child(Worker(log, slow_stop=2), name="c")]
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children, "one_for_all", max_restarts=1))
        a, b, c = await members(team)
        a.tell(Crash())
        await trio.sleep(1)
        # The group waits for c; b is still to be stopped for the restart when it is asked to stop for good.
        with trio.fail_after(5):
            await b.stop()
        await trio.sleep(5)
        assert lives([a, b, c]) == [2, 1, 2]
        assert (await b.wait_stopped()).reason == "stopped"
        assert log.count("b started") == log.count("b stopped") == 1


async def test_a_stop_of_one_waiting_for_its_delay_forgets_it(autojump_clock: MockClock) -> None:
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(workers([], "a b"), "one_for_all", backoff=Backoff(min=10, max=10)))
        a, b = await members(team)
        a.tell(Crash())
        await trio.sleep(1)
        assert a.statistics().state == b.statistics().state == "restarting"
        before = trio.current_time()
        await a.stop()
        assert trio.current_time() == before
        await trio.sleep(10)
        assert b.statistics().state == "running"
        assert a.statistics().state == "stopped"


async def test_22_an_error_in_stopping_holds_up_nobody_and_restarts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    log: list[str] = []
    error = ValueError("while stopping")
    children = workers(log)
    children[1] = Child(Worker(log, stop=failing([error])), name="b")
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children), name="team")
        refs = await members(team)
        log.clear()
        await team.stop()
        assert log == ["c stopped", "b stopped", "a stopped"]
        terminated = await refs[1].wait_stopped()
        assert (terminated.reason, terminated.cause) == ("stopped", error)
        assert (await team.wait_stopped()).reason == "stopped"
    assert any(record.exc_info and record.exc_info[1] is error for record in caplog.records)


async def test_22_an_error_in_stopping_during_a_group_restart_is_logged_and_costs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log: list[str] = []
    error = ValueError("while stopping")
    of_temporary = ValueError("of the temporary one")
    children = [
        *workers(log, "a"),
        Child(Worker(log, stop=failing([error])), name="b"),
        Child(Worker(log, stop=failing([of_temporary])), name="t", restart="temporary"),
    ]
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team(children, "one_for_all", max_restarts=1))
        a, b, t = await members(team)
        a.tell(Crash())
        await settle()
        assert lives([a, b]) == [2, 2]
        terminated = await t.wait_stopped()
        assert (terminated.reason, terminated.cause) == ("stopped", of_temporary)
    assert any(record.exc_info and record.exc_info[1] is error for record in caplog.records)


async def test_a_stop_while_the_group_starts_starts_no_more(autojump_clock: MockClock) -> None:
    """The handler that starts a group is cancelled by the stop of its actor; what has started stops, no more begins."""
    log: list[str] = []

    @attrs.define(eq=False)
    class Late(Actor):
        @receives
        async def note(self, message: Note) -> None:
            await self.context.spawn_group(children)

    @attrs.define(eq=False)
    class Slow(Worker):
        async def started(self) -> None:
            await super().started()
            await trio.sleep(1)

    @attrs.define(eq=False)
    class Hangs(Worker):
        async def started(self) -> None:
            await super().started()
            await trio.sleep_forever()

    children = [Child(Slow(log), name="a"), Child(Hangs(log), name="b")]
    async with open_runtime() as runtime:
        for steps in range(12):
            log.clear()
            parent = await runtime.spawn(Late(), stop_timeout=2)
            parent.tell(Note(""))
            await trio.sleep(1)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            with trio.fail_after(10):
                await parent.stop()
            assert log.count("a started") == log.count("a stopped") == 1
            assert log.count("b stopped") == 0


async def test_a_child_that_gives_up_during_its_parents_start_is_the_parents_start_error() -> None:
    @attrs.define(eq=False)
    class Parent(Supervisor):
        async def started(self) -> None:
            [child] = await self.context.spawn_group(self.children, max_restarts=0)
            child.tell(Crash())
            await trio.sleep_forever()

    async with open_runtime() as runtime:
        with pytest.raises(RestartBudgetExceeded) as caught:
            await runtime.spawn(Parent(workers([], "a")), name="p")
        assert caught.value.__notes__ == ["while starting the actor p (Parent)"]
        await runtime.spawn(Team(workers([], "a")), name="p")


async def test_a_temporary_child_that_crashes_during_its_parents_start_harms_nobody() -> None:
    @attrs.define(eq=False)
    class Parent(Worker):
        async def started(self) -> None:
            child = await self.context.spawn(Worker())
            child.tell(Crash())
            await child.wait_stopped()

    async with open_runtime() as runtime:
        parent = await runtime.spawn(Parent())
        assert await parent.ask(Notes(), timeout=1) == []


async def test_names_in_a_group_are_checked_before_anything_starts() -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        with pytest.raises(NameTaken, match=r"team\.a"):
            await runtime.spawn(Team(workers(log, "a b a")), name="team")
        assert log == []
        await runtime.spawn(Team(workers(log, "a b")), name="team")


async def test_a_group_may_be_empty() -> None:
    async with open_runtime() as runtime:
        team = await runtime.spawn(Team([]))
        assert await members(team) == []
        plain = await runtime.spawn(Supervisor([]))
        await plain.stop()


async def test_a_member_that_ends_for_good_leaves_the_group_working() -> None:
    async with open_runtime() as runtime:
        children = [*workers([], "a"), *workers([], "t", restart="transient")]
        team = await runtime.spawn(Team(children, "one_for_all"))
        a, t = await members(team)
        t.tell(Finish())
        assert (await t.wait_stopped()).reason == "normal"
        a.tell(Crash())
        await settle()
        assert lives([a, t]) == [2, 1]


async def test_a_spawn_in_a_handler_is_undone_when_the_actor_crashes(autojump_clock: MockClock) -> None:
    log: list[str] = []

    @attrs.define(eq=False)
    class SlowStart(Worker):
        async def started(self) -> None:
            self.log.append("begins")
            await trio.sleep(5)
            self.log.append("started")

    @attrs.define(eq=False)
    class Parent(Worker):
        @receives
        async def note(self, message: Note) -> None:
            await self.context.spawn(SlowStart(log), name="child")

    async with open_runtime() as runtime:
        parent = await runtime.spawn(Parent(), name="p", restart="permanent")
        parent.tell(Note(""))
        await trio.sleep(1)
        parent.tell(UrgentCrash())
        await settle()
        assert lives([parent]) == [2]
        assert log == ["begins"]
        # Its name is free in the next life.
        parent.tell(Note(""))
        await trio.sleep(10)
        assert log == ["begins", "begins", "started"]


async def test_nothing_can_be_spawned_or_begun_while_stopping() -> None:
    errors: list[Exception] = []

    @attrs.define(eq=False)
    class Parent(Actor):
        async def stopping(self) -> None:
            try:
                await self.context.spawn(Worker())
            except ActorStopped as error:
                errors.append(error)
            try:
                self.context.start_soon(trio.sleep_forever)
            except ActorStopped as error:
                errors.append(error)

    async with open_runtime() as runtime:
        parent = await runtime.spawn(Parent(), name="p")
        await parent.stop()
        assert [str(error) for error in errors] == [
            "p is stopping: it can start no Worker",
            "p is stopping: it can start no task",
        ]


async def groups_at_random(runtime: Runtime, strategy: Strategy) -> None:
    team = await runtime.spawn(Team(workers([], "a b c d"), strategy, max_restarts=100), name="team")
    refs = await members(team)
    for round_ in range(10):
        for i, ref in enumerate(refs):
            if (round_ + i) % 3:
                ref.tell(Crash())
            ref.tell(Note(str(round_)))
        await trio.lowlevel.checkpoint()
    await settle()
    for ref in refs:
        assert ref.statistics().state == "running"
        assert (await ref.ask(Notes(), timeout=1))[-1:] in (["9"], [])
    await team.stop()


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_a_group_under_fire_comes_to_rest_with_all_running(strategy: Strategy) -> None:
    for _ in range(5):
        async with open_runtime() as runtime:
            await groups_at_random(runtime, strategy)
