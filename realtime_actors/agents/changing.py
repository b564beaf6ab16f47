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
from .hearing import LocalVAD
from .listening import by_hand
from .tools import Tool
from .turns import Effect

__all__ = ["ChangingAgent", "TakeOver"]


@attrs.frozen
class TakeOver:
    """The next model takes over, once all that was said before is done with."""

    model: Model | None = None
    """When the last gave up; otherwise it is the one that is wished."""


@attrs.frozen
class _Settings:
    """What an agent is, apart from its model."""

    name: str
    instructions: str
    tools: Sequence[Tool]
    hearing: LocalVAD | None
    """With which the agent itself finds the user's turns."""

    def changed(self, change: Reconfigure) -> _Settings:
        hearing = change.turn_detection if isinstance(change.turn_detection, LocalVAD) else None
        return _Settings(
            self.name if change.name is None else change.name,
            self.instructions if change.instructions is None else change.instructions,
            self.tools if change.tools is None else change.tools,
            self.hearing if change.turn_detection is None else hearing,
        )


@attrs.define
class _Changing:
    """Changes that have not come about, and come about together."""

    before: _Settings
    wanted: _Settings
    model: Model | None = None
    """With which a new session is needed."""
    request_id: str = ""
    """The latest configuration that was sent for it; none while a new session is needed."""
    has_begun: bool = False
    """Whether that session is being opened: what is wished from then on is `following`."""
    following: _Changing | None = None
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
        pending = self._pending
        wanted = self._settings if pending is None else pending.wanted
        if not isinstance(instructions, str) or instructions == wanted.instructions:
            self._publish(ServerSessionUpdated(self.session_id))
            return
        model = self._model if pending is None or pending.model is None else pending.model
        self._change(Reconfigure(instructions=instructions), model)

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

    @property
    def _settings(self) -> _Settings:
        return _Settings(self.name, self._instructions, self.tools, self.turn_detection)

    @property
    def _pending(self) -> _Changing | None:
        """The last changes that were wished and have not come about: what is wished now starts from these."""
        return self._changing if self._changing is None else self._changing.following or self._changing

    def _model_for(self, change: Reconfigure) -> Model:
        """The model with which a change is made. Raises what is wrong with it."""
        if self._handoff is not None:
            raise ChangeRefused("a tool is handing the conversation to another agent: wait for that first")
        pending = self._pending
        wanted = (self._settings if pending is None else pending.wanted).changed(change)
        model = changed_model(self._model if pending is None or pending.model is None else pending.model, change)
        if wanted.hearing is not None:
            model = by_hand(model)
            for following in self._link.models:
                by_hand(following)
        tools_by_name(wanted.tools, model)
        return model

    def _change(self, change: Reconfigure, model: Model) -> list[Change]:
        """Begin to change. Those in the list are told when it has come about."""
        pending = self._pending
        if pending is None:
            pending = self._changing = _Changing(self._settings, self._settings)
        elif pending.has_begun:
            following = _Changing(pending.wanted, pending.wanted)
            pending.following, pending = following, following
        pending.wanted = pending.wanted.changed(change)
        is_heard_alike = pending.wanted.hearing == self.turn_detection
        if pending.model is not None or self._needs_session(model) or not is_heard_alike:
            pending.model = model
        if pending is self._changing:
            self._go_about(pending)
        return pending.changes

    def _go_about(self, pending: _Changing) -> None:
        """Make these changes: now, or with a new session when nobody speaks."""
        if pending.model is not None:
            self._link.look_out()
        else:
            self._adopt(pending.wanted)
            configuration = self._configuration()
            pending.request_id = configuration.request_id
            self._command(configuration)

    def _as_heard(self, model: Model) -> Model:
        """The model, without turn detection of its own if the agent finds the user's turns."""
        return model if self.turn_detection is None else by_hand(model)

    def _adopt(self, settings: _Settings) -> None:
        self.name = self._turns.agent_name = self._calls.agent_name = settings.name
        self._instructions = settings.instructions
        self.tools = settings.tools
        self.turn_detection = settings.hearing
        self._calls.tools = {tool.name: tool for tool in settings.tools}

    def _changed(self, problem: str = "") -> None:
        """The changes have come about, or have not, and then those that follow them have not either."""
        done, self._changing = self._changing, None
        if done is None:
            return
        for change in done.changes:
            change.end(problem)
        if problem:
            self._adopt(done.before)
            for change in done.following.changes if done.following is not None else ():
                change.end(f"the change before it was not made either: {problem}")
        elif done.following is not None:
            self._changing = done.following
            self._go_about(done.following)

    def _handed_off(self, handoff: Handoff) -> None:
        """A tool gives the conversation to another agent, which replies to the call: that waits for no quiet moment."""
        try:
            model = self._model_for(handoff.change)
        except RealtimeError as error:
            self._error("handoff_failed", str(error))
            return
        self._handoff = handoff.change, model
        if self._needs_session(model) or handoff.to.turn_detection != self.turn_detection:
            self._link.keep()  # the reply to the call is asked of the other

    def _apply(self, effects: list[Effect]) -> None:
        super()._apply(effects)
        if self._handoff is not None:
            self._hand_off_if_due()

    def _hand_off_if_due(self) -> None:
        """When the reply that called has ended, and all its calls have."""
        is_opening = self._changing is not None and self._changing.has_begun
        if self._handoff is not None and not (is_opening or self._turns.generating or self._turns.calls):
            (change, model), self._handoff = self._handoff, None
            self._change(change, model)
            if self._changing is not None and self._changing.model is not None:
                self._replace()

    def _needs_session(self, model: Model) -> bool:
        """Whether a change to this model needs a new session."""
        return model != self._model or not model.capabilities.reconfiguration

    def _replace(self) -> None:
        assert self._changing is not None
        self._changing.request_id = ""  # what comes of it is of the session that is left
        self._link.leave()
        self.context.start_soon(self.context.ref.send, TakeOver())

    @receives
    def reconfigured(self, _: SessionConfigured) -> None:
        """The provider has accepted it."""
        if self._changing is None or self._changing.model is None:
            self._changed()
        self._publish(ServerSessionUpdated(self.session_id))
