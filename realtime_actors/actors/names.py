"""Names of actors, which are words of topics, too."""

from __future__ import annotations

import hashlib
import re

__all__ = ["NAME", "actor_name"]

NAME = re.compile(r"[A-Za-z0-9_-]+")
"""What a name is made of."""

_LONGEST = 64  # characters of an id that is a name as it is
_HASHED = "id--"


def actor_name(text: str) -> str:
    """A name for an id of any characters: the id itself where it can be one, else made of its hash."""
    if len(text) <= _LONGEST and NAME.fullmatch(text) and not text.startswith(_HASHED):
        return text
    return _HASHED + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
