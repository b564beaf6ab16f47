"""Frames ⇄ events, on two wires: JSON in text frames, and msgpack in binary frames.

JSON is what AgentScope's frontends speak (1.0.21, `agentscope.realtime`); media is base64 there. On msgpack
an event is one map with the same keys, and media is raw bytes (`bin`).

Whatever a frame holds, decoding it gives an event or raises `DecodeError`. How large a frame may be is for
the socket to say.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sized
from enum import Enum
from typing import Any, TypeVar, get_args

import msgpack  # pyright: ignore[reportMissingTypeStubs] - it ships none
import orjson

from .client import ClientEvent
from .errors import DecodeError, EncodeError
from .event import Event
from .model import ModelEvent
from .server import ServerEvent
from .structuring import MAX_VALUES, json_converter, msgpack_converter, structurer

__all__ = [
    "MSGPACK_SUBPROTOCOL",
    "Wire",
    "decode_client",
    "decode_model",
    "decode_server",
    "encode_json",
    "encode_msgpack",
]

MSGPACK_SUBPROTOCOL = "realtime-actors.msgpack"
"""The WebSocket subprotocol by which a frontend asks for msgpack."""

T = TypeVar("T", bound=Sized)
Fields = Callable[[Event], dict[str, Any]]

_client_json = json_converter(validate=True)
_json = json_converter(validate=False)
_msgpack = msgpack_converter()

_KINDS: tuple[type[Event], ...] = get_args(ClientEvent | ServerEvent | ModelEvent)
_json_fields: dict[type[Event], Fields] = {kind: _json.get_unstructure_hook(kind) for kind in _KINDS}
_msgpack_fields: dict[type[Event], Fields] = {kind: _msgpack.get_unstructure_hook(kind) for kind in _KINDS}

_client_events = (
    structurer(_client_json, ClientEvent, "a client event"),
    structurer(_msgpack, ClientEvent, "a client event"),
)
_server_events = (
    structurer(_json, ServerEvent, "a server event"),
    structurer(_msgpack, ServerEvent, "a server event"),
)
_model_events = (
    structurer(_json, ModelEvent, "a model event"),
    structurer(_msgpack, ModelEvent, "a model event"),
)


_untyped: Any = msgpack


class _Packers(threading.local):
    """A packer for each thread: its buffer is worth reusing, but not to be shared while it packs."""

    def __init__(self) -> None:
        self.pack: Callable[[object], bytes] = _untyped.Packer().pack


_packers = _Packers()


_MAX_IN_FRAME = 2 * MAX_VALUES
"""How many values a frame may hold. A megabyte of empty maps would become eighty, and take the better part of a second,
before anybody could look at them."""

_JSON_STRING = re.compile(r'"[^"\\]*+(?:\\.?[^"\\]*+)*+(?:"|\Z)', re.DOTALL)  # linear, whatever comes


class _Count:
    """Gives up in the middle of unpacking when there is too much."""

    def __init__(self) -> None:
        self.left = _MAX_IN_FRAME

    def __call__(self, container: T) -> T:
        self.left -= len(container)
        if self.left < 0:
            raise DecodeError(f"the frame holds more than {_MAX_IN_FRAME} values")
        return container


def _unpack(frame: bytes) -> object:
    # So small that it cannot hold too much, as is nearly every frame but audio: the hooks would cost more.
    count = _Count() if len(frame) > _MAX_IN_FRAME else None
    try:
        return _untyped.unpackb(
            frame,
            max_array_len=MAX_VALUES,
            max_map_len=MAX_VALUES,
            max_ext_len=0,
            list_hook=count,
            object_hook=count,
        )
    except ValueError as error:  # its own errors are ValueErrors too, some of them without words
        raise DecodeError(f"the frame is not msgpack: {str(error) or type(error).__name__}") from None


def _load(frame: str) -> object:
    # Commas in strings are no sign of values, but these are looked for only if there are many.
    if frame.count(",") > _MAX_IN_FRAME and _JSON_STRING.sub("", frame).count(",") > _MAX_IN_FRAME:
        raise DecodeError(f"the frame holds more than {_MAX_IN_FRAME} values")
    try:
        return orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"the frame is not JSON: {error}") from None


def _json_frame(event: Event) -> str:
    try:
        return orjson.dumps(_fields(_json_fields, event)).decode()
    except TypeError as error:
        raise EncodeError(f"{event.type} cannot be sent as JSON: {error}") from error


def _msgpack_frame(event: Event) -> bytes:
    try:
        return _packers.pack(_fields(_msgpack_fields, event))
    except (TypeError, ValueError, OverflowError) as error:
        raise EncodeError(f"{event.type} cannot be sent as msgpack: {error}") from error


def _fields(hooks: dict[type[Event], Fields], event: Event) -> dict[str, Any]:
    hook = hooks.get(type(event))
    if hook is None:
        raise EncodeError(f"{event.type} is not an event of the wire: send one of realtime_actors.events")
    return hook(event)


def encode_json(event: Event) -> str:
    """The text frame of an event, made once. Media that came as base64 leaves as it came, unopened.

    Raises `EncodeError` for a value that JSON cannot carry.
    """
    return event.frame("json", _json_frame)


def encode_msgpack(event: Event) -> bytes:
    """The binary frame of an event, made once.

    Raises `EncodeError` for a value that msgpack cannot carry, `InvalidAudio` for a provider's broken base64.
    """
    return event.frame("msgpack", _msgpack_frame)


def decode_client(frame: str | bytes) -> ClientEvent:
    """What a frontend says: text is JSON, bytes are msgpack. Its media is checked here.

    Raises `DecodeError`, for media `InvalidAudio`.
    """
    return _decode(frame, _client_events)


def decode_server(frame: str | bytes) -> ServerEvent:
    """What a session says, for clients of it. Media in JSON stays unopened until it is read.

    Raises `DecodeError`.
    """
    return _decode(frame, _server_events)


def decode_model(frame: str | bytes) -> ModelEvent:
    """What a model says, where that is stored or sent on. Media in JSON stays unopened until it is read.

    Raises `DecodeError`.
    """
    return _decode(frame, _model_events)


def _decode(frame: str | bytes, events: tuple[Callable[[object], Any], Callable[[object], Any]]) -> Any:
    of_json, of_msgpack = events
    if isinstance(frame, str):
        return of_json(_load(frame))
    return of_msgpack(_unpack(frame))


class Wire(Enum):
    """How a frontend and its session talk; agreed when the socket opens."""

    JSON = "json"
    MSGPACK = MSGPACK_SUBPROTOCOL

    def encode(self, event: Event) -> str | bytes:
        """The event's frame: text for JSON, binary for msgpack. Raises as `encode_json`, `encode_msgpack`."""
        return encode_json(event) if self is Wire.JSON else encode_msgpack(event)

    def decode_client(self, frame: str | bytes) -> ClientEvent:
        """As the function of this name; a frame of the other wire is a `DecodeError`."""
        return decode_client(self._own(frame))

    def decode_server(self, frame: str | bytes) -> ServerEvent:
        """As the function of this name; a frame of the other wire is a `DecodeError`."""
        return decode_server(self._own(frame))

    def _own(self, frame: str | bytes) -> str | bytes:
        if isinstance(frame, str) is (self is Wire.JSON):
            return frame
        if self is Wire.JSON:
            raise DecodeError(
                f"a binary frame on the JSON wire: send text, or ask for subprotocol {MSGPACK_SUBPROTOCOL}"
            )
        raise DecodeError("a text frame on the msgpack wire: send binary, or open without the subprotocol")
