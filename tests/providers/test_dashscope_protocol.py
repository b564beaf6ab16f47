"""What DashScope's frames become, and what we send. `dashscope_frames.json` is hand-made: [who sends it, the frame]."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pybase64
import pytest

from realtime_actors.events import (
    AppendAudio,
    AppendImage,
    AppendText,
    AppendToolResult,
    AudioCommitted,
    CancelResponse,
    CommitAudio,
    Configure,
    CreateResponse,
    ItemAdded,
    ModelCommand,
    ModelError,
    ModelEvent,
    ModelInputDone,
    ModelInputStarted,
    ModelInputTranscriptionDelta,
    ModelInputTranscriptionDone,
    ModelNotice,
    ModelResponseAudioDelta,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDelta,
    ModelResponseAudioTranscriptDone,
    ModelResponseCreated,
    ModelResponseDone,
    ModelResponseToolUseDelta,
    ModelResponseToolUseDone,
    ModelSessionCreated,
    RequestFailed,
    SessionConfigured,
    SessionRefused,
    ToolUse,
)
from realtime_actors.providers import DashScopeRealtimeModel, Manual, ServerVAD, WireProtocol
from realtime_actors.providers.dashscope_protocol import DashScopeProtocol

Json = dict[str, Any]
PAGE: dict[str, list[tuple[str, Json]]] = orjson.loads(Path(__file__).with_name("dashscope_frames.json").read_bytes())
KEY = "sk-4242424242"
CONFIGURE = Configure("req_0", "Be brief.")


def new(**fields: Any) -> DashScopeProtocol:
    protocol = DashScopeRealtimeModel(api_key=KEY, **fields).protocol()
    assert isinstance(protocol, DashScopeProtocol)
    return protocol


@pytest.fixture
def protocol() -> DashScopeProtocol:
    return new(model_name="qwen3.5-omni-flash-realtime")


def decode(protocol: WireProtocol, *messages: Json) -> list[ModelEvent | ModelNotice]:
    return [event for message in messages for event in protocol.decode(orjson.dumps(message).decode())]


def sent(protocol: WireProtocol, *commands: ModelCommand) -> list[Json]:
    return [orjson.loads(frame) for command in commands for frame in protocol.encode(command)]


def from_server(section: str) -> list[Json]:
    return [frame for who, frame in PAGE[section] if who == "S"]


def error(message: str, code: str = "", **details: Any) -> Json:
    return {
        "type": "error",
        "error": {"type": "invalid_request_error", "code": code, "message": message, **details},
    }


def created(response_id: str = "resp_1") -> Json:
    return {"type": "response.created", "response": {"id": response_id, "status": "in_progress"}}


def done(response_id: str = "resp_1", status: str = "completed", **fields: Any) -> Json:
    return {"type": "response.done", "response": {"id": response_id, "status": status, **fields}}


def audio(response_id: str = "resp_1") -> Json:
    return {"type": "response.audio.delta", "response_id": response_id, "item_id": "item_a", "delta": "AAAA"}


def item_done(response_id: str = "resp_1") -> Json:
    item = {"id": "item_a", "type": "message", "status": "incomplete"}
    return {"type": "response.output_item.done", "response_id": response_id, "item": item}


def item_created(**item: Any) -> Json:
    return {"type": "conversation.item.created", "item": item}


STARTED: Json = {"type": "input_audio_buffer.speech_started", "audio_start_ms": 5, "item_id": "item_u"}
STOPPED: Json = {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, "item_id": "item_u"}
COMMITTED: Json = {"type": "input_audio_buffer.committed", "item_id": "item_u"}
SPOKEN_ITEM = item_created(id="item_u", type="message", role="user", content=[{"type": "input_audio"}])
CANCELLED = {"status": "cancelled", "reason": "client_cancelled"}
INTERRUPTED = {"status": "cancelled", "reason": "turn_detected"}


class TestSequences:
    """The documented sequences."""

    def test_handshake(self, protocol: WireProtocol) -> None:
        protocol.encode(CONFIGURE)
        assert decode(protocol, *from_server("handshake")) == [ModelSessionCreated("sess_Q1"), SessionConfigured()]

    def test_spoken_turn(self, protocol: WireProtocol) -> None:
        assert decode(protocol, *from_server("spoken_turn")) == [
            ModelInputStarted("item_u1", 640),
            ModelInputDone("item_u1", 2980),
            ModelResponseCreated("resp_1"),
            ModelResponseAudioTranscriptDelta("resp_1", "item_a1", "Hello"),
            ModelResponseAudioDelta("resp_1", "item_a1", bytes(3)),
            ModelInputTranscriptionDone("Hi.", "item_u1"),
            ModelResponseAudioTranscriptDone("resp_1", "item_a1", "Hello!"),
            ModelResponseAudioDone("resp_1", "item_a1"),
            ModelResponseDone("resp_1", 336, 41, {"status": "completed"}),
        ]

    def test_manual_turn(self) -> None:
        protocol = new(turn_detection=Manual())
        protocol.encode(AppendAudio(bytes(320)))
        protocol.encode(CommitAudio("c2"))
        assert decode(protocol, *from_server("manual_turn")) == [
            AudioCommitted("item_u2"),
            ModelResponseCreated("resp_2"),
        ]
        assert not protocol.holds

    def test_tools(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendToolResult("ours_1", "call_7", "get_weather", '{"temp":4}'))
        use = ToolUse("call_7", "get_weather", {"city": "Oslo"}, ' {"city":"Oslo"}')
        *events, added = decode(protocol, *from_server("tools"))
        assert events == [
            ModelResponseCreated("resp_3"),
            ItemAdded("ours_1"),
            ModelResponseToolUseDelta("resp_3", "item_f1", ToolUse("call_7", "get_weather", {}, '{"city":"Oslo"}')),
            ModelResponseToolUseDone("resp_3", "item_f1", use),
        ]
        assert added == ModelResponseDone("resp_3", metadata={"status": "completed"})

    def test_cancel(self, protocol: WireProtocol) -> None:
        decode(protocol, created("resp_4"))
        protocol.encode(CancelResponse("c1", "resp_4"))
        assert decode(protocol, *from_server("cancel")) == [
            ModelResponseAudioDone("resp_4", "item_a4"),
            ModelResponseDone("resp_4", metadata=CANCELLED),
        ]

    def test_errors(self, protocol: WireProtocol) -> None:
        protocol.encode(CONFIGURE)
        refused, conflict = decode(protocol, *from_server("errors"))
        assert isinstance(refused, RequestFailed)
        assert (refused.request_id, refused.code) == ("req_0", "invalid_value")
        assert "['audio', 'text']. (session.modalities)" in refused.message
        assert isinstance(conflict, RequestFailed)
        assert (conflict.code, conflict.conflict) == ("", "nothing_active")

    def test_every_documented_event_is_known(self) -> None:
        protocol = new()
        for section in PAGE:
            decode(protocol, *from_server(section))
        assert protocol.unknown == {}

    def test_the_documented_client_frames_are_what_we_send(self, protocol: WireProtocol) -> None:
        """To the letter, but for the ids of events, which audio has none of."""
        ours = sent(
            protocol,
            AppendAudio(bytes(3)),
            CommitAudio("event_c3"),
            AppendImage("event_c4", b"\xff\xd8\xff", "image/jpeg"),
            AppendToolResult("event_c6", "call_7", "get_weather", '{"temp":21}'),
        )
        append, commit, image, _, item, *_ = [frame for _, frame in PAGE["client_events"]]
        assert ours == [{"type": append["type"], "audio": append["audio"]}, commit, image, item]
        assert sent(protocol, CreateResponse("c3")) == [PAGE["tools"][-1][1]]
        assert sent(protocol, CancelResponse("c1", "resp_1")) == [PAGE["cancel"][0][1]]
        [text] = sent(protocol, AppendText("c1", "Hi"))
        content = [{"type": "input_text", "text": "Hi"}]
        assert text["item"] == {"type": "message", "role": "user", "content": content}


class TestEndsThatAreNotTold:
    """Every response has an end."""

    def test_the_end_of_a_cancelled_response_is_its_item_s(self, protocol: WireProtocol) -> None:
        decode(protocol, created())
        protocol.encode(CancelResponse("c1", "resp_1"))
        assert decode(protocol, audio(), item_done())[-1] == ModelResponseDone("resp_1", metadata=CANCELLED)
        assert decode(protocol, done(status="cancelled"), audio(), item_done()) == []  # it has ended already

    def test_an_end_that_is_told_counts(self, protocol: WireProtocol) -> None:
        decode(protocol, created())
        protocol.encode(CancelResponse("c1", "resp_1"))
        usage = {"input_tokens": 7, "output_tokens": 5}
        [event] = decode(protocol, done(status="cancelled", usage=usage))
        assert event == ModelResponseDone("resp_1", 7, 5, CANCELLED)

    def test_the_item_of_a_response_that_goes_on_is_no_end(self, protocol: WireProtocol) -> None:
        assert decode(protocol, created(), item_done()) == [ModelResponseCreated("resp_1")]

    def test_the_next_response_ends_the_one_that_was_cancelled(self, protocol: WireProtocol) -> None:
        decode(protocol, created())
        protocol.encode(CancelResponse("c1", "resp_1"))
        assert decode(protocol, created("resp_2")) == [
            ModelResponseDone("resp_1", metadata=CANCELLED),
            ModelResponseCreated("resp_2"),
        ]

    def test_a_cancelled_response_of_which_nothing_comes_ends_in_time(self, protocol: WireProtocol) -> None:
        decode(protocol, created())
        cancel = CancelResponse("c1", "resp_1")
        protocol.encode(cancel)
        assert protocol.patience(cancel) == 2.0
        assert protocol.unanswered(cancel) == [ModelResponseDone("resp_1", metadata=CANCELLED)]
        assert protocol.unanswered(cancel) == []

    def test_a_voice_over_a_response_ends_it_with_its_item(self, protocol: WireProtocol) -> None:
        events = decode(protocol, created(), STARTED, item_done())
        assert events[-1] == ModelResponseDone("resp_1", metadata=INTERRUPTED)

    def test_a_voice_over_a_response_has_ended_it_when_it_stops(self, protocol: WireProtocol) -> None:
        events = decode(protocol, created(), STARTED, STOPPED)
        assert events[2:] == [ModelResponseDone("resp_1", metadata=INTERRUPTED), ModelInputDone("item_u", 900)]

    def test_a_voice_that_interrupts_nothing_ends_nothing(self) -> None:
        protocol = new(turn_detection=ServerVAD(interrupt_response=False))
        *events, refused = decode(protocol, created(), STARTED, item_done(), STOPPED)[1:]
        assert events == [ModelInputStarted("item_u", 5), ModelInputDone("item_u", 900)]
        assert isinstance(refused, RequestFailed)
        assert (refused.request_id, refused.conflict) == ("", "already_active")  # so that its reply is asked for

    def test_a_voice_that_is_not_to_be_answered_is_not(self) -> None:
        protocol = new(turn_detection=ServerVAD(interrupt_response=False, create_response=False))
        assert decode(protocol, created(), STARTED, STOPPED)[-1] == ModelInputDone("item_u", 900)

    def test_nothing_to_cancel_means_that_it_has_ended(self, protocol: WireProtocol) -> None:
        decode(protocol, created())
        protocol.encode(CancelResponse("c1", "resp_1"))
        ended, conflict = decode(protocol, error("Conversation has none active response"))
        assert ended == ModelResponseDone("resp_1", metadata=CANCELLED)
        assert isinstance(conflict, RequestFailed)
        assert (conflict.request_id, conflict.conflict) == ("c1", "nothing_active")

    def test_a_response_that_has_ended_is_not_cancelled(self, protocol: WireProtocol) -> None:
        """The wire's cancel names none, and would meet the next one."""
        decode(protocol, created(), done(), created("resp_2"))
        assert protocol.encode(CancelResponse("c1", "resp_1")) == []
        assert sent(protocol, CancelResponse("c2", "resp_2")) == [{"type": "response.cancel", "event_id": "c2"}]

    def test_a_response_is_created_once(self, protocol: WireProtocol) -> None:
        assert decode(protocol, created(), created()) == [ModelResponseCreated("resp_1")]

    def test_what_is_remembered_is_bounded(self, protocol: WireProtocol) -> None:
        for number in range(2000):
            decode(protocol, created(f"resp_{number}"))
            protocol.encode(AppendText(f"item_{number}", "Hi"))
            decode(protocol, {**_transcript("a"), "item_id": f"item_{number}"})
        kept = [getattr(protocol, name) for name in ("_live", "_ended", "_waiting", "_told")]
        assert [len(each) for each in kept] == [32, 256, 1, 64]


