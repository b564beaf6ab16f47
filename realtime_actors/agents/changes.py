"""Changing an agent in the middle of a call, and handing the conversation to another one."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import trio

from realtime_actors.actors import Ref
from realtime_actors.providers import Model, RealtimeModel, TurnDetection

from .errors import ChangeRefused, InvalidTool
from .hearing import LocalVAD
from .tools import Tool

if TYPE_CHECKING:
    from .agent import RealtimeAgent

__all__ = ["Change", "Handoff", "Reconfigure", "changed_model", "hand_off", "reconfigure", "tools_by_name"]


@attrs.frozen(kw_only=True)
class Reconfigure:
    """Ask an agent this to change it in the middle of a call. What is left out stays. It answers with a `Change`.

    Instructions and tools change in the session that is open, where the provider can do that. All else, and another
    `model`, needs a new session: it is opened when neither side is speaking, and is told the conversation so far.
    """

    instructions: str | None = None
    tools: Sequence[Tool] | None = None
    voice: str | None = None
    turn_detection: TurnDetection | LocalVAD | None = None
    """Who finds the user's turns from then on: the provider or the frontend, or the agent itself."""
    model: Model | None = None
    name: str | None = None
    """What the agent is called from then on; its id stays."""


@attrs.frozen
class Handoff:
    """Returned by a tool: another agent takes over the conversation, and gives the reply to the call.

    Of `to` the name, the instructions, the tools, the model and its turn detection are taken; the agent's id and memory
    stay.
    """

    to: RealtimeAgent
    output: str = ""
    """What the model is told as the result of the call; a sentence with the name, unless it is given."""

    @property
    def change(self) -> Reconfigure:
        """What becomes different."""
        to = self.to
        model = to.model if isinstance(to.model, Model) else to.model[0]
        return Reconfigure(
            instructions=to.instructions,
            tools=tuple(to.tools),
            turn_detection=to.turn_detection or model.turn_detection,
            model=model,
            name=to.name,
        )

    def __str__(self) -> str:
        return self.output or f"{self.to.name} goes on with the conversation from here."


@attrs.define(eq=False)
class Change:
    """A change that was asked for: `await` it to know that it has come about. Raises `ChangeRefused`."""

    _over: trio.Event = attrs.field(init=False, factory=trio.Event)
    error: ChangeRefused | None = attrs.field(init=False, default=None)

    @property
    def is_over(self) -> bool:
        """Whether it has come about, or has failed."""
        return self._over.is_set()

    async def wait(self) -> None:
        """Wait until it has come about. Raises `ChangeRefused`."""
        await self._over.wait()
        if self.error is not None:
            raise self.error

    def __await__(self) -> Generator[Any, Any, None]:
        return self.wait().__await__()

    def end(self, problem: str = "") -> None:
        """Called by the agent: it has come about, unless there is a problem."""
        if not self.is_over:
            self.error = ChangeRefused(f"the agent was not changed: {problem}") if problem else None
            self._over.set()


async def reconfigure(agent: Ref, change: Reconfigure) -> None:
    """Change an agent in the middle of a call, and wait until it is changed.

    Raises `ChangeRefused`, and `ActorStopped` or `ActorCrashed` if the agent is not there any more.
    """
    answer: Change = await agent.ask(change, timeout=None)
    await answer


async def hand_off(agent: Ref, to: RealtimeAgent) -> None:
    """Have `to`, which is not spawned, take over an agent's conversation, and wait until it has. As `reconfigure`."""
    await reconfigure(agent, Handoff(to).change)


def changed_model(model: Model, change: Reconfigure) -> Model:
    """The model with which a change is made. Raises `ChangeRefused`, and what the model says of a wrong value."""
    model = change.model or model
    changes: dict[str, Any] = {}
    if change.voice is not None:
        changes["voice"] = change.voice
    detection = change.turn_detection
    if detection is not None and not isinstance(detection, LocalVAD) and detection != model.turn_detection:
        changes["turn_detection"] = detection
    if not changes:
        return model
    if not isinstance(model, RealtimeModel):
        raise ChangeRefused(f"{model.model_name} is given as a whole: make another one, and give it as the model")
    return attrs.evolve(model, **changes)


def tools_by_name(tools: Sequence[Tool], model: Model) -> dict[str, Tool]:
    """The tools of an agent with this model. Raises `InvalidTool`."""
    found: dict[str, Tool] = {}
    for each in tools:
        if not isinstance(each, Tool):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check
            raise InvalidTool(f"{each!r:.80} is no tool: make one of it with @tool")
        if each.name in found:
            raise InvalidTool(f"two tools are named {each.name}: give one another name")
        found[each.name] = each
    if found and not model.capabilities.tools:
        raise InvalidTool(f"{model.model_name} calls no tools: leave them out")
    return found
