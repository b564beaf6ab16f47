"""realtime.js by itself: copied to another site, with a page that has nothing of ours."""

import base64
import json
import math
import random
import string
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import attrs
import msgpack  # pyright: ignore[reportMissingTypeStubs] # has none
import numpy as np
import pytest
import trio
from chromium import PATIENCE, Tab, fake_microphone, open_chromium
from demo_stack import Demo, open_demo, write_speech
from relay import open_relay

import realtime_actors.gateway
from realtime_actors.audio import write_wav
from realtime_actors.providers import Manual, TurnDetection
from realtime_actors.simulators import Brain, Endless, Reply, Say, ScriptedBrain
from realtime_actors.transports import Address, Request, Response, Upgrade, serve

pytestmark = pytest.mark.page

MSGPACK = cast(Any, msgpack)
COPIED = Path(realtime_actors.gateway.__file__).parent / "page"
FILES = {
    "/": (Path(__file__).with_name("client.html"), "text/html"),
    "/realtime.js": (COPIED / "realtime.js", "text/javascript"),
    "/microphone-worklet.js": (COPIED / "microphone-worklet.js", "text/javascript"),
}


async def answer(request: Request) -> Response | Upgrade:
    file, kind = FILES[request.path]
    return Response(headers={"content-type": kind}, body=file.read_bytes())


@attrs.define
class Copy:
    tab: Tab
    demo: Demo

    async def begin(self, **options: Any) -> None:
        """Connect, and wait until the agent is ready."""
        options = {"url": self.demo.url, "backoff": {"first": 20, "most": 100}, **options}
        await self.tab.evaluate(f"begin({json.dumps(options)})")
        await self.tab.until("client.state === 'ready'")


@asynccontextmanager
async def copied(
    directory: Path,
    brain: Brain,
    *,
    flags: Sequence[str] = (),
    token: str | None = None,
    detection: TurnDetection | None = None,
) -> AsyncGenerator[Copy]:
    """The module on a site of its own, and a gateway that lets this site in."""
    async with trio.open_nursery() as nursery:
        site: Address = await nursery.start(partial(serve, answer))
        origin = f"http://127.0.0.1:{site.port}"
        flags = [*flags, "--autoplay-policy=no-user-gesture-required"]
        async with (
            open_demo(brain, token=token, allowed_origins=(origin,), detection=detection) as demo,
            open_chromium(directory / "profile", *flags) as browser,
        ):
            tab = await browser.open(origin)
            await tab.until("globalThis.begin")
            yield Copy(tab, demo)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("wire", ["json", "msgpack"])
async def test_a_conversation(tmp_path: Path, wire: str) -> None:
    """On both wires the same events, and the model's very bytes; all of them are played."""
    async with copied(tmp_path, ScriptedBrain(replies=[Reply([Say("Hello Ann.")])])) as copy:
        tab = copy.tab
        await copy.begin(wire=wire, userId="ann b é", config={"agent_name": "Émile"})
        assert [state["state"] for state in await tab.evaluate("states")] == ["connecting", "starting", "ready"]
        assert await tab.evaluate("conversation.say('hello ✓')")
        (stop,) = await tab.until("stops.length && stops")
        kinds: list[str] = await tab.evaluate("heard.map((event) => event.type)")
        assert kinds[:3] == ["server_session_created", "agent_ready", "agent_response_created"]
        assert kinds[-1] == "agent_response_done"
        assert await tab.evaluate("heard.find((event) => event.type === 'agent_ready').agent_name") == "Émile"
        audio = await tab.evaluate(
            """(async () => {
              const deltas = heard.filter((event) => event.type === "agent_response_audio_delta");
              const blob = new Blob(deltas.map((event) => event.delta));
              return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (b) => String.fromCharCode(b)).join(""));
            })()"""
        )
        expected = ScriptedBrain().audio("Hello Ann.", 24000)
        assert base64.b64decode(audio) == expected
        ms = round(len(expected) / 48)
        assert [{**item, "item": ""} for item in stop.pop("items")] == [{"item": "", "playedMs": ms, "receivedMs": ms}]
        assert stop == {"id": stop["id"], "playedMs": ms, "flushed": False}
        assert not await tab.evaluate("conversation.isReplying")
        assert tab.complaints == []


