"""A conversation's history as JSON, both ways."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import json_values, words

from realtime_actors.events import (
    AgentSpeech,
    Blob,
    DecodeError,
    EncodeError,
    History,
    InvalidHistory,
    Note,
    ToolCallItem,
    ToolResultItem,
    UserImage,
    UserSpeech,
    UserText,
    decode_history,
    encode_history,
)
from realtime_actors.events.history import LARGEST_HISTORY, MOST_HISTORY_ITEMS

images = st.none() | st.binary(max_size=20).map(lambda data: Blob(data=data))
items = st.one_of(
    st.builds(UserText, words, words),
    st.builds(UserSpeech, words, st.none() | words),
    st.builds(UserImage, words, words, st.integers(0, 2**40), images),
    st.builds(AgentSpeech, words, words, st.booleans(), words),
    st.builds(ToolCallItem, words, words, words, words),
    st.builds(ToolResultItem, words, words, words, words),
    st.builds(Note, words, words),
)


@given(st.lists(items, max_size=6))
def test_what_is_written_is_read(history: list[Any]) -> None:
    exported = encode_history(History(history))
    assert decode_history(exported) == History(history)
    assert decode_history(exported.encode()) == History(history)


def test_how_it_is_written() -> None:
    history = History(
        [UserText("u1", "Hi"), AgentSpeech("a1", "Hel", interrupted=True), UserImage("p1", "image/png", 3)]
    )
    assert orjson.loads(encode_history(history)) == {
        "version": 1,
        "items": [
            {"type": "user_text", "id": "u1", "text": "Hi"},
            {"type": "agent_speech", "id": "a1", "transcript": "Hel", "interrupted": True, "response_id": ""},
            {"type": "user_image", "id": "p1", "media_type": "image/png", "size": 3, "image": None},
        ],
    }


def test_what_it_does_not_know_is_passed_over() -> None:
    text = '{"version": 1, "by": "x", "items": [{"type": "note", "id": "n1", "text": "So.", "mood": "good"}]}'
    assert decode_history(text) == History([Note("n1", "So.")])


def written(*values: Any) -> str:
    return orjson.dumps({"version": 1, "items": list(values)}).decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "encode_history"),
        ('{"version": 1}', "encode_history"),
        ('{"version": 2, "items": []}', "version 2"),
        ('{"items": []}', "version None"),
        ('{"version": 1, "items": {}}', "no list"),
        (written({"type": "agent_dream", "id": "x"}), "items[0]: an item has as its `type` one of user_text"),
        (written({"type": "note", "id": "n1", "text": "So."}, 3), "items[1]: expected an item"),
        (written({"type": "user_text", "id": "u1"}), "items[0]: user_text.text is missing"),
        (written({"type": "user_text", "id": 1, "text": "Hi"}), "items[0]: user_text.id: expected a string, got 1"),
        (written({"type": "user_image", "id": "p", "media_type": "x", "size": 1, "image": "%"}), "broken base64"),
        (written(*[{"type": "note", "id": "n", "text": ""}] * (MOST_HISTORY_ITEMS + 1)), "at most 10000"),
        (" " * (LARGEST_HISTORY + 1), f"at most {LARGEST_HISTORY}"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(InvalidHistory) as caught:
        decode_history(text)
    assert says in str(caught.value)
    assert isinstance(caught.value, DecodeError)


@given(json_values)
def test_whatever_it_holds_it_is_a_history_or_invalid(value: Any) -> None:
    for document in (value, {"version": 1, "items": value}, {"version": 1, "items": [value]}):
        try:
            text = orjson.dumps(document)
        except TypeError:  # an integer of more than 64 bits
            continue
        with contextlib.suppress(InvalidHistory):
            decode_history(text)


@given(st.binary(max_size=50))
def test_garbage_is_invalid(garbage: bytes) -> None:
    with pytest.raises(InvalidHistory):
        decode_history(garbage)


def test_what_json_cannot_carry_is_refused() -> None:
    with pytest.raises(EncodeError):
        encode_history(History([UserText("u1", "\ud800")]))
