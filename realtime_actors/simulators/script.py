"""Scripts for the scripted brain, from a TOML or JSON file.

For example::

    transcripts = ["hello there"]           # what the user says, in order; then ""
    ms_per_character = 60

    [[replies]]
    when = "weather"                        # a regular expression, searched in the user's last turn
    parts = [{ call = "get_weather", arguments = { city = "Paris" } }]

    [[replies]]
    when = "what is my name"
    knows = "my name is ann"                # and only if that was said before, or stands in the instructions
    parts = [{ say = "Ann." }]

    [[replies]]
    after = "get_weather"                   # when the last turn is the result of this tool
    parts = [{ say = "It rains." }]

    [[replies]]                             # without `when`, `after` and `knows`: used once, in order
    parts = [{ say = "Hello." }, { stall = 2.0 }, { drop = 1011 }]

    [[default]]                             # when nothing else is left
    say = "I have nothing more to say."

A part is a table with one of these keys, and for some of them further ones:

- `say` (text); with `at_ms` and `then` (a part), that is done in the middle of it
- `call` or `bare_call` (name), `arguments` (a table, or JSON as text, which may be broken)
- `endless` (text), `overlap` (text), `raw` (a frame's text), `twice` (a part), `no_usage = true`
- `stall` (seconds, or true: for ever); `drop` (a close code, or true: breaks the connection), `reason`
- `error` or `fail` (message), `code`, `type`; `incomplete` (`max_output_tokens` or `content_filter`)
"""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from realtime_actors.simulators import brain
from realtime_actors.simulators.brain import Part
from realtime_actors.simulators.errors import ScriptError
from realtime_actors.simulators.scripted import Reply, ScriptedBrain

__all__ = ["load_script", "read_script"]


def load_script(path: str | Path) -> ScriptedBrain:
    """A brain that follows the script in this file; a name that ends in `.json` is JSON, any other TOML.

    Raises:
        ScriptError: the file cannot be read, or is no script.
    """
    path = Path(path)
    kind, decode = ("JSON", json.loads) if path.suffix.lower() == ".json" else ("TOML", tomllib.loads)
    try:
        script = decode(path.read_text(encoding="utf-8"))
        return read_script(script)
    except OSError as error:
        raise ScriptError(f"The script {path} cannot be read: {error.strerror}.") from error
    except ScriptError as error:
        raise ScriptError(f"The script {path} cannot be used: {error}") from error
    except (ValueError, RecursionError) as error:  # of both formats, and of UTF-8
        raise ScriptError(
            f"The script {path} is not valid {kind}: {error}. A script is a TOML file, or a JSON file whose name ends "
            "in .json."
        ) from error


def read_script(script: Mapping[str, object]) -> ScriptedBrain:
    """A brain that follows this script, which is as a file has it, decoded.

    Raises:
        ScriptError: it is no script; the message says where.
    """
    table = _table(script, "The script", ("replies", "default", "transcripts", "ms_per_character"))
    options: dict[str, Any] = {}
    if "default" in table:
        options["default"] = _parts(table["default"], "default")
    if "ms_per_character" in table:
        options["ms_per_character"] = _typed(table["ms_per_character"], int, "ms_per_character")
    return ScriptedBrain(
        replies=[
            _reply(entry, f"replies[{index}]")
            for index, entry in enumerate(_typed(table.get("replies", []), list, "replies"))
        ],
        transcripts=[
            _typed(entry, str, f"transcripts[{index}]")
            for index, entry in enumerate(_typed(table.get("transcripts", []), list, "transcripts"))
        ],
        **options,
    )


def _reply(value: object, where: str) -> Reply:
    conditions = ("when", "after", "knows")
    table = _table(value, where, ("parts", *conditions))
    return Reply(_parts(table.get("parts", []), f"{where}.parts"), **_texts(table, where, *conditions))


def _parts(value: object, where: str) -> list[Part]:
    return [_part(entry, f"{where}[{index}]") for index, entry in enumerate(_typed(value, list, where))]


def _part(value: object, where: str) -> Part:
    table = _typed(value, dict, where)
    kinds = [key for key in table if key in _READERS]
    if len(kinds) != 1:
        raise ScriptError(
            f"{where} must have exactly one of the keys {', '.join(_READERS)}; it has {', '.join(table) or 'none'}."
        )
    kind = kinds[0]
    read, further = _READERS[kind]
    return read(_table(table, where, (kind, *further)), kind, where)


