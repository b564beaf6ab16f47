"""What the speech brain answers: pure, from the conversation, the tools offered and the time of day."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from realtime_actors.simulators.brain import Call, Say, Turn
from realtime_actors.simulators.speech.understanding import (
    COUNT_LIMIT,
    NUMBERS,
    Count,
    Date,
    Goodbye,
    Hello,
    Intent,
    NotUnderstood,
    Repeat,
    Taxi,
    Thanks,
    Time,
    Weather,
    understand,
)

__all__ = ["answer", "spoken_result"]

ABILITIES = "the time, the date, or the weather in Paris, or tell me to count to ten"
_LONGEST_RESULT = 600  # characters, some 40 s of speech


def answer(turns: Sequence[Turn], tools: Sequence[str], now: datetime) -> list[Say | Call]:
    """The answer to a conversation (oldest turn first) when `tools` may be called.

    Tool results since the last words are spoken; otherwise the last thing the user said is answered, and a
    conversation in which the user has said nothing begins with a greeting.
    """
    results: list[Turn] = []
    for turn in reversed(turns):
        if turn.role == "tool":
            results.append(turn)
        elif turn.role == "user" or (turn.role == "assistant" and not turn.name):
            break
    if results:
        return [Say(" ".join(spoken_result(turn.text) for turn in reversed(results)))]
    said = [index for index, turn in enumerate(turns) if turn.role == "user"]
    if not said:
        return [_answer(Hello(), (), tools, now)]
    return [_answer(understand(turns[said[-1]].text), turns[: said[-1]], tools, now)]


def _answer(intent: Intent, before: Sequence[Turn], tools: Sequence[str], now: datetime) -> Say | Call:  # noqa: PLR0911, PLR0912  # one for each intent
    match intent:
        case Hello():
            return Say(f"Hello! You can ask me for {ABILITIES}.")
        case Time():
            return Call("get_time") if "get_time" in tools else Say(f"It is {_time(now)}.")
        case Date():
            return Call("get_date") if "get_date" in tools else Say(f"Today is {_date(now)}.")
        case Weather(city=""):
            return Say("In which city? Ask me, for example, for the weather in Paris.")
        case Weather(city=city) if "get_weather" in tools:
            return Call("get_weather", json.dumps({"city": city}, ensure_ascii=False))
        case Weather(city=city):
            return Say(f"I have no way to look up the weather in {city}: no weather tool was given to me.")
        case Count(to=to) if 2 <= to <= COUNT_LIMIT:
            return Say(f"{', '.join(NUMBERS[:to]).capitalize()}.")
        case Count():
            return Say("I can count from one to any number from two to thirty.")
        case Repeat():
            return Say(_last_words(before) or "I have not said anything yet.")
        case Taxi(to=to) if "order_taxi" in tools:
            return Call("order_taxi", json.dumps({"to": to} if to else {}, ensure_ascii=False))
        case Taxi():
            return Say("I cannot order taxis: no tool for that was given to me.")
        case Goodbye():
            return Say("Goodbye! It was nice to talk to you.")
        case Thanks():
            return Say("You are welcome.")
        case NotUnderstood():
            return Say(f"Sorry, I did not understand that. You can ask me for {ABILITIES}.")


def spoken_result(text: str) -> str:
    """A tool's result as a sentence: plain text as it is; of JSON the words and numbers, without the braces."""
    try:
        value = cast(object, json.loads(text))
    except ValueError:
        value = text
    words = _in_words(value).strip()[:_LONGEST_RESULT].strip()
    if not words:
        return "The tool gave no answer."
    sentence = words[0].upper() + words[1:]
    return sentence if sentence[-1] in ".!?" else f"{sentence}."


def _in_words(value: object) -> str:
    match value:
        case {"type": "text", "text": str(text)}:
            return text
        case dict():
            items = cast(dict[str, object], value).items()
            return ", ".join(f"{key.replace('_', ' ')}: {_in_words(item)}" for key, item in items)
        case list():
            return ", ".join(map(_in_words, cast(list[object], value)))
        case None | bool():
            return {None: "", True: "yes", False: "no"}[value]
        case _:
            return str(value)


def _last_words(turns: Sequence[Turn]) -> str:
    return next((t.text for t in reversed(turns) if t.role == "assistant" and not t.name and t.text), "")


def _time(now: datetime) -> str:
    part = "in the morning" if now.hour < 12 else "in the afternoon" if now.hour < 18 else "in the evening"
    hour = now.hour % 12 or 12
    return f"{hour}:{now.minute:02} {part}" if now.minute else f"{hour} o'clock {part}"


def _date(now: datetime) -> str:
    suffix = "th" if now.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(now.day % 10, "th")
    return f"{now:%A}, the {now.day}{suffix} of {now:%B} {now.year}"
