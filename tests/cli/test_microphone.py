"""What is sent of a WAV file, and where speech begins and ends in it."""

import numpy as np
import pytest

from realtime_actors.audio import Wav, byte_length, level_dbfs
from realtime_actors.cli.talking.microphone import Microphone, usual_rate

RATE = 16000


def tone(ms: float, rate: int = RATE, frequency: float = 440.0) -> bytes:
    at = np.arange(byte_length(ms, rate) // 2) / rate
    return (8000 * np.sin(2 * np.pi * frequency * at)).astype("<i2").tobytes()


def silence(ms: float) -> bytes:
    return bytes(byte_length(ms, RATE))


def test_speech_begins_and_ends_with_the_first_and_last_piece_that_is_not_silence() -> None:
    microphone = Microphone(RATE)
    microphone.say(Wav(silence(100) + tone(60) + silence(200) + tone(40) + silence(300), RATE))
    assert microphone.remaining_ms == 700
    pieces = [microphone.next() for _ in range(40)]
    assert [index for index, piece in enumerate(pieces) if piece.begins] == [5]
    assert [index for index, piece in enumerate(pieces) if piece.ends] == [19]
    assert microphone.remaining_ms == 0


def test_every_piece_is_20_ms_and_after_the_speech_there_is_silence() -> None:
    microphone = Microphone(RATE)
    microphone.say(Wav(tone(50), RATE))
    pieces = [microphone.next() for _ in range(5)]
    assert {len(piece.pcm) for piece in pieces} == {byte_length(20, RATE)}
    assert b"".join(piece.pcm for piece in pieces) == tone(50) + silence(50)


def test_silence_counts_as_speech_from_its_first_to_its_last_piece() -> None:
    microphone = Microphone(RATE)
    microphone.say(Wav(silence(60), RATE))
    pieces = [microphone.next() for _ in range(3)]
    assert [(piece.begins, piece.ends) for piece in pieces] == [(True, False), (False, False), (False, True)]


def test_speech_of_another_rate_is_converted_to_the_rate_of_the_stream() -> None:
    microphone = Microphone(RATE)
    microphone.say(Wav(tone(1000, 44100), 44100))
    assert microphone.remaining_ms == pytest.approx(1000, abs=20)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_a_usual_rate_is_sent_as_it_is(rate: int) -> None:
    wav = Wav(tone(100, rate), rate)
    assert usual_rate(wav) is wav


@pytest.mark.parametrize("rate", [6000, 22000, 96000, 192000])
def test_an_unusual_rate_is_converted(rate: int) -> None:
    wav = usual_rate(Wav(tone(1000, rate), rate))
    assert wav.rate == 24000
    assert wav.duration_ms == pytest.approx(1000, abs=1)
    samples = np.frombuffer(wav.pcm, "<i2").astype(float)
    assert np.argmax(np.abs(np.fft.rfft(samples))) == pytest.approx(440, abs=2)
    assert level_dbfs(wav.pcm) == pytest.approx(level_dbfs(tone(1000)), abs=1.5)
