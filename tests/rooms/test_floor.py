"""Who may speak: the rules that hold for every policy, and the policies."""

import math
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from realtime_actors.rooms import (
    Addressed,
    AlreadyInRoom,
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
    Said,
    Situation,
)

ALICE, BOB, CID = "alice", "bob", "cid"


def a_floor(policy: Policy | None = None, **limits: Any) -> Floor:
    """Three agents and two people, all quiet."""
    floor = Floor(policy or RoundRobin(), FloorLimits(**limits))
    for person in ("ann", "ben"):
        assert floor.person_joined(person, 0.0) == []
    for agent in (ALICE, BOB, CID):
        assert floor.agent_joined(agent, 0.0, agent.title()) == []
    return floor


def granted(effects: Sequence[FloorEffect]) -> list[str]:
    """The agents who are given the floor, and nothing else is to be done."""
    assert all(isinstance(effect, Grant) for effect in effects), effects
    return [effect.agent for effect in effects if isinstance(effect, Grant)]


def number_of(effects: Sequence[FloorEffect]) -> int:
    (effect,) = effects
    assert isinstance(effect, Grant | Consult)
    return effect.number


def speak(floor: Floor, effects: Sequence[FloorEffect], text: str = "…", now: float = 1.0) -> list[FloorEffect]:
    """The one agent who was given the floor has its turn."""
    (grant,) = effects
    assert isinstance(grant, Grant)
    assert floor.agent_began(grant.agent, grant.number, now) == []
    return floor.agent_ended(grant.agent, grant.number, now, text)


# -- people come first


def test_whoever_has_the_floor_is_interrupted_by_a_voice() -> None:
    """Those who have not begun too. What was heard of them is remembered, and nobody answers it."""
    floor = a_floor(Everyone())
    first, second, third = floor.person_wrote("ann", "Hello!", 1.0)
    assert isinstance(first, Grant)
    assert isinstance(third, Grant)
    floor.agent_began(ALICE, first.number, 1.1)
    floor.agent_ended(CID, third.number, 1.2, "")
    assert floor.holders == (ALICE, BOB)
    assert isinstance(second, Grant)
    assert floor.person_started("ben", 1.3) == [Interrupt(ALICE, first.number), Interrupt(BOB, second.number)]
    assert (floor.holders, floor.speaking) == ((), ("ben",))
    assert floor.agent_ended(ALICE, first.number, 1.4, "Good mor", "interrupted") == []
    assert floor.agent_began(BOB, second.number, 1.4) == [Interrupt(BOB, second.number)]
    assert [said.text for said in floor.conversation] == ["Hello!", "Good mor"]
    assert floor.statistics().interruptions == 2


def test_nobody_is_given_the_floor_while_a_person_speaks() -> None:
    floor = a_floor()
    floor.person_started("ann", 1.0)
    assert floor.hand_raised(BOB, 1.1) == []
    floor.person_started("ben", 1.2)
    assert floor.person_stopped("ann", 2.0, "What time is it?") == []
    assert floor.person_wrote("ann", "And where?", 2.1) == []
    assert granted(floor.person_stopped("ben", 3.0, "Yes, what time?")) == [ALICE]


def test_a_person_who_leaves_while_speaking_speaks_no_more() -> None:
    floor = a_floor()
    floor.person_started("ben", 1.0)
    assert floor.person_stopped("ann", 2.0, "What time is it?") == []
    assert granted(floor.left("ben", 3.0)) == [ALICE]


def test_a_cough_asks_for_no_reply() -> None:
    """And a question asked before it is answered still."""
    floor = a_floor()
    floor.person_started("ann", 1.0)
    assert floor.person_stopped("ann", 2.0, " ") == []
    floor.person_started("ben", 3.0)
    floor.person_stopped("ann", 3.5, "What time is it?")
    assert granted(floor.person_stopped("ben", 4.0, "")) == [ALICE]


def test_a_cough_takes_the_floor_all_the_same() -> None:
    """Whoever was interrupted by it is not asked again, nor is another: the person may speak."""
    floor = a_floor()
    alice = floor.person_wrote("ann", "What time is it?", 1.0)
    assert floor.person_started("ben", 2.0) == [Interrupt(ALICE, number_of(alice))]
    assert floor.person_stopped("ben", 2.5, "") == []
    speak(floor, floor.person_wrote("ann", "What time is it?", 3.0))
    assert floor.holders == (CID,)
    assert len(floor.person_started("ben", 4.0)) == 1
    assert floor.person_stopped("ben", 4.5, "") == []
    assert floor.holders == ()


