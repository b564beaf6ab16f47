"""What an agent's model says."""

from __future__ import annotations

import logging

import attrs
import trio

from realtime_actors.actors import receives
from realtime_actors.events import (
    AppendToolResult,
    AudioCommitted,
    ItemAdded,
    ModelError,
    ModelResponseAudioDelta,
    ModelResponseAudioDone,
    ModelResponseAudioTranscriptDelta,
    ModelResponseCreated,
    ModelResponseDone,
    ModelResponseToolUseDelta,
    ModelResponseToolUseDone,
    ModelSessionCreated,
    ModelSessionEnded,
    RequestFailed,
    ServerSessionUpdated,
    SessionResumable,
    ToolCallsCancelled,
)

from .audio_in import WordsLate
from .base import new_id, refused
from .connected import ConnectedAgent
from .late import as_text_item
from .playout import is_cutting
from .translation import InputEvent, Part, agent_event
from .turns import CANCELLED

__all__ = ["AgentOfModel"]

log = logging.getLogger("realtime_actors.agents")


@attrs.define(eq=False)
class AgentOfModel(ConnectedAgent):
    """Hears the model: its replies, what it hears of the user, what it has accepted and what not."""

    @receives(direct=True)
    def reply_delta(self, event: ModelResponseAudioDelta | ModelResponseToolUseDelta) -> None:
        """The hot path: a piece of speech every 20 to 100 ms."""
        self._watchdog.heard = True
        if self._passes(event.response_id):
            self._publish(agent_event(event, self._agent_id, self.name), event.response_id)
            if self._replies.live:
                self._replies.passed(event)
            if type(event) is ModelResponseAudioDelta:
                size = self._playout.received(event)
                if size:
                    self._playout.look(size, trio.current_time())
                if self._measures.awaits_audio == event.response_id:
                    self._measures.first_audio(trio.current_time())

    @receives(direct=True)
    def reply_words(self, event: ModelResponseAudioTranscriptDelta) -> None:
        """A piece of the words of a reply."""
        if self._passes(event.response_id):
            self._memory.said(event.response_id, event.item_id, event.delta)
            if self._model.speaks:
                self._playout.worded(event)
            self._publish(agent_event(event, self._agent_id, self.name), event.response_id)
            if self._replies.live:
                self._replies.passed(event)

    @receives
    def reply_part_done(self, event: Part) -> None:
        """A part of the reply is complete; a call is carried out."""
        self._watchdog.heard = True
        if self._is_past:
            return
        if self._passes(event.response_id):
            self._publish(agent_event(event, self._agent_id, self.name))
        if isinstance(event, ModelResponseAudioDone):
            self._playout.item_done(event.item_id)
        if isinstance(event, ModelResponseToolUseDone):
            self._apply(self._turns.called(event.response_id, event.tool_use))

    @receives
    def response_created(self, event: ModelResponseCreated) -> None:
        self._watchdog.heard = True
        self._audio_in.is_unanswered = False
        self._created(event.response_id)

    @receives
    def response_done(self, event: ModelResponseDone) -> None:
        self._watchdog.heard = True
        if self._is_past:
            return
        status = event.metadata.get("status", "completed")
        if status != "cancelled":
            self._link.is_useful = True
            lengths = self._playout.response_done(event.response_id, is_whole=status == "completed")
            for item_id, ms in lengths.items():
                self._memory.spoken(item_id, ms)
        self._apply(self._turns.done(event))
        self._summaries.look()

    def _passes(self, response_id: str) -> bool:
        if self._turns.passes(response_id):
            return True
        if self._turns.is_over(response_id):
            return False
        self._created(response_id)
        return self._turns.passes(response_id)

    def _created(self, response_id: str) -> None:
        if self._is_past:
            return
        self._apply(self._turns.created(response_id, not self._unacknowledged))

    # -- what the model hears and says of itself

    @receives
    def heard(self, event: InputEvent) -> None:
        """The user begins to speak, says something, is silent."""
        if self._is_past:
            return
        self._apply(self._audio_in.told(event))

    @receives
    def committed(self, notice: AudioCommitted) -> None:
        """The user's turn is an item of the provider's."""
        self._audio_in.committed(notice)

    @receives
    def words_late(self, late: WordsLate) -> None:
        """What was said is not known yet."""
        self._apply(self._audio_in.words_late(late))

    @receives
    def model_error(self, event: ModelError) -> None:
        """Told as it is."""
        self._publish(agent_event(event, self._agent_id, self.name))

    @receives
    def request_failed(self, notice: RequestFailed) -> None:
        if self._is_past:
            return
        if notice.conflict == "item_gone" or is_cutting(notice.request_id):
            log.debug("%s: an item cannot be cut: %s", self._agent_id, notice.message)
            return
        if self._unacknowledged.pop(notice.request_id, None) is None and self._seed.has(notice.request_id):
            self._publish(ServerSessionUpdated(self.session_id, {"state_restored": "partial"}))
        else:
            self._memory.refused(notice.request_id)
        self._audio_in.refused(notice)
        refusal = refused(notice.error_type, notice.code, notice.message)
        request = self._replies.refused(notice.request_id, refusal)
        if request is not None:
            self._apply(self._turns.interrupt(request))
        if self._changing is not None and notice.request_id == self._changing.request_id:
            self._changed(notice.message)
        self._apply(self._turns.failed(notice))

    @receives
    def item_added(self, notice: ItemAdded) -> None:
        self._unacknowledged.pop(notice.item_id, None)
        self._replies.accepted(notice.item_id)

    @receives
    def calls_cancelled(self, notice: ToolCallsCancelled) -> None:
        """By the provider, which takes no results of theirs: those that are on their way are told in words."""
        for item_id, command in list(self._unacknowledged.items()):
            if isinstance(command, AppendToolResult) and command.call_id in notice.call_ids:
                del self._unacknowledged[item_id]
                if command.output != CANCELLED:
                    self._add(as_text_item(new_id(), command.name, command.output, command.call_id))
        self._apply(self._turns.calls_cancelled(notice.call_ids))

    @receives
    def session_saved(self, notice: SessionResumable) -> None:
        """A later session goes on from here."""
        if self._is_past:
            return
        # What the provider has not acknowledged may have come too late for that.
        self._memory.saved(notice.live, {*self._unacknowledged, *notice.unsure})

    @receives
    def session_changed(self, event: ModelSessionCreated | ModelSessionEnded) -> None:
        log.debug("%s: %r", self._agent_id, event)
