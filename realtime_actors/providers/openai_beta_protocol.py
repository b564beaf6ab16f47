"""OpenAI's beta wire of 2024 and 2025, which Azure's preview URLs and clones still speak.

What differs from the GA wire is as in the SDK's beta types (`openai` 3.54.0, `openai.types.beta.realtime`): the
names of the events that carry a reply, one `conversation.item.created` for an item, and the flat session object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from .json_wire import Decoded, Message
from .openai_protocol import OpenAIProtocol

__all__ = ["OpenAIBetaProtocol"]

_OLDER_NAMES = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}


class OpenAIBetaProtocol(OpenAIProtocol):
    """One socket of the beta wire."""

    __slots__ = ()

    speech = "response.audio.delta"
    words = "text"

    decoders: ClassVar[Mapping[str, Callable[[Any, Message], Decoded]]] = {
        **OpenAIProtocol.decoders,
        **{older: OpenAIProtocol.decoders[name] for older, name in _OLDER_NAMES.items()},
    }
