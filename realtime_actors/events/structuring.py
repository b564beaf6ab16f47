"""Plain values ⇄ events: the cattrs hooks, strict about what comes from outside.

A hook that meets a wrong value raises `DecodeError` saying what was expected and what came. Where in the
event that was is put before it once, at the top, from the notes that cattrs leaves on an error on its way up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from .client import ClientAudioAppend, ClientImageAppend
from .content import PCM_16K, PCM_24K, AudioFormat, Base64Source, Blob, ContentBlock, UrlSource
from .errors import DecodeError

__all__ = ["MAX_VALUES", "json_converter", "msgpack_converter", "shorten", "structurer"]

T = TypeVar("T")
Structure = Callable[[Any, Any], T]

MAX_VALUES = 1_000
"""How many values a free-form object (a session's `config`, a call's `input`) may hold."""

MAX_DEPTH = 32
"""How deep a free-form object may be nested; `repr`, comparison and the encoders give up at a few hundred."""

MAX_BLOCKS = 200
"""How many content blocks a tool's result may have."""

MIN_RATE, MAX_RATE = 8_000, 48_000
"""The sample rates that are accepted, in Hz."""

PCM_NAMES = ("audio/pcm", "pcm", "pcm16")
"""What a `format` may call PCM16 little-endian mono."""

_SHOWN = 60  # characters of a value in an error message


