"""Whatever happens in whatever order: the rules of the floor hold for every policy.

The model beside the floor knows only what was told and given: whom it gave the floor, and whom it took it from.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from realtime_actors.rooms import (
    Addressed,
    Consult,
    Everyone,
    Floor,
    FloorEffect,
    FloorLimits,
    Grant,
    Interrupt,
    Moderated,
    Policy,
    RaisedHands,
    RoundRobin,
    Situation,
)

PEOPLE = ["ann", "ben"]
AGENTS = ["alice", "bob", "cid"]
LIMITS = FloorLimits(agent_turns=2, silence=20.0, grant=5.0, words=2.0, decision=4.0)

texts = st.sampled_from(["", "Hello!", "Alice?", "Bob and Cid?", "cid, alice, bob"])
people = st.sampled_from(PEOPLE)
agents = st.sampled_from(AGENTS)
items = st.sampled_from(["", "item_1"])


@attrs.define(eq=False)
class Whim(Policy):
    """Somebody, several, people, strangers, or a question: without rhyme or reason, but the same each time."""

    simultaneous: bool = False
    needs_words: bool = False
    calls: int = 0

    def choose(self, situation: Situation) -> Sequence[str] | None:
        self.calls += 1
        everybody = [*AGENTS, "ann", "stranger", *situation.hands, *situation.candidates]
        return None if self.calls % 5 == 0 else everybody[self.calls % 7 :: 1 + self.calls % 3]


@attrs.define(eq=False)
class Held:
    """An agent's floor, as the model knows it."""

    number: int
    since: float
    round: int
    """How many turns people had had by then."""
    is_counted: bool
    """Whether it is one of the turns that agents take among themselves."""
    has_begun: bool = False


