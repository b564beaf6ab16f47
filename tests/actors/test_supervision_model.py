"""Supervision against a plain model of OTP's: the decisions alone, and whole trees of actors on the virtual clock."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import trio
from actors_kit import Crash, Finish, read_all
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from otp_model import PERIOD_OF_QUIET, Node, Rules, StartFailed, World
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.actors import (
    Actor,
    ActorRestarting,
    ActorTerminated,
    Backoff,
    Child,
    Ref,
    RestartType,
    Runtime,
    Strategy,
    Subscription,
    Supervisor,
    open_runtime,
    receives,
)
from realtime_actors.actors.supervision import Budget, GiveUp, Member, Outcome, Plan, Supervision

STRATEGIES: list[Strategy] = ["one_for_all", "rest_for_one", "one_for_one"]
RESTART_TYPES: list[RestartType] = ["permanent", "permanent", "transient", "temporary"]


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Thousands of crashes, all on purpose."""
    log = logging.getLogger("realtime_actors.actors")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    yield
    log.setLevel(before)


# -- the decisions, over time


@attrs.frozen
class Ends:
    """One of those up ends, perhaps another with it.

    Of the restarts that follow so many succeed, then one takes so many seconds to fail.
    """

    after: float
    who: int
    how: Outcome
    with_it: int | None
    then_start: tuple[tuple[int, float], ...]


ended_somehow = st.sampled_from([Outcome.CRASHED] * 4 + [Outcome.NORMAL, Outcome.STOPPED])
moments = st.integers(0, 20).map(lambda halves: halves / 2)
ends = st.builds(
    Ends,
    after=moments,
    who=st.integers(0, 4),
    how=ended_somehow,
    with_it=st.sampled_from([None, 0, 1, 2, 3, 4]),
    then_start=st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.5, 20.0])), max_size=2).map(tuple),
)


def in_words(decision: Plan | GiveUp) -> list[str] | None:
    if isinstance(decision, GiveUp):
        return None
    return [
        *(f"stop {name}" for name in decision.stop),
        *(f"forget {name}" for name in decision.forget),
        *(f"start {name} after {decision.delay}" for name in decision.start),
    ]


class Group:
    """A group that does what is decided, and asks the model each time whether it would have decided the same."""

    def __init__(self, kinds: list[RestartType], strategy: Strategy, budget: Budget, least: float) -> None:
        self.kinds = dict(zip("abcde", kinds, strict=False))
        self.up = set(self.kinds)
        self.due: list[str] = []
        self.now = 0.0
        self.supervision = Supervision(strategy, budget, Backoff(min=least, max=8, reset_after=PERIOD_OF_QUIET))
        self.model = Rules(strategy, budget.max_restarts, budget.within, least, 8.0, dict(self.kinds), set(self.kinds))

    def ended(self, name: str, how: Outcome) -> bool:
        """False when the group gives up."""
        members = [Member(each, restart, running=each in self.up) for each, restart in self.kinds.items()]
        decision = self.supervision.exited(members, name, how, self.now)
        assert in_words(decision) == self.model.ended(name, how.value, self.now)
        if isinstance(decision, GiveUp):
            return False
        self.up -= {*decision.stop, *decision.forget, *decision.start}
        self.now += decision.delay
        for gone in decision.forget:
            del self.kinds[gone]
        self.due = [each for each in self.kinds if each in {*self.due, *decision.start}]
        return True

    def end(self, name: str, how: Outcome, with_it: str | None) -> bool:
        self.up -= {name, with_it or name}
        self.model.up -= {name, with_it or name}
        if not self.ended(name, how):
            return False
        # Whoever is started again has no end left to be dealt with.
        if with_it is None or with_it == name or with_it in self.due:
            return True
        return self.ended(with_it, Outcome.CRASHED)

    def start(self, succeed: int, seconds: float = 0.0) -> bool:
        """Start what is due, until one fails after so many seconds."""
        while self.due:
            name = self.due.pop(0)
            if succeed == 0:
                self.now += seconds
                return self.ended(name, Outcome.START_FAILED)
            succeed -= 1
            self.up.add(name)
            self.model.up.add(name)
        return True