def shorten(value: object) -> str:
    """A value as an error message shows it: a few characters of a scalar, only the kind of anything else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        text = repr(value[: _SHOWN + 1] if isinstance(value, str) else value)
        return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else type(value).__name__


def _wrong(expected: str, value: object) -> DecodeError:
    return DecodeError(f"expected {expected}, got {shorten(value)}")


def _strict(kind: type[T], name: str) -> Structure[T]:
    """A hook for values of exactly this type: a bool is no integer."""

    def structure(value: Any, _: Any) -> T:
        if type(value) is kind:
            return value
        raise _wrong(name, value)

    return structure


_string = _strict(str, "a string")
_integer = _strict(int, "an integer")


def _object(value: object) -> dict[str, Any]:
    if type(value) is dict:
        return cast("dict[str, Any]", value)
    raise _wrong("an object", value)


def _number(value: Any, _: Any) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    raise _wrong("a number", value)


def _strings(value: Any, _: Any) -> dict[str, str]:
    for key, text in _object(value).items():
        if type(key) is not str or type(text) is not str:
            raise DecodeError(f"expected an object of strings, got {shorten(text)} under {shorten(key)}")
    return value


def _numbers(value: Any, _: Any) -> dict[str, float]:
    for key, number in _object(value).items():
        if type(key) is not str or type(number) not in (int, float):
            raise DecodeError(f"expected an object of numbers, got {shorten(number)} under {shorten(key)}")
    return value


def _free_form(value: Any, _: Any) -> dict[str, Any]:
    """An object of whatever JSON can say, which msgpack can overstep: so that any wire can carry it on."""
    level: list[object] = [_object(value)]
    count = 0
    for _ in range(MAX_DEPTH + 1):
        count += len(level)
        if count > MAX_VALUES:
            raise DecodeError(f"expected an object of at most {MAX_VALUES} values, got more")
        below: list[object] = []
        for item in level:
            if type(item) is dict:
                members = cast("dict[object, object]", item)
                for key in members:
                    if type(key) is not str:
                        raise _wrong("strings as an object's keys", key)
                below.extend(members.values())
            elif type(item) is list:
                below.extend(cast("list[object]", item))
            elif type(item) not in (str, int, float, bool, NoneType):
                raise _wrong("what JSON can say", item)
            elif type(item) is float and not math.isfinite(item):
                raise _wrong("a finite number", item)
        if not below:
            return value
        level = below
    raise DecodeError(f"expected an object nested at most {MAX_DEPTH} deep, got a deeper one")


def _audio_format(value: Any, _: Any) -> AudioFormat:
    members = _object(value)
    name = members.get("type", members.get("encoding"))
    if name not in PCM_NAMES:
        raise _wrong(f"`type` (or `encoding`) to be one of {', '.join(PCM_NAMES)}", name)
    rate = members.get("rate", members.get("sample_rate"))
    if type(rate) is not int or not MIN_RATE <= rate <= MAX_RATE:
        raise _wrong(f"`rate` (or `sample_rate`) to be an integer from {MIN_RATE} to {MAX_RATE} Hz", rate)
    return PCM_16K if rate == PCM_16K.rate else PCM_24K if rate == PCM_24K.rate else AudioFormat(rate=rate)


def _blob_of_base64(value: Any, _: Any) -> Blob:
    return Blob(base64=_string(value, None))


def _blob_of_valid_base64(value: Any, _: Any) -> Blob:
    return Blob(data=Blob(base64=_string(value, None)).data)


def _blob_of_bytes(value: Any, _: Any) -> Blob:
    if type(value) is bytes:
        return Blob(data=value)
    raise _wrong("raw bytes (bin; base64 is for JSON)", value)


def _class_hook(cls: type[T], converter: Converter, **overrides: Any) -> Structure[T]:
    fields = make_dict_structure_fn(cls, converter, _cattrs_use_alias=True, **overrides)

    def structure(value: Any, _: Any) -> T:
        return fields(_object(value), cls)

    return structure


def _image_hook(converter: Converter) -> Structure[ClientImageAppend]:
    structure = _class_hook(ClientImageAppend, converter)

    def either(value: Any, _: Any) -> ClientImageAppend:
        # AgentScope 1.0.21 declares `image`; frontends in the field send `data`.
        members = _object(value)
        if "image" not in members and "data" in members:
            members = {**members, "image": members["data"]}
        return structure(members, None)

    return either


def _output_hook(converter: Converter) -> Structure[str | list[ContentBlock]]:
    block: Structure[ContentBlock] = _tagged_hook(converter, ContentBlock, "a content block")

    def structure(value: Any, _: Any) -> str | list[ContentBlock]:
        if type(value) is str:
            return value
        if type(value) is not list:
            raise _wrong("a string or a list of content blocks", value)
        items = cast("list[object]", value)
        if len(items) > MAX_BLOCKS:
            raise DecodeError(f"expected at most {MAX_BLOCKS} content blocks, got {len(items)}")
        blocks: list[ContentBlock] = []
        for index, item in enumerate(items):
            try:
                blocks.append(block(item, None))
            except (ClassValidationError, DecodeError) as error:
                error.add_note(IterableValidationNote(f"block {index}", index, ContentBlock))
                raise
        return blocks

    return structure


def _list_hook(kind: Any, converter: Converter) -> Structure[list[Any]]:
    (member,) = get_args(kind)
    hook = converter.get_structure_hook(member)

    def structure(value: Any, _: Any) -> list[Any]:
        if type(value) is not list:
            raise _wrong("a list", value)
        items = cast("list[object]", value)
        structured: list[Any] = []
        for index, item in enumerate(items):
            try:
                structured.append(hook(item, member))
            except (ClassValidationError, DecodeError) as error:
                error.add_note(IterableValidationNote(f"item {index}", index, kind))
                raise
        return structured

    return structure


def _tagged_hook(converter: Converter, union: Any, name: str) -> Structure[Any]:
    """A hook for one of several classes, told apart by `type`."""
    hooks = {cls.type: converter.get_structure_hook(cls) for cls in get_args(union)}

    def structure(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise _wrong(f"{name} (an object with a `type`)", value)
        members = cast("dict[str, Any]", value)
        tag = members.get("type")
        hook = hooks.get(tag) if type(tag) is str else None
        if hook is None:
            shown = shorten(tag) if "type" in members else "none"
            raise DecodeError(f"{name} has as its `type` one of {', '.join(hooks)}; got {shown}")
        return hook(members, None)

    return structure


def structurer(converter: Converter, union: Any, name: str) -> Callable[[object], Any]:
    """A function that makes one of the `union`'s events of a plain value, and raises only `DecodeError`."""
    structure = _tagged_hook(converter, union, name)

    def checked(value: object) -> Any:
        try:
            return structure(value, None)
        except ClassValidationError as error:
            raise _located(cast("dict[str, str]", value)["type"], error) from None

    return checked


