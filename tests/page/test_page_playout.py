"""What was played of an interrupted reply is what the model remembers: the page's speaker, the simulator's ear."""

from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import attrs
import orjson
import pytest
import trio
from talking import SPEAKING, Talk, talk

from realtime_actors.simulators import Endless, OpenAISimulator, Reply, Say, ScriptedBrain
from realtime_actors.testing import RecordingTransport
from realtime_actors.transports import TrioWebSocketTransport, WebSocket

pytestmark = pytest.mark.page

WORDS = "Once upon a time there was a king who had three daughters, and each of them was as fair as the day."
"""Six seconds, which come in one and a half."""
CLOSE_MS = 150


@attrs.define(eq=False, kw_only=True)
class Listening(OpenAISimulator):
    """Writes down what it is told."""

    network: ClassVar[RecordingTransport]

    async def converse(self, websocket: WebSocket, session: Any) -> None:
        await super().converse(self.network.wrap(websocket), session)


async def truncated_to(talking: Talk) -> int:
    """The milliseconds to which the simulator was told to truncate the reply, once it was."""
    with trio.fail_after(10):
        while True:
            frames = [orjson.loads(frame) for each in Listening.network.connections for frame in each.received]
            for frame in frames:
                assert frame["type"] != "conversation.item.delete"
                if frame["type"] == "conversation.item.truncate":
                    return frame["audio_end_ms"]
            await trio.sleep(0.02)


async def played_ms(talking: Talk) -> float:
    """How much of the first reply the speaker was given."""
    stop = await talking.tab.until("stops.length && stops[0]")
    assert stop["flushed"]
    return stop["playedMs"]


async def check(talking: Talk, how: str) -> None:
    played, cut = await played_ms(talking), await truncated_to(talking)
    print(f"\n{how}: played {played:.0f} ms, truncated to {cut} ms")  # noqa: T201 - what one wants to know
    assert abs(cut - played) < CLOSE_MS
    errors = await talking.tab.evaluate("errors")
    assert errors == []


@pytest.fixture(autouse=True)
def network() -> None:
    Listening.network = RecordingTransport(TrioWebSocketTransport())


HEAR_ERRORS = """
  globalThis.errors = [];
  globalThis.positions = [];
  realtime.client.on("agent_error", (error) => errors.push(error));
  realtime.client.on("sent", (event) => event.type === "client_playout_update" && positions.push(event));
  null
"""


CUT = """(() => {
  const turn = document.querySelector(".turn.agent");
  const unheard = turn.querySelector("del").textContent;
  const words = turn.querySelector(".words").textContent;
  return [words.slice(0, words.length - unheard.length), unheard, turn.querySelector(".facts").textContent];
})()"""


async def test_a_reply_that_came_faster_than_it_is_played(tmp_path: Path) -> None:
    """The provider ended it long ago; the button interrupts it after some seconds."""
    brain = ScriptedBrain(replies=[Reply([Say(WORDS)]), Reply([Say("All right.")])])
    async with talk(tmp_path, brain=brain, kind=Listening) as talking:
        tab = talking.tab
        await tab.evaluate(HEAR_ERRORS)
        await talking.type("talk")
        await tab.until(SPEAKING)
        await trio.sleep(3)
        await tab.click("#interrupt")
        await check(talking, "button, after the reply's end")
        positions = await tab.evaluate("positions")
        ms = [each["played_ms"] for each in positions]
        assert ms == sorted(ms)
        assert max(after - before for before, after in pairwise(ms)) < 1000
        assert [each["playing"] for each in positions[-2:]] == [True, False]
        await talking.type("again")
        await tab.until("stops.length === 2 && !stops[1].flushed")
        [said] = [turn.text for turn in brain.heard if turn.role == "assistant"]
        assert 0.4 < len(said) / len(WORDS) < 0.7
        heard, unheard, facts = await tab.evaluate(CUT)
        assert heard + unheard == WORDS or unheard.endswith(" …")
        assert abs(len(heard) - len(said)) < 15, "what the page shows as heard is what the model remembers"
        assert unheard.strip()
        assert f"interrupted at {await played_ms(talking) / 1000:.1f} s" in facts
        style = "getComputedStyle(document.querySelector('.turn.agent del')).textDecorationLine"
        assert await tab.evaluate(style) == "line-through"
        last = await tab.until("positions.at(-1).playing === false && positions.at(-1)")
        assert last["played_ms"] == 600  # all of "All right."


async def test_a_reply_that_is_being_made(tmp_path: Path) -> None:
    brain = ScriptedBrain(replies=[Reply([Endless(WORDS)])])
    async with talk(tmp_path, brain=brain, kind=Listening) as talking:
        await talking.tab.evaluate(HEAR_ERRORS)
        await talking.type("talk")
        await talking.tab.until(SPEAKING)
        await trio.sleep(1.5)
        await talking.tab.click("#interrupt")
        await check(talking, "button, before the reply's end")


@pytest.mark.parametrize("barge_in", [True, False])
async def test_interrupted_by_voice(tmp_path: Path, barge_in: bool) -> None:
    """By the provider's detection of speech, before which the page may have held the reply by itself."""
    brain = ScriptedBrain(replies=[Reply([Endless(WORDS)]), Reply([Say("It is noon.")])], transcripts=["what time"])
    async with talk(tmp_path, 1.0, "time", 20.0, brain=brain, kind=Listening) as talking:
        await talking.tab.evaluate(HEAR_ERRORS)
        if not barge_in:
            await talking.tab.evaluate("realtime.conversation.bargeIn = null; null")
        await talking.type("talk")
        await talking.tab.until(SPEAKING)
        await talking.tab.click("#microphone")
        await check(talking, f"voice, {'with' if barge_in else 'without'} a barge-in of the page's own")
