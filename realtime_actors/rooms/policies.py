"""Who of a room's agents is given the floor: policies to choose from, and what is needed to write one.

A policy says one thing only: who comes next. That people come first, that agents stop among themselves, that whoever
does not begin loses his turn: all this is the `Floor`'s, the same for every policy. A policy may remember things; so
each room has one of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import attrs

__all__ = ["Addressed", "Everyone", "Moderated", "Policy", "RaisedHands", "RoundRobin", "Said", "Situation"]

MOST_REMEMBERED = 256
"""Agents whose last turn `RoundRobin` remembers, those who left included."""


@attrs.frozen
class Said:
    """A turn: what somebody said, or wrote."""

    speaker: str
    text: str
    """Empty as long as the words are not known."""
    is_person: bool
    at: float
    """When it ended, in seconds of the floor's clock."""
    item: str = ""
    """The provider's id of it, if it has one."""


@attrs.frozen
class Situation:
    """What a policy decides on: the floor is free, and somebody may be given it."""

    turns: tuple[Said, ...]
    """What is to be answered, oldest first: what people said since somebody answered them, or an agent's last turn.
    Empty if nothing is: somebody raised a hand."""
    candidates: tuple[str, ...]
    """The agents to choose from, in the order in which they joined. Not among them is who said it, who speaks, and who
    was given the floor for these turns before."""
    hands: tuple[str, ...]
    """The candidates that raised their hands, the first one first."""
    names: Mapping[str, str]
    """What each agent in the room is called, in the order in which they joined."""
    conversation: tuple[Said, ...]
    """The last turns of all, oldest first, `turns` included."""
    turns_left: int
    """How many turns agents may still take among themselves."""
    now: float
    """In seconds of the floor's clock."""

    @property
    def is_from_person(self) -> bool:
        """Whether it is people who are to be answered."""
        return bool(self.turns) and self.turns[-1].is_person

    def named_in(self, text: str) -> list[str]:
        """The agents in the room who are named in a text, by what they are called or their ids, in that order."""
        places = {agent: _place(text, agent, name) for agent, name in self.names.items()}
        return sorted((agent for agent in places if places[agent] >= 0), key=places.__getitem__)


class Policy(ABC):
    """Base class of policies: override `choose`, and set what is not as it is by default."""

    simultaneous: bool = False
    """Whether several agents may speak at the same time. If not, those chosen are given the floor one by one."""

    needs_words: bool = False
    """Whether to wait (`FloorLimits.words`) until it is known what a person said."""

    @abstractmethod
    def choose(self, situation: Situation) -> Sequence[str] | None:
        """Who is given the floor: some of `situation.candidates`, in order, or nobody. `None`: ask outside.

        Names of others are passed over. It is asked when somebody's turn has ended, when a hand is raised and the floor
        is free, and again for the same turns when those it chose did not begin, or failed. To ask outside is `Consult`.
        """


@attrs.define(eq=False)
class Everyone(Policy):
    """Each agent answers each turn, all at the same time: as AgentScope's rooms do."""

    simultaneous: bool = attrs.field(default=True, init=False)

    def choose(self, situation: Situation) -> Sequence[str]:
        """All of them; where nothing is to be answered, those who raised a hand."""
        return situation.candidates if situation.turns else situation.hands


@attrs.define(eq=False)
class RoundRobin(Policy):
    """One after the other: who has had no turn for longest, and of those who had none the one who joined first."""

    _served: dict[str, None] = attrs.field(init=False, factory=dict[str, None])
    """Those who had a turn, the last one last."""

    def choose(self, situation: Situation) -> Sequence[str]:
        """The next one; where nothing is to be answered, the next one of those who raised a hand."""
        among = situation.candidates if situation.turns else situation.hands
        order = {agent: place for place, agent in enumerate(self._served)}
        chosen = min(among, key=lambda agent: order.get(agent, -1), default=None)
        if chosen is None:
            return ()
        self._served.pop(chosen, None)
        self._served[chosen] = None
        if len(self._served) > MOST_REMEMBERED:
            del self._served[next(iter(self._served))]
        return (chosen,)


@attrs.define(eq=False)
class Addressed(Policy):
    """Whoever is named answers. Of several who are, one after the other, in the order in which they were named.

    What a person says to nobody by name is for `fallback` to decide; what an agent says to nobody is not answered.
    """

    fallback: Policy = attrs.field(factory=RoundRobin)
    needs_words: bool = attrs.field(default=True, init=False)

    def choose(self, situation: Situation) -> Sequence[str] | None:
        """Who was named."""
        named = [agent for said in situation.turns for agent in situation.named_in(said.text)]
        chosen = [agent for agent in named if agent in situation.candidates]
        if chosen or (situation.turns and not situation.is_from_person):
            return chosen
        return self.fallback.choose(situation)


@attrs.define(eq=False)
class RaisedHands(Policy):
    """Whoever raised a hand, the first one first. When there is none, `fallback` decides who answers people."""

    fallback: Policy | None = None
    simultaneous: bool = False
    needs_words: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.needs_words = self.fallback is not None and self.fallback.needs_words

    def choose(self, situation: Situation) -> Sequence[str] | None:
        """Who raised a hand."""
        if situation.hands:
            # One at a time: until the next one's turn, hands may be lowered, or others raised.
            return situation.hands if self.simultaneous else situation.hands[:1]
        return self.fallback.choose(situation) if self.fallback and situation.is_from_person else ()


@attrs.define(eq=False)
class Moderated(Policy):
    """A moderator decides: `moderator(situation)` gives names. Without one the floor asks outside, by `Consult`."""

    moderator: Callable[[Situation], Sequence[str]] | None = None
    simultaneous: bool = False
    needs_words: bool = True

    def choose(self, situation: Situation) -> Sequence[str] | None:
        """Whom the moderator names; `None` to ask outside."""
        return None if self.moderator is None else self.moderator(situation)


def _place(text: str, *names: str) -> int:
    """Where one of these names first stands in a text as a word of its own, whatever its case; -1 if none does."""
    text = text.casefold()
    places: list[int] = []
    for name in filter(None, map(str.casefold, names)):
        place = text.find(name)
        while place >= 0 and not _is_word(text, place, place + len(name)):
            place = text.find(name, place + 1)
        if place >= 0:
            places.append(place)
    return min(places, default=-1)


def _is_word(text: str, start: int, end: int) -> bool:
    glued_before = start > 0 and _joins(text[start - 1]) and _joins(text[start])
    glued_after = end < len(text) and _joins(text[end - 1]) and _joins(text[end])
    return not glued_before and not glued_after


def _joins(letter: str) -> bool:
    """Whether a letter makes one word with another such: those without upper case are of scripts without spaces too."""
    return letter.upper() != letter.lower() or letter.isdecimal() or letter == "_"
