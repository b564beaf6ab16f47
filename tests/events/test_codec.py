"""Frames to events and back, on both wires."""

from __future__ import annotations

import threading
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import CLIENT, MODEL, SERVER, client_events, model_events, of_type, pack, server_events, unpack

from realtime_actors.events import (
    MSGPACK_SUBPROTOCOL,
    PCM_16K,
    AgentResponseAudioDelta,
    AgentResponseToolResult,
    AudioFormat,
    ClientAudioAppend,
    ClientImageAppend,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    ClientToolResult,
    DecodeError,
    EncodeError,
    Event,
    InvalidAudio,
    ModelResponseAudioDelta,
    TextBlock,
    ToolResult,
    Wire,
    decode_client,
    decode_model,
    decode_server,
    encode_json,
    encode_msgpack,
)
from realtime_actors.events.structuring import json_converter, msgpack_converter


def delta(media: str | bytes) -> AgentResponseAudioDelta:
    return AgentResponseAudioDelta("r1", "i1", delta=media, agent_id="friday", agent_name="Friday")  # pyright: ignore[reportArgumentType]


def text(**values: Any) -> str:
    return orjson.dumps(values).decode()


def audio_append(**values: Any) -> str:
    return text(**({"type": "client_audio_append", "session_id": "s1", "audio": "AAA="} | values))


class TestRoundTrips:
    @given(client_events)
    def test_client_events(self, event: Event) -> None:
        assert decode_client(encode_json(event)) == event
        assert decode_client(encode_msgpack(event)) == event

    @given(server_events)
    def test_server_events(self, event: Event) -> None:
        assert decode_server(encode_json(event)) == event
        assert decode_server(encode_msgpack(event)) == event

    @given(model_events)
    def test_model_events(self, event: Event) -> None:
        assert decode_model(encode_json(event)) == event
        assert decode_model(encode_msgpack(event)) == event

    @given(st.sampled_from(CLIENT + SERVER + MODEL).flatmap(of_type))
    def test_type_stands_first_and_nothing_private_is_sent(self, event: Event) -> None:
        frame: dict[str, Any] = unpack(encode_msgpack(event))
        names = [field.alias for field in attrs.fields(type(event)) if field.init]
        assert list(frame) == ["type", *names]
        assert list(orjson.loads(encode_json(event))) == ["type", *names]
        assert frame["type"] == event.type