@pytest.mark.parametrize("wire", ["json", "msgpack"])
async def test_interrupt(tmp_path: Path, wire: str) -> None:
    """Nothing of an interrupted reply is played any more, though more of it is on its way."""
    brain = ScriptedBrain(replies=[Reply([Endless()]), Reply([Say("Next.")])])
    async with copied(tmp_path, brain) as copy:
        tab = copy.tab
        await copy.begin(wire=wire)
        await tab.evaluate("conversation.say('talk')")
        await tab.until("conversation.player.isSpeaking")
        await tab.evaluate("conversation.interrupt(); globalThis.speaking = conversation.player.isSpeaking")
        assert not await tab.evaluate("speaking")
        await tab.evaluate("conversation.player.on('speaking', (is) => { speaking ||= is; }); null")
        await tab.until("heard.at(-1).type === 'agent_response_done' && heard.at(-1).metadata.status === 'cancelled'")
        assert not await tab.evaluate("speaking")
        assert await tab.evaluate("conversation.player.queuedMs") < 1e-6
        await tab.evaluate("conversation.say('and now')")
        await tab.until("stops.length === 2 && !stops[1].flushed")


@pytest.mark.parametrize("wire", ["json", "msgpack"])
async def test_the_microphone(tmp_path: Path, wire: str) -> None:
    """Its speech arrives as the provider's turn, and is answered."""
    brain = ScriptedBrain(replies=[Reply([Say("Noon.")])], transcripts=["what time is it"])
    flags = fake_microphone(write_speech(tmp_path / "speech.wav", "time", 20.0))
    async with copied(tmp_path, brain, flags=flags) as copy:
        tab = copy.tab
        await copy.begin(wire=wire)
        await tab.evaluate("conversation.listen()")
        await tab.until("stops.length === 1")
        done = await tab.until("heard.find((event) => event.type === 'agent_input_transcription_done')")
        assert done["transcript"] == "what time is it"
        assert await tab.evaluate("latencies.map((latency) => latency.after)") == ["speech"]
        await tab.evaluate("conversation.mute()")
        assert await tab.evaluate("sent.at(-1).type") == "client_audio_commit"
        assert not await tab.evaluate("conversation.microphone.isOn")


TAP = """(async () => {
  const code = `registerProcessor("tap", class extends AudioWorkletProcessor {
    process([[input]]) {
      if (input) this.port.postMessage(input.slice());
      return true;
    }
  })`;
  await conversation.player.unlock();
  const { analyser } = conversation.player;
  await analyser.context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const tap = new AudioWorkletNode(analyser.context, "tap");
  globalThis.played = [];
  tap.port.onmessage = ({ data }) => played.push(...data);
  analyser.connect(tap).connect(analyser.context.destination);
})()"""
"""Keeps every sample that leaves the player, in `played`."""


async def silences(tab: Tab) -> tuple[float, list[float]]:
    """How long the player sounded, and the silences of more than 50 ms between, in ms."""
    loud = np.flatnonzero(np.abs(np.array(await tab.evaluate("played"))) > 1e-3)
    gaps = np.diff(loud)
    gaps = gaps[gaps > 24 * 50]
    return float((loud[-1] - loud[0] + 1 - gaps.sum()) / 24), [float(gap / 24) for gap in gaps]


def write_noises(file: Path, *at: float) -> Path:
    """A microphone that hears a thud at these seconds, and nothing else."""
    samples = np.random.default_rng(1).normal(0, 1000, 16000 * 25)
    pcm = np.zeros_like(samples)
    for second in at:
        pcm[int(second * 16000) : int((second + 0.06) * 16000)] = samples[:960]
    write_wav(file, np.clip(pcm, -32767, 32767).astype("<i2").tobytes(), 16000)
    return file


