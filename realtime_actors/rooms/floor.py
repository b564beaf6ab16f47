"""The floor of a room: who may speak. Plain code: times are seconds of one clock, given as numbers.

Each method takes what happened and gives what to do, in order: `Grant` the floor to an agent (ask it for a reply),
`Interrupt` one, `Consult` a moderator outside. Between events `deadline` says when `time_passed` is due. Who comes next
is said by a `Policy`; these rules hold for all of them:

- People come first. While a person speaks no agent is given the floor, and all who have it are interrupted.
- Agents answer people, and then each other for a bounded number of turns and seconds; then they wait for a person.
- Two agents have the floor at the same time only if the policy says so.
- Each is given the floor once for the same turns, and nobody answers himself.
- Whoever does not begin in time, fails or leaves has lost the floor: it passes on.
- Whoever speaks without having been given the floor is interrupted.

What is told of somebody who is not in the room, or of a grant that is over, came late: it changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal

import attrs

from .errors import AlreadyInRoom
from .policies import Policy, Said, Situation

__all__ = ["Consult", "Floor", "FloorEffect", "FloorLimits", "FloorStatistics", "Grant", "Interrupt", "Outcome"]

MOST_TURNS = 64
"""Turns of the conversation that are remembered, and turns of people whose words are waited for."""

Outcome = Literal["completed", "interrupted", "failed"]
"""How an agent's turn ended: to its end, by somebody other than the floor, or by an error."""


@attrs.frozen
class Grant:
    """This agent has the floor: ask it for a reply, and tell the floor when that begins and ends, with this number."""

    agent: str
    number: int


@attrs.frozen
class Interrupt:
    """This agent has no floor (any more): stop its reply, play no more of it, ask no more for one not begun.

    `number` is that of the grant; `None` if it never had one.
    """

    agent: str
    number: int | None


@attrs.frozen
class Consult:
    """Have it decided outside who is next; tell by `Floor.decided`, with this number."""

    number: int
    situation: Situation


FloorEffect = Grant | Interrupt | Consult


@attrs.frozen
class FloorLimits:
    """The bounds of what agents may do among themselves, and how long is waited for what.

    Raises:
        ValueError: one of them is less than 0.
    """

    agent_turns: int = 4
    """How many turns agents may take after those that answer a person, until a person has a turn. 0: they only answer
    people."""
    silence: float = 60.0
    """After so many seconds without a person speaking or writing, agents are given the floor to answer people only."""
    grant: float = 10.0
    """How many seconds an agent has to begin; after that the floor passes on."""
    words: float = 2.0
    """How many seconds to wait for what a person said, if the policy needs it."""
    decision: float = 10.0
    """How many seconds to wait for a decision from outside; after that nobody is given the floor."""

    def __attrs_post_init__(self) -> None:
        for name, value in attrs.asdict(self).items():
            if not value >= 0:
                raise ValueError(f"FloorLimits.{name} is {value!r}; it must be 0 or more.")


@attrs.frozen
class FloorStatistics:
    """A snapshot of what a floor did so far."""

    grants: int
    interruptions: int
    """How many agents lost the floor to a person."""
    lapsed: int
    """How many grants were over because the agent did not begin in time."""
    unasked: int
    """How often an agent began without having been given the floor."""
    turns_left: int
    """How many turns agents may still take among themselves."""


@attrs.define(eq=False)
class _Round:
    """What is to be answered, and who was asked to."""

    turns: list[Said]
    is_from_person: bool
    offered: set[str] = attrs.field(factory=set[str])
    queue: list[str] = attrs.field(factory=list[str])
    """Who was chosen too, and comes after whoever has the floor."""


@attrs.define(eq=False)
class _Hold:
    """One agent's floor."""

    number: int
    round: _Round
    deadline: float
    counts: bool
    """Whether it is one of the turns that agents take among themselves."""
    has_begun: bool = False


@attrs.define(eq=False)
class _Question:
    """A moderator outside was asked."""

    number: int
    deadline: float
    is_outdated: bool = False
    """Whether something happened since that could change the answer."""


