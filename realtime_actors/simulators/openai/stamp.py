"""Ids, event envelopes and the random extras of the wire, all from one seed."""

from random import Random

from realtime_actors.simulators.openai.checks import Json

__all__ = ["Stamp"]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Stamp:
    """Makes ids and server events. The same seed gives the same ids and the same extras."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def id(self, prefix: str) -> str:
        """A new id, such as `item_` and 20 letters and digits."""
        return f"{prefix}_{''.join(self.random.choices(_ALPHABET, k=20))}"

    def event(self, kind: str, **fields: object) -> Json:
        """A server event. Deltas get the undocumented `obfuscation` now and then, as recordings show."""
        event: Json = {"type": kind, "event_id": self.id("event"), **fields}
        if kind.endswith(".delta") and self.random.random() < 0.5:
            event["obfuscation"] = self.id("")[1 : 1 + self.random.randrange(1, 16)]
        return event

    def error(
        self,
        message: str,
        *,
        code: str | None,
        kind: str = "invalid_request_error",
        param: str | None = None,
        client_event_id: str | None = None,
    ) -> Json:
        """An error event; `client_event_id` is the id of the client event that caused it."""
        return self.event(
            "error",
            error={
                "type": kind,
                "code": code,
                "message": message,
                "param": param,
                "event_id": client_event_id,
            },
        )