def _located(path: str, error: Exception) -> Exception:
    """The first error within `error`, with the path to it in the event as the wire names it."""
    cls: type | None = None
    while True:
        for note in reversed(getattr(error, "__notes__", [])):
            if isinstance(note, IterableValidationNote):
                path += f"[{note.index}]"
            elif isinstance(note, AttributeValidationNote) and cls is not None:
                path += "." + getattr(attrs.fields(cls), note.name).alias
        if not isinstance(error, ClassValidationError):
            break
        cls, error = error.cl, error.exceptions[0]
    if isinstance(error, KeyError):
        return DecodeError(f"{path} is missing")
    if isinstance(error, DecodeError):
        return type(error)(f"{path}: {error}")
    return error  # of no hook of ours: a fault in this module


def _converter(blob: Structure[Blob], carry: Callable[[Blob], str | bytes]) -> Converter:
    converter = Converter(detailed_validation=True)

    def class_hook(cls: Any) -> Structure[Any]:
        return _class_hook(cls, converter)

    converter.register_structure_hook(str, _string)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _strict(bool, "true or false"))
    converter.register_structure_hook(bytes, _strict(bytes, "raw bytes"))
    converter.register_structure_hook_func(lambda kind: kind == dict[str, str], _strings)
    converter.register_structure_hook_func(lambda kind: kind == dict[str, float], _numbers)
    converter.register_structure_hook_func(lambda kind: kind == dict[str, Any], _free_form)
    converter.register_structure_hook_factory(attrs.has, class_hook)

    def list_hook(kind: Any) -> Structure[list[Any]]:
        return _list_hook(kind, converter)

    converter.register_structure_hook_factory(lambda kind: get_origin(kind) is list, list_hook)
    converter.register_structure_hook(AudioFormat, _audio_format)
    converter.register_structure_hook(Blob, blob)
    converter.register_structure_hook_func(
        lambda kind: kind == Base64Source | UrlSource,
        _tagged_hook(converter, Base64Source | UrlSource, "a source"),
    )
    converter.register_structure_hook_func(lambda kind: kind == str | list[ContentBlock], _output_hook(converter))

    def speech(value: Any, kind: Any) -> Blob:
        audio = blob(value, kind)
        audio.pcm  # noqa: B018 - raises InvalidAudio: a client's audio is checked when it arrives
        return audio

    converter.register_structure_hook(
        ClientAudioAppend, _class_hook(ClientAudioAppend, converter, payload=override(struct_hook=speech))
    )
    converter.register_structure_hook(ClientImageAppend, _image_hook(converter))

    def unstructure_hook(cls: Any) -> Callable[[Any], dict[str, Any]]:
        fields = make_dict_unstructure_fn(cls, converter, _cattrs_use_alias=True)
        tag = getattr(cls, "type", None)
        if tag is None:  # a part of events, which needs no tag
            return fields
        return lambda value: {"type": tag, **fields(value)}

    def unstructure_output(output: str | list[ContentBlock]) -> str | list[Any]:
        return output if isinstance(output, str) else [converter.unstructure(block) for block in output]

    converter.register_unstructure_hook_factory(attrs.has, unstructure_hook)
    converter.register_unstructure_hook(AudioFormat, lambda kind: {"type": kind.type, "rate": kind.rate})
    converter.register_unstructure_hook(Blob, carry)
    converter.register_unstructure_hook_func(lambda kind: kind == str | list[ContentBlock], unstructure_output)
    for free in (
        dict[str, Any],
        dict[str, str],
        dict[str, float],
    ):  # as they are: the encoders write plain values themselves
        converter.register_unstructure_hook_func(lambda kind, free=free: kind == free, lambda value: value)
    return converter


def json_converter(*, validate: bool) -> Converter:
    """Media is base64 text: decoded at once with `validate`, else left unopened until it is read."""
    return _converter(_blob_of_valid_base64 if validate else _blob_of_base64, lambda blob: blob.base64)


def msgpack_converter() -> Converter:
    """Media is raw bytes."""
    return _converter(_blob_of_bytes, lambda blob: blob.data)
