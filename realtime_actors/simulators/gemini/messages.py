"""What a client's messages are: both spellings of keys, both alphabets of base64, and how wrong ones are refused.

There are no error messages on this wire: whatever is refused closes the connection, with a code and a reason.
"""

import binascii
import re
from collections.abc import Collection
from typing import Any, TypeAlias, cast

import pybase64

from realtime_actors.simulators.errors import SimulatorError

__all__ = [
    "Json",
    "Refused",
    "check_flag",
    "check_keys",
    "check_list",
    "check_number",
    "check_object",
    "check_text",
    "read_keys",
    "read_media",
]

Json: TypeAlias = dict[str, Any]

_FREE = frozenset({"args", "response", "labels", "parametersJsonSchema", "responseJsonSchema", "default", "example"})
"""Keys below which everything is the user's."""
_NAMED = frozenset({"properties", "defs"})
"""Keys below which the names are the user's."""


class Refused(SimulatorError):
    """What the client sent is refused: the connection is closed with this code and reason."""

    def __init__(self, reason: str, code: int = 1007) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:120].decode(errors="ignore")  # a reason has at most 123 bytes


def read_keys(value: object) -> Any:
    """The value with the keys of the protocol in camelCase, as protobuf's JSON allows both spellings."""
    if isinstance(value, list):
        return [read_keys(each) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    read: Json = {}
    for key, each in cast("dict[str, Any]", value).items():
        name = re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), key)
        if name in _FREE:
            read[name] = each
        elif name in _NAMED and isinstance(each, dict):
            read[name] = {own: read_keys(inner) for own, inner in cast("Json", each).items()}
        else:
            read[name] = read_keys(each)
    return read


def _wrong(path: str) -> Refused:
    return Refused(
        f"Request contains an invalid argument: {path}." if path else "Request contains an invalid argument."
    )


def check_keys(value: Json, allowed: Collection[str], path: str = "") -> None:
    """Refuse the fields that the protocol does not have."""
    for key in value:
        if key not in allowed:
            where = f" at '{path}'" if path else ""
            raise Refused(f'Invalid JSON payload received. Unknown name "{key[:40]}"{where}: Cannot find field.')


def check_object(value: object, path: str) -> Json:
    if not isinstance(value, dict):
        raise _wrong(path)
    return cast(Json, value)


def check_list(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(path)
    return cast("list[Any]", value)


def check_text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path)
    return value


def check_flag(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path)
    return value


def check_number(value: object, path: str, low: float, high: float) -> float:
    """A number, which may be written as text where it has 64 bits."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _wrong(path)
    return value


def read_media(value: object, path: str) -> tuple[str, bytes]:
    """The MIME type and the bytes of a Blob."""
    blob = check_object(value, path)
    check_keys(blob, ("mimeType", "data", "displayName"), path)
    kind = check_text(blob.get("mimeType"), f"{path}.mime_type")
    text = check_text(blob.get("data"), f"{path}.data").replace("-", "+").replace("_", "/")
    try:
        return kind, pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"Invalid value at '{path}.data' (TYPE_BYTES), Base64 decoding failed.") from error
