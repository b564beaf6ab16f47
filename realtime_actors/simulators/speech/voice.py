"""Local speech synthesis: eSpeak NG through ctypes, with library and data from the package espeakng-loader."""

import ctypes
import functools
import os
import re
import textwrap
import threading
from collections.abc import Iterator

from realtime_actors.audio import Resampler, byte_length
from realtime_actors.simulators.speech.errors import MissingExtra, VoiceFailed

__all__ = ["Voice", "split_text"]

# Names and numbers from speak_lib.h of eSpeak NG 1.52, which espeakng-loader 0.2.4 carries.
_AUDIO_OUTPUT_SYNCHRONOUS = 2  # the callback runs in the thread that asks for speech
_INITIALIZE_DONT_EXIT = 0x8000  # without it missing data ends the process
_PARAMETER_RATE, _PARAMETER_PITCH = 1, 3
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_EE_OK = 0
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)

_PIECE = 80  # characters, at most some 7 s of speech: 10 ms of work
_PAUSE_MS = {",": 150, ";": 250, ":": 250}
_SENTENCE_PAUSE_MS = 350

_lock = threading.Lock()  # eSpeak NG has one global state


class Voice:
    """A voice that speaks English.

    Calls block for about a thousandth of the speech's duration, may come from any thread, and wait for each
    other: eSpeak NG has one global state.

    Args:
        name: a voice of eSpeak NG, with a variant after "+".
        words_per_minute: how fast it speaks.
        pitch: from 0 to 99.

    Raises:
        MissingExtra: espeakng-loader is not installed.
        VoiceFailed: eSpeak NG cannot be loaded, or has no voice of this name.
    """

    def __init__(self, name: str = "en-us+f3", *, words_per_minute: int = 160, pitch: int = 50) -> None:
        self._name = name
        self._words_per_minute = words_per_minute
        self._pitch = pitch
        with _lock:
            self._engine = _load_engine()
            self._engine.choose(name, words_per_minute, pitch)

    def __repr__(self) -> str:
        return f"Voice({self._name!r}, words_per_minute={self._words_per_minute}, pitch={self._pitch})"

    def speak(self, text: str, rate: int = 24000) -> bytes:
        """`text` as PCM16 mono at `rate` Hz.

        Raises:
            UnsupportedRate: `rate` is not one of `realtime_actors.audio.RATES`.
            VoiceFailed: eSpeak NG refuses the text.
        """
        return b"".join(self.synthesize(text, rate))

    def synthesize(self, text: str, rate: int = 24000) -> Iterator[bytes]:
        """The same, sentence by sentence: each is synthesised when it is asked for, in at most some 20 ms."""
        resampler = Resampler(self._engine.rate, rate)
        pieces = split_text(text)
        for number, piece in enumerate(pieces, 1):
            pause = bytes(byte_length(_pause_ms(piece), self._engine.rate)) if number < len(pieces) else b""
            with _lock:
                self._engine.choose(self._name, self._words_per_minute, self._pitch)
                native = self._engine.synthesize(piece)
            yield resampler.process(native + pause)
        yield resampler.flush()


def split_text(text: str) -> list[str]:
    """Sentences, the long ones split at commas or, if need be, between words: at most 80 characters each."""
    pieces: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+", text.replace("\0", " ").strip()):
        clause = ""
        for part in re.split(r"(?<=[,;:])\s+", sentence):
            if clause and len(clause) + 1 + len(part) > _PIECE:
                pieces += textwrap.wrap(clause, _PIECE)
                clause = part
            else:
                clause = f"{clause} {part}".strip()
        pieces += textwrap.wrap(clause, _PIECE)
    return pieces


def _pause_ms(piece: str) -> int:
    if piece[-1] in ".!?":
        return _SENTENCE_PAUSE_MS
    return _PAUSE_MS.get(piece[-1], 0)


class _Engine:
    """The one eSpeak NG of the process. Every call needs `_lock`."""

    def __init__(self, library: str, data: str) -> None:
        try:
            self._library = ctypes.CDLL(library)
        except OSError as error:
            raise VoiceFailed(f"eSpeak NG cannot be loaded ({error}). Reinstall espeakng-loader.") from error
        self.rate: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, os.fsencode(data), _INITIALIZE_DONT_EXIT
        )
        if self.rate <= 0:
            raise VoiceFailed(f"eSpeak NG does not start: no data in {data}. Reinstall espeakng-loader.")
        self._heard = bytearray()
        self._callback = _CALLBACK(self._hear)  # kept: eSpeak NG only holds its address
        self._library.espeak_SetSynthCallback(self._callback)
        self._chosen: tuple[str, int, int] | None = None

    def choose(self, name: str, words_per_minute: int, pitch: int) -> None:
        if self._chosen == (name, words_per_minute, pitch):
            return
        if self._library.espeak_SetVoiceByName(name.encode()) != _EE_OK:
            raise VoiceFailed(f"eSpeak NG has no voice {name!r}. Use another, such as 'en-us' or 'en-us+f3'.")
        self._library.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PARAMETER_PITCH, pitch, 0)
        self._chosen = (name, words_per_minute, pitch)

    def synthesize(self, text: str) -> bytes:
        data = text.encode("utf-8", "replace")
        self._heard.clear()
        status = self._library.espeak_Synth(
            data, ctypes.c_size_t(len(data) + 1), 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if status != _EE_OK:
            raise VoiceFailed(f"eSpeak NG cannot speak {text[:40]!r} (error {status}). Try another text.")
        return bytes(self._heard)

    def _hear(self, samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._heard += ctypes.string_at(samples, count * 2)
        return 0  # go on


@functools.cache
def _load_engine() -> _Engine:
    try:
        import espeakng_loader  # pyright: ignore[reportMissingTypeStubs]  # noqa: PLC0415  # an extra; no types
    except ImportError as error:
        raise MissingExtra from error
    return _Engine(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
