"""What a gateway asks its host: who a frontend is, and an agent for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

import attrs

from realtime_actors.actors import Actor, Ref
from realtime_actors.audio import RATES
from realtime_actors.rooms import Seat
from realtime_actors.transports import Request

from .errors import InvalidSessionConfig

__all__ = ["AgentFactory", "AgentRequest", "Authenticate", "seats"]

Authenticate = Callable[[Request], Awaitable[str]]
"""Finds out who a frontend is: gives the id of the user whose request this is, which takes the place of the path's
user id, or raises `AccessDenied`. It is asked before there is a WebSocket; the request has the path
(`/ws/{user_id}/{session_id}`) and the headers."""


@attrs.frozen(kw_only=True)
class AgentRequest:
    """A `client_session_create`, and whose it is. What the frontend did not say is None."""

    user_id: str
    session_id: str
    agent_id: str
    """The name that the agent is spawned with: it publishes on `agents.<agent_id>.<type>`."""
    instructions: str | None = None
    agent_name: str | None = None
    user_name: str | None = None
    model_provider: str | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    """The whole config, as it came."""

    @classmethod
    def of(cls, config: Mapping[str, Any], *, user_id: str, session_id: str, agent_id: str) -> Self:
        """Read a config. Raises `InvalidSessionConfig` where a known key has no text."""
        known: dict[str, str] = {}
        for key in ("instructions", "agent_name", "user_name", "model_provider"):
            value = config.get(key)
            if isinstance(value, str):
                known[key] = value
            elif value is not None:
                raise InvalidSessionConfig(f"config.{key} must be a text, not {type(value).__name__}")
        return cls(user_id=user_id, session_id=session_id, agent_id=agent_id, config=config, **known)


AgentFactory = Callable[[AgentRequest], Actor]
"""Makes the agent for a session: an actor to spawn, usually a `RealtimeAgent`. It must not block.

A `RealtimeError` that it raises (`InvalidSessionConfig`, say) is told to the frontend in its words.
"""


def seats(room: Callable[[], Awaitable[Ref]]) -> AgentFactory:
    """What makes the seat of a user in a room, in place of an agent."""

    def seat(request: AgentRequest) -> Seat:
        rate = request.config.get("audio_rate", 24000)
        hears = request.config.get("hear_people") is True
        if hears and (not isinstance(rate, int) or rate not in RATES):
            raise InvalidSessionConfig(f"config.audio_rate must be one of {', '.join(map(str, RATES))}")
        return Seat(room, request.user_id, request.user_name or request.user_id, rate if hears else None)

    return seat
