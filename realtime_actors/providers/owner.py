"""What a connection and its owner say to each other, beside commands, events and notices."""

from __future__ import annotations

import attrs

from realtime_actors.events import AppendAudio, CommitAudio, Configure

__all__ = [
    "Abandon",
    "ConnectionExpiring",
    "ConnectionLost",
    "ConnectionReady",
    "Resume",
    "Rotate",
    "Unsent",
    "WaitReady",
]


@attrs.frozen
class WaitReady:
    """Ask a connection this to know when the provider has accepted the first configuration."""


@attrs.frozen
class ConnectionReady:
    """Told to the owner: a socket is open and the provider has accepted the configuration. The first is 1.

    `remembers`: the provider goes on with the session of the socket before. `rotated`: that one was left in good
    order (`Rotate`). `dropped_ms` is how much of the user's speech was too old by then to be kept.
    """

    number: int
    remembers: bool = False
    rotated: bool = False
    dropped_ms: int = 0


@attrs.frozen
class ConnectionLost:
    """Told to the owner: the socket that was ready is gone, and a new one is being opened.

    The owner answers with a `Configure` for the new session, a `Resume`, and then whatever the provider had
    not acknowledged. `code` is "connection_lost", "session_expired", or that of an `Abandon`.
    """

    number: int
    reason: str
    code: str = "connection_lost"


@attrs.frozen
class ConnectionExpiring:
    """Told to the owner: the provider ends this session in `within` s; `reason` says why.

    The owner may answer with a `Rotate` when neither side is speaking; if it does not, the session is lost in time.
    """

    number: int
    within: float
    reason: str


@attrs.frozen
class Rotate:
    """From the owner: move on from the session with this number to a new one, with this configuration.

    A `Resume` follows, and whatever the provider had not acknowledged. Nothing is lost, and `ConnectionLost` is not
    told. It is passed over when that session is gone by then, which the owner is told as ever.
    """

    after: int
    configuration: Configure


@attrs.frozen
class Abandon:
    """From the owner: the session with this number is of no use any more. It is lost, with this reason and code.

    `was_useful`: it was of use before; otherwise it counts as a failed attempt, however long it has lasted.
    """

    number: int
    reason: str
    code: str
    was_useful: bool = False


@attrs.frozen
class Resume:
    """From the owner: what follows is meant for the socket after the one with this number.

    Commands for the conversation that were told before it and not sent are passed over, since the owner
    sends them again; audio is kept.
    """

    after: int


@attrs.frozen
class Unsent:
    """Told to the owner by a connection that gives up: what there was of the user's speech, in order."""

    commands: tuple[AppendAudio | CommitAudio, ...]
