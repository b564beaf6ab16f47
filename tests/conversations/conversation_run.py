"""A random conversation of an agent with a provider's simulator, from its beginning to an end at which all is seen."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio
import trio.testing
from conversation_brain import ChanceBrain, Record
from conversation_user import User, state_of, tools_of
from conversation_watcher import Watcher
from conversation_world import DETECTIONS, PROVIDERS, Server, World, brain_of

from realtime_actors.actors import Ref, Runtime, Subscription
from realtime_actors.agents import GetHistory, LocalVAD, RealtimeAgent
from realtime_actors.events import (
    AgentEnded,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseToolUseDelta,
    AgentSpeech,
    ClientResponseCancel,
    ClientSessionEnd,
    History,
)
from realtime_actors.providers import ProviderRefused, ProviderUnavailable
from realtime_actors.testing import (
    Delay,
    Failures,
    Fault,
    FaultyTransport,
    Garbage,
    InvariantBroken,
    Invariants,
    open_test_runtime,
    run_virtual,
)
from realtime_actors.transports import Address, MemoryTransport, default_transport
from tests.simulated_providers import SIMULATED, with_turn_detection

__all__ = ["PROVIDERS", "converse", "converse_on_sockets"]

SHOWN = 60
"""How many lines of what happened a failure shows."""
_PIECES = (AgentResponseAudioDelta, AgentResponseAudioTranscriptDelta, AgentResponseToolUseDelta)
QUICKLY = 1 / 30
"""How long a second is on sockets, in seconds."""
CALM = 90.0
"""Seconds after which nothing of what was begun goes on."""
SOON = 5.0
"""Seconds after which a change has come about that waited for the end of a turn."""


def converse(provider: str, seed: int, turns: int) -> Watcher:
    """One conversation, in no time. Raises `InvariantBroken`; the same seed gives the same conversation."""
    failures = Failures(ProviderRefused, ProviderUnavailable)
    return run_virtual(_converse, provider, seed, turns, seed=f"{provider} {seed}", failures=failures)


@attrs.define(eq=False)
class _SeenAgent(RealtimeAgent):
    """An agent that can be looked into."""

    seen: list[RealtimeAgent] = attrs.field(factory=list[RealtimeAgent])

    async def started(self) -> None:
        self.seen.append(self)
        await super().started()


@attrs.define
class _Conversation:
    runtime: Runtime
    watcher: Watcher
    record: Record
    user: User
    servers: Sequence[Server]
    agent: RealtimeAgent
    ref: Ref
    late: Subscription
    fails: bool
    """Whether the first model is lost for good."""

    def check(self) -> None:
        if self.watcher.broken is not None:
            raise self.watcher.broken
        for problem in self.record.problems:
            raise InvariantBroken(problem)

    async def run(self, turns: int) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.user.serve_frontend)
            nursery.start_soon(self._lag)
            nursery.start_soon(self.user.report_playout)
            trouble: trio.CancelScope = await nursery.start(self._trouble)
            for _ in range(turns):
                await self.user.take_turn(nursery)
                self.check()
            trouble.cancel()
            self.record.is_calm = True
            self.user.tell(ClientResponseCancel("s1"))
            await trio.sleep(CALM * self.user.pace)
            self.check()
            await self._is_not_mute()
            await trio.sleep(SOON * self.user.pace)
            await self._is_at_rest()
            self.user.tell(ClientSessionEnd("s1"))
            await self.ref.wait_stopped()
            nursery.cancel_scope.cancel()
        self.check()
        self._has_ended()

    async def _lag(self) -> None:
        """Another reader, who has no time for long, gets nothing that is stale when it has."""
        invariants = Invariants(is_prompt=False)
        chance = random.Random(self.user.chance.random())  # noqa: S311
        while True:
            await trio.sleep(chance.choice([0, 0.1, 1, 10]) * chance.random() * self.user.pace)
            events = [await self.late.receive()]
            events += [self.late.receive_nowait() for _ in range(self.late.statistics().waiting)]
            for event in events:
                invariants.see(event)
                if isinstance(event, _PIECES):
                    done = self.watcher.ends.get(event.response_id)
                    if done is not None and done.metadata["status"] == "cancelled":
                        raise InvariantBroken(f"a piece of a reply is read that was cancelled before: {event}")

    async def _trouble(self, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            task_status.started(scope)
            async with trio.open_nursery() as nursery:
                if self.user.world is not None:
                    nursery.start_soon(self.user.break_the_network)
                if self.fails:
                    nursery.start_soon(self.user.lose, self.servers[0])

    async def _is_not_mute(self, *, again: bool = False) -> None:
        """However it came here: what is said now is answered."""
        self.watcher.note("the end: a last text")
        ends = len(self.watcher.ends)
        number = self.user.say()
        with trio.move_on_after(60):
            while number not in self.record.heard or len(self.watcher.ends) == ends:
                await self.watcher.change(1)
        self.check()
        last = list(self.watcher.ends.values())[ends:]
        if [done.metadata.get("reason") for done in last] == ["session_expired"] and not again:
            await self._is_not_mute(again=True)  # the provider ended it at this very moment, without a word before
        elif [done.metadata["status"] for done in last] != ["completed"]:
            raise InvariantBroken(f"the last text was not answered by one reply: {last}")

    async def _is_at_rest(self) -> None:
        """Nothing is left of what was begun, and nothing is lost."""
        await trio.testing.wait_all_tasks_blocked()
        self.watcher.invariants.finish()
        forgot_at = self.watcher.forgot_at  # what a session had taken that is gone, and nobody told the next one
        lost = [each for each, at in self.user.said.items() if each not in self.record.heard and at > forgot_at]
        if lost:
            raise InvariantBroken(f"the model has heard nothing of these texts: {lost}")
        lost = [each for each, at in self.watcher.results.items() if each not in self.record.results and at > forgot_at]
        if lost:
            raise InvariantBroken(f"the model has heard nothing of these results: {lost}")
        for reply, state in self.user.replies:
            self._handle_is_over(reply, state)
        if not all(change.is_over for change in self.user.changes):
            raise InvariantBroken("a change is awaited for ever")
        for actor in self.runtime.tree().actors:
            if actor.queued or actor.queued_control or actor.state != "running":
                raise InvariantBroken(f"this actor is not at rest: {actor}")
        history: History = await self.ref.ask(GetHistory(), timeout=10)
        speech = [item for item in history.items if isinstance(item, AgentSpeech)]
        ends = self.watcher.ends.items()
        broken = {each for each, done in ends if done.metadata["status"] not in ("completed", "cancelled")}
        wrong = self.watcher.ear.differs(speech, self.watcher.words, broken)
        if wrong:
            raise InvariantBroken("what is remembered is not what was heard: " + "; ".join(wrong))
        left = _left(self.agent)
        if left:
            raise InvariantBroken(f"the agent has not finished with all: {left}")

    def _handle_is_over(self, reply: Any, state: Any) -> None:
        if state is None:
            raise InvariantBroken(f"this reply is awaited for ever: {reply}")
        if state != state_of(reply):
            raise InvariantBroken(f"this reply has gone on after its end: {state} became {state_of(reply)}")
        if reply.text != "".join(map(self.watcher.words_of, reply.response_ids)):
            raise InvariantBroken(f"the words of this reply are not those that were published: {reply}")
        ends = [self.watcher.ends[response_id].metadata["status"] for response_id in reply.response_ids]
        if reply.status == "completed" and (not ends or set(ends) != {"completed"}):
            raise InvariantBroken(f"this reply is complete, and its responses are {ends}: {reply}")

    def _has_ended(self) -> None:
        if self.watcher.counts.get(AgentEnded.type) != 1:
            raise InvariantBroken("the agent has not said that it has ended")
        connections = sum(server.simulator.statistics().open_connections for server in self.servers)
        if connections:
            raise InvariantBroken(f"{connections} sockets are left open")


def _left(agent: Any) -> dict[str, Any]:
    """What an agent holds that it should not when all is quiet."""
    kept = {
        "unacknowledged": agent._unacknowledged,
        "replies": agent._turns._replies,
        "generating": agent._turns._generating,
        "waiting": agent._turns._waiting,
        "asked": agent._turns._asked,
        "requested": agent._turns._requested,
        "wanted": agent._turns._wanted,
        "calls": agent._calls._calls,
        "executions": agent._calls._executions,
        "handles": agent._replies._requests,
        "live": agent._replies.live,
        "changing": agent._changing,
        "handoff": agent._handoff,
        "kept": agent._link._kept,
    }
    return {name: value for name, value in kept.items() if value}


async def _converse(runtime: Runtime, provider: str, seed: int, turns: int) -> Watcher:
    """On the virtual clock, in memory."""
    chance, record = _chance(provider, seed), Record()
    servers = [Server.by_chance("first", provider, seed, chance, record)]
    fails, hands_over = chance.random() < 0.3, chance.random() < 0.4
    if fails or hands_over:
        servers.append(Server.by_chance("second", chance.choice(list(PROVIDERS)), seed + 10_000, chance, record))
    world = World(servers)
    if fails and chance.random() < 0.1:
        servers[0].fail(refuses=chance.random() < 0.5)
    successor = _successor(servers, chance) if hands_over else None
    agent = _SeenAgent(
        "Friday",
        "Be brief.",
        [server.model for server in servers] if fails else servers[0].model,
        tools_of(1.0, successor),
        session_id="s1",
        turn_detection=_local_vad(chance),
        transport=FaultyTransport(world, _faults(chance)),
    )
    return await _talk(
        runtime, agent, servers, record, chance=chance, world=world, successor=successor, fails=fails, turns=turns
    )


def _successor(servers: Sequence[Server], chance: random.Random) -> Callable[[], RealtimeAgent]:
    """Another agent, with a model of any of the servers."""
    numbers = itertools.count(2)

    def successor() -> RealtimeAgent:
        model = attrs.evolve(chance.choice(servers).model, turn_detection=chance.choice(DETECTIONS))
        tools = tools_of(1.0, successor)
        return RealtimeAgent(
            f"Friday {next(numbers)}", f"Be {chance.random()}.", model, tools, turn_detection=_local_vad(chance)
        )

    return successor


def _local_vad(chance: random.Random) -> LocalVAD | None:
    if chance.random() < 0.75:
        return None
    return LocalVAD(
        interrupt_after_ms=chance.choice([60, 400]),
        backchannels=chance.choice(["ignore", "commit"]),
        resume_false_starts=chance.random() < 0.5,
    )


async def converse_on_sockets(provider: str, seed: int, turns: int) -> Watcher:
    """One conversation on loopback sockets and the real clock, thirty times as fast as people are."""
    chance, record = _chance(provider, seed), Record()
    brain = brain_of(provider, chance, record)
    simulator = SIMULATED[provider].simulator(brain=brain, speed=1 / QUICKLY, seed=seed)
    async with trio.open_nursery() as nursery:
        address: Address = await nursery.start(simulator.serve)
        model = with_turn_detection(provider, DETECTIONS[0])
        model = attrs.evolve(model, url=(model.url or "").replace("memory", f"{address.host}:{address.port}"))
        network = FaultyTransport(default_transport(), _faults(chance))
        agent = _SeenAgent("Friday", "Be brief.", model, tools_of(QUICKLY), session_id="s1", transport=network)
        server = Server("sockets", model, simulator, MemoryTransport(simulator.respond))
        async with open_test_runtime() as runtime:
            watcher = await _talk(runtime, agent, [server], record, chance=chance, pace=QUICKLY, turns=turns)
        nursery.cancel_scope.cancel()
    return watcher


def _chance(provider: str, seed: int) -> random.Random:
    return random.Random(f"{provider} {seed}")  # noqa: S311 - no secret


async def _talk(
    runtime: Runtime,
    prototype: _SeenAgent,
    servers: Sequence[Server],
    record: Record,
    *,
    chance: random.Random,
    turns: int,
    world: World | None = None,
    successor: Callable[[], RealtimeAgent] | None = None,
    fails: bool = False,
    pace: float = 1.0,
) -> Watcher:
    watcher = Watcher(runtime.bus, "agents.friday.>", 1 << 20, "drop_newest", lambda _: 1)
    runtime.bus.add(watcher)
    late = runtime.bus.subscribe("agents.friday.>", capacity=1 << 20)
    tasks = trio.lowlevel.current_statistics().tasks_living
    ref = await runtime.spawn(prototype, name="friday")
    watcher.ear.lag = chance.choice([0.0, 0.0, 0.2, 0.5]) * pace
    user = User(ref, watcher, chance, world, successor, pace)
    for server in servers:
        brain = server.simulator.brain
        assert isinstance(brain, ChanceBrain)
        brain.may_drop, brain.pace, brain.endless = user.may_drop, pace, server.simulator.speed > 0
    conversation = _Conversation(runtime, watcher, record, user, servers, prototype.seen[0], ref, late, fails)
    try:
        await conversation.run(turns)
        with trio.move_on_after(2):
            while trio.lowlevel.current_statistics().tasks_living > tasks:  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.01)
        left = trio.lowlevel.current_statistics().tasks_living - tasks
        if left > 0:
            raise InvariantBroken(f"{left} tasks are left")
    except BaseException as error:
        reason = _innermost(error)
        shown = [f"{server.model.provider} at speed {server.simulator.speed}" for server in servers]
        reason.add_note(f"{', '.join(shown)}; seed {servers[0].simulator.seed}, {turns} turns:")
        reason.add_note("\n".join(list(watcher.log)[-SHOWN:]))
        if isinstance(reason, Exception):
            raise reason from None
        raise
    return watcher


def _faults(chance: random.Random) -> Sequence[Fault]:
    """What the network does to frames: some make no sense, and sometimes all are slow."""
    faults: list[Fault] = [
        Garbage(frame=chance.randrange(2, 3000), connection=None, garbage=chance.choice(['{"type": \x00', "[]", "{}"]))
        for _ in range(chance.randrange(6))
    ]
    if chance.random() < 0.3:
        faults.append(
            Delay(
                direction=chance.choice(["received", "sent"]),
                frame=chance.randrange(1, 500),
                connection=chance.randrange(1, 4),
                seconds=chance.choice([0.001, 0.004]),  # less than there is between two pieces of the fastest speech
            )
        )
    return faults


def _innermost(error: BaseException) -> BaseException:
    """What went wrong, out of the groups that nurseries make."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return error  # pyright: ignore[reportUnknownVariableType]
