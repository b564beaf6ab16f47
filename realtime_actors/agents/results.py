"""What a tool gave, as the model is told it."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from realtime_actors.events import ContentBlock, TextBlock

__all__ = ["as_text", "blocks_as_text", "bounded", "error_as_text", "valid_block", "valid_text"]

log = logging.getLogger("realtime_actors.agents")

LONGEST_OUTPUT = 200_000
"""Characters of a result that the model is given: a provider ends the session over a frame that is too large."""


def as_text(value: Any) -> str:
    """A tool's return value: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def error_as_text(error: Exception) -> str:
    """What a tool raised."""
    try:
        words = str(error)
    except Exception as unspeakable:  # noqa: BLE001 - of an exception's class, which may be anybody's
        words = f"(its words raise {type(unspeakable).__name__})"
    return f"Error: {type(error).__name__}: {words}"


def valid_text(text: str) -> str:
    """The text without what no wire can carry: lone surrogates, as in the name of a file that is not UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def valid_block(block: ContentBlock) -> ContentBlock:
    """The same for a block of content."""
    return TextBlock(valid_text(block.text)) if isinstance(block, TextBlock) else block


def blocks_as_text(output: str | list[ContentBlock]) -> str:
    """What a frontend answered, for a model that takes text."""
    if isinstance(output, str):
        return output
    return "\n".join(block.text if isinstance(block, TextBlock) else f"({block.type})" for block in output)


def bounded(name: str, output: str) -> str:
    """As much of a tool's result as a model is given."""
    if len(output) <= LONGEST_OUTPUT:
        return output
    log.warning("the result of the tool %s has %d characters: the model is given the first", name, len(output))
    return f"{output[:LONGEST_OUTPUT]}\n(cut: the result has {len(output)} characters)"
