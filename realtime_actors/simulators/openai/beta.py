"""The beta wire of 2024 and 2025, as Azure's preview URLs still speak it, over a session of the GA wire.

Names and fields are those of OpenAI's Python SDK 3.54 (`openai.types.beta.realtime`); the order of events is as in the
GA wire, but for those that only one of the two has.
"""

from collections.abc import Callable, Sequence

from realtime_actors.simulators.openai.checks import Json, Rejected, check_keys, check_list, check_number, check_object
from realtime_actors.simulators.openai.dialect import Dialect
from realtime_actors.simulators.openai.stamp import Stamp

__all__ = ["BetaDialect"]

_KINDS = {
    "conversation.item.added": "conversation.item.created",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
}

_PARTS = {"output_audio": "audio", "output_text": "text"}
_GA_PARTS = {beta: ga for ga, beta in _PARTS.items()}

_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_BETA_FORMATS = {ga: beta for beta, ga in _FORMATS.items()}

# Where the flat fields of a session, and of a response, are in the GA wire.
_SESSION_PLACES = {
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "output_audio_format": ("audio", "output", "format"),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
}
_RESPONSE_PLACES = {
    name: _SESSION_PLACES[name] for name in ("output_audio_format", "voice", "modalities", "max_response_output_tokens")
}
_RESPONSE_FIELDS = ("conversation", "input", "instructions", "metadata", "tools", "tool_choice")
_INPUT_TOKENS = ("text_tokens", "audio_tokens", "cached_tokens")
_AS_THEY_ARE = ("id", "object", "model", "instructions", "tools", "tool_choice", "tracing", "expires_at")


