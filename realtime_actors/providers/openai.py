"""OpenAI's realtime models on the GA wire: their configuration.

Facts of the wire are from the types of the official SDK (`openai` 3.54.0) and the API reference of 2026,
unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, cast, get_args

import attrs

from realtime_actors.events import Configure, ToolSpec

from .errors import InvalidModel, ProviderRefused, RefusalKind
from .json_wire import as_list
from .model import (
    Capabilities,
    Manual,
    RealtimeModel,
    SemanticVAD,
    ServerVAD,
    TurnDetection,
    check_choice,
    check_count,
    check_name,
    check_number,
    check_secret,
    with_query,
)
from .openai_protocol import OpenAIProtocol

__all__ = ["OpenAIRealtimeModel"]

NoiseReduction = Literal["near_field", "far_field"]
OutputModality = Literal["audio", "text"]
ToolChoice = Literal["auto", "none", "required"]

_ENDPOINT = "wss://api.openai.com/v1/realtime"
_CAPABILITIES = Capabilities(text=True, images=True, tools=True, cancel=True, truncate=True, manual_turns=True)


@attrs.frozen(kw_only=True)
class OpenAIRealtimeModel(RealtimeModel):
    """A realtime model of OpenAI, such as gpt-realtime.

    `voice` is a built-in voice (marin and cedar are recommended) or the id of a custom one, `voice_…`.
    `organization` and `project` say who pays where a key belongs to several. `transcription_model` writes
    down what the user says, in `transcription_language` (ISO 639-1) if that is known. `output_modality` is
    how the model replies; what is "text" comes as transcript events. `max_output_tokens` (1 to 4096) bounds a
    reply. `speed` is that of speech, 0.25 to 1.5. `noise_reduction` suits a near or a far microphone.
    `tool_choice` says whether the model may or must call tools. What is `None` takes OpenAI's default.

    `extra` are fields of the session object, for example
    `{"audio": {"input": {"turn_detection": {"idle_timeout_ms": 8000}}}}`; `tools` in it come after those of
    the agent.
    """

    provider: ClassVar[str] = "OpenAI"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    input_rate: ClassVar[int] = 24000
    output_rate: ClassVar[int] = 24000
    # Seen on real sessions in 2026, but for account_deactivated, billing_hard_limit_reached and
    # invalid_organization, which are of OpenAI's HTTP API.
    fatal_codes: ClassVar[Mapping[str, RefusalKind]] = {
        "account_deactivated": "authentication",
        "beta_api_shape_disabled": "protocol",
        "billing_hard_limit_reached": "quota",
        "insufficient_quota": "quota",
        "invalid_api_key": "authentication",
        "invalid_organization": "authentication",
        "model_not_found": "model",
    }

    model_name: str = "gpt-realtime"
    voice: str | None = "marin"
    organization: str | None = None
    project: str | None = None
    transcription_model: str = "gpt-4o-mini-transcribe"
    transcription_language: str | None = None
    output_modality: OutputModality = "audio"
    max_output_tokens: int | None = None
    speed: float | None = None
    noise_reduction: NoiseReduction | None = None
    tool_choice: ToolChoice | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for field, value in (("organization", self.organization), ("project", self.project)):
            if value is not None:
                check_secret(field, value, f"OPENAI_{field.upper()}")
        check_name("transcription_model", self.transcription_model)
        if self.transcription_language is not None:
            check_name("transcription_language", self.transcription_language)
        if self.output_modality not in get_args(OutputModality):
            raise InvalidModel(f"output_modality must be audio or text, not {self.output_modality!r:.80}")
        check_count("max_output_tokens", self.max_output_tokens, 1, 4096)
        check_number("speed", self.speed, 0.25, 1.5)
        check_choice("noise_reduction", self.noise_reduction, get_args(NoiseReduction))
        check_choice("tool_choice", self.tool_choice, get_args(ToolChoice))

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def endpoint(self) -> str:
        return with_query(self.url or _ENDPOINT, {"model": self.model_name})

    def headers(self) -> Sequence[tuple[str, str]]:
        headers = [("Authorization", f"Bearer {self.api_key}")]
        if self.organization is not None:
            headers.append(("OpenAI-Organization", self.organization))
        if self.project is not None:
            headers.append(("OpenAI-Project", self.project))
        return headers

    def protocol(self) -> OpenAIProtocol:
        return OpenAIProtocol(self, self.session)

    def closing(self, code: int | None, reason: str) -> ProviderRefused | None:
        if code == 4000:  # seen on real sessions in 2026: how the removed beta shape is refused
            return self.refused("beta_api_shape_disabled", reason)
        return super().closing(code, reason)

    def session(self, configure: Configure) -> dict[str, Any]:
        """The whole session object that `session.update` sets."""
        session: dict[str, Any] = {
            "type": "realtime",
            "instructions": configure.instructions,
            "output_modalities": [self.output_modality],
            "audio": {"input": self._audio_input(), "output": self._audio_output()},
            "tools": [_tool(tool) for tool in configure.tools],
            **_given(tool_choice=self.tool_choice, max_output_tokens=self.max_output_tokens),
        }
        tools = session["tools"] + as_list(self.extra.get("tools"))
        return {**merged(session, self.extra), "tools": tools}

    def _audio_input(self) -> dict[str, Any]:
        transcription = _given(model=self.transcription_model, language=self.transcription_language)
        audio = {
            "format": {"type": "audio/pcm", "rate": self.input_rate},
            "transcription": transcription if self.enable_input_audio_transcription else None,
            "turn_detection": _turn_detection(self.turn_detection),
        }
        if self.noise_reduction is not None:
            audio["noise_reduction"] = {"type": self.noise_reduction}
        return audio

    def _audio_output(self) -> dict[str, Any]:
        custom = self.voice is not None and self.voice.startswith("voice_")
        voice = {"id": self.voice} if custom else self.voice
        return _given(format={"type": "audio/pcm", "rate": self.output_rate}, voice=voice, speed=self.speed)


def merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the fields of `extra`, which win; objects that both have are merged in turn."""
    result = {**base, **extra}
    for name in base.keys() & extra.keys():
        ours, theirs = base[name], extra[name]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            result[name] = merged(cast(dict[str, Any], ours), cast(dict[str, Any], theirs))
    return result


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that are not `None`: what is left out keeps the provider's default."""
    return {name: value for name, value in fields.items() if value is not None}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }


def _turn_detection(detection: TurnDetection) -> dict[str, Any] | None:
    match detection:
        case Manual():
            return None
        case ServerVAD():
            kind = "server_vad"
        case SemanticVAD():
            kind = "semantic_vad"
    return _given(type=kind, **attrs.asdict(detection))