class Rules(RuleBasedStateMachine):
    """One room. Subclasses name the policy."""

    is_exact = False
    """Whether the model knows when a person's turn begins, and so what is to be counted: see `RoundRobinRules`."""

    def policy(self) -> Policy:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        policy = self.policy()
        self.simultaneous = policy.simultaneous
        self.floor = Floor(policy, LIMITS)
        self.now = 0.0
        self.people: list[str] = []
        self.agents: list[str] = []
        self.speaking: set[str] = set()
        self.held: dict[str, Held] = {}
        self.old: list[tuple[str, int]] = []
        self.questions: list[int] = []
        self.last_number = 0
        self.round = 0
        self.is_for_person = True  # whether what is granted now answers a person
        self.among_themselves = 0
        self.completed = 0  # turns of agents since the last event by which a person could have had one
        self.person_at = 0.0
        self.early: dict[str, tuple[str, str]] = {}
        self.order: list[str] = []

    # -- what the floor gives

    def apply(self, effects: list[FloorEffect]) -> list[FloorEffect]:
        """Do what it says, if it may say so."""
        for effect in effects:
            match effect:
                case Grant(agent, number):
                    self.granted(agent, number)
                case Interrupt(agent, number):
                    assert agent in self.agents
                    held = self.held.get(agent)
                    if held is not None and held.number == number:
                        self.over(agent)
                case Consult(number, situation):
                    assert number > self.last_number
                    assert not self.speaking
                    assert set(situation.candidates) <= set(self.agents) - set(self.held)
                    self.last_number = number
                    self.questions.append(number)
        return effects

    def granted(self, agent: str, number: int) -> None:
        assert agent in self.agents, "only those who are there are given the floor"
        assert not self.speaking, "nobody is given the floor while a person speaks"
        assert agent not in self.held
        assert self.simultaneous or not self.held, "two have the floor"
        assert number > self.last_number
        self.last_number = number
        is_counted = self.is_exact and not self.is_for_person
        self.held[agent] = Held(number, self.now, self.round, is_counted)
        self.order.append(agent)
        if is_counted:
            self.among_themselves += 1
            assert self.among_themselves <= LIMITS.agent_turns, "agents go on among themselves"
            assert self.now - self.person_at <= LIMITS.silence, "agents go on though no person is heard"

    def over(self, agent: str) -> Held:
        held = self.held.pop(agent)
        self.old.append((agent, held.number))
        if held.is_counted and not held.has_begun:
            self.among_themselves -= 1
        return held

    def person_had_a_turn(self) -> None:
        self.completed = self.among_themselves = 0
        self.is_for_person = True
        self.round += 1
        for held in self.held.values():
            held.is_counted = False

    # -- what happens

    @rule(person=people)
    def person_joins_or_leaves(self, person: str) -> None:
        if person in self.people:
            self.people.remove(person)
            self.speaking.discard(person)
            self.completed = 0
            self.early.pop(person, None)
            self.apply(self.floor.left(person, self.now))
        else:
            self.people.append(person)
            self.person_at = self.now
            self.apply(self.floor.person_joined(person, self.now))

    @rule(agent=agents)
    def agent_joins_or_leaves(self, agent: str) -> None:
        if agent in self.agents:
            self.agents.remove(agent)
            if agent in self.held:
                self.over(agent)
            self.order.clear()
            self.apply(self.floor.left(agent, self.now))
        else:
            self.agents.append(agent)
            self.order.clear()
            self.apply(self.floor.agent_joined(agent, self.now, agent.title()))

    @precondition(lambda self: len(self.agents) < 2)
    @rule()
    def all_agents_join(self) -> None:
        for agent in AGENTS:
            if agent not in self.agents:
                self.agent_joins_or_leaves(agent)

    @rule(person=people)
    def person_starts(self, person: str) -> None:
        if person not in self.people:
            assert self.floor.person_started(person, self.now) == []
            return
        if person not in self.speaking:
            self.speaking.add(person)
            self.person_at = self.now
        self.apply(self.floor.person_started(person, self.now))
        assert not self.held, "a person speaks, and so does an agent"

    @rule(person=people, text=st.none() | texts, item=items)
    def person_stops(self, person: str, text: str | None, item: str) -> None:
        if person in self.people:
            self.speaking.discard(person)
            self.person_at = self.now
            early_item, early = self.early.pop(person, ("", None))
            if (early if text is None and early_item == item else text) != "":
                self.person_had_a_turn()
        self.apply(self.floor.person_stopped(person, self.now, text, item))

    @rule(person=people, text=texts, item=items)
    def words_come(self, person: str, text: str, item: str) -> None:
        self.completed = 0
        known = any((said.speaker, said.item, said.text) == (person, item, "") for said in self.floor.conversation)
        if person in self.speaking and not known:
            self.early[person] = item, text
        self.apply(self.floor.person_transcribed(person, text, self.now, item))

    @rule(person=people, text=texts)
    def person_writes(self, person: str, text: str) -> None:
        if person in self.people and text:
            self.person_at = self.now
            self.person_had_a_turn()
        self.apply(self.floor.person_wrote(person, text, self.now))

    @rule(seconds=st.sampled_from([0.5, 2.0, 4.0, 5.0, 15.0, 21.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.completed = 0
        self.apply(self.floor.time_passed(self.now))
        late = [agent for agent, held in self.held.items() if not held.has_begun and held.since + 5.0 <= self.now]
        assert late == [], "who did not begin has the floor still"

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def agent_begins(self, data: st.DataObject) -> None:
        agent = data.draw(st.sampled_from(sorted(self.held)))
        self.held[agent].has_begun = True
        assert self.floor.agent_began(agent, self.held[agent].number, self.now) == []

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        text=st.none() | texts,
        outcome=st.sampled_from(["completed", "completed", "interrupted", "failed"]),
    )
    def agent_ends(self, data: st.DataObject, text: str | None, outcome: Any) -> None:
        agent = data.draw(st.sampled_from(sorted(self.held)))
        held = self.held[agent]
        held.has_begun = held.has_begun or outcome == "completed"
        self.over(agent)
        if outcome == "completed" and text != "":
            self.completed += 1
            if held.round == self.round or not self.is_for_person:
                self.is_for_person = False
        # Each answers a person, and may once more by raising a hand when all others failed.
        assert self.completed <= LIMITS.agent_turns + 2 * len(AGENTS), "agents go on among themselves"
        self.apply(self.floor.agent_ended(agent, held.number, self.now, text, outcome))

    @precondition(lambda self: self.old)
    @rule(data=st.data(), text=texts)
    def what_is_over_is_told_late(self, data: st.DataObject, text: str) -> None:
        agent, number = data.draw(st.sampled_from(self.old))
        began = self.floor.agent_began(agent, number, self.now)
        assert began == ([Interrupt(agent, number)] if agent in self.agents else [])
        assert self.floor.agent_ended(agent, number, self.now, text) == []

    @rule(agent=agents)
    def agent_speaks_unasked(self, agent: str) -> None:
        began = self.floor.agent_began(agent, None, self.now)
        assert began == ([Interrupt(agent, None)] if agent in self.agents else [])

    @precondition(lambda self: not self.is_exact)
    @rule(agent=agents, up=st.booleans())
    def agent_wants_to_speak(self, agent: str, up: bool) -> None:
        if up:
            self.apply(self.floor.hand_raised(agent, self.now))
        else:
            self.floor.hand_lowered(agent)

    @precondition(lambda self: self.questions)
    @rule(data=st.data(), chosen=st.lists(st.sampled_from([*AGENTS, "ann", "stranger"]), max_size=4))
    def moderator_decides(self, data: st.DataObject, chosen: list[str]) -> None:
        question = data.draw(st.sampled_from(self.questions))
        self.apply(self.floor.decided(question, chosen, self.now))

    # -- what holds always

    @invariant()
    def the_floor_knows_who_is_there(self) -> None:
        assert set(self.floor.holders) == set(self.held)
        assert set(self.floor.speaking) == self.speaking
        assert set(self.floor.hands) <= set(self.agents)
        assert self.floor.agents == tuple(self.agents)
        assert self.floor.people == tuple(self.people)

    @invariant()
    def what_is_waited_for_has_a_deadline(self) -> None:
        waiting = [held.since + LIMITS.grant for held in self.held.values() if not held.has_begun]
        deadline = self.floor.deadline
        assert not waiting or (deadline is not None and deadline <= min(waiting))
        assert deadline is None or deadline > self.now

    @invariant()
    def it_is_bounded(self) -> None:
        assert len(self.floor.conversation) <= 64
        assert 0 <= self.floor.statistics().turns_left <= LIMITS.agent_turns


class RoundRobinRules(Rules):
    """Nothing is uncertain here: nobody raises a hand, is queued, or is waited for to be understood."""

    is_exact = True

    def policy(self) -> Policy:
        return RoundRobin()

    @invariant()
    def nobody_starves(self) -> None:
        """As long as nobody joins or leaves, all have had a turn before one has the next."""
        for start in range(len(self.order) - len(self.agents) + 1):
            window = self.order[start : start + len(self.agents)]
            assert len(set(window)) == len(window)

    @precondition(lambda self: self.people and self.agents and not self.speaking and not self.held)
    @rule()
    def person_speaks_and_is_answered(self) -> None:
        self.person_starts(self.people[0])
        self.person_stops(self.people[0], "Hello!", "")
        assert len(self.held) == 1


class EveryoneRules(Rules):
    def policy(self) -> Policy:
        return Everyone()

    @precondition(lambda self: self.people and not self.speaking)
    @rule()
    def person_speaks_and_is_answered_by_all(self) -> None:
        self.person_starts(self.people[0])
        self.person_stops(self.people[0], "Hello!", "")
        assert list(self.held) == self.agents


class AddressedRules(Rules):
    def policy(self) -> Policy:
        return Addressed()


class RaisedHandsRules(Rules):
    def policy(self) -> Policy:
        return RaisedHands(fallback=Addressed())


class ModeratedRules(Rules):
    def policy(self) -> Policy:
        return Moderated(needs_words=False)


class WhimRules(Rules):
    def policy(self) -> Policy:
        return Whim()


class WhimTogetherRules(Rules):
    def policy(self) -> Policy:
        return Whim(simultaneous=True, needs_words=True)


@pytest.mark.parametrize(
    "rules",
    [RoundRobinRules, EveryoneRules, AddressedRules, RaisedHandsRules, ModeratedRules, WhimRules, WhimTogetherRules],
)
def test_the_rules_hold_whatever_happens(rules: type[Rules]) -> None:
    run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType]
        rules,
        settings=settings(
            max_examples=30, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
