"""What an agent makes of what its own turn detection hears: names of turns, false starts, lost connections, changes."""

from __future__ import annotations

import itertools
from typing import Any

import attrs
import pytest
import trio
from agents_kit import MODEL, Talk, of, statuses, talking
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.agents import (
    GetHearingStatistics,
    Handoff,
    HearingStatistics,
    LocalVAD,
    RealtimeAgent,
    Reconfigure,
    reconfigure,
    tool,
)
from realtime_actors.agents.audio_in import WordsLate
from realtime_actors.agents.listening import WORDS_WITHIN, Listening
from realtime_actors.agents.turns import Effect, Emit, Send, Turns
from realtime_actors.events import (
    AgentError,
    AgentInputDone,
    AgentInputStarted,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseDone,
    AppendAudio,
    AppendText,
    AudioCommitted,
    AudioFormat,
    ClientAudioAppend,
    ClientAudioCommit,
    CommitAudio,
    CreateResponse,
    ModelInputStarted,
    ModelInputTranscriptionDelta,
    ModelInputTranscriptionDone,
    ModelResponseDone,
    RequestFailed,
)
from realtime_actors.providers import GeminiRealtimeModel, Manual, Model, ServerVAD
from realtime_actors.simulators import Call, Endless, Reply, Say, ScriptedBrain, TranscriptionFailed, buzz

RATE = 24000
SPEECH = buzz(700, RATE) + bytes(RATE * 2)
VAD = LocalVAD(silence_ms=400)
RESUMING = attrs.evolve(VAD, resume_false_starts=True)
BY_HAND = attrs.evolve(MODEL, turn_detection=Manual())
SERVER = attrs.evolve(MODEL, turn_detection=ServerVAD(silence_duration_ms=300))
GEMINI = GeminiRealtimeModel(api_key="any", turn_detection=Manual())


@attrs.define
class Ears:
    """`Listening` without an agent around it."""

    vad: LocalVAD = VAD
    model: Model = BY_HAND
    heard: bool = False
    later: list[WordsLate] = attrs.field(init=False, factory=list[WordsLate])
    turns: Turns = attrs.field(init=False, factory=lambda: Turns("friday", "Friday"))
    listening: Listening = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        numbers = itertools.count(1)
        self.listening = Listening(
            self.model,
            self.turns,
            lambda: f"ours_{next(numbers)}",
            self.vad,
            lambda: self.heard,
            lambda _, late: self.later.append(late),
        )

    def say(self, pcm: bytes = SPEECH) -> list[Effect]:
        return self.listening.append(ClientAudioAppend("s1", pcm, AudioFormat(rate=RATE)))

    def over_a_reply(self) -> list[Effect]:
        """Somebody speaks while a reply is being heard, and the provider ends that."""
        self.turns.want_reply()
        self.turns.created("r1")
        self.heard = True
        effects = self.say()
        self.heard = False
        return [*effects, *self.turns.done(ModelResponseDone("r1", metadata={"status": "cancelled"}))]


def names(effects: list[Effect]) -> list[str]:
    return [event.item_id for event in emitted(effects) if hasattr(event, "item_id")]


def emitted(effects: list[Effect]) -> list[Any]:
    return [effect.event for effect in effects if isinstance(effect, Emit)]


def commands(effects: list[Effect]) -> list[Any]:
    return [effect.command for effect in effects if isinstance(effect, Send)]


