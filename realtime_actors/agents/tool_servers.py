"""Tools of servers that speak MCP (https://modelcontextprotocol.io), through its official client library."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Unpack, cast
from urllib.parse import urlsplit

import attrs
import msgspec
import trio

from realtime_actors.events import ToolSpec

from .errors import AgentsError, InvalidTool
from .progress import Progress
from .tools import Tool, ToolOptions, checked_name

if TYPE_CHECKING:
    import mcp

__all__ = ["ToolServerLost", "ToolServerUnavailable", "mcp_tools"]

log = logging.getLogger("realtime_actors.agents")

MOST_TOOLS = 128
"""Tools of one server that are taken: more are more than a model can choose from."""
CLOSE_TIMEOUT = 5.0

Opener = Callable[[], "AbstractAsyncContextManager[mcp.Client]"]

_PROGRESS = "realtime_actors.progress"  # no name of an argument


class ToolServerUnavailable(AgentsError):
    """The tools of an MCP server cannot be had; the message says why, `__cause__` is what the library raised."""


class ToolServerLost(AgentsError):
    """A tool was called whose MCP server has gone. The model is told."""


@asynccontextmanager
async def mcp_tools(
    server: str | Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
    prefix: str = "",
    connect_timeout: float = 30.0,
    **options: Unpack[ToolOptions],
) -> AsyncGenerator[list[Tool]]:
    """The tools of an MCP server, for `RealtimeAgent(tools=…)`, as long as the block lasts.

    `server` is the URL of one that is reached by streamable HTTP (with `headers`, which may hold a token), or the
    command line of one that is started here and spoken to over its pipes: it ends with the block, and has only the
    `environment` that is given here beside the few usual variables. `only` are the names of the tools to take, all
    if not given; each is called `prefix` and its name. `options` hold for all of them. What a tool reports of its
    progress is passed on. A call to a server that has gone is told to the model as an error; nothing else ends by it.

    Needs the extra `mcp`. Raises `ToolServerUnavailable` when the server cannot be started or reached within
    `connect_timeout` seconds, `InvalidTool` for tools that no model takes.
    """
    link = _Link(_shown(server))
    problem: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            opened = await _opener(server, environment, headers)
            with trio.move_on_after(connect_timeout):
                await nursery.start(link.run, opened)
            if link.client is None:
                raise link.unavailable(f"within {connect_timeout:g} s")
            yield [link.tool(each, prefix, options) for each in link.chosen(only)]
        except Exception as error:  # noqa: BLE001 - raised below, outside the nursery, which would wrap it
            problem = error
        finally:
            link.closing.set()
            nursery.cancel_scope.deadline = trio.current_time() + CLOSE_TIMEOUT
    if problem is not None:
        raise problem


@attrs.define(eq=False)
class _Link:
    """A server and the task that has the connection to it, which may end: no call but its own fails by that."""

    name: str
    client: mcp.Client | None = None
    listed: list[mcp.Tool] = attrs.field(factory=list["mcp.Tool"])
    closing: trio.Event = attrs.field(factory=trio.Event)
    failure: Exception | None = None

    async def run(self, opened: Opener, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            async with opened() as client:
                self.listed = await _all_tools(client)
                self.client = client
                task_status.started()
                await self.closing.wait()
        except Exception as error:  # noqa: BLE001 - of a library: whatever it is, the server is not there
            self.failure = error
            if self.client is None:
                task_status.started()
            else:
                log.warning("the connection to the MCP server %s has ended: %s", self.name, _in_words(error))
        finally:
            self.client = None

    def unavailable(self, within: str) -> ToolServerUnavailable:
        why = _in_words(self.failure) if self.failure is not None else f"it did not answer {within}"
        error = ToolServerUnavailable(f"the tools of the MCP server {self.name} are not to be had: {why}")
        error.__cause__ = self.failure
        return error

    def chosen(self, only: Collection[str] | None) -> list[mcp.Tool]:
        if only is None:
            return self.listed
        names = [each.name for each in self.listed]
        missing = ", ".join(sorted(set(only) - set(names)))
        if missing:
            raise InvalidTool(f"the MCP server {self.name} has no {missing}; it has {', '.join(names) or 'no tools'}")
        return [each for each in self.listed if each.name in only]

    def tool(self, listed: mcp.Tool, prefix: str, options: ToolOptions) -> Tool:
        async def call(**arguments: Any) -> str:
            return await self.call(listed.name, arguments, arguments.pop(_PROGRESS, Progress()))

        name = checked_name(prefix + re.sub(r"[^A-Za-z0-9_-]", "_", listed.name))
        spec = ToolSpec(name, listed.description or listed.title or "", dict(listed.input_schema))
        return Tool(spec, call, progress=_PROGRESS, **options)

    async def call(self, name: str, arguments: dict[str, Any], reported: Progress) -> str:
        client = self.client
        if client is None:
            raise ToolServerLost(f"the MCP server {self.name} is not there any more")

        async def report(progress: float, total: float | None, message: str | None) -> None:
            reported(message or "", progress / total if total else None)

        result = await client.call_tool(name, arguments, progress_callback=report)
        text = "\n".join(each.text if each.type == "text" else f"({each.type})" for each in result.content)
        if not result.content and result.structured_content is not None:
            text = msgspec.json.encode(result.structured_content).decode()
        return f"Error: {text}" if result.is_error else text


async def _opener(
    server: str | Sequence[str], environment: Mapping[str, str] | None, headers: Mapping[str, str] | None
) -> Opener:
    try:
        # In a thread, as it takes the better part of a second.
        await trio.to_thread.run_sync(importlib.import_module, "mcp")
    except ImportError as error:
        raise ToolServerUnavailable("tools of MCP servers need an extra: pip install 'realtime_actors[mcp]'") from error
    import httpx2  # noqa: PLC0415 - comes with it
    import mcp  # noqa: PLC0415 - an extra
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    if not isinstance(server, str):
        command, *args = server
        parameters = mcp.StdioServerParameters(command=command, args=args, env=dict(environment or {}))
        return lambda: mcp.Client(parameters)
    if not server.startswith(("http://", "https://")):
        raise ToolServerUnavailable(
            f"{_shown(server)} is no URL of an MCP server: give one with http or https, or a command as a list"
        )

    @asynccontextmanager
    async def over_http(url: str = server) -> AsyncGenerator[mcp.Client]:
        timeout = httpx2.Timeout(30.0, read=300.0)  # s: a stream of answers may be silent for long
        async with (
            httpx2.AsyncClient(headers=dict(headers or {}), timeout=timeout) as http,
            mcp.Client(streamable_http_client(url, http_client=http)) as client,
        ):
            yield client

    return over_http


async def _all_tools(client: mcp.Client) -> list[mcp.Tool]:
    tools: list[mcp.Tool] = []
    cursor: str | None = None
    while len(tools) < MOST_TOOLS:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    if len(tools) > MOST_TOOLS or cursor is not None:
        log.warning("an MCP server has more than %d tools: the first are taken, `only` names others", MOST_TOOLS)
    return tools[:MOST_TOOLS]


def _shown(server: str | Sequence[str]) -> str:
    """The server as messages name it: without what may be secret in a URL, or in a command's arguments."""
    if not isinstance(server, str):
        return server[0]
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _in_words(error: Exception) -> str:
    if isinstance(error, ExceptionGroup):
        return _in_words(cast("ExceptionGroup[Exception]", error).exceptions[0])
    return str(error) or type(error).__name__
