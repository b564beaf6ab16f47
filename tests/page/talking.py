"""A demo and a browser that has its page open, and an ear at the page's speaker."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
from chromium import Browser, Tab, fake_microphone, open_chromium
from demo_stack import Demo, open_demo, write_speech

from realtime_actors.agents import Tool
from realtime_actors.cli.servers.demo_tools import DEMO_TOOLS
from realtime_actors.simulators import Brain, OpenAISimulator

EAR = """
  globalThis.stops = [];
  globalThis.latencies = [];
  realtime.player.on("stop", (stop) => stops.push(stop));
  realtime.conversation.on("latency", (latency) => latencies.push(latency));
  const samples = new Float32Array(256);
  /** The loudest of the last 256 samples that left the player. */
  globalThis.loudness = () => {
    realtime.player.analyser?.getFloatTimeDomainData(samples);
    return samples.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  };
  /** When the last sound was, once there was none for 300 ms. */
  globalThis.lastSound = () => new Promise((resolve) => {
    let last = performance.now();
    const look = () => {
      if (loudness() > 1e-4) last = performance.now();
      if (performance.now() - last > 300) resolve(last); else setTimeout(look, 1);
    };
    look();
  });
  null
"""
"""What leaves the speaker is looked at behind the player, where it goes to the sound card."""

READY = "document.querySelector('#connection').dataset.state === 'ready'"
SPEAKING = "realtime.player.isSpeaking && loudness() > 0.01"
PROBLEM = "!document.querySelector('#problem').hidden && document.querySelector('#problem p').textContent"


@attrs.define
class Talk:
    demo: Demo
    browser: Browser
    tab: Tab

    async def type(self, text: str) -> None:
        """Write it into the field, and press Enter."""
        await self.tab.click("#text")
        await self.tab.write(text)
        await self.tab.press("Enter")

    async def words(self, role: str) -> list[str]:
        """What a side has said, as the page shows it."""
        return await self.tab.evaluate(
            f"[...document.querySelectorAll('.turn.{role} .words')].map((each) => each.textContent)"
        )


@asynccontextmanager
async def talk(
    directory: Path,
    *speech: str | float,
    brain: Brain | None = None,
    flags: Sequence[str] | None = None,
    token: str | None = None,
    key: str = "demo",
    complaints: bool = False,
    providers: Sequence[str] = ("openai",),
    kind: type[OpenAISimulator] = OpenAISimulator,
    tools: Sequence[Tool] = DEMO_TOOLS,
) -> AsyncGenerator[Talk]:
    """The page, open and ready; its microphone says `speech` (see `write_speech`) when it is switched on.

    Nothing may go wrong in the page meanwhile, unless there may be `complaints`.
    """
    if flags is None:
        flags = fake_microphone(write_speech(directory / "speech.wav", *speech) if speech else None)
    async with (
        open_demo(brain, token=token, key=key, providers=providers, kind=kind, tools=tools) as demo,
        open_chromium(directory / "profile", *flags) as browser,
    ):
        tab = await browser.open(demo.url)
        await tab.evaluate(EAR)
        if token is None and key == "demo":
            await tab.until(READY)
        yield Talk(demo, browser, tab)
        if not complaints:
            assert tab.complaints == []
