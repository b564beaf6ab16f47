"""WebSocket frames (RFC 6455, section 5) in plain code, without I/O: what a stream's bytes say, and what is sent."""

import os
import struct

try:
    from websockets.speedups import apply_mask
except ImportError:  # where websockets could not be compiled: 40 µs for 50 KB instead of 2
    from websockets.utils import apply_mask

__all__ = [
    "BINARY",
    "CLOSE",
    "PIECE",
    "PING",
    "PONG",
    "TEXT",
    "Event",
    "FrameError",
    "FrameReader",
    "SharedFrames",
    "close_payload",
    "encode_frame",
    "encode_message",
]

PIECE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

Event = tuple[int, str | bytes, int]
"""What a frame says: its opcode, the payload, and the payload's size.

`TEXT` and `BINARY` are whole messages, with the size of all their frames; `PIECE` is a frame that completes none. Of a
`CLOSE` it is the reason, and the code in place of the size (1005 for none).
"""

_FINAL, _CONTROL, _MASKED = 0x80, 0x08, 0x80
_HEADS = frozenset({PIECE, TEXT, BINARY, *(_FINAL | kind for kind in (PIECE, TEXT, BINARY, CLOSE, PING, PONG))})
"""First bytes of a frame: without the reserved bits, and a control frame is never in fragments."""
_MAX_CONTROL = 125
_MAX_SHARED = 256 * 1024  # bytes
_NO_MESSAGE: Event = (PIECE, b"", 0)