class TestAcknowledgements:
    """The wire has few."""

    def test_a_text_is_acknowledged_by_its_item(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendText("ours_1", "Hi"))
        text = item_created(id="item_9", type="message", role="user", content=[{"type": "input_text", "text": "Hi"}])
        assert decode(protocol, SPOKEN_ITEM, text) == [ItemAdded("ours_1")]

    def test_a_response_shows_that_items_have_come(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendText("ours_1", "Hi"))
        protocol.encode(AppendToolResult("ours_2", "call_1", "f", "x"))
        assert decode(protocol, created())[1:] == [ItemAdded("ours_1"), ItemAdded("ours_2")]

    def test_a_commit_shows_that_pictures_have_come(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendImage("ours_1", b"\xff\xd8\xff", "image/jpeg"))
        protocol.encode(AppendImage("ours_2", b"\xff\xd8\xff", "image/jpeg"))
        assert decode(protocol, COMMITTED) == [ItemAdded("ours_1"), ItemAdded("ours_2")]

    def test_after_a_while_it_is_taken_for_granted(self, protocol: WireProtocol) -> None:
        for command in (
            AppendText("ours_1", "Hi"),
            AppendImage("ours_1", b"\xff\xd8\xff", "image/jpeg"),
            AppendToolResult("ours_1", "call_1", "f", "x"),
        ):
            protocol.encode(command)
            assert protocol.patience(command) == 2.0
            assert protocol.unanswered(command) == [ItemAdded("ours_1")]
            assert protocol.unanswered(command) == []

    def test_nobody_waits_for_audio(self, protocol: WireProtocol) -> None:
        assert protocol.patience(AppendAudio(bytes(2))) is None

    def test_a_reply_that_does_not_begin_is_an_error_in_the_end(self, protocol: WireProtocol) -> None:
        request = CreateResponse("req_1")
        protocol.encode(request)
        assert protocol.patience(request) == 20.0
        [failed] = protocol.unanswered(request)
        assert isinstance(failed, RequestFailed)
        assert (failed.request_id, failed.code) == ("req_1", "no_response")
        protocol.encode(request)
        decode(protocol, created())
        assert protocol.unanswered(request) == []

    def test_what_follows_a_commit_waits_for_it(self, protocol: WireProtocol) -> None:
        """A request for a reply that comes before the commit was processed is lost without a word."""
        assert not protocol.holds
        protocol.encode(CommitAudio("c1"))
        assert protocol.holds
        decode(protocol, COMMITTED)
        assert protocol.holds
        decode(protocol, SPOKEN_ITEM)
        assert not protocol.holds

    def test_a_commit_that_is_never_answered_holds_nothing_for_ever(self, protocol: WireProtocol) -> None:
        commit = CommitAudio("c1")
        protocol.encode(commit)
        assert protocol.unanswered(commit) == []
        assert not protocol.holds


