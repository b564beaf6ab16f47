"""Audio: sample rates, levels, voice activity and WAV files. Everything is PCM16 little-endian mono."""

from realtime_actors.audio.errors import AudioError, OddLength, UnsupportedRate, WavError
from realtime_actors.audio.pcm import (
    RATES,
    byte_length,
    check_pcm16,
    check_rate,
    duration_ms,
    iter_chunks,
    level_dbfs,
)
from realtime_actors.audio.resample import Resampler
from realtime_actors.audio.vad import SpeechStarted, SpeechStopped, VoiceActivityDetector
from realtime_actors.audio.wav import Wav, read_wav, write_wav

__all__ = [
    "RATES",
    "AudioError",
    "OddLength",
    "Resampler",
    "SpeechStarted",
    "SpeechStopped",
    "UnsupportedRate",
    "VoiceActivityDetector",
    "Wav",
    "WavError",
    "byte_length",
    "check_pcm16",
    "check_rate",
    "duration_ms",
    "iter_chunks",
    "level_dbfs",
    "read_wav",
    "write_wav",
]
