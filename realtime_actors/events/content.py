"""What events carry: audio, images, formats, content blocks, tool calls and their results."""

from __future__ import annotations

import binascii
from typing import Any, ClassVar, Self

import attrs
import pybase64

from .errors import InvalidAudio

__all__ = [
    "PCM_16K",
    "PCM_24K",
    "AudioBlock",
    "AudioFormat",
    "Base64Source",
    "Blob",
    "ContentBlock",
    "ImageBlock",
    "TextBlock",
    "ToolResult",
    "ToolUse",
    "UrlSource",
    "VideoBlock",
]


class Blob:
    """Bytes that may have come as base64 text and may leave as such.

    Each form is made from the other when it is first read, so that what comes from one JSON wire and goes to
    another is never decoded. Equality compares the bytes.
    """

    __slots__ = ("_base64", "_data")

    def __init__(self, *, data: bytes | None = None, base64: str | None = None) -> None:
        if data is None and base64 is None:
            raise TypeError("a Blob needs data or base64")
        self._data = data
        self._base64 = base64

    @classmethod
    def of(cls, value: bytes | bytearray | memoryview | str | Blob) -> Blob:
        """A blob of bytes or of base64 text; a blob stays as it is. Raises `TypeError` for anything else."""
        if isinstance(value, str):
            # The hot path, where `__init__` would cost as much again.
            blob = cls.__new__(cls)
            blob._data, blob._base64 = None, value
            return blob
        if isinstance(value, Blob):
            return value
        if not isinstance(value, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance] - `bytes(5)` would be five zeros
            raise TypeError(f"this takes bytes, or base64 text, not {type(value).__name__}")
        return cls(data=bytes(value))

    @property
    def data(self) -> bytes:
        """The bytes. Raises `InvalidAudio` when the base64 text is broken."""
        if self._data is None:
            try:
                # Its arguments by their places: with names it takes twice the time.
                self._data = pybase64.b64decode(self._base64 or "", None, True)
            except (binascii.Error, ValueError) as error:
                raise InvalidAudio(f"broken base64 ({error}): send standard base64 with padding") from None
        return self._data

    @property
    def pcm(self) -> bytes:
        """The bytes as PCM16. Raises `InvalidAudio` for an odd number of bytes as well."""
        data = self._data
        if data is None:
            data = self.data
        if len(data) % 2:
            raise InvalidAudio(f"{len(data)} bytes is an odd number: PCM16 has two bytes a sample")
        return data

    @property
    def base64(self) -> str:
        """The standard base64 text."""
        if self._base64 is None:
            self._base64 = pybase64.b64encode_as_string(self._data or b"")
        return self._base64

    def __len__(self) -> int:
        """How many bytes it holds, without decoding (from the text's length where only that is there)."""
        if self._data is not None:
            return len(self._data)
        text = self._base64 or ""
        return len(text) * 3 // 4 - text.count("=", -2)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Blob):
            return NotImplemented
        if self._base64 is not None and self._base64 == other._base64:
            return True
        return self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"<Blob {len(self)} bytes>"


@attrs.frozen
class AudioFormat:
    """How audio is encoded. `rate` is in Hz; `audio/pcm` is PCM16 little-endian mono.

    On the wire `{"type": "audio/pcm", "rate": 16000}`, where `{"encoding": "pcm16", "sample_rate": 16000}` is
    read too.
    """

    type: str = "audio/pcm"
    rate: int = 24000


PCM_16K = AudioFormat(rate=16000)
"""PCM16 mono at 16,000 Hz."""
PCM_24K = AudioFormat(rate=24000)
"""PCM16 mono at 24,000 Hz."""


@attrs.frozen
class Base64Source:
    """Media given in place; `data` is base64 on the wire, `media_type` for instance `image/png`."""

    type: ClassVar[str] = "base64"
    media_type: str
    data: Blob = attrs.field(converter=Blob.of)


@attrs.frozen
class UrlSource:
    """Media given by its address."""

    type: ClassVar[str] = "url"
    url: str


@attrs.frozen
class TextBlock:
    """A piece of text."""

    type: ClassVar[str] = "text"
    text: str


@attrs.frozen
class ImageBlock:
    """An image."""

    type: ClassVar[str] = "image"
    source: Base64Source | UrlSource


@attrs.frozen
class AudioBlock:
    """A recording."""

    type: ClassVar[str] = "audio"
    source: Base64Source | UrlSource


@attrs.frozen
class VideoBlock:
    """A video."""

    type: ClassVar[str] = "video"
    source: Base64Source | UrlSource


ContentBlock = TextBlock | ImageBlock | AudioBlock | VideoBlock


@attrs.frozen
class ToolUse:
    """A call the model asks for: `input` are its arguments, `raw_input` the JSON text they came as.

    `raw_input` that is not a JSON object leaves `input` empty.
    """

    type: ClassVar[str] = "tool_use"
    id: str
    name: str
    input: dict[str, Any] = attrs.field(factory=dict[str, Any])
    raw_input: str = ""


@attrs.frozen
class ToolResult:
    """What a tool call gave: a text, or content blocks. `id` is the call's."""

    type: ClassVar[str] = "tool_result"
    id: str
    name: str
    output: str | list[ContentBlock]

    @classmethod
    def text(cls, call: ToolUse, output: str) -> Self:
        """The result of `call` as text."""
        return cls(id=call.id, name=call.name, output=output)
