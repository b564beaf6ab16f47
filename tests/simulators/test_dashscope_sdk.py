"""DashScope's own Python SDK (threads) as a client of the simulator, over a real socket."""

import base64
import importlib
import queue
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
from dashscope_client import JPEG, NEWER, OLDER, WEATHER, Json, audio_of, check, types

from realtime_actors.simulators import Call, Endless, Reply, Say, ScriptedBrain, buzz
from realtime_actors.simulators.dashscope import DashScopeSimulator

sdk: Any = importlib.import_module("dashscope.audio.qwen_omni")  # its types are incomplete
SPEECH = buzz(800, 16000)
SILENCE = bytes(32000)
BOTH = [sdk.MultiModality.AUDIO, sdk.MultiModality.TEXT]


class Conversation(sdk.OmniRealtimeCallback):
    """One connection of the SDK; every event that it is told of has the documented fields, and no other."""

    def __init__(self, url: str, model: str) -> None:
        self.events: queue.Queue[Json] = queue.Queue()
        self.closed: queue.Queue[int] = queue.Queue()
        self.sdk = sdk.OmniRealtimeConversation(model=model, callback=self, url=url, api_key="sk-test")

    def on_event(self, message: Any) -> None:
        self.events.put(message)

    def on_close(self, close_status_code: Any, close_msg: Any) -> None:
        self.closed.put(close_status_code)

    def until(self, kind: str) -> list[Json]:
        """Events up to and with the first of this kind."""
        events: list[Json] = []
        while not events or events[-1]["type"] != kind:
            events.append(self.events.get(timeout=10))
            check(events[-1])
        return events

    def update(self, **settings: Any) -> Json:
        self.sdk.update_session(**{"output_modalities": BOTH, "voice": "Cherry", **settings})
        return self.until("session.updated")[-1]["session"]

    def append(self, audio: bytes) -> None:
        for start in range(0, len(audio), 3200):
            self.sdk.append_audio(base64.b64encode(audio[start : start + 3200]).decode())


@contextmanager
def connected(url: str, model: str) -> Generator[Conversation, None, None]:
    conversation = Conversation(url, model)
    conversation.sdk.connect()
    socket = conversation.sdk.ws.sock.sock
    try:
        greeting = conversation.until("session.created")[-1]
        yield conversation
        conversation.sdk.end_session(timeout=5)
        assert conversation.sdk.get_session_id() == greeting["session"]["id"]
        assert conversation.closed.get(timeout=5) == 1000
    finally:
        conversation.sdk.close()
        socket.close()  # websocket-client leaves it open where the server closed first
        conversation.sdk.thread.join(5)
        assert not conversation.sdk.thread.is_alive()


def spoken_turn(url: str) -> None:
    """With turn detection, as the SDK sets it up; then a voice over the reply, and silence asked for."""
    with connected(url, OLDER) as talk:
        session = talk.update(instructions="Be brief.")
        assert session["turn_detection"]["threshold"] == 0.2
        talk.append(SPEECH + SILENCE)
        events = talk.until("response.done")
        assert "input_audio_buffer.speech_started" in types(events)
        assert len(audio_of(events)) > 24000
        assert talk.sdk.get_last_response_id() == events[-1]["response"]["id"]
        assert talk.sdk.get_last_first_audio_delay() is not None
        assert talk.until("conversation.item.input_audio_transcription.completed")[-1]["transcript"] == "Hello?"

        talk.append(SPEECH + SILENCE)  # a story, which never ends by itself
        talk.until("response.audio.delta")
        talk.append(SPEECH)
        talk.until("input_audio_buffer.speech_started")
        assert talk.until("response.output_item.done")[-1]["item"]["status"] == "incomplete"
        talk.append(SILENCE)
        assert talk.until("response.created")
        talk.until("response.audio.delta")
        talk.sdk.cancel_response()
        talk.until("response.output_item.done")
        talk.sdk.cancel_response()
        assert talk.until("error")[-1]["error"]["message"] == "Conversation has none active response"


def text_and_tools(url: str) -> None:
    """A text, two calls at once, and their results."""
    with connected(url, NEWER) as talk:
        rates = {
            "input_audio_config": sdk.AudioFormatConfig(),
            "output_audio_config": sdk.AudioFormatConfig("pcm", 48000),
        }
        talk.update(tools=[WEATHER], enable_input_audio_transcription=False, **rates)
        talk.sdk.create_item(
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "weather"}]}
        )
        talk.sdk.create_response()
        events = talk.until("response.done")
        calls = [event for event in events if event["type"] == "response.function_call_arguments.done"]
        assert [call["name"] for call in calls] == ["get_weather", "get_weather"]
        for call in calls:
            talk.sdk.create_item({"type": "function_call_output", "call_id": call["call_id"], "output": "21"})
        talk.sdk.create_response(instructions="In a word.", output_modalities=[sdk.MultiModality.TEXT])
        done = talk.until("response.done")[-1]["response"]
        assert done["output"][0]["content"] == [{"type": "text", "text": "It is mild."}]


def manual_turn(url: str) -> None:
    """A picture with the user's speech; and what is refused."""
    with connected(url, OLDER) as talk:
        talk.update(enable_turn_detection=False)
        talk.sdk.append_video(JPEG)
        assert talk.until("error")[-1]["error"]["code"] == ""
        talk.append(SPEECH)
        talk.sdk.clear_appended_audio()
        talk.until("input_audio_buffer.cleared")
        talk.append(SPEECH)
        talk.sdk.append_video(JPEG)
        talk.sdk.commit()
        talk.until("conversation.item.created")
        talk.sdk.create_response()
        assert talk.until("response.done")[-1]["response"]["usage"]["input_tokens_details"]["video_tokens"] > 0
        talk.sdk.update_session(output_modalities=[sdk.MultiModality.AUDIO])
        assert talk.until("error")[-1]["error"]["param"] == "session.modalities"


@pytest.mark.parametrize("conversation", [spoken_turn, text_and_tools, manual_turn])
async def test_the_sdk_talks_to_the_simulator(conversation: Any) -> None:
    """Every event is checked; the session is finished as the SDK does it."""
    brain = ScriptedBrain(
        replies=[
            Reply([Call("get_weather"), Call("get_weather")], when="weather"),
            Reply([Say("It is mild.")], after="get_weather"),
            Reply([Say("I heard you.")]),
        ],
        transcripts=["Hello?"],
        default=[Endless()],
    )
    simulator = DashScopeSimulator(brain=brain, speed=20)
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        await trio.to_thread.run_sync(conversation, simulator.url)
        nursery.cancel_scope.cancel()
