"""Small frames that would become large: refused before they do."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import pack

from realtime_actors.events import (
    ClientAudioAppend,
    ClientTextAppend,
    ClientToolResult,
    DecodeError,
    Wire,
    decode_client,
)
from realtime_actors.events.codec import _JSON_STRING  # pyright: ignore[reportPrivateUsage] - it is to be linear

_HEAD = b"\x82\xa4type\xb5client_session_create\xa6config\x81\xa1x"
_MANY = 950  # as many as a list may hold
_LIST = b"\xdc" + _MANY.to_bytes(2, "big")
_MAPS = _LIST + (_LIST + b"\x80" * _MANY) * _MANY
BOMBS: dict[str, str | bytes] = {
    "maps": _HEAD + _MAPS,
    "lists": _HEAD + _MAPS.replace(b"\x80", b"\x90"),
    "short texts": _HEAD + _MAPS.replace(b"\x80", b"\xa2ab"),
    "deep": _HEAD + b"\x91" * 1_000_000,
    "objects in JSON": '{"type":"client_session_create","config":{"x":[' + "{}," * 330_000 + "{}]}}",
    "keys in JSON": '{"type":"client_session_create","config":{' + ",".join(f'"{i}":[]' for i in range(90_000)) + "}}",
    "deep JSON": '{"type":"client_session_create","config":' + '{"x":' * 200_000,
}


@pytest.mark.parametrize("frame", list(BOMBS.values()), ids=list(BOMBS))
def test_a_bomb(frame: str | bytes) -> None:
    """A megabyte that would be up to eighty takes little more than itself to refuse."""
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode_client(frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 15_000_000


def test_what_only_looks_like_one() -> None:
    """Commas in a text, bytes in audio: no values."""
    table = 'a,b,"c",\\\n' * 50_000
    for event in (ClientTextAppend("s1", table), ClientToolResult("s1", "c1", "read", table)):
        for wire in Wire:
            assert wire.decode_client(wire.encode(event)) == event
    data = b"\x80" * 1_000_000
    event = decode_client(pack({"type": "client_audio_append", "session_id": "s1", "audio": data}))
    assert isinstance(event, ClientAudioAppend)
    assert event.audio == data


@given(st.lists(st.sampled_from(['"', "\\", ",", "a", "\n"])).map("".join))
def test_strings_are_told_from_the_rest(text: str) -> None:
    """As one reads it character by character."""
    inside = escaped = False
    rest = ""
    for char in text:
        if not inside:
            inside = char == '"'
            rest += "" if inside else char
        elif escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            inside = False
    assert _JSON_STRING.sub("", text) == rest


@pytest.mark.parametrize("text", ['\\"' * 500_000, '"\\' * 500_000, '"' + "\\" * 999_999, '"' + ',"' * 500_000])
def test_strings_that_never_end(text: str) -> None:
    """Take linear time: this would not come to an end otherwise."""
    with pytest.raises(DecodeError):
        decode_client("," * 30_000 + text)
