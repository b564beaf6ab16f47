"""An agent that is interrupted, against every provider's simulator: what was heard is what the model remembers.

Of users' complaints about other libraries: speech is not truncated when the provider's own detection interrupts;
truncation goes beyond what was received, and is refused; nothing was heard, and the words are remembered; frontends
play on; what was interrupted comes up in the next turn; an interruption before the first frame fails.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson
import pytest
import trio
from agent_talk import PAUSE, Talk, of, statuses, talking
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.audio import duration_ms
from realtime_actors.events import (
    AgentError,
    AgentInputStarted,
    AgentPlayoutFlush,
    AgentResponseAudioDelta,
    AgentResponseDone,
    ClientPlayoutUpdate,
    ClientResponseCancel,
)
from realtime_actors.providers import ServerVAD
from realtime_actors.simulators import Endless, Part, Reply, Say, ScriptedBrain, Stall
from tests.simulated_providers import SIMULATED, with_turn_detection

VAD = ServerVAD(silence_duration_ms=300)
CANCEL = ClientResponseCancel("s1")
WORDS = "Once upon a time there was a king who had three daughters, and each of them was as fair as the day."


every_provider = pytest.mark.parametrize("provider", [name for name in SIMULATED if name != "gemini_2_5"])


@attrs.define
class Listening:
    """A talk with one provider's agent, and all that was heard of it."""

    provider: str
    talk: Talk
    brain: ScriptedBrain
    heard: list[Any] = attrs.field(init=False, factory=list[Any])

    async def until(self, kind: type[Any]) -> Any:
        """The next event of this type."""
        self.heard += await self.talk.probe.until(kind)
        return self.heard[-1]

    def of(self, kind: type[Any]) -> list[Any]:
        """Events of this type, those that nobody waited for included."""
        self.heard += self.talk.probe.take_all()
        return of(kind, self.heard)

    async def interrupt(self, how: str) -> None:
        """Silence at once, or speak until the provider hears it."""
        if how == "cancel":
            self.talk.tell(CANCEL)
            await wait_all_tasks_blocked()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.talk.speak)
            await self.until(AgentInputStarted)
            nursery.cancel_scope.cancel()

    async def next_turn(self, how: str) -> list[str]:
        """Say something, or fall silent. What the model had of the conversation then, its own words only."""
        if how == "cancel":
            await trio.sleep(3)
            self.of(AgentResponseDone)
            self.talk.say("What did you say?")
        else:
            self.of(AgentResponseDone)
            await self.talk.speak(PAUSE)
        await self.until(AgentResponseDone)
        return [turn.text for turn in self.brain.heard if turn.role == "assistant"]

    def cuts(self) -> list[dict[str, Any]]:
        """What the model was told to forget."""
        kinds = ("conversation.item.truncate", "conversation.item.delete")
        return self._frames("sent", *kinds)

    def answers(self) -> list[str]:
        """What the provider said to that, errors included."""
        kinds = ("conversation.item.truncated", "conversation.item.deleted", "error")
        return [frame["type"] for frame in self._frames("received", *kinds)]

    def _frames(self, way: str, *kinds: str) -> list[dict[str, Any]]:
        frames = [orjson.loads(frame) for frame in getattr(self.talk.transport.connections[-1], way)]
        return [frame for frame in frames if frame.get("type") in kinds]

    def check_truncated(self, item_id: str, heard_ms: int) -> None:
        """The model was told, where it can be, and agreed; nobody was told of an error."""
        if SIMULATED[self.provider].model.capabilities.truncate:
            [cut] = self.cuts()
            assert (cut["type"], cut["item_id"]) == ("conversation.item.truncate", item_id)
            assert (cut["audio_end_ms"], cut["content_index"]) == (heard_ms, 0)
            assert self.answers() == ["conversation.item.truncated"]
        else:
            assert self.cuts() == []
        assert self.of(AgentError) == []


@asynccontextmanager
async def listening(
    provider: str, *replies: list[Part], speed: float = 0, sockets: bool = False
) -> AsyncGenerator[Listening]:
    simulator, its_model = SIMULATED[provider].simulator, with_turn_detection(provider, VAD)
    brain = ScriptedBrain(replies=[Reply(parts) for parts in replies], transcripts=["Stop.", "Go on."])
    async with talking(simulator(brain=brain, seed=1, speed=speed), its_model, sockets=sockets) as talk:
        yield Listening(provider, talk, brain)


