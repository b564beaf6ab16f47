"""Alibaba's Qwen-Omni realtime models on DashScope (Model Studio): their configuration.

Facts of the wire are from the official SDK (`dashscope` 2.0.2), the documentation of 2025-11 to 2026-10, and, where
said so, measurements on the live service that others have published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import attrs

from realtime_actors.events import Configure, ToolSpec

from .dashscope_protocol import DashScopeProtocol
from .errors import InvalidModel, ProviderRefused, RefusalKind
from .json_wire import as_list
from .model import (
    Capabilities,
    Manual,
    RealtimeModel,
    SemanticVAD,
    ServerVAD,
    TurnDetection,
    WireProtocol,
    check_count,
    check_name,
    check_number,
    with_query,
)
from .openai_session import merged

__all__ = ["DashScopeRealtimeModel"]

OutputModality = Literal["audio", "text"]
Region = Literal["cn-beijing", "ap-southeast-1"]

_PATH = "/api-ws/v1/realtime"
_HOSTS: Mapping[str, str] = {
    "cn-beijing": "dashscope.aliyuncs.com",
    "ap-southeast-1": "dashscope-intl.aliyuncs.com",
}
_WORKSPACE = re.compile(r"[A-Za-z0-9-]+")

_FIRST_MODELS = ("qwen-omni-turbo", "qwen2.5-omni", "qwen3-omni")
"""Models that begin so take no text and call no functions, and know no semantic turn detection."""

LARGEST_IMAGE = 256 * 1024 * 3 // 4
"""Bytes: the documentation allows 256 KiB of base64."""


@attrs.frozen(kw_only=True)
class DashScopeRealtimeModel(RealtimeModel):
    """A Qwen-Omni realtime model, such as qwen3-omni-flash-realtime.

    The qwen3.5 and newer models call functions and take text as well: see `capabilities`.

    `voice` is one of the model's voices, such as Cherry or Tina; one that it does not have is refused only when it
    first speaks. A key belongs to a `region`: Beijing, or Singapore (`ap-southeast-1`). With the id of a `workspace`
    the socket goes to that workspace's own host. `transcription_model` writes down what the user says (`None`: the
    default). `output_modality` is how the model replies; what is "text" comes as transcript events.
    `max_output_tokens` bounds a reply, `temperature` is 0 up to 2. What is `None` takes DashScope's default.
    `turn_detection`: a `silence_duration_ms` is 200 to 6000; `SemanticVAD` has no eagerness.

    `extra` are fields of the session object, for example `{"smooth_output": True}` or `{"enable_search": True}` (which
    excludes tools); `tools` in it come after those of the agent.
    """

    provider: ClassVar[str] = "DashScope"
    key_variable: ClassVar[str] = "DASHSCOPE_API_KEY"
    input_rate: ClassVar[int] = 16000
    output_rate: ClassVar[int] = 24000
    # Error codes of Model Studio's documentation, which closes sockets with them as reasons; a dotted code also counts
    # by its words.
    fatal_codes: ClassVar[Mapping[str, RefusalKind]] = {
        "AccessDenied": "model",
        "Arrearage": "quota",
        "FreeTierOnly": "quota",
        "AllocationQuota.FreeTierOnly": "quota",
        "InvalidApiKey": "authentication",
        "Model.AccessDenied": "model",
        "ModelNotFound": "model",
        "ModelNotSupported": "model",
        "invalid_api_key": "authentication",
        "model_not_found": "model",
    }

    model_name: str = "qwen3-omni-flash-realtime"
    region: Region = "cn-beijing"
    workspace: str | None = None
    transcription_model: str | None = None
    output_modality: OutputModality = "audio"
    max_output_tokens: int | None = None
    temperature: float | None = None
    session_limit: float | None = 7200.0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for field, value, choices in (
            ("region", self.region, get_args(Region)),
            ("output_modality", self.output_modality, get_args(OutputModality)),
        ):
            if value not in choices:
                raise InvalidModel(f"{field} must be {' or '.join(choices)}, not {value!r:.80}")
        if self.workspace is not None and not _WORKSPACE.fullmatch(str(self.workspace)):
            raise InvalidModel(
                f"workspace must be the id of a workspace, letters and digits, not {self.workspace!r:.80}"
            )
        if self.transcription_model is not None:
            check_name("transcription_model", self.transcription_model)
        check_count("max_output_tokens", self.max_output_tokens, 1)
        check_number("temperature", self.temperature, 0, 2)
        if self.model_name.startswith("qwen-omni-turbo") and (self.max_output_tokens, self.temperature) != (None, None):
            raise InvalidModel(f"{self.model_name} has a fixed temperature and length: leave them out")
        self._check_turn_detection()

    def _check_turn_detection(self) -> None:
        match self.turn_detection:
            case ServerVAD():
                check_count("ServerVAD.silence_duration_ms", self.turn_detection.silence_duration_ms, 200, 6000)
            case SemanticVAD() if self._is_first_model:
                raise InvalidModel(f"{self.model_name} has no semantic turn detection: use ServerVAD() or Manual()")
            case SemanticVAD() if self.turn_detection.eagerness is not None:
                raise InvalidModel("DashScope's semantic turn detection has no eagerness: leave it out")
            case _:
                pass

    @property
    def _is_first_model(self) -> bool:
        return self.model_name.startswith(_FIRST_MODELS)

    @property
    def speaks(self) -> bool:
        return self.output_modality == "audio"

    @property
    def capabilities(self) -> Capabilities:
        newer = not self._is_first_model
        return Capabilities(
            text=newer,
            images=True,
            tools=newer,
            cancel=True,
            truncate=False,
            manual_turns=True,
            image_types=frozenset({"image/jpeg"}),
            largest_image=LARGEST_IMAGE,
            history="instructions",
        )

    def endpoint(self) -> str:
        host = _HOSTS[self.region]
        if self.workspace is not None:
            host = f"{self.workspace}.{self.region}.maas.aliyuncs.com"
        return with_query(self.url or f"wss://{host}{_PATH}", {"model": self.model_name})

    def headers(self) -> Sequence[tuple[str, str]]:
        headers = [("Authorization", f"Bearer {self.api_key}")]
        if self.workspace is not None:
            headers.append(("X-DashScope-WorkSpace", self.workspace))
        return headers

    def protocol(self) -> WireProtocol:
        return DashScopeProtocol(self, self.session)

    def closing(self, code: int | None, reason: str) -> ProviderRefused | None:
        if code != 1007:
            return super().closing(code, reason)
        # Measured: failures of the service close with it too, so only what the reason says is final.
        known = super().closing(None, reason)
        if known is not None:
            return known
        if "free" in reason.lower() and ("tier" in reason.lower() or "quota" in reason.lower()):
            return self.refused("1007", reason, "quota")
        return self.refused("1007", reason, "configuration") if "InvalidParameter" in reason else None

    def session(self, configure: Configure) -> dict[str, Any]:
        """The session object that `session.update` sets."""
        transcription = {"model": self.transcription_model} if self.enable_input_audio_transcription else None
        session: dict[str, Any] = {
            "modalities": ["text", "audio"] if self.output_modality == "audio" else ["text"],
            "instructions": configure.instructions,
            "input_audio_format": "pcm",
            "output_audio_format": "pcm",
            "input_audio_transcription": transcription,
            "turn_detection": _turn_detection(self.turn_detection),
        }
        options = {"voice": self.voice, "temperature": self.temperature, "max_tokens": self.max_output_tokens}
        session |= {name: value for name, value in options.items() if value is not None}
        tools = [_tool(tool) for tool in configure.tools] + as_list(self.extra.get("tools"))
        session = merged(session, self.extra)
        return {**session, "tools": tools} if tools else session


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _turn_detection(detection: TurnDetection) -> dict[str, Any] | None:
    """The flags are sent only where they change something: older documents do not have them."""
    match detection:
        case Manual():
            return None
        case ServerVAD():
            fields = attrs.asdict(detection)
            kind = "server_vad"
        case SemanticVAD():
            fields = {"create_response": detection.create_response, "interrupt_response": detection.interrupt_response}
            kind = "semantic_vad"
    return {"type": kind, **{name: value for name, value in fields.items() if value is not None and value is not True}}
