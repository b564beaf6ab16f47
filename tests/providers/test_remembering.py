"""What an agent remembers, with every provider's simulator: before, through and after a lost connection."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from agent_talk import PAUSE, SPEECH, Talk, get_weather, of, statuses, talking

from realtime_actors.agents import GetHistory, Memory, tool
from realtime_actors.events import (
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseToolResult,
    AgentSpeech,
    Blob,
    ClientAudioCommit,
    ClientImageAppend,
    ClientResponseCancel,
    ClientResponseCreate,
    History,
    HistoryItem,
    Note,
    ServerSessionUpdated,
    ToolCallItem,
    ToolResultItem,
    UserImage,
    UserSpeech,
    UserText,
    decode_history,
    encode_history,
)
from realtime_actors.providers import Manual, ServerVAD
from realtime_actors.simulators import Call, Endless, GeminiSimulator, Reply, Say, ScriptedBrain, XAISimulator
from realtime_actors.simulators.server import Simulator
from tests.simulated_providers import SIMULATED, with_turn_detection


@attrs.frozen
class Provider:
    """A model, its simulator, and what a new session is told of what was said before."""

    model: Any
    simulator: type[Simulator]
    state: str

    def brain(self, *replies: Reply, transcripts: tuple[str, ...] = ()) -> ScriptedBrain:
        return ScriptedBrain(replies=[*replies, NAME, NO_NAME, MET], transcripts=transcripts, default=[Say("Well.")])

    def serve(self, brain: ScriptedBrain, **options: Any) -> Simulator:
        kind: Any = self.simulator
        return kind(brain=brain, **{"speed": 0, "seed": 1, **options})


PROVIDERS = {
    name: Provider(
        with_turn_detection(name, ServerVAD(silence_duration_ms=300)),
        each.simulator,
        "partial" if name == "dashscope" else "full",
    )
    for name, each in SIMULATED.items()
}
OPENAI = PROVIDERS["openai"]
FORGETFUL = {
    name: attrs.evolve(each, model=attrs.evolve(each.model, session_resumption=False))
    if each.model.capabilities.resumption
    else each
    for name, each in PROVIDERS.items()
}
"""The same without sessions that the provider goes on with: what was said is told again."""


def each(providers: dict[str, Provider]) -> Any:
    return pytest.mark.parametrize("provider", list(providers.values()), ids=list(providers))


NAME = Reply([Say("You are Ann.")], when="what is my name", knows="my name is ann")
NO_NAME = Reply([Say("I do not know.")], when="what is my name")
MET = Reply([Say("Hello Ann.")], when="my name is ann")
STORY = Reply([Endless("And so on. ")], when="story")
BEFORE: tuple[HistoryItem, ...] = (UserText("u1", "My name is Ann."), AgentSpeech("a1", "Hello Ann."))


async def items(talk: Talk) -> list[HistoryItem]:
    history = await talk.agent.ask(GetHistory(), timeout=1)
    assert decode_history(encode_history(history)) == history
    return list(history.items)


def texts(history: list[HistoryItem]) -> list[str]:
    """Who said what, without ids."""
    return [f"{item.role}: {getattr(item, 'text', None) or getattr(item, 'transcript', None)}" for item in history]


async def answer(talk: Talk, question: str) -> str:
    talk.say(question)
    events = await talk.reply()
    assert statuses(events) == ["completed"]
    return of(AgentResponseAudioTranscriptDone, events)[-1].transcript


async def restored(talk: Talk) -> str:
    event = (await talk.probe.until(ServerSessionUpdated))[-1]
    return event.metadata["state_restored"]


class TestSeeding:
    @each(PROVIDERS)
    async def test_seeding_a_conversation_with_history(
        self, autojump_clock: trio.abc.Clock, provider: Provider
    ) -> None:
        """Complaint: a conversation cannot be begun with what was said before."""
        server = provider.serve(provider.brain())
        async with talking(server, provider.model, history=History(BEFORE)) as talk:
            assert await restored(talk) == provider.state
            assert await answer(talk, "What is my name?") == "You are Ann."
            assert texts(await items(talk)) == [
                "user: My name is Ann.",
                "agent: Hello Ann.",
                "user: What is my name?",
                "agent: You are Ann.",
            ]

    @each(PROVIDERS)
    async def test_without_history_it_knows_nothing(self, autojump_clock: trio.abc.Clock, provider: Provider) -> None:
        async with talking(provider.serve(provider.brain()), provider.model) as talk:
            assert await answer(talk, "What is my name?") == "I do not know."

    @each(PROVIDERS)
    async def test_calls_notes_and_pictures_are_told_as_well(
        self, autojump_clock: trio.abc.Clock, provider: Provider
    ) -> None:
        before = (
            Note("n1", "Ann called before."),
            UserSpeech("s1", "How is the weather in Oslo?"),
            ToolCallItem("f1", "c1", "get_weather", '{"city": "Oslo"}'),
            ToolResultItem("r1", "c1", "get_weather", "Sunny."),
            AgentSpeech("a1", "It is", interrupted=True),
            UserImage("p1", "image/jpeg", 3),
        )
        brain = provider.brain()
        async with talking(provider.serve(brain), provider.model, tools=[get_weather], history=History(before)) as talk:
            assert await restored(talk) == "partial"  # the picture is gone
            await answer(talk, "And?")
            known = " ".join(turn.text for turn in brain.heard)
            for words in ("Ann called before.", "in Oslo?", '"Oslo"', "Sunny.", "It is", "a picture (image/jpeg)"):
                assert words in known

    async def test_on_sockets(self) -> None:
        server = OPENAI.serve(OPENAI.brain())
        async with talking(server, OPENAI.model, sockets=True, history=History(BEFORE)) as talk:
            assert await restored(talk) == "full"
            assert await answer(talk, "What is my name?") == "You are Ann."

    async def test_a_conversation_moves_from_one_provider_to_another(self, autojump_clock: trio.abc.Clock) -> None:
        first, second = PROVIDERS["xai"], PROVIDERS["gemini"]
        async with talking(first.serve(first.brain()), first.model) as talk:
            await answer(talk, "My name is Ann.")
            exported = encode_history(await talk.agent.ask(GetHistory(), timeout=1))
        async with talking(second.serve(second.brain()), second.model, history=decode_history(exported)) as talk:
            assert await answer(talk, "What is my name?") == "You are Ann."
            exported = encode_history(await talk.agent.ask(GetHistory(), timeout=1))
        async with talking(OPENAI.serve(OPENAI.brain()), OPENAI.model, history=decode_history(exported)) as talk:
            assert await restored(talk) == "full"
            assert await answer(talk, "What is my name?") == "You are Ann."

    async def test_an_item_that_the_provider_refuses_is_not_said_to_be_restored(
        self, autojump_clock: trio.abc.Clock
    ) -> None:
        picture = UserImage("p1", "image/tiff", 3, Blob(data=b"abc"))
        memory = Memory(max_image_bytes=100)
        async with talking(
            OPENAI.serve(OPENAI.brain()), OPENAI.model, history=History((*BEFORE, picture)), memory=memory
        ) as talk:
            assert await restored(talk) == "full"
            assert await restored(talk) == "partial"
            assert await answer(talk, "What is my name?") == "You are Ann."


class TestLostConnections:
    @each({**PROVIDERS, **{f"{name}_forgets": each for name, each in FORGETFUL.items() if each != PROVIDERS[name]}})
    async def test_a_lost_connection_loses_nothing_that_was_said(
        self, autojump_clock: trio.abc.Clock, provider: Provider
    ) -> None:
        """Complaint: a call that was dropped goes on with a model that remembers nothing, and nobody says so."""
        brain = provider.brain()
        async with talking(provider.serve(brain), provider.model) as talk:
            await answer(talk, "My name is Ann.")
            await trio.sleep(1)
            talk.drop()
            assert await restored(talk) == provider.state
            assert await answer(talk, "What is my name?") == "You are Ann."
            assert " ".join(turn.text for turn in brain.heard).count("My name is Ann.") == 1
            before = await items(talk)
            talk.drop()
            assert await restored(talk) == provider.state
            assert await answer(talk, "What is my name?") == "You are Ann."
            assert (await items(talk))[: len(before)] == before

    @each(PROVIDERS)
    async def test_what_was_not_acknowledged_is_not_told_twice(
        self, autojump_clock: trio.abc.Clock, provider: Provider
    ) -> None:
        brain = provider.brain()
        async with talking(provider.serve(brain), provider.model) as talk:
            await answer(talk, "My name is Ann.")
            await trio.sleep(1)
            talk.drop()
            assert await answer(talk, "What is my name?") == "You are Ann."  # said while there was no connection
            known = " ".join(turn.text for turn in brain.heard)
            assert known.count("My name is Ann.") == known.count("What is my name?") == 1

    @each(FORGETFUL)
    async def test_say_honestly_whether_context_was_restored(
        self, autojump_clock: trio.abc.Clock, provider: Provider
    ) -> None:
        """Complaint: one is told that the session is back, and not that the model has forgotten everything."""
        async with talking(provider.serve(provider.brain()), provider.model, memory=None) as talk:
            await answer(talk, "My name is Ann.")
            await trio.sleep(1)
            talk.drop()
            assert await restored(talk) == "none"
            assert await answer(talk, "What is my name?") == "I do not know."
            assert await items(talk) == []

    async def test_what_was_too_much_to_be_kept_is_not_said_to_be_restored(
        self, autojump_clock: trio.abc.Clock
    ) -> None:
        async with talking(OPENAI.serve(OPENAI.brain()), OPENAI.model, memory=Memory(max_items=2)) as talk:
            await answer(talk, "My name is Ann.")
            await answer(talk, "How are you?")
            await trio.sleep(1)
            talk.drop()
            assert await restored(talk) == "partial"
            assert await answer(talk, "What is my name?") == "I do not know."

    async def test_a_picture_is_lost_unless_it_is_to_be_kept(self, autojump_clock: trio.abc.Clock) -> None:
        for most, state in ((0, "partial"), (1000, "full")):
            memory = Memory(max_image_bytes=most)
            async with talking(OPENAI.serve(OPENAI.brain()), OPENAI.model, memory=memory) as talk:
                talk.tell(ClientImageAppend("s1", b"\xff\xd8\xff", {"type": "image/jpeg"}))
                await answer(talk, "My name is Ann.")
                await trio.sleep(1)
                talk.drop()
                assert await restored(talk) == state

    @each(PROVIDERS)
    async def test_a_reply_that_is_lost_in_mid_word_is_remembered_as_interrupted(
        self, autojump_clock: trio.abc.Clock, provider: Provider
    ) -> None:
        brain = provider.brain(STORY)
        async with talking(provider.serve(brain, speed=1), provider.model) as talk:
            talk.say("A story, please. My name is Ann.")
            await talk.probe.until(AgentResponseAudioDelta)
            await trio.sleep(3)
            talk.drop()
            # Gemini goes on with the session as it was before this turn.
            resumes = provider.simulator is GeminiSimulator
            assert await restored(talk) == ("partial" if resumes else provider.state)
            [text, story] = await items(talk)
            assert isinstance(text, UserText)
            assert isinstance(story, AgentSpeech)
            assert story.interrupted
            assert story.transcript.startswith("And so on. And")
            assert await answer(talk, "What is my name?") == "You are Ann."
            known = " ".join(turn.text for turn in brain.heard)
            assert known.count("A story, please.") == 1
            assert story.transcript.strip() in known

    @each(PROVIDERS)
    async def test_a_call_that_is_carried_out_meanwhile_is_answered_once(
        self, autojump_clock: trio.abc.Clock, provider: Provider
    ) -> None:
        @tool(name="get_weather")
        async def slow(city: str) -> str:
            await trio.sleep(20)
            return f"Snow in {city}."

        brain = provider.brain(Reply([Call("get_weather", '{"city": "Oslo"}')], when="weather"))
        async with talking(provider.serve(brain), provider.model, tools=[slow]) as talk:
            talk.say("How is the weather?")
            await talk.reply()
            await trio.sleep(5)
            talk.drop()
            await talk.probe.until(AgentResponseToolResult)
            assert statuses(await talk.reply()) == ["completed"]
            known = " ".join(turn.text for turn in brain.heard)
            assert known.count("Snow in Oslo.") == 1
            assert [type(item) for item in await items(talk)][:3] == [UserText, ToolCallItem, ToolResultItem]
            assert (await items(talk))[2].output == "Snow in Oslo."  # type: ignore[union-attr]


class TestWhatIsRemembered:
    @each(PROVIDERS)
    @pytest.mark.parametrize("when", ["before", "during", "after"])
    async def test_a_spoken_conversation_in_its_order(
        self, autojump_clock: trio.abc.Clock, provider: Provider, when: str
    ) -> None:
        """The user's words may come after the reply to them."""
        brain = provider.brain(transcripts=("My name is Ann.", "What is my name?"))
        options = {} if provider.simulator is XAISimulator else {"transcripts": when}
        async with talking(provider.serve(brain, **options), provider.model) as talk:
            for _ in range(2):
                await talk.speak(SPEECH + PAUSE)
                await trio.sleep(3)
            assert texts(await items(talk)) == [
                "user: My name is Ann.",
                "agent: Hello Ann.",
                "user: What is my name?",
                "agent: You are Ann.",
            ]

    @each(PROVIDERS)
    async def test_push_to_talk_in_its_order(self, autojump_clock: trio.abc.Clock, provider: Provider) -> None:
        brain = provider.brain(transcripts=("My name is Ann.", "What is my name?"))
        manual = attrs.evolve(provider.model, turn_detection=Manual())
        async with talking(provider.serve(brain), manual) as talk:
            for _ in range(2):
                await talk.speak()
                talk.tell(ClientAudioCommit("s1"), ClientResponseCreate("s1"))
                await talk.reply()
                await trio.sleep(3)
            assert texts(await items(talk)) == [
                "user: My name is Ann.",
                "agent: Hello Ann.",
                "user: What is my name?",
                "agent: You are Ann.",
            ]

    @each(PROVIDERS)
    @pytest.mark.parametrize("by", ["voice", "cancel"])
    async def test_memory_equals_what_was_heard_after_an_interruption(
        self, autojump_clock: trio.abc.Clock, provider: Provider, by: str
    ) -> None:
        """Complaint: the history of an interrupted call is full of words that nobody heard."""
        brain = provider.brain(STORY, transcripts=("Stop.",))
        async with talking(provider.serve(brain, speed=4), provider.model) as talk:
            talk.say("A story!")
            await talk.probe.until(AgentResponseAudioDelta)
            began = trio.current_time()
            await trio.sleep(5)
            if by == "voice":
                await talk.speak(SPEECH)
            else:
                talk.tell(ClientResponseCancel("s1"))
            await talk.reply()
            seconds = trio.current_time() - began
            story = (await items(talk))[1]
            assert isinstance(story, AgentSpeech)
            assert story.interrupted
            assert ("And so on. " * 100).startswith(story.transcript)
            if by == "cancel":  # the voice is heard some time after it began
                assert seconds == pytest.approx(5, abs=0.01)
                assert abs(len(story.transcript) * 0.06 - seconds) < 0.5  # seconds of a word and the pieces of speech
            if by == "cancel" and provider.model.capabilities.truncate:  # and the model knows no more
                talk.say("Well?")
                await talk.reply()
                [told] = [turn.text for turn in brain.heard if turn.role == "assistant"]
                assert told.startswith(story.transcript)
                assert len(told) - len(story.transcript) <= 12

    async def test_interrupted_before_the_first_word(self, autojump_clock: trio.abc.Clock) -> None:
        async with talking(OPENAI.serve(OPENAI.brain(STORY), speed=1), OPENAI.model) as talk:
            talk.say("A story!")
            talk.tell(ClientResponseCancel("s1"))
            await trio.sleep(3)
            assert texts(await items(talk)) == ["user: A story!"]
