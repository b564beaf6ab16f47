"""The bytes that the load generator and what it measures exchange. Pure: no I/O, no clock.

A connection that begins with `GET ` is a WebSocket; any other has minimal framing: four bytes of length (big endian),
then that much JSON. What is said on both is OpenAI's realtime wire (GA), as far as a reply needs it.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator

import attrs
import orjson
import pybase64

__all__ = [
    "AUDIO_SIZE",
    "DELTA_MS",
    "STAMP_SIZE",
    "TURN",
    "Delta",
    "Incoming",
    "accept",
    "message",
    "plain_frame",
    "reply_begins",
    "stamp",
    "stamp_of",
    "stamp_of_delta",
    "stamps_of_append",
    "websocket_frame",
]

DELTA_MS = 20
AUDIO_SIZE = 24_000 * 2 * DELTA_MS // 1000
"""Bytes of a piece of audio: 20 ms of PCM16 mono at 24 kHz."""
STAMP_SIZE = 8
TURN = 20
"""Deltas of a reply, where replies end."""
_STAMP_ROOM = 9  # in base64 that is 12 characters without a rest
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3

_APPEND = b"input_audio_buffer.append"
_PIECE_IN_BASE64 = AUDIO_SIZE // 3 * 4
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


def message(kind: str, **fields: object) -> bytes:
    """An event of the wire."""
    return orjson.dumps({"type": kind, "event_id": "event_0123456789abcdef", **fields})


def reply_begins(response_id: str) -> list[bytes]:
    """What comes between `response.created` and the first delta: clients match deltas to the item and its part."""
    place = {"response_id": response_id, "output_index": 0}
    item = {"id": f"item_{response_id}", "object": "realtime.item", "type": "message", "role": "assistant"}
    return [
        message("response.output_item.added", **place, item={**item, "status": "in_progress", "content": []}),
        message(
            "response.content_part.added",
            **place,
            item_id=item["id"],
            content_index=0,
            part={"type": "audio", "transcript": ""},
        ),
    ]


def plain_frame(payload: bytes) -> bytes:
    """With minimal framing."""
    return struct.pack("!I", len(payload)) + payload


def websocket_frame(payload: bytes, opcode: int = _TEXT, *, masked: bool = False) -> bytes:
    """As a server sends it, or `masked` (with zeros, which change nothing) as a client has to."""
    size, mask, bit = len(payload), bytes(4) if masked else b"", 128 if masked else 0
    if size < 126:
        return bytes((0x80 | opcode, bit | size)) + mask + payload
    if size < 65536:
        return struct.pack("!BBH", 0x80 | opcode, bit | 126, size) + mask + payload
    return struct.pack("!BBQ", 0x80 | opcode, bit | 127, size) + mask + payload


def accept(head: bytes) -> bytes:
    """The answer to a WebSocket handshake. Raises `ValueError` for a head without a key."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"sec-websocket-key":
            key = base64.b64encode(hashlib.sha1(value.strip() + _GUID).digest())  # noqa: S324 - the protocol's
            return (
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n"
            )
    raise ValueError("this is no WebSocket handshake")


def stamp(nanoseconds: int) -> bytes:
    """A time, as the first bytes of a piece of audio."""
    return nanoseconds.to_bytes(STAMP_SIZE, "little")


def stamp_of(audio: bytes) -> int:
    """The time (ns) that a piece of audio begins with."""
    return int.from_bytes(audio[:STAMP_SIZE], "little")


