"""What a response does next, whatever the wire: the steps that a speaker takes with it."""

import re
from typing import Any, Literal, TypeAlias

import attrs

__all__ = [
    "AddArguments",
    "AddText",
    "BareArguments",
    "CloseItem",
    "Finish",
    "ForgetUsage",
    "OpenCall",
    "OpenMessage",
    "Status",
    "Step",
    "split_words",
    "text_tokens",
]

Status: TypeAlias = Literal["completed", "cancelled", "failed", "incomplete"]


@attrs.frozen
class OpenMessage:
    """A message begins."""


@attrs.frozen
class AddText:
    """The open message goes on: words, then audio (PCM16 at the response's rate); either may be empty."""

    text: str = ""
    pcm: bytes = b""


@attrs.frozen
class OpenCall:
    """A tool call begins."""

    name: str


@attrs.frozen
class AddArguments:
    """The open call's arguments go on."""

    text: str


@attrs.frozen
class CloseItem:
    """The open message or call ends, complete."""


@attrs.frozen
class BareArguments:
    """A whole tool call in its last event alone."""

    name: str
    arguments: str


@attrs.frozen
class ForgetUsage:
    """The response will end with `usage: null`."""


@attrs.frozen
class Finish:
    """The response ends. `error` (type, code, message) is for failed, `reason` for incomplete and cancelled."""

    status: Status = "completed"
    reason: str | None = None
    error: dict[str, Any] | None = None


Step: TypeAlias = OpenMessage | AddText | OpenCall | AddArguments | CloseItem | BareArguments | ForgetUsage | Finish
"""What a response may do next."""


def text_tokens(text: str) -> int:
    """About as many tokens as this text has."""
    return (len(text) + 3) // 4


def split_words(text: str) -> list[str]:
    """The text in pieces of a word each, with the space before it; put together they are the text."""
    return re.findall(r"\s*\S+(?:\s+$)?", text) or ([text] if text else [])
