"""xAI's Grok Voice models: their configuration.

Facts of the wire are from xAI's documentation and recordings of 2026; xAI has no SDK for it, and points to OpenAI's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args

import attrs

from realtime_actors.events import Configure

from .errors import InvalidModel, ProviderRefused, RefusalKind
from .json_wire import as_list
from .model import (
    Capabilities,
    RealtimeModel,
    SemanticVAD,
    ServerVAD,
    check_choice,
    check_count,
    check_flag,
    check_name,
    check_number,
    with_query,
)
from .openai_session import ToolChoice, function_tool, given, merged
from .xai_protocol import XAIProtocol

__all__ = ["XAIRealtimeModel"]

_ENDPOINT = "wss://api.x.ai/v1/realtime"


@attrs.frozen(kw_only=True)
class XAIRealtimeModel(RealtimeModel):
    """A voice model of xAI, such as grok-voice-latest.

    `voice` is one of xAI's (eve, ara, rex, sal, leo, …) or the id of a custom one. `transcription_language` (BCP-47,
    such as "de" or "es-ES") helps it to understand the user. `max_output_tokens` bounds a reply. `speed` is that of
    speech, 0.7 to 1.5. `tool_choice` says whether the model may or must call tools. What is `None` takes xAI's default.

    `turn_detection` is `ServerVAD` with a `threshold` of 0.1 to 0.9, or `Manual`: xAI has no `SemanticVAD`, and replies
    to every turn that it detects, so that `create_response=False` is refused here. `session_resumption` lets a new
    connection go on with the conversation, which xAI keeps for 30 minutes.

    `extra` are fields of the session object, for example `{"reasoning": {"effort": "none"}}`; `tools` in it, which xAI
    runs itself (`{"type": "web_search"}`), come after those of the agent.
    """

    provider: ClassVar[str] = "xAI"
    key_variable: ClassVar[str] = "XAI_API_KEY"
    input_rate: ClassVar[int] = 24000
    output_rate: ClassVar[int] = 24000
    # xAI documents none; these are OpenAI's, whose errors xAI's are like.
    fatal_codes: ClassVar[Mapping[str, RefusalKind]] = {
        "insufficient_quota": "quota",
        "invalid_api_key": "authentication",
        "model_not_found": "model",
    }

    model_name: str = "grok-voice-latest"
    transcription_language: str | None = None
    max_output_tokens: int | None = None
    speed: float | None = None
    tool_choice: ToolChoice | None = None
    session_resumption: bool = True
    # The documentation says 120 minutes, others have measured 60: what is too early does no harm.
    session_limit: float | None = 3600.0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.transcription_language is not None:
            check_name("transcription_language", self.transcription_language)
        check_count("max_output_tokens", self.max_output_tokens, 1)
        check_number("speed", self.speed, 0.7, 1.5)
        check_choice("tool_choice", self.tool_choice, get_args(ToolChoice))
        check_flag("session_resumption", self.session_resumption)
        detection = self.turn_detection
        if isinstance(detection, SemanticVAD):
            raise InvalidModel("turn_detection must be ServerVAD(...) or Manual(): xAI has no SemanticVAD")
        if isinstance(detection, ServerVAD):
            check_number("ServerVAD.threshold", detection.threshold, 0.1, 0.9)
            check_count("ServerVAD.prefix_padding_ms", detection.prefix_padding_ms, 0, 10000)
            check_count("ServerVAD.silence_duration_ms", detection.silence_duration_ms, 0, 10000)
            if not detection.create_response:
                raise InvalidModel(
                    "turn_detection: xAI ignores ServerVAD(create_response=False) and replies to every turn; "
                    "use Manual() to decide when it replies"
                )

    @property
    def capabilities(self) -> Capabilities:
        # Clients report in 2026 that conversation.item.truncate is accepted; pictures are, and are not seen.
        return Capabilities(
            text=True,
            images=False,
            tools=True,
            cancel=True,
            truncate=True,
            manual_turns=True,
            commits_at_once=False,
            resumption=self.session_resumption,
            history="items",
        )

    def endpoint(self) -> str:
        return with_query(self.url or _ENDPOINT, {"model": self.model_name})

    def resuming(self, handle: str) -> str:
        return with_query(self.endpoint(), {"conversation_id": handle})

    def headers(self) -> Sequence[tuple[str, str]]:
        return [("Authorization", f"Bearer {self.api_key}")]

    def closing(self, code: int | None, reason: str) -> ProviderRefused | None:
        # xAI documents no close codes, and keeps the conversation: only words make a close final.
        return super().closing(None, reason)

    def protocol(self) -> XAIProtocol:
        return XAIProtocol(self, self.session, resumes=self.session_resumption)

    def session(self, configure: Configure) -> dict[str, Any]:
        """The whole session object that `session.update` sets."""
        audio_input: dict[str, Any] = {"format": {"type": "audio/pcm", "rate": self.input_rate}}
        if self.enable_input_audio_transcription:
            hint = given(language_hint=self.transcription_language)
            audio_input["transcription"] = {"model": "grok-transcribe", **hint}
        audio_output = given(format={"type": "audio/pcm", "rate": self.output_rate}, speed=self.speed)
        session: dict[str, Any] = {
            "instructions": configure.instructions,
            "turn_detection": self._detection(),
            "audio": {"input": audio_input, "output": audio_output},
            "resumption": {"enabled": self.session_resumption},
            **given(voice=self.voice, tool_choice=self.tool_choice, max_output_tokens=self.max_output_tokens),
        }
        tools = [function_tool(tool) for tool in configure.tools] + as_list(self.extra.get("tools"))
        return {**merged(session, self.extra), "tools": tools}

    def _detection(self) -> dict[str, Any] | None:
        detection = self.turn_detection
        if not isinstance(detection, ServerVAD):
            return None
        return given(
            type="server_vad",
            threshold=detection.threshold,
            prefix_padding_ms=detection.prefix_padding_ms,
            silence_duration_ms=detection.silence_duration_ms,
            interrupt_response=detection.interrupt_response,
        )
