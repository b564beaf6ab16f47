"""The session's configuration: its defaults, and how a `session.update` is checked and merged.

Fields, limits and defaults: OpenAI's Python SDK 3.54 (GA types) and recordings of 2026.
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

__all__ = [
    "DEFAULT_INSTRUCTIONS",
    "check_format",
    "check_max_output_tokens",
    "check_modalities",
    "check_tool_choice",
    "check_tools",
    "check_voice",
    "initial_session",
    "merge_session",
]

DEFAULT_INSTRUCTIONS = "You are a helpful, friendly assistant that talks with its user by voice."

_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
_TRANSCRIPTION_MODELS = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-realtime-whisper",
    "gpt-transcribe",
    "gpt-live-transcribe",
)


def initial_session(session_id: str, model: str, expires_at: int) -> Json:
    """The configuration a new session has; `expires_at` in seconds since the epoch."""
    newer = model.startswith("gpt-realtime-2")
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": DEFAULT_INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": _server_vad(model),
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": "marin" if newer else "alloy",
                "speed": 1.0,
            },
        },
        "include": None,
    }


def _server_vad(model: str) -> Json:
    return {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500 if model.startswith("gpt-realtime-2") else 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }


def merge_session(current: Json, update: object, *, voice_locked: bool) -> Json:
    """The configuration after this update; `current` is left as it is.

    Keys that are absent keep their value, null switches off, a `turn_detection` object replaces the old one.

    Raises:
        Rejected: something in the update is not allowed; nothing of it applies then.
    """
    changes = check_object(update, "session")
    check_choice(require(changes, "type", "session"), "session.type", ("realtime", "transcription"))
    check_keys(changes, ("type", "model", "audio", *_CHECKS), "session")
    session = copy.deepcopy(current)
    for key, value in changes.items():
        param = f"session.{key}"
        if key == "audio":
            _merge_audio(session, check_object(value, param), voice_locked)
        elif key in ("type", "model"):
            if check_string(value, param) != current[key]:
                raise Rejected("invalid_value", f"The {key} of a session cannot be changed.", param)
        else:
            session[key] = _CHECKS[key](value, param)
    return session


def _merge_audio(session: Json, changes: Json, voice_locked: bool) -> None:
    check_keys(changes, ("input", "output"), "session.audio")
    if "input" in changes:
        _merge_input(session, check_object(changes["input"], "session.audio.input"))
    if "output" in changes:
        output = check_object(changes["output"], "session.audio.output")
        _merge_output(session["audio"]["output"], output, voice_locked)


def _merge_input(session: Json, changes: Json) -> None:
    base = "session.audio.input"
    target: Json = session["audio"]["input"]
    check_keys(changes, ("format", "transcription", "noise_reduction", "turn_detection"), base)
    for key, value in changes.items():
        param = f"{base}.{key}"
        if key == "format":
            target[key] = check_format(value, param)
        elif value is None:
            target[key] = None
        elif key == "transcription":
            target[key] = _check_transcription(target[key], check_object(value, param), param)
        elif key == "noise_reduction":
            reduction = check_object(value, param)
            check_keys(reduction, ("type", "strength"), param)
            check_choice(require(reduction, "type", param), f"{param}.type", ("near_field", "far_field"))
            if "strength" in reduction:
                check_number(reduction["strength"], f"{param}.strength", 0.0, 1.0)
            target[key] = reduction
        else:
            target[key] = _check_turn_detection(check_object(value, param), session["model"], param)


def _merge_output(target: Json, changes: Json, voice_locked: bool) -> None:
    base = "session.audio.output"
    check_keys(changes, ("format", "voice", "speed"), base)
    if "format" in changes:
        target["format"] = check_format(changes["format"], f"{base}.format")
    if "speed" in changes:
        target["speed"] = check_number(changes["speed"], f"{base}.speed", 0.25, 1.5)
    if "voice" in changes:
        voice = check_voice(changes["voice"], f"{base}.voice")
        if voice_locked and voice != target["voice"]:
            raise Rejected(
                "cannot_update_voice",
                "Cannot update a conversation's voice if assistant audio is present.",
                f"{base}.voice",
            )
        target["voice"] = voice


def check_modalities(value: object, param: str) -> list[str]:
    modalities = check_list(value, param)
    if modalities not in (["audio"], ["text"]):
        raise Rejected(
            "invalid_value", f"Invalid modalities: {modalities!r:.60}. Supported: ['text'], ['audio'].", param
        )
    return modalities


def check_format(value: object, param: str) -> Json:
    audio_format = check_object(value, param)
    check_keys(audio_format, ("type", "rate"), param)
    kind = check_choice(
        require(audio_format, "type", param), f"{param}.type", ("audio/pcm", "audio/pcmu", "audio/pcma")
    )
    if kind != "audio/pcm":
        return {"type": kind}
    rate = audio_format.get("rate")
    return {"type": kind, "rate": 24000 if rate is None else check_integer(rate, f"{param}.rate", 24000, 24000)}


def check_voice(value: object, param: str) -> str | Json:
    if isinstance(value, str):
        return check_choice(value, param, _VOICES)
    voice = check_object(value, param)
    check_keys(voice, ("id",), param)
    check_string(require(voice, "id", param), f"{param}.id")
    return voice


def check_max_output_tokens(value: object, param: str) -> int | str:
    return "inf" if value == "inf" else check_integer(value, param, 1, 4096)


def check_tools(value: object, param: str) -> list[Json]:
    tools: list[Json] = []
    for index, entry in enumerate(check_list(value, param)):
        path = f"{param}[{index}]"
        tool = check_object(entry, path)
        if check_choice(require(tool, "type", path), f"{path}.type", ("function", "mcp")) == "function":
            check_keys(tool, ("type", "name", "description", "parameters"), path)
            if not check_string(require(tool, "name", path), f"{path}.name"):
                raise Rejected("invalid_value", f"Invalid '{path}.name': empty string.", f"{path}.name")
            if tool.get("description") is not None:
                check_string(tool["description"], f"{path}.description")
            if tool.get("parameters") is not None:
                check_object(tool["parameters"], f"{path}.parameters")
        else:
            check_string(require(tool, "server_label", path), f"{path}.server_label")
        tools.append(tool)
    return tools


def check_tool_choice(value: object, param: str) -> str | Json:
    if isinstance(value, str):
        return check_choice(value, param, ("auto", "none", "required"))
    choice = check_object(value, param)
    if check_choice(require(choice, "type", param), f"{param}.type", ("function", "mcp")) == "function":
        check_string(require(choice, "name", param), f"{param}.name")
    else:
        check_string(require(choice, "server_label", param), f"{param}.server_label")
    return choice


def _check_turn_detection(value: Json, model: str, param: str) -> Json:
    kind = check_choice(require(value, "type", param), f"{param}.type", ("server_vad", "semantic_vad"))
    detection: Json
    if kind == "server_vad":
        detection = _server_vad(model)
    else:
        detection = {"type": kind, "eagerness": "auto", "create_response": True, "interrupt_response": True}
    check_keys(value, tuple(detection), param)
    for key, entry in value.items():
        path = f"{param}.{key}"
        match key:
            case "threshold":
                detection[key] = check_number(entry, path, 0.0, 1.0)
            case "prefix_padding_ms":
                detection[key] = check_integer(entry, path, 0, 5000)
            case "silence_duration_ms":
                detection[key] = check_integer(entry, path, 20, 10000)
            case "idle_timeout_ms":
                detection[key] = None if entry is None else check_integer(entry, path, 5000, 30000)
            case "eagerness":
                detection[key] = check_choice(entry, path, ("low", "medium", "high", "auto"))
            case "create_response" | "interrupt_response":
                detection[key] = check_flag(entry, path)
            case _:
                pass
    return detection


def _check_transcription(current: Json | None, value: Json, param: str) -> Json:
    check_keys(value, ("model", "language", "languages", "keywords", "prompt", "delay"), param)
    transcription: Json = dict(current or {"language": None, "prompt": None})
    for key, entry in value.items():
        path = f"{param}.{key}"
        match key:
            case "model":
                transcription[key] = check_choice(entry, path, _TRANSCRIPTION_MODELS)
            case "delay":
                transcription[key] = check_choice(entry, path, ("minimal", "low", "medium", "high", "xhigh"))
            case "languages" | "keywords":
                transcription[key] = [check_string(word, path) for word in check_list(entry, path)]
            case _:
                transcription[key] = None if entry is None else check_string(entry, path)
    require(transcription, "model", param)
    return transcription


def _check_include(value: object, param: str) -> list[str] | None:
    if value is None:
        return None
    logprobs = "item.input_audio_transcription.logprobs"
    return [check_choice(entry, param, (logprobs,)) for entry in check_list(value, param)]


def _check_reasoning(value: object, param: str) -> Json:
    reasoning = check_object(value, param)
    check_keys(reasoning, ("effort",), param)
    if "effort" in reasoning:
        efforts = ("minimal", "low", "medium", "high", "xhigh")
        check_choice(reasoning["effort"], f"{param}.effort", efforts)
    return reasoning


def _check_truncation(value: object, param: str) -> str | Json:
    if isinstance(value, str):
        return check_choice(value, param, ("auto", "disabled"))
    truncation = check_object(value, param)
    check_keys(truncation, ("type", "retention_ratio", "token_limits"), param)
    check_choice(require(truncation, "type", param), f"{param}.type", ("retention_ratio",))
    ratio = require(truncation, "retention_ratio", param)
    check_number(ratio, f"{param}.retention_ratio", 0.0, 1.0)
    if truncation.get("token_limits") is not None:
        limits = check_object(truncation["token_limits"], f"{param}.token_limits")
        check_keys(limits, ("post_instructions",), f"{param}.token_limits")
        if "post_instructions" in limits:
            path = f"{param}.token_limits.post_instructions"
            check_integer(limits["post_instructions"], path, 0, 2**31)
    return truncation


def _check_tracing(value: object, param: str) -> Any:
    if value is None or value == "auto":
        return value
    tracing = check_object(value, param)
    check_keys(tracing, ("workflow_name", "group_id", "metadata"), param)
    return tracing


def _check_prompt(value: object, param: str) -> Json | None:
    if value is None:
        return None
    prompt = check_object(value, param)
    check_keys(prompt, ("id", "version", "variables"), param)
    check_string(require(prompt, "id", param), f"{param}.id")
    return prompt


def _check_instructions(value: object, param: str) -> str:
    return check_string(value, param) or DEFAULT_INSTRUCTIONS


_CHECKS: dict[str, Callable[[object, str], Any]] = {
    "output_modalities": check_modalities,
    "instructions": _check_instructions,
    "tools": check_tools,
    "tool_choice": check_tool_choice,
    "parallel_tool_calls": check_flag,
    "reasoning": _check_reasoning,
    "max_output_tokens": check_max_output_tokens,
    "truncation": _check_truncation,
    "tracing": _check_tracing,
    "prompt": _check_prompt,
    "include": _check_include,
}
"""What may be in a session beside `type`, `model` and `audio`."""
