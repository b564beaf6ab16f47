"""What the speech brain understands: from words, spoken or typed, to what is wanted.

Pure. The recogniser listens for the sentences of `grammar`; `understand` takes those and, more freely, whatever
people type.
"""

import re
from collections.abc import Sequence

import attrs

__all__ = [
    "CITIES",
    "Count",
    "Date",
    "Goodbye",
    "Hello",
    "Intent",
    "NotUnderstood",
    "Repeat",
    "Taxi",
    "Thanks",
    "Time",
    "Weather",
    "grammar",
    "understand",
]

CITIES = (
    "Amsterdam",
    "Beijing",
    "Berlin",
    "Cairo",
    "Chicago",
    "Dublin",
    "London",
    "Madrid",
    "New York",
    "Paris",
    "Rome",
    "Sydney",
    "Tokyo",
    "Vienna",
)
"""The cities that are understood when spoken; typed, any place is."""

_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBERS = (*_ONES, *_TEENS, *(" ".join(pair).strip() for ten in _TENS for pair in ((ten, one) for one in ("", *_ONES))))
"""The numbers from 1 to 99 in words, in order."""

COUNT_LIMIT = 30
"""The highest number that is counted to."""


@attrs.frozen
class Hello:
    """A greeting."""


@attrs.frozen
class Time:
    """What time is it?"""


@attrs.frozen
class Date:
    """What day is it?"""


@attrs.frozen
class Weather:
    """What is the weather in `city` ("" if none was named)?"""

    city: str


@attrs.frozen
class Count:
    """Count from one to `to`, which may be out of range (0 if it is no number from 1 to 99)."""

    to: int


@attrs.frozen
class Repeat:
    """Say the last thing again."""


@attrs.frozen
class Taxi:
    """Order a taxi to `to` ("" if no place was named)."""

    to: str


@attrs.frozen
class Goodbye:
    """A farewell."""


@attrs.frozen
class Thanks:
    """Thank you."""


@attrs.frozen
class NotUnderstood:
    """Anything else, and nothing at all."""


Intent = Hello | Time | Date | Weather | Count | Repeat | Taxi | Goodbye | Thanks | NotUnderstood

# JSGF: [optional], (this | that). Every sentence here is understood by `understand`, which a test holds.
_SENTENCES = (
    "hello [there]",
    "hi there",
    "good (morning | afternoon | evening)",
    "what time is it [now]",
    "what time it is",
    "(what is | what's) the time",
    "[please] tell me the time",
    "(can | could) you tell me the time",
    "(what is | what's) (the date | today's date) [today]",
    "what day is it [today]",
    "[please] tell me the date",
    "(what is | what's) the weather [like] in <city>",
    "(how is | how's) the weather in <city>",
    "[please] tell me the weather in <city>",
    "[and] (what | how) about <city>",
    "[please] count [from one] to <number>",
    "(can | could) you count [from one] to <number>",
    "[please] repeat that [please]",
    "(can | could) you repeat that [please]",
    "[please] say that again [please]",
    "[please] (order | call) [me] a taxi [please]",
    "[please] order a taxi to the (airport | station)",
    "what did you say",
    "goodbye",
    "bye bye",
    "see you later",
    "thank you [very much]",
    "thanks a lot",
)


_SENTENCE = f"({' | '.join(_SENTENCES)})"
_ASKED_FOR = "for the (time | date | weather in <city>)"


def grammar(names: Sequence[str] = ()) -> str:
    """The sentences that are understood when spoken, as a JSGF grammar named `demo`.

    Those of these `names`, English words, may be spoken to: "Bob, what time is it", "Alice, ask Bob for the time".
    """
    sentence = _SENTENCE
    if names:
        name = _one_of(names)
        sentence = f"[{name}] {_SENTENCE} | [{name}] ask {name} ({_ASKED_FOR} | {_SENTENCE})"
    return "\n".join((
        "#JSGF V1.0;",
        "grammar demo;",
        f"<city> = {_one_of(CITIES)};",
        f"<number> = {_one_of(NUMBERS[1:COUNT_LIMIT])};",
        f"public <sentence> = {sentence};",
    ))  # fmt: skip


def _one_of(words: Sequence[str]) -> str:
    return f"({' | '.join(words).lower()})"


