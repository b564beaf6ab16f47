"""An agent written for AgentScope 1.0, with nothing but its imports changed: they began with `agentscope.`

    python examples/agentscope_tutorial.py --text "What is the weather in Oslo?"
    python examples/agentscope_tutorial.py --wav tests/data/weather.wav

The key is read from OPENAI_API_KEY. `--url` names another server, such as that of `realtime-actors simulate openai`,
for which any key will do:

    realtime-actors simulate openai &
    python examples/agentscope_tutorial.py --url ws://127.0.0.1:9000/v1/realtime --text "What is the weather in Oslo?"
"""

import argparse
import asyncio
import base64
import os
import wave
from typing import Any

from realtime_actors.agentscope.agent import RealtimeAgent
from realtime_actors.agentscope.message import TextBlock
from realtime_actors.agentscope.realtime import ClientEvents, OpenAIRealtimeModel, ServerEvents
from realtime_actors.agentscope.tool import Toolkit, ToolResponse

CHUNK_MS = 20


async def get_weather(city: str) -> ToolResponse:
    """What the weather is like now.

    Args:
        city: The name of the city, without its country.
    """
    await asyncio.sleep(0.01)  # a service is asked
    return ToolResponse(content=[TextBlock(type="text", text=f"Snow in {city}.")])


class Listener:
    """Reads the agent's queue: what it says, how much speech there was, how its replies ended."""

    def __init__(self, queue: "asyncio.Queue[Any]") -> None:
        self.queue = queue
        self.seen: list[dict[str, Any]] = []
        self.answered = asyncio.Event()

    async def listen(self) -> None:
        """Until the agent has ended."""
        while True:
            event = await self.queue.get()
            self.seen.append(event.model_dump())
            match event:
                case ServerEvents.AgentInputTranscriptionDoneEvent():
                    print("you:", event.transcript)
                case ServerEvents.AgentResponseToolResultEvent():
                    print("tool:", event.tool_result["output"])
                case ServerEvents.AgentResponseAudioTranscriptDeltaEvent():
                    print("agent:", event.delta)
                case ServerEvents.AgentResponseAudioDoneEvent():
                    self.answered.set()
                case ServerEvents.AgentErrorEvent():
                    print("error:", event.message)
                case ServerEvents.AgentEndedEvent():
                    return
                case _:
                    pass


async def speak(agent: RealtimeAgent, wav: str) -> None:
    """Send a recording at the pace of speech, and the silence after it."""
    with wave.open(wav) as recording:
        rate = recording.getframerate()
        pcm = recording.readframes(recording.getnframes()) + bytes(rate * 2)
    step = rate * CHUNK_MS // 1000 * 2
    for start in range(0, len(pcm), step):
        await agent.handle_input(
            ClientEvents.ClientAudioAppendEvent(
                session_id="s1",
                audio=base64.b64encode(pcm[start : start + step]).decode(),
                format={"type": "audio/pcm", "rate": rate},  # type: ignore
            )
        )
        await asyncio.sleep(CHUNK_MS / 1000)


async def talk(url: str | None, key: str, text: str | None, wav: str | None) -> list[dict[str, Any]]:
    """One turn of a conversation. Returns the events."""
    toolkit = Toolkit()
    toolkit.register_tool_function(get_weather)
    model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key=key, voice="marin")
    if url:
        model.websocket_url = url
    agent = RealtimeAgent(
        name="Friday",
        sys_prompt="You are a helpful assistant named Friday.",
        model=model,
        toolkit=toolkit,
    )

    queue: asyncio.Queue[Any] = asyncio.Queue()
    listener = Listener(queue)
    listening = asyncio.create_task(listener.listen())
    await agent.start(queue)
    try:
        if text:
            await agent.handle_input(ClientEvents.ClientTextAppendEvent(session_id="s1", text=text))
        if wav:
            await speak(agent, wav)
        await asyncio.wait_for(listener.answered.wait(), timeout=15)
    finally:
        await agent.stop()
        await asyncio.wait([listening], timeout=1)
        listening.cancel()
    return listener.seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url")
    parser.add_argument("--text")
    parser.add_argument("--wav")
    options = parser.parse_args()
    key = os.getenv("OPENAI_API_KEY") or ("any" if options.url else "")
    if not key:
        parser.error(
            "OPENAI_API_KEY is not set; --url needs no key for the server of `realtime-actors simulate openai`"
        )
    if not (options.text or options.wav):
        parser.error("there is nothing to say: give it --text or --wav")
    events = asyncio.run(talk(options.url, key, options.text, options.wav))
    print(len(events), "events, the last of them", events[-1]["type"])
