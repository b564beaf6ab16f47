"""Makes the WAV files beside it with eSpeak NG: python tests/data/make_wavs.py (needs the extra `demo`)."""

from pathlib import Path

from realtime_actors.audio import write_wav
from realtime_actors.simulators.speech import Voice

RATE = 16000
SILENCE = bytes(2 * RATE * 300 // 1000)
SENTENCES = {
    "hello": "Hello!",
    "weather": "What is the weather in Paris?",
    "time": "What time is it?",
    "count": "Count from one to twenty.",
}


def main() -> None:
    """Write each sentence as PCM16 mono at 16 kHz, with 0.3 s of silence before and after it."""
    voice = Voice("en-us")  # not the voice that the demo answers with
    for name, sentence in SENTENCES.items():
        pcm = SILENCE + voice.speak(sentence, RATE) + SILENCE
        write_wav(Path(__file__).with_name(f"{name}.wav"), pcm, RATE)


if __name__ == "__main__":
    main()
