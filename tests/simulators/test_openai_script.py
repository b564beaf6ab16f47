"""The scripted brain, and its scripts from files."""

import contextlib
import json
import re
import textwrap
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.audio import SpeechStarted, SpeechStopped, VoiceActivityDetector
from realtime_actors.simulators import (
    BareCall,
    Call,
    Drop,
    Endless,
    ErrorEvent,
    Fail,
    Incomplete,
    Midway,
    NoUsage,
    Overlap,
    Raw,
    Reply,
    Say,
    ScriptedBrain,
    ScriptError,
    Stall,
    Turn,
    Twice,
    buzz,
    load_script,
    read_script,
)

SCRIPT = r"""
transcripts = ["hello", "bye"]
ms_per_character = 30

[[replies]]
when = "weather"
parts = [{ call = "get_weather", arguments = { city = "Paris" } }, { call = "broken", arguments = "{oops" }]

[[replies]]
after = "get_weather"
parts = [{ say = "It rains." }]

[[replies]]
parts = [
    { say = "Hello", at_ms = 300, then = { drop = true } },
    { say = "Hi", at_ms = 1, then = { drop = 1011, reason = "oops" } },
    { bare_call = "f" },
    { endless = "la " },
    { overlap = "Me too." },
    { raw = "{" },
    { stall = 2 },
    { stall = true },
    { error = "odd" },
    { fail = "no", code = "insufficient_quota", type = "insufficient_quota" },
    { incomplete = "content_filter" },
    { no_usage = true },
    { twice = { say = "Hi" } },
]

[[default]]
say = "What?"
"""


def test_reads_every_part_from_toml(tmp_path: Path) -> None:
    """All that a script can hold, in TOML."""
    path = tmp_path / "script.toml"
    path.write_text(textwrap.dedent(SCRIPT))
    brain = load_script(path)
    assert brain.transcripts == ["hello", "bye"]
    assert brain.default == [Say("What?")]
    assert brain.replies == [
        Reply([Call("get_weather", '{"city": "Paris"}'), Call("broken", "{oops")], when="weather"),
        Reply([Say("It rains.")], after="get_weather"),
        Reply(
            [
                Midway("Hello", 300, Drop()),
                Midway("Hi", 1, Drop(1011, "oops")),
                BareCall("f"),
                Endless("la "),
                Overlap("Me too."),
                Raw("{"),
                Stall(2.0),
                Stall(),
                ErrorEvent("odd"),
                Fail("no", "insufficient_quota", "insufficient_quota"),
                Incomplete("content_filter"),
                NoUsage(),
                Twice(Say("Hi")),
            ]
        ),
    ]


def test_reads_json(tmp_path: Path) -> None:
    """A file whose name ends in .json is read as JSON."""
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"replies": [{"parts": [{"say": "Hi"}]}]}))
    assert load_script(path).replies == [Reply([Say("Hi")])]


