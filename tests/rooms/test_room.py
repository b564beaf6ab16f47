"""Several agents and several people in one conversation: who is in the room, and what they are told."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from rooms_kit import Voice, of, replies_of, seated, words_of

from realtime_actors.agents import LocalVAD, RealtimeAgent
from realtime_actors.audio import UnsupportedRate
from realtime_actors.events import (
    AgentEnded,
    AgentReady,
    AgentResponseCreated,
    AgentResponseDone,
    ClientSessionCreate,
    RoomLine,
    RoomParticipantJoined,
    RoomParticipantLeft,
    RoomState,
)
from realtime_actors.providers import ProviderRefused
from realtime_actors.rooms import (
    Addressed,
    AgentNotReady,
    AlreadyInRoom,
    ChatRoom,
    GetRoom,
    HandFloor,
    HandUp,
    InvalidRoom,
    NotInRoom,
    RoomAgent,
    RoomFull,
    RoomSettings,
    add_agent,
    join_room,
    leave_room,
    remove_agent,
)
from realtime_actors.simulators import Endless, Reply
from realtime_actors.testing import Delay, Failures, Refuse, open_test_runtime


async def test_one_agent_after_the_other_answers_what_a_person_writes(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["Good morning, Ann.", "I have said so."])
    bob = Voice("Bob", ["Hello from me."], provider="dashscope")
    async with seated(alice, bob) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Hello everybody!")
        events = await room.line("I have said so")
        assert words_of(events) == [
            "Ann: Hello everybody!",
            "Alice: Good morning, Ann.",
            "Bob: Hello from me.",
            "Alice: I have said so.",
        ]
        assert replies_of(events) == ["Alice", "Bob", "Alice"]
        await trio.sleep(1)
        # Each is told the names of who wrote, and of whom it hears.
        assert alice.read == ["Ann: Hello everybody!", "(Bob speaking:)", "(Bob speaking:)"]
        assert bob.read == ["Ann: Hello everybody!", "(Alice speaking:)", "(Alice speaking:)"]


async def test_three_agents_of_three_providers_answer_what_a_person_says(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["Yes, I am Alice."], transcripts=["Alice, are you there?"])
    gil = Voice("Gil", ["And I am Gil."], "gemini", transcripts=["Alice, are you there? Yes, I am Alice."])
    dora = Voice("Dora", ["Dora is here."], "dashscope", transcripts=["a", "b", "c"])
    async with seated(alice, gil, dora) as room:
        await room.join("ann", name="Ann")
        await room.join("ben", name="Ben")
        await room.speak("ann")
        events = await room.line("Dora is here")
        assert words_of(events) == [
            "Ann: Alice, are you there?",
            "Alice: Yes, I am Alice.",
            "Gil: And I am Gil.",
            "Dora: Dora is here.",
        ]
        assert {event.agent_name for event in of(AgentReady, events)} == {"Alice", "Gil", "Dora"}
        state = await room.join("cleo", name="Cleo")
        assert [(each.name, each.kind, each.status) for each in state.participants] == [
            ("Alice", "agent", "here"),
            ("Gil", "agent", "here"),
            ("Dora", "agent", "here"),
            ("Ann", "person", "here"),
            ("Ben", "person", "here"),
            ("Cleo", "person", "here"),
        ]
        assert [line.text for line in state.lines] == [line.text for line in of(RoomLine, events)]
        assert (state.room_id, state.participant_id) == ("lobby", "cleo")
        room.tell("cleo", ClientSessionCreate({}))  # a frontend that asks again is told again
        assert len(await room.own["cleo"].until(RoomState)) == 1
        assert len(await room.own["cleo"].until(RoomState)) == 1


async def test_a_person_speaks_to_whom_he_names(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["It is me."], transcripts=["What do you think, Bob?"])
    bob = Voice("Bob", ["I think so."], provider="gemini")
    async with seated(alice, bob, policy=Addressed()) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann")
        events = await room.line("I think so")
        assert replies_of(events) == ["Bob"]


# -- starting


async def test_a_room_starts_all_its_agents_or_none(autojump_clock: Any) -> None:
    alice, gil = Voice("Alice"), Voice("Gil", provider="gemini")
    dora = Voice("Dora", provider="dashscope", faults=[Delay(seconds=3600)])
    async with open_test_runtime() as runtime:
        room = ChatRoom([each.agent() for each in (alice, gil, dora)], settings=RoomSettings(ready_timeout=5))
        with pytest.raises(AgentNotReady, match="Dora was not ready within 5 s"):
            await runtime.spawn(room, name="lobby")
        assert trio.current_time() < 20
        assert runtime.tree().actors == ()
        await trio.sleep(1)
        assert [each.simulator.statistics().open_connections for each in (alice, gil, dora)] == [0, 0, 0]

        # Nothing of it listens any more: what the next room of this name says is said once.
        async with runtime.bus.subscribe("rooms.lobby.>") as events:
            await runtime.spawn(ChatRoom([alice.agent(), gil.agent()]), name="lobby")
            await trio.sleep(1)
            assert sorted(events.receive_nowait().type for _ in range(events.statistics().waiting)) == [
                *["agent_ready"] * 2,
                *["room_participant_joined"] * 2,
            ]


async def test_a_room_says_which_agent_its_provider_refuses(autojump_clock: Any) -> None:
    gil = Voice("Gil", provider="gemini", faults=[Refuse(connections=99, status=403, body=b"no such key")])
    async with open_test_runtime(failures=Failures(ProviderRefused)) as runtime:
        with pytest.raises(AgentNotReady, match=r"Gil cannot join the room: .*check the key"):
            await runtime.spawn(ChatRoom([Voice("Alice").agent(), gil.agent()]), name="lobby")
        assert runtime.tree().actors == ()


class Broken(RealtimeAgent):
    """An agent of somebody's own that cannot start."""

    async def started(self) -> None:
        """Fail."""
        raise ZeroDivisionError("one divided by nothing")


