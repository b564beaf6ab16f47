"""What the load generator says and understands, and which rounds count."""

from __future__ import annotations

import json

import orjson
import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from benchmarks.benchmark import ThrownOut
from benchmarks.provider_path import wire
from benchmarks.provider_path.load import Load
from benchmarks.provider_path.trial import interruption_trial, relay_trial, trial, verdict
from realtime_actors.events import PCM_24K, AgentReady, AgentResponseAudioDelta, encode_json, encode_msgpack

HANDSHAKE = (
    b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TIMES = st.integers(0, 2**63 - 1)


def test_a_flood_counts_when_the_contestant_never_waited_for_it() -> None:
    flood, report = Load("flood", 1, 1, 1), {"late_p99": 0.0, "cpu": 1.0}
    verdict(flood, {"waited": 0.0, "share": 0.98}, report)
    with pytest.raises(ThrownOut, match="wait for the load generator"):
        verdict(flood, {"waited": 0.0, "share": 0.5}, report)


def _pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@given(TIMES, st.booleans())
def test_a_delta_is_a_frame_of_openai_s_wire_with_its_time_in_its_audio(time: int, plain: bool) -> None:
    frame = wire.Delta("resp_1", plain=plain).at(time)
    if plain:
        assert int.from_bytes(frame[:4]) == len(frame) - 4
        payload = frame[4:]
    else:
        client = Connection(ConnectionType.CLIENT)
        client.receive_data(frame)
        (event,) = client.events()
        assert isinstance(event, TextMessage)
        assert event.message_finished
        payload = event.data.encode()
    said = orjson.loads(payload)
    assert (said["type"], said["response_id"]) == ("response.output_audio.delta", "resp_1")
    audio = pybase64.b64decode(said["delta"], validate=True)
    assert len(audio) == wire.AUDIO_SIZE
    assert wire.stamp_of(audio) == time


@given(st.lists(st.binary(max_size=70_000), max_size=4), st.lists(st.integers(0, 5000), max_size=8))
def test_minimal_frames_are_put_together(payloads: list[bytes], sizes: list[int]) -> None:
    incoming = wire.Incoming()
    stream = b"".join(map(wire.plain_frame, payloads))
    assert [each for piece in _pieces(stream, sizes) for each in incoming.feed(piece)] == payloads


@given(st.lists(st.binary(max_size=70_000), max_size=4), st.lists(st.integers(0, 5000), max_size=8))
def test_a_client_s_websocket_messages_are_put_together(payloads: list[bytes], sizes: list[int]) -> None:
    client, incoming = Connection(ConnectionType.CLIENT), wire.Incoming()
    events: list[Event] = [BytesMessage(data=each) for each in payloads]
    stream = HANDSHAKE + b"".join(map(client.send, events))
    assert [each for piece in _pieces(stream, sizes) for each in incoming.feed(piece)] == payloads
    # The key and the answer are the example of RFC 6455, section 1.3.
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in incoming.answers[0]


def test_pings_are_answered_and_a_close_is_seen() -> None:
    client, incoming = Connection(ConnectionType.CLIENT), wire.Incoming()
    data = client.send(Ping(payload=b"are you there")) + client.send(CloseConnection(code=1000))
    assert not list(incoming.feed(HANDSHAKE + data))
    assert incoming.closed
    client.receive_data(incoming.answers[1])
    (pong,) = client.events()
    assert isinstance(pong, Pong)
    assert pong.payload == b"are you there"


@given(st.lists(TIMES, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_the_times_of_the_pieces_in_an_append_are_found(times: list[int], compact: bool, audio_first: bool) -> None:
    """Clients write their JSON in different ways, and some wait for several pieces."""
    audio = pybase64.b64encode_as_string(b"".join(wire.stamp(time) + bytes(952) for time in times))
    fields = {"audio": audio, "event_id": "e", "type": "input_audio_buffer.append"}
    fields = fields if audio_first else dict(reversed(fields.items()))
    payload = orjson.dumps(fields) if compact else json.dumps(fields).encode()
    assert wire.stamps_of_append(payload) == times
    assert wire.stamps_of_append(orjson.dumps({"type": "session.update", "audio": audio})) == []


@given(TIMES)
def test_the_time_of_a_delta_is_found_in_it_on_both_wires(time: int) -> None:
    event = AgentResponseAudioDelta("resp", "item", wire.stamp(time) + bytes(952), PCM_24K, "a", "A")
    for encoded in (encode_json(event).encode(), encode_msgpack(event)):
        assert wire.stamp_of_delta(encoded) == time
    assert wire.stamp_of_delta(encode_json(AgentReady("a", "A")).encode()) is None


@given(st.lists(st.binary(max_size=70_000), max_size=4), st.lists(st.integers(0, 5000), max_size=8))
def test_a_server_s_messages_are_put_together(payloads: list[bytes], sizes: list[int]) -> None:
    incoming = wire.Incoming(plain=False, is_client=True)
    stream = wire.accept(HANDSHAKE) + b"".join(map(wire.websocket_frame, payloads))
    assert [each for piece in _pieces(stream, sizes) for each in incoming.feed(piece)] == payloads


def test_a_frame_of_a_client_is_masked() -> None:
    server = Connection(ConnectionType.SERVER)
    server.receive_data(wire.websocket_frame(b'{"type": "client_session_create"}', masked=True))
    (event,) = server.events()
    assert isinstance(event, TextMessage)
    assert event.data == '{"type": "client_session_create"}'


@pytest.mark.parametrize(
    ("values", "report", "why"),
    [
        ({}, {"late_p99": 6.0}, "late"),
        ({}, {"cpu": 0.9}, "90% of a core"),
        ({}, {"heard": 9.0, "expected": 10.0}, "9 of 10"),
        ({"waited": 0.2}, {}, "other processes"),
        # 20 µs, which are all of its time: of the 20 ms in which they are sent
        ({"cpu": 20.0, "share": 1.0}, {}, "held up before"),
        ({"cpu": 20.0, "share": 0.001}, {}, None),
        ({}, {}, None),
    ],
)
def test_rounds_that_measured_something_else_are_thrown_out(
    values: dict[str, float], report: dict[str, float], why: str | None
) -> None:
    load = Load("stream", 1, 1, 1)
    values, report = {"waited": 0.0} | values, {"late_p99": 0.1, "cpu": 0.1} | report
    if why is None:
        verdict(load, values, report)
        return
    with pytest.raises(ThrownOut, match=why):
        verdict(load, values, report)


@pytest.mark.parametrize(
    "driver", ["agents", "connections", "bare_socket", "bare_trio_websocket", "asyncio_websockets"]
)
def test_each_driver_hears_all_deltas(driver: str) -> None:
    """Whether the round counts depends on what else the machine does; one that does not hear all is `Failed`."""
    try:
        values = trial(Load("stream", 2, 2, 5), driver)
    except ThrownOut:
        pass  # another process's doing
    else:
        assert values["cpu"] > 0
        assert 0 < values["p50"] <= values["p99"]


@pytest.mark.parametrize(
    ("driver", "framing"),
    [("agents", "json"), ("agents", "msgpack"), ("bare_socket", "plain"), ("bare_trio_websocket", "json")],
)
def test_each_relay_brings_all_deltas_to_the_frontends(driver: str, framing: str) -> None:
    try:
        values = relay_trial(Load("stream", 2, 2, 5), driver, framing)
    except ThrownOut:
        pass
    else:
        assert values["cpu"] > 0


@pytest.mark.parametrize(
    ("driver", "framing"),
    [("broadcasts", "json"), ("broadcasts", "msgpack"), ("bare_socket", "plain"), ("bare_trio_websocket", "json")],
)
def test_each_frontend_of_an_agent_hears_all_deltas(driver: str, framing: str) -> None:
    try:
        values = relay_trial(Load("stream", 2, 2, 5), driver, framing, 3)
    except ThrownOut:
        pass
    else:
        assert values["cpu"] > 0


@pytest.mark.parametrize("driver", ["agents", "bare_trio_websocket"])
def test_each_cancel_reaches_the_provider_and_silences_the_reply(driver: str) -> None:
    try:
        values = interruption_trial(1, 2, driver, "json")
    except ThrownOut as error:
        assert "late" in str(error)  # noqa: PT017
    else:
        assert 0 < values["wire"] <= values["wire most"]
        assert 0 <= values["silence"] < values["end"] + 1
