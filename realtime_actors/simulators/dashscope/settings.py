"""The session's configuration: a model's defaults, and how a `session.update` is checked and merged.

Fields, limits and defaults: DashScope's SDK 2.0.2 and documentation of 2025-11 to 2026-10.
"""

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

__all__ = ["VOICES", "check_modalities", "initial_session", "input_format", "is_first_model", "merge_session"]

VOICES = ("Cherry", "Chelsie", "Ethan", "Katerina", "Ryan", "Serena", "Tina", "longanlingxin")
"""Voices that models are known to have. Any other is accepted, and fails when it is to speak."""

_RATES = (8000, 16000, 24000, 48000)
_LEGACY_FORMATS = ("input_audio_format", "output_audio_format")


def is_first_model(model: str) -> bool:
    """Whether it is one of those before Qwen3.5: without tools, text turns and semantic turn detection."""
    return model.startswith(("qwen-omni-turbo", "qwen3-omni"))


def initial_session(session_id: str, model: str) -> Json:
    """The configuration a new session has, but for what only `session.updated` tells: `_TOLD_LATER`."""
    first = is_first_model(model)
    voice = "Chelsie" if model.startswith("qwen-omni-turbo") else "Cherry" if first else "Tina"
    return {
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "modalities": ["text", "audio"],
        "voice": voice,
        "input_audio_format": "pcm",
        "output_audio_format": "pcm",
        "input_audio_transcription": {"model": _transcription_model(model)},
        "turn_detection": _turn_detection("server_vad"),
        "tools": None if first else [],
        "tool_choice": "auto",
        "temperature": 0.8,
    }


_TOLD_LATER: Json = {
    "top_p": 1.0,
    "top_k": 50,
    "max_tokens": 16384,
    "max_response_output_token": "inf",
    "repetition_penalty": 1.05,
    "presence_penalty": 0.0,
    "seed": -1,
}


def _transcription_model(model: str) -> str:
    return "gummy-realtime-v1" if is_first_model(model) else "qwen3-asr-flash-realtime"


def _turn_detection(kind: str) -> Json:
    return {
        "type": kind,
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 800,
        "create_response": True,
        "interrupt_response": True,
    }


def input_format(settings: Json, side: str = "input") -> Json:
    """The format of a session's audio, in or out, as `{"type": "audio/pcm", "rate": 16000}`."""
    given = settings.get("audio", {}).get(side, {}).get("format", {})
    return {"type": "audio/pcm", "rate": given.get("sample_rate", 16000 if side == "input" else 24000)}


def merge_session(current: Json, update: object, *, voice_locked: bool) -> Json:
    """The configuration after this update; `current` is left as it is. An object in it replaces the one before.

    Raises:
        Rejected: something in the update is not allowed; nothing of it applies then.
    """
    changes = check_object(update, "session")
    check_keys(changes, _CHECKS, "session")
    if "audio" in changes and any(name in changes for name in _LEGACY_FORMATS):
        raise Rejected(
            "invalid_value", "Give the audio formats in 'audio' or in the older fields, not in both.", "session"
        )
    session = {**_TOLD_LATER, **current}
    for key, value in changes.items():
        session[key] = _CHECKS[key](value, f"session.{key}", current)
    if session["tools"] and session.get("enable_search"):
        raise Rejected("invalid_value", "tools and enable_search exclude each other.", "session.tools")
    if voice_locked and session["voice"] != current["voice"]:
        raise Rejected("cannot_update_voice", "Cannot update the voice once audio was generated.", "session.voice")
    return session


def check_modalities(value: object, param: str, _: Json | None = None) -> list[str]:
    modalities = check_list(value, param)
    if modalities == ["text"] or (len(modalities) == 2 and {"text", "audio"} == set(map(str, modalities))):
        return modalities
    raise Rejected(
        "invalid_value",
        f"Invalid modalities: {modalities!r:.60}. Supported combinations are: ['text'] and ['audio', 'text'].",
        param,
    )


def _check_voice(value: object, param: str, current: Json) -> str:
    return current["voice"] if value is None else check_string(value, param)


def _check_text(value: object, param: str, _: Json) -> str:
    return check_string(value, param)


