"""Objects made the fast way are the same as others."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import attrs
import pytest

from realtime_actors.events import (
    PCM_16K,
    PCM_24K,
    AgentResponseAudioDelta,
    Event,
    ModelResponseAudioDelta,
    encode_json,
)
from realtime_actors.events.maker import maker

quick = maker(ModelResponseAudioDelta)


@attrs.frozen
class Spotted(Event):
    """A message with what a field may have."""

    name: str = attrs.field(converter=str.upper)
    size: int = 3
    spots: list[int] = attrs.field(factory=list[int])
    counted: int = attrs.field(init=False, default=7)


def test_they_are_equal_and_of_the_same_type() -> None:
    made = quick("r1", "i1", "AAAA", PCM_16K)
    usual = ModelResponseAudioDelta("r1", "i1", "AAAA", PCM_16K)
    assert type(made) is ModelResponseAudioDelta
    assert (made, repr(made), hash(made)) == (usual, repr(usual), hash(usual))
    assert made.payload.data == bytes(3)
    assert made != quick("r1", "i1", "AAAB", PCM_16K)


def test_arguments_are_the_same_with_their_names_defaults_and_converters() -> None:
    assert quick(item_id="i1", response_id="r1", delta=b"\x01\x00").format == PCM_24K
    assert quick("r1", "i1", b"\x01\x00").payload.base64 == "AQA="
    spotted = maker(Spotted)
    assert spotted("ada") == Spotted("ada") == spotted("ADA", 3, [])
    first, second = spotted("ada"), spotted("ada")
    first.spots.append(1)
    assert (second.spots, second.counted) == ([], 7)
    with pytest.raises(TypeError):
        quick("r1", "i1", 5)  # pyright: ignore[reportArgumentType] - it is what is wrong
    with pytest.raises(TypeError):
        quick("r1")  # pyright: ignore[reportCallIssue] - it is what is wrong


def test_they_are_frozen() -> None:
    made = quick("r1", "i1", "AAAA")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.item_id = "i2"  # pyright: ignore[reportAttributeAccessIssue] - it is what is wrong
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del made.item_id  # pyright: ignore[reportAttributeAccessIssue] - it is what is wrong
    with pytest.raises(AttributeError):
        made.other = 1  # pyright: ignore[reportAttributeAccessIssue] - it is what is wrong


def test_they_can_be_copied_changed_pickled_and_referred_to() -> None:
    made = maker(AgentResponseAudioDelta)("r1", "i1", "AAAA", PCM_24K, "friday", "Friday")
    assert copy.copy(made) == copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own
    assert attrs.evolve(made, item_id="i2").item_id == "i2"
    reference = weakref.ref(made)
    assert encode_json(made) is encode_json(made)  # its frame is kept
    assert reference() is made
    del made
    gc.collect()
    assert reference() is None