@every_provider
@pytest.mark.parametrize("how", ["cancel", "speech"])
async def test_a_reply_that_came_faster_than_it_is_heard_is_truncated_and_clients_are_told_to_flush(
    provider: str, how: str, autojump_clock: MockClock
) -> None:
    """The provider has made it, the user hears it still: by a cancel or by the provider's own detection of speech."""
    async with listening(provider, [Say(WORDS)], [Say("All right.")]) as hears:
        hears.talk.say("Tell me a story.")
        delta = await hears.until(AgentResponseAudioDelta)
        began = trio.current_time()
        await trio.sleep(1.2)
        was_done = statuses(hears.of(AgentResponseDone)) == ["completed"]
        await hears.interrupt(how)
        heard_ms = (trio.current_time() - began) * 1000
        await trio.sleep(0.1)
        if was_done:
            [flush] = hears.of(AgentPlayoutFlush)
            assert (flush.response_id, flush.item_id) == (delta.response_id, delta.item_id)
            assert abs(flush.heard_ms - heard_ms) < 30
            hears.check_truncated(delta.item_id, flush.heard_ms)
        else:
            assert provider == "gemini"  # it ends a reply when it should have been heard
            assert statuses(hears.of(AgentResponseDone))[:1] == ["cancelled"]
            assert hears.of(AgentPlayoutFlush) == []


@every_provider
@pytest.mark.parametrize("how", ["cancel", "speech"])
async def test_a_reply_that_is_being_made_is_truncated_to_what_was_heard_and_never_beyond_what_was_received(
    provider: str, how: str, autojump_clock: MockClock
) -> None:
    """Also when the provider's own detection interrupts it: over a WebSocket it does not know what was heard."""
    async with listening(provider, [Endless(WORDS)], [Say("All right.")], speed=1) as hears:
        hears.talk.say("Tell me a story.")
        await hears.until(AgentResponseAudioDelta)
        began = trio.current_time()
        await trio.sleep(1.2)
        await hears.interrupt(how)
        heard_ms = (trio.current_time() - began) * 1000
        assert statuses(hears.of(AgentResponseDone)) == ["cancelled"]
        deltas = hears.of(AgentResponseAudioDelta)
        received_ms = sum(duration_ms(len(delta.payload), delta.format.rate) for delta in deltas)
        await trio.sleep(0.1)
        if hears.cuts():
            end_ms = hears.cuts()[0]["audio_end_ms"]
            assert end_ms <= received_ms
            assert abs(end_ms - heard_ms) < 120  # a piece of audio
            hears.check_truncated(deltas[0].item_id, end_ms)
        else:
            hears.check_truncated(deltas[0].item_id, 0)
        assert hears.of(AgentPlayoutFlush) == []  # the end that was told says it


@every_provider
async def test_what_the_frontend_reports_counts_and_not_the_clock(provider: str, autojump_clock: MockClock) -> None:
    """It may have begun late, been held, or stuttered."""
    async with listening(provider, [Say(WORDS)]) as hears:
        hears.talk.say("Tell me a story.")
        delta = await hears.until(AgentResponseAudioDelta)
        await hears.until(AgentResponseDone)
        await trio.sleep(3)
        hears.talk.tell(ClientPlayoutUpdate("s1", delta.response_id, delta.item_id, 730, playing=False))
        await hears.interrupt("cancel")
        [flush] = hears.of(AgentPlayoutFlush)
        assert flush.heard_ms == 730
        await trio.sleep(0.1)
        hears.check_truncated(delta.item_id, 730)


