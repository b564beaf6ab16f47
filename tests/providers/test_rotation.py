"""Sessions end, and the conversation moves on before they do: unnoticed, at the end of a turn."""

from __future__ import annotations

import itertools
from typing import Any

import attrs
import trio
from agent_talk import PAUSE, SPEECH, Talk, audio_of, audio_sent, of, statuses, talking
from five_providers import FIVE, simulator_of
from trio.testing import MockClock

from realtime_actors.events import (
    AgentError,
    AgentResponseDone,
    AudioFormat,
    ClientAudioAppend,
    ServerSessionUpdated,
)
from realtime_actors.simulators import Endless, Reply, Say, ScriptedBrain
from realtime_actors.simulators.server import Simulator
from realtime_actors.testing import Cut, Delay, Refuse

STORY = Reply([Endless("Once upon a time. ")], when="story")
LONG = "This is what I have to say about it, and it takes its time. "


def spoken(simulator: Simulator, text: str) -> bytes:
    assert isinstance(simulator.brain, ScriptedBrain)
    return simulator.brain.audio(text, 24000)


async def moved_on(talk: Talk) -> list[Any]:
    """Events up to and with the one that says that there is a new session."""
    return await talk.probe.until(ServerSessionUpdated)


def sent_audio(talk: Talk) -> list[bytes]:
    """The audio that went over each socket."""
    return [audio_sent(connection.sent) for connection in talk.transport.connections]


@FIVE
async def test_swaps_to_a_new_session_at_the_end_of_a_turn_before_the_limit_or_on_go_away(
    provider: str, autojump_clock: MockClock
) -> None:
    simulator, model = simulator_of(provider, [Say(LONG * 4)], [Say("Again.")], lifetime=60)
    async with talking(simulator, model) as talk:
        await trio.sleep(29.5)  # half a second later the end is announced
        talk.say("Hi")
        events = await talk.reply()
        assert statuses(events) == ["completed"]
        assert audio_of(events) == spoken(simulator, LONG * 4)
        assert of(ServerSessionUpdated, events) == []
        *events, updated = await moved_on(talk)
        assert 30 < trio.current_time() < 60
        assert updated.metadata["connection"] == "rotated"
        assert of(AgentError, events) == []
        assert simulator.statistics().connections == 2
        await trio.sleep(2)
        assert simulator.statistics().open_connections == 1
        talk.say("And?")
        assert audio_of(await talk.reply()) == spoken(simulator, "Again.")