class TestErrors:
    """They name no request, and often no code."""

    def test_a_commit_that_is_refused(self, protocol: WireProtocol) -> None:
        protocol.encode(CommitAudio("c1"))
        [failed] = decode(protocol, error("Internal service error: null"))
        assert failed == RequestFailed("c1", "invalid_request_error", "", "Internal service error: null")
        assert not protocol.holds

    def test_an_id_that_is_there_is_heeded(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendText("ours_1", "Hi"))
        protocol.encode(CreateResponse("req_1"))
        [failed] = decode(protocol, error("No.", event_id="req_1"))
        assert isinstance(failed, RequestFailed)
        assert failed.request_id == "req_1"

    def test_a_picture_that_came_too_early(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendImage("ours_1", b"\xff\xd8\xff", "image/jpeg"))
        [failed] = decode(protocol, error("Error append image before append audio."))
        assert isinstance(failed, RequestFailed)
        assert failed.request_id == "ours_1"

    def test_an_error_about_nothing_of_ours(self, protocol: WireProtocol) -> None:
        assert decode(protocol, error("Voice 'X' is not supported.")) == [
            ModelError("invalid_request_error", "", "Voice 'X' is not supported.")
        ]

    def test_an_error_during_the_reply_is_not_about_the_request_for_it(self, protocol: WireProtocol) -> None:
        protocol.encode(CreateResponse("req_1"))
        [_, failure] = decode(protocol, created(), error("Hm."))
        assert isinstance(failure, ModelError)

    def test_a_request_that_is_refused(self, protocol: WireProtocol) -> None:
        protocol.encode(CreateResponse("req_1"))
        [failed] = decode(protocol, error("Nothing to answer."))
        assert failed == RequestFailed("req_1", "invalid_request_error", "", "Nothing to answer.")

    def test_a_failure_of_the_server_is_no_refusal_of_the_configuration(self, protocol: WireProtocol) -> None:
        protocol.encode(CONFIGURE)
        [failure] = decode(protocol, error("Try again.", type="server_error"))
        assert isinstance(failure, ModelError)

    def test_a_fatal_code(self, protocol: WireProtocol) -> None:
        [failure, refused] = decode(protocol, error("In arrears.", "Arrearage"))
        assert isinstance(failure, ModelError)
        assert refused == SessionRefused("Arrearage", "In arrears.")

    def test_a_reply_was_asked_for_twice(self, protocol: WireProtocol) -> None:
        active = error("Conversation already has an active response")
        decode(protocol, created())
        protocol.encode(CreateResponse("req_1"))
        [conflict] = decode(protocol, active)
        assert isinstance(conflict, RequestFailed)
        assert (conflict.request_id, conflict.conflict) == ("req_1", "already_active")
        [conflict] = decode(protocol, active)  # the server's own
        assert isinstance(conflict, RequestFailed)
        assert (conflict.request_id, conflict.conflict) == ("", "already_active")

    def test_a_server_that_goes_on_by_itself_after_a_call_has_answered(self, protocol: WireProtocol) -> None:
        """The documents disagree on who asks for the reply: if the server has, nothing is to be asked again."""
        protocol.encode(AppendToolResult("ours_1", "call_1", "f", "x"))
        protocol.encode(CreateResponse("req_1"))
        decode(protocol, created())
        assert decode(protocol, error("Conversation already has an active response")) == []

    def test_a_server_that_has_gone_on_by_itself_is_not_asked(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendToolResult("ours_1", "call_1", "f", "x"))
        decode(protocol, created())
        assert protocol.encode(CreateResponse("req_1")) == []
        decode(protocol, done())
        assert len(protocol.encode(CreateResponse("req_2"))) == 1

    def test_nor_is_one_that_a_voice_has_interrupted_the_reply_that_is_asked_for(self, protocol: WireProtocol) -> None:
        """Its end may never be told."""
        protocol.encode(AppendToolResult("ours_1", "call_1", "f", "x"))
        decode(protocol, created(), {"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": 0})
        assert len(protocol.encode(CreateResponse("req_1"))) == 1

    def test_a_voice_after_a_result_is_answered_apart(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendToolResult("ours_1", "call_1", "f", "x"))
        decode(protocol, COMMITTED, created())
        assert len(protocol.encode(CreateResponse("req_1"))) == 1

    def test_a_reply_that_began_before_all_results_were_there_answers_not_all(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendToolResult("ours_1", "call_1", "f", "x"))
        decode(protocol, created())
        protocol.encode(AppendToolResult("ours_2", "call_2", "f", "x"))
        protocol.encode(CreateResponse("req_1"))
        [conflict] = decode(protocol, error("Conversation already has an active response"))
        assert isinstance(conflict, RequestFailed)
        assert conflict.conflict == "already_active"

    def test_a_text_after_a_result_is_still_to_be_answered(self, protocol: WireProtocol) -> None:
        protocol.encode(AppendToolResult("ours_1", "call_1", "f", "x"))
        protocol.encode(AppendText("ours_2", "Wait!"))
        protocol.encode(CreateResponse("req_1"))
        decode(protocol, created())
        [conflict] = decode(protocol, error("Conversation already has an active response"))
        assert isinstance(conflict, RequestFailed)

    def test_the_key_is_never_repeated(self, protocol: WireProtocol) -> None:
        [failure] = decode(protocol, error(f"Key {KEY} is bad."))
        assert isinstance(failure, ModelError)
        assert KEY not in failure.message