def test_what_is_written_waits_for_the_one_who_speaks() -> None:
    """Its answer comes before agents go on among themselves."""
    floor = a_floor()
    alice = floor.person_wrote("ann", "Hello!", 1.0)
    assert floor.person_wrote("ben", "What time is it?", 1.1) == []
    bob = speak(floor, alice)
    assert granted(bob) == [BOB]
    assert granted(speak(floor, bob)) == [CID]
    assert floor.statistics().turns_left == 3


# -- the floor is taken, passed on, lost


def test_who_does_not_begin_in_time_loses_the_floor_to_the_next() -> None:
    """Each is asked once: then the turn is not answered."""
    floor = a_floor(grant=10.0)
    alice = number_of(floor.person_wrote("ann", "Hello!", 1.0))
    assert floor.deadline == 11.0
    assert floor.time_passed(10.9) == []
    interrupt, bob = floor.time_passed(11.0)
    assert (interrupt, bob) == (Interrupt(ALICE, alice), Grant(BOB, alice + 1))
    assert floor.agent_began(ALICE, alice, 11.5) == [Interrupt(ALICE, alice)]
    assert granted(floor.time_passed(21.0)[1:]) == [CID]
    assert floor.time_passed(31.0) == [Interrupt(CID, alice + 2)]
    assert floor.deadline is None
    assert floor.time_passed(99.0) == []
    assert floor.statistics().lapsed == 3


def test_who_has_begun_may_take_his_time() -> None:
    floor = a_floor()
    floor.agent_began(ALICE, number_of(floor.person_wrote("ann", "Hello!", 1.0)), 2.0)
    assert floor.deadline is None
    assert floor.time_passed(1000.0) == []


@pytest.mark.parametrize("has_begun", [False, True])
def test_who_crashes_or_fails_loses_the_floor_to_the_next(has_begun: bool) -> None:
    floor = a_floor()
    alice = number_of(floor.person_wrote("ann", "Hello!", 1.0))
    if has_begun:
        floor.agent_began(ALICE, alice, 1.0)
    bob = floor.left(ALICE, 2.0)
    assert granted(bob) == [BOB]
    if has_begun:
        floor.agent_began(BOB, number_of(bob), 2.0)
    assert granted(floor.agent_ended(BOB, number_of(bob), 3.0, outcome="failed")) == [CID]
    assert floor.agent_joined(ALICE, 4.0) == []


def test_who_is_silenced_by_others_is_not_answered() -> None:
    """A frontend that cancels wants silence, not another voice."""
    floor = a_floor()
    alice = number_of(floor.person_wrote("ann", "Hello!", 1.0))
    floor.agent_began(ALICE, alice, 1.0)
    assert floor.agent_ended(ALICE, alice, 2.0, "Good", "interrupted") == []
    assert floor.conversation[-1].text == "Good"
    assert floor.time_passed(100.0) == []


def test_who_speaks_unasked_is_interrupted() -> None:
    floor = a_floor()
    assert floor.agent_began(BOB, None, 1.0) == [Interrupt(BOB, None)]
    alice = number_of(floor.person_wrote("ann", "Hello!", 1.0))
    assert floor.agent_began(BOB, alice, 1.0) == [Interrupt(BOB, alice)]
    assert floor.holders == (ALICE,)
    assert floor.statistics().unasked == 1


def test_a_question_waits_for_the_first_agent() -> None:
    floor = Floor(RoundRobin())
    floor.person_joined("ann", 0.0)
    assert floor.person_wrote("ann", "Is anybody there?", 1.0) == []
    assert granted(floor.agent_joined(BOB, 2.0)) == [BOB]
    assert floor.agent_joined(CID, 3.0) == []


