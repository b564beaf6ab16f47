"""What wires of JSON objects have in common: frames that make no sense, and fields that may be anything."""

from __future__ import annotations

import json
import logging
from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import orjson

from realtime_actors.events import ModelError, ModelEvent, ModelNotice, ModelResponseAudioDelta
from realtime_actors.events.maker import maker

from .model import RealtimeModel, WireProtocol

__all__ = [
    "Decoded",
    "JSONProtocol",
    "Malformed",
    "Message",
    "as_count",
    "as_list",
    "as_object",
    "as_text",
    "audio_delta",
    "dump",
    "need_object",
    "need_text",
]

logger = logging.getLogger(__name__)

Message = dict[str, Any]
Decoded = list[ModelEvent | ModelNotice]

audio_delta = maker(ModelResponseAudioDelta)
"""A piece of speech: the event of which there are the most."""

_MOST_UNKNOWN_TYPES = 64
"""Types that are counted each by its name; those beyond are counted together, as "other"."""


class Malformed(Exception):
    """A message is not what the wire allows. It does not leave `JSONProtocol.decode`."""


class JSONProtocol(WireProtocol):
    """A wire whose frames are JSON objects, text or binary."""

    __slots__ = ("_model", "_unknown")

    def __init__(self, model: RealtimeModel) -> None:
        self._model = model
        self._unknown: dict[str, int] = {}

    @property
    def unknown(self) -> Mapping[str, int]:
        """How many messages of each type came that this wire is not known to have."""
        return MappingProxyType(self._unknown)

    def decode(self, frame: str | bytes) -> Decoded:
        try:
            message: Any = orjson.loads(frame)
            if isinstance(message, dict):
                return self._read(message)  # pyright: ignore[reportUnknownArgumentType] - JSON has text keys
            problem = f"it is not a JSON object but {type(message).__name__}"
        except orjson.JSONDecodeError as error:
            problem = f"it is not JSON: {error}"
        except Malformed as error:
            problem = str(error)
        return [self._protocol_error(f"a frame of {self._model.provider} makes no sense: {problem}")]

    @abstractmethod
    def _read(self, message: Message) -> Decoded:
        """What the message says. Raises `Malformed` when it makes no sense."""

    def _protocol_error(self, problem: str) -> ModelError:
        return ModelError(error_type="protocol_error", code="", message=self._model.quoted(problem))

    def _ignore_unknown(self, kind: str) -> Decoded:
        """A message of a type that is not known says nothing. It is counted, and the first one logged."""
        kind = kind[:100]
        if kind not in self._unknown:
            if len(self._unknown) >= _MOST_UNKNOWN_TYPES:
                kind = "other"
            else:
                logger.info("ignoring messages of %s of the unknown type %r", self._model.provider, kind)
        self._unknown[kind] = self._unknown.get(kind, 0) + 1
        return []


def dump(message: Message) -> str:
    """The message as a JSON text. Raises `TypeError` when it holds something that JSON cannot."""
    try:
        return orjson.dumps(message).decode()
    except TypeError:
        # A text of undecodable bytes (a file's name, say) has lone surrogates, which UTF-8 cannot carry.
        return json.dumps(message, ensure_ascii=False).encode("utf-8", "replace").decode()


def need_text(message: Message, field: str) -> str:
    """The text in the field. Raises `Malformed` when there is none."""
    value = message.get(field)
    if isinstance(value, str):
        return value
    raise Malformed(f"{field!r} of {message.get('type')!r:.100} is {type(value).__name__} instead of a string")


def need_object(message: Message, field: str) -> Message:
    """The object in the field. Raises `Malformed` when there is none."""
    value = message.get(field)
    if isinstance(value, dict):
        return cast(Message, value)
    raise Malformed(f"{field!r} of {message.get('type')!r:.100} is {type(value).__name__} instead of an object")


def as_text(value: object) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def as_count(value: object) -> int:
    """The value if it is a whole number that counts something, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def as_object(value: object) -> Message:
    """The value if it is an object, else an empty one."""
    return cast(Message, value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return cast(list[Any], value) if isinstance(value, list) else []
