"""The picture that `talk --image` shows."""

from pathlib import Path

import attrs

from realtime_actors.cli.errors import CommandFailed

__all__ = ["Picture", "read_picture"]

_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@attrs.frozen
class Picture:
    """An image file's bytes, and what they are."""

    data: bytes = attrs.field(repr=False)
    media_type: str


def read_picture(path: Path) -> Picture:
    """Read a PNG or JPEG file. Raises `CommandFailed`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}") from error
    for beginning, media_type in _KINDS.items():
        if data.startswith(beginning):
            return Picture(data, media_type)
    raise CommandFailed(f"{path} is neither a PNG nor a JPEG image: convert it to one of them")
