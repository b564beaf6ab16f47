"""The session's configuration: its defaults, how a `session.update` is checked and merged, and how it is told.

Fields, limits and defaults: xAI's documentation and recordings of 2026.
"""

import copy
from collections.abc import Callable
from typing import Any

from realtime_actors.simulators.openai.checks import (
    Json,
    Rejected,
    check_choice,
    check_flag,
    check_integer,
    check_keys,
    check_list,
    check_number,
    check_object,
    check_string,
    require,
)

__all__ = ["detection_of", "greeting", "initial_session", "merge_session", "told"]

_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
_SERVER_TOOLS = ("web_search", "x_search", "file_search", "mcp")
_DETECTION: Json = {"type": "server_vad", "threshold": 0.85, "silence_duration_ms": 500, "prefix_padding_ms": 333}
_PCM: Json = {"type": "audio/pcm", "rate": 24000}


def initial_session(model: str) -> Json:
    """The configuration a new session has. Turn detection is off."""
    return {
        "instructions": "",
        "voice": "ara",
        "turn_detection": None,
        "model": model,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "resumption": {"enabled": False},
        "audio": {
            "input": {"format": dict(_PCM), "transport": "json", "transcription": None},
            "output": {"format": dict(_PCM), "transport": "json", "speed": 1.0},
        },
    }


def greeting(session: Json, session_id: str) -> Json:
    """What `session.created` says of it."""
    return {
        "id": session_id,
        "object": "realtime.session",
        "instructions": session["instructions"],
        "voice": session["voice"],
        "modalities": ["audio"],
        "turn_detection": {"type": None},
        "tools": [],
        "model": session["model"],
    }


def told(session: Json) -> Json:
    """What `session.updated` says of it: tools as in chat completions, and no turn detection when it is off."""
    audio = copy.deepcopy(session["audio"])
    transcription = audio["input"]["transcription"]
    if transcription is None:
        del audio["input"]["transcription"]
    detection = session["turn_detection"]
    return {
        "instructions": session["instructions"],
        "enable_noise_suppression": True,
        **({} if detection is None else {"turn_detection": detection}),
        "model": session["model"],
        "voice": session["voice"],
        "tools": [_chat_tool(tool) for tool in session["tools"]],
        "keep_context": False,
        "enable_phonetic_spelling": False,
        "input_audio_transcription": transcription,
        "modalities": ["audio"],
        "input_audio_format": "not specified",
        "output_audio_format": "not specified",
        "tool_choice": session["tool_choice"],
        "temperature": -1.0,
        "max_response_output_tokens": session["max_output_tokens"],
        "audio": audio,
    }


def _chat_tool(tool: Json) -> Json:
    if tool["type"] != "function":
        return tool
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def detection_of(session: Json) -> Json:
    """What decides who speaks. Speech is heard with turn detection off as well, but ends no turn."""
    return session["turn_detection"] or _DETECTION


def merge_session(current: Json, update: object) -> Json:
    """The configuration after this update; `current` is left as it is. Keys that are absent keep their value.

    Raises:
        Rejected: something in the update is not allowed; nothing of it applies then.
    """
    changes = check_object(update, "session")
    check_keys(changes, ("audio", *_CHECKS), "session")
    session = copy.deepcopy(current)
    for key, value in changes.items():
        param = f"session.{key}"
        if key == "audio":
            audio = check_object(value, param)
            check_keys(audio, ("input", "output"), param)
            for side, check in (("input", _merge_input), ("output", _merge_output)):
                if side in audio:
                    check(session["audio"][side], check_object(audio[side], f"{param}.{side}"), f"{param}.{side}")
        elif key in session:
            session[key] = _CHECKS[key](value, param)
        else:
            _CHECKS[key](value, param)
    return session


def _merge_input(target: Json, changes: Json, param: str) -> None:
    check_keys(changes, ("format", "transport", "transcription"), param)
    for key, value in changes.items():
        path = f"{param}.{key}"
        match key:
            case "format":
                target[key] = _check_format(value, path)
            case "transport":
                target[key] = _check_transport(value, path)
            case _:
                target[key] = None if value is None else _check_transcription(check_object(value, path), path)


def _merge_output(target: Json, changes: Json, param: str) -> None:
    check_keys(changes, ("format", "transport", "speed"), param)
    for key, value in changes.items():
        path = f"{param}.{key}"
        match key:
            case "format":
                target[key] = _check_format(value, path)
            case "transport":
                target[key] = _check_transport(value, path)
            case _:
                target[key] = check_number(value, path, 0.7, 1.5)


