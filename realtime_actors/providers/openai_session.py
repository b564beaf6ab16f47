"""What the realtime models of OpenAI's family share: their settings, and the session objects made of them.

Facts of the wire are from the types of the official SDK (`openai` 3.54.0) and the API reference of 2026,
unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast, get_args

import attrs

from realtime_actors.events import Configure, ToolSpec

from .errors import InvalidModel
from .json_wire import as_list
from .model import (
    Capabilities,
    Manual,
    RealtimeModel,
    ServerVAD,
    TurnDetection,
    check_choice,
    check_count,
    check_name,
    check_number,
)

__all__ = [
    "NoiseReduction",
    "OpenAISession",
    "OutputModality",
    "ToolChoice",
    "function_tool",
    "given",
    "merged",
    "turn_detection",
]

NoiseReduction = Literal["near_field", "far_field"]
OutputModality = Literal["audio", "text"]
ToolChoice = Literal["auto", "none", "required"]

_CAPABILITIES = Capabilities(
    text=True,
    images=True,
    tools=True,
    cancel=True,
    truncate=True,
    delete=True,
    manual_turns=True,
    history="items",
)


@attrs.frozen(kw_only=True)
class OpenAISession(RealtimeModel):
    """The settings that OpenAI's own service and Azure's have in common; the models say what they mean."""

    input_rate: ClassVar[int] = 24000
    output_rate: ClassVar[int] = 24000

    model_name: str = "gpt-realtime"
    transcription_model: str = "gpt-4o-mini-transcribe"
    transcription_language: str | None = None
    output_modality: OutputModality = "audio"
    max_output_tokens: int | None = None
    speed: float | None = None
    noise_reduction: NoiseReduction | None = None
    tool_choice: ToolChoice | None = None
    session_limit: float | None = 3600.0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
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
    def speaks(self) -> bool:
        return self.output_modality == "audio"

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def session(self, configure: Configure) -> dict[str, Any]:
        """The whole session object that `session.update` sets, in the shape of the GA wire."""
        session: dict[str, Any] = {
            "type": "realtime",
            "instructions": configure.instructions,
            "output_modalities": [self.output_modality],
            "audio": {"input": self._audio_input(), "output": self._audio_output()},
            **given(tool_choice=self.tool_choice, max_output_tokens=self.max_output_tokens),
        }
        return self._with_tools(session, configure)

    def beta_session(self, configure: Configure) -> dict[str, Any]:
        """The same in the flat shape of the beta wire, as its SDK types (`openai.types.beta.realtime`) have it."""
        session: dict[str, Any] = {
            "instructions": configure.instructions,
            "modalities": ["text"] if self.output_modality == "text" else ["text", "audio"],
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "input_audio_transcription": self._transcription(),
            "turn_detection": turn_detection(self.turn_detection),
            **given(
                voice=self.voice,
                speed=self.speed,
                tool_choice=self.tool_choice,
                max_response_output_tokens=self.max_output_tokens,
            ),
        }
        if self.noise_reduction is not None:
            session["input_audio_noise_reduction"] = {"type": self.noise_reduction}
        return self._with_tools(session, configure)

    def _with_tools(self, session: dict[str, Any], configure: Configure) -> dict[str, Any]:
        tools = [function_tool(tool) for tool in configure.tools] + as_list(self.extra.get("tools"))
        return {**merged(session, self.extra), "tools": tools}

    def _transcription(self) -> dict[str, Any] | None:
        if not self.enable_input_audio_transcription:
            return None
        return given(model=self.transcription_model, language=self.transcription_language)

    def _audio_input(self) -> dict[str, Any]:
        audio = {
            "format": {"type": "audio/pcm", "rate": self.input_rate},
            "transcription": self._transcription(),
            "turn_detection": turn_detection(self.turn_detection),
        }
        if self.noise_reduction is not None:
            audio["noise_reduction"] = {"type": self.noise_reduction}
        return audio

    def _audio_output(self) -> dict[str, Any]:
        custom = self.voice is not None and self.voice.startswith("voice_")
        voice = {"id": self.voice} if custom else self.voice
        return given(format={"type": "audio/pcm", "rate": self.output_rate}, voice=voice, speed=self.speed)


def merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the fields of `extra`, which win; objects that both have are merged in turn."""
    result = {**base, **extra}
    for name in base.keys() & extra.keys():
        ours, theirs = base[name], extra[name]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            result[name] = merged(cast(dict[str, Any], ours), cast(dict[str, Any], theirs))
    return result


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are not `None`: what is left out keeps the provider's default."""
    return {name: value for name, value in fields.items() if value is not None}


def function_tool(tool: ToolSpec) -> dict[str, Any]:
    """The tool as the family's session objects have it."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }


def turn_detection(detection: TurnDetection) -> dict[str, Any] | None:
    """The turn detection as the family's session objects have it."""
    if isinstance(detection, Manual):
        return None
    kind = "server_vad" if isinstance(detection, ServerVAD) else "semantic_vad"
    return given(type=kind, **attrs.asdict(detection))