async def test_an_agent_s_own_error_keeps_the_room_from_starting(autojump_clock: Any) -> None:
    async with open_test_runtime() as runtime:
        room = ChatRoom([Voice("Alice").agent(), Voice("Bob", agent_type=Broken).agent()])
        with pytest.raises(AgentNotReady, match="Bob cannot join the room: one divided") as raised:
            await runtime.spawn(room, name="lobby")
        assert isinstance(raised.value.__cause__, ZeroDivisionError)
        assert runtime.tree().actors == ()


@pytest.mark.parametrize(
    ("agents", "error", "words"),
    [
        ([Voice("Alice").agent(), Voice("Alice").agent()], AlreadyInRoom, "called 'Alice' is in the room already"),
        (["Alice"], TypeError, "takes RealtimeAgent.* or RoomAgent.*, not str"),
        ([Voice(f"A{n}").agent() for n in range(3)], RoomFull, "3 agents are more than the room takes"),
        ([RoomAgent(Voice("Alice").agent().agent, "rumours")], InvalidRoom, "Alice hears 'rumours'"),  # type: ignore[arg-type]
        ([RoomAgent(Voice("Alice").agent().agent, agent_id="a b")], InvalidRoom, "agent_id 'a b' has other characters"),
        ([Voice("Alice", agent_options={"turn_detection": LocalVAD()}).agent()], InvalidRoom, "turn_detection"),
    ],
)
async def test_what_is_no_agent_for_a_room_is_said_at_once(
    autojump_clock: Any, agents: Any, error: Any, words: str
) -> None:
    async with open_test_runtime() as runtime:
        with pytest.raises(error, match=words):
            await runtime.spawn(ChatRoom(agents, settings=RoomSettings(most_agents=2)), name="lobby")
        assert runtime.tree().actors == ()


async def test_an_agent_that_runs_already_is_a_type_error_that_says_so(autojump_clock: Any) -> None:
    async with open_test_runtime() as runtime:
        alice = await runtime.spawn(Voice("Alice").agent().agent, name="alice")
        with pytest.raises(TypeError, match="was given the ref of alice: give it RealtimeAgent"):
            await runtime.spawn(ChatRoom([alice]), name="lobby")  # pyright: ignore[reportArgumentType] - that is it
        async with seated(Voice("Bob")) as room:
            with pytest.raises(InvalidRoom, match="was given the ref of alice"):
                await add_agent(room.room, alice)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["most_people", "most_agents", "ready_timeout", "return_within", "linger", "lines"])
def test_settings_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(InvalidRoom, match=f"RoomSettings.{name} is -1"):
        RoomSettings(**{name: -1})  # pyright: ignore[reportArgumentType] - no flag is among them


# -- agents that come and go


async def test_an_agent_comes_later_and_is_told_what_was_said(autojump_clock: Any) -> None:
    alice, bob = Voice("Alice", ["I am Alice."]), Voice("Bob", ["I have read it."], "dashscope")
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Who is there?")
        await room.line("I am Alice")
        assert await add_agent(room.room, bob.agent()) == "lobby-bob"
        await room.probe.until(RoomParticipantJoined, where=lambda event: event.participant.name == "Bob")
        room.write("ann", "And now?")
        assert replies_of(await room.line("I have read it")) == ["Bob"]
        assert bob.read[0] == "(What was said in the room before you came:)\nAnn: Who is there?\nAlice: I am Alice."