def _check_format(value: object, param: str, _: Json) -> str:
    return check_choice(value, param, ("pcm", "pcm16", "pcm24"))


def _check_audio(value: object, param: str, _: Json) -> Json:
    audio = check_object(value, param)
    check_keys(audio, ("input", "output"), param)
    for name, entry in audio.items():
        path = f"{param}.{name}"
        side = check_object(entry, path)
        check_keys(side, ("format", "voice") if name == "output" else ("format",), path)
        wanted = check_object(side.get("format", {}), f"{path}.format")
        if "type" in wanted and check_choice(wanted["type"], f"{path}.format.type", ("pcm", "wav")) == "wav":
            raise Rejected("invalid_value", "This simulator takes pcm only, not wav.", f"{path}.format.type")
        if wanted.get("sample_rate", 16000) not in _RATES:
            raise Rejected("invalid_value", f"Supported rates are {_RATES}.", f"{path}.format.sample_rate")
    return audio


def _check_transcription(value: object, param: str, current: Json) -> Json | None:
    if value is None:
        return None
    transcription = check_object(value, param)
    check_keys(transcription, ("model", "language", "corpus"), param)
    model = transcription.get("model")
    chosen = _transcription_model(current["model"]) if model is None else check_string(model, f"{param}.model")
    return {**transcription, "model": chosen}


def _check_turn_detection(value: object, param: str, current: Json) -> Json | None:
    if value is None:
        return None
    given = check_object(value, param)
    kinds = ("server_vad",) if is_first_model(current["model"]) else ("server_vad", "semantic_vad")
    detection = _turn_detection(check_choice(require(given, "type", param), f"{param}.type", kinds))
    check_keys(given, (*detection, "idle_timeout_ms"), param)
    for key, entry in given.items():
        path = f"{param}.{key}"
        match key:
            case "threshold":
                detection[key] = check_number(entry, path, -1.0, 1.0)
            case "prefix_padding_ms":
                detection[key] = check_integer(entry, path, 0, 6000)
            case "silence_duration_ms":
                detection[key] = check_integer(entry, path, 200, 6000)
            case "idle_timeout_ms":
                detection[key] = check_integer(entry, path, 5000, 30000)
            case "create_response" | "interrupt_response":
                detection[key] = check_flag(entry, path)
            case _:
                pass
    return detection


def _check_tools(value: object, param: str, current: Json) -> list[Json] | None:
    """The first models take the field, and drop it."""
    tools: list[Json] = []
    for index, entry in enumerate(check_list(value or [], param)):
        path = f"{param}[{index}]"
        tool = check_object(entry, path)
        check_choice(require(tool, "type", path), f"{path}.type", ("function",))
        function = check_object(tool.get("function", tool), f"{path}.function")
        check_string(require(function, "name", f"{path}.function"), f"{path}.function.name")
        check_object(function.get("parameters", {}), f"{path}.function.parameters")
        tools.append(tool)
    return None if is_first_model(current["model"]) else tools


def _check_flag(value: object, param: str, _: Json) -> bool | None:
    return None if value is None else check_flag(value, param)


def _check_object(value: object, param: str, _: Json) -> Json:
    return check_object(value, param)


def _number(low: float, high: float) -> Callable[[object, str, Json], float]:
    return lambda value, param, _: check_number(value, param, low, high)


def _integer(low: int, high: int) -> Callable[[object, str, Json], int]:
    return lambda value, param, _: check_integer(value, param, low, high)


_CHECKS: dict[str, Callable[[object, str, Json], Any]] = {
    "modalities": check_modalities,
    "voice": _check_voice,
    "instructions": _check_text,
    "input_audio_format": _check_format,
    "output_audio_format": _check_format,
    "audio": _check_audio,
    "video": _check_object,
    "input_audio_transcription": _check_transcription,
    "turn_detection": _check_turn_detection,
    "smooth_output": _check_flag,
    "tools": _check_tools,
    "tool_choice": _check_text,
    "enable_search": _check_flag,
    "search_options": _check_object,
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "top_k": _integer(0, 1000),
    "max_tokens": _integer(1, 2**31),
    "repetition_penalty": _number(0, 2),
    "presence_penalty": _number(-2, 2),
    "seed": _integer(-1, 2**31 - 1),
}
"""What may be in a session."""
