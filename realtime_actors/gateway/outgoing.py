"""From a session's subscription to its socket."""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from realtime_actors.actors import Subscription, SubscriptionOverflow
from realtime_actors.agents.measures import SentToFrontend
from realtime_actors.events import (
    AgentError,
    AgentResponseAudioDelta,
    AgentResponseDone,
    DecodeError,
    EncodeError,
    ServerEvent,
    Wire,
)
from realtime_actors.transports import ConnectionClosed, WebSocket

__all__ = ["TOO_SLOW", "weigher", "write_events"]

log = logging.getLogger("realtime_actors.gateway")

TOO_SLOW = (1013, "this frontend reads too slowly; connect again")
"""How a frontend is closed for which too much waits."""

_AUDIO_DELTA_FIELDS = 300


def weigher(wire: Wire) -> Callable[[ServerEvent], int]:
    """Gives the bytes that an event takes on the wire, and so about what it takes while it waits."""

    def weigh(event: ServerEvent) -> int:
        # Audio is measured without encoding it, since much of it is discarded unread when a reply is cancelled.
        if isinstance(event, AgentResponseAudioDelta):
            size = len(event.payload)
            return _AUDIO_DELTA_FIELDS + (size * 4 // 3 if wire is Wire.JSON else size)
        return len(_frame(event, wire))

    return weigh


async def write_events(
    websocket: WebSocket,
    outgoing: Subscription,
    wire: Wire,
    within: trio.CancelScope,
    on_sent: Callable[[SentToFrontend], None],
) -> None:
    """Send what is read from `outgoing`, one frame at a time, until it is closed and read, or the socket is.

    `within` is the scope it enters: whoever runs it sets a deadline there when it is time to end. `on_sent` is told
    when the socket has taken the first audio of a reply, and its end.
    """
    heard = ""
    with within:
        try:
            async for event in outgoing:
                await websocket.send(_frame(event, wire))
                if isinstance(event, AgentResponseAudioDelta):
                    if event.response_id != heard:
                        heard = event.response_id
                        on_sent(SentToFrontend(heard, "first_audio"))
                elif isinstance(event, AgentResponseDone):
                    on_sent(SentToFrontend(event.response_id, "end"))
        except ConnectionClosed as error:
            log.debug("nothing more is sent to %s: %s", websocket.remote, error)
        except SubscriptionOverflow:
            await websocket.aclose(*TOO_SLOW)


def _frame(event: ServerEvent, wire: Wire) -> str | bytes:
    """The event's frame, or that of an error in its place."""
    try:
        return wire.encode(event)
    except (EncodeError, DecodeError) as error:
        log.warning("an event cannot be sent: %s: %s", event.type, error)
        agent_id, agent_name = getattr(event, "agent_id", ""), getattr(event, "agent_name", "")
        message = f"an event of type {event.type} could not be sent: {error}"
        return wire.encode(AgentError("server_error", "unencodable_event", message, agent_id, agent_name))
