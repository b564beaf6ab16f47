"""What the owner of a connection says while there is no session to say it to. Plain code, without I/O."""

from __future__ import annotations

from collections import deque

import attrs

from realtime_actors.events import AppendAudio, ModelCommand

__all__ = ["MOST_COMMANDS", "Outbox"]

MOST_COMMANDS = 512
"""Commands other than audio that wait for a session. More are refused in words."""


@attrs.define
class Outbox:
    """Commands in order. `rate` is that of the audio in Hz, of which the last `seconds` are kept, to the sample."""

    rate: int
    seconds: float
    dropped: int = attrs.field(init=False, default=0)
    """Bytes of audio that had to make room."""
    _queue: deque[ModelCommand] = attrs.field(init=False, factory=deque[ModelCommand])
    _audio: int = attrs.field(init=False, default=0)
    _others: int = attrs.field(init=False, default=0)
    _most: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._most = int(self.seconds * self.rate) * 2

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def audio_ms(self) -> int:
        """How much audio waits, in ms."""
        return self._audio * 500 // self.rate

    def put(self, command: ModelCommand) -> bool:
        """Add a command at the end. False when there is no room for it, which there always is for audio."""
        if isinstance(command, AppendAudio):
            self._audio += len(command.audio)
        elif self._others >= MOST_COMMANDS:
            return False
        else:
            self._others += 1
        self._queue.append(command)
        self._trim()
        return True

    def take(self) -> ModelCommand:
        """The first command. Raises `IndexError` when there is none."""
        command = self._queue.popleft()
        if isinstance(command, AppendAudio):
            self._audio -= len(command.audio)
        else:
            self._others -= 1
        return command

    def put_back(self, audio: AppendAudio) -> None:
        """Audio that was taken and not sent comes first again."""
        self._audio += len(audio.audio)
        self._queue.appendleft(audio)
        self._trim()

    def keep_audio(self) -> None:
        """Forget what is not audio: it was meant for a session that is gone."""
        self._queue = deque(command for command in self._queue if isinstance(command, AppendAudio))
        self._others = 0

    def take_all(self) -> tuple[ModelCommand, ...]:
        """Empty it."""
        commands = tuple(self._queue)
        self._queue.clear()
        self._audio = self._others = 0
        return commands

    def take_dropped_ms(self) -> int:
        """How much audio had to make room since the last call, in ms."""
        dropped, self.dropped = self.dropped, 0
        return dropped * 500 // self.rate

    def _trim(self) -> None:
        while self._audio > self._most:
            place = next(i for i, command in enumerate(self._queue) if isinstance(command, AppendAudio))
            oldest = self._queue[place]
            assert isinstance(oldest, AppendAudio)
            excess = self._audio - self._most
            excess = min(excess + excess % 2, len(oldest.audio))
            if excess < len(oldest.audio):
                self._queue[place] = AppendAudio(oldest.audio[excess:])
            else:
                del self._queue[place]
            self._audio -= excess
            self.dropped += excess
