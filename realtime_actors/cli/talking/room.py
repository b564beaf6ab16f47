"""Being in a room from the terminal: says a file or a text and leaves when it is answered, or stays and types."""

from __future__ import annotations

import contextlib
import itertools
import sys
from pathlib import Path

import attrs
import trio

from realtime_actors.audio import AudioError, Wav, duration_ms, write_wav
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.talking.approvals import Approvals, Approve, read_lines
from realtime_actors.cli.talking.conversation import check_writable, read_speech
from realtime_actors.cli.talking.event_file import EventFile
from realtime_actors.cli.talking.frontend import connect, in_words, room_address
from realtime_actors.cli.talking.microphone import PIECE_MS, Microphone
from realtime_actors.cli.talking.picture import Picture, read_picture
from realtime_actors.cli.talking.room_narrator import RoomNarrator
from realtime_actors.cli.talking.room_progress import RoomProgress
from realtime_actors.cli.talking.room_sound import RoomSound
from realtime_actors.cli.talking.screen import Screen
from realtime_actors.events import (
    AgentError,
    AgentPlayoutFlush,
    AgentResponseAudioDelta,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentToolApprovalRequested,
    AudioFormat,
    ClientAudioAppend,
    ClientEvent,
    ClientImageAppend,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    DecodeError,
    RoomAudioDelta,
    RoomLine,
    ServerEvent,
    ServerSessionEnded,
    decode_server,
    encode_json,
)
from realtime_actors.rooms import ROOM_RATE, RoomsError
from realtime_actors.transports import ConnectionClosed, WebSocket

__all__ = ["Visit", "visit"]

_FAREWELL_S = 0.5
_TAKEN = 4409
_ENDS = {"server_stopped": ": the server is stopping", "agent_ended": "", "": ""}


@attrs.frozen(kw_only=True)
class Visit:
    """Which room to be in, as whom, and what to say there."""

    url: str
    """The gateway's."""
    room: str
    name: str
    token: str | None = attrs.field(default=None, repr=False)
    speech: Path | None = None
    """A WAV file to say, or else `text`; with neither, what is typed is said."""
    text: str | None = None
    image: Path | None = None
    """A PNG or JPEG file to show first."""
    hear_people: bool = False
    """Whether the other people are to be heard, too."""
    save: Path | None = None
    events: Path | None = None
    approve: Approve | None = None
    """Which tools may run, of those that need somebody's approval; None leaves it to others."""
    timeout: float = 60.0
    """Seconds for the room to be ready, and again for an answer."""


async def visit(plan: Visit) -> None:
    """Be in the room, and leave it. Raises `CommandFailed`, or `WavError` for a file that cannot be used.

    What was heard is saved in any case, also when the visit is cut off.
    """
    url = room_address(plan.url, plan.room, plan.name)
    speech = read_speech(plan.speech)
    picture = None if plan.image is None else read_picture(plan.image)
    if plan.save is not None:
        check_writable(plan.save)
    screen, sound = Screen(), RoomSound()
    with EventFile(plan.events, trio.current_time()) as events:
        screen.status(f"connecting to {url}")
        try:
            async with connect(url, plan.token, connect_timeout=min(10.0, plan.timeout)) as websocket:
                visitor = _Visitor(plan, url, speech, picture, websocket, screen, sound, events)
                try:
                    await visitor.run()
                finally:
                    with trio.CancelScope(shield=True), contextlib.suppress(CommandFailed):
                        await visitor.leave()  # bounded, so that it is no lost connection for the others
        finally:
            recording = sound.recording()
            if plan.save is not None and recording:
                write_wav(plan.save, recording, ROOM_RATE)
            screen.end()
            if recording:
                screen.line("sound", _heard(recording, sound.lost_ms, plan.save))


def _heard(recording: bytes, lost_ms: float, saved: Path | None) -> str:
    text = f"{duration_ms(len(recording), ROOM_RATE) / 1000:.2f} s heard"
    if lost_ms:
        text += f", {lost_ms / 1000:.2f} s more than is kept"
    return f"{text}; saved to {saved}" if saved is not None else text


