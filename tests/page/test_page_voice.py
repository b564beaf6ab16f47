"""The page, spoken to: a WAV is its microphone, and what leaves its speaker is listened to.

How long things take is printed (`pytest -s`). The goals, 1,500 ms to the answer and 150 ms to silence, are for a quiet
machine; the bounds here are for a busy one, and guard against hanging.
"""

from pathlib import Path

import pytest
from talking import SPEAKING, talk

from realtime_actors.simulators import Endless, Reply, Say, ScriptedBrain

pytestmark = pytest.mark.page


async def test_a_spoken_question(tmp_path: Path) -> None:
    """It is heard and shown, a tool is called and shown, and the answer is played to its end, soon."""
    async with talk(tmp_path, 0.5, "weather", 20.0) as talking:
        tab = talking.tab
        await tab.click("#microphone")
        await tab.until("document.querySelector('.turn.user .words').textContent.includes('weather in paris')")
        await tab.until("document.querySelector('.tool .call').textContent === 'get_weather(city: \"Paris\")'")
        await tab.until("document.querySelector('.tool .result').textContent.includes('Paris, at')")
        await tab.until(SPEAKING)
        assert await tab.evaluate("document.querySelector('#activity').textContent") == "Friday is speaking"
        assert await tab.evaluate("document.querySelector('#interrupt').ariaDisabled") == "false"
        (stop,) = await tab.until("stops.length && !realtime.player.isSpeaking && stops")
        assert not stop["flushed"]
        assert stop["playedMs"] > 2000
        (answer,) = await talking.words("agent")
        assert "cloudy in Paris" in answer
        (latency,) = await tab.evaluate("latencies")
        assert latency["after"] == "speech"
        assert 200 < latency["ms"] < 5000  # not before the silence that ends a turn
        print(f"\nend of speech to first sound: {latency['ms']:.0f} ms")  # noqa: T201 - what one wants to know
        facts = await tab.evaluate("document.querySelector('.turn.agent .facts').textContent")
        assert facts == f"after {latency['ms'] / 1000:.2f} s"
        assert await tab.evaluate("document.querySelector('#activity').textContent") == "Listening"


async def test_interrupted_by_the_button(tmp_path: Path) -> None:
    """Silence soon after the click, and for good; the reply is marked, and the next one is heard."""
    brain = ScriptedBrain(replies=[Reply([Endless()]), Reply([Say("And now this.")])])
    async with talk(tmp_path, brain=brain) as talking:
        tab = talking.tab
        await talking.type("talk")
        await tab.until(SPEAKING)
        await tab.evaluate(
            """addEventListener("click", (click) => {
              globalThis.silence = lastSound().then((last) => last - click.timeStamp);
            }, {capture: true, once: true})"""
        )
        await tab.click("#interrupt")
        await tab.until("globalThis.silence")
        after = await tab.evaluate("silence")
        device = await tab.evaluate("1000 * realtime.player.analyser.context.outputLatency")
        print(f"\nbutton to silence: {after:.0f} ms, and {device:.0f} ms in the device")  # noqa: T201
        assert after + device < 2000
        await tab.until("document.querySelector('.turn.agent .facts').textContent.includes('interrupted at')")
        await tab.until("document.querySelector('#interrupt').ariaDisabled === 'true'")
        await talking.type("again")
        await tab.until(SPEAKING)
        await tab.until("stops.length === 2 && !stops[1].flushed")
        assert (await talking.words("agent"))[1] == "And now this."


async def test_interrupted_by_voice(tmp_path: Path) -> None:
    """Speech over a reply silences the speaker soon after its first sound; what was said is answered."""
    brain = ScriptedBrain(replies=[Reply([Endless()]), Reply([Say("It is noon.")])], transcripts=["what time is it"])
    async with talk(tmp_path, 1.0, "time", 20.0, brain=brain) as talking:
        tab = talking.tab
        await talking.type("talk")
        await tab.until(SPEAKING)
        await tab.evaluate(
            """
              globalThis.times = {};
              realtime.client.on("sent", ({ audio }) => {
                const samples = audio ? new Int16Array(audio.slice().buffer) : [];
                const first = samples.findIndex((sample) => Math.abs(sample) > 100);
                if (first < 0 || times.sound) return;
                times.sound = performance.now() - (samples.length - first) / 24; // it came at its piece's end
                lastSound().then((last) => { times.silence = last; });
              });
              realtime.conversation.on("held", () => { times.held = performance.now(); });
              realtime.conversation.on("resumed", () => { times.resumed = performance.now(); });
              realtime.client.on("agent_input_started", () => { times.told ??= performance.now(); });
              null"""
        )
        await tab.click("#microphone")
        await tab.until("stops.length && stops[0].flushed && times.silence")
        times: dict[str, float] = await tab.evaluate("times")
        device = await tab.evaluate("1000 * realtime.player.analyser.context.outputLatency")
        after = {name: time - times["sound"] for name, time in times.items()}
        print(  # noqa: T201
            f"\nfirst sound of speech to silence: {after['silence']:.0f} ms, and {device:.0f} ms in the device; "
            f"held after {after['held']:.0f} ms, told by the model after {after['told']:.0f} ms"
        )
        assert after["silence"] + device < 300
        assert after["held"] < after["told"]
        await tab.until("stops.length === 2 && !stops[1].flushed")
        assert await talking.words("user") == ["talk", "what time is it"]
        assert (await talking.words("agent"))[1] == "It is noon."
        (typed, said) = await tab.evaluate("latencies")
        assert (typed["after"], said["after"]) == ("text", "speech")
        assert "resumed" not in await tab.evaluate("times")


async def test_interrupted_by_the_model_alone(tmp_path: Path) -> None:
    """Without a barge-in of its own the page waits for the model's word."""
    brain = ScriptedBrain(replies=[Reply([Endless()]), Reply([Say("It is noon.")])], transcripts=["what time is it"])
    async with talk(tmp_path, 1.0, "time", 20.0, brain=brain) as talking:
        tab = talking.tab
        await tab.evaluate("realtime.conversation.bargeIn = null; globalThis.held = 0; null")
        await tab.evaluate("realtime.conversation.on('held', () => { held += 1; }); null")
        await talking.type("talk")
        await tab.until(SPEAKING)
        await tab.click("#microphone")
        await tab.until("stops.length === 2 && stops[0].flushed && !stops[1].flushed")
        assert await tab.evaluate("held") == 0


async def test_a_microphone_that_is_switched_off(tmp_path: Path) -> None:
    """In the middle of a sentence: what was said until then is answered, and nothing more is sent."""
    brain = ScriptedBrain(replies=[Reply([Say("Go on.")])], transcripts=["count from"])
    async with talk(tmp_path, "count", 20.0, brain=brain) as talking:
        tab = talking.tab
        await tab.evaluate(
            """
              globalThis.sent = [];
              realtime.client.on("sent", (event) => event.type === "client_playout_update" || sent.push(event));
              null"""
        )
        await tab.click("#microphone")
        await tab.until("document.querySelector('.turn.user')")
        await tab.click("#microphone")
        await tab.until("stops.length === 1")
        assert await talking.words("user") == ["count from"]
        assert await talking.words("agent") == ["Go on."]
        kinds = await tab.evaluate("sent.map((event) => event.type)")
        assert kinds[-1] == "client_audio_commit"
        assert set(kinds[:-1]) == {"client_audio_append"}
        # 20 ms at 24 kHz each
        assert await tab.evaluate("sent.slice(0, -1).every((event) => event.audio.length === 960)")
        assert await tab.evaluate("document.querySelector('#microphone').ariaPressed") == "false"