def test_what_is_told_of_those_who_are_not_there_changes_nothing() -> None:
    floor = a_floor()
    assert floor.left("eve", 1.0) == []
    assert floor.person_started("eve", 1.0) == []
    assert floor.person_stopped("eve", 1.0, "Hello!") == []
    assert floor.person_transcribed("eve", "Hello!", 1.0) == []
    assert floor.person_wrote("eve", "Hello!", 1.0) == []
    assert floor.agent_began("eve", 1, 1.0) == []
    assert floor.agent_ended("eve", 1, 1.0) == []
    assert floor.hand_raised("eve", 1.0) == []
    assert floor.agent_ended(ALICE, 7, 1.0, "Hello!") == []
    assert floor.conversation == ()


def test_nobody_is_in_a_room_twice() -> None:
    floor = a_floor()
    with pytest.raises(AlreadyInRoom, match="'ann' is in the room already"):
        floor.person_joined("ann", 1.0)
    with pytest.raises(AlreadyInRoom, match="'ann' is in the room already"):
        floor.agent_joined("ann", 1.0)
    with pytest.raises(AlreadyInRoom, match="An agent called 'Alice' is"):
        floor.agent_joined("alice_2", 1.0, "Alice")
    assert floor.people == ("ann", "ben")
    assert floor.agents == (ALICE, BOB, CID)


# -- agents among themselves


def test_agents_stop_among_themselves() -> None:
    """After the one that answers a person, so many turns; the next person gives them as many again."""
    floor = a_floor(agent_turns=2)
    for now in (1.0, 2.0):
        effects = floor.person_wrote("ann", "Discuss!", now)
        turns = 0
        while effects:
            effects = speak(floor, effects, now=now)
            turns += 1
        assert turns == 3
        assert floor.hand_raised(ALICE, now) == []
        assert floor.statistics().turns_left == 0


def test_a_turn_that_was_not_taken_costs_nothing() -> None:
    floor = a_floor(agent_turns=1, grant=10.0)
    speak(floor, floor.person_wrote("ann", "Discuss!", 1.0))
    assert floor.statistics().turns_left == 0
    assert granted(floor.time_passed(11.0)[1:]) == [CID]
    assert floor.time_passed(21.0)[1:] == []
    assert floor.statistics().turns_left == 1


def test_a_turn_of_which_only_the_end_was_told_was_taken() -> None:
    floor = a_floor(agent_turns=1)
    bob = speak(floor, floor.person_wrote("ann", "Discuss!", 1.0))
    assert floor.agent_ended(BOB, number_of(bob), 2.0, "Well…") == []
    assert floor.statistics().turns_left == 0


def test_a_turn_not_taken_from_before_a_person_s_is_not_given_back() -> None:
    """It was written off when the person gave them new ones."""
    floor = a_floor(agent_turns=2, grant=10.0)
    speak(floor, floor.person_wrote("ann", "Discuss!", 1.0))
    assert floor.statistics().turns_left == 1
    floor.person_wrote("ann", "Go on!", 2.0)
    floor.left(BOB, 3.0)
    assert floor.statistics().turns_left == 2


def test_agents_stop_when_no_person_is_heard() -> None:
    floor = a_floor(agent_turns=100, silence=60.0)
    effects = floor.person_wrote("ann", "Discuss!", 1.0)
    effects = speak(floor, effects, now=61.0)
    assert granted(effects) == [BOB]
    assert speak(floor, effects, now=61.5) == []
    assert floor.hand_raised(CID, 62.0) == []
    assert granted(floor.person_wrote("ann", "Go on!", 99.0)) == [CID]


def test_a_turn_in_which_nothing_was_said_is_not_answered() -> None:
    floor = a_floor()
    assert speak(floor, floor.person_wrote("ann", "Hello!", 1.0), "") == []
    floor = a_floor()
    alice = number_of(floor.person_wrote("ann", "Hello!", 1.0))
    assert granted(floor.agent_ended(ALICE, alice, 2.0)) == [BOB], "words that are not known are words"


# -- words


def test_words_are_waited_for_if_the_policy_needs_them() -> None:
    floor = a_floor(Addressed())
    floor.person_started("ann", 1.0)
    assert floor.person_stopped("ann", 2.0, item="item_1") == []
    assert floor.deadline == 4.0
    assert floor.person_transcribed("ann", "No.", 2.5, item="item_0") == []
    assert granted(floor.person_transcribed("ann", "Bob, what time is it?", 3.0, item="item_1")) == [BOB]
    assert floor.conversation == (Said("ann", "Bob, what time is it?", True, 2.0, "item_1"),)


