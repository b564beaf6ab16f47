"""The speech brain: hearing, answering and speaking in threads, and what it says without its extra."""

import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from realtime_actors.audio import OddLength, duration_ms, level_dbfs, read_wav
from realtime_actors.simulators.brain import Brain, Call, Say, Turn
from realtime_actors.simulators.speech import SpeechBrain, VoiceFailed

DATA = Path(__file__).parent.parent / "data"
BRAIN = SpeechBrain()


async def test_a_question_is_heard_answered_and_spoken() -> None:
    """One turn as the simulator runs it: audio to words, words to parts, a part to audio."""
    brain: Brain = BRAIN
    wav = read_wav(DATA / "count.wav")
    words = await brain.transcribe(wav.pcm, wav.rate)
    (part,) = await brain.reply([Turn("user", words)], [])
    assert isinstance(part, Say)
    pieces = [piece async for piece in brain.speak(part.text, 24000)]
    assert len(pieces) > 1
    assert 8000 < duration_ms(sum(map(len, pieces)), 24000) < 20000
    assert duration_ms(len(pieces[0]), 24000) < 10000
    assert all(piece and len(piece) % 2 == 0 for piece in pieces)


async def test_the_weather_goes_by_the_tool() -> None:
    """Heard, called, and the result spoken."""
    wav = read_wav(DATA / "weather.wav").resampled(24000)
    turns = [Turn("user", await BRAIN.transcribe(wav.pcm, wav.rate))]
    (call,) = await BRAIN.reply(turns, ["get_weather"])
    assert isinstance(call, Call)
    assert call == Call("get_weather", '{"city": "Paris"}')
    turns += [Turn("assistant", call.arguments, call.name, "c1"), Turn("tool", "Sunny.", call.name, "c1")]
    (part,) = await BRAIN.reply(turns, ["get_weather"])
    assert part == Say("Sunny.")


async def test_what_it_says_it_also_understands() -> None:
    """The voice and the recogniser of one brain agree, over the air of 24 kHz."""
    pcm = b"".join([piece async for piece in BRAIN.speak("What time is it?", 24000)])
    silence = bytes(24000 // 3 * 2)
    assert level_dbfs(pcm) > -30
    assert await BRAIN.transcribe(silence + pcm + silence, 24000) == "what time is it"


async def test_many_conversations_share_one_brain() -> None:
    """They wait for each other outside the threads, and each gets its own answer."""
    wavs = {name: read_wav(DATA / f"{name}.wav") for name in ("hello", "weather", "time", "count")}
    heard: dict[tuple[str, int], str] = {}

    async def talk(name: str, number: int) -> None:
        heard[name, number] = await BRAIN.transcribe(wavs[name].pcm, wavs[name].rate)
        assert [piece async for piece in BRAIN.speak(heard[name, number], 24000)]

    async with trio.open_nursery() as nursery:
        for number in range(3):
            for name in wavs:
                nursery.start_soon(talk, name, number)
    for name in wavs:
        (text,) = {heard[name, number] for number in range(3)}
        assert text
    assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0


async def test_cancelled_in_the_middle_it_goes_on_working() -> None:
    """A cancel comes through within a piece, and the next question is answered."""
    wav = read_wav(DATA / "time.wav")
    started = trio.current_time()
    with trio.move_on_after(0.01) as scope:
        while True:
            await BRAIN.transcribe(wav.pcm, wav.rate)
    assert scope.cancelled_caught
    with trio.move_on_after(0.01):
        async for _ in BRAIN.speak("One, two, three. " * 50, 24000):
            await trio.lowlevel.checkpoint()
    assert trio.current_time() - started < 3
    assert await BRAIN.transcribe(wav.pcm, wav.rate) == "what time is it"


async def test_prepare_loads_both_and_fails_as_itself() -> None:
    """A second time it does nothing; an unknown voice is its own error, not a group of errors."""
    brain = SpeechBrain()
    await brain.prepare()
    await brain.prepare()
    with pytest.raises(VoiceFailed, match="no voice 'nobody'"):
        await SpeechBrain(voice="nobody").prepare()
    with pytest.raises(OddLength):
        await brain.transcribe(b"abc", 24000)


WITHOUT_EXTRA = """
import sys, trio
from realtime_actors.simulators import speech
assert not {"espeakng_loader", "pocketsphinx"} & set(sys.modules), "loaded by the import alone"
sys.modules["espeakng_loader"] = sys.modules["pocketsphinx"] = None
for use in (speech.Voice, speech.Recognizer, lambda: trio.run(speech.SpeechBrain().prepare)):
    try:
        use()
    except speech.MissingExtra as error:
        print(error)
"""


def test_without_the_extra_it_says_how_to_get_it() -> None:
    """Importing needs nothing; every use names the command that installs the extra."""
    result = subprocess.run([sys.executable, "-c", WITHOUT_EXTRA], capture_output=True, text=True, check=False)  # noqa: S603  # our own code
    assert result.stderr == ""
    assert result.stdout.splitlines() == ["local speech needs the extra: pip install 'realtime_actors[demo]'"] * 3