def _say(table: dict[str, Any], kind: str, where: str) -> Part:
    text = _typed(table[kind], str, f"{where}.{kind}")
    if "then" not in table and "at_ms" not in table:
        return brain.Say(text)
    for key in ("at_ms", "then"):
        if key not in table:
            raise ScriptError(f"{where} needs {key} as well: `at_ms` and `then` belong together.")
    then = _part(table["then"], f"{where}.then")
    if not isinstance(then, get_args(brain.Midpoint)):
        raise ScriptError(f"{where}.then cannot be done in the middle of a message.")
    return brain.Midway(text, _typed(table["at_ms"], int, f"{where}.at_ms"), cast(brain.Midpoint, then))


def _call(table: dict[str, Any], kind: str, where: str) -> Part:
    name = _typed(table[kind], str, f"{where}.{kind}")
    arguments = table.get("arguments", {})
    if not isinstance(arguments, str):
        arguments = json.dumps(_typed(arguments, dict, f"{where}.arguments"))
    return brain.Call(name, arguments) if kind == "call" else brain.BareCall(name, arguments)


def _text(table: dict[str, Any], kind: str, where: str) -> Part:
    text = _typed(table[kind], str, f"{where}.{kind}")
    match kind:
        case "endless":
            return brain.Endless(text)
        case "overlap":
            return brain.Overlap(text)
        case _:
            return brain.Raw(text)


def _error(table: dict[str, Any], kind: str, where: str) -> Part:
    message = _typed(table[kind], str, f"{where}.{kind}")
    texts = _texts(table, where, "code", "type")
    return brain.ErrorEvent(message, **texts) if kind == "error" else brain.Fail(message, **texts)


def _incomplete(table: dict[str, Any], kind: str, where: str) -> Part:
    reason = table[kind]
    if reason not in ("max_output_tokens", "content_filter"):
        raise ScriptError(f"{where}.incomplete must be max_output_tokens or content_filter, not {reason!r:.60}.")
    return brain.Incomplete(reason)


def _stall(table: dict[str, Any], kind: str, where: str) -> Part:
    if table[kind] is True:
        return brain.Stall(None)
    seconds = float(_typed(table[kind], (int, float), f"{where}.{kind}"))
    if not seconds >= 0:
        raise ScriptError(f"{where}.{kind} must be 0 seconds or more, or true, not {seconds}.")
    return brain.Stall(seconds)


def _drop(table: dict[str, Any], kind: str, where: str) -> Part:
    code = None if table[kind] is True else _typed(table[kind], int, f"{where}.{kind}")
    if code is not None and not 1000 <= code <= 4999:
        raise ScriptError(f"{where}.drop must be a close code from 1000 to 4999, or true, not {code}.")
    return brain.Drop(code, **_texts(table, where, "reason"))


def _no_usage(table: dict[str, Any], kind: str, where: str) -> Part:
    if table[kind] is not True:
        raise ScriptError(f"{where}.no_usage must be true, or absent.")
    return brain.NoUsage()


def _twice(table: dict[str, Any], kind: str, where: str) -> Part:
    part = _part(table[kind], f"{where}.{kind}")
    if not isinstance(part, get_args(brain.Repeatable)):
        raise ScriptError(f"{where}.twice cannot repeat this part.")
    return brain.Twice(cast(brain.Repeatable, part))


_READERS: dict[str, tuple[Callable[[dict[str, Any], str, str], Part], tuple[str, ...]]] = {
    "say": (_say, ("at_ms", "then")),
    "call": (_call, ("arguments",)),
    "bare_call": (_call, ("arguments",)),
    "endless": (_text, ()),
    "overlap": (_text, ()),
    "raw": (_text, ()),
    "stall": (_stall, ()),
    "drop": (_drop, ("reason",)),
    "error": (_error, ("code", "type")),
    "fail": (_error, ("code", "type")),
    "incomplete": (_incomplete, ()),
    "no_usage": (_no_usage, ()),
    "twice": (_twice, ()),
}

_NAMES: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    (int, float): "a number",
    list: "a list",
    dict: "a table",
}


def _typed(value: object, kind: type[Any] | tuple[type[Any], ...], where: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ScriptError(f"{where} must be {_NAMES[kind]}, not {value!r:.60}.")
    return value


def _table(value: object, where: str, keys: Sequence[str]) -> dict[str, Any]:
    table = cast("dict[str, Any]", _typed(value, dict, where))
    for key in table:
        if key not in keys:
            raise ScriptError(f"{where} has an unknown key {key!r}; known are: {', '.join(keys)}.")
    return table


def _texts(table: dict[str, Any], where: str, *keys: str) -> dict[str, Any]:
    """Those of the keys that are there."""
    return {key: _typed(table[key], str, f"{where}.{key}") for key in keys if key in table}