class TestNames:
    def test_a_turn_has_one_name_whatever_the_provider_calls_it(self) -> None:
        ears = Ears()
        started, done = emitted(ears.say())
        assert isinstance(started, AgentInputStarted)
        assert isinstance(done, AgentInputDone)
        ears.listening.committed(AudioCommitted("theirs"))
        effects = [
            *ears.listening.told(ModelInputTranscriptionDelta("theirs", "Hel")),
            *ears.listening.told(ModelInputTranscriptionDone("Hello", "theirs")),
        ]
        assert names(effects) == [started.item_id] * 2 == [done.item_id] * 2

    def test_words_that_come_late_are_those_of_their_turn(self) -> None:
        """Both turns were committed when the words of the first come."""
        ears = Ears()
        (first, _), (second, _) = emitted(ears.say()), emitted(ears.say())
        ears.listening.committed(AudioCommitted("a"))
        ears.listening.committed(AudioCommitted("b"))
        assert names(ears.listening.told(ModelInputTranscriptionDone("Two", "b"))) == [second.item_id]
        assert names(ears.listening.told(ModelInputTranscriptionDone("One", "a"))) == [first.item_id]

    def test_a_turn_that_was_refused_does_not_shift_the_names(self) -> None:
        ears = Ears()
        emitted(ears.say())
        commit = next(command for command in commands(ears.say()) if isinstance(command, CommitAudio))
        second = next(iter(ears.listening._unnamed))  # pyright: ignore[reportPrivateUsage] - the first of the two
        ears.listening.refused(RequestFailed(second, "invalid_request_error", "", "no"))
        ears.listening.committed(AudioCommitted("theirs"))
        told = ears.listening.told(ModelInputTranscriptionDone("Two", "theirs"))
        assert names(told) == [commit.request_id]

    def test_where_the_provider_names_speech_while_it_goes_on_that_is_the_turn(self) -> None:
        ears = Ears()
        (started,) = emitted(ears.say(buzz(700, RATE)))
        assert ears.listening.told(ModelInputStarted("theirs", 0)) == []
        told = ears.listening.told(ModelInputTranscriptionDelta("theirs", "Hel"))
        assert names(told) == [started.item_id]

    def test_what_is_no_turn_keeps_its_name(self) -> None:
        assert names(Ears().listening.told(ModelInputTranscriptionDone("Hello", "theirs"))) == ["theirs"]

    def test_names_of_a_lost_session_are_not_given_to_the_next(self) -> None:
        ears = Ears()
        ears.say()
        ears.listening.session_lost()
        assert names(ears.listening.told(ModelInputTranscriptionDone("Hello", "theirs"))) == ["theirs"]


class TestTurns:
    def test_a_turn_is_sent_committed_and_asked_about_in_this_order(self) -> None:
        kinds: list[type[Any]] = [type(command) for command in commands(Ears().say())]
        assert kinds == [AppendAudio, CommitAudio, CreateResponse]

    def test_audio_of_another_rate_after_another_model_is_heard_as_well_and_the_counts_go_on(self) -> None:
        ears = Ears()
        ears.say()
        ears.listening.serve(GEMINI)
        assert CommitAudio in [type(command) for command in commands(ears.say())]
        assert ears.listening.statistics().turns == 2

    def test_a_session_is_not_left_in_the_middle_of_speech(self) -> None:
        ears = Ears()
        assert ears.listening.is_quiet
        ears.say(buzz(40, RATE))
        assert not ears.listening.is_quiet
        ears.say(buzz(400, RATE))
        assert not ears.listening.is_quiet
        ears.say(bytes(RATE * 2))
        assert ears.listening.is_quiet

    @pytest.mark.parametrize("model", [BY_HAND, GEMINI])
    def test_a_backchannel_waits_until_the_model_has_said_all_or_for_the_next_turn(self, model: Model) -> None:
        """Audio that comes while a reply is generated would interrupt it on some wires."""
        ears = Ears(attrs.evolve(VAD, backchannels="commit"), model, heard=True)
        ears.turns.want_reply()
        ears.turns.created("r1")
        assert ears.say(buzz(250, RATE) + bytes(RATE * 2)) == []
        ears.turns.done(ModelResponseDone("r1"))
        told = commands(ears.say(bytes(RATE)))
        assert [type(command) for command in told] == ([AppendAudio, CommitAudio] if model is BY_HAND else [])
        ears.heard = False
        audio, *_ = commands(ears.say())
        assert isinstance(audio, AppendAudio)
        seconds = len(audio.audio) / (2 * model.input_rate)
        assert seconds < 1.6 if model is BY_HAND else seconds > 2