def _check_format(value: object, param: str) -> Json:
    audio_format = check_object(value, param)
    check_keys(audio_format, ("type", "rate"), param)
    # Opus is documented too; this simulator does not have it.
    kind = check_choice(
        require(audio_format, "type", param), f"{param}.type", ("audio/pcm", "audio/pcmu", "audio/pcma")
    )
    if kind != "audio/pcm":
        return {"type": kind}
    rate = audio_format.get("rate", 24000)
    if rate not in _RATES:
        supported = ", ".join(map(str, _RATES))
        raise Rejected("invalid_value", f"Invalid rate: {rate!r:.40}. Supported: {supported}.", f"{param}.rate")
    return {"type": kind, "rate": rate}


def _check_transport(value: object, param: str) -> str:
    return check_choice(value, param, ("json",))  # "binary" is documented too; this simulator does not have it


def _check_transcription(value: Json, param: str) -> Json:
    check_keys(value, ("model", "language_hint", "keyterms"), param)
    check_choice(require(value, "model", param), f"{param}.model", ("grok-transcribe",))
    if value.get("language_hint") is not None:
        check_string(value["language_hint"], f"{param}.language_hint")
    terms = [check_string(term, f"{param}.keyterms") for term in check_list(value.get("keyterms", []), param)]
    if len(terms) > 100 or any(len(term) > 50 for term in terms):
        raise Rejected("invalid_value", "At most 100 keyterms of at most 50 characters.", f"{param}.keyterms")
    return value


def _check_turn_detection(value: object, param: str) -> Json | None:
    if value is None:
        return None
    changes = check_object(value, param)
    if changes.get("type") is None:
        return None
    check_choice(changes["type"], f"{param}.type", ("server_vad",))
    flags = ("create_response", "interrupt_response")
    check_keys(changes, ("idle_timeout_ms", *flags, *_DETECTION), param)
    detection = {**_DETECTION, **changes}
    check_number(detection["threshold"], f"{param}.threshold", 0.1, 0.9)
    for key in ("silence_duration_ms", "prefix_padding_ms"):
        check_integer(detection[key], f"{param}.{key}", 0, 10000)
    if detection.get("idle_timeout_ms") is not None:
        check_integer(detection["idle_timeout_ms"], f"{param}.idle_timeout_ms", 0, 2**31)
    for key in flags:
        check_flag(detection.get(key, True), f"{param}.{key}")
    return detection


def _check_tools(value: object, param: str) -> list[Json]:
    tools: list[Json] = []
    for index, entry in enumerate(check_list(value, param)):
        path = f"{param}[{index}]"
        tool = check_object(entry, path)
        kind = check_choice(require(tool, "type", path), f"{path}.type", ("function", *_SERVER_TOOLS))
        if kind == "function":
            check_keys(tool, ("type", "name", "description", "parameters"), path)
            check_string(require(tool, "name", path), f"{path}.name")
            if tool.get("parameters") is not None:
                check_object(tool["parameters"], f"{path}.parameters")
        tools.append(tool)
    return tools


def _check_tool_choice(value: object, param: str) -> str | Json:
    if isinstance(value, str):
        return check_choice(value, param, ("auto", "none", "required"))
    return check_object(value, param)


def _check_tokens(value: object, param: str) -> int | str:
    return "inf" if value == "inf" else check_integer(value, param, 1, 2**31)


def _check_reasoning(value: object, param: str) -> Json:
    reasoning = check_object(value, param)
    check_keys(reasoning, ("effort",), param)
    check_choice(reasoning.get("effort", "high"), f"{param}.effort", ("high", "none"))
    return reasoning


def _check_resumption(value: object, param: str) -> Json:
    resumption = check_object(value, param)
    check_keys(resumption, ("enabled",), param)
    return {"enabled": check_flag(require(resumption, "enabled", param), f"{param}.enabled")}


_CHECKS: dict[str, Callable[[object, str], Any]] = {
    "type": check_string,  # OpenAI's SDK sends one; it says nothing here
    "instructions": check_string,
    "voice": check_string,
    "turn_detection": _check_turn_detection,
    "tools": _check_tools,
    "tool_choice": _check_tool_choice,
    "parallel_tool_calls": check_flag,
    "max_output_tokens": _check_tokens,
    "output_modalities": check_list,  # without effect: it always speaks
    "reasoning": _check_reasoning,
    "resumption": _check_resumption,
    "replace": check_object,
}
"""What may be in a session beside `audio`."""
