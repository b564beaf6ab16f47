"""Google's Gemini models on the Live API: their configuration.

Facts of the wire are from the official SDK (`google-genai` 3.4.0) and the API reference of April and October 2026,
unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, get_args

import attrs
import orjson

from realtime_actors.events import Configure

from .errors import InvalidModel, ProviderRefused, RefusalKind
from .gemini_protocol import GeminiProtocol
from .gemini_schema import parameters_of
from .json_wire import as_list, as_object, as_text
from .model import (
    Capabilities,
    Manual,
    RealtimeModel,
    SemanticVAD,
    ServerVAD,
    check_choice,
    check_count,
    check_flag,
    check_name,
    check_number,
)
from .openai_session import merged

__all__ = ["GeminiRealtimeModel"]

APIVersion = Literal["v1beta", "v1alpha", "v1"]
OutputModality = Literal["audio", "text"]
TextInput = Literal["content", "realtime"]

_HOST = "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage"
_TOKEN = "auth_tokens/"  # noqa: S105 - how the names of ephemeral tokens begin

# The server's own words, in the reason of a close or in the body of a refusal, as reported by users. They are cut
# after 123 bytes, so that the beginnings must do.
_REASONS: Sequence[tuple[str, RefusalKind]] = (
    ("api key not valid", "authentication"),
    ("api key expired", "authentication"),
    ("api key not found", "authentication"),
    ("unregistered callers", "authentication"),
    ("token has been used too many times", "authentication"),  # seen on a recording
    ("token has expired", "authentication"),
    ("exceeded your current quota", "quota"),
    ("is not found for api version", "model"),
    ("not supported for bidigeneratecontent", "model"),
)


@attrs.frozen(kw_only=True)
class GeminiRealtimeModel(RealtimeModel):
    """A model of Gemini Live, such as gemini-3.8-live, on the Developer API.

    `api_key` is a key, or the name of an ephemeral token (`auth_tokens/…`), for which `v1alpha` is used whatever
    `api_version` says. `voice` is a prebuilt voice such as Puck or Kore, `language` a BCP 47 code. `output_modality`
    is how the model replies: "text" is for older models. `temperature` is 0 to 2. `max_output_tokens` bounds a reply.
    `text_input` is how text is sent: as "content", in order with all else, or as "realtime" input, which Gemini 3
    insists on; `None` chooses by the model's name. `context_window_compression` lets the oldest turns go instead of
    ending the session when its context is full (15 minutes of audio). `session_resumption` lets a new connection go
    on with the conversation of the last one.

    Of `ServerVAD`, a `threshold` above 0.5 is START_SENSITIVITY_LOW, one up to that START_SENSITIVITY_HIGH;
    `prefix_padding_ms` and `create_response=False` have no counterpart, and `SemanticVAD` has none.

    `extra` are fields of `setup`, for example `{"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}`;
    `tools` in it come after those of the agent.
    """

    provider: ClassVar[str] = "Gemini"
    key_variable: ClassVar[str] = "GEMINI_API_KEY"
    input_rate: ClassVar[int] = 16000
    output_rate: ClassVar[int] = 24000

    model_name: str = "gemini-3.8-live"
    api_version: APIVersion = "v1beta"
    language: str | None = None
    output_modality: OutputModality = "audio"
    temperature: float | None = None
    max_output_tokens: int | None = None
    text_input: TextInput | None = None
    context_window_compression: bool = True
    session_resumption: bool = True
    # Connections end after `goAway`; some of Gemini 3.8 were seen to end after 58 minutes without a word.
    session_limit: float | None = 3480.0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_choice("api_version", self.api_version, get_args(APIVersion))
        if self.language is not None:
            check_name("language", self.language)
        if self.output_modality not in get_args(OutputModality):
            raise InvalidModel(f"output_modality must be audio or text, not {self.output_modality!r:.80}")
        check_number("temperature", self.temperature, 0, 2)
        check_count("max_output_tokens", self.max_output_tokens, 1)
        check_choice("text_input", self.text_input, get_args(TextInput))
        check_flag("context_window_compression", self.context_window_compression)
        check_flag("session_resumption", self.session_resumption)
        match self.turn_detection:
            case SemanticVAD():
                raise InvalidModel("Gemini has no semantic turn detection: use ServerVAD(...) or Manual()")
            case ServerVAD(create_response=False):
                raise InvalidModel(
                    "Gemini replies to every turn that it detects: for ServerVAD(create_response=False) use Manual()"
                )
            case ServerVAD(prefix_padding_ms=int()):
                raise InvalidModel(
                    "Gemini has nothing like ServerVAD.prefix_padding_ms: leave it out (its own prefixPaddingMs, "
                    "how much speech begins a turn, can be set by extra)"
                )
            case _:
                pass

    @property
    def speaks(self) -> bool:
        return not self.writes

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            text=True,
            images=True,
            tools=True,
            cancel=False,
            truncate=False,
            manual_turns=True,
            commits_at_once=False,
            image_types=frozenset({"image/jpeg", "image/png"}),
            resumption=self.session_resumption,
            reconfiguration=self.updates_context,
            history="turns",
        )

    @property
    def is_manual(self) -> bool:
        """Whether we mark the user's turns."""
        return isinstance(self.turn_detection, Manual)

    @property
    def writes(self) -> bool:
        """Whether replies are text."""
        return self.output_modality == "text"

    @property
    def resumes(self) -> bool:
        """Whether the server is asked for handles to resume the session with."""
        return self.session_resumption

    @property
    def sends_realtime_text(self) -> bool:
        """Whether text goes as realtime input.

        gemini-3.1-flash-live closes the session (1007) for `clientContent` after the model's first turn, as its
        documentation says (March 2026); of its successors no other is known.
        """
        if self.text_input is None:
            return self._name.startswith("gemini-3")
        return self.text_input == "realtime"

    @property
    def updates_context(self) -> bool:
        """Whether instructions and tools can change in mid-session, which is documented for Gemini 3.8 Live."""
        return self._name.startswith("gemini-3.8")

    @property
    def takes_history_first(self) -> bool:
        """Whether `clientContent` is what was said before, if `setup` announces that (`historyConfig`).

        Of Gemini 3 this is the one use of `clientContent` that is certain; no document says that 2.5 has it.
        """
        return self._name.startswith("gemini-3")

    @property
    def _name(self) -> str:
        return self.model_name.rpartition("/")[2]

    def endpoint(self) -> str:
        if self.url is not None:
            return self.url
        if self._has_token:
            return f"{_HOST}.v1alpha.GenerativeService.BidiGenerateContentConstrained"
        return f"{_HOST}.{self.api_version}.GenerativeService.BidiGenerateContent"

    def headers(self) -> Sequence[tuple[str, str]]:
        if self._has_token:
            return [("Authorization", f"Token {self.api_key}")]
        return [("x-goog-api-key", self.api_key)]

    @property
    def _has_token(self) -> bool:
        return self.api_key.startswith(_TOKEN)

    def protocol(self) -> GeminiProtocol:
        return GeminiProtocol(self)

    def closing(self, code: int | None, reason: str) -> ProviderRefused | None:
        if reason.startswith(_ENTITY_NOT_FOUND):
            return None
        kind = _kind_of(reason)
        return super().closing(code, reason) if kind is None else self.refused(f"close code {code}", reason, kind)

    def refusal(self, status: int, body: bytes) -> ProviderRefused | None:
        try:
            words = as_text(as_object(as_object(orjson.loads(body)).get("error")).get("message"))
        except orjson.JSONDecodeError:
            words = ""
        kind = _kind_of(words)
        return super().refusal(status, body) if kind is None else self.refused(f"HTTP {status}", words, kind)

    def setup(self, configure: Configure) -> dict[str, Any]:
        """The whole `setup` message that opens a session."""
        name = self.model_name if "/" in self.model_name else f"models/{self.model_name}"
        setup: dict[str, Any] = {
            "model": name,
            "generationConfig": self._generation(),
            "realtimeInputConfig": self._realtime_input(),
        }
        if configure.instructions:
            setup["systemInstruction"] = {"parts": [{"text": configure.instructions}]}
        if self.enable_input_audio_transcription:
            setup["inputAudioTranscription"] = {}
        if not self.writes:
            setup["outputAudioTranscription"] = {}
        if self.context_window_compression:
            setup["contextWindowCompression"] = {"slidingWindow": {}}
        if self.takes_history_first and configure.history and not configure.handle:
            setup["historyConfig"] = {"initialHistoryInClientContent": True}
        if self.resumes:
            setup["sessionResumption"] = {"handle": configure.handle} if configure.handle else {}
        setup = merged(setup, self.extra)
        tools = self.tools(configure)
        return {**setup, "tools": tools} if tools else setup

    def tools(self, configure: Configure) -> list[dict[str, Any]]:
        """The tools of the agent, and those of `extra`."""
        declarations: list[dict[str, Any]] = []
        for tool in configure.tools:
            declaration: dict[str, Any] = {"name": tool.name, "description": tool.description}
            parameters = parameters_of(tool.parameters)
            if parameters is not None:
                declaration["parameters"] = parameters
            if "extended-thinking" in self._name:  # which refuses calls that it would have to wait for
                declaration["behavior"] = "NON_BLOCKING"
            declarations.append(declaration)
        ours = [{"functionDeclarations": declarations}] if declarations else []
        return ours + as_list(self.extra.get("tools"))

    def _generation(self) -> dict[str, Any]:
        speech: dict[str, Any] = {}
        if self.voice is not None:
            speech["voiceConfig"] = {"prebuiltVoiceConfig": {"voiceName": self.voice}}
        if self.language is not None:
            speech["languageCode"] = self.language
        generation: dict[str, Any] = {"responseModalities": [self.output_modality.upper()]}
        if speech:
            generation["speechConfig"] = speech
        if self.temperature is not None:
            generation["temperature"] = self.temperature
        if self.max_output_tokens is not None:
            generation["maxOutputTokens"] = self.max_output_tokens
        return generation

    def _realtime_input(self) -> dict[str, Any]:
        detection = self.turn_detection
        if not isinstance(detection, ServerVAD):
            return {"automaticActivityDetection": {"disabled": True}}
        activity: dict[str, Any] = {"disabled": False}
        if detection.threshold is not None:
            sensitivity = "LOW" if detection.threshold > 0.5 else "HIGH"
            activity["startOfSpeechSensitivity"] = f"START_SENSITIVITY_{sensitivity}"
        if detection.silence_duration_ms is not None:
            activity["silenceDurationMs"] = detection.silence_duration_ms
        handling = "START_OF_ACTIVITY_INTERRUPTS" if detection.interrupt_response else "NO_INTERRUPTION"
        return {"automaticActivityDetection": activity, "activityHandling": handling}


# The result of a call that the server was giving up at the same moment.
_ENTITY_NOT_FOUND = "Requested entity was not found"


def _kind_of(reason: str) -> RefusalKind | None:
    words = reason.lower()
    return next((kind for phrase, kind in _REASONS if phrase in words), None)
