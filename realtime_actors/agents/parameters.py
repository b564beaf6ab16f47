"""A tool's parameters: the JSON Schema that the model is given, and what the model sends made to fit them."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, cast

import attrs
import docstring_parser
import msgspec

from .errors import InvalidArguments, InvalidTool
from .progress import Progress
from .results import valid_text

__all__ = ["Parameters", "parameters_of"]

Schema = dict[str, Any]

_PLACE = re.compile(r"^(.*) - at `(?:key` in `)?\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_OF_ANOTHER_TYPE = re.compile(r"Expected `[^`]*`, got `[^`]*`|Invalid enum value .*", re.DOTALL)
_SHOWN = 60  # characters of a value in an error message
_FORMATS = {
    "date": "a date (YYYY-MM-DD)",
    "date-time": "a time (YYYY-MM-DDThh:mm:ssZ)",
    "time": "a time of day (hh:mm:ss)",
    "duration": "a duration (ISO 8601, as PT15M)",
    "uuid": "a UUID",
    "decimal": "a decimal number as a string",
}
_TYPES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_BOUNDS = {
    "minimum": ">= {}",
    "maximum": "<= {}",
    "exclusiveMinimum": "> {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minLength": "of at least {} characters",
    "maxLength": "of at most {} characters",
    "pattern": "that matches {}",
}


@attrs.frozen(eq=False)
class Parameters:
    """The parameters of a function that the model fills in, and the one that takes its `Progress`, if it has one."""

    schema: Schema
    """A JSON Schema of an object."""
    progress: str | None
    _struct: type[msgspec.Struct]
    _annotations: dict[str, Any]

    def structure(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments for the function. Raises `InvalidArguments`, which names every one that does not fit."""
        try:
            values = msgspec.convert(arguments, self._struct)
        except msgspec.ValidationError:
            # Models, and the wires that they write on, say 5.0 where they mean 5.
            arguments = cast("dict[str, Any]", _integers(arguments))
            try:
                values = msgspec.convert(arguments, self._struct)
            except msgspec.ValidationError as error:
                problems = self._problems(arguments) or [str(error)]
                raise InvalidArguments("; ".join(problems)) from None
        return {name: getattr(values, name) for name in self._annotations}

    def _problems(self, arguments: Mapping[str, Any]) -> list[str]:
        properties: dict[str, Schema] = self.schema["properties"]
        known = ", ".join(properties) or "no arguments"
        problems = [f"there is no {name!r:.80}, but {known}" for name in arguments if name not in properties]
        for name, annotation in self._annotations.items():
            if name not in arguments:
                if name in self.schema.get("required", ()):
                    problems.append(f"{name} is missing: expected {self._expected(properties[name])}")
                continue
            try:
                msgspec.convert(arguments[name], annotation)
            except msgspec.ValidationError as error:
                problems.append(self._problem(name, arguments[name], str(error)))
        return problems

    def _problem(self, name: str, value: Any, message: str) -> str:
        """What is wrong with an argument: where in it, what was expected there, and what there is."""
        schema: Schema = self.schema["properties"][name]
        found = _PLACE.match(message)
        words, path = found.groups() if found else (message, "")
        for key, index in _STEP.findall(path):
            schema = self._below(schema, key)
            try:
                value = value[key] if key else value[int(index)]
            except (KeyError, IndexError, ValueError, TypeError):
                value = ...  # a value of an object with any keys
        if not _OF_ANOTHER_TYPE.fullmatch(words) or not schema:
            return f"{name}{path}: {words}"
        got = "" if value is ... else f", got {_shown(value)}"
        return f"{name}{path}: expected {self._expected(schema)}{got}"

    def _below(self, schema: Schema, key: str) -> Schema:
        """The schema of a member, or of the elements. Empty where there may be several."""
        schema = self._resolved(schema)
        if key:
            return schema.get("properties", {}).get(key, {})
        below = schema.get("items") or schema.get("additionalProperties")
        return cast("Schema", below) if isinstance(below, dict) else {}

    def _resolved(self, schema: Schema) -> Schema:
        reference = schema.get("$ref")
        return self.schema["$defs"][reference.rpartition("/")[2]] if reference else schema

    def _expected(self, schema: Schema) -> str:
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return " or ".join(self._expected(each) for each in schema["anyOf"])
        if "enum" in schema:
            return f"one of {', '.join(map(_shown, schema['enum']))}"
        if "const" in schema:
            return _shown(schema["const"])
        kind = str(schema.get("type", ""))
        words = _FORMATS.get(str(schema.get("format"))) or _TYPES.get(kind, "something else")
        if kind == "object" and schema.get("properties"):
            words = f"an object with {', '.join(schema['properties'])}"
        bounds = [form.format(schema[name]) for name, form in _BOUNDS.items() if name in schema]
        return " ".join([words, *bounds[:1]]) + "".join(f" and {bound}" for bound in bounds[1:])