class BetaDialect(Dialect):
    """The beta wire of one connection. `stamp` makes the events that the GA wire does not have."""

    def __init__(self, stamp: Stamp, conversation_id: str) -> None:
        self._stamp = stamp
        self._conversation_id = conversation_id
        self._temperature = 0.8
        self._asked_temperature = 0.8

    # -- what a client says ----------------------------------------------------------------------------------------

    def heard(self, message: Json) -> Json:
        match message.get("type"):
            case "session.update" if isinstance(message.get("session"), dict):
                session = check_object(message["session"], "session")
                check_keys(session, (*_SESSION_PLACES, *_AS_THEY_ARE, "temperature"), "session")
                self._asked_temperature = _check_temperature(session, "session", self._temperature)
                return {**message, "session": {"type": "realtime", **_nested(session, _SESSION_PLACES, "session")}}
            case "response.create" if isinstance(message.get("response"), dict):
                response = check_object(message["response"], "response")
                check_keys(response, (*_RESPONSE_PLACES, *_RESPONSE_FIELDS, "temperature"), "response")
                _check_temperature(response, "response", 0.8)
                nested = _nested(response, _RESPONSE_PLACES, "response")
                if "input" in nested:
                    items = check_list(nested["input"], "response.input")
                    nested["input"] = [_ga_item(item) for item in items]
                return {**message, "response": nested}
            case "conversation.item.create":
                return {**message, "item": _ga_item(message["item"])} if "item" in message else message
            case _:
                return message

    # -- what the server says --------------------------------------------------------------------------------------

    def said(self, event: Json) -> Sequence[Json]:
        kind: str = event["type"]
        if kind in ("conversation.item.done", "rate_limits.updated"):
            return []
        told = {**event, "type": _KINDS.get(kind, kind)}
        more: list[Json] = []
        match kind:
            case "session.created":
                told["session"] = self._session(event["session"])
                conversation = {"id": self._conversation_id, "object": "realtime.conversation"}
                more = [self._stamp.event("conversation.created", conversation=conversation)]
            case "session.updated":
                self._temperature = self._asked_temperature
                told["session"] = self._session(event["session"])
            case "response.created":
                told["response"] = self._response(event["response"])
                more = [self._limits()]
            case "response.done":
                told["response"] = self._response(event["response"])
            case "response.function_call_arguments.done":
                del told["name"]
            case "error":
                told["error"] = {**event["error"], "param": _beta_path(event["error"]["param"])}
            case _ if "item" in event:
                told["item"] = _beta_item(event["item"])
            case _:
                pass
        return [told, *more]

    def _limits(self) -> Json:
        limits = [
            {"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 0.06},
            {"name": "tokens", "limit": 50000, "remaining": 45000, "reset_seconds": 0.6},
        ]
        return self._stamp.event("rate_limits.updated", rate_limits=limits)

    def _session(self, session: Json) -> Json:
        audio_input, output = session["audio"]["input"], session["audio"]["output"]
        detection = audio_input["turn_detection"]
        return {
            **{name: session[name] for name in _AS_THEY_ARE},
            "modalities": _modalities(session["output_modalities"]),
            "voice": output["voice"],
            "speed": output["speed"],
            "input_audio_format": _BETA_FORMATS[audio_input["format"]["type"]],
            "output_audio_format": _BETA_FORMATS[output["format"]["type"]],
            "input_audio_transcription": audio_input["transcription"],
            "input_audio_noise_reduction": audio_input["noise_reduction"],
            "turn_detection": detection and {k: v for k, v in detection.items() if k != "idle_timeout_ms"},
            "temperature": self._temperature,
            "max_response_output_tokens": session["max_output_tokens"],
        }

    def _response(self, response: Json) -> Json:
        flat = {name: value for name, value in response.items() if name not in ("audio", "output_modalities")}
        flat["output"] = [_beta_item(item) for item in response["output"]]
        flat["modalities"] = _modalities(response["output_modalities"])
        flat["temperature"] = self._temperature
        if response["usage"] is not None:
            details = {name: response["usage"]["input_token_details"][name] for name in _INPUT_TOKENS}
            flat["usage"] = {**response["usage"], "input_token_details": details}
        if "audio" in response:
            output = response["audio"]["output"]
            flat |= {"voice": output["voice"], "output_audio_format": _BETA_FORMATS[output["format"]["type"]]}
        return flat


def _check_temperature(fields: Json, param: str, default: float) -> float:
    if "temperature" not in fields:
        return default
    return check_number(fields["temperature"], f"{param}.temperature", 0.6, 1.2)


def _nested(flat: Json, places: dict[str, tuple[str, ...]], param: str) -> Json:
    """The flat fields at their places in the GA wire; a temperature has none."""
    nested: Json = {}
    for name, value in flat.items():
        if name == "temperature":
            continue
        target = nested
        *path, last = places.get(name, (name,))
        for key in path:
            target = target.setdefault(key, {})
        target[last] = _VALUES[last](value, f"{param}.{name}") if last in _VALUES else value
    return nested


def _ga_format(value: object, param: str) -> Json:
    if value not in _FORMATS:
        supported = ", ".join(f"'{name}'" for name in _FORMATS)
        raise Rejected("invalid_value", f"Invalid value: {value!r:.60}. Supported values are: {supported}.", param)
    return {"type": _FORMATS[str(value)]}


def _ga_modalities(value: object, param: str) -> list[str]:
    modalities = check_list(value, param)
    if modalities == ["text"]:
        return ["text"]
    if sorted(map(str, modalities)) == ["audio", "text"]:
        return ["audio"]
    raise Rejected(
        "invalid_value",
        f"Invalid modalities: {modalities!r:.60}. Supported combinations are: ['text'] and ['audio', 'text'].",
        param,
    )


_VALUES: dict[str, Callable[[object, str], object]] = {"format": _ga_format, "output_modalities": _ga_modalities}


def _modalities(ga: list[str]) -> list[str]:
    return ["text"] if ga == ["text"] else ["audio", "text"]


def _renamed(item: Json, names: dict[str, str]) -> Json:
    if not isinstance(item.get("content"), list):
        return item
    parts = [_renamed_part(part, names) for part in check_list(item["content"], "content")]
    return {**item, "content": parts}


def _renamed_part(part: object, names: dict[str, str]) -> object:
    if not isinstance(part, dict):
        return part
    known = check_object(part, "part")  # pyright: ignore[reportUnknownArgumentType] - any dict
    kind = known.get("type")
    return {**known, "type": names[kind]} if isinstance(kind, str) and kind in names else known


def _ga_item(item: object) -> object:
    """A client's item; only an assistant's parts have other names."""
    if not isinstance(item, dict):
        return item
    return _renamed(check_object(item, "item"), _GA_PARTS)  # pyright: ignore[reportUnknownArgumentType] - any dict


def _beta_item(item: Json) -> Json:
    return {"object": "realtime.item", **_renamed({k: v for k, v in item.items() if k != "phase"}, _PARTS)}


def _beta_path(param: str | None) -> str | None:
    """The dotted path of a field of a session or response in the flat shape."""
    for name, place in _SESSION_PLACES.items() if param else ():
        for root in ("session", "response"):
            nested = ".".join((root, *place))
            if param and (param == nested or param.startswith(f"{nested}.")):
                return f"{root}.{name}{param[len(nested) :]}"
    return param
