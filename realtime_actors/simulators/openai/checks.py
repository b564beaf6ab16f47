"""Checks of what a client sends, with the codes, params and wording of OpenAI's errors."""

import binascii
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias, cast

import pybase64

from realtime_actors.simulators.errors import SimulatorError

__all__ = [
    "Json",
    "Rejected",
    "check_base64",
    "check_choice",
    "check_flag",
    "check_integer",
    "check_keys",
    "check_list",
    "check_number",
    "check_object",
    "check_string",
    "require",
]

Json: TypeAlias = dict[str, Any]


class Rejected(SimulatorError):
    """A client event is refused: becomes the wire's error event, and nothing of the event takes effect."""

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


_KINDS: dict[type, str] = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer"}


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return _KINDS.get(type(value), "a number")


def _wrong_type(expected: str, value: object, param: str) -> Rejected:
    return Rejected(
        "invalid_type",
        f"Invalid type for '{param}': expected {expected}, but got {_kind(value)} instead.",
        param,
    )


def _shown(value: object) -> str:
    return repr(value if len(str(value)) <= 60 else f"{str(value)[:60]}...")


def check_object(value: object, param: str) -> Json:
    if not isinstance(value, dict):
        raise _wrong_type("an object", value, param)
    return cast(Json, value)


def check_list(value: object, param: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong_type("an array", value, param)
    return cast("list[Any]", value)


def check_string(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise _wrong_type("a string", value, param)
    return value


def check_flag(value: object, param: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type("a boolean", value, param)
    return value


def check_choice(value: object, param: str, choices: Sequence[str]) -> str:
    text = check_string(value, param)
    if text not in choices:
        supported = ", ".join(f"'{choice}'" for choice in choices)
        raise Rejected("invalid_value", f"Invalid value: {_shown(text)}. Supported values are: {supported}.", param)
    return text


def _check_range(value: float, param: str, low: float, high: float, kind: str) -> None:
    if value < low:
        raise Rejected(
            f"{kind}_below_min_value",
            f"Invalid '{param}': {kind} below minimum value. Expected a value >= {low}, but got {value} instead.",
            param,
        )
    if value > high:
        raise Rejected(
            f"{kind}_above_max_value",
            f"Invalid '{param}': {kind} above maximum value. Expected a value <= {high}, but got {value} instead.",
            param,
        )


def check_integer(value: object, param: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type("an integer", value, param)
    _check_range(value, param, low, high, "integer")
    return value


def check_number(value: object, param: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type("a number", value, param)
    _check_range(value, param, low, high, "decimal")
    return value


def check_keys(value: Json, allowed: Collection[str], param: str = "") -> None:
    """Refuse keys that the wire does not have; `param` is the path of the object, "" for an event itself."""
    for key in value:
        if key not in allowed:
            path = f"{param}.{key}" if param else key
            raise Rejected("unknown_parameter", f"Unknown parameter: {_shown(path)}.", path[:100])


def require(value: Json, key: str, param: str = "") -> Any:
    path = f"{param}.{key}" if param else key
    if key not in value:
        raise Rejected("missing_required_parameter", f"Missing required parameter: '{path}'.", path)
    return value[key]


def check_base64(value: object, param: str) -> bytes:
    text = check_string(value, param)
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Rejected(
            "invalid_value", f"Invalid '{param}'. Expected base64-encoded bytes, but got invalid base64.", param
        ) from error
