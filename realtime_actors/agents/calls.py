"""Carrying out the calls that a model makes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import attrs
import msgspec
import trio

from realtime_actors.events import ClientToolResult, ContentBlock, TextBlock, ToolResult, ToolUse

from .errors import InvalidArguments
from .tools import Tool, as_text, valid_text

__all__ = ["Calls"]

log = logging.getLogger("realtime_actors.agents")

MOST_AT_ONCE = 32
"""Calls carried out at the same time; the model is told of more that they were too many."""

LONGEST_OUTPUT = 200_000
"""Characters of a result that the model is given: a provider ends the session over a frame that is too large."""

Answered = Callable[[ToolUse, str, ToolResult | None], None]


@attrs.define
class _Waiting:
    """A call that the frontend executes."""

    came: trio.Event = attrs.field(factory=trio.Event)
    output: str | list[ContentBlock] = ""


@attrs.define
class Calls:
    """The calls that are being carried out, each in a task and a cancel scope of its own.

    `answered` is called once for each, unless it is aborted, with the result as text.
    """

    tools: Mapping[str, Tool]
    start_soon: Callable[..., None]
    """Starts a background task of the agent."""
    answered: Answered
    _scopes: dict[str, trio.CancelScope] = attrs.field(init=False, factory=dict[str, trio.CancelScope])
    # Threads of their own: functions that hang must not use up those that name lookups need.
    _threads: trio.CapacityLimiter = attrs.field(init=False, factory=lambda: trio.CapacityLimiter(MOST_AT_ONCE))
    _frontend: dict[str, _Waiting] = attrs.field(init=False, factory=dict[str, _Waiting])

    def run(self, use: ToolUse) -> None:
        """Begin to carry out a call."""
        if len(self._scopes) >= MOST_AT_ONCE:
            self.answered(use, f"Error: more than {MOST_AT_ONCE} calls at once; try again later.", None)
            return
        scope = self._scopes[use.id] = trio.CancelScope()
        if use.name in self.tools and self.tools[use.name].function is None:
            self._frontend[use.id] = _Waiting()
        self.start_soon(self._run, use, scope)

    def abort(self, call_id: str) -> None:
        """Stop carrying out a call. What runs in a thread goes on there, and its result is thrown away."""
        scope = self._scopes.pop(call_id, None)
        if scope is not None:
            scope.cancel()

    def frontend_result(self, event: ClientToolResult) -> bool:
        """The frontend has executed a call. False when no call with this id waits for the frontend."""
        waiting = self._frontend.get(event.id)
        if waiting is None or waiting.came.is_set():
            return False
        waiting.output = event.output
        waiting.came.set()
        return True

    async def _run(self, use: ToolUse, scope: trio.CancelScope) -> None:
        try:
            with scope:
                output, result = await self._outcome(use)
                self.answered(use, _bounded(use, valid_text(output)), result)
        finally:
            self._frontend.pop(use.id, None)
            if self._scopes.get(use.id) is scope:
                del self._scopes[use.id]

    async def _outcome(self, use: ToolUse) -> tuple[str, ToolResult | None]:
        tool = self.tools.get(use.name)
        if tool is None:
            names = ", ".join(self.tools) or "none"
            return f"Error: there is no tool named {use.name!r}; there are: {names}.", None
        with trio.move_on_after(tool.timeout):
            try:
                if tool.function is None:
                    return await self._by_frontend(use)
                return as_text(await self._by_function(tool, _arguments(use))), None
            except InvalidArguments as error:
                return f"Error: {error}.", None
            except Exception as error:
                log.exception("the tool %s failed", use.name)
                return f"Error: {type(error).__name__}: {error}", None
        log.warning("the tool %s did not finish within %g s", use.name, tool.timeout)
        return f"Error: the tool {use.name} did not finish within {tool.timeout:g} s.", None

    async def _by_frontend(self, use: ToolUse) -> tuple[str, ToolResult]:
        waiting = self._frontend[use.id]
        await waiting.came.wait()
        output = waiting.output
        output = valid_text(output) if isinstance(output, str) else [_valid_block(block) for block in output]
        return _blocks_as_text(output), ToolResult(use.id, use.name, output)

    async def _by_function(self, tool: Tool, arguments: Mapping[str, Any]) -> Any:
        keywords = tool.structure(arguments)
        if tool.is_async:
            return await tool(**keywords)
        thread = _ThreadCall(tool.name, lambda: tool(**keywords), self._threads)
        self.start_soon(thread.run)
        return await thread.result()


@attrs.define
class _ThreadCall:
    """A function in a thread: nothing can stop it, so it has a task of its own that waits for its end."""

    name: str
    function: Callable[[], Any]
    threads: trio.CapacityLimiter
    # Set on either side before the other's is read: a function either is not called, or its thread is known to run.
    _begun: bool = attrs.field(init=False, default=False)
    _given_up: bool = attrs.field(init=False, default=False)
    _done: trio.Event = attrs.field(init=False, factory=trio.Event)
    _value: Any = attrs.field(init=False, default=None)
    _error: Exception | None = attrs.field(init=False, default=None)
    # Ends the wait for a free thread, and what is awaited after it.
    _scope: trio.CancelScope = attrs.field(init=False, factory=trio.CancelScope)

    async def run(self) -> None:
        try:
            with self._scope:
                await trio.to_thread.run_sync(self._call, limiter=self.threads)
                value = self._value
                if isinstance(value, Awaitable):  # of a plain function that wraps an async one, say
                    self._value = await cast("Awaitable[Any]", value)
        except Exception as error:  # noqa: BLE001 - raised by `result`
            self._error = error
        finally:
            self._done.set()

    def _call(self) -> None:
        self._begun = True
        if not self._given_up:
            self._value = self.function()

    async def result(self) -> Any:
        try:
            await self._done.wait()
        except trio.Cancelled:
            self._given_up = True
            self._scope.cancel()
            if self._begun:
                log.warning("the tool %s still runs in a thread, which cannot be stopped: waiting for it", self.name)
            raise
        if self._error is not None:
            raise self._error
        return self._value


def _bounded(use: ToolUse, output: str) -> str:
    if len(output) <= LONGEST_OUTPUT:
        return output
    log.warning("the result of the tool %s has %d characters: the model is given the first", use.name, len(output))
    return f"{output[:LONGEST_OUTPUT]}\n(cut: the result has {len(output)} characters)"


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


def _valid_block(block: ContentBlock) -> ContentBlock:
    return TextBlock(valid_text(block.text)) if isinstance(block, TextBlock) else block


def _blocks_as_text(output: str | list[ContentBlock]) -> str:
    if isinstance(output, str):
        return output
    if all(isinstance(block, TextBlock) for block in output):
        return "\n".join(block.text for block in output if isinstance(block, TextBlock))
    return "\n".join(block.text if isinstance(block, TextBlock) else f"({block.type})" for block in output)