async def test_an_agent_that_is_removed_in_the_middle_of_its_speech_ends_in_order(autojump_clock: Any) -> None:
    alice = Voice("Alice", [Reply([Endless("This will be long. ")])], options={"speed": 1})
    bob = Voice("Bob", ["Now I can."])
    async with seated(alice, bob) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us everything.")
        await room.probe.until(AgentResponseCreated)
        await trio.sleep(2)
        await remove_agent(room.room, "lobby-alice")
        events = await room.probe.until(RoomParticipantLeft)
        assert events[-1].reason == "removed"
        assert [event.metadata["status"] for event in of(AgentResponseDone, events)] == ["cancelled"]
        assert len(of(AgentEnded, events)) == 1
        (line,) = of(RoomLine, events)
        assert line.interrupted
        assert line.text.startswith("This will be long.")
        await room.line("Now I can")  # what was asked is answered by somebody else
        assert [each.name for each in (await room.state()).participants] == ["Bob", "Ann"]


async def test_agents_that_cannot_come_in_are_refused_and_the_room_goes_on(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["I am here."])
    settings = RoomSettings(most_agents=2, ready_timeout=3)
    async with seated(alice, settings=settings, failures=Failures(ProviderRefused)) as room:
        await room.join("ann", name="Ann")
        with pytest.raises(AlreadyInRoom, match="called 'Alice'"):
            await add_agent(room.room, Voice("Alice").agent())
        with pytest.raises(AgentNotReady, match="Cy was not ready within 3 s"):
            await add_agent(room.room, Voice("Cy", faults=[Delay(seconds=3600)]).agent())
        with pytest.raises(AgentNotReady, match="Dee cannot join"):
            await add_agent(room.room, Voice("Dee", faults=[Refuse(connections=99, status=401)]).agent())
        await add_agent(room.room, Voice("Bob").agent())
        with pytest.raises(RoomFull, match="2 agents are in the room"):
            await add_agent(room.room, Voice("Eve").agent())
        with pytest.raises(NotInRoom, match="'nobody'"):
            await remove_agent(room.room, "nobody")
        assert isinstance(await room.room.ask(HandFloor("nobody"), timeout=1), NotInRoom)
        assert isinstance(await room.room.ask(HandUp("nobody"), timeout=1), NotInRoom)
        room.write("ann", "Alice?")
        events = await room.line("I am here")
        assert {event.participant.name for event in of(RoomParticipantJoined, events)} == {"Alice", "Bob", "Ann"}


async def test_agents_are_added_and_removed_again_and_again(autojump_clock: Any) -> None:
    async with seated(Voice("Alice")) as room:
        for _ in range(10):
            await remove_agent(room.room, await add_agent(room.room, Voice("Bob").agent()))
        assert [each.name for each in (await room.state()).participants] == ["Alice"]
        assert len(room.runtime.tree().actors) == 4  # the probe, the room, Alice, and her connection


# -- people


async def test_people_who_cannot_come_in_are_told_why(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["I am here."])
    async with seated(alice, settings=RoomSettings(most_people=2)) as room:
        await room.join("ann", name="Ann")
        with pytest.raises(AlreadyInRoom, match="'ann' is in the room already"):
            await room.join("ann")
        with pytest.raises(AlreadyInRoom, match="id of an agent"):
            await room.join("lobby-alice")
        with pytest.raises(UnsupportedRate):
            await room.join("ben", hear_rate=12345)
        await room.join("ben")
        with pytest.raises(RoomFull, match="2 people are in the room already"):
            await room.join("cleo")
        leave_room(room.room, "nobody")
        leave_room(room.room, "ben")
        await room.join("cleo", name="  Cleo\nthe   First ")
        assert [each.name for each in (await room.state()).participants] == ["Alice", "Ann", "Cleo the First"]
        room.write("nobody", "I am not here.")
        room.write("ann", "Are you there?")
        assert words_of(await room.line("I am here")) == ["Ann: Are you there?", "Alice: I am here."]


async def test_a_room_without_agents_is_one_until_there_are_some(autojump_clock: Any) -> None:
    async with seated() as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Is somebody there?")
        await trio.sleep(5)
        await add_agent(room.room, Voice("Alice", ["I have just come."]).agent())
        assert words_of(await room.line("just come")) == ["Ann: Is somebody there?", "Alice: I have just come."]


async def test_a_room_that_is_stopped_ends_what_is_said(autojump_clock: Any) -> None:
    alice = Voice("Alice", [Reply([Endless("This will be long. ")])])
    async with seated(alice, failures=Failures()) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Tell us.")
        await room.probe.until(AgentResponseCreated)
        await trio.sleep(1)
        await room.room.stop()
        events = room.probe.take_all()
        assert [event.metadata["status"] for event in of(AgentResponseDone, events)] == ["cancelled"]
        assert len(of(AgentEnded, events)) == 1
        with pytest.raises(Exception, match="lobby"):
            await join_room(room.room, "ben")
        with pytest.raises(Exception, match="lobby"):
            await room.room.ask(GetRoom(), timeout=1)