def parameters_of(function: Callable[..., Any], where: str, described: Mapping[str, str]) -> Parameters:
    """The parameters of a function; `described` has what its docstring says of them.

    Raises `InvalidTool` for one without an annotation, or with one that JSON cannot carry.
    """
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise InvalidTool(f"{where}: {error}: the annotations must name importable types") from error
    except TypeError as error:
        raise InvalidTool(f"{where} is no function: write one with `def` or `async def` that calls it") from error
    fields: list[tuple[str, Any, Any]] = []
    progress: str | None = None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidTool(f"{where}: {parameter} cannot be a tool's parameter: name each one")
        if parameter.name not in hints:
            raise InvalidTool(f"{where}: annotate {parameter.name!r} with its type: the model is told it")
        if Progress in (hints[parameter.name], *typing.get_args(hints[parameter.name])):
            progress = parameter.name
            continue
        annotation: Any = _with_descriptions(hints[parameter.name])
        if described.get(parameter.name):
            annotation = Annotated[annotation, msgspec.Meta(description=described[parameter.name])]
        default = msgspec.NODEFAULT if parameter.default is parameter.empty else parameter.default
        fields.append((parameter.name, annotation, default))
    try:
        struct = msgspec.defstruct("arguments", fields, kw_only=True, forbid_unknown_fields=True)
        schema = _schema(struct)
    except (TypeError, NameError) as error:
        raise InvalidTool(f"{where}: {error}") from error
    annotations = {name: annotation for name, annotation, _ in fields}
    _describe(schema.get("$defs", {}), annotations.values())
    return Parameters(schema, progress, struct, annotations)


def _schema(struct: type[msgspec.Struct]) -> Schema:
    """The JSON Schema of an object with these fields; types used in it stand under `$defs`."""
    (reference,), components = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    schema: Schema = dict(components.pop(reference["$ref"].rpartition("/")[2]))
    schema.pop("title", None)
    schema.setdefault("properties", {})
    if components:
        schema["$defs"] = {name: dict(component) for name, component in components.items()}
    return schema


def _with_descriptions(annotation: Any) -> Any:
    """The annotation with `Annotated[…, "words"]` as a description, at any depth of lists, unions and so on."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        extras = [msgspec.Meta(description=each) if isinstance(each, str) else each for each in args[1:]]
        return Annotated[(_with_descriptions(args[0]), *extras)]
    if origin is None or origin is Literal or not args:
        return annotation
    described = tuple(map(_with_descriptions, args))
    return Union[described] if origin in (Union, types.UnionType) else origin[described]  # noqa: UP007 - any number


def _describe(definitions: dict[str, Schema], annotations: typing.Iterable[Any]) -> None:
    """Say what the fields of classes are for, as their annotations and docstrings do."""
    seen: set[type] = set()
    left = list(annotations)
    while left:
        annotation = left.pop()
        left += typing.get_args(annotation)
        if not isinstance(annotation, type) or annotation in seen or annotation.__name__ not in definitions:
            continue
        seen.add(annotation)
        definition = definitions[annotation.__name__]
        if "properties" not in definition:
            continue
        doc = docstring_parser.parse(inspect.getdoc(annotation) or "")
        if "description" in definition:
            definition["description"] = _summary(doc)
        described = {parameter.arg_name: parameter.description or "" for parameter in doc.params}
        hints = typing.get_type_hints(annotation, include_extras=True)
        left += hints.values()
        for name, schema in definition["properties"].items():
            words = [each for each in typing.get_args(hints.get(name))[1:] if isinstance(each, str)]
            description = (words if typing.get_origin(hints.get(name)) is Annotated else []) or [described.get(name)]
            if description[0] and "description" not in schema:
                definition["properties"][name] = {**schema, "description": description[0]}


def _summary(doc: docstring_parser.Docstring) -> str:
    return "\n\n".join(part for part in (doc.short_description, doc.long_description) if part)


def _integers(value: Any) -> Any:
    """The same with whole numbers as integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _integers(each) for key, each in cast("dict[str, Any]", value).items()}
    return [_integers(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = msgspec.json.encode(valid_text(value) if isinstance(value, str) else value).decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