class TestFalseStarts:
    def test_the_reply_to_speech_that_interrupted_waits_for_its_words(self) -> None:
        ears = Ears(RESUMING)
        effects = ears.over_a_reply()
        assert CreateResponse not in [type(command) for command in commands(effects)]
        ears.listening.committed(AudioCommitted("theirs"))
        told = commands(ears.listening.told(ModelInputTranscriptionDone("Stop!", "theirs")))
        assert [type(command) for command in told] == [CreateResponse]

    def test_where_it_was_a_noise_the_model_is_asked_to_go_on(self) -> None:
        ears = Ears(RESUMING)
        ears.over_a_reply()
        ears.listening.committed(AudioCommitted("theirs"))
        told = commands(ears.listening.told(ModelInputTranscriptionDone(" \n", "theirs")))
        assert [type(command) for command in told] == [AppendText, CreateResponse]
        assert ears.listening.statistics().resumed == 1

    def test_it_is_asked_once(self) -> None:
        """Else a fan would have it begin again and again."""
        ears = Ears(RESUMING)
        ears.over_a_reply()
        ears.listening.committed(AudioCommitted("a"))
        ears.listening.told(ModelInputTranscriptionDone("", "a"))
        ears.turns.created("r2")
        ears.heard = True
        ears.say()
        ears.turns.done(ModelResponseDone("r2", metadata={"status": "cancelled"}))
        ears.listening.committed(AudioCommitted("b"))
        told = commands(ears.listening.told(ModelInputTranscriptionDone("", "b")))
        assert told == []
        assert ears.listening.statistics().resumed == 1

    def test_words_that_do_not_come_in_time_are_taken_for_some(self) -> None:
        ears = Ears(RESUMING)
        ears.over_a_reply()
        (late,) = ears.later
        assert [type(command) for command in commands(ears.listening.words_late(late))] == [CreateResponse]
        assert ears.listening.words_late(late) == []
        ears.listening.committed(AudioCommitted("theirs"))
        assert commands(ears.listening.told(ModelInputTranscriptionDone("", "theirs"))) == []

    def test_a_cancel_ends_the_wait(self) -> None:
        ears = Ears(RESUMING)
        ears.over_a_reply()
        ears.listening.settle()
        assert ears.listening.words_late(ears.later[0]) == []

    def test_speech_that_interrupts_nobody_waits_for_nothing(self) -> None:
        assert CreateResponse in [type(command) for command in commands(Ears(RESUMING).say())]


def on_wire(talk: Talk) -> list[str]:
    kinds = ("input_audio_buffer.append", "input_audio_buffer.commit", "response.create")
    return [kind for kind, _ in itertools.groupby(frame["type"] for frame in talk.sent(*kinds))]


