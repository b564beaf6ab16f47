"""What frontends say, as `agentscope.realtime.ClientEvents` has it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from .errors import InvalidEvent
from .event import AudioFormat, Event

__all__ = ["ClientEventType", "ClientEvents"]


class ClientEventType(StrEnum):
    """The tags on the wire."""

    CLIENT_SESSION_CREATE = "client_session_create"
    CLIENT_SESSION_END = "client_session_end"
    CLIENT_RESPONSE_CREATE = "client_response_create"
    CLIENT_RESPONSE_CANCEL = "client_response_cancel"
    CLIENT_IMAGE_APPEND = "client_image_append"
    CLIENT_TEXT_APPEND = "client_text_append"
    CLIENT_AUDIO_APPEND = "client_audio_append"
    CLIENT_AUDIO_COMMIT = "client_audio_commit"
    CLIENT_TOOL_RESULT = "client_tool_result"


class ClientEvents:
    """The nine events of a frontend, and `from_json`, which reads them."""

    class EventBase(Event, kw_only=True):
        """Base class of the client events."""

        type: ClientEventType

    class ClientSessionCreateEvent(EventBase, kw_only=True):
        """Open the conversation. It is for the application: an agent passes it over."""

        config: dict[str, Any]
        type: ClientEventType = ClientEventType.CLIENT_SESSION_CREATE

    class ClientSessionEndEvent(EventBase, kw_only=True):
        """End the conversation. It is for the application, which stops its agent: an agent passes it over."""

        session_id: str
        type: ClientEventType = ClientEventType.CLIENT_SESSION_END

    class ClientResponseCreateEvent(EventBase, kw_only=True):
        """Ask the agent to reply now."""

        session_id: str
        type: ClientEventType = ClientEventType.CLIENT_RESPONSE_CREATE

    class ClientResponseCancelEvent(EventBase, kw_only=True):
        """Stop the reply."""

        session_id: str
        type: ClientEventType = ClientEventType.CLIENT_RESPONSE_CANCEL

    class ClientImageAppendEvent(EventBase, kw_only=True):
        """A picture: `image` is base64, `format` for instance `{"type": "image/png"}`."""

        session_id: str
        image: str
        format: dict[str, Any]
        type: ClientEventType = ClientEventType.CLIENT_IMAGE_APPEND

    class ClientTextAppendEvent(EventBase, kw_only=True):
        """Say something in text, which asks for a reply."""

        session_id: str
        text: str
        type: ClientEventType = ClientEventType.CLIENT_TEXT_APPEND

    class ClientAudioAppendEvent(EventBase, kw_only=True):
        """A piece of the user's speech: `audio` is base64 of PCM16 little-endian mono at `format.rate` Hz."""

        session_id: str
        audio: str
        format: AudioFormat
        type: ClientEventType = ClientEventType.CLIENT_AUDIO_APPEND

        def __post_init__(self) -> None:
            self.format = AudioFormat.of(self.format)

    class ClientAudioCommitEvent(EventBase, kw_only=True):
        """The user's turn is over."""

        session_id: str
        type: ClientEventType = ClientEventType.CLIENT_AUDIO_COMMIT

    class ClientToolResultEvent(EventBase, kw_only=True):
        """The result of a tool that the frontend executed."""

        session_id: str
        id: str
        name: str
        output: str | list[dict[str, Any]]
        type: ClientEventType = ClientEventType.CLIENT_TOOL_RESULT

    MAPPING: ClassVar[Mapping[str, type[EventBase]]] = {
        ClientEventType.CLIENT_SESSION_CREATE: ClientSessionCreateEvent,
        ClientEventType.CLIENT_SESSION_END: ClientSessionEndEvent,
        ClientEventType.CLIENT_RESPONSE_CREATE: ClientResponseCreateEvent,
        ClientEventType.CLIENT_RESPONSE_CANCEL: ClientResponseCancelEvent,
        ClientEventType.CLIENT_IMAGE_APPEND: ClientImageAppendEvent,
        ClientEventType.CLIENT_TEXT_APPEND: ClientTextAppendEvent,
        ClientEventType.CLIENT_AUDIO_APPEND: ClientAudioAppendEvent,
        ClientEventType.CLIENT_AUDIO_COMMIT: ClientAudioCommitEvent,
        ClientEventType.CLIENT_TOOL_RESULT: ClientToolResultEvent,
    }
    """The class for each tag."""

    @classmethod
    def from_json(cls, json_data: dict[str, Any]) -> EventBase:
        """The event that a frontend sent, from its JSON once parsed. Unknown members are passed over.

        The two other forms that frontends in the field send are read as well: an audio format as
        `{"encoding": "pcm16", "sample_rate": 16000}`, and an image in `data`. Raises `InvalidEvent`, a ValueError.
        """
        if not isinstance(json_data, dict) or "type" not in json_data:  # pyright: ignore[reportUnnecessaryIsInstance] - it comes from outside
            raise InvalidEvent("a client event is an object with a `type`")
        tag = json_data["type"]
        kind = cls.MAPPING.get(tag) if isinstance(tag, str) else None
        if kind is None:
            raise InvalidEvent(f"{tag!r:.80} is no client event: they are {', '.join(ClientEventType)}")
        if kind is cls.ClientAudioAppendEvent and "format" in json_data:
            json_data = {**json_data, "format": AudioFormat.of(json_data["format"])}
        elif kind is cls.ClientImageAppendEvent and "image" not in json_data and "data" in json_data:
            json_data = {**json_data, "image": json_data["data"]}
        return kind.model_validate(json_data)
