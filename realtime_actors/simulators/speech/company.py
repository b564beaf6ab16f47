"""What the speech brain answers where several speak: before it stands who says it, and to whom. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime

import attrs

from realtime_actors.simulators.brain import Call, Say, Turn
from realtime_actors.simulators.speech.answers import answer

__all__ = ["answer_in_company"]

_SPEAKER = re.compile(r"[^:\n]{1,80}: ")
_BETWEEN = r"[\s,:;.!]*"
_ASIDE = re.compile(r"\(.*\)", re.DOTALL)
"""What a room tells of itself, such as who speaks."""


def answer_in_company(
    turns: Sequence[Turn], tools: Sequence[str], now: datetime, names: Sequence[str]
) -> list[Say | Call]:
    """As `answer`, when what users say may begin with who says it ("Ann: "), and with a name of those who are there.

    Who is to ask somebody else ("ask Bob what time it is") asks ("Bob, what time is it?").
    """
    any_name = "|".join(map(re.escape, names))
    heard = [turn for turn in turns if turn.role != "user" or not _ASIDE.fullmatch(turn.text.strip())]
    heard = [_spoken_to(turn, any_name) for turn in heard]
    last = next((turn for turn in reversed(heard) if turn.role in ("user", "tool")), None)
    if last is not None and last.role == "user":
        asked = re.fullmatch(
            rf"(?:please )?ask ({any_name})\b{_BETWEEN}(?:for |about |to )?(.+)", last.text, re.I | re.S
        )
        if asked:
            return [Say(f"{asked[1].capitalize()}, {_as_question(asked[2])}")]
    return answer(heard, tools, now)


def _spoken_to(turn: Turn, any_name: str) -> Turn:
    if turn.role != "user":
        return turn
    text = _SPEAKER.sub("", turn.text, count=1) if _SPEAKER.match(turn.text) else turn.text
    text = re.sub(rf"^\s*(?:{any_name})\b{_BETWEEN}", "", text, flags=re.I)
    return attrs.evolve(turn, text=text)


def _as_question(words: str) -> str:
    words = words.strip(" .?!")
    words = re.sub(r"^the (weather|time|date)\b", r"what is the \1", words, flags=re.I)
    words = re.sub(r"^what (time|day|date) it is$", r"what \1 is it", words, flags=re.I)
    return f"{words}?" if re.match(r"(?:what|how|can|could)\b", words, re.I) else f"{words}."
