"""What all three families of events have in common.

They are `msgspec` structures: typed, checked when they come from outside, and with as much of a pydantic model's face
as applications use of AgentScope's.
"""

from collections.abc import Mapping
from typing import Any, Self, cast

import msgspec

from .errors import InvalidEvent

__all__ = ["AudioFormat", "Event"]


class AudioFormat(msgspec.Struct, kw_only=True):
    """How audio is encoded: `type` is `audio/pcm` (PCM16 little-endian mono), `rate` in Hz."""

    type: str
    rate: int

    @classmethod
    def of(cls, value: Any) -> Any:
        """A format given as an object, `{"type": …, "rate": …}` or `{"encoding": …, "sample_rate": …}`."""
        if not isinstance(value, Mapping):
            return value
        members = cast("Mapping[str, Any]", value)
        named = {
            "type": members.get("type", "audio/pcm" if members.get("encoding") in ("pcm16", "pcm") else None),
            "rate": members.get("rate", members.get("sample_rate")),
        }
        try:
            return msgspec.convert(named, cls)
        except msgspec.ValidationError as error:
            raise InvalidEvent(
                f'format: {error}: give {{"type": "audio/pcm", "rate": 16000}} with the rate in Hz'
            ) from None


class Event(msgspec.Struct, kw_only=True):
    """An event with the fields and the JSON of AgentScope 1.0.21's. Fields can be assigned, as there."""

    def model_dump(self, *, mode: str = "python") -> dict[str, Any]:
        """The event as plain values, which `json.dumps` takes whatever the `mode`."""
        return msgspec.to_builtins(self)

    def model_dump_json(self) -> str:
        """The event as JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def model_validate(cls, obj: object) -> Self:
        """The event of plain values. Raises `InvalidEvent`, which is a ValueError."""
        try:
            return msgspec.convert(obj, cls)
        except msgspec.ValidationError as error:
            raise InvalidEvent(f"{cls.__name__}: {error}") from None
