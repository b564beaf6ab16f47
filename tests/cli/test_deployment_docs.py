"""What docs/deployment.md shows works."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import trio

import realtime_actors
from realtime_actors.actors import Actor
from realtime_actors.cli.commands import commands
from realtime_actors.gateway import AgentRequest, GatewaySettings
from realtime_actors.transports import ConnectFailed, DirectTransport

TEXT = (Path(realtime_actors.__file__).parent.parent / "docs" / "deployment.md").read_text()


@attrs.define(eq=False)
class Nobody(Actor):
    """No agent is asked for."""


def nobody(_: AgentRequest) -> Actor:
    return Nobody()


async def test_a_service_of_ones_own_drains() -> None:
    snippet = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(snippet[0], "deployment.md", "exec"), namespace)  # noqa: S102 - it is our own
    serve: Callable[..., Any] = namespace["serve"]
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, nobody, GatewaySettings(port=port), stop)
        with trio.fail_after(10):
            while True:
                try:
                    async with DirectTransport().connect(f"ws://127.0.0.1:{port}/ws/a/b"):
                        break
                except ConnectFailed:
                    await trio.sleep(0.02)
        stop.set()


def test_its_commands_are_there() -> None:
    serve = commands.commands["serve"]
    options = {option for parameter in serve.params for option in parameter.opts}
    for command in re.findall(r"realtime-actors serve (.*)", TEXT):
        assert {word for word in command.split() if word.startswith("--")} <= options
