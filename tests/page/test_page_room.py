"""A room in the page: two browsers at once, each with a person, and two agents."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from chromium import Browser, Tab, fake_microphone, open_chromium
from demo_stack import OpenRoom, open_room, write_speech
from relay import Relay, open_relay
from talking import EAR, PROBLEM, READY

from realtime_actors.events import RoomState
from realtime_actors.rooms import GetRoom
from realtime_actors.simulators import Brain, Call, Endless, Reply, Say, ScriptedBrain

pytestmark = pytest.mark.page

LINES = """[...document.querySelectorAll('.turn')].map((each) =>
  `${each.querySelector('.who').textContent}: ${each.querySelector('.words').textContent}`)"""
NOTES = "[...document.querySelectorAll('.note')].map((each) => each.textContent)"
PEOPLE = "[...document.querySelectorAll('.participant .name')].map((each) => each.textContent)"
HEARS = """(() => {
  const samples = new Float32Array(256);
  realtime.conversation.people.analyser?.getFloatTimeDomainData(samples);
  return samples.some((sample) => Math.abs(sample) > 0.01);
})()"""


SLOWLY = """(() => {
  const send = realtime.client.send;
  realtime.client.send = (event) => {
    if (event.type === "client_session_create") setTimeout(() => send.call(realtime.client, event), 300);
    else return send.call(realtime.client, event);
  };
})()"""
"""The room says how it stands before the gateway knows that the session goes on."""


def card(name: str) -> str:
    return f"document.querySelector('.participant[data-id={name}]')"


async def write(tab: Tab, text: str) -> None:
    await tab.click("#text")
    await tab.write(text)
    await tab.press("Enter")


@attrs.define
class Two:
    room: OpenRoom
    ann: Tab
    ben: Tab
    relay: Relay
    """Between Ben's browser and the gateway."""


async def come(browser: Browser, url: str) -> Tab:
    tab = await browser.open(url)
    await tab.evaluate(EAR)
    await tab.until(f"{READY} && document.querySelector('.participant.self')")
    return tab


@asynccontextmanager
async def two(directory: Path, *speech: str | float, **agents: Brain) -> AsyncGenerator[Two]:
    """Ann and Ben in the lobby with these agents, each in a browser; Ben's microphone says `speech`."""
    flags = fake_microphone(write_speech(directory / "speech.wav", *speech) if speech else None)
    async with (
        open_room(agents) as room,
        open_relay(int(room.url.rsplit(":", 1)[1].strip("/"))) as relay,
        open_chromium(directory / "ann") as one,
        open_chromium(directory / "ben", *flags) as other,
    ):
        ann = await come(one, room.page("Ann"))
        ben = await come(other, attrs.evolve(room, url=relay.url).page("Ben"))
        yield Two(room, ann, ben, relay)


def brain(*says: str, transcripts: tuple[str, ...] = ()) -> ScriptedBrain:
    return ScriptedBrain(replies=[Reply([Say(text)]) for text in says], transcripts=transcripts)


async def test_two_people_and_two_agents_in_two_browsers(tmp_path: Path) -> None:
    """Both see who is there, who has the floor and how loud it is, and all lines; one hears the other."""
    alice = ScriptedBrain(
        replies=[Reply([Endless("And so on. ")]), Reply([Say("It is noon.")])], transcripts=["What time is it, Alice?"]
    )
    async with two(tmp_path, 0.5, "time", 20.0, Alice=alice, Bob=brain()) as both:
        ann, ben = both.ann, both.ben
        await ann.until(f"{PEOPLE}.sort().join() === 'Alice,Ann (you),Ben,Bob'")
        await ben.until(f"{PEOPLE}.sort().join() === 'Alice,Ann,Ben (you),Bob'")
        assert await ann.evaluate("document.querySelectorAll('.participant .mute').length") == 1
        await ann.evaluate("realtime.player.hold(); null")  # what is played here is not what the room has heard
        await write(ann, "Alice, tell us something.")
        for tab in (ann, ben):
            await tab.until(f"{card('gateway-lobby-alice')}.matches('.holds')")
            await tab.until(f"Number({card('gateway-lobby-alice')}.style.getPropertyValue('--level')) > 0.2")
            assert await tab.evaluate("document.querySelector('#activity').textContent") == "Alice has the floor"
        await ben.click("#microphone")
        await ann.until(
            f"{card('Ben')}.matches('.speaks') && document.querySelector('#activity').textContent === 'Ben is speaking'"
        )
        await ann.until(HEARS)
        for tab in (ann, ben):
            await tab.until("document.querySelector('.turn.agent .facts').textContent.includes('interrupted')")
            await tab.until(f"{LINES}.some((line) => line.endsWith(': What time is it, Alice?'))")
            await tab.until(f"{LINES}.at(-1) === 'Alice: It is noon.'")
        assert [line.split(":")[0] for line in await ann.evaluate(LINES)] == ["You", "Alice", "Ben", "Alice"]
        assert [line.split(":")[0] for line in await ben.evaluate(LINES)] == ["Ann", "Alice", "You", "Alice"]
        state: RoomState = await both.room.room.ask(GetRoom(), timeout=5)
        (heard,) = [line.text for line in state.lines if line.interrupted]
        for tab in (ann, ben):
            shown = await tab.evaluate("document.querySelector('.turn.agent .words').firstChild.textContent")
            assert shown.strip() == heard
        await ann.evaluate("globalThis.sent = []; realtime.client.on('sent', (event) => sent.push(event)); null")
        await ann.click(".participant .mute")
        assert await ann.evaluate(f"{card('Ben')}.querySelector('.mute').ariaPressed") == "true"
        (event,) = await ann.evaluate("sent.filter(({type}) => type === 'client_room_mute')")
        assert (event["participant_id"], event["muted"]) == ("Ben", True)
        assert ann.complaints == ben.complaints == []


