"""Events for the tests of this folder: one of each type by hand, and any of any type for Hypothesis."""

from __future__ import annotations

from typing import Any, get_args

import attrs
import msgpack  # pyright: ignore[reportMissingTypeStubs] - it ships none
from hypothesis import strategies as st

from realtime_actors.events import (
    AudioBlock,
    AudioFormat,
    Base64Source,
    Blob,
    ClientAudioAppend,
    ClientEvent,
    ContentBlock,
    Event,
    ImageBlock,
    ModelEvent,
    RoomLine,
    RoomParticipant,
    ServerEvent,
    TextBlock,
    ToolResult,
    ToolUse,
    UrlSource,
    VideoBlock,
)

_untyped: Any = msgpack


def pack(value: object) -> bytes:
    """The value as msgpack."""
    return _untyped.packb(value)


def unpack(frame: bytes) -> Any:
    """What msgpack says."""
    return _untyped.unpackb(frame)


CLIENT = get_args(ClientEvent)
SERVER = get_args(ServerEvent)
MODEL = get_args(ModelEvent)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
integers = st.integers(-(2**63), 2**63 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | numbers | words
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, json_values, max_size=3)
media = st.binary(max_size=12)
sources = st.builds(Base64Source, words, media) | st.builds(UrlSource, words)
blocks = (
    st.builds(TextBlock, words)
    | st.builds(ImageBlock, sources)
    | st.builds(AudioBlock, sources)
    | st.builds(VideoBlock, sources)
)
participants = st.builds(RoomParticipant, words, words, words, words)
outputs = words | st.lists(blocks, max_size=3)

BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: words,
    int: integers,
    str | None: st.none() | words,
    int | None: st.none() | integers,
    bool: st.booleans(),
    float: numbers,
    float | None: st.none() | numbers,
    dict[str, str]: st.dictionaries(words, words, max_size=3),
    dict[str, float]: st.dictionaries(words, numbers, max_size=3),
    dict[str, Any]: objects,
    Blob: media.map(lambda data: Blob(data=data)),
    AudioFormat: st.builds(AudioFormat, rate=st.integers(8_000, 48_000)),
    ToolUse: st.builds(ToolUse, words, words, objects, words),
    ToolResult: st.builds(ToolResult, words, words, outputs),
    str | list[ContentBlock]: outputs,
    list[str]: st.lists(words, max_size=3),
    RoomParticipant: participants,
    list[RoomParticipant]: st.lists(participants, max_size=3),
    list[RoomLine]: st.lists(st.builds(RoomLine, words, words, words, words, words, st.booleans()), max_size=3),
}


def of_type(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of one type."""
    fields = {field.alias: BY_TYPE[field.type] for field in attrs.fields(attrs.resolve_types(kind)) if field.init}
    if kind is ClientAudioAppend:
        fields["audio"] = media.map(lambda data: data + data)
    return st.builds(kind, **fields)


client_events = st.one_of([of_type(kind) for kind in CLIENT])
server_events = st.one_of([of_type(kind) for kind in SERVER])
model_events = st.one_of([of_type(kind) for kind in MODEL])
