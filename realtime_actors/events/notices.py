"""What a wire says beyond the public model events: internal, never sent to a frontend as such."""

from __future__ import annotations

import attrs

__all__ = [
    "ItemAdded",
    "ModelNotice",
    "RequestFailed",
    "SessionConfigured",
    "SessionExpired",
    "SessionRefused",
]


@attrs.frozen
class SessionConfigured:
    """The provider has accepted the configuration."""


@attrs.frozen
class ItemAdded:
    """An item is part of the provider's conversation now: what we sent under this id has arrived."""

    item_id: str


@attrs.frozen
class RequestFailed:
    """The command with this id (of the request, or of the item) was refused. A `ModelError` goes with it."""

    request_id: str
    code: str
    message: str


@attrs.frozen
class SessionRefused:
    """The provider will not serve us however often we try: key, quota, model, or protocol version."""

    code: str
    message: str


@attrs.frozen
class SessionExpired:
    """The provider's session has reached its limit; a new one can be opened."""

    message: str


ModelNotice = SessionConfigured | ItemAdded | RequestFailed | SessionRefused | SessionExpired
