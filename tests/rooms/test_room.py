"""Several agents and several people in one conversation."""

from __future__ import annotations

from typing import Any

from rooms_kit import Voice, replies_of, seated, words_of

from realtime_actors.rooms import Addressed


async def test_one_agent_after_the_other_answers_what_a_person_writes(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["Good morning, Ann.", "I have said so."])
    bob = Voice("Bob", ["Hello from me."], provider="dashscope", transcripts=["(Alice) Good morning, Ann."])
    async with seated(alice, bob) as room:
        await room.join("ann", name="Ann")
        room.write("ann", "Hello everybody!")
        events = await room.line("I have said so")
        assert words_of(events) == [
            "Ann: Hello everybody!",
            "Alice: Good morning, Ann.",
            "Bob: Hello from me.",
            "Alice: I have said so.",
        ]
        assert replies_of(events) == ["Alice", "Bob", "Alice"]
        print([t for t in alice.brain.heard])


async def test_a_person_speaks_to_whom_he_names(autojump_clock: Any) -> None:
    alice = Voice("Alice", ["It is me."], transcripts=["What do you think, Bob?"])
    bob = Voice("Bob", ["I think so."], provider="gemini")
    async with seated(alice, bob, policy=Addressed()) as room:
        await room.join("ann", name="Ann")
        await room.speak("ann")
        events = await room.line("I think so")
        print(words_of(events))
        assert replies_of(events) == ["Bob"]