async def test_whoever_comes_back_is_the_same_person(tmp_path: Path) -> None:
    """What was said meanwhile is there, once and in order; the others have seen it."""
    alice = brain("Good morning.", "Ben was here a minute ago.")
    async with two(tmp_path, Alice=alice) as both:
        ann, ben = both.ann, both.ben
        await write(ben, "Hello, Alice.")
        await ben.until("stops.length === 1")
        both.relay.cut()
        await ben.until("document.querySelector('#connection-words').textContent === 'Reconnecting …'")
        await ann.until(f"{card('Ben')}.matches('.absent')")
        await write(ann, "Alice, where is Ben?")
        await ann.until(f"{LINES}.length === 4 && {LINES}.at(-1).endsWith('a minute ago.')")
        await ben.evaluate(SLOWLY)
        both.relay.go_on()
        await ben.until(READY)
        lines = ["Hello, Alice.", "Good morning.", "Alice, where is Ben?", "Ben was here a minute ago."]
        await ben.until(f"{LINES}.length === 4")
        assert [line.split(": ")[1] for line in await ben.evaluate(LINES)] == lines
        assert await ben.evaluate(NOTES) == ["You are back in the room."]
        await ann.until(f"!{card('Ben')}.matches('.absent')")
        assert (await ann.evaluate(NOTES))[-2:] == ["Ben has lost the connection.", "Ben is back."]
        # A page that is loaded again is the same person, too, and has all lines from the room.
        await ben.evaluate("globalThis.isOld = true")
        await ben.call("Page.reload")
        await ben.until(f"!globalThis.isOld && {READY} && {LINES}.length === 4")
        assert [line.split(": ")[1] for line in await ben.evaluate(LINES)] == lines
        assert (await ben.evaluate(LINES))[0] == "You: Hello, Alice."


async def test_one_of_two_people_allows_a_call(tmp_path: Path) -> None:
    """Both are asked, and see what became of it."""
    alice = ScriptedBrain(
        replies=[Reply([Call("order_taxi", '{"to": "the station"}')], when="taxi"), Reply([Say("Done.")])]
    )
    async with two(tmp_path, Alice=alice) as both:
        ann, ben = both.ann, both.ben
        await write(ann, "Alice, a taxi please.")
        for tab in (ann, ben):
            await tab.until("document.querySelector('.tool .who').textContent === 'Alice'")
            await tab.until("document.querySelector('.approval')")
            assert await tab.evaluate("document.querySelector('#interrupt').ariaDisabled") == "false"
        await ben.click(".approval .primary")
        await ann.until("document.querySelector('.outcome').textContent === 'Approved by somebody else'")
        assert await ben.evaluate("document.querySelector('.outcome').textContent") == "Approved"
        for tab in (ann, ben):
            await tab.until("document.querySelector('.tool .result').textContent.includes('comes in five minutes')")


async def test_coming_in(tmp_path: Path) -> None:
    """Whoever has no name in the address is asked; a room that does not exist is said not to, nobody comes twice."""
    async with open_room({"Alice": brain()}) as room, open_chromium(tmp_path / "profile") as browser:
        tab = await browser.open(f"{room.url}?room=lobby", width=320, height=568)
        await tab.until("document.querySelector('#name-dialog').open")
        await tab.write("Zoë <b>")
        await tab.press("Enter")
        await tab.until(READY)
        await tab.until(f"{PEOPLE}.sort().join() === 'Alice,Zoë <b> (you)'")
        assert await tab.evaluate("document.querySelectorAll('#participants b').length") == 0
        assert await tab.evaluate("new URLSearchParams(location.search).get('as')") == "Zoë <b>"
        assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        again = await browser.open(await tab.evaluate("location.href"))
        with trio.fail_after(30):
            assert "is in this room already" in await again.until(PROBLEM)
        lost = await browser.open(f"{room.url}?room=loby&as=Cid")
        await lost.until("document.querySelector('.note.error')")
        assert await lost.evaluate(NOTES) == ["There is no room 'loby': there is 'lobby'."]
