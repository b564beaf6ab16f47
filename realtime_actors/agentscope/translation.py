"""The native events as those of this module, and back.

Both say the same on the wire: each is made of the other's JSON.
"""

from typing import Any

import msgspec

from realtime_actors.events import (
    AgentEnded,
    AgentReady,
    AgentResponseToolResult,
    AudioFormat,
    ClientAudioAppend,
    ClientEvent,
    ClientImageAppend,
    DecodeError,
    ServerEvent,
    ServerSessionUpdated,
    decode_client,
    encode_json,
)

from .client_events import ClientEvents
from .errors import InvalidEvent, NotAnEvent
from .event import Event
from .message import TextBlock
from .model_events import ModelEvents, ModelEventType
from .server_events import ServerEvents, ServerEventType

__all__ = ["checked", "model_event", "native_client_event", "server_event"]


def _classes(namespace: type, tags: type[ServerEventType | ModelEventType]) -> dict[str, Any]:
    return {tag: getattr(namespace, "".join(map(str.capitalize, tag.split("_"))) + "Event") for tag in tags}


_SERVER: dict[str, type[ServerEvents.EventBase]] = _classes(ServerEvents, ServerEventType)
_MODEL: dict[str, type[ModelEvents.EventBase]] = _classes(ModelEvents, ModelEventType)


def server_event(event: ServerEvent) -> ServerEvents.EventBase | None:
    """What an agent said; `None` for what has no counterpart there."""
    if event.type not in _SERVER:
        return None
    translated = msgspec.json.decode(encode_json(event), type=_SERVER[event.type])
    if isinstance(translated, ServerEvents.AgentResponseToolResultEvent):
        output = translated.tool_result["output"]
        if isinstance(output, str):  # always blocks, as there
            translated.tool_result["output"] = [TextBlock(type="text", text=output)]
    return translated


def model_event(event: ServerEvent, reason: str) -> ModelEvents.EventBase | None:
    """What an agent without a toolkit said, as its model's. `reason` is why it ended, if it has."""
    match event:
        case AgentReady():
            return ModelEvents.ModelSessionCreatedEvent(session_id=event.agent_id)
        case AgentEnded():
            return ModelEvents.ModelSessionEndedEvent(session_id=event.agent_id, reason=reason)
        case AgentResponseToolResult() | ServerSessionUpdated():
            return None
        case _:
            tag = event.type.replace("agent_", "model_", 1)
            if tag not in _MODEL:
                return None
            fields: dict[str, Any] = {**msgspec.json.decode(encode_json(event)), "type": tag}
            return msgspec.convert(fields, _MODEL[tag])


def checked(given: object) -> Event:
    """What `handle_input` was given, if it is an event. Raises `NotAnEvent`, which says what to pass instead."""
    if isinstance(given, ClientEvents.EventBase | ServerEvents.EventBase):
        return given
    kind = f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
    match given:
        case dict():
            instead = "ClientEvents.from_json(…) makes one of a dict"
        case str() | bytes():
            instead = (
                "a text is ClientEvents.ClientTextAppendEvent(session_id=…, text=…), a frame from a frontend "
                "ClientEvents.from_json(json.loads(…))"
            )
        case _:
            instead = "they are the classes in realtime_actors.agentscope.realtime.ClientEvents"
    raise NotAnEvent(f"handle_input takes an event, not {kind}: {instead}")


def native_client_event(event: Event) -> ClientEvent | None:
    """What a frontend, or another agent, says to an agent; `None` for what is not for agents.

    Raises `InvalidEvent`. Base64 is not looked into here: the agent says in an event of its own that it is broken.
    """
    match event:
        case ClientEvents.ClientAudioAppendEvent():
            audio_format = AudioFormat(event.format.type, event.format.rate)
            return ClientAudioAppend(event.session_id, event.audio, audio_format)
        case ServerEvents.AgentResponseAudioDeltaEvent():
            return ClientAudioAppend("", event.delta, AudioFormat(event.format.type, event.format.rate))
        case ClientEvents.ClientImageAppendEvent():
            return ClientImageAppend(event.session_id, event.image, event.format)
        case ClientEvents.ClientSessionCreateEvent() | ClientEvents.ClientSessionEndEvent():
            return None
        case ClientEvents.EventBase():
            try:
                return decode_client(event.model_dump_json())
            except DecodeError as error:
                raise InvalidEvent(str(error)) from error
        case _:
            return None
