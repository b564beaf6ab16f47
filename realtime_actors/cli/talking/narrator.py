"""Tells on the screen what the events of a conversation mean."""

import attrs
import orjson

from realtime_actors.cli.talking.playout import Playout
from realtime_actors.cli.talking.screen import Screen
from realtime_actors.events import (
    AgentError,
    AgentInputTranscriptionDone,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    ContentBlock,
    ServerEvent,
    TextBlock,
)

__all__ = ["Narrator", "in_short", "in_words"]

_LONGEST = 300


@attrs.define
class Narrator:
    """Prints who said what, the tool calls and their results, what was interrupted and what went wrong.

    Each event is told before the playout is given it.
    """

    screen: Screen
    playout: Playout
    _open: dict[str, dict[str, None]] = attrs.field(init=False, factory=dict[str, dict[str, None]])
    _audible_from: dict[str, float] = attrs.field(init=False, factory=dict[str, float])

    def user_typed(self, text: str) -> None:
        """The user wrote something."""
        self.screen.line("you", text, fg="cyan")

    def user_showed(self, file: str, media_type: str, size: int) -> None:
        """The user showed a picture of `size` bytes."""
        self.screen.line("you", f"({file}: {media_type}, {size / 1000:,.0f} KB)", fg="cyan")

    def cutting_in(self, seconds: float) -> None:
        """The user begins to speak over the reply, `seconds` after its beginning."""
        self.screen.line("", f"(cutting in after {seconds:.1f} s of the reply)")

    def silenced(self, lost_ms: float) -> None:
        """A reply that had come completely is played no further."""
        self.screen.line("", f"(interrupted: the last {lost_ms / 1000:.1f} s of the reply are not played)")

    def tell(self, event: ServerEvent, at: float) -> None:
        """An event came at the time `at`."""
        match event:
            case AgentReady():
                self.screen.status(f"{event.agent_name} is ready")
            case AgentInputTranscriptionDone():
                self.screen.line("you", event.transcript or "(nothing that was understood)", fg="cyan")
            case AgentResponseAudioDelta() if event.response_id not in self._audible_from:
                self._audible_from[event.response_id] = max(at, self.playout.ends)
            case AgentResponseAudioTranscriptDelta():
                self._open.setdefault(event.response_id, {})[event.item_id] = None
                self.screen.words(event.agent_name, event.item_id, event.delta)
            case AgentResponseAudioTranscriptDone():
                self._open.get(event.response_id, {}).pop(event.item_id, None)
                self.screen.end_words(event.agent_name, event.item_id, event.transcript)
            case AgentResponseToolUseDone():
                use = event.tool_use
                arguments = use.raw_input or orjson.dumps(use.input).decode()
                self.screen.line("tool", f"{use.name}({in_short(arguments)})", fg="magenta")
            case AgentResponseToolResult():
                self.screen.line("result", in_short(in_words(event.tool_result.output)), fg="magenta")
            case AgentResponseDone():
                self._end(event, at)
            case AgentError():
                self.screen.line("error", event.message, fg="red")
            case _:
                pass

    def _end(self, event: AgentResponseDone, at: float) -> None:
        status = event.metadata.get("status", "completed")
        note = {"completed": "", "failed": "[failed]", "incomplete": "[incomplete]"}.get(status, f"[{status}]")
        began = self._audible_from.pop(event.response_id, None)
        if status == "cancelled":
            heard = 0.0 if began is None else max(0.0, at - began)
            note = f"[cancelled: {heard:.1f} s of it were heard]"
        items = self._open.pop(event.response_id, {})
        for item in items:
            self.screen.end_words(event.agent_name, item, note=note)
        if note and not items:
            self.screen.line(event.agent_name, note, fg="green")


def in_words(output: str | list[ContentBlock]) -> str:
    """What a tool gave, as a text."""
    if isinstance(output, str):
        return output
    return " ".join(block.text if isinstance(block, TextBlock) else f"({block.type})" for block in output)


def in_short(text: str, longest: int = _LONGEST) -> str:
    """A text on one line, of so many characters at most."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
