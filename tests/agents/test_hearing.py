"""Turn detection of our own: which audio becomes a turn, and that not a byte of it is lost. No clock, no sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.agents.errors import InvalidTurnDetection
from realtime_actors.agents.hearing import (
    MOST_HELD_MS,
    Action,
    Backchannel,
    Hearing,
    LocalVAD,
    TurnAudio,
    TurnBegan,
    TurnEnded,
)
from realtime_actors.simulators import buzz

RATE = 24000
FRAME = RATE // 50 * 2


def sound(*parts: tuple[str, int], rate: int = RATE) -> bytes:
    """Of voice and silence, each so many ms. Silence is a faint noise, so that no two places are the same bytes."""
    random = np.random.default_rng(1)
    pieces: list[bytes] = []
    for kind, ms in parts:
        if kind == "voice":
            pieces.append(buzz(ms, rate))
        else:
            pieces.append(random.integers(-20, 20, ms * rate // 1000).astype("<i2").tobytes())
    return b"".join(pieces)


def heard(
    pcm: bytes,
    vad: LocalVAD | None = None,
    *,
    over: Callable[[], bool] = lambda: False,
    chunk: int = FRAME,
    rate: int = RATE,
    commit: bool = False,
) -> list[Action]:
    hearing = Hearing(vad or LocalVAD(), rate)
    actions: list[Action] = []
    for start in range(0, len(pcm), chunk):
        actions += hearing.hear(pcm[start : start + chunk], over)
    return actions + hearing.commit(over) if commit else actions


def joined(actions: list[Action]) -> list[Any]:
    """The actions, with the audio between two others as one piece."""
    result: list[Any] = []
    for action in actions:
        if isinstance(action, TurnAudio) and result and isinstance(result[-1], TurnAudio):
            result[-1] = TurnAudio(result[-1].audio + action.audio)
        else:
            result.append(action)
    return result


def kinds(actions: list[Action]) -> list[str]:
    return [type(action).__name__ for action in joined(actions)]


def audio_of(actions: list[Action]) -> bytes:
    return b"".join(action.audio for action in actions if isinstance(action, TurnAudio))


WORD = sound(("silence", 1000), ("voice", 700), ("silence", 1000))
YES: Callable[[], bool] = lambda: True  # noqa: E731 - a constant


class TestTurns:
    def test_pure_silence_goes_nowhere(self) -> None:
        assert heard(sound(("silence", 5000)), commit=True) == []
        assert heard(bytes(10 * RATE), commit=True) == []

    @pytest.mark.parametrize("rate", [16000, 24000])
    def test_a_turn_is_what_was_said_with_what_came_before_it_and_the_silence_after_it(self, rate: int) -> None:
        pcm = sound(("silence", 1000), ("voice", 700), ("silence", 1000), rate=rate)
        began, audio, ended = joined(heard(pcm, rate=rate))
        assert isinstance(began, TurnBegan)
        assert isinstance(ended, TurnEnded)
        assert not began.interrupts
        assert ended.is_turn
        # The first voiced frame may be judged so up to two frames early or late.
        assert abs(began.at_ms - 700) <= 40
        assert 2180 <= ended.at_ms <= 2260
        assert audio.audio == pcm[began.at_ms * rate // 500 : ended.at_ms * rate // 500]

    def test_no_syllable_is_lost_at_the_beginning(self) -> None:
        """All that was held while speech was only suspected is there, to the byte, and in front of it the pre-roll."""
        vad = LocalVAD(min_speech_ms=400, prefix_ms=200)
        audio = audio_of(heard(WORD, vad))
        voice = WORD[1000 * 48 : 1700 * 48]
        assert voice in audio
        assert 160 * 48 <= audio.index(voice) <= 240 * 48

    def test_speech_at_the_very_beginning_of_the_stream_is_sent_from_its_first_byte(self) -> None:
        pcm = sound(("voice", 500), ("silence", 800))
        began, audio, _ = joined(heard(pcm))
        assert began == TurnBegan(0, interrupts=False)
        assert pcm.startswith(audio.audio)

    def test_two_turns_share_no_byte_and_are_in_order(self) -> None:
        pcm = sound(("voice", 400), ("silence", 600), ("voice", 400), ("silence", 900))
        actions = joined(heard(pcm, LocalVAD(prefix_ms=1000)))
        assert kinds(actions) == ["TurnBegan", "TurnAudio", "TurnEnded"] * 2
        first, second = (actions[1].audio, actions[4].audio)
        assert pcm.startswith(first + second)

    def test_a_click_is_no_turn(self) -> None:
        assert heard(sound(("silence", 500), ("voice", 20), ("silence", 1500))) == []

    def test_what_is_too_quiet_is_no_turn(self) -> None:
        quiet = (np.frombuffer(WORD, dtype="<i2") // 200).astype("<i2").tobytes()
        assert heard(quiet) == []
        assert heard(quiet, LocalVAD(threshold_dbfs=-80)) != []

    def test_a_turn_that_goes_on_is_sent_as_it_comes(self) -> None:
        hearing = Hearing(LocalVAD(), RATE)
        hearing.hear(sound(("voice", 400)), lambda: False)
        frame = buzz(20, RATE)
        assert hearing.hear(frame, lambda: False) == [TurnAudio(frame)]

    def test_what_is_held_is_bounded_however_long_it_stays_unclear_what_it_is(self) -> None:
        """A voice that breaks off again and again over a reply, and never comes to enough for an interruption."""
        vad = LocalVAD(interrupt_after_ms=3000, min_speech_ms=20)
        pcm = sound(*[("voice", 40), ("silence", 400)] * 30)
        hearing = Hearing(vad, RATE)
        assert hearing.hear(pcm, YES) == []
        assert hearing.statistics().dropped_ms == pytest.approx(len(pcm) / 48 - MOST_HELD_MS, abs=1)
        audio = audio_of(hearing.commit(YES))
        assert pcm.endswith(audio)
        assert len(audio) == MOST_HELD_MS * 48


class TestCommit:
    def test_a_commit_ends_the_turn_at_once_with_all_that_was_said(self) -> None:
        pcm = sound(("silence", 1000), ("voice", 705))
        actions = joined(heard(pcm, commit=True, chunk=1234))
        assert kinds(actions) == ["TurnBegan", "TurnAudio", "TurnEnded"]
        assert pcm.endswith(actions[1].audio)
        assert len(actions[1].audio) >= 950 * 48

    def test_a_commit_takes_what_is_only_suspected_as_well(self) -> None:
        pcm = sound(("silence", 1000), ("voice", 200))
        actions = joined(heard(pcm, LocalVAD(min_speech_ms=1000), commit=True))
        assert kinds(actions) == ["TurnBegan", "TurnAudio", "TurnEnded"]
        assert pcm.endswith(actions[1].audio)

    def test_a_commit_over_a_reply_interrupts_it(self) -> None:
        actions = joined(heard(sound(("silence", 500), ("voice", 200)), over=YES, commit=True))
        assert [action.interrupts for action in actions if isinstance(action, TurnBegan)] == [True]

    def test_a_commit_after_silence_says_nothing(self) -> None:
        assert kinds(heard(WORD, commit=True)).count("TurnEnded") == 1

    def test_a_turn_is_never_shorter_than_providers_take(self) -> None:
        pcm = sound(("voice", 40))
        (audio,) = (action.audio for action in heard(pcm, commit=True) if isinstance(action, TurnAudio))
        assert audio == pcm + bytes(60 * 48)

    def test_the_turn_after_a_commit_is_a_new_one(self) -> None:
        hearing = Hearing(LocalVAD(), RATE)
        first = [*hearing.hear(sound(("voice", 600)), lambda: False), *hearing.commit(lambda: False)]
        second = [*hearing.hear(sound(("voice", 600)), lambda: False), *hearing.commit(lambda: False)]
        assert audio_of(first) == audio_of(second) == sound(("voice", 600))


class TestOverAReply:
    def test_speech_that_is_long_enough_interrupts(self) -> None:
        began, audio, ended = joined(heard(WORD, over=YES))
        assert began.interrupts
        assert ended.is_turn
        assert WORD[1000 * 48 : 1700 * 48] in audio.audio

    def test_a_backchannel_does_not_interrupt_and_nothing_of_it_is_sent(self) -> None:
        """ "Mhm", while the agent talks."""
        (backchannel,) = heard(sound(("silence", 500), ("voice", 250), ("silence", 1000)), over=YES)
        assert isinstance(backchannel, Backchannel)
        assert backchannel.audio == b""
        assert 900 <= backchannel.audio_ms <= 1200

    def test_a_backchannel_is_given_out_as_one_piece_if_it_is_to_be_committed(self) -> None:
        pcm = sound(("silence", 500), ("voice", 250), ("silence", 1000))
        (backchannel,) = heard(pcm, LocalVAD(backchannels="commit"), over=YES)
        assert isinstance(backchannel, Backchannel)
        assert backchannel.audio in pcm
        assert pcm[500 * 48 : 750 * 48] in backchannel.audio

    def test_what_was_given_out_as_a_backchannel_is_not_sent_again_with_the_turn_after_it(self) -> None:
        pcm = sound(("silence", 500), ("voice", 250), ("silence", 600), ("voice", 700), ("silence", 800))
        actions = heard(pcm, LocalVAD(backchannels="commit", prefix_ms=2000), over=YES)
        backchannel = actions[0]
        assert isinstance(backchannel, Backchannel)
        assert backchannel.audio + audio_of(actions) in pcm

    def test_a_click_over_a_reply_is_not_even_a_backchannel(self) -> None:
        assert heard(sound(("silence", 500), ("voice", 60), ("silence", 1000)), over=YES) == []

    def test_a_short_answer_counts_when_the_reply_ends_under_it(self) -> None:
        """A reply that asks something ends while the user says "yes": that is the answer."""
        asked = iter([True] * 8)
        actions = joined(heard(sound(("voice", 300), ("silence", 800)), over=lambda: next(asked, False)))
        assert kinds(actions) == ["TurnBegan", "TurnAudio", "TurnEnded"]
        assert not actions[0].interrupts

    def test_nobody_asks_about_replies_while_it_is_silent_or_a_turn_goes_on(self) -> None:
        asked: list[int] = []

        def over() -> bool:
            asked.append(1)
            return False

        heard(sound(("silence", 2000), ("voice", 2000), ("silence", 2000)), over=over)
        assert len(asked) == 1

    def test_a_quick_interruption_of_which_nothing_comes_is_told_and_gives_out_nothing(self) -> None:
        vad = LocalVAD(interrupt_after_ms=40, min_speech_ms=300)
        actions = heard(sound(("silence", 500), ("voice", 120), ("silence", 1000)), vad, over=YES)
        assert kinds(actions) == ["TurnBegan", "TurnEnded"]
        assert isinstance(actions[1], TurnEnded)
        assert not actions[1].is_turn

    def test_a_quick_interruption_that_goes_on_is_a_turn_with_all_of_it(self) -> None:
        vad = LocalVAD(interrupt_after_ms=40, min_speech_ms=300)
        actions = joined(heard(WORD, vad, over=YES))
        assert kinds(actions) == ["TurnBegan", "TurnAudio", "TurnEnded"]
        assert WORD[1000 * 48 : 1700 * 48] in actions[1].audio

    def test_what_was_heard_is_counted(self) -> None:
        hearing = Hearing(LocalVAD(interrupt_after_ms=300), RATE)
        hearing.hear(WORD, YES)
        hearing.hear(sound(("voice", 200), ("silence", 1000)), YES)
        counts = hearing.statistics()
        assert (counts.turns, counts.interruptions, counts.backchannels, counts.too_short) == (1, 1, 1, 0)
        assert counts.backchannel_ms > 600


Pieces = st.lists(st.tuples(st.sampled_from(["voice", "silence"]), st.integers(1, 40)), min_size=1, max_size=8)


@given(
    pieces=Pieces,
    cuts=st.lists(st.integers(1, 4000), min_size=1, max_size=30),
    over=st.booleans(),
    commit=st.booleans(),
    vad=st.builds(
        LocalVAD,
        silence_ms=st.integers(100, 400),
        prefix_ms=st.integers(0, 500),
        min_speech_ms=st.integers(20, 300),
        interrupt_after_ms=st.integers(20, 500),
        backchannels=st.sampled_from(["ignore", "commit"]),
    ),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_chunks_the_turns_are_the_same_and_every_byte_is_sent_once_and_in_order(
    pieces: list[tuple[str, int]], cuts: list[int], over: bool, commit: bool, vad: LocalVAD
) -> None:
    pcm = sound(*((kind, 20 * count) for kind, count in pieces))
    whole = heard(pcm, vad, over=lambda: over, chunk=len(pcm), commit=commit)
    hearing = Hearing(vad, RATE)
    chunked: list[Action] = []
    rest, number = pcm, 0
    while rest:
        size = 2 * cuts[number % len(cuts)]
        chunked += hearing.hear(rest[:size], lambda: over)
        rest, number = rest[size:], number + 1
    if commit:
        chunked += hearing.commit(lambda: over)
    assert joined(chunked) == joined(whole)

    position = 0
    for action in joined(whole):
        if isinstance(action, TurnAudio | Backchannel) and action.audio:
            audio = action.audio.rstrip(b"\0") if commit else action.audio
            position = pcm.index(audio, position) + len(audio)
    order = "".join(
        {"TurnBegan": "b", "TurnAudio": "a", "TurnEnded": "e", "Backchannel": "-"}[kind] for kind in kinds(whole)
    )
    turns = order.replace("-", "").split("e")
    assert all(turn in ("ba", "b", "") for turn in turns)
    assert "" not in turns[:-1]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"silence_ms": 0}, "LocalVAD.silence_ms must be a whole number from 100 to 10000, not 0"),
    ({"silence_ms": None}, "LocalVAD.silence_ms must be a whole number from 100 to 10000, not 'None'"),
    ({"prefix_ms": 1.5}, "LocalVAD.prefix_ms must be a whole number from 0 to 2000, not 1.5"),
    ({"min_speech_ms": 10}, "LocalVAD.min_speech_ms must be a whole number from 20 to 2000, not 10"),
    ({"threshold_dbfs": 3}, "LocalVAD.threshold_dbfs must be a number from -100 to 0, not 3"),
    ({"aggressiveness": 4}, "LocalVAD.aggressiveness must be a whole number from 0 to 3, not 4"),
    ({"interrupt_after_ms": 5000}, "LocalVAD.interrupt_after_ms must be a whole number from 20 to 3000, not 5000"),
    ({"backchannels": "drop"}, "LocalVAD.backchannels must be one of ignore, commit, not 'drop'"),
    ({"backchannels": None}, "LocalVAD.backchannels must be one of ignore, commit, not 'None'"),
    ({"resume_false_starts": 1}, "LocalVAD.resume_false_starts must be True or False, not 1"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_wrong_settings_are_refused_in_words(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTurnDetection) as caught:
        LocalVAD(**fields)
    assert str(caught.value) == message


def test_settings_are_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        LocalVAD().silence_ms = 3  # pyright: ignore[reportAttributeAccessIssue]