class TestAgent:
    async def test_a_reply_waits_no_longer_than_that_for_words_that_never_come(
        self, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The provider could not make out the words, and says so with an error that names no turn."""
        monkeypatch.setattr(ScriptedBrain, "transcribe", not_understood)
        async with talking([Endless()], [Say("Fine.")], turn_detection=RESUMING, speed=1) as talk:
            talk.say("Talk.")
            await talk.until(AgentResponseAudioDelta)
            await talk.speak(SPEECH, RATE)
            began = trio.current_time()
            await talk.until(AgentResponseDone, metadata={"status": "completed"})
            assert trio.current_time() - began < WORDS_WITHIN + 1

    async def test_a_turn_survives_the_connection(self, autojump_clock: MockClock) -> None:
        """Complaint: what is said during a reconnect is dropped in silence."""
        async with talking([Say("Fine.")], turn_detection=VAD, transcripts=["How are you?"]) as talk:
            await talk.speak(buzz(600, RATE), RATE)
            talk.drop()
            await talk.speak(SPEECH, RATE)
            events = await talk.reply()
            assert statuses(events) == ["completed"]
            assert [error.code for error in of(AgentError, talk.seen)] == ["connection_lost"]
            assert len(of(AgentInputStarted, talk.seen)) == len(of(AgentInputDone, talk.seen)) == 1
            (words,) = of(AgentInputTranscriptionDone, [*talk.seen, *talk.waiting()])
            assert words.transcript == "How are you?"

    async def test_nothing_is_committed_that_holds_nothing(self, autojump_clock: MockClock) -> None:
        async with talking(turn_detection=VAD) as talk:
            for _ in range(3):
                talk.tell(ClientAudioCommit("s1"))
            await talk.speak(bytes(RATE), RATE)
            talk.tell(ClientAudioCommit("s1"))
            await trio.sleep(1)
            assert on_wire(talk) == []
            assert of(AgentError, talk.waiting()) == []

    async def test_it_stays_when_the_model_changes(self, autojump_clock: MockClock) -> None:
        async with talking([Say("Fine.")], turn_detection=VAD) as talk:
            other = attrs.evolve(MODEL, url="ws://memory/v1/realtime", voice="cedar", turn_detection=ServerVAD())
            await reconfigure(talk.agent, Reconfigure(model=other))
            assert talk.sent("session.update")[-1]["session"]["audio"]["input"]["turn_detection"] is None
            await talk.speak(SPEECH, RATE)
            assert statuses(await talk.reply()) == ["completed"]
            assert on_wire(talk) == ["input_audio_buffer.append", "input_audio_buffer.commit", "response.create"]

    async def test_the_provider_finds_the_turns_from_the_middle_of_a_call_on_and_the_agent_again(
        self, autojump_clock: MockClock
    ) -> None:
        async with talking([Say("One.")], [Say("Two.")], [Say("Three.")], turn_detection=VAD) as talk:
            await reconfigure(talk.agent, Reconfigure(turn_detection=ServerVAD(silence_duration_ms=300)))
            assert (
                talk.sent("session.update")[-1]["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"
            )
            await talk.speak(SPEECH, RATE)
            assert statuses(await talk.reply()) == ["completed"]
            assert set(on_wire(talk)) == {"input_audio_buffer.append"}
            await reconfigure(talk.agent, Reconfigure(turn_detection=VAD))
            await talk.speak(SPEECH, RATE)
            assert statuses(await talk.reply()) == ["completed"]
            assert on_wire(talk) == ["input_audio_buffer.append", "input_audio_buffer.commit", "response.create"]

    @pytest.mark.parametrize(("first", "second"), [(VAD, None), (None, VAD), (VAD, LocalVAD(silence_ms=900))])
    async def test_an_agent_that_takes_over_listens_in_its_own_way(
        self, first: LocalVAD | None, second: LocalVAD | None, autojump_clock: MockClock
    ) -> None:
        billing = RealtimeAgent("Billing", "You are billing.", SERVER, turn_detection=second)

        @tool
        async def to_billing() -> Handoff:
            """Hand over to the billing department."""
            await trio.sleep(0.5)
            return Handoff(billing)

        replies = Reply([Call("to_billing")], when="bill"), Reply([Say("Billing.")], after="to_billing"), [Say("Yes.")]
        async with talking(*replies, model=SERVER, tools=[to_billing], turn_detection=first) as talk:
            talk.say("My bill is wrong.")
            await talk.reply(2)
            assert len(talk.transport.connections) == 2
            detection = talk.sent("session.update")[-1]["session"]["audio"]["input"]["turn_detection"]
            assert (detection is None) == (second is not None)
            await talk.speak(SPEECH, RATE)
            assert statuses(await talk.reply()) == ["completed"]
            assert of(AgentError, talk.seen) == []

    async def test_without_it_nothing_is_counted(self, autojump_clock: MockClock) -> None:
        async with talking([Say("Fine.")]) as talk:
            await talk.speak(SPEECH, RATE)
            assert await talk.agent.ask(GetHearingStatistics(), timeout=1) == HearingStatistics()

    async def test_an_answer_that_was_said_twice_is_one_reply_each(self, autojump_clock: MockClock) -> None:
        """A commit by the frontend and the silence after it end the turn once."""
        async with talking([Say("One.")], [Say("Two.")], turn_detection=VAD) as talk:
            await talk.speak(buzz(600, RATE), RATE)
            talk.tell(ClientAudioCommit("s1"))
            await talk.speak(bytes(RATE * 4), RATE)
            await trio.sleep(5)
            await wait_all_tasks_blocked()
            events = talk.waiting()
            assert statuses(events) == ["completed"]
            assert len(of(AgentInputDone, events)) == 1


async def not_understood(brain: ScriptedBrain, pcm: bytes, rate: int) -> str:
    raise TranscriptionFailed("unintelligible")