class TestEncodedOnce:
    def test_the_frame_is_made_once_for_each_format(self) -> None:
        event = delta(b"\1\2")
        assert encode_json(event) is encode_json(event)
        assert encode_msgpack(event) is encode_msgpack(event)
        assert Wire.JSON.encode(event) is encode_json(event)
        assert Wire.MSGPACK.encode(event) is encode_msgpack(event)

    def test_frames_are_no_part_of_the_event(self) -> None:
        event, other = delta(b"\1\2"), delta(b"\1\2")
        encode_json(event)
        assert event == other
        assert repr(event) == repr(other)

    def test_a_changed_copy_is_encoded_anew(self) -> None:
        event = ClientTextAppend("s1", "one")
        encode_json(event)
        assert orjson.loads(encode_json(attrs.evolve(event, text="two")))["text"] == "two"

    def test_threads_encode_side_by_side(self) -> None:
        events = [delta(bytes(2 * size)) for size in range(200)]
        threads = [threading.Thread(target=lambda: [encode_msgpack(e) for e in events]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [decode_server(encode_msgpack(event)) for event in events] == events


class TestMedia:
    def test_base64_of_a_provider_goes_from_json_to_json_unopened(self) -> None:
        """Base64 that nobody could decode comes out as it went in: nothing has looked at it."""
        frame = text(type="model_response_audio_delta", response_id="r1", item_id="i1", delta="§ no base64")
        event = decode_model(frame)
        assert isinstance(event, ModelResponseAudioDelta)
        onward = delta("")
        onward = attrs.evolve(onward, delta=event.payload)
        assert orjson.loads(encode_json(onward))["delta"] == "§ no base64"
        with pytest.raises(InvalidAudio, match="broken base64"):
            _ = event.delta
        with pytest.raises(InvalidAudio, match="broken base64"):
            encode_msgpack(onward)

    def test_half_a_sample_of_a_provider_is_found_when_it_is_read(self) -> None:
        event = decode_server(encode_json(delta("AA==")))
        assert isinstance(event, AgentResponseAudioDelta)
        with pytest.raises(InvalidAudio, match="1 bytes is an odd number"):
            _ = event.delta

    @pytest.mark.parametrize("audio", ["AAA", "AAA=\n", "AA-_", "A", "====", "äöü", "data:audio/pcm;base64,AAA="])
    def test_broken_base64_of_a_client_is_refused(self, audio: str) -> None:
        with pytest.raises(InvalidAudio, match=r"^client_audio_append\.audio: broken base64"):
            decode_client(audio_append(audio=audio))

    def test_half_a_sample_of_a_client_is_refused(self) -> None:
        with pytest.raises(InvalidAudio, match=r"^client_audio_append\.audio: 1 bytes is an odd number"):
            decode_client(audio_append(audio="AA=="))
        with pytest.raises(InvalidAudio, match=r"^client_audio_append\.audio: 3 bytes is an odd number"):
            decode_client(encode_msgpack(ClientAudioAppend("s1", audio=b"abc")))  # pyright: ignore[reportArgumentType]

    def test_no_audio_is_no_error(self) -> None:
        event = decode_client(audio_append(audio=""))
        assert isinstance(event, ClientAudioAppend)
        assert event.audio == b""

    def test_an_image_may_have_any_length_but_not_any_base64(self) -> None:
        event = decode_client(text(type="client_image_append", session_id="s1", image="iVBO"))
        assert isinstance(event, ClientImageAppend)
        assert event.image == b"\x89PN"
        with pytest.raises(InvalidAudio, match=r"^client_image_append\.image: broken base64"):
            decode_client(text(type="client_image_append", session_id="s1", image="iVB"))

    def test_an_image_may_be_called_data(self) -> None:
        named = {"type": "client_image_append", "session_id": "s1", "image": "iVBO"}
        called = {"type": "client_image_append", "session_id": "s1", "data": "iVBO"}
        assert decode_client(text(**called)) == decode_client(text(**named))
        with pytest.raises(DecodeError, match=r"^client_image_append\.image is missing$"):
            decode_client(text(type="client_image_append", session_id="s1"))

    def test_media_of_a_tool_result_is_checked_too(self) -> None:
        block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVB"}}
        frame = text(type="client_tool_result", session_id="s1", id="c1", name="see", output=[text_block(), block])
        with pytest.raises(InvalidAudio, match=r"^client_tool_result\.output\[1\]\.source\.data: broken"):
            decode_client(frame)

    def test_msgpack_has_raw_bytes_and_nothing_else(self) -> None:
        frame: dict[str, Any] = unpack(encode_msgpack(delta("AQI=")))
        assert frame["delta"] == b"\1\2"
        with pytest.raises(DecodeError, match=r"\.delta: expected raw bytes .*, got 'AQI='"):
            decode_server(packed(**frame | {"delta": "AQI="}))


def text_block() -> dict[str, str]:
    return {"type": "text", "text": "noon"}


def packed(**values: Any) -> bytes:
    return pack(values)


class TestAudioFormat:
    @pytest.mark.parametrize(
        "given_format",
        [
            {"type": "audio/pcm", "rate": 8000},
            {"encoding": "pcm16", "sample_rate": 8000},
            {"type": "pcm", "sample_rate": 8000, "channels": 1},
            {"type": "pcm16", "rate": 8000, "sample_rate": 44100, "encoding": "opus"},
        ],
    )
    def test_both_ways_to_say_it(self, given_format: dict[str, Any]) -> None:
        event = decode_client(audio_append(format=given_format))
        assert isinstance(event, ClientAudioAppend)
        assert event.format == AudioFormat("audio/pcm", 8000)

    def test_a_client_that_says_nothing_sends_16_khz(self) -> None:
        event = decode_client(audio_append())
        assert isinstance(event, ClientAudioAppend)
        assert event.format == PCM_16K

    @pytest.mark.parametrize("name", ["audio/pcmu", "opus", "", None, 16, ["pcm"], {"a": 1}])
    def test_other_encodings_are_refused_with_the_accepted_ones(self, name: object) -> None:
        for key in ("type", "encoding"):
            with pytest.raises(DecodeError, match=r"^client_audio_append\.format: .*audio/pcm, pcm, pcm16, got "):
                decode_client(audio_append(format={key: name, "rate": 16000}))

    @pytest.mark.parametrize(
        "rate", ["7999", "48001", "0", "-16000", "1" * 30, "16000.0", '"16000"', "true", "null", "[]"]
    )
    def test_other_rates_are_refused_with_the_accepted_ones(self, rate: str) -> None:
        frame = audio_append(format={"type": "pcm", "rate": 12345}).replace("12345", rate)
        with pytest.raises(DecodeError, match=r"^client_audio_append\.format: .*8000 to 48000 Hz, got "):
            decode_client(frame)

    @pytest.mark.parametrize("given_format", [{}, {"type": "pcm"}, {"rate": 16000}, None, "pcm", []])
    def test_half_a_format_is_refused(self, given_format: object) -> None:
        with pytest.raises(DecodeError, match=r"^client_audio_append\.format: expected "):
            decode_client(audio_append(format=given_format))


class TestRefusals:
    @pytest.mark.parametrize(
        ("frame", "words"),
        [
            ("", "not JSON"),
            ("nope", "not JSON"),
            ('{"type": NaN}', "not JSON"),
            ('{"type": "client_session_end", "session_id": "\ud800"}', "not JSON"),
            ('{"type": "client_session_end", "session_id": "\\ud800"}', "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("1" * 100_000, "not JSON"),
            ("[]", "expected a client event .* got a list"),
            ("null", "expected a client event .* got null"),
            ('"client_session_end"', "expected a client event .* got 'client_session_end'"),
            ("{}", "client_tool_result.*; got none"),
            ('{"type": null}', "client_tool_result.*; got null"),
            ('{"type": 5}', "client_tool_result.*; got 5"),
            ('{"type": ["client_session_end"]}', "client_tool_result.*; got a list"),
            ('{"type": {}}', "client_tool_result.*; got an object"),
            ('{"type": "agent_ready"}', "client_tool_result.*; got 'agent_ready'"),
            (b"", "not msgpack"),
            (b"\xc1", "not msgpack: FormatError"),
            (b"\x81\xa4type", "not msgpack"),
            (b"\x80\x80", "not msgpack"),
            (b"\x91" * 100_000, "not msgpack"),
            (b"\xdd\xff\xff\xff\xff", "not msgpack"),
            (b"\xdf\xff\xff\xff\xff", "not msgpack"),
            (b"\x81\xa4type\xa1\xff", "not msgpack"),
            (b"\x81\x01\x01", "not msgpack"),
            (b"\x81\xa1a\xd4\x01\x00", "not msgpack"),
            (b"\x81\xa1a\xd6\xff\x00\x00\x00\x00", "not msgpack"),
            (b"\x81\xc4\x04type\x01", "got none"),
            (b"\x81\xa4type\xc4\x01a", "got 1 bytes"),
            (b'{"type": "client_session_end"}', "not msgpack"),
        ],
    )
    def test_a_frame_that_is_no_client_event(self, frame: str | bytes, words: str) -> None:
        with pytest.raises(DecodeError, match=words):
            decode_client(frame)

    def test_a_long_value_is_shortened(self) -> None:
        for frame in (
            text(type="x" * 100_000),
            text(type="\0" * 100_000),
            audio_append(audio="?" * 100_000),
            audio_append(format={"type": "y" * 100_000}),
            text(type="client_session_end", session_id=[["z" * 100_000]]),
        ):
            with pytest.raises(DecodeError) as caught:
                decode_client(frame)
            assert len(str(caught.value)) < 400

    def test_free_form_objects_are_bounded(self) -> None:
        def config(value: object) -> str:
            return text(type="client_session_create", config={"a": value})

        deep: Any = 1
        for _ in range(31):
            deep = [deep]
        assert isinstance(decode_client(config(deep)), ClientSessionCreate)
        with pytest.raises(DecodeError, match=r"^client_session_create\.config: .* nested at most 32 deep"):
            decode_client(config([deep]))
        with pytest.raises(DecodeError, match=r"^client_session_create\.config: .* at most 1000 values"):
            decode_client(config([[0] * 101] * 10))

    @pytest.mark.parametrize("value", [b"1", float("nan"), float("inf"), {b"a": 1}, [b""]])
    def test_what_json_cannot_say_is_refused_in_free_form_objects(self, value: object) -> None:
        with pytest.raises(DecodeError, match=r"^client_session_create\.config: expected"):
            decode_client(packed(type="client_session_create", config={"a": value}))

    @pytest.mark.parametrize(
        ("output", "words"),
        [
            (5, r"output: expected a string or a list of content blocks, got 5"),
            (dict[str, str](), r"output: expected a string or a list of content blocks, got an object"),
            ([5], r"output\[0\]: expected a content block .*, got 5"),
            (
                [dict[str, str]()],
                r"output\[0\]: .* one of text, image, audio, video; got none",
            ),
            ([text_block(), {"type": "text"}], r"output\[1\]\.text is missing"),
            ([{"type": "image", "source": "x"}], r"output\[0\]\.source: expected a source .*, got 'x'"),
            ([{"type": "image", "source": {"type": "url", "url": 1}}], r"output\[0\]\.source\.url: expected a string"),
            ([text_block()] * 201, r"output: expected at most 200 content blocks, got 201"),
        ],
    )
    def test_the_place_of_a_wrong_block_is_named(self, output: object, words: str) -> None:
        with pytest.raises(DecodeError, match=rf"^client_tool_result\.{words}"):
            decode_client(text(type="client_tool_result", session_id="s1", id="c1", name="see", output=output))

    def test_strings_are_no_numbers(self) -> None:
        with pytest.raises(DecodeError, match=r"^model_input_started\.audio_start_ms: expected an integer, got '5'"):
            decode_model(text(type="model_input_started", item_id="i1", audio_start_ms="5"))
        with pytest.raises(DecodeError, match=r"^server_session_ended\.metadata: expected an object of strings"):
            decode_server(text(type="server_session_ended", session_id="s1", metadata={"a": 1}))


class TestEncodeErrors:
    @pytest.mark.parametrize("encode", [encode_json, encode_msgpack])
    def test_what_has_no_form_on_the_wire_is_said(self, encode: Any) -> None:
        result = ToolResult("c1", "read", [TextBlock("\ud800")])
        for event in (
            ClientTextAppend("s1", "\ud800"),
            ClientSessionCreate({"a": object()}),
            ClientSessionCreate({"a": 2**64}),
            AgentResponseToolResult(result, "friday", "Friday"),
        ):
            with pytest.raises(EncodeError, match=rf"^{event.type} cannot be sent as (JSON|msgpack): "):
                encode(event)
        assert decode_client(encode(ClientSessionEnd("s1"))) == ClientSessionEnd("s1")

    def test_an_event_of_somebody_else_is_not_of_the_wire(self) -> None:
        @attrs.frozen
        class ClientDance(Event):
            pass

        with pytest.raises(EncodeError, match="client_dance is not an event of the wire"):
            encode_json(ClientDance())


class TestWire:
    def test_each_decodes_its_own_frames_only(self) -> None:
        event = ClientToolResult("s1", "c1", "see", "noon")
        for wire, other in ((Wire.JSON, Wire.MSGPACK), (Wire.MSGPACK, Wire.JSON)):
            assert wire.decode_client(wire.encode(event)) == event
            assert wire.decode_server(wire.encode(delta(b""))) == delta(b"")
            with pytest.raises(DecodeError, match="frame on the"):
                wire.decode_client(other.encode(event))
            with pytest.raises(DecodeError, match="frame on the"):
                wire.decode_server(other.encode(delta(b"")))

    def test_msgpack_is_asked_for_by_its_subprotocol(self) -> None:
        assert Wire(MSGPACK_SUBPROTOCOL) is Wire.MSGPACK
        assert MSGPACK_SUBPROTOCOL == "realtime-actors.msgpack"


class TestStrictness:
    """Values are never made into what they are not: of the primitives, only an integer may pass for a float."""

    @pytest.mark.parametrize("kind", [str, int, float, bool, bytes])
    @pytest.mark.parametrize("value", ["1", 1, 1.0, True, b"1", None, [], {}])
    def test_primitives(self, kind: type, value: object) -> None:
        for converter in (json_converter(validate=False), msgpack_converter()):
            if type(value) is kind or (kind is float and type(value) is int):
                assert converter.structure(value, kind) == value
            else:
                with pytest.raises(DecodeError, match=r"expected .*, got "):
                    converter.structure(value, kind)
