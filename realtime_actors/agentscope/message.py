"""Content blocks: dictionaries with a `type`, as `agentscope.message` has them."""

from typing import Any, Literal, Required, TypedDict

from .missing import missing

__all__ = [
    "AudioBlock",
    "Base64Source",
    "ContentBlock",
    "ImageBlock",
    "TextBlock",
    "ThinkingBlock",
    "ToolResultBlock",
    "ToolUseBlock",
    "URLSource",
    "VideoBlock",
]

__getattr__ = missing(
    __name__,
    {
        "Msg": "what a realtime agent says comes as ServerEvents, what it is told goes as ClientEvents",
    },
)


class Base64Source(TypedDict):
    """Media in place: base64 `data` of this `media_type`, for instance `image/png`."""

    type: Literal["base64"]
    media_type: str
    data: str


class URLSource(TypedDict):
    """Media by its address."""

    type: Literal["url"]
    url: str


class TextBlock(TypedDict, total=False):
    """A piece of text."""

    type: Required[Literal["text"]]
    text: str


class ThinkingBlock(TypedDict, total=False):
    """What a model thought. Realtime models give none."""

    type: Required[Literal["thinking"]]
    thinking: str


class ImageBlock(TypedDict):
    """An image."""

    type: Literal["image"]
    source: Base64Source | URLSource


class AudioBlock(TypedDict):
    """A recording; what a model hears is PCM16 little-endian mono."""

    type: Literal["audio"]
    source: Base64Source | URLSource


class VideoBlock(TypedDict):
    """A video."""

    type: Literal["video"]
    source: Base64Source | URLSource


class ToolUseBlock(TypedDict, total=False):
    """A call the model asks for: `input` are its arguments, `raw_input` the JSON text they came as."""

    type: Required[Literal["tool_use"]]
    id: Required[str]
    name: Required[str]
    input: Required[dict[str, Any]]
    raw_input: str


class ToolResultBlock(TypedDict):
    """What a call gave; `id` is the call's."""

    type: Literal["tool_result"]
    id: str
    name: str
    output: "str | list[Any]"


ContentBlock = TextBlock | ThinkingBlock | ImageBlock | AudioBlock | VideoBlock | ToolUseBlock | ToolResultBlock
