"""The wire's audio formats (`{"type": "audio/pcm", "rate": 24000}`, G.711 at 8 kHz), to and from PCM16."""

from typing import cast

from realtime_actors.simulators.openai import g711
from realtime_actors.simulators.openai.checks import Json

__all__ = ["duration_ms", "from_pcm16", "sample_rate", "size_of", "to_pcm16"]


def _is_pcm(audio_format: Json) -> bool:
    return audio_format["type"] == "audio/pcm"


def sample_rate(audio_format: Json) -> int:
    """The rate in Hz of audio in this format."""
    return audio_format.get("rate", 24000) if _is_pcm(audio_format) else 8000


def duration_ms(size: int, audio_format: Json) -> float:
    """How long this many bytes of audio in this format last, in milliseconds."""
    return size * 1000 / (sample_rate(audio_format) * _bytes_per_sample(audio_format))


def size_of(ms: float, audio_format: Json) -> int:
    """How many bytes this long a piece of audio in this format has: whole samples."""
    return max(0, round(ms * sample_rate(audio_format) / 1000)) * _bytes_per_sample(audio_format)


def _bytes_per_sample(audio_format: Json) -> int:
    return 2 if _is_pcm(audio_format) else 1


def to_pcm16(audio: bytes, audio_format: Json) -> bytes:
    """Audio of the wire as PCM16 at the format's rate."""
    return audio if _is_pcm(audio_format) else g711.decode(audio, cast(g711.Law, audio_format["type"]))


def from_pcm16(pcm: bytes, audio_format: Json) -> bytes:
    """PCM16 at the format's rate as audio of the wire."""
    return pcm if _is_pcm(audio_format) else g711.encode(pcm, cast(g711.Law, audio_format["type"]))
