"""What the speech brain answers, without any speech."""

import json
from collections.abc import Sequence
from datetime import datetime

import pytest

from realtime_actors.simulators.brain import Call, Say, Turn
from realtime_actors.simulators.speech import SpeechBrain

NOW = datetime(2026, 11, 3, 15, 5)


def user(text: str) -> Turn:
    return Turn("user", text)


def assistant(text: str) -> Turn:
    return Turn("assistant", text)


async def reply(*turns: Turn, tools: Sequence[str] = ("get_weather",), now: datetime = NOW) -> Sequence[Say | Call]:
    return await SpeechBrain(now=lambda: now).reply(turns, tools)


async def said(*turns: Turn, tools: Sequence[str] = (), now: datetime = NOW) -> str:
    (part,) = await reply(*turns, tools=tools, now=now)
    assert isinstance(part, Say)
    return part.text


@pytest.mark.parametrize(
    ("hour", "minute", "words"),
    [
        (0, 0, "12 o'clock in the morning"),
        (9, 41, "9:41 in the morning"),
        (12, 0, "12 o'clock in the afternoon"),
        (15, 5, "3:05 in the afternoon"),
        (23, 59, "11:59 in the evening"),
    ],
)
async def test_the_time_is_the_clock_s(hour: int, minute: int, words: str) -> None:
    """Told in words that can be spoken."""
    now = NOW.replace(hour=hour, minute=minute)
    assert await said(user("what time is it"), now=now) == f"It is {words}."


async def test_the_date_is_the_clock_s() -> None:
    """With the ordinal that belongs to the day."""
    assert await said(user("what is the date")) == "Today is Tuesday, the 3rd of November 2026."
    for day, ordinal in [(1, "1st"), (2, "2nd"), (11, "11th"), (13, "13th"), (21, "21st"), (30, "30th")]:
        assert f"the {ordinal} of" in await said(user("what day is it"), now=NOW.replace(day=day))


async def test_tools_for_time_and_date_are_called_if_there_are_any() -> None:
    """The session's own tools come before the clock."""
    tools = ["get_date", "get_time"]
    assert await reply(user("what time is it"), tools=tools) == [Call("get_time")]
    assert await reply(user("what is the date"), tools=tools) == [Call("get_date")]


async def test_a_taxi_is_a_tool_call() -> None:
    """With where it goes, if that was said; without the tool it says that it cannot."""
    for text, arguments in (("Order a taxi.", "{}"), ("order a taxi to the station", '{"to": "the station"}')):
        assert await reply(user(text), tools=["order_taxi"]) == [Call("order_taxi", arguments)]
    assert "cannot order taxis" in await said(user("order a taxi"), tools=["get_weather"])


async def test_the_weather_is_a_tool_call() -> None:
    """With the city as its argument; without the tool it says that it cannot know."""
    (call,) = await reply(user("What is the weather in New York?"))
    assert isinstance(call, Call)
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "New York"})
    assert "no way to look up the weather in Paris" in await said(user("what is the weather in paris"))
    assert "In which city?" in await said(user("what is the weather"), tools=["get_weather"])


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("It is sunny in Paris.", "It is sunny in Paris."),
        ('"sunny, 21 degrees"', "Sunny, 21 degrees."),
        ('{"city": "Paris", "wind_speed": 3.5, "rain": false}', "City: Paris, wind speed: 3.5, rain: no."),
        ('[{"type": "text", "text": "Sunny."}]', "Sunny."),
        ('{"error": "no such city"}', "Error: no such city."),
        ("21", "21."),
        ("{broken", "{broken."),
        ("", "The tool gave no answer."),
        ("null", "The tool gave no answer."),
    ],
)
async def test_a_tool_s_result_is_spoken(result: str, words: str) -> None:
    """Text as it is, JSON without its braces."""
    call = Turn("assistant", '{"city": "Paris"}', name="get_weather", call_id="c1")
    output = Turn("tool", result, name="get_weather", call_id="c1")
    assert await said(user("weather in Paris"), call, output) == words


async def test_results_of_parallel_calls_are_spoken_in_order() -> None:
    """All of the batch, none of an earlier one, and never without end."""
    old = [
        user("weather in Rome"),
        Turn("assistant", "{}", "get_weather", "c0"),
        Turn("tool", "old", "get_weather", "c0"),
        assistant("Old."),
    ]
    calls = [Turn("assistant", "{}", "get_weather", "c1"), Turn("assistant", "{}", "get_weather", "c2")]
    results = [Turn("tool", "first", "get_weather", "c1"), Turn("tool", "second", "get_weather", "c2")]
    assert await said(*old, user("weather"), *calls, *results) == "First. Second."
    assert len(await said(user("weather"), Turn("tool", "long " * 10_000))) < 700


async def test_a_new_question_comes_before_an_old_result() -> None:
    """After the result was there, but before it was spoken, the user asked something else."""
    late = Turn("tool", "sunny", "get_weather", "c1")
    assert await said(user("weather in Paris"), late, user("thank you")) == "You are welcome."


async def test_it_counts_as_far_as_it_was_told() -> None:
    """To thirty at most, and says so if it was asked for more or less."""
    assert await said(user("count to five")) == "One, two, three, four, five."
    long = await said(user("count from one to thirty"))
    assert long.count(",") == 29
    assert long.endswith("twenty nine, thirty.")
    for out_of_range in ("count to 31", "count to one", "count to 1000", "count to infinity"):
        assert "from two to thirty" in await said(user(out_of_range))


async def test_it_repeats_its_last_words() -> None:
    """What it said last, not what it called; if it said nothing yet, it says that."""
    call = Turn("assistant", '{"city": "Paris"}', name="get_weather", call_id="c1")
    assert await said(assistant("One, two."), user("x"), call, user("say that again")) == "One, two."
    assert await said(user("please repeat that")) == "I have not said anything yet."


async def test_what_it_does_not_understand_it_says_so() -> None:
    """Plainly, and with what one can ask; also when no word was understood."""
    for text in ("the quick brown fox", ""):
        answer = await said(user(text))
        assert answer.startswith("Sorry, I did not understand that. You can ask me for the time, the date")


async def test_small_talk() -> None:
    """Hello, thanks, goodbye, and a greeting when the user has said nothing."""
    assert (await said(user("hello"))).startswith("Hello! You can ask me")
    assert (await said()).startswith("Hello!")
    assert (await said(Turn("system", "Be brief."))).startswith("Hello!")
    assert await said(user("thanks")) == "You are welcome."
    assert (await said(user("goodbye"))).startswith("Goodbye!")
