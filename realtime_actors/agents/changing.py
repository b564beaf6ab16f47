"""An agent that is changed in the middle of a call."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from realtime_actors.actors import RealtimeError, receives
from realtime_actors.events import (
    ClientSessionCreate,
    ServerSessionUpdated,
    SessionConfigured,
)
from realtime_actors.providers import Model

from .base import BaseAgent
from .changes import Change, Handoff, Reconfigure, changed_model, tools_by_name
from .errors import ChangeRefused
from .listening import by_hand
from .tools import Tool

__all__ = ["ChangingAgent", "TakeOver"]


@attrs.frozen
class TakeOver:
    """The next model takes over, once all that was said before is done with: the last gave up, or it is wished."""

    model: Model
    is_wished: bool = False


@attrs.define
class _Changing:
    """A change that has not come about."""

    before: tuple[str, str, Sequence[Tool]]
    """The name, the instructions and the tools."""
    wanted: tuple[str, str, Sequence[Tool]]
    request_id: str = ""
    """The latest configuration that was sent for it; none while a new session is needed."""
    model: Model | None = None
    """With which a new session is needed."""
    has_begun: bool = False
    """Whether that session is being opened."""
    changes: list[Change] = attrs.field(factory=list[Change])


@attrs.define(eq=False)
class ChangingAgent(BaseAgent):
    """Other instructions, tools, voices and models; and the conversation handed to another agent."""

    _changing: _Changing | None = attrs.field(init=False, default=None)
    # What a tool has handed the conversation to, until the reply that called it has ended.
    _handoff: tuple[Reconfigure, Model] | None = attrs.field(init=False, default=None)

    @receives
    def reconfigure(self, event: ClientSessionCreate) -> None:
        """New instructions in mid-conversation, where the config has them."""
        instructions = event.config.get("instructions")
        if not isinstance(instructions, str) or instructions == self._instructions:
            self._publish(ServerSessionUpdated(self.session_id))
            return
        self._change(Reconfigure(instructions=instructions), self._model)

    @receives
    def change(self, change: Reconfigure) -> Change:
        """The same for Python code, and for whatever can be changed."""
        answer = Change()
        try:
            model = self._model_for(change)
        except RealtimeError as error:
            answer.end(str(error))
        else:
            self._change(change, model).append(answer)
        return answer

    def _model_for(self, change: Reconfigure) -> Model:
        """The model with which a change is made. Raises what is wrong with it."""
        if self._handoff is not None or (self._changing is not None and self._changing.model is not None):
            raise ChangeRefused("another change waits for a moment at which nobody speaks: wait for that first")
        model = changed_model(self._model, change)
        if self.turn_detection is not None:
            if change.turn_detection is not None:
                raise ChangeRefused("the agent finds the user's turns itself, with LocalVAD: that stays as it is")
            model = by_hand(model)
        tools_by_name(self.tools if change.tools is None else change.tools, model)
        return model

    def _change(self, change: Reconfigure, model: Model) -> list[Change]:
        """Begin to change. Those in the list are told when it has come about."""
        before = self.name, self._instructions, self.tools
        wanted = (
            self.name if change.name is None else change.name,
            self._instructions if change.instructions is None else change.instructions,
            self.tools if change.tools is None else change.tools,
        )
        if self._changing is None:
            self._changing = _Changing(before, wanted)
        self._changing.wanted = wanted
        if self._needs_session(model):
            self._changing.model = model
            self._link.look_out()
        else:
            self._adopt(*wanted)
            configuration = self._configuration()
            self._changing.request_id = configuration.request_id
            self._command(configuration)
        return self._changing.changes

    def _adopt(self, name: str, instructions: str, tools: Sequence[Tool]) -> None:
        self.name = self._turns.agent_name = self._calls.agent_name = name
        self._instructions = instructions
        self.tools = tools
        self._calls.tools = {tool.name: tool for tool in tools}

    def _changed(self, problem: str = "") -> None:
        """The change has come about, or has not."""
        changing, self._changing = self._changing, None
        if changing is not None:
            if problem:
                self._adopt(*changing.before)
            for change in changing.changes:
                change.end(problem)

    def _handed_off(self, handoff: Handoff) -> None:
        """A tool gives the conversation to another agent, which replies to the call: that waits for no quiet moment."""
        try:
            model = self._model_for(handoff.change)
        except RealtimeError as error:
            self._error("handoff_failed", str(error))
            return
        self._handoff = handoff.change, model
        if self._needs_session(model):
            self._link.keep()  # the reply to the call is asked of the other

    def _hand_off_if_due(self) -> None:
        """When the reply that called has ended, and all its calls have."""
        if self._handoff is not None and not self._turns.generating and not self._turns.calls:
            (change, model), self._handoff = self._handoff, None
            self._change(change, model)
            if self._needs_session(model):
                self._replace()

    def _needs_session(self, model: Model) -> bool:
        """Whether a change to this model needs a new session."""
        return model != self._model or not model.capabilities.reconfiguration

    def _replace(self) -> None:
        assert self._changing is not None
        assert self._changing.model is not None
        self._link.keep()
        self.context.start_soon(self.context.ref.send, TakeOver(self._changing.model, is_wished=True))

    @receives
    def reconfigured(self, _: SessionConfigured) -> None:
        """The provider has accepted it."""
        if self._changing is None or self._changing.model is None:
            self._changed()
        self._publish(ServerSessionUpdated(self.session_id))