@FIVE
async def test_nothing_that_is_said_meanwhile_is_lost_or_sent_twice(provider: str, autojump_clock: MockClock) -> None:
    """The new session takes its time to be ready, and the microphone is open all along."""
    simulator, model = simulator_of(provider, lifetime=20)
    counter = itertools.count()
    audio = b""
    async with talking(simulator, model, faults=[Delay(seconds=0.3, connection=2)]) as talk:
        while trio.current_time() < 14:
            # No second of it is like another, and nothing is loud enough to be speech.
            piece = b"".join((next(counter) % 97 % 7).to_bytes(2, "little") for _ in range(model.input_rate // 50))
            audio += piece
            talk.tell(ClientAudioAppend("s1", piece, AudioFormat(rate=model.input_rate)))
            await trio.sleep(0.02)
        await trio.sleep(1)
        first, second = sent_audio(talk)
        assert first + second == audio
        assert first
        assert second
        [updated] = of(ServerSessionUpdated, talk.probe.take_all())
        assert updated.metadata["connection"] == "rotated"


@FIVE
async def test_a_text_that_comes_meanwhile_is_answered_once_by_the_new_session(
    provider: str, autojump_clock: MockClock
) -> None:
    simulator, model = simulator_of(provider, [Say("Yes.")], lifetime=20)
    async with talking(simulator, model, faults=[Delay(seconds=0.3, connection=2)]) as talk:
        await trio.sleep(11.1)  # a tenth of a second after the old session was left
        talk.say("Are you there?")
        events = await talk.reply()
        assert of(ServerSessionUpdated, events)[0].metadata["connection"] == "rotated"
        assert audio_of(events) == spoken(simulator, "Yes.")
        await talk.probe.expect_nothing(within=3)


@FIVE
async def test_it_does_not_leave_while_the_user_speaks(provider: str, autojump_clock: MockClock) -> None:
    simulator, model = simulator_of(provider, [Say("Yes?")], lifetime=20, transcripts=("Hello?",))
    async with talking(simulator, model) as talk:
        await trio.sleep(9)
        await talk.speak(SPEECH * 5 + PAUSE)
        events = await talk.reply()
        assert of(ServerSessionUpdated, events) == []
        assert statuses(events) == ["completed"]
        events = await moved_on(talk)
        assert events[-1].metadata["connection"] == "rotated"
        assert of(AgentError, events) == []


@FIVE
async def test_without_the_end_of_a_turn_it_leaves_in_time_and_says_why(
    provider: str, autojump_clock: MockClock
) -> None:
    simulator, model = simulator_of(provider, STORY, [Say("Yes.")], lifetime=20, speed=1)
    async with talking(simulator, model) as talk:
        talk.say("A story!")
        events = await talk.reply()
        assert 18 <= trio.current_time() < 20
        assert events[-1].metadata == {"status": "failed", "reason": "session_expired"}
        assert [error.code for error in of(AgentError, events)] == ["session_expired"]
        assert (await moved_on(talk))[-1].metadata["connection"] == "restored"
        assert trio.current_time() < 20
        talk.say("Are you there?")
        assert audio_of(await talk.reply()) == spoken(simulator, "Yes.")


@FIVE
async def test_the_next_socket_may_fail_to_open_ahead_of_time(provider: str, autojump_clock: MockClock) -> None:
    simulator, model = simulator_of(provider, [Say("Yes.")], lifetime=20)
    async with talking(simulator, model, faults=[Refuse(first=2)]) as talk:
        *events, updated = await moved_on(talk)
        assert updated.metadata["connection"] == "rotated"
        assert of(AgentError, events) == []
        assert trio.current_time() < 13
        talk.say("Are you there?")
        assert audio_of(await talk.reply()) == spoken(simulator, "Yes.")


async def test_a_socket_that_is_lost_when_the_next_is_open_is_followed_at_once(autojump_clock: MockClock) -> None:
    simulator, model = simulator_of("openai", STORY, lifetime=20, speed=1)
    async with talking(simulator, model, faults=[Cut(containing="audio.delta", frame=80)]) as talk:
        await trio.sleep(5)
        talk.say("A story!")
        events = await talk.probe.until(AgentResponseDone)
        lost_at = trio.current_time()
        assert 11 < lost_at < 18
        assert [error.code for error in of(AgentError, events)] == ["connection_lost"]
        assert (await moved_on(talk))[-1].metadata["connection"] == "restored"
        assert trio.current_time() == lost_at


async def test_a_handle_that_comes_late_is_waited_for(autojump_clock: MockClock) -> None:
    """A session that goes on from an older handle would not know the last turn."""
    simulator, model = simulator_of("gemini", [Say("Hello, Ann.")], [Say("You are Ann.")], lifetime=20)
    # Of the handles the second comes after the turn, a second late; the end of the connection was told before.
    faults = [Delay(seconds=1.5, containing="newHandle", frame=2, connection=1)]
    async with talking(simulator, model, faults=faults, memory=None) as talk:
        await trio.sleep(9.8)
        talk.say("I am Ann.")
        events = await moved_on(talk)
        assert events[-1].metadata["connection"] == "rotated"
        talk.say("Who am I?")
        await talk.reply()
        assert isinstance(simulator.brain, ScriptedBrain)
        assert [turn.text for turn in simulator.brain.heard][-3:] == ["I am Ann.", "Hello, Ann.", "Who am I?"]


async def test_on_sockets() -> None:
    simulator, model = simulator_of("openai", [Say("Hello.")], [Say("Again.")], lifetime=3600, speed=20)
    model = attrs.evolve(model, session_limit=4)
    with trio.fail_after(20):
        async with talking(simulator, model, sockets=True) as talk:
            talk.say("Hi")
            assert audio_of(await talk.reply()) == spoken(simulator, "Hello.")
            *events, updated = await moved_on(talk)
            assert updated.metadata["connection"] == "rotated"
            assert of(AgentError, events) == []
            talk.say("And?")
            assert audio_of(await talk.reply()) == spoken(simulator, "Again.")
