"""The parser of frames: what it gives does not depend on how the bytes come, and wsproto understands them alike."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_peer import frame
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from realtime_actors.transports._frames import (
    BINARY,
    CLOSE,
    PIECE,
    PING,
    PONG,
    TEXT,
    Event,
    FrameError,
    FrameReader,
    SharedFrames,
    close_payload,
    encode_frame,
    encode_message,
)

LIMIT = 1000


def read(pieces: list[bytes], *, client: bool = True, limit: int = LIMIT) -> list[Event | tuple[str, int]]:
    """What is read of these bytes, fed one after the other; an error as its code."""
    reader = FrameReader(client=client, max_message_size=limit)
    events: list[Event | tuple[str, int]] = []
    for piece in pieces:
        reader.feed(piece)
        while True:
            try:
                event = reader.next()
            except FrameError as error:
                events.append(("error", error.code))
                continue
            if event is None:
                break
            events.append(event)
    return events


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces."""
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(at)]


messages = st.one_of(st.text(), st.binary(), st.binary(min_size=120, max_size=130), st.just("é" * 100_000))
controls = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))


@given(
    st.lists(st.tuples(messages, st.lists(st.integers(0, 10**6), max_size=3), st.lists(controls, max_size=2))),
    st.lists(st.integers(0, 10**7), max_size=5),
    st.booleans(),
)
def test_messages_come_out_as_they_went_in(
    sent: list[tuple[str | bytes, list[int], list[tuple[int, bytes]]]], places: list[int], mask: bool
) -> None:
    """In fragments, with control frames between them, and in any pieces."""
    data, expected = bytearray(), list[Event]()
    for message, fragments, between in sent:
        payload = message.encode() if isinstance(message, str) else message
        kind = TEXT if isinstance(message, str) else BINARY
        parts = cut(payload, fragments) or [b""]
        for number, part in enumerate(parts):
            fin = number == len(parts) - 1
            if len(parts) == 1:
                data += encode_frame(kind, part, mask=mask)
            else:
                data += frame(PIECE if number else kind, part, mask=mask, fin=fin)
            expected.append((kind, message, len(payload)) if fin else (PIECE, b"", 0))
            if number < len(parts) - 1:
                for control, said in between:
                    data += encode_frame(control, said, mask=mask)
                    expected.append((control, said, len(said)))
    assert read(cut(bytes(data), places), client=not mask, limit=1 << 20) == expected


lengths = st.one_of(
    st.integers(0, 255).map(lambda size: bytes([size])),
    st.integers(0, 0xFFFF).map(lambda size: struct.pack("!BH", 126, size)),
    st.integers(0, (1 << 64) - 1).map(lambda size: struct.pack("!BQ", 127, size)),
)
almost_frames = st.tuples(st.binary(min_size=1, max_size=1), lengths, st.binary(max_size=130)).map(b"".join)


@st.composite
def whole_frames(draw: st.DrawFn) -> bytes:
    """A frame whose length is right, whatever else is not."""
    head = draw(st.sampled_from([0, 1, 2, 128, 129, 130, 136, 137, 138]))
    payload = draw(st.one_of(st.binary(max_size=130), st.text(max_size=50).map(str.encode)))
    return frame(head & 0x0F, payload, mask=draw(st.booleans()), fin=head > 127)


garbage = st.lists(st.one_of(almost_frames, whole_frames(), st.binary(max_size=20)), max_size=8).map(b"".join)


@given(garbage, st.lists(st.integers(0, 2000), max_size=20), st.booleans())
def test_how_the_bytes_come_makes_no_difference(data: bytes, places: list[int], client: bool) -> None:
    """Whatever they are; and one error of a kind is all there is, with nothing but pieces of messages after it."""
    whole = read([data], client=client, limit=100)
    assert read(cut(data, places), client=client, limit=100) == whole
    assert read([bytes([byte]) for byte in data], client=client, limit=100) == whole
    errors = [event for event in whole if event[0] == "error"]
    assert len(errors) <= 2
    if errors:
        after = whole[whole.index(errors[0]) + 1 :]
        assert errors[0][1] == 1009 or not after
        assert all(event[0] not in {TEXT, BINARY} for event in after)


