"""Ids and event envelopes of xAI's wire, all from one seed."""

import uuid
from random import Random

from realtime_actors.simulators.openai.checks import Json

__all__ = ["Stamp"]


class Stamp:
    """Makes ids, which are UUIDs, and server events. The same seed gives the same ids."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def id(self) -> str:
        """A new id."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def event(self, kind: str, *, previous_item_id: str | None = None, **fields: object) -> Json:
        """A server event. Every one of them has a `previous_item_id`."""
        return {"type": kind, "event_id": self.id(), **fields, "previous_item_id": previous_item_id}

    def error(
        self,
        message: str,
        *,
        code: str | None,
        kind: str = "invalid_request_error",
        param: str | None = None,
        client_event_id: str | None = None,
    ) -> Json:
        """An error event, which is like OpenAI's; `client_event_id` is the id of the client event that caused it."""
        error = {"type": kind, "code": code, "message": message, "param": param, "event_id": client_event_id}
        return self.event("error", error=error)
