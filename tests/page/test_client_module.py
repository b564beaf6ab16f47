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
from chromium import Tab, fake_microphone, open_chromium
from demo_stack import Demo, open_demo, write_speech

import realtime_actors.gateway
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
    directory: Path, brain: Brain, *, flags: Sequence[str] = (), token: str | None = None
) -> AsyncGenerator[Copy]:
    """The module on a site of its own, and a gateway that lets this site in."""
    async with trio.open_nursery() as nursery:
        site: Address = await nursery.start(partial(serve, answer))
        origin = f"http://127.0.0.1:{site.port}"
        flags = [*flags, "--autoplay-policy=no-user-gesture-required"]
        async with (
            open_demo(brain, token=token, allowed_origins=(origin,)) as demo,
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
        assert stop == {"id": stop["id"], "playedMs": round(len(expected) / 48), "flushed": False}
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
        with trio.fail_after(5):
            while (await copy.demo.status()).sessions:  # noqa: ASYNC110 - the state is another actor's
                await trio.sleep(0.01)


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