async def test_hold(tmp_path: Path) -> None:
    """The player is silent while it is held, and then goes on where it was; a flush ends what is held."""
    async with copied(tmp_path, ScriptedBrain()) as copy:
        tab = copy.tab
        await copy.begin()
        await tab.evaluate(TAP)
        pcm = base64.b64encode(ScriptedBrain().audio("x" * 20, 24000)).decode()  # more than a second
        await tab.evaluate(
            f"""
              globalThis.pcm = Uint8Array.from(atob("{pcm}"), (c) => c.charCodeAt(0));
              globalThis.player = conversation.player;
              globalThis.starts = [];
              player.on("start", (start) => starts.push(start));
              player.play("a", pcm);
              player.play("b", pcm);
              player.hold(); // before a sound of it was heard
              null"""
        )
        await trio.sleep(0.2)
        assert await tab.evaluate("player.isHeld && player.isSpeaking")
        assert not await tab.evaluate("starts.length || played.some((sample) => sample)")
        await tab.evaluate("player.resume(); null")
        await tab.until("starts.length === 1 && starts[0].id === 'a'")
        for _ in range(3):
            await trio.sleep(0.1)
            await tab.evaluate("player.hold(); player.hold(); null")
            await trio.sleep(0.1)
            await tab.evaluate("player.resume(); player.resume(); null")
        await tab.evaluate("player.hold(); player.finish('a'); player.finish('b'); player.resume(); null")
        await tab.until("stops.length === 2")
        ms = len(base64.b64decode(pcm)) / 48
        whole = [{"item": "", "playedMs": round(ms), "receivedMs": round(ms)}]
        assert await tab.evaluate("stops") == [
            {"id": "a", "playedMs": round(ms), "flushed": False, "items": whole},
            {"id": "b", "playedMs": round(ms), "flushed": False, "items": whole},
        ]
        sounded, gaps = await silences(tab)
        assert abs(sounded - 2 * ms) < 4 * 30  # each time it begins again 20 ms later; what fades out is said again
        assert len(gaps) == 3
        assert await tab.evaluate("starts.map((start) => start.id)") == ["a", "b"]
        await tab.evaluate("for (let i = 0; i < 5; i++) player.play('c', pcm); null")
        await tab.until("starts.length === 3")
        await tab.evaluate("player.hold(); player.flush(); null")
        assert not await tab.evaluate("player.isHeld || player.isSpeaking || Math.round(player.queuedMs)")
        assert await tab.evaluate(f"stops[2].flushed && stops[2].playedMs < {5 * ms}")
        (item,) = await tab.evaluate("stops[2].items")
        assert abs(item["receivedMs"] - 5 * ms) <= 1
        assert abs(item["playedMs"] - await tab.evaluate("stops[2].playedMs")) <= 1


async def test_a_false_start(tmp_path: Path) -> None:
    """A noise that is no speech to the model holds the reply for a moment, once: then it goes on where it was."""
    words = "A reply that is long enough for two noises to fall into it, and a little more."
    brain = ScriptedBrain(replies=[Reply([Say(words)])])
    flags = fake_microphone(write_noises(tmp_path / "thuds.wav", 1.5, 3.0))
    async with copied(tmp_path, brain, flags=flags, detection=Manual()) as copy:
        tab = copy.tab
        await copy.begin()
        await tab.evaluate(TAP)
        await tab.evaluate(
            """
              globalThis.held = [];
              globalThis.noises = 0;
              conversation.on("held", (level) => held.push(level > 0.01));
              conversation.on("resumed", () => held.push("resumed"));
              client.on("sent", ({ audio }) => { noises += Boolean(audio) && conversation.microphone.loudMs === 40; });
              null"""
        )
        await tab.evaluate("conversation.listen()")
        await tab.evaluate("conversation.say('talk'); null")
        await tab.until("stops.length === 1")
        ms = len(brain.audio(words, 24000)) / 48
        assert await tab.evaluate("stops.map(({playedMs, flushed}) => [playedMs, flushed])") == [[round(ms), False]]
        assert await tab.evaluate("[noises, held]") == [2, [True, "resumed"]]
        sounded, (gap,) = await silences(tab)
        assert abs(sounded - ms) < 30
        assert 480 < gap < 5000


async def test_reconnect(tmp_path: Path) -> None:
    """With growing pauses, under the same session id; `close` ends it."""
    async with copied(tmp_path, ScriptedBrain()) as copy:
        tab = copy.tab
        await copy.begin(sessionId="kept")
        await copy.demo.stop_gateway()
        await tab.until("states.filter((each) => each.state === 'waiting').length >= 6")
        await copy.demo.start_gateway()
        await tab.until("client.state === 'ready'")
        delays: list[int] = await tab.evaluate(
            "states.filter((each) => each.state === 'waiting').map((each) => each.delay)"
        )
        for delay, pause in zip(delays, [20, 40, 80, 100, 100, 100], strict=False):
            assert 0.75 * pause <= delay <= pause + 1
        assert await tab.evaluate("client.sessionId") == "kept"
        assert await tab.evaluate("client.close(); client.state") == "idle"
        assert not await tab.evaluate("client.sendText('nobody hears it')")
        with trio.fail_after(PATIENCE):
            while (await copy.demo.status()).sessions:  # noqa: ASYNC110 - the state is another actor's
                await trio.sleep(0.01)


