"""The page when the connection, the token or the agent fails."""

from pathlib import Path
from urllib.parse import quote

import pytest
from demo_stack import Droppable
from talking import EAR, PROBLEM, READY, SPEAKING, talk

from realtime_actors.simulators import Endless, Reply, Say, ScriptedBrain

pytestmark = pytest.mark.page

NOTES = "[...document.querySelectorAll('.note')].map((each) => each.textContent)"
STORY = "Once upon a time there was a king who had three daughters, and each of them was as fair as the day."
TOKEN = "s3cret/with=odd (chars)"


async def test_lost_and_found(tmp_path: Path) -> None:
    """The gateway goes and comes back on its port: the page says so, keeps what is typed, and goes on by itself."""
    brain = ScriptedBrain(replies=[Reply([Endless()]), Reply([Say("Here again.")])])
    async with talk(tmp_path, brain=brain, complaints=True) as talking:
        tab = talking.tab
        session = await tab.evaluate("realtime.client.sessionId")
        await talking.type("hello")
        await tab.until(SPEAKING)
        await talking.demo.stop_gateway()
        await tab.until("document.querySelector('#connection').dataset.state === 'waiting'")
        assert "The connection is lost" in await tab.until(PROBLEM)
        await talking.type("are you there?")
        assert "not sent" in await tab.until(PROBLEM)
        assert await tab.evaluate("document.querySelector('#text').value") == "are you there?"
        await talking.demo.start_gateway()
        await tab.until(READY)
        assert await tab.evaluate("document.querySelector('#problem').hidden")
        (note,) = await tab.evaluate(NOTES)
        assert "does not remember" in note
        assert await tab.evaluate("realtime.client.sessionId") == session
        await tab.press("Enter")
        await tab.until("document.querySelectorAll('.turn.agent').length === 2")
        await tab.until("stops.length && !stops.at(-1).flushed && !realtime.player.isSpeaking")
        assert (await talking.words("agent"))[1] == "Here again."


async def test_a_model_that_is_lost_for_a_while(tmp_path: Path) -> None:
    """The page says so, and what the model remembers; what is said meanwhile is heard when it is there again."""
    brain = ScriptedBrain(
        replies=[Reply([Say(STORY)], when="story"), Reply([Say("It is noon.")], knows="story")],
        transcripts=["what time is it"],
    )
    async with talk(tmp_path, 0.3, "time", 20.0, brain=brain, kind=Droppable) as talking:
        tab, simulator = talking.tab, talking.demo.simulator
        assert isinstance(simulator, Droppable)
        await talking.type("Tell me a story.")
        await tab.until(SPEAKING)
        simulator.drop()
        await tab.until("document.querySelector('#connection-words').textContent === 'Reconnecting …'")
        assert await tab.evaluate(NOTES) == ["The connection to the model is lost. Reconnecting …"]
        facts = await tab.evaluate("document.querySelector('.turn.agent .facts').textContent")
        assert "cut short: the model was lost" in facts
        await tab.evaluate("realtime.player.flush(); null")  # what was made is heard to its end otherwise
        await tab.click("#microphone")
        await tab.until("realtime.microphone.lastLoud && performance.now() - realtime.microphone.lastLoud > 600")
        assert await tab.evaluate("document.querySelector('#activity').textContent") == (
            "Listening: it is kept for the model"
        )
        simulator.go_on()
        await tab.until(READY)
        (note,) = await tab.evaluate(NOTES)
        assert note.startswith("The model is connected again after ")
        assert note.endswith("It remembers all of the conversation.")
        await tab.until("document.querySelectorAll('.turn.user .words')[1].textContent === 'what time is it'")
        await tab.until("document.querySelectorAll('.turn.agent .words')[1].textContent === 'It is noon.'")
        assert await tab.evaluate("document.querySelectorAll('.note.error').length") == 0


async def test_connecting_at_once(tmp_path: Path) -> None:
    """Whoever does not want to wait for the next attempt presses a button."""
    async with talk(tmp_path, brain=ScriptedBrain(), complaints=True) as talking:
        tab = talking.tab
        await tab.evaluate("realtime.client.backoff = {first: 600_000, most: 600_000}; null")
        await talking.demo.stop_gateway()
        await tab.until("document.querySelector('#connection').dataset.state === 'waiting'")
        await talking.demo.start_gateway()
        await tab.click("#connect")
        await tab.until(READY)


async def test_a_token(tmp_path: Path) -> None:
    """It is asked for, a wrong one is said to be wrong, and the right one is nowhere but in this tab's storage."""
    async with talk(tmp_path, brain=ScriptedBrain(), token=TOKEN) as talking:
        tab = talking.tab
        await tab.until("document.querySelector('#token-dialog').open")
        await tab.write("wrong")
        await tab.press("Enter")
        await tab.until("document.querySelector('#token-words').textContent.includes('not accepted')")
        assert await tab.evaluate("sessionStorage.length") == 0
        await tab.write(TOKEN)
        await tab.press("Enter")
        await tab.until(READY)
        await tab.call("Page.reload")
        await tab.until(f"{READY} && !document.querySelector('#token-dialog').open")
        assert await tab.evaluate("location.href + document.documentElement.outerHTML + document.cookie")
        seen = await tab.evaluate("location.href + document.documentElement.outerHTML + document.cookie")
        assert TOKEN not in seen
        assert quote(TOKEN, safe="") not in seen
        assert await tab.evaluate("localStorage.length") == 0
        assert await tab.evaluate("[...Array(sessionStorage.length).keys()].length") == 1


async def test_an_agent_that_cannot_start(tmp_path: Path) -> None:
    """The provider's reason is shown in words, and one can try again."""
    async with talk(tmp_path, brain=ScriptedBrain(), key="bad-key-123") as talking:
        tab = talking.tab
        await tab.until("document.querySelector('#connection').dataset.state === 'ended'")
        (error,) = await tab.evaluate("[...document.querySelectorAll('.note.error')].map((each) => each.textContent)")
        assert len(error.split()) > 4
        assert "bad-key" not in error
        talking.demo.simulator.accept_key = lambda _: True
        await tab.click("#connect")
        await tab.until(READY)


async def test_a_provider_that_refuses_a_request(tmp_path: Path) -> None:
    """An error of one event is shown, and the conversation goes on."""
    brain = ScriptedBrain(replies=[Reply([Say("Fine.")])])
    async with talk(tmp_path, brain=brain) as talking:
        tab = talking.tab
        await tab.evaluate("realtime.client.send({type: 'client_audio_append', audio: 7})")
        await tab.until("document.querySelector('.note.error').textContent.includes('audio')")
        await talking.type("hello")
        await tab.until("stops.length === 1")
        assert await talking.words("agent") == ["Fine."]


async def test_two_tabs(tmp_path: Path) -> None:
    """Each page has a session of its own."""
    brain = ScriptedBrain(default=[Say("Yes.")])
    async with talk(tmp_path, brain=brain) as talking:
        other = await talking.browser.open(talking.demo.url)
        await other.evaluate(EAR)
        await other.until(READY)
        assert (await talking.demo.status()).sessions == 2
        await other.evaluate("realtime.conversation.say('hello')")
        await other.until("document.querySelector('.turn.agent')")
        assert await talking.words("agent") == []
