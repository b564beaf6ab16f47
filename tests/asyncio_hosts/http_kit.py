"""One HTTP request."""

from __future__ import annotations

import h11
import trio


async def get(address: str, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Ask once, and give the status, the headers and the body."""
    host, _, port = address.partition(":")
    connection = h11.Connection(h11.CLIENT)
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        request = h11.Request(method=method, target=path, headers=[("Host", address), ("Connection", "close")])
        await stream.send_all((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
        head, body = None, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
    assert head is not None
    return head.status_code, {name.decode(): value.decode() for name, value in head.headers}, body
