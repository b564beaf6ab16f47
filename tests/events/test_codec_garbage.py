"""Whatever comes in, decoding gives an event or raises `DecodeError`, in few words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import client_events, json_values, model_events, pack, server_events, unpack

from realtime_actors.events import (
    DecodeError,
    Event,
    decode_client,
    decode_model,
    decode_server,
    encode_json,
    encode_msgpack,
)

Decode = Callable[[str | bytes], Event]

DECODERS: list[Decode] = [decode_client, decode_server, decode_model]
ANY = st.one_of(client_events, server_events, model_events)


def survives(frame: str | bytes) -> None:
    """Every decoder takes the frame for an event or refuses it; what a client may say, any wire carries on."""
    for decode in DECODERS:
        try:
            event = decode(frame)
        except DecodeError as error:
            words = str(error)
        else:
            words = ""
            assert encode_json(event)
            if decode is decode_client:
                assert decode_client(encode_json(event)) == event
                assert decode_client(encode_msgpack(event)) == event
        assert len(words) < 1_000


def json_text(value: object) -> str:
    return orjson.dumps(value).decode()


def keys(value: object) -> list[Any]:
    """What leads further into an object or a list: nothing into anything else."""
    match value:
        case dict():
            return list(cast("dict[str, object]", value))
        case list():
            return list(range(len(cast("list[object]", value))))
        case _:
            return []


def changed(plain: Any, data: st.DataObject, values: st.SearchStrategy[Any]) -> Any:
    """The same with something else, nothing, or something more at one place."""
    place = plain
    while True:
        key = data.draw(st.sampled_from(keys(place)))
        if not keys(place[key]) or data.draw(st.booleans()):
            break
        place = place[key]
    match data.draw(st.sampled_from(["change", "remove", "add"])):
        case "remove":
            del place[key]
        case "add" if isinstance(key, str):
            place[data.draw(st.sampled_from(["data", "type", "rate", "x"]))] = data.draw(values)
        case _:
            place[key] = data.draw(values)
    return plain


@given(st.text())
def test_any_text(frame: str) -> None:
    survives(frame)


@given(st.binary())
def test_any_bytes(frame: bytes) -> None:
    survives(frame)


@given(json_values)
def test_any_value(value: object) -> None:
    survives(json_text(value))
    survives(pack(value))


@given(ANY, st.data())
def test_an_event_with_one_value_changed(event: Event, data: st.DataObject) -> None:
    survives(json_text(changed(orjson.loads(encode_json(event)), data, json_values)))
    survives(pack(changed(unpack(encode_msgpack(event)), data, json_values | st.binary())))


@given(ANY, st.data())
def test_a_frame_with_a_piece_changed(event: Event, data: st.DataObject) -> None:
    text, raw = encode_json(event), encode_msgpack(event)
    start = data.draw(st.integers(0, len(text)))
    survives(text[:start] + data.draw(st.text(max_size=3)) + text[start + data.draw(st.integers(0, 9)) :])
    start = data.draw(st.integers(0, len(raw)))
    survives(raw[:start] + data.draw(st.binary(max_size=3)) + raw[start + data.draw(st.integers(0, 9)) :])


@pytest.mark.parametrize("frame", ["[" * 1_000 + "]" * 1_000, b"\x91" * 500 + b"\x01"])
def test_depth(frame: str | bytes) -> None:
    """A frame that is nested deeply, alone and where an event takes a free form."""
    survives(frame)
    if isinstance(frame, str):
        survives('{"type":"client_session_create","config":{"a":' + frame + "}}")
        survives('{"type":"client_session_end","session_id":' + frame + "}")
        survives('{"type":"client_session_end","session_id":"s1","unknown":' + frame + "}")
    else:
        survives(b"\x82\xa4type\xb5client_session_create\xa6config\x81\xa1a" + frame)
        survives(b"\x82\xa4type\xb5client_session_create\xa6config" + frame)
