"""A user, a frontend and a network that do whatever chance wants."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio
from conversation_watcher import Watcher
from conversation_world import Server, World

from realtime_actors.actors import Ref
from realtime_actors.agents import (
    Change,
    Handoff,
    Progress,
    RealtimeAgent,
    Reconfigure,
    Reply,
    Tool,
    frontend_tool,
    generate_reply,
    tool,
)
from realtime_actors.agents.errors import ReplyFailed
from realtime_actors.audio import iter_chunks
from realtime_actors.events import (
    AgentResponseToolUseDone,
    AgentToolApprovalRequested,
    AudioFormat,
    ClientAudioAppend,
    ClientAudioCommit,
    ClientEvent,
    ClientImageAppend,
    ClientPlayoutUpdate,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientSessionCreate,
    ClientTextAppend,
    ClientToolApproval,
    ClientToolResult,
)
from realtime_actors.simulators import buzz

__all__ = ["User", "state_of", "tools_of"]

RATE = 16000
PICTURE = b"\xff\xd8\xff\xe0" + bytes(200)
LIVED = 25.0
"""Seconds on the clock between two losses of the connection: sessions that end sooner are counted by the agent."""
_ACTIONS = (
    ["text"] * 10
    + ["handle"] * 6
    + ["speak"] * 7
    + ["barge in"] * 5
    + ["cancel"] * 4
    + ["push to talk"] * 3
    + ["create", "create", "image", "instruct", "commit", "late result", "late approval"]
)
_CHANGES = ["hand off"] * 3 + ["reconfigure"] * 3


def tools_of(pace: float, successor: Callable[[], RealtimeAgent] | None = None) -> list[Tool]:
    """Tools of every kind, whose results have numbers; `pace` is how long a second is, in seconds.

    `successor` gives the agent that the conversation is handed to.
    """
    numbers = itertools.count(1)

    def marked(text: str) -> str:
        return f"{text} #{next(numbers)}#"

    @tool
    async def quick(of: int = 1) -> str:
        """At once."""
        await trio.lowlevel.checkpoint()
        return marked(f"quick {of}")

    @tool
    async def slow(progress: Progress, of: int = 1) -> str:
        """In a while."""
        await trio.sleep(1.5 * pace)
        progress("half of it", 0.5)
        await trio.sleep(1.5 * pace)
        return marked(f"slow {of}")

    @tool(timeout=2 * pace)
    async def hang() -> str:
        """Never."""
        await trio.sleep_forever()
        raise AssertionError

    @tool
    async def broken() -> str:
        """Not at all."""
        await trio.lowlevel.checkpoint()
        raise ValueError(marked("it is broken"))

    @tool(on_interruption="finish")
    async def stubborn() -> str:
        """Whatever the user says."""
        await trio.sleep(2 * pace)
        return marked("stubborn")

    @tool(duplicates="join")
    async def joined() -> str:
        """One for all."""
        await trio.sleep(1 * pace)
        return marked("joined")

    @tool(needs_approval=True, approval_timeout=4 * pace)
    async def careful() -> str:
        """With your permission."""
        await trio.lowlevel.checkpoint()
        return marked("careful")

    @tool
    async def transfer() -> Handoff:
        """Somebody else goes on."""
        await trio.sleep(0.2 * pace)
        assert successor is not None
        return Handoff(successor(), marked("transferred"))

    paint = frontend_tool("paint", "Paint.", timeout=4 * pace)
    tools = [quick, slow, hang, broken, paint, stubborn, joined, careful]
    return tools if successor is None else [*tools, transfer]


@attrs.define
class User:
    """Whoever talks to one agent. `pace` is how long a second is, in seconds: less on the real clock."""

    agent: Ref
    watcher: Watcher
    chance: random.Random
    world: World | None
    """None where the connection cannot be broken."""
    successor: Callable[[], RealtimeAgent] | None = None
    """Gives the agent that the conversation is handed to, where it is."""
    pace: float = 1.0
    said: dict[int, float] = attrs.field(init=False, factory=dict[int, float])
    """When each text was said, by its number."""
    replies: list[tuple[Reply, Any]] = attrs.field(init=False, factory=list[tuple[Reply, Any]])
    """Those that Python code has asked for, and what they were when they were over."""
    changes: list[Change] = attrs.field(init=False, factory=list[Change])
    """Those that were asked for."""
    lost_at: float = attrs.field(init=False, factory=lambda: trio.current_time() - LIVED + 5)
    _calls: list[tuple[str, str]] = attrs.field(init=False, factory=list[tuple[str, str]])

    def may_drop(self) -> bool:
        """Whether the connection may be lost once more; if so, it is about to be."""
        if trio.current_time() - self.lost_at < LIVED:
            return False
        self.lost_at = trio.current_time()
        return True

    def tell(self, event: ClientEvent) -> None:
        """Say something to the agent."""
        self.agent.tell(event)

    def say(self) -> int:
        """A text with a number."""
        self.tell(ClientTextAppend("s1", self._text()))
        return len(self.said)

    def _text(self) -> str:
        number = len(self.said) + 1
        self.said[number] = trio.current_time()
        return f"<{number}> and so forth"

    async def take_turn(self, nursery: trio.Nursery) -> None:  # noqa: PLR0912 - one for each action
        """One turn: something is said or done, and then some time passes, or none."""
        action = self.chance.choice(_ACTIONS if self.successor is None else [*_ACTIONS, *_CHANGES])
        self.watcher.note(f"the user: {action}")
        match action:
            case "text":
                self.say()
            case "handle":
                await self._ask(nursery)
            case "speak":
                await self._speak()
            case "barge in":
                self.say()
                await self._sleep(self.chance.random() * 2)
                await self._speak()
            case "push to talk":
                await self._speak(silence=0)
                self.tell(ClientAudioCommit("s1"))
                self.tell(ClientResponseCreate("s1"))
            case "hand off" | "reconfigure" if self.successor is not None:
                to = Handoff(self.successor()).change
                if action == "reconfigure":
                    to = self.chance.choice([Reconfigure(turn_detection=to.turn_detection), _without_model(to)])
                self.changes.append(await self.agent.ask(to, timeout=None))
            case "image":
                self.tell(ClientImageAppend("s1", PICTURE, {"type": "image/jpeg"}))
            case "instruct":
                self.tell(ClientSessionCreate({"instructions": f"Be {self.chance.random()}."}))
            case "commit":
                self.tell(ClientAudioCommit("s1"))
            case "late result":
                call_id, name = self.chance.choice(self._calls[-20:] or [("unknown", "paint")])
                self.tell(ClientToolResult("s1", call_id, name, "late"))
            case "late approval":
                call_id, _ = self.chance.choice(self._calls[-20:] or [("unknown", "careful")])
                self.tell(ClientToolApproval("s1", call_id, approved=True))
            case "cancel":
                self.tell(ClientResponseCancel("s1"))
            case _:
                self.tell(ClientResponseCreate("s1"))
        await self._wait()

    async def _wait(self) -> None:
        match self.chance.choice(["no time", "a moment", "a while", "an end", "an end", "an end"]):
            case "no time":
                pass
            case "a moment":
                await self._sleep(self.chance.random() * 0.3)
            case "a while":
                await self._sleep(self.chance.random() * 3)
            case _:
                ends = len(self.watcher.ends)
                with trio.move_on_after(self.chance.choice([2, 4, 8]) * self.pace) as scope:
                    while len(self.watcher.ends) == ends:
                        await self.watcher.change(100)
                if scope.cancelled_caught and self.chance.random() < 0.7:
                    self.watcher.note("the user: cancel, having waited long enough")
                    self.tell(ClientResponseCancel("s1"))

    async def _sleep(self, seconds: float) -> None:
        await trio.sleep(seconds * self.pace)

    async def _speak(self, silence: int | None = None) -> None:
        """Speech, at its pace, and mostly the silence that ends a turn."""
        if silence is None:
            silence = self.chance.choice([900, 900, 900, 0])
        pcm = buzz(self.chance.randrange(100, 700), RATE) + bytes(RATE * 2 * silence // 1000)
        for chunk in iter_chunks(pcm, RATE, 60):
            self.tell(ClientAudioAppend("s1", chunk, AudioFormat(rate=RATE)))
            await self._sleep(0.06)

    async def _ask(self, nursery: trio.Nursery) -> None:
        reply = await generate_reply(self.agent, self._text() if self.chance.random() < 0.8 else "")
        place = len(self.replies)
        self.replies.append((reply, None))
        nursery.start_soon(self._await, reply, place)
        if self.chance.random() < 0.3:
            await self._sleep(self.chance.choice([0, 0.5, 2]) * self.chance.random())
            self.watcher.note("the user: interrupts the reply")
            reply.interrupt()

    async def _await(self, reply: Reply, place: int) -> None:
        try:
            await reply
        except ReplyFailed as error:
            assert error is reply.error  # noqa: PT017 - it is the reply's own
        self.replies[place] = reply, state_of(reply)

    async def serve_frontend(self) -> None:
        """Execute the frontend's tool and allow calls, or not, or late, or twice."""
        async with trio.open_nursery() as nursery:
            async for event in self.watcher:
                match event:
                    case AgentResponseToolUseDone(tool_use=use):
                        self._calls.append((use.id, use.name))
                        if use.name == "paint":
                            output = f"painted #{1_000_000 + len(self._calls)}#"
                            nursery.start_soon(self._answer, ClientToolResult("s1", use.id, "paint", output))
                    case AgentToolApprovalRequested(tool_use=use):
                        approval = ClientToolApproval("s1", use.id, self.chance.random() < 0.7)
                        nursery.start_soon(self._answer, approval)
                    case _:
                        pass

    async def _answer(self, event: ClientEvent) -> None:
        for _ in range(self.chance.choice([0, 1, 1, 1, 2])):
            await self._sleep(self.chance.choice([0, 0.5, 2, 5]))
            self.agent.tell(event)

    async def report_playout(self) -> None:
        """A frontend that hears late says how far it is; of one that does not, the agent knows by the clock."""
        while self.watcher.ear.lag:
            await self._sleep(0.1)
            played = self.watcher.ear.position(trio.current_time())
            if played is not None and not played.is_muddled:
                update = ClientPlayoutUpdate("s1", played.response_id, played.item_id, int(played.heard_ms))
                self.tell(update)

    async def break_the_network(self) -> None:
        """From time to time, at a random moment, the connection is lost, and for a while there is none."""
        assert self.world is not None
        while True:
            await self._sleep(self.chance.random() * 60)
            if not self.may_drop():
                continue
            self.watcher.note("the network: the connection is lost")
            self.world.drop_connections()
            if self.chance.random() < 0.3:
                self.world.set_reachable(False)
                try:
                    await self._sleep(self.chance.random())
                finally:
                    self.world.set_reachable(True)

    async def lose(self, server: Server) -> None:
        """At a random moment a provider is lost for good."""
        await self._sleep(self.chance.random() * 250)
        how = self.chance.choice(["refuses", "is gone"])
        self.watcher.note(f"the network: {server.name} {how}")
        server.fail(refuses=how == "refuses")


def _without_model(change: Reconfigure) -> Reconfigure:
    return attrs.evolve(change, model=None, turn_detection=None)


def state_of(reply: Reply) -> Sequence[Any]:
    """All that is known of a reply."""
    return reply.status, tuple(reply.response_ids), reply.text, reply.audio_ms, reply.output_tokens, reply.reason