class FrameError(Exception):
    """The peer sent what is not allowed; `code` is the close code that says so."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameReader:
    """Is given bytes, and gives an event for each frame.

    Keeps what is left of the bytes it was given last, and a message that is not complete, which is limited. One that is
    too long is refused as soon as a frame's head says so; from then on, as after `discard`, messages are passed over,
    so that the peer's Close is found behind them. After a Close, or an error of another kind, nothing is read any more.
    """

    def __init__(self, data: bytes = b"", *, client: bool, max_message_size: int) -> None:
        self._data: bytes | bytearray = data
        self._at = 0
        self._mask_bit = 0 if client else _MASKED  # clients have to mask, servers must not (section 5.1)
        self._max_message_size = max_message_size
        self._kind = PIECE
        """That of the message which is not complete."""
        self._pieces = bytearray()
        self._to_skip = 0
        self._discarding = False
        self._ended = False

    def feed(self, data: bytes | bytearray) -> None:
        """Take in bytes."""
        if self._ended:
            return
        if self._at == len(self._data):
            self._data = data
        elif isinstance(self._data, bytearray):
            del self._data[: self._at]
            self._data += data
        else:
            rest = bytearray(memoryview(self._data)[self._at :])
            rest += data
            self._data = rest
        self._at = 0

    def whole(self, data: bytes | bytearray) -> tuple[str | bytes, int] | None:
        """The message that these bytes are the one frame of, and its size; None when there is more to it.

        That is what a client reads of a server that speaks at its own pace; it takes a third of what `feed` and
        `next` take. What is not so, or is wrong, is for those.
        """
        size = len(data) - 4
        if size <= _MAX_CONTROL or data[1] != 126 or int.from_bytes(data[2:4]) != size:  # masked ones are not, either
            return None
        in_between = self._at != len(self._data) or self._to_skip or self._kind != PIECE
        if in_between or self._discarding or self._ended or self._mask_bit or size > self._max_message_size:
            return None
        first = data[0]
        if first == _FINAL | BINARY:
            return bytes(data[4:]), size
        if first != _FINAL | TEXT:
            return None
        try:
            return str(data[4:], "utf-8"), size
        except UnicodeDecodeError:
            return None

    def discard(self) -> None:
        """Pass over messages from now on: nobody will read them."""
        self._discarding = True
        self._pieces.clear()

    def next(self) -> Event | None:  # noqa: PLR0911, PLR0912 - in one piece: it runs for every delta
        """What the next frame says; None when it is not there yet. Raises `FrameError`."""
        if self._to_skip:
            self._skip()
        data, at = self._data, self._at
        there = len(data)
        if there - at < 2:
            if there == at:
                self._data, self._at = b"", 0  # not to keep what may have been much
            return None
        first, size = data[at], data[at + 1]
        if first not in _HEADS or size & _MASKED != self._mask_bit:
            raise self._wrong_head(first)
        start, size = at + 2, size & 0x7F
        if size > _MAX_CONTROL:
            if first & _CONTROL:
                raise self._error("a control frame is limited to 125 bytes")
            width = 2 if size == 126 else 8
            if there - start < width:
                return None
            size = int.from_bytes(data[start : start + width])
            if size <= _MAX_CONTROL or (width == 8 and not 0xFFFF < size < 1 << 63):
                raise self._error("a frame's length is not written as it has to be")
            start += width
        if not first & _CONTROL:
            # Before the payload is there: a frame that is refused is not waited for.
            if (first & 0x0F == PIECE) is (self._kind == PIECE):
                raise self._error("a fragment continues nothing" if self._kind == PIECE else "a message is in pieces")
            if self._discarding or size + len(self._pieces) > self._max_message_size:
                return self._pass_over(first, start, size)
        if self._mask_bit:
            start += 4
        end = start + size
        if there < end:
            return None
        payload = data[start:end]
        if self._mask_bit:
            payload = apply_mask(payload, data[start - 4 : start])
        self._at = end
        if first & _CONTROL:
            return self._control(first & 0x0F, bytes(payload))
        if self._kind != PIECE or not first & _FINAL:
            return self._piece(first, payload)
        return self._message(first & 0x0F, payload)

    def _message(self, kind: int, payload: bytes | bytearray) -> Event:
        if kind == BINARY:
            return BINARY, bytes(payload), len(payload)
        try:
            return TEXT, str(payload, "utf-8"), len(payload)
        except UnicodeDecodeError:
            raise self._error("text is not UTF-8", 1007) from None

    def _piece(self, first: int, payload: bytes | bytearray) -> Event:
        self._pieces += payload  # not a list: 16 MiB in pieces of one byte would take a gigabyte
        if not first & _FINAL:
            self._kind = self._kind or first & 0x0F
            return _NO_MESSAGE
        kind, pieces, self._kind, self._pieces = self._kind, self._pieces, PIECE, bytearray()
        return self._message(kind, pieces)

    def _control(self, kind: int, payload: bytes) -> Event:
        if kind != CLOSE:
            return kind, payload, len(payload)
        self._end()
        if not payload:
            return CLOSE, "", 1005
        code = int.from_bytes(payload[:2])
        if len(payload) < 2 or not _may_be_sent(code):
            raise FrameError(1002, "a Close has a code that is not allowed")
        try:
            return CLOSE, str(payload[2:], "utf-8"), code
        except UnicodeDecodeError:
            raise FrameError(1007, "the reason of a Close is not UTF-8") from None

    def _pass_over(self, first: int, start: int, size: int) -> Event:
        self._at = start
        self._to_skip = size + (4 if self._mask_bit else 0)
        self._kind = PIECE if first & _FINAL else self._kind or first & 0x0F
        if not self._discarding:
            self.discard()
            raise FrameError(1009, f"a message is limited to {self._max_message_size} bytes")
        return _NO_MESSAGE

    def _skip(self) -> None:
        skipped = min(self._to_skip, len(self._data) - self._at)
        self._at += skipped
        self._to_skip -= skipped

    def _wrong_head(self, first: int) -> FrameError:
        if first in _HEADS:
            return self._error("a frame is not masked" if self._mask_bit else "a frame is masked")
        if first & 0x70:
            return self._error("a frame has reserved bits set")
        if (first & 0x0F) | _FINAL in _HEADS:
            return self._error("a control frame is in fragments")
        return self._error("a frame has an opcode that is not known")

    def _error(self, reason: str, code: int = 1002) -> FrameError:
        self._end()
        return FrameError(code, reason)

    def _end(self) -> None:
        self._ended = True
        self._data, self._at, self._pieces = b"", 0, bytearray()


def encode_frame(kind: int, payload: bytes, *, mask: bool) -> bytes:
    """A frame that is a whole message, or a control frame; a client has to mask its own."""
    first, size, bit = _FINAL | kind, len(payload), _MASKED if mask else 0
    if size <= _MAX_CONTROL:
        head = bytes((first, bit | size))
    elif size <= 0xFFFF:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    return b"".join((head, key, apply_mask(payload, key)))


class SharedFrames:
    """The unmasked frames of messages, made once for all who are sent the same message, one after the other.

    A server's are (a client has to mask each with a key of its own). The last one is kept, unless it is large.
    """

    def __init__(self) -> None:
        self._message: str | bytes | None = None
        self._frame = b""

    def of(self, message: str | bytes) -> bytes:
        """The message's frame."""
        if message is self._message:
            return self._frame
        frame = encode_message(message, mask=False)
        # By identity: so not what somebody may change, such as a bytearray.
        if len(frame) <= _MAX_SHARED and type(message) in {str, bytes}:
            self._message, self._frame = message, frame
        return frame


def encode_message(message: str | bytes, *, mask: bool) -> bytes:
    """The frame of a whole message."""
    if isinstance(message, str):
        return encode_frame(TEXT, message.encode(), mask=mask)
    return encode_frame(BINARY, message, mask=mask)


def close_payload(code: int, reason: str) -> bytes:
    """The payload of a Close: the reason is cut to 123 bytes; 1005 says nothing, and other codes that only name what
    happened become 1000."""
    if code == 1005:
        return b""
    code = 1000 if code in {1006, 1015} else code
    return struct.pack("!H", code) + reason.encode()[: _MAX_CONTROL - 2].decode(errors="ignore").encode()


def _may_be_sent(code: int) -> bool:
    """Section 7.4, and IANA's registry of close codes."""
    return code in {1000, 1001, 1002, 1003} or 1007 <= code <= 1014 or 3000 <= code <= 4999
