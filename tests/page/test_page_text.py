"""The page without a microphone: text, pictures, keyboard, the panel of events."""

import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from chromium import fake_microphone
from talking import PROBLEM, READY, SPEAKING, talk

from realtime_actors.simulators import Call, Endless, Reply, Say, ScriptedBrain

pytestmark = pytest.mark.page


def hello() -> ScriptedBrain:
    return ScriptedBrain(replies=[Reply([Say("Hello to you.")])])


@pytest.mark.parametrize(
    ("flags", "permission", "words"),
    [
        (["--use-fake-device-for-media-stream"], "denied", "not allowed"),
        ([], "granted", "No microphone was found"),
    ],
)
async def test_text_only(tmp_path: Path, flags: Sequence[str], permission: str, words: str) -> None:
    """Without a microphone one is told why, and types."""
    async with talk(tmp_path, brain=hello(), flags=flags) as talking:
        tab = talking.tab
        await talking.browser.set_permission("microphone", permission)
        await tab.click("#microphone")
        problem = await tab.until(PROBLEM)
        assert words in problem
        assert "You can type instead" in problem
        assert await tab.evaluate("document.querySelector('#microphone').ariaPressed") == "false"
        await talking.type("hello")
        await tab.until(SPEAKING)
        await tab.until("stops.length === 1 && !stops[0].flushed")
        assert await talking.words("user") == ["hello"]
        assert await talking.words("agent") == ["Hello to you."]
        (latency,) = await tab.evaluate("latencies")
        assert latency["after"] == "text"


async def test_sound_that_waits_for_a_click(tmp_path: Path) -> None:
    """Browsers hold sound back until the user does something: the page says so, and nothing is lost."""
    async with talk(tmp_path, brain=hello()) as talking:
        tab = talking.tab
        await tab.evaluate("realtime.client.sendText('hello')")
        await tab.until("realtime.player.isLocked && !document.querySelector('#unlock').hidden")
        assert await tab.evaluate("loudness()") == 0
        await tab.click("#unlock")
        await tab.until(SPEAKING)
        await tab.until("document.querySelector('#unlock').hidden")
        (stop,) = await tab.until("stops.length && stops")
        assert not stop["flushed"]
        assert stop["playedMs"] > 500


async def test_typing_over_a_reply(tmp_path: Path) -> None:
    """It interrupts, as speech does."""
    brain = ScriptedBrain(replies=[Reply([Endless()]), Reply([Say("Two.")])])
    async with talk(tmp_path, brain=brain) as talking:
        await talking.type("one")
        await talking.tab.until(SPEAKING)
        await talking.type("two")
        stops = await talking.tab.until("stops.length === 2 && stops")
        assert [stop["flushed"] for stop in stops] == [True, False]
        assert (await talking.words("agent"))[1] == "Two."


async def test_keyboard(tmp_path: Path) -> None:
    """Everything is reached in order with Tab, has a name, and Escape interrupts."""
    brain = ScriptedBrain(default=[Endless()])
    async with talk(tmp_path, brain=brain) as talking:
        tab = talking.tab
        reached: list[str] = []
        for _ in range(14):
            await tab.press("Tab")
            reached.append(await tab.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert reached[:3] == ["Skip to the text field", "events-toggle", "conversation"]
        assert reached[3] == "What time is it?"
        assert reached[7:13] == ["microphone", "text", "picture", "camera", "send", "interrupt"]
        tree = await tab.call("Accessibility.getFullAXTree")
        names = [
            node["name"]["value"]
            for node in tree["nodes"]
            if node.get("role", {}).get("value") in ("button", "textbox", "combobox", "checkbox", "searchbox", "link")
        ]
        assert len(names) >= 10
        assert all(names)
        await tab.evaluate("document.querySelector('#text').focus()")
        await tab.write("talk")
        await tab.press("Enter")
        await tab.until(SPEAKING)
        await tab.press("Escape")
        await tab.until("!realtime.player.isSpeaking && stops[0].flushed")
        announced = await tab.evaluate("document.querySelector('#announcements').textContent")
        assert "You: talk" in announced


async def test_no_words_become_markup(tmp_path: Path) -> None:
    """What is said, by whom and through which tool ever, is text."""
    nasty = "<img src=x onerror=alert(1)><b>bold</b>"
    arguments = json.dumps({"city": nasty})
    brain = ScriptedBrain(replies=[Reply([Call("get_weather", arguments)], when="weather"), Reply([Say(nasty)])])
    async with talk(tmp_path, brain=brain) as talking:
        await talking.type(f"weather {nasty}")
        await talking.tab.until("stops.length === 1")
        assert await talking.words("user") == [f"weather {nasty}"]
        assert await talking.words("agent") == [nasty]
        assert nasty in await talking.tab.evaluate("document.querySelector('.tool .result').textContent")
        assert await talking.tab.evaluate("document.querySelectorAll('#log img, #log b').length") == 0


async def test_the_events(tmp_path: Path) -> None:
    """Shown when unfolded, filtered, exported as JSON lines without the bytes of audio."""
    async with talk(tmp_path, brain=hello()) as talking:
        tab = talking.tab
        await talking.type("hello")
        await tab.until("stops.length === 1")
        assert await tab.evaluate("document.querySelector('#events').hidden")
        await tab.click("#events-toggle")
        await tab.until("document.querySelectorAll('#events-list li').length > 5")
        shown = await tab.evaluate("document.querySelector('#events-list').textContent")
        assert "agent_response_done" in shown
        assert "audio_delta" not in shown
        await tab.click("#events-audio")
        await tab.until("document.querySelector('#events-list').textContent.includes('audio_delta')")
        await tab.click("#events-filter")
        await tab.write("text_append sent")
        await tab.until("document.querySelectorAll('#events-list li').length === 1")
        await tab.click("#events-list summary")
        await tab.until("JSON.parse(document.querySelector('#events-list pre').textContent).text === 'hello'")
        await tab.evaluate(
            """(() => {
              const create = URL.createObjectURL;
              URL.createObjectURL = (blob) => { globalThis.exported = blob.text(); return create(blob); };
            })()"""
        )
        await tab.evaluate("document.querySelector('#events-filter').value = ''; null")
        await tab.click("#events-export")
        lines = (await tab.evaluate("exported")).splitlines()
        events = [json.loads(line) for line in lines]
        assert {"time", "direction", "event"} == set(events[0])
        (delta, *_) = [each["event"] for each in events if each["event"]["type"] == "agent_response_audio_delta"]
        assert delta["delta"].endswith("bytes)")
        await tab.press("Escape")
        await tab.until("document.querySelector('#events').hidden")
        assert await tab.evaluate("document.activeElement.id") == "events-toggle"


async def test_the_other_wire(tmp_path: Path) -> None:
    """Chosen in the panel, it connects again, and the session id stays."""
    async with talk(tmp_path, brain=hello()) as talking:
        tab = talking.tab
        session = await tab.evaluate("realtime.client.sessionId")
        await tab.click("#events-toggle")
        await tab.evaluate(
            """(() => {
              const wire = document.querySelector('#wire');
              wire.value = 'msgpack';
              wire.dispatchEvent(new Event('change'));
            })()"""
        )
        await tab.until(f"document.querySelector('.note') && {READY}")
        await talking.type("hello")
        await tab.until(SPEAKING)
        await tab.until("stops.length === 1 && !stops[0].flushed")
        assert await talking.words("agent") == ["Hello to you."]
        assert await tab.evaluate("realtime.client.sessionId") == session


def write_png(file: Path, width: int, height: int) -> Path:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([row % 256, 80, 160] * width) for row in range(height))
    image = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + image)
    return file


