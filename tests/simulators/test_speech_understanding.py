"""What the speech brain understands, and the grammar it listens with."""

import itertools
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.simulators.speech import (
    CITIES,
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
    grammar,
    understand,
)

EXPECTED: dict[str, Intent] = {
    "hello": Hello(),
    "Hi there!": Hello(),
    "good morning": Hello(),
    "What time is it?": Time(),
    "what's the time": Time(),
    "What\u2019s the time, please?": Time(),
    "Tell me the time.": Time(),
    "could you tell me the time": Time(),
    "Hello! What time is it now?": Time(),
    "hello what time is it": Time(),
    "what day is it today?": Date(),
    "What's today's date?": Date(),
    "tell me the date": Date(),
    "What is the weather in Paris?": Weather("Paris"),
    "how is the weather in new york": Weather("New York"),
    "What's the weather like in London today, please?": Weather("London"),
    "and how about TOKYO": Weather("Tokyo"),
    "weather paris": Weather("Paris"),
    "What's the weather in Lisbon?": Weather("Lisbon"),
    "Tell me the forecast for San Francisco": Weather("San Francisco"),
    "what is the weather like": Weather(""),
    "count from one to ten": Count(10),
    "Count to 10.": Count(10),
    "please count from 1 to 30": Count(30),
    "Can you count to twenty-one?": Count(21),
    "count to 100": Count(0),
    "count to ninety nine": Count(99),
    "count to a million": Count(0),
    "please repeat that": Repeat(),
    "Say that again, please.": Repeat(),
    "What did you say?": Repeat(),
    "Order a taxi.": Taxi(""),
    "Please call me a taxi, please!": Taxi(""),
    "could you order a taxi to the airport": Taxi("the airport"),
    "Good bye": Goodbye(),
    "bye bye!": Goodbye(),
    "Thank you, goodbye.": Goodbye(),
    "thanks a lot": Thanks(),
    "": NotUnderstood(),
    "?!": NotUnderstood(),
    "the quick brown fox": NotUnderstood(),
    "what time does the train leave": NotUnderstood(),
    "how about a pizza": NotUnderstood(),
    "count from five to ten": NotUnderstood(),
    "do you know the weather in the place where my old aunt lives": NotUnderstood(),
}


@pytest.mark.parametrize("text", EXPECTED)
def test_wordings_that_people_type(text: str) -> None:
    """Case, punctuation, digits, short forms and polite words do not matter; anything else is not understood."""
    assert understand(text) == EXPECTED[text]


def expand(body: str, rules: dict[str, str]) -> Iterator[str]:
    """All sentences of a JSGF rule without recursion."""
    tokens = re.findall(r"[\[\]()|]|[^\s\[\]()|]+", body)
    position = 0

    def alternatives() -> list[str]:
        nonlocal position
        found = sequence()
        while position < len(tokens) and tokens[position] == "|":
            position += 1
            found += sequence()
        return found

    def sequence() -> list[str]:
        nonlocal position
        found = [""]
        while position < len(tokens) and tokens[position] not in ("|", "]", ")"):
            token = tokens[position]
            position += 1
            if token in ("[", "("):
                choices = alternatives() + ([""] if token == "[" else [])
                position += 1
            elif token in rules:
                choices = list(expand(rules[token], rules))
            else:
                choices = [token]
            found = [f"{left} {right}".strip() for left, right in itertools.product(found, choices)]
        return found

    yield from alternatives()


def spoken_sentences() -> list[str]:
    lines = [line.rstrip(";").split(" = ") for line in grammar().splitlines() if " = " in line]
    rules = {name: body for name, body in lines if not name.startswith("public ")}
    (sentences,) = [body for name, body in lines if name.startswith("public ")]
    return list(expand(sentences, rules))


def test_every_sentence_of_the_grammar_is_understood() -> None:
    """What the recogniser can hear has a meaning, and the grammar reaches every intent, city and number."""
    intents = {sentence: understand(sentence) for sentence in spoken_sentences()}
    assert [sentence for sentence, intent in intents.items() if intent == NotUnderstood()] == []
    found = set(intents.values())
    assert {Weather(city) for city in CITIES} | {Count(to) for to in range(2, 31)} <= found
    assert {Hello(), Time(), Date(), Repeat(), Goodbye(), Thanks()} <= found
    taxis = {Taxi(""), Taxi("the airport"), Taxi("the station")}
    assert taxis <= found
    assert len(found) == len(CITIES) + 29 + 6 + len(taxis)


@given(st.text(max_size=200))
def test_any_text_has_an_intent(text: str) -> None:
    """Whatever is typed, nothing is raised."""
    assert isinstance(understand(text), Intent)


@pytest.mark.parametrize("text", ["please " * 50_000, "weather in " * 20_000, "a, " * 50_000, "1" * 100_000])
def test_long_text_takes_no_long_time(text: str) -> None:
    """The work is bounded, also for text made to be slow (the test's own time limit is the check)."""
    assert isinstance(understand(text), Intent)
