"""What everybody in a room hears: to the sample, at each model's rate, labelled, and never oneself."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import trio
from rooms_kit import SPEECH, Voice, of, replies_of, seated, words_of

from realtime_actors.events import (
    AgentError,
    AgentResponseAudioDelta,
    AudioFormat,
    ClientAudioAppend,
    ClientAudioCommit,
    ClientImageAppend,
    ClientResponseCreate,
    ClientRoomMute,
    RoomAudioDelta,
    RoomFloorChanged,
    RoomLevels,
    RoomLine,
)
from realtime_actors.rooms import Addressed, Everyone, FloorLimits
from realtime_actors.simulators import buzz
from tests.simulated_providers import SIMULATED


def same(audio: bytes, *parts: bytes) -> bool:
    """Whether this is the sum of these, clipped, each from its first sample on."""
    longest = max(map(len, parts))
    total = sum(np.frombuffer(part.ljust(longest, b"\0"), "<i2").astype(int) for part in parts)
    return audio == np.clip(total, -32768, 32767).astype("<i2").tobytes()


def said(events: list[Any], name: str) -> bytes:
    """All that an agent said, as frontends hear it."""
    return b"".join(each.delta for each in of(AgentResponseAudioDelta, events) if each.agent_name == name)


def frames(pcm: bytes) -> bytes:
    """Filled up to whole frames of 20 ms at 24 kHz."""
    return pcm.ljust(-(-len(pcm) // 960) * 960, b"\0")


@pytest.mark.parametrize("chunk_ms", [20, 43, 100])
async def test_an_agent_hears_people_and_agents_to_the_sample_and_never_itself(
    autojump_clock: Any, chunk_ms: int
) -> None:
    alice = Voice("Alice", ["I am Alice, and say so."])
    bob = Voice("Bob", ["I am Bob."])
    async with seated(alice, bob, limits=FloorLimits(agent_turns=1)) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann", chunk_ms=chunk_ms)
        events = await room.line("I am Bob")
        await trio.sleep(1)
        # A turn has all of the speech, with the silence by which its end was known, and nothing between two chunks.
        turn = alice.heard[0]
        assert turn[: len(SPEECH)] == SPEECH
        assert not turn[len(SPEECH) :].strip(b"\0")
        assert 400 < (len(turn) - len(SPEECH)) / 48 < 700
        assert alice.heard == [turn, frames(said(events, "Bob"))]
        assert bob.heard == [turn, frames(said(events, "Alice"))]


@pytest.mark.parametrize("provider", ["openai", "gemini"])
async def test_a_voice_is_heard_without_delay(autojump_clock: Any, provider: str) -> None:
    alice = Voice("Alice", ["At once."], provider)
    async with seated(alice) as room, trio.open_nursery() as nursery:
        await room.join("ann", name="Ann")
        await room.speak("ann", b"", pause_ms=1000)
        began = trio.current_time()
        nursery.start_soon(room.speak, "ann")
        await trio.sleep(0.8)
        # With the 0.3 s that were before it.
        assert len(alice.heard[0]) / (2 * SIMULATED[provider].model.input_rate) > 0.3 + 0.7
        await room.probe.until(RoomFloorChanged, holders=["lobby-alice"])
        # 0.8 s of speech, 0.5 s of silence that tell its end, and what detection and a tick or two take.
        assert trio.current_time() - began < 1.42


async def test_two_who_speak_at_the_same_time_are_heard_as_their_sum(autojump_clock: Any) -> None:
    """Complaint: of several participants only one is heard at a time."""
    alice = Voice("Alice", ["We both say this at the same time, and it is not short."])
    bob = Voice("Bob", ["So we do, but I say something else."])
    cy = Voice("Cy", [" "])
    async with seated(alice, bob, cy, policy=Everyone(), limits=FloorLimits(agent_turns=0)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Say it.")
        events = await room.line("both say this")
        await trio.sleep(1)
        heard = said(events, "Alice"), said(events, "Bob")
        assert min(map(len, heard)) > 24000
        # They begin within a few frames of each other: where the second one comes in is found, all else is compared.
        mixed = b"".join(cy.heard)
        shifts = [(bytes(960 * ticks), b"") for ticks in range(10)] + [(b"", bytes(960 * ticks)) for ticks in range(10)]
        sums = [(frames(before + heard[0]), frames(after + heard[1])) for before, after in shifts]
        assert any(same(mixed, *parts) for parts in sums)


async def test_models_of_other_rates_hear_the_same_at_theirs(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["I am Alice, and say so."])
    gil, dora = Voice("Gil", ["Gil."], "gemini"), Voice("Dora", ["Dora."], "dashscope")
    async with seated(alice, gil, dora, limits=FloorLimits(agent_turns=2)) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann")
        events = await room.line("Dora.")
        await trio.sleep(1)
        turn, *_ = alice.heard
        # Gemini's model is told of turns when it is asked for a reply: the first that it has is Ann's and Alice's.
        for heard, expected in ((gil.heard[0], turn + said(events, "Alice")), (dora.heard[0], turn)):
            ours, theirs = (np.frombuffer(pcm, "<i2").astype(float) for pcm in (expected, heard))
            # Resampling has a delay of its own, and what is loud before is as loud after.
            assert len(theirs) / 16 >= len(ours) / 24
            assert np.sqrt((theirs**2).sum() / 16) == pytest.approx(np.sqrt((ours**2).sum() / 24), rel=0.03)
        assert len(gil.heard) == 2  # Ann and Alice; then Dora
        assert len(dora.heard) == 3  # Ann; Alice; Gil


async def test_nothing_is_sent_to_models_while_nobody_speaks(autojump_clock: Any) -> None:
    alice, gil = Voice("Alice"), Voice("Gil", provider="gemini")
    async with seated(alice, gil) as room:
        await room.join("ann", name="Ann")
        # An open microphone: thirty seconds of a quiet room.
        await room.speak("ann", np.full(24000 * 30, 9, "<i2").tobytes(), pause_ms=0)
        assert alice.heard == gil.heard == []
        assert of(RoomLevels, room.probe.take_all()) == []


async def test_what_people_hear_of_each_other(autojump_clock: Any) -> None:
    async with seated(Voice("Alice")) as room:
        for person, rate in (("ann", 24000), ("ben", 16000), ("cleo", None)):
            await room.join(person, hear_rate=rate)
        await room.speak("cleo")
        heard = {person: of(RoomAudioDelta, room.own[person].take_all()) for person in room.own}
        assert b"".join(each.delta for each in heard["ann"])[: len(SPEECH)] == SPEECH
        assert {each.format.rate for each in heard["ben"]} == {16000}
        assert sum(len(each.delta) for each in heard["ben"]) / 32 >= 800
        assert heard["cleo"] == []

        await room.speak("ann")
        assert of(RoomAudioDelta, room.own["ann"].take_all()) == []
        assert of(RoomAudioDelta, room.own["ben"].take_all()) != []

        room.tell("ben", ClientRoomMute("", "ann", muted=True))
        await room.join("dan", hear_rate=24000)
        await room.speak("ann")
        assert of(RoomAudioDelta, room.own["ben"].take_all()) == []
        assert of(RoomAudioDelta, room.own["dan"].take_all()) != []
        room.tell("ben", ClientRoomMute("", "ann", muted=False))
        await room.speak("ann")
        assert of(RoomAudioDelta, room.own["ben"].take_all()) != []

        for whom in ("nobody", "ben", "lobby-alice"):
            room.tell("ben", ClientRoomMute("", whom, muted=True))
            errors = await room.own["ben"].until(AgentError)
            assert errors[-1].code == "not_in_room"


@pytest.mark.parametrize("chunk_ms", [20, 43, 80])
async def test_people_hear_no_gaps_whatever_the_chunks(autojump_clock: Any, chunk_ms: int) -> None:
    async with seated(Voice("Alice")) as room:
        await room.join("ann", hear_rate=24000)
        await room.join("ben")
        voice = buzz(2000, 24000)
        # What is before it, a breath, is heard too.
        await room.speak("ben", np.full(12000, 3, "<i2").tobytes() + voice, chunk_ms=chunk_ms)
        heard = b"".join(each.delta for each in of(RoomAudioDelta, room.own["ann"].take_all()))
        assert voice in heard


async def test_who_speaks_is_said_with_how_loud(autojump_clock: Any) -> None:
    async with seated(Voice("Alice", ["I am Alice, and say so."])) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann")
        events = await room.line("I am Alice")
        await trio.sleep(1)
        levels = of(RoomLevels, events + room.probe.take_all())
        assert next(set(each.levels) for each in levels if each.levels) == {"ann"}
        assert {"lobby-alice"} in [set(each.levels) for each in levels]
        assert all(-40 < level < 0 for each in levels for level in each.levels.values())
        assert levels[-1].levels == {}
        assert all(before != after for before, after in pairwise(levels))


async def test_agents_that_read_are_told_in_words_who_said_what(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["It was I."], transcripts=["Who was it?"])
    reader = Voice("Rea", ["I have read it."], "dashscope", "transcripts")
    gil = Voice("Gil", ["So have I."], "gemini", "transcripts")
    async with seated(alice, reader, gil) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann")
        events = await room.line("So have I")
        assert words_of(events) == [
            "Ann: Who was it?",
            "Alice: It was I.",
            "Rea: I have read it.",
            "Gil: So have I.",
        ]
        await trio.sleep(0.5)
        assert reader.read == ["Ann: Who was it?", "Alice: It was I.", "Gil: So have I."]
        assert "\n".join(gil.read).count("Ann: Who was it?") == 1
        assert "Rea: I have read it." in "\n".join(gil.read)
        assert reader.heard == gil.heard == []
        # The floor waits for the words, so that those who read them know what they answer.
        floors = [each for each in events if isinstance(each, RoomFloorChanged | RoomLine)]
        assert [isinstance(each, RoomLine) for each in floors[:4]] == [False, False, True, False]


async def test_where_no_agent_hears_people_are_told_to_write(autojump_clock: Any) -> None:
    reader = Voice("Rea", ["A long answer to read, which somebody interrupts.", "Hello."], "dashscope", "transcripts")
    async with seated(reader) as room:
        await room.join("ann", name="Ann")
        await room.join("ben", hear_rate=24000)
        await room.speak("ann")
        error = (await room.own["ann"].until(AgentError))[-1]
        assert (error.code, error.message) == ("unsupported", "the agents here read, and do not hear: write to them")
        assert of(RoomAudioDelta, room.own["ben"].take_all()) != []
        room.write("ann", "Hello?")
        assert replies_of(await room.line("A long answer")) == ["Rea"]


async def test_a_model_that_writes_down_only_what_it_answers_is_not_waited_for(autojump_clock: Any) -> None:
    gil = Voice("Gil", ["I am Gil."], "gemini", transcripts=["Who are you?"])
    async with seated(gil, policy=Addressed()) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann")
        asked = trio.current_time()
        events = await room.line("I am Gil")
        assert words_of(events) == ["Ann: Who are you?", "Gil: I am Gil."]
        assert trio.current_time() - asked < 1.5


async def test_what_is_too_short_to_be_a_turn_is_heard_with_the_next_one(autojump_clock: Any) -> None:
    alice, bob = Voice("Alice", ["Hm."]), Voice("Bob", ["Yes, this is Bob."])
    async with seated(alice, bob, limits=FloorLimits(agent_turns=0)) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Hello.")
        events = await room.line("Hm.")  # 60 ms; providers refuse turns of less than 100
        await trio.sleep(1)
        assert "input_audio_buffer.commit" not in str(bob.sent)
        await room.speak("ann")
        events += await room.line("this is Bob")
        assert of(AgentError, events) == []
        assert len(bob.heard) == 1
        assert bob.read[-1] == "(Alice and Ann speaking:)"


async def test_an_agent_of_which_there_is_no_sound_is_read_by_all(autojump_clock: Any) -> None:
    silent = Voice("Sil", ["I write."], agent_options={}, options={})
    bob = Voice("Bob", ["I have read that."])
    silent.brain.ms_per_character = 0
    async with seated(silent, bob) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Hello.")
        await room.line("I have read that")
        assert bob.heard == []


# -- what people may send


async def test_audio_that_is_none_is_refused_and_what_follows_is_heard(autojump_clock: Any) -> None:
    async with seated(Voice("Alice", ["I hear you."])) as room:
        await room.join("ann", name="Ann")
        for broken in (
            ClientAudioAppend("", b"odd"),
            ClientAudioAppend("", "no base64 at all!"),
            ClientAudioAppend("", bytes(640), AudioFormat("audio/opus", 16000)),
            ClientAudioAppend("", bytes(640), AudioFormat(rate=12345)),
        ):
            room.tell("ann", broken)
            error = (await room.own["ann"].until(AgentError))[-1]
            assert error.code == "invalid_audio"
            await trio.sleep(1)
        for _ in range(50):  # it is not said for each of them
            room.tell("ann", ClientAudioAppend("", b"odd"))
        await trio.sleep(0.5)
        assert len(of(AgentError, room.own["ann"].take_all())) == 1
        await room.speak("ann")
        await room.line("I hear you")


async def test_another_rate_in_mid_speech_is_refused_and_taken_after_the_turn(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["That was cut short.", "Now I hear you well."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann", pause_ms=0)
        await room.speak("ann", buzz(4000, 16000), 16000, pause_ms=0)
        errors = of(AgentError, room.own["ann"].take_all())
        assert {error.code for error in errors} == {"invalid_audio"}
        assert "keep to one rate, or send client_audio_commit first" in errors[0].message
        assert len(errors) == 2  # for 1.5 s: then the turn is over, and the rest of it is one of the new rate
        await trio.sleep(1)
        await room.speak("ann", buzz(800, 16000), 16000)
        await room.line("Now I hear you well")


async def test_a_turn_ends_by_hand_and_is_answered_once(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["Once.", "Twice."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann", pause_ms=0)
        room.tell("ann", ClientAudioCommit(""))
        room.tell("ann", ClientResponseCreate(""))  # as frontends do that end turns by hand
        assert replies_of(await room.line("Once")) == ["Alice"]
        await trio.sleep(5)
        assert words_of(room.probe.take_all()) == []
        room.tell("ann", ClientResponseCreate(""))  # to what there is
        room.tell("ann", ClientResponseCreate(""))
        assert replies_of(await room.line("Twice")) == ["Alice"]
        await trio.sleep(5)
        assert words_of(room.probe.take_all()) == []


async def test_a_whole_recording_at_once_is_heard_whole(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["That was a long one."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        recording = buzz(20_000, 24000)
        room.send("ann", recording)
        room.tell("ann", ClientAudioCommit(""))
        await room.line("a long one")
        assert alice.heard[0][: len(recording)] == recording
        room.send("ann", buzz(40_000, 24000))
        error = (await room.own["ann"].until(AgentError))[-1]
        assert error.code == "audio_dropped"


async def test_a_picture_is_shown_to_those_who_see(autojump_clock: Any) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    alice = Voice("Alice", ["I have seen it."])
    async with seated(alice) as room:
        await room.join("ann", name="Ann")
        room.tell("ann", ClientImageAppend("", png))
        room.write("ann", "What is this?")
        await room.line("I have seen it")
        assert any("input_image" in str(frame) for frame in alice.sent)
    async with seated(Voice("Rea", provider="dashscope", hears="transcripts")) as room:
        await room.join("ann", name="Ann")
        room.tell("ann", ClientImageAppend("", png))
        await trio.sleep(1)