async def test_a_gateway_that_has_vanished(tmp_path: Path) -> None:
    """A socket whose other end is gone without a word is noticed in time, and given up for a new one."""
    async with copied(tmp_path, ScriptedBrain()) as copy, open_relay(copy.demo.settings.port) as relay:
        tab = copy.tab
        await copy.begin(url=relay.url, heartbeat={"every": 150, "within": 2000})
        await trio.sleep(1.0)
        assert await tab.evaluate("client.state") == "ready"  # silence is not yet the end
        relay.stop()
        await tab.evaluate("globalThis.stopped = performance.now(); null")
        await tab.until("client.state === 'waiting'")
        assert await tab.evaluate("performance.now() - stopped") < 10_000
        assert await tab.evaluate("states.at(-1).reason") == "no answer"
        relay.go_on()
        await tab.until("client.state === 'ready'")
        await tab.evaluate("conversation.say('hello')")
        await tab.until("stops.length === 1")


async def test_a_page_that_may_not_ask(tmp_path: Path) -> None:
    """Where the browser lets nothing but the WebSocket through, the connection stays as it is."""
    async with copied(tmp_path, ScriptedBrain()) as copy:
        tab = copy.tab
        await tab.evaluate("globalThis.fetch = () => Promise.reject(new TypeError('refused')); null")
        await copy.begin(heartbeat={"every": 20, "within": 20})
        await trio.sleep(0.5)
        assert await tab.evaluate("states.map((each) => each.state)") == ["connecting", "starting", "ready"]


async def test_a_slow_network(tmp_path: Path) -> None:
    """Audio that finds no way is dropped and counted, text is kept; when the way is free, all goes on."""
    async with copied(tmp_path, ScriptedBrain()) as copy, open_relay(copy.demo.settings.port) as relay:
        tab = copy.tab
        await copy.begin(url=relay.url, wire="msgpack", heartbeat=None)
        await tab.evaluate("globalThis.counts = []; client.on('dropped', (count) => counts.push(count)); null")
        relay.stop()
        await tab.evaluate(
            """new Promise((resolve) => {
              const second = new Uint8Array(48_000);
              const talk = () => (client.sendAudio(second, 24_000) ? setTimeout(talk) : resolve());
              talk();
            })"""
        )
        assert await tab.evaluate("client.audioDropped") == 1
        assert not await tab.evaluate("client.sendAudio(new Uint8Array(960), 24_000)")
        assert await tab.evaluate("counts") == [1, 2]
        assert await tab.evaluate("conversation.say('can you hear me')")
        relay.go_on()
        await tab.until("stops.length === 1")
        assert await tab.evaluate("client.sendAudio(new Uint8Array(960), 24_000)")
        assert await tab.evaluate("client.audioDropped") == 2
        assert await tab.evaluate("client.state") == "ready"


async def test_the_end_of_a_session(tmp_path: Path) -> None:
    """It can be ended and begun again on the same socket, with another configuration."""
    async with copied(tmp_path, ScriptedBrain()) as copy:
        tab = copy.tab
        await copy.begin()
        await tab.evaluate("client.endSession()")
        await tab.until("client.state === 'ended'")
        assert await tab.evaluate("states.at(-1).reason") == "client_ended"
        await tab.evaluate("client.createSession({agent_name: 'Zoe'})")
        await tab.until("client.state === 'ready' && heard.at(-1).agent_name === 'Zoe'")


async def test_refusals(tmp_path: Path) -> None:
    """A missing token, then a session that another frontend has: it is not tried again."""
    token = "a token (with parentheses)"
    async with copied(tmp_path, ScriptedBrain(), token=token) as copy:
        tab = copy.tab
        await tab.evaluate(f"begin({{url: {copy.demo.url!r}, sessionId: 'one'}})")
        await tab.until("client.state === 'refused'")
        assert await tab.evaluate("states.at(-1).code") == 4401
        await tab.evaluate(f"client.token = {token!r}; client.connect()")
        await tab.until("client.state === 'ready'")
        await tab.evaluate("globalThis.first = client; null")
        await tab.evaluate(f"begin({{url: {copy.demo.url!r}, sessionId: 'one', token: {token!r}}})")
        await tab.until("client.state === 'refused'")
        assert await tab.evaluate("states.at(-1).code") == 4409
        assert await tab.evaluate("first.state") == "ready"


