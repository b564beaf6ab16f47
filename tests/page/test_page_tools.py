"""Tool calls in the page: one that waits to be allowed, and how far one has come."""

from pathlib import Path

import pytest
from talking import Talk, talk

from realtime_actors.agents import tool
from realtime_actors.simulators import Call, Reply, Say, ScriptedBrain

pytestmark = pytest.mark.page

CARD = "document.querySelector('.approval')"
RESULT = "document.querySelector('.tool .result').textContent"
OUTCOME = "document.querySelector('.tool .outcome').textContent"


def taxi(to: str = "the station") -> ScriptedBrain:
    replies = [Reply([Call("order_taxi", f'{{"to": "{to}"}}')], when="taxi"), Reply([Say("Done.")])]
    return ScriptedBrain(replies=replies)


async def ask(talking: Talk) -> None:
    await talking.type("A taxi to the station, please.")
    await talking.tab.until(CARD)


async def test_a_call_waits_for_a_click_and_shows_how_far_it_has_come(tmp_path: Path) -> None:
    async with talk(tmp_path, brain=taxi()) as talking:
        tab = talking.tab
        await ask(talking)
        assert await tab.evaluate(f"{CARD}.querySelector('.question').textContent") == "Allow order_taxi to run?"
        shown = "[...document.querySelectorAll('.approval :is(dt, dd)')].map((each) => each.textContent)"
        assert await tab.evaluate(shown) == ["to", "the station"]
        assert await tab.evaluate(f"{CARD}.querySelector('.left').textContent") in ("60 s left", "59 s left")
        await tab.screenshot(tmp_path / "approval.png")
        await tab.click(".approval .primary")
        await tab.until(f"{RESULT} === 'Asking the driver' && document.querySelector('.tool progress').value > 0.3")
        await tab.screenshot(tmp_path / "progress.png")
        assert await tab.evaluate(f"{CARD} === null")
        await tab.until(f"{RESULT}.includes('comes in five minutes')")
        assert await tab.evaluate(OUTCOME) == "Approved"
        assert await tab.evaluate("document.querySelector('.tool progress') === null")
        await tab.until("stops.length === 1")
        assert await talking.words("agent") == ["Done."]


async def test_by_keyboard(tmp_path: Path) -> None:
    """The card is reached with Tab, says what it is about, and is told to those who listen to the page."""
    async with talk(tmp_path, brain=taxi()) as talking:
        tab = talking.tab
        await ask(talking)
        assert await tab.evaluate("document.activeElement.id") == "text", "whoever types is left alone"
        announced = await tab.evaluate("document.querySelector('#announcements').textContent")
        assert 'order_taxi(to: "the station") waits to be approved or declined.' in announced
        await tab.evaluate("document.querySelector('#conversation').focus()")
        await tab.press("Tab")
        assert await tab.evaluate("document.activeElement.textContent") == "Approve"
        await tab.press("Tab")
        assert await tab.evaluate("document.activeElement.placeholder") == "Why not? (optional)"
        await tab.press("Tab")
        assert await tab.evaluate("document.activeElement.textContent") == "Decline"
        tree = await tab.call("Accessibility.getFullAXTree")
        groups = [node["name"]["value"] for node in tree["nodes"] if node.get("role", {}).get("value") == "group"]
        assert "Allow order_taxi to run?" in groups
        await tab.press("Enter")
        await tab.until(f"{OUTCOME} === 'Declined'")
        assert await tab.evaluate("document.activeElement.className") == "tool"
        assert await tab.evaluate(f"{CARD} === null")


async def test_a_reason_for_a_no_is_told_to_the_model(tmp_path: Path) -> None:
    """Enter in its field declines; afterwards one sees that, and why, instead of a question."""
    brain = taxi()
    async with talk(tmp_path, brain=brain) as talking:
        tab = talking.tab
        await ask(talking)
        await tab.click(".approval .reason")
        await tab.write("too far, I walk")
        await tab.press("Enter")
        await tab.until(f"{OUTCOME} === 'Declined: too far, I walk' && {CARD} === null")
        assert await tab.evaluate("document.querySelector('.tool').innerText.split('\\n').length") == 2
        await tab.until("stops.length === 1")
        assert [turn.text for turn in brain.heard if turn.role == "tool"] == [
            "This call was not carried out: the user declined it: too far, I walk"
        ]


@tool(needs_approval=True, approval_timeout=1)
def sell_house() -> str:
    """Sell the house."""
    raise AssertionError("it was not allowed")


async def test_a_question_that_nobody_answers(tmp_path: Path) -> None:
    """It says so when its time is over, to those who listen to the page as well."""
    brain = ScriptedBrain(replies=[Reply([Call("sell_house", "{}")], when="sell"), Reply([Say("I kept it.")])])
    async with talk(tmp_path, brain=brain, tools=[sell_house]) as talking:
        tab = talking.tab
        await talking.type("Sell it.")
        await tab.until(CARD)
        await tab.until(f"{OUTCOME} === 'Not answered within 1 s, so it did not run' && {CARD} === null")
        assert "Not answered" in await tab.evaluate("document.querySelector('#announcements').textContent")
        assert not await tab.evaluate("document.querySelector('.tool .result').checkVisibility()")


async def test_an_interruption_takes_the_question_away(tmp_path: Path) -> None:
    async with talk(tmp_path, brain=taxi()) as talking:
        tab = talking.tab
        await ask(talking)
        await tab.evaluate("realtime.client.cancelResponse()")
        await tab.until(f"{CARD} === null && !{RESULT}.includes('running')")


async def test_without_a_connection_there_is_nothing_to_answer(tmp_path: Path) -> None:
    async with talk(tmp_path, brain=taxi(), complaints=True) as talking:
        tab = talking.tab
        await ask(talking)
        await talking.demo.stop_gateway()
        await tab.until(f"{CARD} === null")
        assert await tab.evaluate(RESULT) == "The call was abandoned: the agent has ended."


@pytest.mark.parametrize("size", [(320, 568), (1280, 800)])
async def test_long_arguments_and_markup_stay_inside(tmp_path: Path, size: tuple[int, int]) -> None:
    nasty = "<img src=x onerror=alert(1)>" + "x" * 300
    async with talk(tmp_path, brain=taxi(nasty)) as talking:
        tab = talking.tab
        await tab.resize(*size)
        await ask(talking)
        assert await tab.evaluate("document.querySelectorAll('#log img').length") == 0
        assert await tab.evaluate("document.querySelector('#conversation').scrollWidth <= innerWidth")
        outside = """[...document.querySelectorAll('.approval button')].filter((each) => {
          const box = each.getBoundingClientRect();
          return !box.width || box.left < 0 || box.right > innerWidth;
        }).length"""
        assert await tab.evaluate(outside) == 0
