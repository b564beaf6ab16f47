"""The `setup` that opens a session."""

from collections.abc import Mapping
from typing import cast

import attrs

from realtime_actors.simulators.gemini.messages import (
    Json,
    Refused,
    check_flag,
    check_keys,
    check_list,
    check_number,
    check_object,
    check_text,
)

__all__ = ["Setup", "read_instruction", "read_setup", "read_tools"]

_FIELDS = (
    "model",
    "generationConfig",
    "systemInstruction",
    "tools",
    "realtimeInputConfig",
    "sessionResumption",
    "contextWindowCompression",
    "inputAudioTranscription",
    "outputAudioTranscription",
    "proactivity",
    "historyConfig",
    "safetySettings",
    "avatarConfig",
    "labels",
)
_GENERATION = (
    "responseModalities",
    "speechConfig",
    "temperature",
    "topP",
    "topK",
    "maxOutputTokens",
    "seed",
    "mediaResolution",
    "thinkingConfig",
    "enableAffectiveDialog",
    "translationConfig",
    "candidateCount",
    "presencePenalty",
    "frequencyPenalty",
)
_SCHEMA = (
    *("type", "format", "title", "description", "nullable", "enum", "default", "example", "pattern"),
    *("properties", "required", "propertyOrdering", "items", "anyOf", "additionalProperties", "ref", "defs"),
    *("minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),
)
_TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
_LOUDNESS = {"START_SENSITIVITY_HIGH": 0.5, "START_SENSITIVITY_LOW": 0.75, "START_SENSITIVITY_UNSPECIFIED": 0.5}
_SILENCE_MS = {"END_SENSITIVITY_HIGH": 500, "END_SENSITIVITY_LOW": 1000, "END_SENSITIVITY_UNSPECIFIED": 500}
"""What the server takes by default is not published."""


@attrs.frozen(kw_only=True)
class Setup:
    """What a client has configured."""

    model: str
    """Without `models/`."""
    spoken: bool
    instructions: str
    tools: Mapping[str, bool]
    """The names of the functions, and whether the model waits for their results."""
    detection: Json | None
    """How turns are detected; `None` if the client marks them."""
    speech_interrupts: bool
    transcribe_input: bool
    transcribe_output: bool
    resumption: bool
    handle: str
    history_first: bool
    max_output_tokens: float

    @property
    def is_3(self) -> bool:
        """Whether the model is of the third generation, which tells more and takes less."""
        return self.model.startswith("gemini-3")

    @property
    def takes_content(self) -> bool:
        """Whether `clientContent` is allowed after the model's first turn."""
        return not self.model.startswith("gemini-3.1")

    @property
    def takes_updates(self) -> bool:
        """Whether `contextUpdate` is allowed."""
        return self.model.startswith("gemini-3.8")


def read_setup(setup: Json) -> Setup:
    """The configuration in a `setup`. Raises `Refused`."""
    check_keys(setup, _FIELDS, "setup")
    name = check_text(setup.get("model"), "setup.model").rpartition("/")[2]
    generation = check_object(setup.get("generationConfig", {}), "setup.generation_config")
    check_keys(generation, _GENERATION, "setup.generation_config")
    modalities = [
        check_text(each, "response_modalities").upper()
        for each in check_list(generation.get("responseModalities") or ["AUDIO"], "response_modalities")
    ]
    if modalities not in (["AUDIO"], ["TEXT"]):
        raise Refused("At most one response modality can be specified, of TEXT and AUDIO.")
    if modalities == ["TEXT"] and (name.startswith("gemini-3") or "native-audio" in name):
        raise Refused(f"Cannot extract voices from a non-audio request: {name} replies in AUDIO only.")
    if "temperature" in generation:
        check_number(generation["temperature"], "generation_config.temperature", 0, 2)
    resumption = check_object(setup.get("sessionResumption", {}), "setup.session_resumption")
    check_keys(resumption, ("handle",), "setup.session_resumption")  # `transparent` is for enterprise
    history = check_object(setup.get("historyConfig", {}), "setup.history_config")
    detection, interrupts = _read_realtime(check_object(setup.get("realtimeInputConfig", {}), "realtime_input_config"))
    for kind in ("inputAudioTranscription", "outputAudioTranscription"):
        check_object(setup.get(kind, {}), kind)
    return Setup(
        model=name,
        spoken=modalities == ["AUDIO"],
        instructions=read_instruction(setup.get("systemInstruction")),
        tools=read_tools(setup.get("tools", []), waits="extended-thinking" not in name),
        detection=detection,
        speech_interrupts=interrupts,
        transcribe_input="inputAudioTranscription" in setup,
        transcribe_output="outputAudioTranscription" in setup,
        resumption="sessionResumption" in setup,
        handle=check_text(resumption.get("handle", ""), "session_resumption.handle"),
        history_first=check_flag(history.get("initialHistoryInClientContent", False), "history_config"),
        max_output_tokens=check_number(generation.get("maxOutputTokens", 8192), "max_output_tokens", 1, 65536),
    )


def _read_realtime(config: Json) -> tuple[Json | None, bool]:
    check_keys(config, ("automaticActivityDetection", "activityHandling", "turnCoverage"), "realtime_input_config")
    handling = config.get("activityHandling", "START_OF_ACTIVITY_INTERRUPTS")
    if handling not in ("START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION", "ACTIVITY_HANDLING_UNSPECIFIED"):
        raise Refused(f"Invalid value at 'activity_handling': {str(handling)[:40]}.")
    path = "automatic_activity_detection"
    activity = check_object(config.get("automaticActivityDetection", {}), path)
    fields = ("disabled", "startOfSpeechSensitivity", "endOfSpeechSensitivity", "prefixPaddingMs", "silenceDurationMs")
    check_keys(activity, fields, path)
    start = activity.get("startOfSpeechSensitivity", "START_SENSITIVITY_UNSPECIFIED")
    end = activity.get("endOfSpeechSensitivity", "END_SENSITIVITY_UNSPECIFIED")
    if start not in _LOUDNESS or end not in _SILENCE_MS:
        raise Refused(f"Invalid value at '{path}'.")
    detection: Json | None = {
        "type": "server_vad",
        "threshold": _LOUDNESS[start],
        "silence_duration_ms": int(
            check_number(activity.get("silenceDurationMs", _SILENCE_MS[end]), f"{path}.silence_duration_ms", 1, 60000)
        ),
        # Here this is how much speech it takes, and no padding as elsewhere.
        "min_speech_ms": int(check_number(activity.get("prefixPaddingMs", 80), f"{path}.prefix_padding_ms", 0, 60000)),
        "prefix_padding_ms": 300,
    }
    if check_flag(activity.get("disabled", False), f"{path}.disabled"):
        detection = None
    return detection, handling != "NO_INTERRUPTION"


def read_instruction(value: object) -> str:
    """The text of a system instruction. Raises `Refused`."""
    if value is None:
        return ""
    content = check_object(value, "system_instruction")
    check_keys(content, ("role", "parts"), "system_instruction")
    texts: list[str] = []
    for each in check_list(content.get("parts", []), "system_instruction.parts"):
        part = check_object(each, "system_instruction.parts")
        texts.append(check_text(part.get("text"), "system_instruction.parts.text"))
    return "\n\n".join(texts)


def read_tools(value: object, *, waits: bool) -> dict[str, bool]:
    """The functions in a list of tools, and whether the model waits for each. Raises `Refused`.

    `waits` is false for a model that does not: it refuses functions that it would have to wait for.
    """
    functions: dict[str, bool] = {}
    for each in check_list(value, "tools"):
        tool = check_object(each, "tools")
        known = ("functionDeclarations", "googleSearch", "codeExecution", "urlContext", "googleMaps")
        check_keys(tool, known, "tools")
        for declared in check_list(tool.get("functionDeclarations", []), "function_declarations"):
            name, blocking = _read_function(check_object(declared, "function_declarations"))
            if blocking and not waits:
                raise Refused(f"Function {name[:40]} is BLOCKING, which this model does not support.")
            functions[name] = blocking
    return functions


def _read_function(declared: Json) -> tuple[str, bool]:
    path = "function_declarations"
    check_keys(
        declared,
        ("name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior"),
        path,
    )
    name = check_text(declared.get("name"), f"{path}.name")
    if "parameters" in declared:
        parameters = check_object(declared["parameters"], f"{path}.parameters")
        _check_schema(parameters, f"{path}.parameters")
        if not parameters.get("properties"):
            raise Refused(f"{path}.parameters.properties: should be non-empty for OBJECT type")
    behavior = declared.get("behavior", "BLOCKING")
    if behavior not in ("BLOCKING", "NON_BLOCKING", "UNSPECIFIED"):
        raise Refused(f"Invalid value at '{path}.behavior'.")
    return name, behavior != "NON_BLOCKING"


def _check_schema(schema: Json, path: str) -> None:
    check_keys(schema, _SCHEMA, path)
    if "type" in schema and check_text(schema["type"], f"{path}.type").upper() not in _TYPES:
        raise Refused(f"Invalid value at '{path}.type'.")
    for choice in check_list(schema.get("enum", []), f"{path}.enum"):
        if not check_text(choice, f"{path}.enum"):
            raise Refused(f"{path}.enum: cannot be empty")
    inner = list(check_object(schema.get("properties", {}), f"{path}.properties").values())
    inner += check_list(schema.get("anyOf", []), f"{path}.any_of")
    if "items" in schema:
        inner.append(schema["items"])
    elif cast(str, schema.get("type", "")).upper() == "ARRAY":
        raise Refused(f"{path}.items: missing field.")
    for each in inner:
        _check_schema(check_object(each, path), path)
