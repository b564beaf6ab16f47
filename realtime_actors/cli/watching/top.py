"""Watching a gateway's actors."""

import sys
import time
from itertools import count

import attrs
import click
import trio

from realtime_actors.cli.errors import CommandFailed
from realtime_actors.cli.watching.gateway import GatewayActors
from realtime_actors.cli.watching.terminal import Terminal
from realtime_actors.cli.watching.view import ORDERS, Sample, render

__all__ = ["watch"]

_HELP = "q ends, s sorts"


async def watch(*, url: str, token: str | None, interval: float, order: str, is_once: bool) -> None:
    """Show the actors every `interval` s: live in a terminal, else one snapshot after the other.

    Raises `CommandFailed`; a live one has only its first question answered so, and then goes on asking.
    """
    gateway = GatewayActors(url, token)
    if is_once or not sys.stdout.isatty():
        await _print(gateway, interval, order, is_once)
        return
    now = await _sample(gateway)
    with Terminal() as terminal:
        await _Live(gateway, interval, order, terminal, now).run()


async def _sample(gateway: GatewayActors) -> Sample:
    tree = await gateway.fetch()
    return Sample(trio.current_time(), tree)


async def _print(gateway: GatewayActors, interval: float, order: str, is_once: bool) -> None:
    before: Sample | None = None
    for number in count():
        now = await _sample(gateway)
        frame = render(now, before, order)
        title = f"{gateway.display}, {time.strftime('%H:%M:%S')}: {frame.summary}"
        click.echo("\n".join([*([""] if number else []), title, frame.heading, *frame.rows]))
        if is_once:
            return
        before = now
        await trio.sleep(interval)


@attrs.define(eq=False)
class _Live:
    gateway: GatewayActors
    interval: float
    order: str
    terminal: Terminal
    now: Sample
    before: Sample | None = None
    problem: str | None = None

    async def run(self) -> None:
        """Until `q`."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.terminal.heed_signals, self._draw)
            nursery.start_soon(self._poll)
            await self._obey_keys()
            nursery.cancel_scope.cancel()

    async def _poll(self) -> None:
        while True:
            self._draw()
            await trio.sleep(self.interval)
            try:
                now = await _sample(self.gateway)
            except CommandFailed as error:  # the server may be on its way up again
                self.problem = f"What is shown is old: {error}"
            else:
                self.before, self.now, self.problem = self.now, now, None

    async def _obey_keys(self) -> None:
        orders = list(ORDERS)
        async for key in self.terminal.keys():
            if key in "qQ":
                return
            if key == "s":
                self.order = orders[(orders.index(self.order) + 1) % len(orders)]
                self._draw()
        await trio.sleep_forever()

    def _draw(self) -> None:
        width, height = self.terminal.size
        frame = render(self.now, self.before, self.order, width=width, height=height - 2)
        title = f"realtime-actors top  {self.gateway.display}  {time.strftime('%H:%M:%S')}"
        title += f"  by {self.order}  ({_HELP})"
        status = self.problem or frame.summary
        lines = [title[:width], status[:width], frame.heading.ljust(width), *frame.rows]
        self.terminal.draw(lines[:height], reverse=2)
