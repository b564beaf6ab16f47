"""A model that follows a script to the letter, and fails the test when its agent does not."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from realtime_actors.actors import Actor, Ref
from realtime_actors.events import ModelCommand, ModelEvent, ModelNotice
from realtime_actors.providers import Capabilities, ProviderConnection, RealtimeModel, WireProtocol
from realtime_actors.transports import StreamTransport, Transport, WebSocketOptions

from .errors import ExpectationFailed, InvalidExpectation
from .matching import short
from .play import URL, Play
from .script import COMMANDS, Step

__all__ = ["ScriptedModel"]

ALL = Capabilities(text=True, images=True, tools=True, cancel=True, truncate=True, delete=True, manual_turns=True)


def _steps(script: Sequence[Step]) -> tuple[Step, ...]:
    steps = tuple(script)
    if not steps:
        raise InvalidExpectation("a script needs a step: Expect(…) what the agent says, or Emit(…) what the model says")
    for number, step in enumerate(steps, 1):
        if not isinstance(step, Step):  # pyright: ignore[reportUnnecessaryIsInstance] - tests need not be checked
            raise InvalidExpectation(f"step {number} is {short(step)}: use Expect, Emit, Pause or Disconnect")
    return steps


def _commands(kinds: Sequence[type]) -> tuple[type, ...]:
    for kind in kinds:
        if kind not in COMMANDS:
            raise InvalidExpectation(f"ignore takes types of commands, not {short(kind)}")
    return tuple(kinds)


@attrs.frozen(kw_only=True, eq=False)
class ScriptedModel(RealtimeModel):
    """A model for one agent that follows a script, without a network.

    ::

        async with ScriptedModel([Expect(AppendText, text="Hi"), Expect(CreateResponse), Emit(…)]) as model:
            agent = await runtime.spawn(RealtimeAgent("Friday", "Be brief.", model))

    A command that is not the one expected cancels the block and raises `ExpectationFailed` out of it. Leaving the
    block waits up to `within` s for the steps that are left, and raises likewise if they are not done by then.

    What every provider does by itself is done while `acknowledges` holds: each text, image, tool result and
    `Configure` is acknowledged when it was expected. The `Configure` that opens a session needs no step (where the
    next step expects a `Configure`, it is that one). Commands of the types in `ignore` (`AppendAudio`, say) may come
    at any time; where one is expected it is not ignored.
    """

    provider: ClassVar[str] = "the script"
    key_variable: ClassVar[str] = "no variable"
    input_rate: ClassVar[int] = 24000
    output_rate: ClassVar[int] = 24000

    script: Sequence[Step] = attrs.field(kw_only=False, converter=_steps, repr=False)
    ignore: Sequence[type] = attrs.field(default=(), converter=_commands)
    acknowledges: bool = True
    within: float = 1.0
    model_name: str = "scripted"
    api_key: str = attrs.field(default="none", repr=False)
    _capabilities: Capabilities = attrs.field(default=ALL, alias="capabilities")
    _play: Play = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        object.__setattr__(self, "_play", Play(self.script, tuple(self.ignore), self.acknowledges))

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def endpoint(self) -> str:
        if self._play.scope is None:
            raise InvalidExpectation("the script has not begun: `async with ScriptedModel(…) as model:`")
        return URL

    def headers(self) -> Sequence[tuple[str, str]]:
        return ()

    def protocol(self) -> WireProtocol:
        return _Protocol(self._play)

    @property
    def transport(self) -> Transport:
        """The way to this model, for a `FaultyTransport` around it. An agent takes it where it is given no other."""
        return self._play

    def connection(self, owner: Ref, transport: Transport, options: WebSocketOptions) -> Actor:
        if isinstance(transport, StreamTransport):  # such as an agent has where it is given none
            transport = self._play
        return ProviderConnection(self, owner, transport, options)

    @property
    def received(self) -> list[ModelCommand]:
        """The commands that were expected and came, in order."""
        return list(self._play.received)

    async def finish(self, *, within: float | None = None) -> None:
        """Wait until the script is done, `within` s at most. Raises `ExpectationFailed`."""
        within = self.within if within is None else within
        with trio.move_on_after(within):
            await self._play.over.wait()
        if self._play.failure is not None:
            raise self._play.failure
        if not self._play.over.is_set():
            raise ExpectationFailed(f"the script was not done within {within:g} s.{self._play.show()}")

    async def __aenter__(self) -> Self:
        if self._play.scope is not None:
            raise InvalidExpectation("a script is played once: make a ScriptedModel for each test")
        self._play.scope = trio.CancelScope()
        self._play.scope.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        play = self._play
        assert play.scope is not None
        if isinstance(error, Exception) and not play.over.is_set():
            error.add_note(f"The script was not done.{play.show()}")
        play.scope.__exit__(kind, error, traceback)
        if play.failure is None and error is None:
            await self.finish()
            # The last step may yet make the agent say something that the script does not foresee.
            await wait_all_tasks_blocked()
        if play.failure is not None:
            raise play.failure


class _Protocol(WireProtocol):
    __slots__ = ("_play",)

    def __init__(self, play: Play) -> None:
        self._play = play

    def encode(self, command: ModelCommand) -> list[str | bytes]:
        return [self._play.wrap(command)]

    def decode(self, frame: str | bytes) -> list[ModelEvent | ModelNotice]:
        return [self._play.unwrap(frame)]