def test_words_that_do_not_come_are_not_waited_for_longer() -> None:
    """The turn is answered without them. They are remembered when they come."""
    floor = a_floor(Addressed(), words=2.0)
    floor.person_stopped("ann", 2.0)
    assert granted(floor.time_passed(4.0)) == [ALICE]
    assert floor.person_transcribed("ann", "Bob?", 5.0) == []
    assert floor.conversation[0].text == "Bob?"


def test_words_that_come_before_the_end_of_the_turn_are_its_words() -> None:
    floor = a_floor(Addressed())
    floor.person_started("ann", 1.0)
    assert floor.person_transcribed("ann", "Cid, hello!", 1.9) == []
    assert granted(floor.person_stopped("ann", 2.0)) == [CID]


def test_all_who_were_heard_are_waited_for() -> None:
    floor = a_floor(Addressed())
    floor.person_started("ann", 1.0)
    floor.person_started("ben", 1.0)
    floor.person_stopped("ann", 2.0)
    floor.person_stopped("ben", 2.0)
    assert floor.person_transcribed("ann", "Bob?", 2.1) == []
    assert granted(floor.person_transcribed("ben", "Indeed.", 2.2)) == [BOB]


def test_words_that_were_none_are_no_turn() -> None:
    floor = a_floor(Addressed())
    floor.person_stopped("ann", 2.0)
    assert floor.person_transcribed("ann", "", 2.1) == []
    assert floor.conversation == ()
    assert floor.time_passed(99.0) == []


def test_words_of_one_who_has_left_are_not_waited_for() -> None:
    floor = a_floor(Addressed())
    floor.person_stopped("ann", 2.0)
    assert granted(floor.left("ann", 2.1)) == [ALICE]


def test_the_conversation_is_bounded() -> None:
    floor = a_floor(Addressed())
    for turn in range(200):
        floor.person_stopped("ann", turn / 1000)
    assert len(floor.conversation) == 64
    assert floor.deadline == pytest.approx(2.0 + 136 / 1000)


# -- policies


def test_everyone_answers_each_turn_at_the_same_time() -> None:
    floor = a_floor(Everyone(), agent_turns=4)
    alice, bob, _ = floor.person_wrote("ann", "Hello!", 1.0)
    assert isinstance(alice, Grant)
    assert isinstance(bob, Grant)
    assert floor.holders == (ALICE, BOB, CID)
    assert floor.agent_ended(ALICE, alice.number, 2.0, "Hello, Ann!") == []
    assert granted(floor.agent_ended(BOB, bob.number, 3.0, "Good morning!")) == [ALICE]
    assert floor.statistics().turns_left == 3


def test_who_still_speaks_answers_a_person_s_next_turn_when_others_have_answered_it() -> None:
    floor = a_floor(Everyone(), agent_turns=4)
    alice, bob, cid = floor.person_wrote("ann", "Hello!", 1.0)
    assert isinstance(alice, Grant)
    assert isinstance(bob, Grant)
    assert isinstance(cid, Grant)
    assert floor.person_wrote("ben", "And me?", 2.0) == []
    (again,) = floor.agent_ended(ALICE, alice.number, 3.0, "Hello, Ann!")
    assert isinstance(again, Grant)
    assert floor.agent_ended(ALICE, again.number, 4.0, "And Ben!") == []
    assert granted(floor.agent_ended(CID, cid.number, 5.0, "A long story, Ann.")) == [CID]
    assert granted(floor.agent_ended(BOB, bob.number, 6.0, "A longer one.")) == [BOB]


def test_round_robin_goes_round() -> None:
    floor = a_floor(agent_turns=0)
    order: list[str] = []
    for turn in range(7):
        effects = floor.person_wrote("ann", "Next!", turn)
        order += granted(effects)
        assert speak(floor, effects) == []
    assert order == [ALICE, BOB, CID, ALICE, BOB, CID, ALICE]
    floor.left(BOB, 8.0)
    floor.agent_joined("dan", 8.0)
    assert granted(floor.person_wrote("ann", "Next!", 8.0)) == ["dan"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What does Bob think?", [BOB]),
        ("CID, and then bob: what do you think?", [CID, BOB]),
        ("Bobby and Lucid are not here.", [ALICE]),
        ("a_bob bob2", [ALICE]),
        ("Bob-ben: Bob's turn.", [BOB]),
        ("鲍勃bob你好", [BOB]),
        ("Anybody?", [ALICE]),
    ],
)
def test_whoever_is_named_answers_and_else_the_fallback_decides(text: str, expected: list[str]) -> None:
    """Of several one after the other: all of them answer a person, and that is no talk among themselves."""
    floor = a_floor(Addressed(), agent_turns=0)
    effects = floor.person_wrote("ann", text, 1.0)
    order: list[str] = []
    while effects:
        order += granted(effects)
        effects = speak(floor, effects)
    assert order == expected


