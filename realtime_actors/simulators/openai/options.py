"""What holds for one response, as `response.create` and the session's configuration say."""

from collections.abc import Sequence

import attrs

from realtime_actors.simulators.openai.checks import (
    Json,
    Rejected,
    check_choice,
    check_keys,
    check_list,
    check_object,
    check_string,
    require,
)
from realtime_actors.simulators.openai.conversation import Conversation, Item, read_item
from realtime_actors.simulators.openai.settings import (
    check_format,
    check_max_output_tokens,
    check_modalities,
    check_tool_choice,
    check_tools,
    check_voice,
)
from realtime_actors.simulators.openai.stamp import Stamp

__all__ = ["Options", "read_options"]


@attrs.frozen
class Options:
    """What holds for one response: the session's configuration with what `response.create` changed of it."""

    modality: str
    voice: str | Json
    audio_format: Json
    instructions: str
    tools: Sequence[str]
    max_output_tokens: int | str
    metadata: Json | None
    in_conversation: bool
    with_phase: bool
    """Newer models mark each message as commentary or final answer."""


def read_options(
    params: Json, settings: Json, conversation: Conversation, stamp: Stamp, *, voice_locked: bool
) -> tuple[Options, list[Item]]:
    """The options and the context of a response; `params` is what a `response.create` says of them.

    Raises:
        Rejected: `params` has something that is not allowed.
    """
    output = settings["audio"]["output"]
    audio_format, voice = output["format"], output["voice"]
    modality: str = settings["output_modalities"][0]
    instructions: str = settings["instructions"]
    tools: list[Json] = settings["tools"]
    tool_choice = settings["tool_choice"]
    limit = settings["max_output_tokens"]
    in_conversation = True
    metadata: Json | None = None
    context = list(conversation.items)
    for key, value in params.items():
        param = f"response.{key}"
        match key:
            case "conversation":
                in_conversation = check_choice(value, param, ("auto", "none")) == "auto"
            case "metadata":
                metadata = None if value is None else _check_metadata(value, param)
            case "output_modalities":
                modality = check_modalities(value, param)[0]
            case "instructions":
                instructions = check_string(value, param)
            case "tools":
                tools = check_tools(value, param)
            case "tool_choice":
                tool_choice = check_tool_choice(value, param)
            case "max_output_tokens":
                limit = check_max_output_tokens(value, param)
            case "input":
                context = _read_input(value, param, settings, conversation, stamp)
            case "audio":
                audio_format, voice = _read_audio(check_object(value, param), audio_format, voice, voice_locked)
            case "parallel_tool_calls" | "prompt" | "reasoning":
                pass
            case _:
                check_keys(params, (), "response")
    options = Options(
        modality=modality,
        voice=voice,
        audio_format=audio_format,
        instructions=instructions,
        tools=[] if tool_choice == "none" else [tool["name"] for tool in tools if "name" in tool],
        max_output_tokens=limit,
        metadata=metadata,
        in_conversation=in_conversation,
        with_phase=settings["model"].startswith("gpt-realtime-2"),
    )
    return options, context


def _read_input(value: object, param: str, settings: Json, conversation: Conversation, stamp: Stamp) -> list[Item]:
    items: list[Item] = []
    for index, entry in enumerate(check_list(value, param)):
        path = f"{param}[{index}]"
        reference = check_object(entry, path)
        if reference.get("type") == "item_reference":
            check_keys(reference, ("type", "id"), path)
            item = conversation.get(check_string(require(reference, "id", path), f"{path}.id"))
            if item is None:
                raise Rejected("invalid_value", f"Item with id {reference['id']!r:.80} not found.", path)
            items.append(item)
        else:
            items.append(read_item(reference, path, stamp, settings["audio"]["input"]["format"]))
    return items


def _read_audio(audio: Json, audio_format: Json, voice: str | Json, voice_locked: bool) -> tuple[Json, str | Json]:
    check_keys(audio, ("output",), "response.audio")
    base = "response.audio.output"
    output = check_object(audio.get("output", {}), base)
    check_keys(output, ("format", "voice"), base)
    if "format" in output:
        audio_format = check_format(output["format"], f"{base}.format")
    if "voice" in output:
        chosen = check_voice(output["voice"], f"{base}.voice")
        if voice_locked and chosen != voice:
            raise Rejected(
                "cannot_update_voice",
                "Cannot update a conversation's voice if assistant audio is present.",
                f"{base}.voice",
            )
        voice = chosen
    return audio_format, voice


def _check_metadata(value: object, param: str) -> Json:
    metadata = check_object(value, param)
    if len(metadata) > 16:
        raise Rejected(
            "object_above_max_properties", f"Invalid '{param}': at most 16 pairs, but got {len(metadata)}.", param
        )
    for key, entry in metadata.items():
        check_string(entry, f"{param}.{key[:64]}")
    return metadata
