"""An agent's way to its model: one connection after the other, and the next model where the last one has given up."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from realtime_actors.actors import ActorCrashed, ActorStopped, Context, Ref, Timer
from realtime_actors.audio import Resampler
from realtime_actors.events import AppendAudio, CommitAudio, Configure, ModelCommand
from realtime_actors.providers import (
    Abandon,
    ConnectionExpiring,
    ConnectionReady,
    Model,
    ProviderRefused,
    ProviderUnavailable,
    Reconnection,
    Resume,
    Rotate,
    WaitReady,
)
from realtime_actors.providers.outbox import Outbox
from realtime_actors.transports import Transport, WebSocketOptions

from .errors import NoModelLeft

__all__ = ["CheckQuiet", "Link", "models_of"]

QUIET_FOR = 0.5
"""Seconds between two looks whether neither side is speaking. A session is left when two looks say so in a row, by when
words that come late have come."""


@attrs.frozen
class CheckQuiet:
    """It is time to look whether neither side is speaking."""


def models_of(models: Model | Sequence[Model]) -> tuple[Model, ...]:
    """The models of an agent, in order. Raises `ValueError` where there is none."""
    found = (models,) if isinstance(models, Model) else tuple(models)
    if not found:
        raise ValueError("an agent needs a model: give it one, or several in the order in which to try them")
    return found


@attrs.define(eq=False)
class Link:
    """The connection that serves, and the models that are left."""

    context: Context
    models: tuple[Model, ...]
    model: Model
    """The one that serves, or is to."""
    transport: Transport
    options: WebSocketOptions
    connection: Ref | None = attrs.field(init=False, default=None)
    is_useful: bool = attrs.field(init=False, default=False)
    """Whether there was a whole reply in the session that serves."""
    expiring: ConnectionExpiring | None = attrs.field(init=False, default=None)
    """That the session ends soon, as long as it serves."""
    _opened: int = attrs.field(init=False, default=0)
    _number: int = attrs.field(init=False, default=0)
    """Of the session that is ready; 0 while there is none."""
    _was_ready: bool = attrs.field(init=False, default=False)
    _is_other: bool = attrs.field(init=False, default=False)
    """Whether it is not yet told that another model serves."""
    _causes: list[tuple[Model, BaseException]] = attrs.field(init=False, factory=list[tuple[Model, BaseException]])
    _kept: Outbox | None = attrs.field(init=False, default=None)
    """Between two models: what the user says."""
    _quiet: int = attrs.field(init=False, default=0)
    _timer: Timer | None = attrs.field(init=False, default=None)

    async def open(self) -> Ref:
        """Start a connection to the model."""
        connection = await self.context.spawn(
            self.model.connection(self.context.ref, self.transport, self.options),
            name="connection" if not self._opened else f"connection-{self._opened + 1}",
        )
        self._opened += 1
        self.connection = connection
        self.context.watch(connection)
        return connection

    async def wait_ready(self) -> BaseException | None:
        """Wait until the model is ready. Returns why it will not be."""
        assert self.connection is not None
        try:
            await self.connection.ask(WaitReady(), timeout=None)
        except (ActorCrashed, ActorStopped) as error:
            ended = await self.connection.wait_stopped()
            return ended.cause or error
        return None

    def tell(self, command: ModelCommand) -> bool:
        """Tell the model. False when there is no room: it became a dead letter.

        Between two models speech is kept; of other commands the agent knows which are to be told again.
        """
        if self._kept is not None:
            return not isinstance(command, (AppendAudio, CommitAudio)) or self._kept.put(command)
        assert self.connection is not None
        return self.context.tell(self.connection, command)

    def go_on(self, configuration: Configure, number: int, *, rotates: bool = False) -> None:
        """What follows is for the session after the one with this number."""
        assert self.connection is not None
        self.stop_looking()
        self._number = 0
        self.connection.tell(Rotate(number, configuration) if rotates else configuration)
        self.connection.tell(Resume(number))

    def abandon(self, reason: str, code: str) -> None:
        """The session is of no use. Nothing happens while there is none."""
        if self._number and self.connection is not None:
            self.connection.tell(Abandon(self._number, reason, code, self.is_useful))

    # -- when the session is to be left

    def expires(self, event: ConnectionExpiring) -> None:
        """The session ends soon: look out for a moment at which it can be left."""
        self.expiring = event
        self.look_out()

    def look_out(self) -> None:
        """Look out for a moment at which neither side is speaking."""
        self._quiet = 0
        if self._timer is None:
            self._timer = self.context.send_every(QUIET_FOR, CheckQuiet())

    def may_leave(self, is_quiet: bool) -> bool:
        """Whether the session is to be left now; `is_quiet`: neither side is speaking, or about to."""
        self._quiet = self._quiet + 1 if is_quiet else 0
        return self._quiet >= 2

    def stop_looking(self) -> None:
        """There is nothing to look out for any more."""
        self.expiring = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- when a model has given up

    def keep(self, commands: Sequence[AppendAudio | CommitAudio] = ()) -> None:
        """The connection is going, or gone: keep what it had of the user's speech, and what comes."""
        self.stop_looking()
        self._number = 0
        if self._kept is None:
            self._kept = Outbox(self.model.input_rate, Reconnection().keep_audio)
        for command in commands:
            self._kept.put(command)

    def leave(self) -> None:
        """The connection is to be replaced: keep what the user says, and be told no more of what becomes of it."""
        self.keep()
        if self.connection is not None:
            self.context.unwatch(self.connection)

    def next(self, cause: BaseException, wished: Model | None = None) -> Model:
        """The model that takes over because of this: the one that is `wished` for anyway, or the next in line.

        Raises the cause where it is no affair of the model's, or `NoModelLeft`, or the cause where there was one model
        only.
        """
        self._causes.append((self.model, cause))
        if not isinstance(cause, (ProviderRefused, ProviderUnavailable)):
            raise cause
        if wished is not None:
            return wished
        if len(self.models) == 1:
            raise cause
        if len(self._causes) == len(self.models):
            raise NoModelLeft([(model.model_name, cause) for model, cause in self._causes]) from cause
        return self.models[len(self._causes)]

    def take_over(self, model: Model) -> list[AppendAudio | CommitAudio]:
        """This model serves from now on. Returns what the user has said meanwhile, at its rate."""
        before, self.model, self._is_other = self.model, model, True
        kept, self._kept = self._kept, None
        if kept is None:
            return []
        resampler = Resampler(before.input_rate, model.input_rate)
        said: list[AppendAudio | CommitAudio] = []
        for command in kept.take_all():
            if isinstance(command, AppendAudio):
                said.append(AppendAudio(resampler.process(command.audio)))
            elif isinstance(command, CommitAudio):
                said += [AppendAudio(resampler.flush()), command]
        said.append(AppendAudio(resampler.flush()))
        return [each for each in said if not isinstance(each, AppendAudio) or each.audio]

    def replace(self, model: Model) -> list[AppendAudio | CommitAudio]:
        """This model serves from now on, as somebody wishes; the one before it goes on if it does not. As `take_over`.

        The old connection, which was left, is stopped.
        """
        if self.connection is not None:
            self.context.start_soon(self.connection.stop)
        self.models, self._causes = (model, *self.models[len(self._causes) :]), []
        return self.take_over(model)

    def ready(self, event: ConnectionReady) -> tuple[bool, dict[str, str]]:
        """The model is ready: whether for the first time, and what has changed since it was."""
        self._number, self.is_useful = event.number, False
        first, self._was_ready = not self._was_ready, True
        changed: dict[str, str] = {}
        if not first:
            changed["connection"] = "rotated" if event.rotated else "restored"
        if self._is_other:
            changed["model"] = self.model.model_name
            self._is_other = False
        return first, changed