def test_an_agent_that_names_another_is_answered_by_it() -> None:
    floor = a_floor(Addressed(), agent_turns=9)
    cid = speak(floor, floor.person_wrote("ann", "Bob?", 1.0), "I, Bob, do not know. Cid?")
    assert granted(cid) == [CID]
    assert speak(floor, cid, "Nor do I.") == []


def test_names_in_scripts_without_spaces_are_found() -> None:
    floor = Floor(Addressed())
    floor.person_joined("ann", 0.0)
    for agent, name in (("a", "小红"), ("b", "小明")):
        floor.agent_joined(agent, 0.0, name)
    assert granted(floor.person_wrote("ann", "请问小明现在几点?", 1.0)) == ["b"]


def test_a_person_who_speaks_again_ends_the_queue() -> None:
    """Those who were named and have not answered are not asked any more."""
    floor = a_floor(Addressed())
    effects = floor.person_wrote("ann", "Alice, Bob, Cid?", 1.0)
    floor.person_started("ann", 2.0)
    assert granted(effects) == [ALICE]
    cid = floor.person_stopped("ann", 3.0, "Only Cid, I meant.")
    assert granted(cid) == [CID]
    assert speak(floor, cid) == []


def test_one_of_the_queue_who_is_gone_is_passed_over() -> None:
    floor = a_floor(Addressed(), agent_turns=0)
    effects = floor.person_wrote("ann", "Alice, Bob, Cid?", 1.0)
    floor.left(BOB, 2.0)
    assert granted(speak(floor, effects)) == [CID]


def test_hands_are_heard_in_order() -> None:
    floor = a_floor(RaisedHands())
    assert floor.person_wrote("ann", "Who knows?", 1.0) == []
    cid = floor.hand_raised(CID, 1.1)
    assert granted(cid) == [CID]
    floor.hand_raised(BOB, 1.2)
    floor.hand_raised(ALICE, 1.3)
    floor.hand_raised(CID, 1.4)
    assert floor.hands == (BOB, ALICE, CID)
    floor.hand_lowered(BOB)
    alice = speak(floor, cid)
    assert granted(alice) == [ALICE]
    assert floor.hands == (CID,)
    assert granted(speak(floor, alice)) == [CID]


def test_who_has_just_spoken_may_raise_a_hand_again() -> None:
    """A tool's result may come later."""
    floor = a_floor(RaisedHands())
    floor.hand_raised(CID, 1.0)
    speak(floor, [Grant(CID, 1)])
    assert granted(floor.hand_raised(CID, 2.0)) == [CID]


def test_without_a_hand_the_fallback_answers_people() -> None:
    floor = a_floor(RaisedHands(fallback=Addressed()))
    floor.person_stopped("ann", 1.0)
    bob = floor.person_transcribed("ann", "Bob?", 1.1)
    assert granted(bob) == [BOB]
    assert speak(floor, bob, "Cid?") == []


def test_hands_are_heard_by_other_policies_when_nothing_is_to_be_answered() -> None:
    for policy in (RoundRobin(), Everyone(), Addressed()):
        assert granted(a_floor(policy).hand_raised(CID, 1.0)) == [CID]