@settings(max_examples=400, derandomize=True)
@given(
    kinds=st.lists(st.sampled_from(RESTART_TYPES), min_size=2, max_size=5),
    strategy=st.sampled_from(STRATEGIES),
    budget=st.builds(Budget, st.sampled_from([5, 4, 3, 2, 1, 0]), moments),
    least=st.sampled_from([0.0, 0.5, 2.0]),
    events=st.lists(ends, min_size=5, max_size=20),
)
def test_each_decision_over_time_is_that_of_the_model(
    kinds: list[RestartType], strategy: Strategy, budget: Budget, least: float, events: list[Ends]
) -> None:
    group = Group(kinds, strategy, budget, least)
    for event in events:
        up = [name for name in group.kinds if name in group.up]
        if not up:
            break
        group.now += event.after
        with_it = None if event.with_it is None else up[event.with_it % len(up)]
        if not group.end(up[event.who % len(up)], event.how, with_it):
            break
        if not all(group.start(*start) for start in event.then_start) or not group.start(100):
            break


# -- whole trees


@attrs.frozen
class Record:
    """What outlasts the lives of the actors of a tree."""

    log: list[str] = attrs.field(factory=list[str])
    failures: dict[str, int] = attrs.field(factory=dict[str, int])
    refs: dict[str, Ref] = attrs.field(factory=dict[str, Ref])

    def starting(self, ref: Ref) -> None:
        if self.failures.get(ref.path):
            self.failures[ref.path] -= 1
            self.log.append(f"{ref.path} fails")
            raise OSError(f"{ref.path} was made to fail")


@attrs.define(eq=False)
class Leaf(Actor):
    record: Record

    async def started(self) -> None:
        self.record.starting(self.context.ref)
        self.record.refs[self.context.path] = self.context.ref
        self.record.log.append(f"{self.context.path} started")

    async def stopping(self) -> None:
        self.record.log.append(f"{self.context.path} stopped")

    @receives
    async def crash(self, message: Crash) -> None:
        raise message.error

    @receives
    async def finish(self, message: Finish) -> None:
        self.context.stop()


@attrs.define(eq=False)
class Branch(Supervisor):
    record: Record = attrs.field(kw_only=True)

    async def started(self) -> None:
        self.record.starting(self.context.ref)
        await super().started()
        self.record.refs[self.context.path] = self.context.ref
        self.record.log.append(f"{self.context.path} started")

    async def stopping(self) -> None:
        self.record.log.append(f"{self.context.path} stopped")

    @receives
    async def crash(self, message: Crash) -> None:
        raise message.error

    @receives
    async def finish(self, message: Finish) -> None:
        self.context.stop()


def backoff_of(node: Node) -> Backoff:
    return Backoff(min=node.first_delay, max=8, reset_after=PERIOD_OF_QUIET)


def actor_of(node: Node, record: Record) -> Actor:
    if node.strategy is None:
        return Leaf(record)
    return Branch(
        [Child(actor_of(child, record), name=child.name, restart=child.restart) for child in node.children],
        node.strategy,
        node.max_restarts,
        node.within,
        backoff_of(node),
        record=record,
    )


def said(subscription: Subscription) -> list[str]:
    found: list[str] = []
    for event in read_all(subscription):
        match event:
            case ActorRestarting(path, _, delay):
                found.append(f"{path} restarting after {delay:g}")
            case ActorTerminated(path, reason):
                found.append(f"{path} ended: {reason}")
            case _:
                pass
    return found


def states(runtime: Runtime) -> dict[str, tuple[str, int]]:
    found = {path: slot.statistics() for path, slot in runtime.slots.items()}
    return {path: (each.state, each.incarnation) for path, each in found.items()}


@attrs.frozen
class Event:
    """The `who`-th of those there are ends, and `number` starts of another will fail; or `number` seconds pass."""

    kind: str
    who: int
    number: int
    fails: int | None