class Floor:
    """The floor of one room. Who is in it has a name: people and agents share one space of names.

    `needs_words`: agents learn by words only what people say, so these are waited for whatever the policy.
    """

    def __init__(self, policy: Policy, limits: FloorLimits | None = None, *, needs_words: bool = False) -> None:
        self._policy = policy
        self._needs_words = needs_words or policy.needs_words
        self._limits = limits or FloorLimits()
        self._people: dict[str, None] = {}
        self._agents: dict[str, str] = {}
        self._speaking: dict[str, None] = {}
        self._holds: dict[str, _Hold] = {}
        self._cut: dict[str, int] = {}  # the last grant of each agent that was taken back: its words may come later
        self._hands: dict[str, None] = {}
        self._round: _Round | None = None
        self._question: _Question | None = None
        self._handed_to: str | None = None
        self._conversation: deque[Said] = deque(maxlen=MOST_TURNS)
        self._wordless: list[tuple[Said, float]] = []  # turns whose words are waited for, until when
        self._early: dict[str, tuple[str, str]] = {}  # words that came before the end of the turn, with its item
        self._person_at: float | None = None
        self._number = 0
        self._spent = 0
        self._grants = self._interruptions = self._lapsed = self._unasked = 0

    # -- to be looked at

    @property
    def people(self) -> tuple[str, ...]:
        """The people in the room, in the order in which they joined."""
        return tuple(self._people)

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents in the room, in the order in which they joined."""
        return tuple(self._agents)

    @property
    def speaking(self) -> tuple[str, ...]:
        """The people who are speaking."""
        return tuple(self._speaking)

    @property
    def holders(self) -> tuple[str, ...]:
        """The agents who have the floor, those who have not begun included."""
        return tuple(self._holds)

    @property
    def hands(self) -> tuple[str, ...]:
        """The agents who have raised their hands, the first one first."""
        return tuple(self._hands)

    @property
    def conversation(self) -> tuple[Said, ...]:
        """The last turns, oldest first."""
        return tuple(self._conversation)

    @property
    def deadline(self) -> float | None:
        """When `time_passed` is to be called, if nothing else happens before; `None`: not before something does."""
        times = [hold.deadline for hold in self._holds.values() if not hold.has_begun]
        times += [deadline for _, deadline in self._wordless]
        if self._question is not None:
            times.append(self._question.deadline)
        return min(times, default=None)

    def statistics(self) -> FloorStatistics:
        """What was done so far."""
        return FloorStatistics(self._grants, self._interruptions, self._lapsed, self._unasked, self._turns_left)

    # -- who is there

    def person_joined(self, person: str, now: float) -> list[FloorEffect]:
        """A person is in the room.

        Raises:
            AlreadyInRoom: somebody of this name is.
        """
        self._check_new(person)
        self._people[person] = None
        self._person_at = now
        return []

    def agent_joined(self, agent: str, now: float, name: str = "") -> list[FloorEffect]:
        """An agent is in the room and ready; it is called `name`, or as its id is.

        Raises:
            AlreadyInRoom: somebody of this id is, or an agent that is called the same.
        """
        self._check_new(agent)
        name = name or agent
        if name in self._agents.values():
            raise AlreadyInRoom(f"An agent called {name!r} is in the room already. Give one of the two another name.")
        self._agents[agent] = name
        if self._round is not None and self._round.offered:
            return []  # it has heard nothing of that
        return self._decide(now)

    def left(self, who: str, now: float) -> list[FloorEffect]:
        """Somebody left, or an agent crashed. If it had the floor, that passes on."""
        if who in self._people:
            del self._people[who]
            self._speaking.pop(who, None)
            self._early.pop(who, None)
            self._give_up_words([said for said, _ in self._wordless if said.speaker == who])
        elif who in self._agents:
            del self._agents[who]
            self._hands.pop(who, None)
            self._cut.pop(who, None)
            if self._handed_to == who:
                self._handed_to = None
            self._release(who)
        else:
            return []
        return self._decide(now)

    # -- what people do

    def person_started(self, person: str, now: float) -> list[FloorEffect]:
        """A person begins to speak: whoever has the floor is interrupted."""
        if person not in self._people or person in self._speaking:
            return []
        self._speaking[person] = None
        self._person_at = now
        if self._round is not None and (self._round.offered or not self._round.is_from_person):
            self._round = self._question = None
        agents = list(self._holds)
        self._interruptions += len(agents)
        return [self._take_back(agent) for agent in agents]

    def person_stopped(
        self, person: str, now: float, text: str | None = None, item: str = "", *, words_come: bool = True
    ) -> list[FloorEffect]:
        """A person has stopped speaking. `text` is what was said: `None` if it is not known yet, empty if nothing was.

        Words that will not be known (not `words_come`) are not waited for. Somebody of whom it was not told that he
        began has had a turn all the same.
        """
        if person not in self._people:
            return []
        self._speaking.pop(person, None)
        self._person_at = now
        early = self._early.pop(person, None)
        if text is None and early is not None and early[0] == item:
            text = early[1]
        if text is not None and not text.strip():
            return self._decide(now)
        said = self._record(Said(person, text or "", True, now, item))
        if text is None and self._needs_words and words_come:
            self._wordless.append((said, now + self._limits.words))
            self._give_up_words([each for each, _ in self._wordless[:-MOST_TURNS]])
        else:
            self._open_for(said)
        return self._decide(now)

    def person_transcribed(self, person: str, text: str, now: float, item: str = "") -> list[FloorEffect]:
        """What a person said is known now: of this item, or (with none) of the oldest turn whose words are not."""
        if person not in self._people:
            return []
        open_turns = [said for said, _ in self._wordless] + [said for said in self._conversation if not said.text]
        said = next((said for said in open_turns if (said.speaker, said.item) == (person, item)), None)
        if said is None:
            if person in self._speaking:
                self._early[person] = item, text
            return []
        known = attrs.evolve(said, text=text) if text.strip() else None
        self._replace(said, known)
        if not any(each is said for each, _ in self._wordless):
            return []
        self._wordless = [each for each in self._wordless if each[0] is not said]
        if known is not None:
            self._open_for(known)
        return self._decide(now)

    def person_wrote(self, person: str, text: str, now: float) -> list[FloorEffect]:
        """A person has written to the room. It is answered when whoever speaks has finished."""
        if person not in self._people or not text.strip():
            return []
        self._person_at = now
        self._open_for(self._record(Said(person, text, True, now)))
        return self._decide(now)

    # -- what agents do

    def agent_began(self, agent: str, number: int | None, now: float) -> list[FloorEffect]:
        """An agent's reply has begun, for this grant; `None` if it was not asked for one."""
        if agent not in self._agents:
            return []
        hold = self._holds.get(agent)
        if hold is None or hold.number != number:
            self._unasked += number is None
            return [Interrupt(agent, number)]
        hold.has_begun = True
        return []

    def agent_ended(
        self, agent: str, number: int, now: float, text: str | None = None, outcome: Outcome = "completed"
    ) -> list[FloorEffect]:
        """An agent's turn for this grant is over: the reply has ended, and what was made of it has been played.

        `text` is what was heard of it: `None` if it is not known, empty if nothing was said. Only a turn that was
        completed, with something said, is answered by other agents; one that failed passes the floor on.
        """
        if agent not in self._agents:
            return []
        hold = self._holds.get(agent)
        if hold is None or hold.number != number:
            if self._cut.get(agent) == number:
                del self._cut[agent]
                if text:
                    self._record(Said(agent, text, False, now))
            return []
        hold.has_begun = hold.has_begun or outcome == "completed"
        self._release(agent)
        said = None if text == "" or (outcome != "completed" and not text) else Said(agent, text or "", False, now)
        if said is not None:
            self._record(said)
        is_newer = self._round is not None and self._round is not hold.round and self._round.is_from_person
        is_open = self._is_awaited(hold.round) or (outcome == "completed" and self._is_queued(hold.round))
        if is_newer or is_open or outcome == "failed":
            return self._decide(now)
        self._question = None
        self._round = _Round([said], False, {agent}) if said is not None and outcome == "completed" else None
        return self._decide(now)

    def hand_raised(self, agent: str, now: float) -> list[FloorEffect]:
        """An agent wants to speak. The hand is up until it is given the floor."""
        if agent not in self._agents:
            return []
        self._hands.setdefault(agent)
        if self._round is None:
            self._round = _Round([], False)
        elif agent not in self._holds:
            self._round.offered.discard(agent)
        return self._decide(now)

    def hand_lowered(self, agent: str) -> None:
        """An agent does not want to speak any more."""
        self._hands.pop(agent, None)

    def handed_over(self, agent: str, now: float) -> list[FloorEffect]:
        """This agent comes next, whatever the policy says; whoever has the floor finishes first, and people come first.

        It is one of the turns that agents take among themselves, unless it answers a person.
        """
        if agent not in self._agents:
            return []
        self._handed_to = agent
        return self._decide(now)

    # -- what the moderator and the clock do

    def decided(self, number: int, agents: Iterable[str], now: float) -> list[FloorEffect]:
        """The answer to a `Consult`: who is next. Of no effect if something else has happened in the meantime."""
        question = self._question
        if question is None or question.number != number:
            return []
        self._question = None
        effects = self._grant(agents, now)
        return effects or (self._decide(now) if question.is_outdated else [])

    def time_passed(self, now: float) -> list[FloorEffect]:
        """It is this late: what has not happened in time is given up."""
        effects: list[FloorEffect] = []
        late = [agent for agent, hold in self._holds.items() if not hold.has_begun and hold.deadline <= now]
        self._lapsed += len(late)
        effects += [self._take_back(agent) for agent in late]
        overdue = [said for said, deadline in self._wordless if deadline <= now]
        self._give_up_words(overdue)
        has_changed = bool(late or overdue)
        if self._question is not None and self._question.deadline <= now:
            has_changed = has_changed or self._question.is_outdated
            self._question = None
        return effects + self._decide(now) if has_changed else effects

    # -- the parts

    @property
    def _turns_left(self) -> int:
        return max(0, self._limits.agent_turns - self._spent)

    def _check_new(self, who: str) -> None:
        if who in self._people or who in self._agents:
            raise AlreadyInRoom(f"{who!r} is in the room already. Let them leave first, or choose another name.")

    def _record(self, said: Said) -> Said:
        self._conversation.append(said)
        return said

    def _replace(self, said: Said, known: Said | None) -> None:
        """The words of a turn are known, or that there were none."""
        lists = [self._conversation] if self._round is None else [self._conversation, self._round.turns]
        for turns in lists:
            for place, each in enumerate(turns):
                if each is said:
                    if known is not None:
                        turns[place] = known
                    elif turns is self._conversation:
                        del turns[place]
                    break

    def _give_up_words(self, turns: list[Said]) -> None:
        """Their words are waited for no longer: they are turns all the same."""
        if turns:
            self._wordless = [each for each in self._wordless if not any(each[0] is said for said in turns)]
            for said in turns:
                self._open_for(said)

    def _open_for(self, said: Said) -> None:
        """A person had a turn, which is to be answered, with those before it that nobody was asked to answer."""
        self._question = None
        self._spent = 0
        for hold in self._holds.values():
            hold.counts = False
        if self._round is not None and self._round.is_from_person and not self._round.offered:
            self._round.turns = [*self._round.turns, said][-MOST_TURNS:]
        else:
            self._round = _Round([said], True)

    def _release(self, agent: str) -> None:
        hold = self._holds.pop(agent, None)
        if hold is not None and hold.counts and not hold.has_begun:
            self._spent -= 1

    def _take_back(self, agent: str) -> Interrupt:
        number = self._cut[agent] = self._holds[agent].number
        self._release(agent)
        return Interrupt(agent, number)

    def _candidates(self) -> tuple[str, ...]:
        """Who could be given the floor now."""
        this = self._round
        if this is None or self._speaking or self._wordless or (self._holds and not self._policy.simultaneous):
            return ()
        return tuple(agent for agent in self._agents if agent not in self._holds and agent not in this.offered)

    def _is_queued(self, this: _Round) -> bool:
        """Whether somebody else was chosen for these turns, and can come now."""
        return this is self._round and any(agent in self._candidates() for agent in this.queue)

    def _is_awaited(self, this: _Round) -> bool:
        """Whether somebody who speaks of something before is still to be asked to answer these people."""
        return (
            this is self._round and this.is_from_person and any(each.round is not this for each in self._holds.values())
        )

    def _may_go_on(self, now: float) -> bool:
        """Whether agents may have another turn among themselves."""
        return self._turns_left > 0 and (self._person_at is None or now - self._person_at <= self._limits.silence)

    def _decide(self, now: float) -> list[FloorEffect]:
        """Ask the policy, if the floor is free and there is somebody to give it to."""
        if self._handed_to is not None:
            self._round = self._round or _Round([], False)
            self._round.offered.discard(self._handed_to)
        this = self._round
        candidates = self._candidates()
        if this is None or not candidates or not (this.is_from_person or self._may_go_on(now)):
            return []
        if self._handed_to in candidates and not self._holds:
            handed_to, self._handed_to = self._handed_to, None
            self._question = None
            return self._grant([handed_to], now)
        if self._question is not None:
            self._question.is_outdated = True
            return []
        if self._is_queued(this):
            return self._grant(this.queue, now)
        situation = Situation(
            turns=tuple(this.turns),
            candidates=candidates,
            hands=tuple(agent for agent in self._hands if agent in candidates),
            names=dict(self._agents),
            conversation=tuple(self._conversation),
            turns_left=self._turns_left,
            now=now,
        )
        chosen = self._policy.choose(situation)
        if chosen is None:
            self._number += 1
            self._question = _Question(self._number, now + self._limits.decision)
            return [Consult(self._number, situation)]
        return self._grant(chosen, now)

    def _grant(self, agents: Iterable[str], now: float) -> list[FloorEffect]:
        candidates = self._candidates()
        this = self._round
        chosen = [agent for agent in dict.fromkeys(agents) if agent in candidates]
        if this is None or not chosen:
            return []
        counts = not this.is_from_person
        if counts:
            chosen = chosen[: self._turns_left] if self._may_go_on(now) else []
        if not self._policy.simultaneous:
            this.queue = chosen[1:]
            chosen = chosen[:1]
        effects: list[FloorEffect] = []
        for agent in chosen:
            self._number += 1
            self._grants += 1
            self._spent += counts
            this.offered.add(agent)
            self._hands.pop(agent, None)
            self._holds[agent] = _Hold(self._number, this, now + self._limits.grant, counts)
            effects.append(Grant(agent, self._number))
        return effects
