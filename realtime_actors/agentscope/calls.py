"""The toolkits of a session's agents: calls, carried out in the application's loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import attrs
import msgspec

from realtime_actors.agents import Tool, frontend_tool
from realtime_actors.events import (
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    ClientEvent,
    ServerEvent,
    ToolUse,
    decode_client,
)

from .message import TextBlock, ToolUseBlock

__all__ = ["AnyToolkit", "ToolCalls", "tools_of"]

log = logging.getLogger("realtime_actors.agentscope")


class AnyToolkit(Protocol):
    """What an agent needs of a toolkit: this module's `Toolkit` has it, and AgentScope's own."""

    def get_json_schemas(self) -> list[dict[str, Any]]:
        """The functions, as `{"type": "function", "function": {"name", "description", "parameters"}}`."""
        ...

    async def call_tool_function(self, tool_call: Any) -> Any:
        """Carry out a call: an asynchronous iterator of responses, each with all there is so far."""
        ...


def tools_of(schemas: Sequence[dict[str, Any]] | None, timeout: float) -> list[Tool]:
    """The tools that the model is told of. They are carried out in the application's loop, as a frontend's are."""
    functions = [schema["function"] for schema in schemas or ()]
    return [
        frontend_tool(each["name"], each.get("description", ""), each.get("parameters"), timeout=timeout)
        for each in functions
    ]


@attrs.define(eq=False)
class ToolCalls:
    """The calls that agents make: a task for each, until it is answered, or the agent waits for it no longer."""

    toolkits: Mapping[str, AnyToolkit]
    """By agent id."""
    answer: Callable[[str, ClientEvent], Awaitable[None]]
    """Gives an agent the result."""
    _calls: dict[tuple[str, str], asyncio.Task[None]] = attrs.field(
        init=False, factory=dict[tuple[str, str], asyncio.Task[None]]
    )

    def saw(self, event: ServerEvent) -> None:
        """Something that an agent said: a call, or that one is over."""
        match event:
            case AgentResponseToolUseDone(tool_use=use, agent_id=agent_id) if agent_id in self.toolkits:
                call = self._call(agent_id, use)
                self._calls[agent_id, use.id] = asyncio.get_running_loop().create_task(call)
            case AgentResponseToolResult(tool_result=result, agent_id=agent_id):
                task = self._calls.pop((agent_id, result.id), None)
                if task is not None:
                    task.cancel()
            case _:
                pass

    async def end(self) -> None:
        """Cancel all, and wait until they have ended."""
        calls = [*self._calls.values()]
        self._calls.clear()
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)

    async def _call(self, agent_id: str, use: ToolUse) -> None:
        output = await _outcome(self.toolkits[agent_id], use)
        if self._calls.pop((agent_id, use.id), None) is None:
            return  # cancelled, or timed out; and the function has taken no notice
        result = {"type": "client_tool_result", "session_id": "", "id": use.id, "name": use.name, "output": output}
        try:
            answer = decode_client(msgspec.json.encode(result).decode())
        except Exception as error:
            log.exception("the tool %s gave no content blocks", use.name)
            result["output"] = f"Error: the result of {use.name} cannot be sent: {error}"
            answer = decode_client(msgspec.json.encode(result).decode())
        await self.answer(agent_id, answer)


async def _outcome(toolkit: AnyToolkit, use: ToolUse) -> list[Any]:
    """The blocks of a call's last response. What it raises is told to the model."""
    if not use.input and use.raw_input.strip() not in ("", "{}"):
        return [TextBlock(type="text", text=f"Error: the arguments of {use.name} are no JSON object: send one.")]
    block = ToolUseBlock(type="tool_use", id=use.id, name=use.name, input=use.input, raw_input=use.raw_input)
    content: list[Any] = []
    try:
        async for response in await toolkit.call_tool_function(block):
            content = cast("list[Any]", response.content)
    except Exception as error:
        log.exception("the tool %s failed", use.name)
        content = [TextBlock(type="text", text=f"Error: {type(error).__name__}: {error}")]
    return content
