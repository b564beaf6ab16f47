"""What waits for a session: the last seconds of speech to the sample, and everything else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.events import AppendAudio, AppendText, CommitAudio, CreateResponse, ModelCommand
from realtime_actors.providers.outbox import MOST_COMMANDS, Outbox


def all_of(outbox: Outbox) -> list[ModelCommand]:
    taken: list[ModelCommand] = []
    while outbox:
        taken.append(outbox.take())
    return taken


def audio_of(commands: Sequence[ModelCommand]) -> bytes:
    return b"".join(command.audio for command in commands if isinstance(command, AppendAudio))


def test_the_oldest_audio_makes_room_and_nothing_else_does() -> None:
    outbox = Outbox(rate=100, seconds=1)
    outbox.put(AppendText("i1", "first"))
    for number in range(6):
        outbox.put(AppendAudio(bytes([number]) * 50))
    outbox.put(CommitAudio("c1"))
    assert outbox.audio_ms == 1000
    commands = all_of(outbox)
    assert commands[0] == AppendText("i1", "first")
    assert commands[-1] == CommitAudio("c1")
    assert audio_of(commands) == b"".join(bytes([number]) * 50 for number in range(2, 6))
    assert outbox.take_dropped_ms() == 500
    assert outbox.take_dropped_ms() == 0


def test_more_commands_than_there_is_room_for_are_not_taken() -> None:
    outbox = Outbox(rate=100, seconds=1)
    assert all(outbox.put(CreateResponse(str(number))) for number in range(MOST_COMMANDS))
    assert not outbox.put(CreateResponse("more"))
    assert outbox.put(AppendAudio(b"\0\0"))
    outbox.take()
    assert outbox.put(CreateResponse("more"))


def test_without_anything_to_keep_audio_is_not_kept() -> None:
    outbox = Outbox(rate=100, seconds=0)
    outbox.put(AppendAudio(bytes(100)))
    assert len(outbox) == 0
    assert outbox.take_dropped_ms() == 500


def test_nothing_can_be_taken_of_nothing() -> None:
    with pytest.raises(IndexError):
        Outbox(rate=100, seconds=1).take()


PIECES = st.integers(0, 60).map(lambda samples: samples * 2)
STEPS = st.lists(st.tuples(st.sampled_from(["audio", "text", "take", "back", "keep_audio"]), PIECES), max_size=80)


@given(STEPS)
def test_it_is_a_queue_of_which_the_audio_is_bounded(steps: list[tuple[str, int]]) -> None:
    outbox = Outbox(rate=100, seconds=0.5)  # a hundred bytes
    model: list[ModelCommand] = []
    number, dropped = 0, 0
    for step, size in steps:
        number += 1
        match step:
            case "audio":
                command = AppendAudio(bytes([number % 251]) * size)
                outbox.put(command)
                model.append(command)
            case "text":
                text = AppendText(str(number), "")
                outbox.put(text)
                model.append(text)
            case "take" | "back" if outbox:
                first = outbox.take()
                if isinstance(first, AppendAudio):
                    while isinstance(model[0], AppendAudio) and not model[0].audio and first.audio:
                        model.pop(0)
                assert first == model.pop(0)
                if step == "back" and isinstance(first, AppendAudio):
                    outbox.put_back(first)
                    model.insert(0, first)
            case "keep_audio":
                outbox.keep_audio()
                model = [command for command in model if isinstance(command, AppendAudio)]
            case _:
                pass
        # The oldest audio goes, to the sample.
        excess = len(audio_of(model)) - 100
        place = 0
        while excess > 0:
            command = model[place]
            if not isinstance(command, AppendAudio) or not command.audio:
                place += 1
                continue
            cut = min(excess, len(command.audio))
            rest = command.audio[cut:]
            model[place : place + 1] = [AppendAudio(rest)] if rest else []
            excess -= cut
            dropped += cut
        assert outbox.dropped == dropped
        assert outbox.audio_ms == len(audio_of(model)) * 5
    assert [each for each in all_of(outbox) if each != AppendAudio(b"")] == [
        each for each in model if each != AppendAudio(b"")
    ]