def test_the_documentation_s_scripts_are_scripts() -> None:
    """And every key of a part is in it."""
    text = (Path(__file__).parents[2] / "docs" / "simulators.md").read_text()
    toml = [tomllib.loads(block) for block in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    as_json = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    assert len(toml) > 1
    for script in toml:
        assert read_script(script).replies
    assert as_json == toml[:1]
    empty_part: dict[str, object] = {}
    with pytest.raises(ScriptError) as raised:
        read_script({"replies": [{"parts": [empty_part]}]})
    keys = str(raised.value).partition("one of the keys ")[2].partition(";")[0].split(", ")
    assert [key for key in keys if f"\n| `{key}` (" not in text] == []


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ({"reply": []}, "unknown key 'reply'"),
        ({"replies": {}}, "replies must be a list"),
        ({"replies": [{"parts": [{"sya": "Hi"}]}]}, r"replies\[0\]\.parts\[0\] must have exactly one of the keys say,"),
        ({"replies": [{"parts": [{"say": "Hi", "call": "f"}]}]}, "exactly one"),
        ({"replies": [{"parts": [{"say": 3}]}]}, r"replies\[0\]\.parts\[0\]\.say must be a text, not 3"),
        ({"replies": [{"parts": [{"say": "Hi", "code": "x"}]}]}, "unknown key 'code'"),
        ({"replies": [{"parts": [{"say": "Hi", "at_ms": 5}]}]}, "belong together"),
        ({"replies": [{"parts": [{"say": "Hi", "at_ms": 5, "then": {"say": "x"}}]}]}, "in the middle"),
        ({"replies": [{"parts": [{"twice": {"stall": 1}}]}]}, "cannot repeat"),
        ({"replies": [{"parts": [{"drop": 99}]}]}, "close code"),
        ({"replies": [{"parts": [{"stall": "long"}]}]}, "must be a number"),
        ({"replies": [{"parts": [{"stall": -1}]}]}, "0 seconds or more"),
        ({"ms_per_character": -1}, "0 or more"),
        ({"replies": [{"parts": [{"incomplete": "why"}]}]}, "content_filter"),
        ({"replies": [{"parts": [{"no_usage": False}]}]}, "must be true"),
        ({"replies": [{"when": "("}]}, "regular expression"),
        ({"transcripts": [1]}, r"transcripts\[0\] must be a text"),
        ({"ms_per_character": True}, "whole number"),
    ],
)
def test_says_what_is_wrong_with_a_script(script: dict[str, object], says: str) -> None:
    """A script that is none gives one clear sentence with the place."""
    with pytest.raises(ScriptError, match=says):
        read_script(script)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.toml", b"x = ", "not valid TOML"),
        ("a.json", b"{", "not valid JSON"),
        ("a.toml", b"\xff", "not valid TOML"),
        ("a.json", b"[]", "must be a table"),
        ("a.wav", b"RIFF\xff", "A script is a TOML file, or a JSON file whose name ends in .json"),
        ("a.txt", b'{"replies": []}', "A script is a TOML file, or a JSON file whose name ends in .json"),
        ("a.json", b"[" * 100_000, "not valid JSON"),
        ("missing.toml", None, "cannot be read: No such file"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    """A file that cannot be read is named, with the reason."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScriptError, match=says) as caught:
        load_script(path)
    assert name in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["replies", "parts", "say", "call", "arguments", "drop", "twice", "then", "at_ms", "when"]
                ),
                inner,
                max_size=3,
            )
        ),
    )
)
def test_no_script_raises_anything_else(script: object) -> None:
    """Whatever a file holds, it is a script or a ScriptError."""
    with contextlib.suppress(ScriptError):
        read_script(script)  # pyright: ignore[reportArgumentType]  # that is the point


async def test_follows_its_script() -> None:
    """Matching replies first, each time they match; the others once, in order; then the default."""
    brain = ScriptedBrain(
        replies=[
            Reply([Say("first")]),
            Reply([Call("f")], when="weather"),
            Reply([Say("second")]),
            Reply([Say("it rains")], after="f"),
        ],
        default=[Say("default")],
        transcripts=["one"],
    )

    async def ask(*turns: Turn) -> object:
        return (await brain.reply([Turn("system", "weather"), *turns], ["f"]))[0]

    hello = Turn("user", "hello")
    assert await ask(hello) == Say("first")
    assert await ask(Turn("user", "The WEATHER?")) == Call("f")
    assert await ask(Turn("user", "weather"), Turn("tool", "42", "f", "c")) == Say("it rains")
    assert await ask(hello, Turn("assistant", "weather")) == Say("second")
    assert await ask() == Say("default")
    assert await ask(Turn("user", "weather")) == Call("f")
    assert [await brain.transcribe(b"", 24000) for _ in range(2)] == ["one", ""]


async def test_can_be_asked_what_it_knows() -> None:
    brain = ScriptedBrain(
        replies=[Reply([Say("Ann")], when="my name", knows="name is Ann"), Reply([Say("Ah.")], knows="weather")],
        default=[Say("?")],
    )
    asks = Turn("user", "What is my name?")
    assert await brain.reply([asks], []) == [Say("?")]
    assert await brain.reply([Turn("user", "My name is Ann."), Turn("assistant", "Hello."), asks], []) == [Say("Ann")]
    assert await brain.reply([Turn("system", "User: my name is ann"), asks], []) == [Say("Ann")]
    assert await brain.reply([Turn("user", "The name is Ann: what is my name?")], []) == [Say("?")]
    assert await brain.reply([Turn("assistant", "Weather."), Turn("tool", "4", "f")], []) == [Say("Ah.")]


@pytest.mark.parametrize("rate", [8000, 24000])
async def test_speaks_what_a_test_can_check(rate: int) -> None:
    """The audio is the same every time, as long as the text, other for another text, and speech to a detector."""
    brain = ScriptedBrain()
    pieces = [piece async for piece in brain.speak("Hello there, you", rate)]
    audio = b"".join(pieces)
    assert audio == brain.audio("Hello there, you", rate)
    assert len(audio) == 16 * 60 * rate // 1000 * 2
    assert audio != brain.audio("Hello there, yob", rate)
    assert brain.audio("", rate) == b""
    detector = VoiceActivityDetector(rate)
    found = detector.feed(bytes(rate) + audio + bytes(rate * 2))
    assert [type(event) for event in found] == [SpeechStarted, SpeechStopped]
    assert len(buzz(1000, rate)) == rate * 2
