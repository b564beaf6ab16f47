"""What an agent tells its model, whatever the provider.

Every command that a provider may refuse carries an id of ours, which comes back in `RequestFailed`; what is
added to the conversation carries the item's id, which comes back in `ItemAdded`.
"""

from __future__ import annotations

from typing import Any

import attrs

from realtime_actors.actors import droppable

from .history import HistoryItem

__all__ = [
    "AppendAudio",
    "AppendImage",
    "AppendText",
    "AppendToolResult",
    "CancelResponse",
    "CommitAudio",
    "Configure",
    "CreateResponse",
    "DeleteItem",
    "ModelCommand",
    "ToolSpec",
    "TruncateItem",
]


@attrs.frozen
class ToolSpec:
    """A tool as the model is told of it; `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]


@attrs.frozen
class Configure:
    """Set what the session is about; answered by `SessionConfigured`, or `RequestFailed` with this id.

    `handle` is that of a session to go on with (`SessionResumable`), where the provider can. `history` is what a new
    session is given before anything else: only the first configuration of a session gives it. `since` is the part of
    it that a session does not know that is gone on with by its handle.
    """

    request_id: str
    instructions: str
    tools: tuple[ToolSpec, ...] = ()
    handle: str = attrs.field(default="", repr=False)
    history: tuple[HistoryItem, ...] = ()
    since: tuple[HistoryItem, ...] = ()


@droppable
@attrs.frozen
class AppendAudio:
    """Speech of the user: PCM16 little-endian mono at the model's `input_rate`."""

    audio: bytes


@attrs.frozen
class CommitAudio:
    """What was appended is a whole turn (for sessions without turn detection)."""

    request_id: str


@attrs.frozen
class AppendText:
    """A message of the user in text. It asks for no reply.

    With a `call_id` it is the result of that call, in words for a session that knows nothing of the call.
    """

    item_id: str
    text: str
    call_id: str = ""


@attrs.frozen
class AppendImage:
    """A picture for the model to see. `image` is the file's bytes. It asks for no reply."""

    item_id: str
    image: bytes
    media_type: str


@attrs.frozen
class AppendToolResult:
    """The result of a call, as text. It asks for no reply."""

    item_id: str
    call_id: str
    name: str
    output: str


@attrs.frozen
class CreateResponse:
    """Ask for a reply."""

    request_id: str


@attrs.frozen
class CancelResponse:
    """Stop a reply."""

    request_id: str
    response_id: str


@attrs.frozen
class TruncateItem:
    """Forget what was said after `audio_end_ms` of an item's audio: nobody heard it. For `Capabilities.truncate`."""

    request_id: str
    item_id: str
    audio_end_ms: int
    content_index: int = 0


@attrs.frozen
class DeleteItem:
    """Forget an item: nobody heard any of it. For `Capabilities.delete`."""

    request_id: str
    item_id: str


ModelCommand = (
    Configure
    | AppendAudio
    | CommitAudio
    | AppendText
    | AppendImage
    | AppendToolResult
    | CreateResponse
    | CancelResponse
    | TruncateItem
    | DeleteItem
)
