"""The types of OpenAI's SDK as judges of frames: what they do not know, and what they miss."""

from __future__ import annotations

from collections.abc import Iterator

from openai.types.beta.realtime import RealtimeClientEvent as BetaClientEvent
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

__all__ = ["BETA_CLIENT_EVENT", "BETA_SERVER_EVENT", "CLIENT_EVENT", "SERVER_EVENT", "unknown_fields"]

CLIENT_EVENT: TypeAdapter[BaseModel] = TypeAdapter(RealtimeClientEvent)
SERVER_EVENT: TypeAdapter[BaseModel] = TypeAdapter(RealtimeServerEvent)
BETA_CLIENT_EVENT: TypeAdapter[BaseModel] = TypeAdapter(BetaClientEvent)
BETA_SERVER_EVENT: TypeAdapter[BaseModel] = TypeAdapter(BetaServerEvent)


def unknown_fields(value: object, path: str = "") -> Iterator[str]:
    """The dotted paths of the fields that the SDK's types accept without knowing them."""
    if isinstance(value, BaseModel):
        yield from (f"{path}{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType] # anything may be in it
            yield from unknown_fields(item, path)  # pyright: ignore[reportUnknownArgumentType]
