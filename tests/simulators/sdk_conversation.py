"""A conversation held by OpenAI's own Python SDK (asyncio) with a simulator on a real socket."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any

import trio
from pydantic import BaseModel, TypeAdapter

from realtime_actors.simulators import Call, Endless, Reply, Say, ScriptedBrain, buzz
from realtime_actors.simulators.server import Simulator

__all__ = ["TOOL", "SDKConversation", "conversational_brain", "converse", "unknown_keys"]

TOOL = {"type": "function", "name": "get_time", "description": "The time.", "parameters": {"type": "object"}}


def unknown_keys(value: object, path: str = "") -> Iterator[str]:
    """The paths of all keys in a parsed event that the SDK's types do not know."""
    if isinstance(value, BaseModel):
        yield from (f"{path}{key}" for key in value.model_extra or {})
        for key in type(value).model_fields:
            yield from unknown_keys(getattr(value, key), f"{path}{key}.")
    elif type(value) is list:
        for entry in value:  # pyright: ignore[reportUnknownVariableType]
            yield from unknown_keys(entry, path)  # pyright: ignore[reportUnknownArgumentType]


class SDKConversation:
    """What one connection of the SDK receives: each raw event must be one of its types, with no key beside theirs.

    `undocumented` are keys that the types do not have and recordings show; `prepare` makes up for what they require and
    the wire does not have, or says with `None` that they do not know the event.
    """

    def __init__(
        self,
        connection: Any,
        types: TypeAdapter[Any],
        undocumented: Collection[str],
        prepare: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda event: event,
    ) -> None:
        self.connection = connection
        self.seen: list[dict[str, Any]] = []
        self._types = types
        self._undocumented = undocumented
        self._prepare = prepare

    async def until(self, kind: str, **fields: Any) -> Any:
        """The next event of this kind, with these fields, as the SDK reads it."""
        async with asyncio.timeout(20):
            while True:
                raw = await self.connection.recv_bytes()
                event = self.connection.parse_event(raw)
                message: dict[str, Any] = TypeAdapter(dict[str, Any]).validate_json(raw)
                self.seen.append(message)
                prepared = self._prepare(message)
                if prepared is not None:
                    strict = self._types.validate_python(prepared)
                    assert set(unknown_keys(strict)) <= set(self._undocumented), message
                if message["type"] == kind and all(message[name] == value for name, value in fields.items()):
                    return event

    def kinds(self) -> list[str]:
        """The types of what was received so far, in order."""
        return [message["type"] for message in self.seen]

    async def say(self, text: str, *parts: Any) -> None:
        """Add what the user says in text."""
        content: Any = [*parts, {"type": "input_text", "text": text}]
        await self.connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})

    async def speak(self, ms: float = 800, *, silence_ms: float = 1000) -> None:
        """Send speech, with silence around it."""
        silence = bytes(round(silence_ms * 48))
        audio = silence + buzz(ms, 24000) + silence
        for start in range(0, len(audio), 9600):
            piece = base64.b64encode(audio[start : start + 9600]).decode()
            await self.connection.input_audio_buffer.append(audio=piece)

    async def two_calls(self) -> None:
        """A turn in which the model calls a tool twice at once."""
        await self.say("What time is it?")
        await self.connection.response.create()
        calls = [await self.until("response.function_call_arguments.done") for _ in range(2)]
        assert [json.loads(call.arguments)["zone"] for call in calls] == ["UTC", "CET"]
        await self.until("response.done")
        for call in calls:
            output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "noon"}
            await self.connection.conversation.item.create(item=output)
        await self.connection.response.create()
        done = await self.until("response.done")
        assert done.response.output[0].content[0].transcript == "It is noon."

    async def a_cancel_an_interruption_and_an_error(self, delta: str, *, reasons: bool = True) -> None:
        """What ends replies before their end; `delta` is the type of event that shows that one is spoken.

        `reasons`: whether the wire says why a reply was cancelled.
        """
        await self.say("A story!")
        await self.connection.response.create()
        await self.until(delta)
        await self.connection.response.cancel()
        await self._cancelled("client_cancelled" if reasons else None)
        await self.say("A story!")
        await self.connection.response.create()
        await self.until(delta)
        await self.speak()
        await self._cancelled("turn_detected" if reasons else None)
        await self.until("response.created")  # the reply to what was said
        await self.connection.response.cancel()
        await self._cancelled("client_cancelled" if reasons else None)
        await self.connection.response.cancel(event_id="mine")
        assert (await self.until("error")).error.event_id == "mine"

    async def _cancelled(self, reason: str | None) -> None:
        response = (await self.until("response.done")).response
        assert response.status == "cancelled"
        if reason is not None:
            assert response.status_details.reason == reason


def conversational_brain() -> ScriptedBrain:
    """What a simulator answers in these conversations."""
    return ScriptedBrain(
        replies=[
            Reply([Say("Hello.")], when="^hi"),
            Reply([Call("get_time", '{"zone": "UTC"}'), Call("get_time", '{"zone": "CET"}')], when="what time"),
            Reply([Say("It is noon.")], after="get_time"),
            Reply([Endless()], when="story"),
            Reply([Say("I heard you.")]),
        ],
        transcripts=["anybody there?"],
        default=[Endless()],
    )


async def converse(simulator: Simulator, talk: Callable[[Simulator], Awaitable[None]]) -> None:
    """Serve the simulator, and talk to it in an event loop of asyncio's, in a thread of its own."""

    async def main() -> None:
        await talk(simulator)

    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        await trio.to_thread.run_sync(asyncio.run, main())
        nursery.cancel_scope.cancel()