@pytest.mark.parametrize("source", ["file", "camera"])
async def test_a_picture(tmp_path: Path, source: str) -> None:
    """Scaled, as JPEG, shown, and taken by the model without a word of complaint."""
    async with talk(tmp_path, brain=hello(), flags=fake_microphone()) as talking:
        tab = talking.tab
        await tab.evaluate("globalThis.sent = []; realtime.client.on('sent', (event) => sent.push(event)); null")
        if source == "file":
            await tab.set_file("#picture-file", write_png(tmp_path / "picture.png", 2400, 1200))
        else:
            await tab.click("#camera")
            await tab.until("document.querySelector('#viewfinder').videoWidth")
            await tab.click("#camera-dialog .primary")
            await tab.until("!document.querySelector('#camera-dialog').open")
            assert await tab.evaluate("document.querySelector('#viewfinder').srcObject") is None
        image = await tab.until(
            """(() => {
              const image = document.querySelector('.turn.user img');
              return image.complete && {width: image.naturalWidth, height: image.naturalHeight};
            })()"""
        )
        if source == "file":
            assert image == {"width": 1024, "height": 512}
        (event,) = await tab.evaluate("sent.map(({type, format, image}) => [type, format.type, image[0], image[1]])")
        assert event == ["client_image_append", "image/jpeg", 0xFF, 0xD8]
        await talking.type("what is it?")
        await tab.until("stops.length === 1")
        assert await talking.words("agent") == ["Hello to you."]
        assert await tab.evaluate("document.querySelectorAll('.note.error').length") == 0


async def test_a_file_that_is_no_picture(tmp_path: Path) -> None:
    file = tmp_path / "notes.png"
    file.write_text("no picture")
    async with talk(tmp_path, brain=hello()) as talking:
        await talking.tab.set_file("#picture-file", file)
        assert "notes.png is not a picture" in await talking.tab.until(PROBLEM)


@pytest.mark.parametrize("size", [(390, 844), (320, 568), (1280, 800)])
async def test_nothing_is_cut_off(tmp_path: Path, size: Sequence[int]) -> None:
    """At no width does the page scroll sideways, and all controls are in sight."""
    async with talk(tmp_path, brain=hello()) as talking:
        tab = talking.tab
        await tab.resize(*size)
        await talking.type(f"hello {'x' * 300}")
        await tab.until("stops.length === 1")
        outside = """[...document.querySelectorAll('header button, #composer button, #text')].filter((each) => {
          const box = each.getBoundingClientRect();
          return box.width && (box.left < 0 || box.right > innerWidth || box.bottom > innerHeight);
        }).map((each) => each.id)"""
        assert await tab.evaluate(outside) == []
        assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await tab.evaluate("document.querySelector('#conversation').scrollWidth <= innerWidth")


async def test_one_of_several_providers_is_chosen(tmp_path: Path) -> None:
    async with talk(tmp_path, brain=hello()) as talking:
        await talking.tab.until("document.querySelector('#provider').options.length === 1")
        assert await talking.tab.evaluate("document.querySelector('#provider').hidden")
    async with talk(tmp_path, brain=hello(), providers=("alpha", "beta")) as talking:
        tab = talking.tab
        await tab.until("!document.querySelector('#provider').hidden")
        await tab.evaluate("globalThis.created = []; realtime.client.on('sent', (event) => created.push(event)); null")
        await tab.evaluate(
            "(() => { const select = document.querySelector('#provider'); select.value = 'beta'; "
            "select.dispatchEvent(new Event('change')); })()"
        )
        await tab.until("created.some((event) => event.type === 'client_session_create')")
        await tab.until(READY)
        assert await tab.evaluate("created[0].config.model_provider") == "beta"
        await talking.type("hello")
        await tab.until("stops.length === 1 && !stops[0].flushed")
        assert await talking.words("agent") == ["Hello to you."]