@attrs.define(eq=False)
class _Visitor:
    plan: Visit
    url: str
    speech: Wav | None
    picture: Picture | None
    websocket: WebSocket
    screen: Screen
    sound: RoomSound
    events: EventFile
    _narrator: RoomNarrator = attrs.field(init=False)
    _progress: RoomProgress = attrs.field(init=False, factory=RoomProgress)
    _approvals: Approvals = attrs.field(init=False)
    _ended: trio.Event = attrs.field(init=False, factory=trio.Event)
    _is_leaving: bool = attrs.field(init=False, default=False)
    _wants_to_leave: bool = attrs.field(init=False, default=False)
    _last_error: str = attrs.field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        self._narrator = RoomNarrator(self.screen, self.plan.room, prompts=self._stays and sys.stdin.isatty())

    @property
    def _stays(self) -> bool:
        return self.speech is None and self.plan.text is None

    async def run(self) -> None:
        """Come in, and be there. Raises `CommandFailed`."""
        answers, questions = trio.open_memory_channel[str](0)
        async with trio.open_nursery() as nursery:
            self._approvals = Approvals(
                self.plan.approve or "none",
                self.plan.room,
                self.screen,
                self._send,
                nursery.start_soon,
                questions if self._stays else None,
            )
            nursery.start_soon(self._listen)
            await self._enter()
            if self._stays:
                nursery.start_soon(self._type, answers)
            else:
                await self._say()
            await self._be_there()
            nursery.cancel_scope.cancel()

    async def _enter(self) -> None:
        self.screen.status("waiting for the room")
        hears = {"hear_people": True, "audio_rate": ROOM_RATE} if self.plan.hear_people else {}
        await self._send(ClientSessionCreate({"user_name": self.plan.name, **hears}))
        with trio.move_on_after(self.plan.timeout) as limit:
            await self._progress.entered.wait()
        if limit.cancelled_caught:
            raise CommandFailed(f"the room was not ready within {self.plan.timeout:g} s{self._because()}")

    async def leave(self) -> None:
        """Say goodbye, within a bound; of no effect when it is said already. Raises `CommandFailed`."""
        if self._is_leaving or self._ended.is_set() or self.websocket.closed is not None:
            return
        self._is_leaving = True
        with trio.move_on_after(_FAREWELL_S):
            await self._send(ClientSessionEnd(self.plan.room))
            # Not before it has been heard: the gateway would think that the connection was lost.
            with contextlib.suppress(ConnectionClosed, DecodeError):
                while not isinstance(self._decoded(await self.websocket.receive()), ServerSessionEnded):
                    pass

    async def _send(self, event: ClientEvent) -> None:
        frame = encode_json(event)
        self.events.write("sent", frame, trio.current_time())
        try:
            await self.websocket.send(frame)
        except ConnectionClosed as error:
            raise self._end(error) from error

    def _end(self, error: ConnectionClosed) -> CommandFailed:
        if error.code == _TAKEN:
            return CommandFailed(
                f"somebody is in the room {self.plan.room} as {self.plan.name} already: come by another name (--as)"
            )
        return in_words(error, self.url, self.plan.token)

    def _because(self) -> str:
        return f"; the last error was: {self._last_error}" if self._last_error else "; --timeout gives it more"

    # -- what is said

    async def _say(self) -> None:
        if self.picture is not None:
            await self._send(ClientImageAppend(self.plan.room, self.picture.data, {"type": self.picture.media_type}))
        self._progress.begin(by_voice=self.speech is not None)
        if self.plan.text is not None:
            await self._send(ClientTextAppend(self.plan.room, self.plan.text))
            self._progress.said(trio.current_time())

    async def _type(self, answers: trio.MemorySendChannel[str]) -> None:
        """Say what is typed, line by line. At its end a terminal's user leaves (Ctrl-D); others go on listening."""
        send, lines = trio.open_memory_channel[str](0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_lines, send)
            async for line in lines:
                try:
                    if not self._approvals.is_asking:
                        raise trio.WouldBlock
                    answers.send_nowait(line)
                except trio.WouldBlock:
                    if line.strip():
                        await self._send(ClientTextAppend(self.plan.room, line.strip()))
        self._wants_to_leave = sys.stdin.isatty()

    async def _be_there(self) -> None:
        """Speak and hear, 20 ms at a time, until all is answered."""
        microphone = None if self.speech is None else Microphone(self.speech.rate)
        if microphone is not None and self.speech is not None:
            microphone.say(self.speech)
        began = trio.current_time()
        for tick in itertools.count():
            await trio.sleep_until(began + tick * PIECE_MS / 1000)
            self.sound.tick()
            now = trio.current_time()
            if microphone is not None:
                piece = microphone.next()
                await self._send(ClientAudioAppend(self.plan.room, piece.pcm, AudioFormat(rate=microphone.rate)))
                if not microphone.remaining_ms:
                    self._progress.said(now)
            if self._ended.is_set() or self._wants_to_leave:
                return
            if not self._stays:
                if self._progress.is_answered(now) and not self.sound.is_playing:
                    return
                self._check_deadline(now)

    def _check_deadline(self, now: float) -> None:
        waited = self._progress.waited(now)
        if waited is not None and waited > self.plan.timeout:
            raise CommandFailed(f"{self._progress.missing} within {self.plan.timeout:g} s{self._because()}")

    # -- what comes

    async def _listen(self) -> None:
        while True:
            try:
                frame = await self.websocket.receive()
            except ConnectionClosed as error:
                raise self._end(error) from error
            event = self._decoded(frame)
            if event is not None:
                self._take(event)

    def _decoded(self, frame: str | bytes) -> ServerEvent | None:
        self.events.write("received", frame, trio.current_time())
        try:
            return decode_server(frame)
        except DecodeError as error:
            self.screen.line("error", f"an event cannot be read: {error}", fg="red")
            return None

    def _take(self, event: ServerEvent) -> None:
        self._narrator.tell(event)
        self._progress.take(event, trio.current_time())
        match event:
            case AgentResponseAudioDelta() | RoomAudioDelta():
                self._hear(event)
            case AgentResponseDone() if event.metadata.get("status") == "cancelled":
                self.sound.silence(event.agent_id)
            case AgentResponseDone():
                self.sound.agent_ends(event.agent_id)
            case AgentPlayoutFlush():
                self.sound.silence(event.agent_id)
            case RoomLine(interrupted=True):
                self.sound.silence(event.speaker_id)
            case AgentToolApprovalRequested() if self.plan.approve is not None:
                self._approvals.ask(event)
            case AgentResponseToolResult(tool_result=result):
                self._approvals.over(result.id)
            case AgentError():
                self._last_error = event.message
                if not self._progress.entered.is_set():
                    raise CommandFailed(event.message)
            case ServerSessionEnded(metadata=metadata):
                self._ended.set()
                reason = metadata.get("reason", "")
                raise CommandFailed(f"the room has ended{_ENDS.get(reason, f' ({reason})')}")
            case _:
                pass

    def _hear(self, event: AgentResponseAudioDelta | RoomAudioDelta) -> None:
        try:
            if isinstance(event, AgentResponseAudioDelta):
                self.sound.agent_says(event.agent_id, event.delta, event.format.rate)
            else:
                self.sound.people_say(event.delta, event.format.rate)
        except (AudioError, DecodeError, RoomsError) as error:
            self.screen.line("error", f"not all can be heard: {error}", fg="red")
