"""What AgentScope's example page says and reads, word for word, by a frontend that knows nothing of this package."""

import base64
import json
from typing import Any

import pytest
import trio
from gateway_client import PATIENCE, Served, open_gateway

from realtime_actors.actors import Actor
from realtime_actors.agents import RealtimeAgent, tool
from realtime_actors.gateway import AgentRequest
from realtime_actors.providers import OpenAIRealtimeModel
from realtime_actors.simulators import Call, OpenAISimulator, Reply, Say, ScriptedBrain, buzz
from realtime_actors.transports import TrioWebSocketTransport, WebSocket

ORIGIN = "http://127.0.0.1:9999"
PIECE = 4096 * 2  # its audio comes 4,096 samples at a time, at 16 kHz
FORMATS = ({"rate": 16000, "type": "audio/pcm"}, {"sample_rate": 16000, "encoding": "pcm16"})
"""Of `client_audio_append`, in the page of 2026 and in its first one."""
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(200) + b"\xff\xd9").decode()


@tool
async def get_weather(city: str) -> str:
    """Weather in a city, now."""
    return f"It rains in {city}."


async def say(socket: WebSocket, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def hear(socket: WebSocket, kind: str) -> list[dict[str, Any]]:
    """What comes, up to an event of this kind."""
    events: list[dict[str, Any]] = []
    with trio.fail_after(PATIENCE):
        while not events or events[-1]["type"] != kind:
            frame = await socket.receive()
            assert isinstance(frame, str)  # in text frames: no subprotocol was asked for
            events.append(json.loads(frame))
    return events


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


async def create(socket: WebSocket) -> None:
    """What its start button does."""
    config = {"instructions": "You're a helpful assistant.", "agent_name": "Friday", "model_provider": "dashscope"}
    await say(socket, "client_session_create", config=config)
    (created,) = await hear(socket, "server_session_created")
    assert created["session_id"] == "session1"
    (ready,) = await hear(socket, "agent_ready")
    assert ready["agent_name"] == "Friday"


def connect(served: Served) -> Any:
    return TrioWebSocketTransport().connect(f"{served.url}/ws/You/session1", headers=[("Origin", ORIGIN)])


@pytest.mark.parametrize("form", FORMATS, ids=["type", "encoding"])
async def test_its_conversation(form: dict[str, Any]) -> None:
    """A spoken turn with a tool, a typed one, camera frames, a microphone that is switched off, and coming back."""
    replies = [Reply([Call("get_weather", '{"city": "Paris"}')]), Reply([Say("It rains.")]), Reply([Say("Five.")])]
    simulator = OpenAISimulator(
        brain=ScriptedBrain(replies=replies, transcripts=["what is the weather in paris"]), speed=50.0, seed=1
    )

    def factory(request: AgentRequest) -> Actor:
        assert request.config["model_provider"] == "dashscope"
        model = OpenAIRealtimeModel(api_key="key", url=simulator.url)
        name, instructions = request.agent_name or "", request.instructions or ""
        return RealtimeAgent(name=name, instructions=instructions, model=model, tools=[get_weather])

    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        async with open_gateway(factory, allowed_origins=ORIGIN) as served:
            async with connect(served) as socket:
                await create(socket)
                speech = buzz(1000, 16000) + bytes(2 * 16000)
                for start in range(0, len(speech), PIECE):
                    audio = base64.b64encode(speech[start : start + PIECE]).decode()
                    await say(socket, "client_audio_append", session_id="session1", audio=audio, format=form)
                events = await hear(socket, "agent_response_audio_done")
                events += await hear(socket, "agent_response_done")
                kinds = [event["type"] for event in events]
                assert kinds.index("agent_input_started") < kinds.index("agent_input_done")
                assert [each["transcript"] for each in of(events, "agent_input_transcription_done")] == [
                    "what is the weather in paris"
                ]
                (call,) = of(events, "agent_response_tool_use_done")
                assert call["tool_use"]["name"] == "get_weather"
                assert call["tool_use"]["input"] == {"city": "Paris"}
                (result,) = of(events, "agent_response_tool_result")
                assert result["tool_result"]["output"] == "It rains in Paris."
                assert {event["agent_name"] for event in events} == {"Friday"}
                spoken = of(events, "agent_response_audio_transcript_delta")
                assert "".join(each["delta"] for each in spoken) == "It rains."
                assert kinds.index("agent_response_audio_transcript_done") > 0
                sound = b"".join(base64.b64decode(each["delta"]) for each in of(events, "agent_response_audio_delta"))
                assert sound == ScriptedBrain().audio("It rains.", 24000)  # 24 kHz, as the page takes for granted
                assert all(done["input_tokens"] > 0 for done in of(events, "agent_response_done"))

                camera = {"type": "image/jpeg", "mime_type": "image/jpeg"}
                await say(socket, "client_image_append", session_id="session1", data=JPEG, format=camera)
                await say(socket, "client_text_append", session_id="session1", text="Count to five.")
                events = await hear(socket, "agent_response_done")
                assert of(events, "agent_response_audio_delta")
                assert not of(events, "agent_error")
                await say(socket, "client_audio_commit", session_id="session1")  # nothing is left to commit
                await say(socket, "client_text_append", session_id="session1", text="And?")
                assert not of(await hear(socket, "agent_response_done"), "agent_error")
            async with connect(served) as socket:
                await create(socket)
        nursery.cancel_scope.cancel()