_LEAD = (
    r"(?:(?:hello|hi|hey|good (?:morning|afternoon|evening)|thank you|thanks|there|ok|okay|well|so|and|now|please"
    r"|excuse me|(?:can|could|would|will) you) )*"
)
_TAIL = r"(?: (?:now|right now|today|please|again|for me|thanks|thank you))*"
_FIXED: tuple[tuple[str, Intent], ...] = (
    (
        r"what time is it|(?:what is )?the (?:current )?time(?: is it)?|(?:tell|give) me (?:the|what) time(?: it is)?"
        r"|do you (?:have|know) (?:the|what) time(?: it is)?|what time it is",
        Time(),
    ),
    (
        r"(?:what is |what |tell me |give me )?(?:the |today's |the current )date(?: is it| it is)?"
        r"|what (?:day|date) is (?:it|this|today)|what is today|(?:tell me )?what (?:day|date) it is",
        Date(),
    ),
    (
        r"(?:repeat|say) (?:that|it|this)(?: once more)?|repeat(?: what you (?:just )?said| yourself)?|say again"
        r"|what did you (?:just )?say|once more|pardon(?: me)?|come again",
        Repeat(),
    ),
    (r"good ?bye|bye(?: bye)?|see you(?: later| soon| tomorrow)?|good night|farewell", Goodbye()),
    (r"thank you(?: very much| so much)?|(?:many )?thanks(?: a lot| very much)?", Thanks()),
    (r"hello(?: there)?|hi(?: there)?|hey(?: there)?|good (?:morning|afternoon|evening|day)", Hello()),
)
_RULES = tuple((re.compile(f"{_LEAD}(?:{pattern}){_TAIL}"), intent) for pattern, intent in _FIXED)
_COUNT = re.compile(f"{_LEAD}count (?:(?:from )?(?:one|1) |up )?(?:up )?to (.+?){_TAIL}")
_WEATHER = re.compile(
    rf".*\b(?:weather|forecast|temperature)\b(.*?)(?:\b(?:in|for|at|of) (?:the city of )?(.+?))?{_TAIL}"
)
_TAXI = re.compile(f"{_LEAD}(?:order|call|get|book) (?:me |us )?(?:a|the) (?:taxi|cab)(?: to (.+?))?{_TAIL}")
_WHAT_ABOUT = re.compile(f"{_LEAD}(?:what|how) about (?:in )?(.+?){_TAIL}")
_KNOWN = {city.lower(): city for city in CITIES}
_SMALL_TALK = (NotUnderstood, Hello, Thanks)


def understand(text: str) -> Intent:
    """What `text` asks for. Case, punctuation and polite words do not matter; numbers may be digits.

    Of several sentences the first that asks for something counts.
    """
    sentences = [text, *re.split(r"[.?!;,\n]+", text[:2000])]
    intents = [_understand(words) for words in map(_words, sentences) if words]
    asked = [intent for intent in intents if not isinstance(intent, _SMALL_TALK)]
    polite = [intent for intent in intents if not isinstance(intent, NotUnderstood)]
    return next(iter(asked + polite), NotUnderstood())


def _understand(words: str) -> Intent:
    for rule, intent in _RULES:
        if rule.fullmatch(words):
            return intent
    if match := _COUNT.fullmatch(words):
        return Count(_number(match[1]))
    if match := _TAXI.fullmatch(words):
        return Taxi(match[1] or "")
    if match := _WHAT_ABOUT.fullmatch(words):
        return Weather(_KNOWN[match[1]]) if match[1] in _KNOWN else NotUnderstood()
    if match := _WEATHER.fullmatch(words):
        known = next((city for name, city in _KNOWN.items() if re.search(rf"\b{name}\b", words)), None)
        place = known or (match[2] or "").title()
        return Weather(place) if place.count(" ") < 3 and match[1].count(" ") < 3 else NotUnderstood()
    return NotUnderstood()


def _words(text: str) -> str:
    """Lower-case words with single spaces, short forms written out."""
    plain = re.sub(r"[^\w' ]+", " ", text[:2000].lower().replace("\u2019", "'"))
    plain = re.sub(r"\b(what|how|it|that)'?s\b", r"\1 is", plain)
    return " ".join(plain.split())


def _number(words: str) -> int:
    if words.isascii() and words.isdigit():
        value = int(words[:3])
        return value if value < 100 else 0
    return NUMBERS.index(words) + 1 if words in NUMBERS else 0