def read_by_the_short_way(pieces: list[bytes], *, client: bool = True) -> list[Event | tuple[str, int]]:
    """As `read`, with `whole` tried first for every piece."""
    reader = FrameReader(client=client, max_message_size=LIMIT)
    events: list[Event | tuple[str, int]] = []
    for piece in pieces:
        message = reader.whole(piece)
        if message is not None:
            events.append((TEXT if isinstance(message[0], str) else BINARY, *message))
            continue
        reader.feed(piece)
        while True:
            try:
                event = reader.next()
            except FrameError as error:
                events.append(("error", error.code))
                continue
            if event is None:
                break
            events.append(event)
    return events


bodies = st.binary(min_size=100, max_size=300) | st.text("ab\u00e9", min_size=100, max_size=300).map(str.encode)
heads = st.sampled_from([(TEXT, True), (BINARY, True), (TEXT, False), (PIECE, True), (PING, True), (0x41, True)])


@given(st.lists(st.tuples(heads, bodies), max_size=6), st.lists(st.integers(0, 2000), max_size=4), st.booleans())
def test_the_short_way_reads_the_same(
    frames: list[tuple[tuple[int, bool], bytes]], places: list[int], client: bool
) -> None:
    whole = [frame(kind, payload, mask=not client, fin=fin) for (kind, fin), payload in frames]
    for pieces in (whole, cut(b"".join(whole), places)):
        assert read_by_the_short_way(pieces, client=client) == read(pieces, client=client)


def test_the_short_way_is_taken_where_it_can_be() -> None:
    reader = FrameReader(client=True, max_message_size=LIMIT)
    text, data = "a" * 1000, b"b" * 300
    assert reader.whole(frame(TEXT, text.encode())) == (text, 1000)
    assert reader.whole(bytearray(frame(BINARY, data))) == (data, 300)
    assert reader.whole(frame(TEXT, b"c" * (LIMIT + 1))) is None
    assert reader.whole(frame(TEXT, b"\xff" * 300)) is None
    reader.feed(b"\x81")
    assert reader.whole(frame(TEXT, text.encode())) is None


def by_wsproto(data: bytes, *, client: bool) -> list[Event | tuple[str, int]]:
    """The same in wsproto's opinion, until the first error or Close, without pieces."""
    connection = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
    events: list[Event | tuple[str, int]] = []
    text, binary = "", b""
    connection.receive_data(data)
    for event in connection.events():
        match event:
            case TextMessage():
                text += event.data
                if event.message_finished:
                    events.append((TEXT, text, len(text.encode())))
                    text = ""
            case BytesMessage():
                binary += event.data
                if event.message_finished:
                    events.append((BINARY, binary, len(binary)))
                    binary = b""
            case Ping() | Pong():
                kind, payload = PING if isinstance(event, Ping) else PONG, bytes(event.payload)
                events.append((kind, payload, len(payload)))
            case CloseConnection():
                is_close = connection.state is ConnectionState.REMOTE_CLOSING
                events.append((CLOSE, event.reason or "", int(event.code)) if is_close else ("error", int(event.code)))
                break
            case _:
                raise AssertionError(event)
    return events


@given(st.lists(whole_frames(), max_size=8).map(b"".join), st.booleans())
def test_wsproto_reads_the_same(data: bytes, client: bool) -> None:
    ours = [event for event in read([data], client=client, limit=1 << 20) if event[0] != PIECE]
    theirs = by_wsproto(data, client=client)
    if theirs and theirs[-1] == ("error", 1007):
        # It finds text that is no UTF-8 in a message that is not complete yet; we when it is, if nothing else comes.
        assert ours[: len(theirs) - 1] == theirs[:-1]
    else:
        assert ours == theirs


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"\x82\x7e\x00\x7d", "length"),
        (b"\x82\x7f" + struct.pack("!Q", 0xFFFF), "length"),
        (b"\x82\x7f" + struct.pack("!Q", 1 << 63), "length"),
        (b"\x89\x7e\x00\x7e", "125"),
        (b"\x89\x7f" + struct.pack("!Q", 1 << 20), "125"),
        (b"\x09\x00", "fragments"),
        (b"\x83\x00", "opcode"),
        (b"\xc2\x00", "reserved"),
        (b"\x82\x80", "masked"),
        (b"\x80\x00", "continues"),
        (b"\x01\x00\x81\x00", "in pieces"),
    ],
)
def test_a_head_that_is_wrong_is_refused_before_its_payload_is_there(head: bytes, why: str) -> None:
    reader = FrameReader(head, client=True, max_message_size=LIMIT)
    if why == "in pieces":
        assert reader.next() == (PIECE, b"", 0)
    with pytest.raises(FrameError, match=why) as caught:
        reader.next()
    assert caught.value.code == 1002
    reader.feed(b"\x81\x01a")
    assert reader.next() is None


