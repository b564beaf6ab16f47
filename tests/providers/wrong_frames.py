"""Frames that are nearly right: for the decoders of the providers' wires, which must survive whatever comes."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, cast, get_args

import attrs
import orjson
from hypothesis import strategies as st

from realtime_actors.events import ModelEvent, ModelNotice, RequestFailed, decode_model, encode_json

__all__ = ["REMOVED", "Mutator", "check", "json_values", "places", "replace"]

REMOVED = object()
"""In the place of a value: the key is not there at all."""

Path = tuple[str | int, ...]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: Path = ()) -> list[Path]:
    """The paths to everything inside of the value."""
    inside: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inside = list(cast(dict[str | int, Any], value).items())
    elif isinstance(value, list):
        inside = list(enumerate(cast(list[Any], value)))
    return [found for key, inner in inside for found in ((*path, key), *places(inner, (*path, key)))]


def replace(message: Any, path: Path, value: Any) -> None:
    """Put the value where the path leads, or take out what is there."""
    parent = message
    for key in path[:-1]:
        parent = parent[key]
    if value is REMOVED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value


def check(events: list[ModelEvent | ModelNotice]) -> None:
    """Every value of these events is of its field's type, so that they can be sent on."""
    for event in events:
        if isinstance(event, get_args(ModelEvent)):
            # The strict codec finds every value that is not of its field's type.
            assert decode_model(encode_json(cast(ModelEvent, event))) == event
        else:
            assert isinstance(event, get_args(ModelNotice))
            conflict = event.conflict if isinstance(event, RequestFailed) else None
            values = [value for value in attrs.astuple(event) if value is not conflict]
            for value in values:
                inside = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
                assert all(isinstance(each, str | bool | float) for each in inside)


_WRONG: list[Any] = [None, True, 0, -1, 2**63, 1.5, "", "x", "\x00", "\ud7ff", [], {}, [None], {"type": "x"}]


class Mutator:
    """Makes wrong frames of right ones, the same for the same seed.

    Most are JSON with a wrong value, one that stands elsewhere in the frames, or none; some have wrong bytes.
    """

    def __init__(self, frames: Sequence[dict[str, Any]], seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - no secret
        self._frames = [(orjson.dumps(frame), places(frame)) for frame in frames]
        self._values = [
            orjson.dumps(value) for value in [*_WRONG, *(each for frame in frames for each in frame.values())]
        ]

    def frame(self) -> bytes:
        """The next wrong frame."""
        random = self._random
        text, paths = random.choice(self._frames)
        if random.random() < 0.2:
            return self._wrong_bytes(text)
        message = orjson.loads(text)
        for _ in range(random.randrange(1, 3)):
            path = random.choice(paths)
            if path not in places(message):
                continue  # what it led to was replaced just before
            replace(message, path, REMOVED if random.random() < 0.1 else orjson.loads(random.choice(self._values)))
        return orjson.dumps(message)

    def _wrong_bytes(self, text: bytes) -> bytes:
        random = self._random
        at, length = random.randrange(len(text)), random.randrange(1, 8)
        match random.randrange(4):
            case 0:
                return text[:at]
            case 1:
                return text[:at] + text[at + length :]
            case 2:
                return text[:at] + random.randbytes(length) + text[at + length :]
            case _:
                other, _ = random.choice(self._frames)
                return text[:at] + other[random.randrange(len(other)) :]
