"""What a wire says beyond the public model events: internal, never sent to a frontend as such."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = [
    "AudioCommitted",
    "ItemAdded",
    "ModelNotice",
    "RequestFailed",
    "SessionConfigured",
    "SessionEnding",
    "SessionExpired",
    "SessionRefused",
    "SessionResumable",
    "ToolCallsCancelled",
]


@attrs.frozen
class SessionConfigured:
    """The provider has accepted the configuration."""


@attrs.frozen
class ItemAdded:
    """An item is part of the provider's conversation now: what we sent under this id has arrived."""

    item_id: str


@attrs.frozen
class AudioCommitted:
    """The speech that was committed (`CommitAudio`) is this item now. Commits are answered in order."""

    item_id: str


@attrs.frozen
class RequestFailed:
    """The command with this id (of the request, or of the item) was refused. No `ModelError` goes with it.

    `conflict` tells races apart, which are nobody's error: a reply was asked for while the provider had just
    begun one by itself, or cancelled when it had just ended; an item was to be cut that is gone or shorter.
    """

    request_id: str
    error_type: str
    code: str
    message: str
    conflict: Literal["already_active", "nothing_active", "item_gone"] | None = None


@attrs.frozen
class SessionRefused:
    """The provider will not serve us however often we try: key, quota, model, or protocol version."""

    code: str
    message: str


@attrs.frozen
class SessionEnding:
    """The provider will end the session in `within` s: a new one can be opened before."""

    within: float
    message: str


@attrs.frozen
class SessionExpired:
    """The provider's session has reached its limit; a new one can be opened."""

    message: str


@attrs.frozen
class SessionResumable:
    """The provider keeps the session until here: a new socket whose configuration has this handle goes on with it.

    `live`: it keeps what comes after this as well. `unsure` are items that have arrived, by their ids, and may not be
    part of it.
    """

    handle: str = attrs.field(repr=False)
    live: bool = False
    unsure: tuple[str, ...] = ()


@attrs.frozen
class ToolCallsCancelled:
    """The provider has given up these calls: it takes no results of theirs."""

    call_ids: tuple[str, ...]


ModelNotice = (
    SessionConfigured
    | SessionEnding
    | ItemAdded
    | AudioCommitted
    | RequestFailed
    | SessionRefused
    | SessionExpired
    | SessionResumable
    | ToolCallsCancelled
)
