"""An MCP server made with the official library.

`python mcp_server.py` speaks over its pipes; with a port number (0: any) over HTTP, and prints the port.
"""

from __future__ import annotations

import os
import socket
import sys

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("weather")


@server.tool()
async def get_weather(city: str, days: int = 1) -> str:
    """Weather in a city."""
    if city == "nowhere":
        raise ToolError("there is no such place")
    return f"sunny in {city} for {days} days"


@server.tool()
async def slow(ctx: Context) -> str:
    """Takes its time."""
    for step in range(1, 5):
        await ctx.report_progress(step, 4, f"step {step}")
        await anyio.sleep(0.15)
    return "at last"


@server.tool(name="who.are.you")
def who() -> int:
    """The process."""
    return os.getpid()


@server.tool()
def environment(name: str) -> str:
    """A variable."""
    return os.environ.get(name, "")


@server.tool()
async def hang() -> str:
    """Hangs."""
    await anyio.sleep_forever()
    return ""


@server.tool()
def die() -> str:
    """Ends the process."""
    os._exit(3)


def main() -> None:
    if len(sys.argv) == 1:
        server.run("stdio")
        return
    listening = socket.socket()
    listening.bind(("127.0.0.1", int(sys.argv[1])))
    listening.listen()
    print(listening.getsockname()[1], flush=True)  # noqa: T201 - for the test
    config = uvicorn.Config(server.streamable_http_app(), log_level="warning")
    anyio.run(uvicorn.Server(config).serve, [listening])


if __name__ == "__main__":
    main()
