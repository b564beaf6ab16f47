"""The conversation that `talk` has: speaks as a microphone would, follows what comes, and knows when it is over."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import attrs
import trio

from realtime_actors.audio import Wav, read_wav, write_wav
from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.talking.approvals import Approvals, Approve
from realtime_actors.cli.talking.event_file import EventFile
from realtime_actors.cli.talking.frontend import connect, in_words
from realtime_actors.cli.talking.microphone import PIECE_MS, Microphone, usual_rate
from realtime_actors.cli.talking.narrator import Narrator
from realtime_actors.cli.talking.picture import Picture, read_picture
from realtime_actors.cli.talking.playout import Playout
from realtime_actors.cli.talking.progress import Progress
from realtime_actors.cli.talking.report import report
from realtime_actors.cli.talking.screen import Screen
from realtime_actors.events import (
    AgentEnded,
    AgentError,
    AgentInputStarted,
    AgentPlayoutFlush,
    AgentResponseAudioDelta,
    AgentResponseDone,
    AgentResponseToolProgress,
    AgentResponseToolResult,
    AgentToolApprovalRequested,
    AudioFormat,
    ClientAudioAppend,
    ClientEvent,
    ClientImageAppend,
    ClientPlayoutUpdate,
    ClientSessionCreate,
    ClientSessionEnd,
    ClientTextAppend,
    DecodeError,
    ServerEvent,
    ServerSessionEnded,
    decode_server,
    encode_json,
)
from realtime_actors.transports import ConnectionClosed, WebSocket

__all__ = ["Plan", "check_writable", "hold", "read_speech"]

INTERRUPT_AFTER_S = 1.0
"""How much of the reply is heard before the interruption cuts in."""

_QUIET_S = 0.4
"""After an answer nothing may happen for so long before the conversation counts as over."""
_TRANSCRIPT_S = 2.0
"""The words of the user are waited for so long after that."""
_FAREWELL_S = 1.0
_REPORT_EVERY = 10
"""Pieces of 20 ms after which it is told how much was heard."""


@attrs.frozen(kw_only=True)
class Plan:
    """What to say, to whom, and what to keep of it."""

    url: str
    token: str | None = attrs.field(default=None, repr=False)
    speech: Path | None = None
    """A WAV file to say; or else `text`."""
    text: str | None = None
    image: Path | None = None
    """A PNG or JPEG file to show first."""
    interruption: Path | None = None
    """A WAV file to say over the reply."""
    save: Path | None = None
    events: Path | None = None
    provider: str | None = None
    """Whose model to ask for, of those that the gateway has."""
    approve: Approve = "none"
    """Which tools may run, of those that need somebody's approval."""
    timeout: float = 60.0
    """Seconds for the server to get ready, and again for the answer once all is said."""


async def hold(plan: Plan) -> None:
    """Have the conversation, and report. Raises `CommandFailed`, or `WavError` for a file that cannot be used.

    What was heard of the reply is saved in any case, also when the conversation is cut off.
    """
    speech, interruption = read_speech(plan.speech), read_speech(plan.interruption)
    picture = None if plan.image is None else read_picture(plan.image)
    if plan.save is not None:
        check_writable(plan.save)
    screen = Screen()
    with EventFile(plan.events, trio.current_time()) as events:
        screen.status(f"connecting to {plan.url.partition('?')[0]}")
        try:
            async with connect(plan.url, plan.token, connect_timeout=min(10.0, plan.timeout)) as websocket:
                conversation = _Conversation(plan, speech, interruption, picture, websocket, screen, events)
                try:
                    await conversation.run()
                finally:
                    recording = conversation.playout.recording()
                    if plan.save is not None and recording:
                        write_wav(plan.save, recording, conversation.playout.rate)
        finally:
            screen.end()
    for label, text in report(conversation.progress, conversation.playout, plan.save):
        screen.line(label, text)
    if conversation.progress.failed is not None:
        raise CommandFailed(f"the reply failed: {conversation.progress.failed}")


def read_speech(path: Path | None) -> Wav | None:
    """A WAV file to say, at a rate that servers know. Raises `WavError`."""
    return None if path is None else usual_rate(read_wav(path))


def check_writable(path: Path) -> None:
    """Refuse, before anything is said, a file that could not be written after it; it is not touched yet."""
    directory = path.absolute().parent
    if path.is_dir():
        why = "it is a directory"
    elif not directory.is_dir():
        why = "there is no such directory"
    elif not os.access(path if path.exists() else directory, os.W_OK):
        why = "it may not be written to"
    else:
        return
    raise CommandFailed(f"{path} cannot be written: {why}; choose another path for --save")