class Delta:
    """20 ms of speech of one response, made anew for each time it is sent."""

    def __init__(self, response_id: str, *, plain: bool) -> None:
        mark = "A" * (len(pybase64.b64encode(bytes(_STAMP_ROOM))) + 1)  # not in base64 of the rest, which is longer
        rest = pybase64.b64encode_as_string(bytes(range(1, 256)) * 4)[: (AUDIO_SIZE - _STAMP_ROOM) * 4 // 3]
        payload = message(
            "response.output_audio.delta",
            response_id=response_id,
            item_id=f"item_{response_id}",
            output_index=0,
            content_index=0,
            delta=mark + rest,
        )
        place = payload.index(mark.encode())
        payload = payload[:place] + payload[place + 1 :]  # the mark is one longer than what it stands for
        frame = plain_frame(payload) if plain else websocket_frame(payload)
        place += len(frame) - len(payload)
        self._before, self._after = frame[:place], frame[place + len(mark) - 1 :]

    def at(self, nanoseconds: int) -> bytes:
        """The frame, with its time."""
        return self._before + pybase64.b64encode(stamp(nanoseconds) + b"\0") + self._after


def stamps_of_append(payload: bytes) -> list[int]:
    """The times of the pieces in an `input_audio_buffer.append`, of which some clients send several in one.

    Empty for other messages. A client may write its JSON with spaces, and its keys in any order.
    """
    key = payload.find(b'"audio":')
    if key < 0 or (payload.find(_APPEND, 0, 200) < 0 and payload.find(_APPEND, max(0, len(payload) - 200)) < 0):
        return []
    start = payload.index(b'"', key + 8) + 1
    end = payload.index(b'"', start)
    return [stamp_of(pybase64.b64decode(payload[at : at + 12])) for at in range(start, end - 11, _PIECE_IN_BASE64)]


def stamp_of_delta(payload: bytes) -> int | None:
    """The time in an `agent_response_audio_delta`, JSON or msgpack; None for other events."""
    start = payload.find(b'"delta":"')
    if start >= 0:
        return stamp_of(pybase64.b64decode(payload[start + 9 : start + 21]))
    start = payload.find(b"\xa5delta\xc5")
    if start < 0:
        return None
    return stamp_of(payload[start + 9 : start + 9 + STAMP_SIZE])


@attrs.define(eq=False)
class Incoming:
    """What a peer sends, put together: messages of either framing. Pings are answered in `answers`."""

    answers: list[bytes] = attrs.field(factory=list[bytes])
    closed: bool = False
    plain: bool | None = None
    """Whether it has minimal framing; None until a client said something."""
    is_client: bool = False
    """Whether it is a server that is heard."""
    _data: bytearray = attrs.field(factory=bytearray)
    _open: bool = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete with this data."""
        self._data += data
        if self.plain is None and len(self._data) >= 4:
            self.plain = not self._data.startswith(b"GET ")
        if self.plain:
            yield from self._plain()
        elif self.plain is False:
            if not self._open:
                end = self._data.find(b"\r\n\r\n")
                if end < 0:
                    return
                if not self.is_client:
                    self.answers.append(accept(bytes(self._data[:end])))
                del self._data[: end + 4]
                self._open = True
            yield from self._websocket()

    def _plain(self) -> Iterator[bytes]:
        while len(self._data) >= 4:
            end = 4 + int.from_bytes(self._data[:4])
            if len(self._data) < end:
                return
            payload = bytes(self._data[4:end])
            del self._data[:end]
            yield payload

    def _websocket(self) -> Iterator[bytes]:
        while (end := self._frame_end()) is not None:
            start, size = end
            mask = bytes(self._data[start - 4 : start])
            payload = bytes(self._data[start : start + size])
            if self._data[1] & 128:
                payload = _unmasked(payload, mask)
            opcode = self._data[0] & 15
            del self._data[: start + size]
            if opcode == _PING:
                self.answers.append(websocket_frame(payload, _PONG, masked=self.is_client))
            elif opcode == _CLOSE:
                self.closed = True
                self.answers.append(websocket_frame(payload, _CLOSE, masked=self.is_client))
            elif opcode != _PONG:
                yield payload

    def _frame_end(self) -> tuple[int, int] | None:
        """Where the payload of the next frame begins and how long it is, when all of it is there."""
        if len(self._data) < 2:
            return None
        size, start = self._data[1] & 127, 6 if self._data[1] & 128 else 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            size, start = int.from_bytes(self._data[2 : 2 + wide]), start + wide
        return (start, size) if len(self._data) >= start + size else None


def _unmasked(data: bytes, mask: bytes) -> bytes:
    whole = mask * (len(data) // 4 + 1)
    return (int.from_bytes(data) ^ int.from_bytes(whole[: len(data)])).to_bytes(len(data))
