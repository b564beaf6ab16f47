"""Which worker a request is for: decided from its first line, in plain code."""

import hashlib
import re

from realtime_actors.gateway.admission import parse_path
from realtime_actors.transports.http import parse_target

__all__ = ["LONGEST_LINE", "target_of", "worker_for"]

_NUMBER = re.compile("[0-9]{1,4}")

LONGEST_LINE = 8192
"""Bytes of a request within which its target has to end. A path to a session takes 3,100 of them at most."""


def target_of(head: bytes) -> str | None:
    """The target of a request that begins so; None where more has to come. It is empty for what is no request.

    Which worker answers that, or a line that is too long, does not matter: each does it alike.
    """
    line, newline, _ = head.partition(b"\n")
    words = line.split(b" ")
    if len(words) > 2 or newline:  # the target is there as a whole
        return words[1].decode("latin-1") if len(words) > 1 else ""
    return None if len(head) < LONGEST_LINE else ""


def worker_for(target: str, workers: int) -> int | None:
    """The number of the worker for this target; None if any will do.

    All sockets of a session go to one worker, whoever they are of. `?worker=1` chooses one, to look at its actors.
    """
    path, query = parse_target(target)
    ids = parse_path(path)
    if ids is not None:
        digest = hashlib.sha256(ids[1].encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % workers
    chosen = query.get("worker", "")
    return int(chosen) if _NUMBER.fullmatch(chosen) and int(chosen) < workers else None