@attrs.define(eq=False)
class _Conversation:
    plan: Plan
    speech: Wav | None
    to_interrupt: Wav | None
    picture: Picture | None
    websocket: WebSocket
    screen: Screen
    events: EventFile
    progress: Progress = attrs.field(init=False, factory=Progress)
    playout: Playout = attrs.field(init=False, factory=Playout)
    _narrator: Narrator = attrs.field(init=False)
    _session_id: str = attrs.field(init=False)
    _microphone: Microphone | None = attrs.field(init=False)
    _ready: trio.Event = attrs.field(init=False, factory=trio.Event)
    _ended: trio.Event = attrs.field(init=False, factory=trio.Event)
    _leaving: bool = attrs.field(init=False, default=False)
    _cut_off: bool = attrs.field(init=False, default=False)
    _silenced: bool = attrs.field(init=False, default=False)
    _last_error: str = attrs.field(init=False, default="")
    _approvals: Approvals = attrs.field(init=False)
    _tool_progress: str = attrs.field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        first = self.speech or self.to_interrupt
        self._narrator = Narrator(self.screen, self.playout)
        self._session_id = self.plan.url.partition("?")[0].rpartition("/")[2]
        self._microphone = Microphone(first.rate) if first is not None else None

    async def run(self) -> None:
        """Hold it to its end. Raises `CommandFailed` when it comes to none."""
        async with trio.open_nursery() as nursery:
            self._approvals = Approvals(
                self.plan.approve, self._session_id, self.screen, self._send, nursery.start_soon
            )
            nursery.start_soon(self._listen)
            await self._open()
            await self._speak()
            await self._leave()
            nursery.cancel_scope.cancel()

    async def _open(self) -> None:
        self.screen.status("waiting for the agent")
        provider = self.plan.provider
        await self._send(ClientSessionCreate({} if provider is None else {"model_provider": provider}))
        with trio.move_on_after(self.plan.timeout) as limit:
            await self._ready.wait()
        if limit.cancelled_caught:
            raise CommandFailed(f"the agent was not ready within {self.plan.timeout:g} s{self._why_not()}")

    async def _leave(self) -> None:
        self._leaving = True
        await self._send(ClientSessionEnd(self._session_id))
        with trio.move_on_after(_FAREWELL_S):
            await self._ended.wait()

    async def _send(self, event: ClientEvent) -> None:
        frame = encode_json(event)
        self.events.write("sent", frame, trio.current_time())
        try:
            await self.websocket.send(frame)
        except ConnectionClosed as error:
            raise in_words(error, self.plan.url, self.plan.token) from error

    # -- what is said

    async def _speak(self) -> None:
        """Say what there is to say, 20 ms at a time, until everything is answered."""
        if self.picture is not None:
            self._narrator.user_showed(str(self.plan.image), self.picture.media_type, len(self.picture.data))
            await self._send(ClientImageAppend(self._session_id, self.picture.data, {"type": self.picture.media_type}))
        if self.plan.text is not None:
            self._narrator.user_typed(self.plan.text)
            self.progress.send_text(trio.current_time())
            await self._send(ClientTextAppend(self._session_id, self.plan.text))
        if self.speech is not None and self._microphone is not None:
            self._microphone.say(self.speech)
        began = trio.current_time()
        for tick in itertools.count():
            await trio.sleep_until(began + tick * PIECE_MS / 1000)
            if self._microphone is not None:
                await self._send_piece(self._microphone)
            now = trio.current_time()
            if self._silenced or tick % _REPORT_EVERY == 0:
                await self._report(now)
            self._interrupt_if_due(now)
            if self._is_over(now):
                return
            self._check_deadline(now)
            self._show(now)

    async def _send_piece(self, microphone: Microphone) -> None:
        """Send 20 ms. A microphone has them when they are over, so speech ends when its last piece is sent."""
        piece = microphone.next()
        if piece.begins:
            self.progress.begin_speech(trio.current_time())
        if piece.ends:
            self.progress.end_speech(trio.current_time())
        await self._send(ClientAudioAppend(self._session_id, piece.pcm, AudioFormat(rate=microphone.rate)))

    async def _report(self, now: float) -> None:
        """Tell how much was heard: the model is to remember no more of a reply that is interrupted."""
        self._silenced = False
        for each in self.playout.positions(now):
            ids = each.response_id, each.item_id
            await self._send(ClientPlayoutUpdate(self._session_id, *ids, each.played_ms, each.playing))

    def _interrupt_if_due(self, now: float) -> None:
        if self.to_interrupt is None or self._microphone is None or not self.progress.exchanges:
            return
        began = self.progress.exchanges[-1].first_audio
        quiet = self.progress.is_answered and now > max(self.progress.last_change, self.playout.ends) + _QUIET_S
        if began is None:
            if quiet:
                raise CommandFailed("there is nothing to interrupt: the reply has no audio")
            return
        spoken = min(now, self.playout.ends) - began
        if spoken >= INTERRUPT_AFTER_S:
            self._narrator.cutting_in(spoken)
            self._microphone.say(self.to_interrupt)
            self.to_interrupt = None
        elif quiet:
            raise CommandFailed(
                f"the reply was over after {spoken:.1f} s, before it could be interrupted: ask for a longer one, "
                "for example to count to twenty"
            )

    def _is_over(self, now: float) -> bool:
        if self._is_speaking or self.to_interrupt is not None or not self.progress.is_answered:
            return False
        return now - self.progress.last_change > (_TRANSCRIPT_S if self.progress.untranscribed else _QUIET_S)

    @property
    def _is_speaking(self) -> bool:
        return self._microphone is not None and self._microphone.remaining_ms > 0

    def _check_deadline(self, now: float) -> None:
        last = self.progress.exchanges[-1] if self.progress.exchanges else None
        if self._is_speaking or last is None or last.ended is None or now < last.ended + self.plan.timeout:
            return
        raise CommandFailed(f"{self._what_is_missing()} within {self.plan.timeout:g} s{self._why_not()}")

    def _what_is_missing(self) -> str:
        last = self.progress.exchanges[-1]
        if self.progress.calls:
            return "a tool call of the agent got no result"
        if self.progress.active:
            return "the answer was not complete"
        if last.kind == "speech" and last.heard is None:
            return "the server heard no speech, and did not answer"
        return "there was no answer"

    def _why_not(self) -> str:
        return f"; the last error was: {self._last_error}" if self._last_error else "; --timeout gives it more"

    def _show(self, now: float) -> None:
        if self._microphone is not None and self._microphone.remaining_ms:
            self.screen.status(f"speaking, {self._microphone.remaining_ms / 1000:.1f} s to go")
        elif self.progress.calls:
            self.screen.status(self._tool_progress or "waiting for a tool")
        elif now < self.playout.ends:
            self.screen.status(f"listening, {self.playout.heard_ms(now) / 1000:.1f} s")
        else:
            self.screen.status("waiting")

    # -- what comes

    async def _listen(self) -> None:
        while not self._cut_off:
            try:
                frame = await self._receive()
            except ConnectionClosed as error:
                self._check_close(error)
                return
            now = trio.current_time()
            try:
                self._take(decode_server(frame), now)
            except DecodeError as error:
                self.screen.line("error", f"an event cannot be read: {error}", fg="red")
        await self._wait_for_the_reason()

    async def _receive(self) -> str | bytes:
        frame = await self.websocket.receive()
        self.events.write("received", frame, trio.current_time())
        return frame

    def _check_close(self, error: ConnectionClosed) -> None:
        if not self._leaving:
            raise in_words(error, self.plan.url, self.plan.token) from error
        self._ended.set()

    async def _wait_for_the_reason(self) -> None:
        """Raise why the agent ended before its time: what the gateway's close says, if it hangs up."""
        with trio.move_on_after(_FAREWELL_S):
            try:
                while True:
                    await self._receive()
            except ConnectionClosed as error:
                self._check_close(error)
                return
        because = f": {self._last_error}" if self._last_error else ""
        raise CommandFailed(f"the agent ended before its answer was complete{because}")

    def _take(self, event: ServerEvent, now: float) -> None:
        self._narrator.tell(event, now)
        self.progress.take(event, now)
        if self.progress.ready:
            self._ready.set()
        match event:
            case AgentResponseAudioDelta():
                self.playout.play(event.delta, event.format.rate, now, (event.response_id, event.item_id))
            case AgentResponseDone() if event.metadata.get("status") == "cancelled":
                self.playout.flush(now)
                self._silenced = True
            case AgentInputStarted() | AgentPlayoutFlush():
                lost_ms = self.playout.flush(now)
                self._silenced = True
                if lost_ms > 0:
                    self.progress.silence(now)
                    self._narrator.silenced(lost_ms)
            case AgentToolApprovalRequested():
                self._approvals.ask(event)
            case AgentResponseToolProgress(name=name, text=text, fraction=fraction):
                self._tool_progress = f"{name}: {text}" + ("" if fraction is None else f" ({fraction:.0%})")
            case AgentResponseToolResult(tool_result=result):
                self._tool_progress = ""
                self._approvals.over(result.id)
            case AgentError():
                self._check_error(event)
            case AgentEnded() | ServerSessionEnded() if not self._leaving:
                self._cut_off = True
            case ServerSessionEnded():
                self._ended.set()
            case _:
                pass

    def _check_error(self, error: AgentError) -> None:
        """An error ends it where what was asked is refused. Others are only told: an answer may still come."""
        self._last_error = error.message
        refused = error.error_type == "invalid_request_error" and not (
            self.progress.active or self.progress.is_answered or self._is_speaking
        )
        if refused or not self._ready.is_set():
            raise CommandFailed(error.message)
