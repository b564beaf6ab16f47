"""A provider of your own: any async callable from text to text, spoken by the voice of this machine.

    python examples/own_provider.py "What can you do?"

It needs no network and no key (the voice is in the extra `demo`), and writes the answer to answer.wav.
"""

import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

import attrs
import trio

from realtime_actors import (
    Actor,
    AgentResponseAudioDelta,
    AgentResponseDone,
    ClientTextAppend,
    RealtimeAgent,
    Ref,
    open_runtime,
    receives,
)
from realtime_actors import events as ev
from realtime_actors.audio import write_wav
from realtime_actors.providers import Capabilities, ConnectionReady, Manual, Model, TurnDetection, WaitReady
from realtime_actors.simulators.speech import Voice
from realtime_actors.transports import Transport, WebSocketOptions

Think = Callable[[str, Sequence[str]], Awaitable[str]]
"""From the instructions and the conversation so far, user and model in turns, to what the model says next."""


@attrs.frozen(kw_only=True)
class SpokenModel(Model):
    provider: ClassVar[str] = "this machine"
    input_rate: ClassVar[int] = 24000

    think: Think
    voice: Voice = attrs.field(factory=Voice)
    model_name: str = "spoken"
    turn_detection: TurnDetection = attrs.field(factory=Manual)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(text=True, images=False, tools=False, cancel=True, truncate=False, manual_turns=True)

    def connection(self, owner: Ref, transport: Transport, options: WebSocketOptions) -> Actor:
        return SpokenConnection(self, owner)


@attrs.define(eq=False)
class SpokenConnection(Actor):
    model: SpokenModel
    owner: Ref
    instructions: str | None = attrs.field(init=False, default=None)
    conversation: list[str] = attrs.field(init=False, factory=list[str])
    replies: dict[str, trio.CancelScope] = attrs.field(init=False, factory=dict[str, trio.CancelScope])

    @receives
    def wait_ready(self, _: WaitReady) -> None: ...

    @receives(lane="control")
    async def configure(self, command: ev.Configure) -> None:
        first, self.instructions = self.instructions is None, command.instructions
        await self.owner.send(ConnectionReady(1) if first else ev.SessionConfigured())

    @receives
    async def add_text(self, command: ev.AppendText) -> None:
        self.conversation.append(command.text)
        await self.owner.send(ev.ItemAdded(command.item_id))

    @receives
    def hear(self, command: ev.AppendAudio | ev.CommitAudio) -> None:
        """It hears nothing: put a speech recogniser here."""

    @receives
    def create(self, command: ev.CreateResponse) -> None:
        self.context.start_soon(self.reply, f"reply_{uuid.uuid4().hex[:12]}")

    @receives(lane="control")
    def cancel(self, command: ev.CancelResponse) -> None:
        if command.response_id in self.replies:
            self.replies[command.response_id].cancel()

    async def reply(self, reply_id: str) -> None:
        status = {"status": "cancelled"}
        scope = self.replies[reply_id] = trio.CancelScope()
        await self.owner.send(ev.ModelResponseCreated(reply_id))
        with scope:
            try:
                words = await self.model.think(self.instructions or "", tuple(self.conversation))
                await self.say(reply_id, words)
                self.conversation.append(words)
                status = {"status": "completed"}
            except Exception as error:  # what went wrong with one reply is no reason to end the conversation
                status = {"status": "failed", "error_code": type(error).__name__, "error_message": str(error)}
        del self.replies[reply_id]
        await self.owner.send(ev.ModelResponseDone(reply_id, metadata=status))

    async def say(self, reply_id: str, words: str) -> None:
        item_id = f"item_{reply_id}"
        await self.owner.send(ev.ModelResponseAudioTranscriptDelta(reply_id, item_id, words))
        pieces = self.model.voice.synthesize(words, 24000)
        while (pcm := await trio.to_thread.run_sync(next, pieces, None)) is not None:
            await self.owner.send(ev.ModelResponseAudioDelta(reply_id, item_id, pcm, ev.AudioFormat(rate=24000)))
        await self.owner.send(ev.ModelResponseAudioTranscriptDone(reply_id, item_id, words))
        await self.owner.send(ev.ModelResponseAudioDone(reply_id, item_id))


async def parrot(instructions: str, conversation: Sequence[str]) -> str:
    """Put a call of your text model here."""
    return f"You said: {conversation[-1]}"


async def main(question: str) -> None:
    speech = b""
    async with open_runtime() as runtime, runtime.bus.subscribe("agents.polly.>") as events:
        agent = await runtime.spawn(RealtimeAgent("Polly", "Repeat.", SpokenModel(think=parrot)), name="polly")
        agent.tell(ClientTextAppend("example", question))
        async for event in events:
            if isinstance(event, AgentResponseAudioDelta):
                speech += event.delta
            elif isinstance(event, AgentResponseDone):
                break
    write_wav("answer.wav", speech, 24000)
    print(f"answer.wav: {len(speech) / 48000:.1f} s")


if __name__ == "__main__":
    trio.run(main, " ".join(sys.argv[1:]) or "Hello")