events = st.builds(
    Event,
    kind=st.sampled_from(["crash", "crash", "crash", "finish", "stop", "wait"]),
    who=st.integers(0, 12),
    number=st.integers(1, 3),
    fails=st.none() | st.integers(0, 12),
)


@st.composite
def trees(draw: st.DrawFn) -> Node:
    """Up to three levels of supervisors, with actors of all kinds below them."""
    numbers = itertools.count(1)

    def node(depth: int) -> Node:
        number = next(numbers)
        name, restart = f"n{number}", draw(st.sampled_from(RESTART_TYPES))
        max_restarts, within = draw(st.sampled_from([2, 1, 0, 3, 10])), draw(st.sampled_from([8.0, 1.0, 64.0]))
        delay = draw(st.sampled_from([0.0, number / 16]))
        if depth == 0 or (depth < 3 and draw(st.booleans())):
            return Node(name, restart, None, max_restarts, within, delay)
        strategy = draw(st.sampled_from(STRATEGIES))
        children = tuple(node(depth - 1) for _ in range(draw(st.integers(1, 3))))
        return Node(name, restart, strategy, max_restarts, within, delay, children)

    # Most that can be seen is over once the root has ended.
    root = node(3)
    return attrs.evolve(root, restart="permanent", max_restarts=10) if draw(st.integers(0, 3)) else root


async def play(tree: Node, fail_first: int | None, events: list[Event]) -> None:
    paths = list(tree.paths())
    world, record = World(), Record()
    if fail_first is not None:
        path = paths[fail_first % len(paths)]
        world.failures[path] = record.failures[path] = 1
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with open_runtime() as runtime:
        news = runtime.bus.subscribe("runtime.>", capacity=100_000)

        def compare() -> None:
            assert record.log == world.log
            assert record.failures == world.failures
            assert said(news) == world.said
            assert states(runtime) == world.states()
            world.log.clear()
            record.log.clear()
            world.said.clear()

        root = await spawn(tree, runtime, world, record)
        compare()
        for event in events:
            await apply(event, world, record)
            await wait_all_tasks_blocked()
            assume(not world.coincidence)
            compare()
        if root is not None:
            if world.find(tree.name) is not None:
                world.end(tree.name, "stopped")
            await root.stop()
        compare()
        assert world.states() == {}
    assert trio.lowlevel.current_statistics().tasks_living == tasks


async def spawn(tree: Node, runtime: Runtime, world: World, record: Record) -> Ref | None:
    try:
        world.spawn(tree)
        fails = False
    except StartFailed:
        fails = True
    options: dict[str, Any] = {"max_restarts": tree.max_restarts, "within": tree.within, "backoff": backoff_of(tree)}
    try:
        root = await runtime.spawn(actor_of(tree, record), name=tree.name, restart=tree.restart, **options)
    except OSError:
        assert fails
        return None
    assert not fails
    return root


async def apply(event: Event, world: World, record: Record) -> None:
    paths = list(world.states())
    path = paths[event.who % len(paths)] if paths else None
    if path is None or event.kind == "wait":
        world.wait(event.number)
        await trio.sleep(event.number)
        return
    if event.fails is not None:
        fails = paths[event.fails % len(paths)]
        world.failures[fails] = record.failures[fails] = event.number
    place = world.find(path)
    assert place is not None
    if event.kind == "stop":
        world.end(path, "stopped")
        await record.refs[path].stop()
    elif place.up:
        world.end(path, "crashed" if event.kind == "crash" else "normal")
        record.refs[path].tell(Crash() if event.kind == "crash" else Finish())


@settings(max_examples=150, derandomize=True, deadline=None)
@given(trees(), st.none() | st.integers(0, 50), st.lists(events, min_size=5, max_size=25))
def test_a_tree_lives_and_dies_as_in_the_model(tree: Node, fail_first: int | None, events: list[Event]) -> None:
    trio.run(play, tree, fail_first, events, clock=MockClock(autojump_threshold=0))
