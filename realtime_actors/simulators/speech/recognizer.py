"""Local speech recognition: PocketSphinx with a grammar of the sentences that are understood."""

import math
import threading
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

import attrs
import numpy as np

from realtime_actors.audio import Resampler, check_pcm16, duration_ms, iter_chunks
from realtime_actors.simulators.speech.errors import MissingExtra
from realtime_actors.simulators.speech.understanding import grammar

__all__ = ["Recognizer"]

_RATE = 16000  # of the acoustic model
_LONGEST_MS = 12_000  # no sentence of the grammar takes this long
_CHUNK_MS = 100  # a decoder call holds the interpreter lock: a few ms, then others may run

# The model was trained on recordings: digital silence, as synthetic speech has around it, spoils the mean that
# is subtracted from every frame. Speech is brought to one level, and noise 40 dB below it added.
_LEVEL = 2500.0
_NOISE = 30.0

# How much better the best string of phones, whatever they are, may fit than the best sentence: in nats per frame
# (10 ms) of its words. Measured with voices of eSpeak NG: 97 % of the sentences of the grammar have less, 98 % of
# others more (their median is 7.5); a city or number that is not in the grammar is taken for one that is.
_MARGIN = 4.6
# How much of the loud frames the sentence may leave to its silences.
_UNCOVERED = 0.3
_LOUD = 0.15  # of the level that 5 % of the frames exceed

_FRAME = _RATE // 100  # samples


class _Hypothesis(Protocol):
    hypstr: str


class _Segment(Protocol):
    word: str
    start_frame: int
    end_frame: int
    ascore: float


class _Decoder(Protocol):
    def add_jsgf_string(self, name: str, jsgf_string: str) -> None: ...
    def add_allphone_file(self, name: str, lmfile: str) -> None: ...
    def activate_search(self, search_name: str) -> None: ...
    def reinit_feat(self) -> None: ...
    def start_utt(self) -> None: ...
    def process_raw(self, data: bytes, no_search: bool, full_utt: bool) -> int: ...
    def end_utt(self) -> None: ...
    def hyp(self) -> _Hypothesis | None: ...
    def seg(self) -> Iterable[_Segment] | None: ...
    def get_cmn(self, update: bool) -> str: ...
    def set_cmn(self, cmn: str) -> None: ...


class _Library(Protocol):
    def Decoder(self, *, samprate: int, lm: None, bestpath: bool, loglevel: str) -> _Decoder: ...  # noqa: N802
    def get_model_path(self, subpath: str) -> str: ...


@attrs.frozen
class _Word:
    text: str
    start: int  # frames of 10 ms
    end: int
    score: float  # log-likelihood of its frames, in nats


