"""The topics of rooms."""

from __future__ import annotations

import hashlib
import re

__all__ = ["people_topic"]

_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HASHED = "id-"


def people_topic(room: str, person: str) -> str:
    """Where a room publishes what is for one person only, followed by `.<type>`: errors, `room_state`, audio.

    An id that has other characters than letters, digits, _ and - is a hash there.
    """
    if not _WORD.fullmatch(person) or person.startswith(_HASHED):
        person = _HASHED + hashlib.sha256(person.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"people.{room}.{person}"
