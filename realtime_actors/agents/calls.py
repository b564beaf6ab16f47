"""Carrying out the calls that a model makes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec
import trio

from realtime_actors.events import (
    AgentResponseToolProgress,
    AgentToolApprovalRequested,
    ClientToolApproval,
    ClientToolResult,
    ContentBlock,
    ServerEvent,
    ToolResult,
    ToolUse,
)

from .approvals import Approvals
from .changes import Handoff
from .errors import InvalidArguments
from .progress import Progress
from .results import as_text, blocks_as_text, bounded, error_as_text, valid_block, valid_text
from .threads import ThreadCall
from .tools import Tool

__all__ = ["Calls"]

log = logging.getLogger("realtime_actors.agents")

MOST_AT_ONCE = 32
"""Calls carried out at the same time; the model is told of more that they were too many."""

Answered = Callable[[ToolUse, str, ToolResult | None], None]
Output = str | list[ContentBlock]


@attrs.define(eq=False)
class _Execution:
    """What carries out a call, and those that joined it: a task that ends when nobody waits for it any more."""

    use: ToolUse
    key: str
    waiting: dict[str, _Call] = attrs.field(factory=dict[str, "_Call"])
    """The calls that want its result."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    over: trio.Event = attrs.field(factory=trio.Event)
    output: Output | None = None
    handoff: Handoff | None = None
    timeout: float = 0.0
    deadline: float = float("inf")
    answered: trio.Event | None = None
    """Set by the answer of the frontend, if it is that which carries it out."""


@attrs.define(eq=False)
class _Call:
    """A call, in whose task its result is waited for: the deadline holds whatever the tool does."""

    execution: _Execution
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    is_aborted: bool = False