class Recognizer:
    """Understands the sentences of `realtime_actors.simulators.speech.grammar`, spoken in English.

    A recognizer holds one decoder, about 100 MB, loaded in 0.2 s. Calls block for some 8 % of the speech's
    duration, may come from any thread, and wait for each other.

    Args:
        names: who may be spoken to.

    Raises:
        MissingExtra: pocketsphinx is not installed.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        try:
            import pocketsphinx  # pyright: ignore[reportMissingTypeStubs]  # noqa: PLC0415  # an extra; no types
        except ImportError as error:
            raise MissingExtra from error
        self._lock = threading.Lock()
        # bestpath: its lattice prefers the beginning of a sentence to the whole one.
        library = cast(_Library, pocketsphinx)
        self._decoder = library.Decoder(samprate=_RATE, lm=None, bestpath=False, loglevel="FATAL")
        self._decoder.add_jsgf_string("demo", grammar())
        self._searches = ("demo",)
        if names:
            # Names may stand before each sentence there, which makes the short ones harder to tell.
            self._decoder.add_jsgf_string("names", grammar(names))
            self._searches = ("names", "demo")
        self._decoder.add_jsgf_string("mean", "#JSGF V1.0; grammar mean; public <mean> = one;")
        self._decoder.add_allphone_file("phones", library.get_model_path("en-us/en-us-phone.lm.bin"))

    def transcribe(self, pcm: bytes, rate: int) -> str:
        """The sentence in `pcm` (PCM16 mono at `rate` Hz) in lower case, `""` if it is none of the grammar's.

        Noise, silence, other sentences and speech of more than 12 s give `""`.

        Raises:
            OddLength: `pcm` ends in the middle of a sample.
            UnsupportedRate: `rate` is not one of `realtime_actors.audio.RATES`.
        """
        resampler = Resampler(rate, _RATE)
        if not 100 <= duration_ms(len(check_pcm16(pcm)), rate) <= _LONGEST_MS:
            return ""
        audio = _prepare(resampler.process(pcm) + resampler.flush())
        if audio is None:
            return ""
        with self._lock:
            return self._transcribe(audio)

    def _transcribe(self, audio: bytes) -> str:
        mean = self._mean(audio)
        phones: list[_Word] = []
        for search in self._searches:
            words = self._decode(search, audio, mean)
            spoken = [word for word in words if word.text[0] not in "<(["]
            if not spoken or not _covers(spoken, audio):
                continue
            phones = phones or self._decode("phones", audio, mean)
            if _excess(words, spoken, phones) <= _MARGIN:
                return " ".join(word.text for word in spoken)
        return ""

    def _mean(self, audio: bytes) -> str:
        """The mean of the utterance's features. Known beforehand, the audio can be decoded in chunks."""
        self._decoder.reinit_feat()  # or the utterances before would weigh in the mean
        self._decoder.activate_search("mean")
        self._decoder.start_utt()
        self._decoder.process_raw(audio, no_search=False, full_utt=True)
        self._decoder.end_utt()
        return self._decoder.get_cmn(False)

    def _decode(self, search: str, audio: bytes, mean: str) -> list[_Word]:
        self._decoder.activate_search(search)
        self._decoder.set_cmn(mean)
        self._decoder.start_utt()
        for chunk in iter_chunks(audio, _RATE, _CHUNK_MS):
            self._decoder.process_raw(chunk, no_search=False, full_utt=False)
        self._decoder.end_utt()
        if self._decoder.hyp() is None:
            return []
        return [
            _Word(segment.word.partition("(")[0] or "(", segment.start_frame, segment.end_frame, _nats(segment.ascore))
            for segment in self._decoder.seg() or ()
            if segment.end_frame >= segment.start_frame >= 0 and segment.word != "(NULL)"
        ]


def _prepare(pcm: bytes) -> bytes | None:
    samples = np.frombuffer(pcm, "<i2").astype(np.float32)
    level = float(np.sqrt(np.mean(samples * samples)))
    if level < 1.0:
        return None
    noise = np.random.default_rng(0).normal(0.0, _NOISE, len(samples)).astype(np.float32)
    return np.clip(samples * (_LEVEL / level) + noise, -32768, 32767).astype("<i2").tobytes()


def _nats(ascore: float) -> float:
    # The scores inside are logarithms to the base 1.0001, shifted right by 10 bits; outside exp() of that.
    return math.log(ascore) * 1024 if ascore > 0 else -math.inf


def _excess(words: list[_Word], spoken: list[_Word], phones: list[_Word]) -> float:
    """How much better the phones explain the audio than the words do, in nats per spoken frame."""
    difference = sum(phone.score for phone in phones) - sum(word.score for word in words)
    return difference / sum(word.end + 1 - word.start for word in spoken)


def _covers(spoken: list[_Word], audio: bytes) -> bool:
    """Whether the words lie where the audio is loud."""
    samples = np.frombuffer(audio, "<i2").astype(np.float32)
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    level = np.sqrt((frames * frames).mean(axis=1))
    loud = level > _LOUD * np.percentile(level, 95)
    covered = np.zeros(len(loud), dtype=bool)
    for word in spoken:
        covered[word.start : word.end + 1] = True
    return float((loud & ~covered).sum()) <= _UNCOVERED * float(loud.sum())