def _transcript(text: str, stash: str = "") -> Json:
    kind = "conversation.item.input_audio_transcription.delta"
    return {"type": kind, "item_id": "item_u", "content_index": 0, "text": text, "stash": stash, "language": "en"}


class TestTranscripts:
    def test_only_what_is_certain_and_new_is_told(self, protocol: WireProtocol) -> None:
        pieces = [_transcript("", "good"), _transcript("Good", " more"), _transcript("Good", " morn")]
        pieces += [_transcript("Good morning"), _transcript("Something else")]
        assert decode(protocol, *pieces) == [
            ModelInputTranscriptionDelta("item_u", "Good"),
            ModelInputTranscriptionDelta("item_u", " morning"),
        ]

    def test_plain_deltas_are_told_as_they_are(self, protocol: WireProtocol) -> None:
        kind = "conversation.item.input_audio_transcription.delta"
        piece = {"type": kind, "item_id": "item_u", "delta": "Hi"}
        assert decode(protocol, piece, piece) == [ModelInputTranscriptionDelta("item_u", "Hi")] * 2


class TestPictures:
    def test_silence_goes_before_a_picture_that_no_audio_was_before(self, protocol: WireProtocol) -> None:
        """The server refuses a picture where there is no audio since the last commit."""
        picture = AppendImage("ours_1", b"\xff\xd8\xff", "image/jpeg")
        silence, image = sent(protocol, picture)
        assert pybase64.b64decode(silence["audio"]) == bytes(3200)
        assert image == {"type": "input_image_buffer.append", "event_id": "ours_1", "image": "/9j/"}
        assert len(sent(protocol, picture)) == 1
        decode(protocol, COMMITTED)
        assert len(sent(protocol, picture)) == 2
        decode(protocol, COMMITTED)
        assert len(sent(protocol, AppendAudio(bytes(2)), picture)) == 2


