"""How far a conversation has come: what is still awaited, and how long each answer took. Pure."""

import attrs

from realtime_actors.events import (
    AgentInputStarted,
    AgentInputTranscriptionDone,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    ServerEvent,
)

__all__ = ["Exchange", "Progress"]


@attrs.define
class Exchange:
    """Something said, and how long its answer took. Times are seconds of one clock."""

    kind: str
    """`speech` or `text`."""
    began: float
    """When the first sound was sent."""
    ended: float | None = None
    """When the last sound, or the text, was sent: from here latencies are counted."""
    heard: float | None = None
    """When the server first said that it hears speech."""
    first_audio: float | None = None
    """When the first audio of the answer came."""
    done: float | None = None
    """When the answer was complete, what follows tool calls included."""
    cut: str | None = None
    """The reply that was cancelled after it began: its id."""
    cut_at: float | None = None
    """When the end of that reply came."""
    interrupted: bool = False
    """Whether that was an earlier reply, which it was spoken over; a server may cancel for reasons of its own."""
    silenced_at: float | None = None
    """When it stopped the playing of a reply that had come completely."""

    def after_end(self, moment: float | None) -> float | None:
        """Milliseconds from the end of what was said to a moment; None when one of them is not there."""
        return None if self.ended is None or moment is None else (moment - self.ended) * 1000

    def after_beginning(self, moment: float | None) -> float | None:
        """Milliseconds from the first sound to a moment; None when that has not come."""
        return None if moment is None else (moment - self.began) * 1000


@attrs.define
class Progress:
    """Follows a conversation by what is sent and what comes."""

    ready: bool = attrs.field(init=False, default=False)
    """Whether the agent is there."""
    exchanges: list[Exchange] = attrs.field(init=False, factory=list[Exchange])
    active: set[str] = attrs.field(init=False, factory=set[str])
    """Replies that have begun and not ended."""
    cancelled: set[str] = attrs.field(init=False, factory=set[str])
    """Replies that were cancelled."""
    failed: str | None = attrs.field(init=False, default=None)
    """Why the last reply failed; None when it did not."""
    untranscribed: set[str] = attrs.field(init=False, factory=set[str])
    """What the server heard, and has not written down."""
    last_change: float = attrs.field(init=False, default=0.0)
    """When something last happened that counts here."""
    _replies: set[str] = attrs.field(init=False, factory=set[str])
    """Those that began after the last thing said did: the others are no answer to it."""
    _awaiting: bool = attrs.field(init=False, default=False)
    _replied_since_input: bool = attrs.field(init=False, default=False)
    _calls: dict[str, str] = attrs.field(init=False, factory=dict[str, str])
    _called: set[str] = attrs.field(init=False, factory=set[str])

    @property
    def is_answered(self) -> bool:
        """Whether everything said has its answer, and nothing is under way."""
        spoken = all(exchange.ended is not None for exchange in self.exchanges)
        return spoken and not (self._awaiting or self.active or self._calls)

    @property
    def calls(self) -> int:
        """Tool calls that have no result yet."""
        return len(self._calls)

    # -- what is sent

    def begin_speech(self, at: float) -> None:
        """The first sound of something said was sent."""
        self.exchanges.append(Exchange("speech", at))
        self._replies = set()
        self._replied_since_input = False
        self.last_change = at

    def end_speech(self, at: float) -> None:
        """The last sound of it was sent."""
        self.exchanges[-1].ended = at
        # A server that took a pause for the end has answered already, unless it heard more after that.
        self._awaiting = not self._replied_since_input
        self.last_change = at

    def send_text(self, at: float) -> None:
        """A text was sent."""
        self.exchanges.append(Exchange("text", at, at))
        self._replies = set()
        self._awaiting = True
        self.last_change = at

    def silence(self, at: float) -> None:
        """What was still being played of a reply was discarded, because the server hears speech."""
        exchange = self._current()
        if exchange is not None and exchange.cut is None:
            exchange.silenced_at = at

    # -- what comes

    def take(self, event: ServerEvent, at: float) -> None:
        """An event came."""
        self.last_change = at
        match event:
            case AgentReady():
                self.ready = True
            case AgentInputStarted() | AgentInputTranscriptionDone():
                self._hear(event, at)
            case AgentResponseCreated():
                self.active.add(event.response_id)
                self._replies.add(event.response_id)
                self._awaiting = False
                self._replied_since_input = True
            case AgentResponseAudioDelta():
                exchange = self._answered_by(event.response_id)
                if exchange is not None and exchange.first_audio is None:
                    exchange.first_audio = at
            case AgentResponseToolUseDone():
                self._calls[event.tool_use.id] = event.response_id
                self._called.add(event.response_id)
            case AgentResponseToolResult():
                self._calls.pop(event.tool_result.id, None)
            case AgentResponseDone():
                self._end(event, at)
            case _:
                pass

    def _hear(self, event: AgentInputStarted | AgentInputTranscriptionDone, at: float) -> None:
        exchange = self._current()
        match event:
            case AgentInputStarted():
                self._replied_since_input = False
                self.untranscribed.add(event.item_id)
                if exchange is not None and exchange.heard is None:
                    exchange.heard = at
            case AgentInputTranscriptionDone():
                self.untranscribed.discard(event.item_id)

    def _end(self, event: AgentResponseDone, at: float) -> None:
        self.active.discard(event.response_id)
        status = event.metadata.get("status", "completed")
        exchange = self._current()
        if status == "cancelled":
            self.cancelled.add(event.response_id)
            self._calls = {call: reply for call, reply in self._calls.items() if reply != event.response_id}
            if exchange is not None:
                exchange.cut, exchange.cut_at = event.response_id, at
                exchange.interrupted = exchange.kind == "speech" and event.response_id not in self._replies
            return
        self.failed = _reason(event) if status == "failed" else None
        if event.response_id in self._called and status == "completed":
            self._awaiting = True  # the model is given the results, and goes on
        answered = self._answered_by(event.response_id)
        if answered is not None:
            answered.done = at

    def _answered_by(self, response_id: str) -> Exchange | None:
        exchange = self._current()
        if exchange is None or exchange.ended is None or response_id not in self._replies:
            return None
        return exchange

    def _current(self) -> Exchange | None:
        return self.exchanges[-1] if self.exchanges else None


def _reason(event: AgentResponseDone) -> str:
    told = [event.metadata[key] for key in ("error_message", "error_code", "reason") if event.metadata.get(key)]
    return told[0] if told else "the server does not say why"
