"""The types of Google's SDK as judges of frames: they refuse every field that they do not know."""

from __future__ import annotations

from typing import Any

import orjson
from google.genai import types

__all__ = ["client_message", "server_message"]


def client_message(frame: str | bytes) -> dict[str, Any]:
    """A client's frame, as the SDK's types read it."""
    assert isinstance(frame, str)  # clients send text frames
    message: dict[str, Any] = orjson.loads(frame)
    rest: dict[str, Any] = orjson.loads(frame)
    if "setup" in rest:
        # The SDK's converter (`_LiveConnectConfig_to_mldev`) writes it, though its type of the setup lacks it.
        config = rest["setup"].pop("realtimeInputConfig", {})
        types.RealtimeInputConfig.model_validate(config)
    types.LiveClientMessage.model_validate(rest)
    assert len(message) == 1
    return message


def server_message(message: dict[str, Any]) -> types.LiveServerMessage:
    """A server's message, as the SDK's types read it."""
    return types.LiveServerMessage.model_validate(message)
