"""What becomes of an agent's connection to its model."""

from __future__ import annotations

import logging

import attrs
import trio

from realtime_actors.actors import Terminated, receives
from realtime_actors.events import (
    AgentReady,
    AppendToolResult,
    ServerSessionUpdated,
)
from realtime_actors.providers import (
    ConnectionExpiring,
    ConnectionLost,
    ConnectionReady,
    Model,
    ProviderRefused,
    Unsent,
)

from .audio_in import AudioIn
from .base import CheckSilence, new_id
from .changing import ChangingAgent, TakeOver
from .late import as_text_item
from .link import CheckQuiet
from .listening import Listening
from .restoration import known_calls, restored

__all__ = ["ConnectedAgent"]

log = logging.getLogger("realtime_actors.agents")


@attrs.define(eq=False)
class ConnectedAgent(ChangingAgent):
    """Sessions end, and conversations do not: the next session, or the next model, goes on with it."""

    async def _open(self) -> None:
        """Connect to the model whose turn it is."""
        if self._hears_otherwise:
            self._audio_in = self._ears()
        self._audio_in.serve(self._model)
        connection = await self._link.open()
        connection.tell(self._configuration())

    @receives
    def connection_ready(self, event: ConnectionReady) -> None:
        """The first time the agent is ready; later it has come back, to a model that remembers what it is told here."""
        if self._is_past:
            return
        self._watchdog.begin()
        first, metadata = self._link.ready(event)
        if self._changing is not None and self._changing.model is not None and not self._changing.has_begun:
            self._link.look_out()  # it waits for a moment at which this session can be left
        elif self._changing is not None:
            if self._changing.before.name != self.name:
                metadata["agent_name"] = self.name
            self._changed()
        if first:
            self._publish(AgentReady(self._agent_id, self.name))
        if metadata or self.history.items:
            metadata["state_restored"] = restored(self._seed, self._model.capabilities, remembers=event.remembers)
            self._publish(ServerSessionUpdated(self.session_id, metadata))
        if event.dropped_ms:
            message = f"the first {event.dropped_ms / 1000:g} s of what was said meanwhile are lost: they were too old"
            self._error("audio_dropped", message, "connection_error")
        self._hand_off_if_due()

    @receives
    def connection_lost(self, event: ConnectionLost) -> None:
        """Replies end here; what the provider has not acknowledged goes to the next session, in order."""
        if self._is_past:
            return
        self._error(event.code, f"{event.reason}; connecting again", "connection_error")
        self._leave(event.code)
        self._link.go_on(self._configuration(), event.number)
        self._resume()

    @receives
    def connection_expiring(self, event: ConnectionExpiring) -> None:
        """The provider ends its session soon. Between two turns nobody notices."""
        if self._is_past:
            return
        self._link.expires(event)

    @receives
    def check_quiet(self, _: CheckQuiet) -> None:
        """Move on to a new session, if this one is about to end and nobody is speaking."""
        expiring = self._link.expiring
        is_deserted = self._audio_in.is_deserted()
        if is_deserted:
            self._apply(self._turns.deserted())
        if not self._link.may_leave(self._turns.is_quiet and (self._audio_in.is_quiet or is_deserted)):
            return
        if self._changing is not None and self._changing.model is not None:
            self._replace()
        elif expiring is not None:
            log.info("%s: %s: going on in a new session", self._agent_id, expiring.reason)
            self._leave("session_expired")
            self._link.go_on(self._configuration(), expiring.number, rotates=True)
            self._resume()
        else:
            self._link.stop_looking()  # what was wished was refused meanwhile

    @receives(lane="control")
    def unsent(self, event: Unsent) -> None:
        """The connection gives up: what it had of the user's speech is for the next model."""
        self._link.keep(event.commands)

    @receives(lane="control")
    def connection_ended(self, event: Terminated) -> None:
        """The connection is gone for good, and the agent with it, unless there is another model."""
        if event.ref != self._link.connection:
            return
        cause = event.cause or ConnectionError("the connection to the provider has ended")
        if self._changing is not None and self._changing.has_begun:
            self._changed(str(cause))
        pending = self._changing
        wished = pending.model if pending is not None and pending.model != self._model else None
        try:
            model = self._link.next(cause, wished)
        except BaseException:
            self._apply(self._turns.lost())
            self._tell_end(cause)
            raise
        self._tell_end(cause, model)
        if wished is not None:
            self._replace()
            return
        self._link.keep()
        # Behind what the model has said: it is none of the next one's.
        self.context.start_soon(self.context.ref.send, TakeOver(model))

    @receives
    async def take_over(self, event: TakeOver) -> None:
        """The next model goes on with the conversation."""
        if event.model is None and (self._changing is None or self._changing.has_begun):
            return
        self._link.keep()
        pending = self._changing
        if pending is not None and (event.model is None or pending.model == self._model):
            pending.has_begun = True
            self._adopt(pending.wanted)
        ends_turn = self._hears_otherwise and isinstance(self._audio_in, Listening)
        self._apply(self._audio_in.commit() if ends_turn else self._audio_in.flush())
        if event.model is not None:
            said = self._link.take_over(self._as_heard(event.model))
            self._leave("connection_lost")
        else:
            assert pending is not None
            assert pending.model is not None
            said = self._link.replace(pending.model)
            self._leave("reconfigured")
        await self._open()
        for command in said:
            self._link.tell(command)
        self._resume()

    @property
    def _hears_otherwise(self) -> bool:
        """Whether the user's turns are to be found in another way than they are."""
        ears = self._audio_in
        return self.turn_detection != (ears.detection if isinstance(ears, Listening) else None)

    def _ears(self) -> AudioIn:
        if self.turn_detection is None:
            return AudioIn(self._model, self._turns, new_id)

        def is_heard() -> bool:
            return self._playout.is_heard(trio.current_time())

        return Listening(self._model, self._turns, new_id, self.turn_detection, is_heard, self.context.send_after)

    def _leave(self, reason: str) -> None:
        """Replies end here."""
        self._playout.session_lost()
        self._audio_in.session_lost()
        known = known_calls(self._memory.seed(), self._model.capabilities)
        self._apply(self._turns.lost(known, reason))
        for item_id, command in self._unacknowledged.items():
            if isinstance(command, AppendToolResult) and command.call_id not in known:
                self._unacknowledged[item_id] = as_text_item(item_id, command.name, command.output, command.call_id)

    def _resume(self) -> None:
        """The next session is given what the last one had not acknowledged."""
        for command in self._unacknowledged.values():
            self._link.tell(command)
        self._apply(self._turns.resumed())

    def _tell_end(self, cause: BaseException, following: Model | None = None) -> None:
        code = cause.code if isinstance(cause, ProviderRefused) else ""
        others = "" if following is None else f" Going on with {following.model_name}."
        self._error(code, f"{cause}{others}", "provider_error")

    @receives
    def check_silence(self, _: CheckSilence) -> None:
        """Give the session up if the model is silent where it should speak."""
        if not self._turns.awaits:
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None
            return
        playing = self._playout.is_playing(trio.current_time())
        problem = self._watchdog.check(generating=bool(self._turns.generating), playing=playing)
        if problem is not None:
            self._watchdog.begin()
            self._link.abandon(problem, "model_silent")