@attrs.define
class Calls:
    """The calls that are being carried out, each in tasks of its own.

    `answered` is called once for each, unless it is aborted, with the result as text.
    """

    tools: Mapping[str, Tool]
    start_soon: Callable[..., None]
    """Starts a background task of the agent."""
    answered: Answered
    publish: Callable[[ServerEvent], None]
    handed_off: Callable[[Handoff], None]
    """Told when a tool gives the conversation to another agent, before its call is answered."""
    agent_id: str = ""
    agent_name: str = ""
    _calls: dict[str, _Call] = attrs.field(init=False, factory=dict[str, _Call])
    _executions: dict[str, _Execution] = attrs.field(init=False, factory=dict[str, _Execution])
    _approvals: Approvals = attrs.field(init=False)
    # Threads of their own: functions that hang must not use up those that name lookups need.
    _threads: trio.CapacityLimiter = attrs.field(init=False, factory=lambda: trio.CapacityLimiter(MOST_AT_ONCE))

    def __attrs_post_init__(self) -> None:
        self._approvals = Approvals(self._request_approval)

    def finishes(self, use: ToolUse) -> bool:
        """Whether this call goes on when the reply that made it is interrupted: not before it was allowed to begin."""
        tool = self.tools.get(use.name)
        return tool is not None and tool.on_interruption == "finish" and not self._approvals.is_asked(use.id)

    def run(self, use: ToolUse) -> None:
        """Begin to carry out a call."""
        if len(self._calls) >= MOST_AT_ONCE:
            self.answered(use, f"Error: more than {MOST_AT_ONCE} calls at once; try again later.", None)
            return
        tool = self.tools.get(use.name)
        key = use.id if tool is None or tool.duplicates == "run" else _key(use)
        execution = self._executions.get(key)
        if execution is not None and tool is not None and tool.duplicates == "refuse":
            self.answered(use, f"Error: the same call of {use.name} is being carried out: wait for its result.", None)
            return
        if execution is None:
            execution = self._executions[key] = _Execution(use, key)
            if tool is not None and tool.function is None:
                execution.answered = trio.Event()
            self.start_soon(self._execute, execution)
        call = self._calls[use.id] = execution.waiting[use.id] = _Call(execution)
        call.scope.deadline = execution.deadline
        self.start_soon(self._wait, use, call)

    def abort(self, call_id: str) -> None:
        """Stop carrying out a call. What runs in a thread goes on there, and its result is thrown away."""
        call = self._calls.pop(call_id, None)
        if call is not None:
            call.is_aborted = True
            call.scope.cancel()
            self._leave(call_id, call.execution)

    def frontend_result(self, event: ClientToolResult) -> bool:
        """The frontend has executed a call. False when no call with this id waits for the frontend."""
        call = self._calls.get(event.id)
        answered = None if call is None else call.execution.answered
        if call is None or answered is None or answered.is_set():
            return False
        call.execution.output = event.output
        answered.set()
        return True

    def approve(self, event: ClientToolApproval) -> str:
        """Somebody has said whether a call may run. Returns what is wrong with that, in words, if something is."""
        return self._approvals.answer(event)

    async def _wait(self, use: ToolUse, call: _Call) -> None:
        execution = call.execution
        try:
            with call.scope:
                await execution.over.wait()
            if not call.is_aborted:
                self._answer(use, execution)
        finally:
            if self._calls.get(use.id) is call:
                del self._calls[use.id]
            self._leave(use.id, execution)

    def _leave(self, call_id: str, execution: _Execution) -> None:
        """This call waits no longer. When it was the last, nothing more is done: no approval counts any more."""
        if execution.waiting.pop(call_id, None) is not None and not execution.waiting:
            self._forget(execution)
            self._approvals.withdraw(execution.use.id)
            execution.scope.cancel()

    def _answer(self, use: ToolUse, execution: _Execution) -> None:
        output = execution.output
        if not execution.over.is_set() or output is None:
            log.warning("the tool %s did not finish within %g s", use.name, execution.timeout)
            output = f"Error: the tool {use.name} did not finish within {execution.timeout:g} s."
        elif execution.handoff is not None:
            self.handed_off(execution.handoff)
        if isinstance(output, str):
            self.answered(use, bounded(use.name, valid_text(output)), None)
            return
        blocks = [valid_block(block) for block in output]
        self.answered(use, bounded(use.name, blocks_as_text(blocks)), ToolResult(use.id, use.name, blocks))

    async def _execute(self, execution: _Execution) -> None:
        try:
            with execution.scope:
                execution.output = await self._output(execution)
        finally:
            self._forget(execution)
            execution.over.set()

    def _forget(self, execution: _Execution) -> None:
        if self._executions.get(execution.key) is execution:
            del self._executions[execution.key]

    async def _output(self, execution: _Execution) -> Output:
        """Whatever happens, something that the model can be told."""
        use = execution.use
        tool = self.tools.get(use.name)
        if tool is None:
            names = ", ".join(self.tools) or "none"
            return f"Error: there is no tool named {use.name!r}; there are: {names}."
        try:
            return await self._carried_out(execution, tool)
        except InvalidArguments as error:
            return f"Error: {error}."
        except Exception as error:
            log.exception("the tool %s failed", use.name)
            return error_as_text(error)

    async def _carried_out(self, execution: _Execution, tool: Tool) -> Output:
        use = execution.use
        sent = _arguments(use)
        arguments = tool.structure(sent)
        if tool.must_be_approved(arguments):
            refusal = await self._approvals.ask(attrs.evolve(use, input=dict(sent)), tool.approval_timeout)
            if refusal:
                return refusal
            await trio.lowlevel.checkpoint_if_cancelled()  # allowed, and cancelled before this task could run
        self._limit(execution, tool.timeout)
        if execution.answered is not None:
            await execution.answered.wait()
            return execution.output or ""
        value = await self._call(tool, use, arguments)
        if isinstance(value, Handoff):
            execution.handoff = value
            return str(value)
        return as_text(value)

    def _limit(self, execution: _Execution, timeout: float) -> None:
        """From here on the tool has so many seconds."""
        execution.timeout = timeout
        execution.deadline = trio.current_time() + timeout
        for call in execution.waiting.values():
            call.scope.deadline = execution.deadline

    async def _call(self, tool: Tool, use: ToolUse, keywords: dict[str, Any]) -> Any:
        progress: Progress | None = None
        if tool.progress is not None:
            token = trio.lowlevel.current_trio_token()
            progress = Progress(lambda text, done: self._report(use, text, done), self.start_soon, token)
            keywords = {**keywords, tool.progress: progress}
        try:
            if tool.is_async:
                return await tool(**keywords)
            thread = ThreadCall(tool.name, lambda: tool(**keywords), self._threads)
            self.start_soon(thread.run)
            return await thread.result()
        finally:
            if progress is not None:
                progress.end()

    def _report(self, use: ToolUse, text: str, fraction: float | None) -> None:
        text = valid_text(text)
        self.publish(AgentResponseToolProgress(use.id, use.name, text, fraction, self.agent_id, self.agent_name))

    def _request_approval(self, use: ToolUse, timeout: float) -> None:
        self.publish(AgentToolApprovalRequested(use, timeout, self.agent_id, self.agent_name))


def _arguments(use: ToolUse) -> Mapping[str, Any]:
    """The arguments of a call. Truncated or broken JSON is never guessed at."""
    if use.input or not use.raw_input.strip():
        return use.input
    try:
        arguments = msgspec.json.decode(use.raw_input)
    except msgspec.DecodeError as error:
        raise InvalidArguments(f"the arguments of {use.name} are not JSON ({error}): send a JSON object") from None
    if not isinstance(arguments, dict):
        raise InvalidArguments(f"the arguments of {use.name} are no JSON object: send one")
    return arguments  # pyright: ignore[reportUnknownVariableType] - JSON has text keys


def _key(use: ToolUse) -> str:
    """The same for calls with the same name and arguments."""
    try:
        arguments = msgspec.json.encode(_arguments(use), order="deterministic").decode()
    except InvalidArguments:
        arguments = use.raw_input
    return f"{use.name} {arguments}"
