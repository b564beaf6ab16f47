"""What went over the wire, as a file of JSON lines."""

from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import orjson

from realtime_actors.cli.errors import CommandFailed

__all__ = ["EventFile"]


class EventFile:
    """Writes events to a file, one JSON object a line, or nowhere when `path` is None.

    A line has `at` (seconds since the beginning), `time` (UTC), `direction` (`sent` or `received`) and `event`, as it
    was on the wire; what was received and is no JSON stands as text under `unreadable`.
    """

    def __init__(self, path: Path | None, began: float) -> None:
        self._path = path
        self._began = began
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        """Open the file. Raises `CommandFailed`."""
        if self._path is not None:
            try:
                self._file = self._path.open("wb", buffering=0)  # so that others can follow it
            except OSError as error:
                raise self._failed(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, direction: Literal["sent", "received"], frame: str | bytes, at: float) -> None:
        """Write a frame. Raises `CommandFailed`."""
        if self._file is None:
            return
        line: dict[str, Any] = {
            "at": round(at - self._began, 6),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "direction": direction,
        }
        try:
            line["event"] = orjson.loads(frame)
        except orjson.JSONDecodeError:
            line["unreadable"] = frame if isinstance(frame, str) else frame.hex()
        try:
            self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> CommandFailed:
        return CommandFailed(
            f"{self._path} cannot be written: {error.strerror or error}; choose another path for --events"
        )
