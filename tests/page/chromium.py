"""A headless Chromium, driven over the DevTools protocol with the package's own WebSocket transport."""

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from realtime_actors.transports import ConnectionClosed, TrioWebSocketTransport, WebSocket, WebSocketOptions

PATIENCE = 20.0

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)
_KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), " ": (32, " ")}


class PageError(Exception):
    """An expression that was evaluated in a page raised."""


@attrs.define(eq=False)
class Browser:
    """A running Chromium."""

    socket: WebSocket
    _ids: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1))
    _answers: dict[int, trio.MemorySendChannel[dict[str, Any]]] = attrs.field(
        factory=dict[int, trio.MemorySendChannel[dict[str, Any]]]
    )
    _tabs: "dict[str, Tab]" = attrs.field(factory=dict[str, "Tab"])

    async def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        number = next(self._ids)
        send, receive = trio.open_memory_channel[dict[str, Any]](1)
        self._answers[number] = send
        command = {"id": number, "method": method, "params": params}
        await self.socket.send(json.dumps(command if session is None else {**command, "sessionId": session}))
        with trio.fail_after(PATIENCE * 2):
            answer = await receive.receive()
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']}")
        return answer["result"]

    async def open(self, url: str, *, width: int = 1280, height: int = 800, dark: bool = False) -> "Tab":
        """A tab with a page, of a desktop's size unless told otherwise."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab = self._tabs[attached["sessionId"]] = Tab(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            await tab.call(f"{domain}.enable")
        await tab.resize(width, height)
        await tab.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        await tab.call("Page.navigate", url=url)
        await tab.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        return tab

    async def set_permission(self, name: str, setting: str) -> None:
        """Grant or deny (`granted`, `denied`) what a page may ask for."""
        await self.call("Browser.setPermission", permission={"name": name}, setting=setting)

    async def read(self) -> None:
        """Hand answers to who waits for them, until the socket closes."""
        try:
            while True:
                message: dict[str, Any] = json.loads(await self.socket.receive())
                if "id" in message:
                    self._answers.pop(message["id"]).send_nowait(message)
                elif message.get("sessionId") in self._tabs:
                    self._tabs[message["sessionId"]].note(message["method"], message["params"])
        except ConnectionClosed:
            return


@attrs.define(eq=False)
class Tab:
    """A page."""

    browser: Browser
    session: str
    complaints: list[str] = attrs.field(factory=list[str])
    """What went wrong in the page: exceptions, errors in the console, refusals by the content security policy."""

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        return await self.browser.call(method, self.session, **params)

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression; of a promise, what it gives. Raises `PageError`."""
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(f"{expression}: {details.get('exception', {}).get('description', details['text'])}")
        return answer["result"].get("value")

    async def until(self, condition: str, *, within: float = PATIENCE) -> Any:
        """Wait until an expression is true (looked at every 5 ms, in the page); its value.

        What an expression reads of an element that is not there yet is not true yet.
        """
        value = await self.evaluate(
            f"""new Promise((resolve) => {{
              const end = performance.now() + {within * 1000};
              const look = () => {{
                let value = null;
                try {{ value = ({condition}); }} catch (error) {{ if (!(error instanceof TypeError)) throw error; }}
                if (value || performance.now() > end) resolve(value || null); else setTimeout(look, 5);
              }};
              look();
            }})"""
        )
        if value is None:
            seen = await self.evaluate("document.body?.innerText ?? ''")
            raise AssertionError(
                f"never true within {within:g} s: {condition}\nThe page says:\n{seen}\n{self.complaints}"
            )
        return value

    async def click(self, selector: str) -> None:
        """A click of the mouse, as a user does it."""
        box = await self.until(
            f"""(() => {{
              const element = document.querySelector({json.dumps(selector)});
              const box = element?.getBoundingClientRect();
              return box?.width ? {{x: box.x + box.width / 2, y: box.y + box.height / 2}} : null;
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **box)

    async def press(self, key: str, *, modifiers: int = 0) -> None:
        """A key, pressed and released."""
        code, text = _KEYS[key]
        name = "Space" if key == " " else key
        common = {"key": key, "code": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def write(self, text: str) -> None:
        """Text, into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def set_file(self, selector: str, file: Path) -> None:
        """Choose a file in an input."""
        found = await self.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        await self.call("DOM.setFileInputFiles", files=[str(file)], objectId=found["result"]["objectId"])

    async def resize(self, width: int, height: int) -> None:
        """The window's size in CSS pixels; a narrow one is a phone's."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if width < 600 else 1,
            mobile=width < 600,
        )

    async def screenshot(self, file: Path) -> None:
        """The window as PNG."""
        picture = await self.call("Page.captureScreenshot", format="png")
        await trio.Path(file).write_bytes(base64.b64decode(picture["data"]))

    async def close(self) -> None:
        """Close the tab."""
        await self.call("Page.close")

    def note(self, event: str, params: dict[str, Any]) -> None:
        """Keep what went wrong."""
        if event == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([each.get("value", each.get("description")) for each in params["args"]]))


@asynccontextmanager
async def open_chromium(profile: Path, *flags: str) -> AsyncGenerator[Browser]:
    """A new Chromium with an empty profile; it is ended with the block. A missing one is an error, in words."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise FileNotFoundError("these tests drive Chromium: install it (Debian: apt-get install chromium)")
    command = [program, *_FLAGS, f"--user-data-dir={profile}", *flags, "about:blank"]
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            assert process.stderr is not None
            with trio.fail_after(PATIENCE):
                url = await _find_address(process.stderr)
            nursery.start_soon(_drain, process.stderr)
            options = WebSocketOptions(
                max_message_size=64 * 1024 * 1024, max_unread=64 * 1024 * 1024, ping_interval=None
            )
            async with TrioWebSocketTransport().connect(url, options=options) as socket:
                browser = Browser(socket)
                nursery.start_soon(browser.read)
                yield browser
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # it has many processes
            with trio.CancelScope(shield=True):
                await process.wait()
            nursery.cancel_scope.cancel()


def fake_microphone(wav: Path | None = None) -> Sequence[str]:
    """Flags: a microphone and a camera that need no leave; the microphone says a WAV once and is silent then."""
    flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    return flags if wav is None else [*flags, f"--use-file-for-fake-audio-capture={wav}%noloop"]


async def _find_address(stderr: trio.abc.ReceiveStream) -> str:
    said = b""
    async for data in stderr:
        said += data
        for line in said.decode(errors="replace").split("\n")[:-1]:
            if line.startswith("DevTools listening on "):
                return line.split()[-1]
    raise RuntimeError(f"Chromium has ended by itself: {said.decode(errors='replace')[-2000:]}")


async def _drain(stderr: trio.abc.ReceiveStream) -> None:
    try:
        async for _ in stderr:
            pass
    except (trio.ClosedResourceError, trio.BrokenResourceError):
        return