@pytest.mark.parametrize("size", [LIMIT + 1, 0xFFFF, 0x10000, (1 << 63) - 1])
def test_a_message_that_says_it_is_too_long_is_refused_at_its_head(size: int) -> None:
    head = b"\x82\x7e" + struct.pack("!H", size) if size <= 0xFFFF else b"\x82\x7f" + struct.pack("!Q", size)
    reader = FrameReader(head, client=True, max_message_size=LIMIT)
    with pytest.raises(FrameError, match="1000 bytes") as caught:
        reader.next()
    assert caught.value.code == 1009
    if size < 1 << 20:
        reader.feed(bytes(size - 10))
        assert reader.next() is None
        reader.feed(bytes(10) + frame(TEXT, b"not any more") + frame(CLOSE, struct.pack("!H", 1009)))
        assert [reader.next(), reader.next(), reader.next()] == [(PIECE, b"", 0), (CLOSE, "", 1009), None]


def test_fragments_are_limited_together() -> None:
    pieces = [frame(TEXT, b"x" * 400, fin=False), frame(PIECE, b"x" * 600, fin=False), frame(PIECE, b"x")]
    assert read(pieces) == [(PIECE, b"", 0), (PIECE, b"", 0), ("error", 1009)]
    whole = read([*pieces[:2], frame(PIECE)])
    assert whole[-1] == (TEXT, "x" * 1000, 1000)


def test_after_discard_only_control_frames_are_read() -> None:
    """A message that has begun is passed over as well; that a frame is out of order is still an error."""
    reader = FrameReader(frame(TEXT, b"x", fin=False) + frame(PIECE, b"y" * 50)[:20], client=True, max_message_size=100)
    assert reader.next() == (PIECE, b"", 0)
    assert reader.next() is None
    reader.discard()
    reader.feed(frame(PIECE, b"y" * 50)[20:] + frame(PING, b"z") + frame(BINARY, bytes(10_000)) + frame(PIECE, b"?"))
    assert [reader.next(), reader.next(), reader.next()] == [(PIECE, b"", 0), (PING, b"z", 1), (PIECE, b"", 0)]
    with pytest.raises(FrameError, match="continues"):
        reader.next()


@given(st.binary(max_size=300), st.booleans(), st.sampled_from([TEXT, BINARY]))
def test_what_is_sent_is_read_by_wsproto(payload: bytes, mask: bool, kind: int) -> None:
    payload = payload if kind == BINARY else payload.hex().encode()
    said = payload.decode() if kind == TEXT else payload
    assert by_wsproto(encode_frame(kind, payload, mask=mask), client=not mask) == [(kind, said, len(payload))]


@pytest.mark.parametrize("size", [0, 125, 126, 0xFFFF, 0x10000])
def test_sizes_of_frames(size: int) -> None:
    assert encode_frame(BINARY, bytes(size), mask=False) == frame(BINARY, bytes(size))


def test_a_frame_for_many_is_made_once() -> None:
    """As long as it is the same message, not one that is equal, and none that can change or is large."""
    shared = SharedFrames()
    message, other, changing, large = "é" * 100, b"x", bytearray(b"y"), bytes(1 << 20)
    first = shared.of(message)
    assert shared.of(message) is first
    assert shared.of(other) == encode_frame(BINARY, other, mask=False)
    assert shared.of(message) == first == encode_message(message, mask=False) == frame(TEXT, message.encode())
    assert shared.of(changing) == frame(BINARY, b"y")  # pyright: ignore[reportArgumentType] - users do it
    changing[0] = 0
    assert shared.of(changing) == frame(BINARY, b"\0")  # pyright: ignore[reportArgumentType]
    assert shared.of(large) is not shared.of(large)


def test_masks_are_not_guessable() -> None:
    frames = {encode_frame(BINARY, b"", mask=True) for _ in range(100)}
    assert len(frames) == 100


@given(st.integers(1000, 4999), st.text())
def test_a_close_is_always_one_that_may_be_sent(code: int, reason: str) -> None:
    payload = close_payload(code, reason)
    assert len(payload) <= 125
    if code not in {1004, *range(1015, 3000)} - {1015}:
        (event,) = read([encode_frame(CLOSE, payload, mask=False)])
        assert event[0] == CLOSE
        assert event[1] == "" if code == 1005 else reason.startswith(str(event[1]))