@every_provider
async def test_a_report_beyond_what_was_received_is_no_error(provider: str, autojump_clock: MockClock) -> None:
    """Never is more truncated to than there is: the provider would refuse it."""
    async with listening(provider, [Endless(WORDS)], speed=1) as hears:
        hears.talk.say("Tell me a story.")
        delta = await hears.until(AgentResponseAudioDelta)
        await trio.sleep(0.5)
        hears.talk.tell(ClientPlayoutUpdate("s1", delta.response_id, delta.item_id, 2**50))
        await hears.interrupt("cancel")
        deltas = hears.of(AgentResponseAudioDelta)
        await trio.sleep(0.1)
        hears.check_truncated(delta.item_id, sum(int(len(each.payload) / 48) for each in deltas))


@every_provider
async def test_of_what_nobody_heard_the_model_remembers_nothing(provider: str, autojump_clock: MockClock) -> None:
    """It is deleted where the provider can; or else truncated to nothing, where it can that."""
    async with listening(provider, [Say(WORDS)], [Say("Nothing.")]) as hears:
        hears.talk.say("Tell me a story.")
        delta = await hears.until(AgentResponseAudioDelta)
        await hears.until(AgentResponseDone)
        hears.talk.tell(ClientPlayoutUpdate("s1", delta.response_id, delta.item_id, 0, playing=False))
        await trio.sleep(3)
        await hears.interrupt("cancel")
        said = await hears.next_turn("cancel")
        match hears.provider:
            case "openai" | "azure" | "azure_preview":
                assert [cut["type"] for cut in hears.cuts()] == ["conversation.item.delete"]
                assert hears.answers() == ["conversation.item.deleted"]
                assert said == []
            case "xai":
                assert [cut["audio_end_ms"] for cut in hears.cuts()] == [0]
                assert hears.answers() == ["conversation.item.truncated"]
                assert said == [""]
            case _:
                assert hears.cuts() == []
        assert hears.of(AgentError) == []


@every_provider
@pytest.mark.parametrize("how", ["cancel", "speech"])
async def test_what_was_interrupted_does_not_leak_into_the_next_turn(
    provider: str, how: str, autojump_clock: MockClock
) -> None:
    """Neither its audio, which the listener gets no more of, nor its words, where the model can forget them."""
    async with listening(provider, [Say(WORDS)], [Say("All right.")], speed=3) as hears:
        hears.talk.say("Tell me a story.")
        story = await hears.until(AgentResponseAudioDelta)
        await trio.sleep(1.2)
        await hears.interrupt(how)
        await trio.sleep(0.1)
        cut = len(hears.of(AgentResponseAudioDelta))
        said = await hears.next_turn(how)
        assert all(delta.response_id != story.response_id for delta in hears.of(AgentResponseAudioDelta)[cut:])
        if SIMULATED[provider].model.capabilities.truncate:
            assert WORDS.startswith(said[0])
            assert len(said[0]) < 0.4 * len(WORDS)  # 1.2 s of 6 s, and the words that run ahead


@every_provider
@pytest.mark.parametrize("how", ["cancel", "speech"])
async def test_an_interruption_before_the_first_frame_works(provider: str, how: str, autojump_clock: MockClock) -> None:
    """There is nothing to truncate, and nothing to delete; the next turn is answered."""
    async with listening(provider, [Stall(2.0), Say(WORDS)], [Say("Here I am.")]) as hears:
        hears.talk.say("Tell me a story.")
        await trio.sleep(0.3)
        await hears.interrupt(how)
        await hears.next_turn(how)
        assert statuses(hears.of(AgentResponseDone))[-1] == "completed"
        assert hears.of(AgentResponseAudioDelta) != []
        assert hears.cuts() == []
        assert hears.of(AgentError) == []


@pytest.mark.parametrize("provider", ["openai", "xai"])
async def test_on_sockets(provider: str) -> None:
    async with listening(provider, [Say(WORDS)], [Say("All right.")], sockets=True) as hears:
        hears.talk.say("Tell me a story.")
        delta = await hears.until(AgentResponseAudioDelta)
        await hears.until(AgentResponseDone)
        hears.talk.tell(ClientPlayoutUpdate("s1", delta.response_id, delta.item_id, 730, playing=False))
        hears.talk.tell(CANCEL)
        flush = await hears.until(AgentPlayoutFlush)
        assert flush.heard_ms == 730
        hears.talk.say("Go on.")
        await hears.until(AgentResponseDone)
        hears.check_truncated(delta.item_id, 730)