async def test_frames_that_cannot_be_read(tmp_path: Path) -> None:
    """They are reported, and nothing else happens."""
    async with copied(tmp_path, ScriptedBrain()) as copy:
        tab = copy.tab
        cut_off = "kit.decodeMsgpack(new Uint8Array([0x93, 1]))"
        for broken in (
            cut_off,
            "kit.decodeMsgpack(new Uint8Array([0xc1]))",
            "kit.decodeMsgpack(new Uint8Array([1, 1]))",
        ):
            assert await tab.evaluate(f"(() => {{ try {{ {broken}; }} catch (error) {{ return error.message; }} }})()")
        deep = "new Uint8Array(100_000).fill(0x91)"
        assert "deep" in await tab.evaluate(
            f"(() => {{ try {{ kit.decodeMsgpack({deep}) }} catch (e) {{ return e.message }} }})()"
        )
        huge = "new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff, 1])"
        assert "cut off" in await tab.evaluate(
            f"(() => {{ try {{ kit.decodeMsgpack({huge}) }} catch (e) {{ return e.message }} }})()"
        )


EDGES = (0, 31, 32, 127, 128, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**53 - 1)
SIZES = (0, 1, 5, 15, 16, 31, 32)


def some_value(source: random.Random, depth: int = 0) -> Any:
    """Whatever an event may hold, sizes around the limits of msgpack's forms included."""
    size = source.choice(SIZES)
    makers: list[Callable[[], Any]] = [
        lambda: source.choice([None, True, False, 0.5, -1e300, math.pi]),
        lambda: source.choice(EDGES) * source.choice([1, -1]),
        lambda: "".join(source.choices(string.ascii_letters + "é✓𝄞", k=source.choice([size, 255, 256, 70_000]))),
        lambda: source.randbytes(source.choice([size, 255, 256, 65535, 65536])),
    ]
    if depth < 2:
        makers.append(lambda: [some_value(source, depth + 1) for _ in range(size)])
        makers.append(lambda: {f"key {number}": some_value(source, depth + 1) for number in range(size)})
    return source.choice(makers)()


async def test_msgpack_against_the_library(tmp_path: Path) -> None:
    """What Python packs is read, and what is written Python unpacks to the same."""
    source = random.Random(7)  # noqa: S311 - no secret
    values = [some_value(source) for _ in range(60)] + [[], {}, "", b"", -1, -32, -33, -128, -(2**31), 2**40]
    async with copied(tmp_path, ScriptedBrain()) as copy:
        for value in values:
            packed = cast(bytes, MSGPACK.packb(value))
            if len(packed) > 400_000:
                continue
            written = await copy.tab.evaluate(
                f"""(() => {{
                  const packed = Uint8Array.from(atob("{base64.b64encode(packed).decode()}"), (c) => c.charCodeAt(0));
                  const written = kit.encodeMsgpack(kit.decodeMsgpack(packed.buffer));
                  return btoa(Array.from(written, (b) => String.fromCharCode(b)).join(""));
                }})()"""
            )
            assert MSGPACK.unpackb(base64.b64decode(written)) == value


@pytest.mark.parametrize("rate", [44100, 48000])
async def test_the_microphone_is_resampled_well(tmp_path: Path, rate: int) -> None:
    """A tone in the middle of speech comes out clean at 24 kHz, one above 12 kHz is gone."""
    async with copied(tmp_path, ScriptedBrain()) as copy:
        for frequency, heard in ((1000, True), (15000, False)):
            pcm = await copy.tab.evaluate(
                f"""(async () => {{
                  const context = new OfflineAudioContext(1, {rate}, {rate});
                  await context.audioWorklet.addModule("microphone-worklet.js");
                  const processorOptions = {{ rate: 24000, samples: 480 }};
                  const worklet = new AudioWorkletNode(context, "realtime-actors-microphone", {{ processorOptions }});
                  const parts = [];
                  worklet.port.onmessage = ({{ data }}) => parts.push(...new Int16Array(data.pcm));
                  const tone = new OscillatorNode(context, {{ frequency: {frequency} }});
                  tone.connect(worklet).connect(context.destination);
                  tone.start();
                  await context.startRendering();
                  await new Promise((resolve) => {{
                    const look = () => (parts.length >= 23_500 ? resolve() : setTimeout(look, 5));
                    look();
                  }});
                  return parts;
                }})()"""
            )
            samples = np.array(pcm[2400:21600], dtype=np.float64) / 32767
            if not heard:
                assert float(np.sqrt(np.mean(samples**2))) < 0.001
                continue
            phase = 2 * np.pi * frequency * np.arange(len(samples)) / 24000
            basis = np.stack([np.sin(phase), np.cos(phase)])
            fitted = basis.T @ np.linalg.lstsq(basis.T, samples, rcond=None)[0]
            noise = float(np.mean((samples - fitted) ** 2))
            assert 10 * math.log10(float(np.mean(fitted**2)) / noise) > 60