class TestFramesOfTheSDK:
    """Our frames are those of DashScope's own SDK (2.0.2), which has no types to check them with."""

    @pytest.fixture
    def sdk(self) -> Any:
        """A conversation whose `sent` are the frames that it would have sent, without the ids of events."""
        omni: Any = importlib.import_module("dashscope.audio.qwen_omni")
        conversation = omni.OmniRealtimeConversation(
            model="m", callback=omni.OmniRealtimeCallback(), url="ws://h", api_key=KEY
        )
        conversation.sent = []
        conversation.modalities = [omni.MultiModality.TEXT, omni.MultiModality.AUDIO]

        def send(data: str) -> None:
            frame = orjson.loads(data)
            del frame["event_id"]
            conversation.sent.append(frame)

        conversation.ws = SimpleNamespace(sock=SimpleNamespace(connected=True), send=send)
        return conversation

    def test_commands(self, sdk: Any, protocol: WireProtocol) -> None:
        sdk.append_audio("AAAA")
        sdk.append_video("/9j/")
        sdk.commit()
        sdk.create_item({"type": "function_call_output", "call_id": "call_1", "output": "21"})
        sdk.create_response()
        sdk.cancel_response()
        ours = sent(
            protocol,
            AppendAudio(bytes(3)),
            AppendImage("i", b"\xff\xd8\xff", "image/jpeg"),
            CommitAudio("c"),
            AppendToolResult("o", "call_1", "f", "21"),
            CreateResponse("r"),
            CancelResponse("x", "resp_1"),
        )
        for frame in ours:
            frame.pop("event_id", None)
        sdk.sent[4].pop("response")  # {"instructions": null}: documented as optional
        assert ours == sdk.sent

    def test_session(self, sdk: Any) -> None:
        """We leave out what is to be as it is; `pcm` is the documents' name of late for the SDK's `pcm16`."""
        sdk.update_session(
            sdk.modalities,
            voice="Cherry",
            instructions="Be brief.",
            prefix_padding_ms=300,
            turn_detection_threshold=0.2,
            turn_detection_silence_duration_ms=800,
        )
        model = DashScopeRealtimeModel(api_key=KEY, voice="Cherry", turn_detection=ServerVAD(0.2, 300, 800))
        [update] = sent(model.protocol(), CONFIGURE)
        formats = {"input_audio_format": "pcm16", "output_audio_format": "pcm16"}
        assert {**update["session"], **formats} == sdk.sent[0]["session"]
