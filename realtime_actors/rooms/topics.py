"""The topics of rooms."""

from __future__ import annotations

from realtime_actors.actors.names import actor_name

__all__ = ["people_topic"]


def people_topic(room: str, person: str) -> str:
    """Where a room publishes what is for one person only, followed by `.<type>`: errors, `room_state`, audio.

    An id that has other characters than letters, digits, _ and - is a hash there.
    """
    return f"people.{room}.{actor_name(person)}"