def test_a_moderator_sees_the_conversation() -> None:
    seen: list[Situation] = []

    def moderator(situation: Situation) -> list[str]:
        seen.append(situation)
        return ["nobody", CID]

    floor = a_floor(Moderated(moderator), agent_turns=1)
    cid = floor.person_wrote("ann", "Hello!", 1.0)
    assert granted(cid) == [CID]
    assert speak(floor, cid, "Hi.", 2.0) == []
    first, second = seen
    assert first == Situation(
        turns=(Said("ann", "Hello!", True, 1.0),),
        candidates=(ALICE, BOB, CID),
        hands=(),
        names={ALICE: "Alice", BOB: "Bob", CID: "Cid"},
        conversation=(Said("ann", "Hello!", True, 1.0),),
        turns_left=1,
        now=1.0,
    )
    assert first.is_from_person
    assert not second.is_from_person
    assert second.candidates == (ALICE, BOB)
    assert [said.text for said in second.conversation] == ["Hello!", "Hi."]


def test_a_moderator_outside_is_asked_and_answers_later() -> None:
    floor = a_floor(Moderated())
    (consult,) = floor.person_wrote("ann", "Hello!", 1.0)
    assert isinstance(consult, Consult)
    assert consult.situation.candidates == (ALICE, BOB, CID)
    assert floor.deadline == 11.0
    assert floor.decided(consult.number + 1, [ALICE], 2.0) == []
    bob = floor.decided(consult.number, ["nobody", BOB, CID, BOB], 2.0)
    assert granted(bob) == [BOB]
    assert floor.decided(consult.number, [ALICE], 2.0) == []
    assert granted(speak(floor, bob)) == [CID]


def test_a_decision_that_comes_too_late_changes_nothing() -> None:
    """A person has spoken since, or its time has passed."""
    floor = a_floor(Moderated(needs_words=False), decision=10.0)
    first = number_of(floor.person_wrote("ann", "Hello!", 1.0))
    floor.person_started("ann", 2.0)
    assert floor.decided(first, [BOB], 2.5) == []
    second = number_of(floor.person_stopped("ann", 3.0))
    assert floor.decided(first, [BOB], 3.5) == []
    assert floor.time_passed(13.0) == []
    assert floor.decided(second, [BOB], 13.1) == []
    assert floor.holders == ()


def test_a_moderator_is_asked_anew_when_a_person_has_another_turn() -> None:
    """About both turns; a sound without words, meanwhile, is nothing to him."""
    floor = a_floor(Moderated())
    first = number_of(floor.person_wrote("ann", "Hello!", 1.0))
    (second,) = floor.person_wrote("ben", "And you, Bob?", 1.5)
    assert isinstance(second, Consult)
    assert [said.text for said in second.situation.turns] == ["Hello!", "And you, Bob?"]
    assert floor.decided(first, [ALICE], 2.0) == []
    floor.person_started("ann", 2.1)
    assert floor.person_stopped("ann", 2.2, "") == []
    bob = floor.decided(second.number, [BOB], 2.5)
    assert granted(bob) == [BOB]
    third = number_of(speak(floor, bob))
    floor.person_started("ann", 3.0)
    assert floor.person_stopped("ann", 3.5, "") == []
    assert floor.decided(third, [ALICE], 4.0) == []


def test_what_happens_while_a_moderator_thinks_is_put_to_him_when_he_chose_nobody() -> None:
    floor = a_floor(Moderated())
    first = number_of(floor.person_wrote("ann", "Hello!", 1.0))
    assert floor.hand_raised(BOB, 1.1) == []
    (again,) = floor.decided(first, [], 2.0)
    assert isinstance(again, Consult)
    assert again.situation.hands == (BOB,)
    assert floor.hand_raised(CID, 2.1) == []
    (third,) = floor.time_passed(12.0)
    assert isinstance(third, Consult)
    assert floor.decided(third.number, [], 13.0) == []


def test_a_policy_of_one_s_own_is_a_few_lines() -> None:
    """The base class has the defaults; names of others are passed over; only one has the floor."""

    @attrs.define(eq=False)
    class Shy(Policy):
        """The last who joined, and somebody who is not there."""

        def choose(self, situation: Situation) -> list[str]:
            return ["nobody", *reversed(situation.candidates)]

    floor = a_floor(Shy(), agent_turns=0)
    cid = floor.person_stopped("ann", 1.0)
    assert granted(cid) == [CID]
    assert granted(speak(floor, cid)) == [BOB]


@pytest.mark.parametrize("field", ["agent_turns", "silence", "grant", "words", "decision"])
@pytest.mark.parametrize("value", [-1, math.nan])
def test_limits_that_cannot_be_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"FloorLimits.{field} is {value}"):
        FloorLimits(**{field: value})
