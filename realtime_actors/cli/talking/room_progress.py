"""How far somebody who says one thing in a room has come with it. Pure, but for the event that it is entered."""

import attrs
import trio

from realtime_actors.events import RoomFloorChanged, RoomLine, RoomState, ServerEvent

__all__ = ["RoomProgress"]

_QUIET_S = 1.5
"""When nobody has had the floor for so long, nobody goes on."""


@attrs.define
class RoomProgress:
    """Follows who has the floor after what was said. Times are seconds of one clock."""

    entered: trio.Event = attrs.field(init=False, factory=trio.Event)
    _self: str = attrs.field(init=False, default="")
    _by_voice: bool = attrs.field(init=False, default=False)
    _said_at: float | None = attrs.field(init=False, default=None)
    _was_heard: bool = attrs.field(init=False, default=False)
    _was_taken_up: bool = attrs.field(init=False, default=False)
    """Whether somebody had the floor after it."""
    _is_busy: bool = attrs.field(init=False, default=False)
    _changed_at: float = attrs.field(init=False, default=0.0)

    def begin(self, *, by_voice: bool) -> None:
        """From now on something is said."""
        self._by_voice = by_voice

    def said(self, at: float) -> None:
        """All of it has been sent; the first time counts."""
        if self._said_at is None:
            self._said_at = at

    def take(self, event: ServerEvent, at: float) -> None:
        """An event came."""
        match event:
            case RoomState():
                self._self = event.participant_id
                self._is_busy = bool(event.holders or event.speaking)
                self.entered.set()
            case RoomFloorChanged():
                self._changed_at = at
                self._is_busy = bool(event.holders or event.speaking)
                if self._self in event.speaking:
                    self._was_heard, self._was_taken_up = True, False
                elif self._was_heard and event.holders:
                    self._was_taken_up = True
            case RoomLine(speaker_id=speaker) if speaker == self._self:
                self._was_heard = True
                self._changed_at = at
            case _:
                pass

    def is_answered(self, now: float) -> bool:
        """Whether somebody has answered it, and nobody goes on."""
        return (
            self._said_at is not None and self._was_taken_up and not self._is_busy and now - self._changed_at > _QUIET_S
        )

    def waited(self, now: float) -> float | None:
        """For how long nothing has happened since it was said; None while something does."""
        if self._said_at is None or self._is_busy or self._was_taken_up:
            return None
        return now - max(self._said_at, self._changed_at)

    @property
    def missing(self) -> str:
        """What has not happened."""
        if self._by_voice and not self._was_heard:
            return "the room heard no speech, and nobody answered"
        return "nobody answered"
