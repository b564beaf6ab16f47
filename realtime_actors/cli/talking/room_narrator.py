"""Tells on the screen what happens in a room."""

import attrs
import orjson

from realtime_actors.cli.talking.narrator import in_short, in_words
from realtime_actors.cli.talking.screen import Screen
from realtime_actors.events import (
    AgentError,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    RoomFloorChanged,
    RoomLine,
    RoomParticipant,
    RoomParticipantJoined,
    RoomParticipantLeft,
    RoomParticipantUpdated,
    RoomState,
    ServerEvent,
)

__all__ = ["RoomNarrator"]

_LEFT = {
    "gone": "has not come back",
    "removed": "was removed",
    "failed": "has failed, and left",
    "ended": "has ended",
}
_AWAY = {"person": "has lost the connection", "agent": "has failed, and will be back"}


@attrs.define(eq=False)
class RoomNarrator:
    """Prints who is there, who comes and goes, who has the floor, and all that is said, with its speaker's name."""

    screen: Screen
    room: str
    prompts: bool = False
    """Whether what is typed is said: then who has the floor stands before that."""
    _self: str = attrs.field(init=False, default="")
    _names: dict[str, str] = attrs.field(init=False, factory=dict[str, str])
    _lines: dict[str, str] = attrs.field(init=False, factory=dict[str, str])
    _floor: str = attrs.field(init=False, default="")

    def tell(self, event: ServerEvent) -> None:
        """An event came."""
        match event:
            case RoomState():
                self._enter(event)
            case RoomParticipantJoined(participant=who):
                self._note(who, "has joined")
            case RoomParticipantUpdated(participant=who):
                self._note(who, "is back" if who.status == "here" else _AWAY.get(who.kind, who.status))
            case RoomParticipantLeft(participant=who, reason=reason):
                self._note(who, _LEFT.get(reason, "has left"))
                self._names.pop(who.id, None)
            case RoomFloorChanged():
                self._tell_floor(event)
            case RoomLine():
                self._line(event)
            case AgentResponseToolUseDone(tool_use=use, agent_name=name):
                arguments = use.raw_input or orjson.dumps(use.input).decode()
                self._print("tool", f"{name}: {use.name}({arguments})", fg="magenta")
            case AgentResponseToolResult(tool_result=result, agent_name=name):
                self._print("result", f"{name}: {in_words(result.output)}", fg="magenta")
            case AgentResponseDone() if event.metadata.get("status") in ("failed", "incomplete"):
                self._print(event.agent_name, f"[{event.metadata['status']}]", fg="green")
            case AgentError() if self._self:  # who is not in it is told otherwise
                name = self._names.get(event.agent_id, "")
                self._print("error", f"{name}: {event.message}" if name else event.message, fg="red")
            case _:
                pass

    def _enter(self, state: RoomState) -> None:
        """Only from here on it is told who comes and goes."""
        is_new = not self._self
        self._self = state.participant_id
        self._names = {who.id: who.name for who in state.participants}
        if is_new:
            agents = [_plain(who.name) for who in state.participants if who.kind == "agent"]
            people = [
                _plain(who.name) + (" (you)" if who.id == self._self else " (connection lost)" if _is_away(who) else "")
                for who in state.participants
                if who.kind == "person"
            ]
            self._print("room", f"{self.room}: {', '.join(agents)} (agents); {', '.join(people)}", fg="blue")
        before = [line for line in state.lines if self._lines.get(line.id) != line.text]
        if before:
            self._print("room", "this was said before:", fg="blue")
        for line in before:
            self._line(line)
        self._tell_floor(RoomFloorChanged(state.holders, state.speaking, state.hands))

    def _note(self, who: RoomParticipant, what: str) -> None:
        self._names[who.id] = who.name
        if self._self and who.id != self._self:
            self._print("room", f"{who.name} {what}", fg="blue")

    def _tell_floor(self, floor: RoomFloorChanged) -> None:
        holders = [self._names.get(who, who) for who in floor.holders]
        speaking = [f"{self._names.get(who, who)} speaks" for who in floor.speaking]
        hands = [f"{self._names.get(who, who)} wants it" for who in floor.hands]
        words = ", ".join([*holders, *speaking, *hands])
        if words and words != self._floor:
            self._print("floor", words, fg="yellow")
        self._floor = words
        self._show_floor()

    def _show_floor(self) -> None:
        if self.prompts:
            self.screen.status(_plain(f"({self._floor}) > " if self._floor else "> "))
        else:
            self.screen.status(_plain(self._floor or "waiting"))

    def _line(self, line: RoomLine) -> None:
        known = self._lines.pop(line.id, None)
        self._lines[line.id] = line.text
        if len(self._lines) > 1000:
            del self._lines[next(iter(self._lines))]
        if line.text and (known is None or known != line.text):
            colour = "green" if line.kind == "agent" else "cyan" if line.speaker_id == self._self else "blue"
            self._print(line.speaker_name, line.text + (" [interrupted]" if line.interrupted else ""), fg=colour)

    def _print(self, label: str, text: str, **style: object) -> None:
        self.screen.line(_plain(label), in_short(_plain(text), 2000), **style)
        self._show_floor()


def _is_away(who: RoomParticipant) -> bool:
    return who.status == "away"


def _plain(text: str) -> str:
    """What others write, without what would move the cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
