"""Tools: functions that a model may call."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, overload

import attrs
import docstring_parser
import msgspec

from realtime_actors.events import ToolSpec

from .errors import InvalidArguments, InvalidTool

__all__ = ["Tool", "frontend_tool", "tool"]

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TIMEOUT = 30.0

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what every provider takes


@attrs.frozen(eq=False)
class Tool:
    """A tool as the agent knows it. Make one with `@tool` or `frontend_tool`; call it as the function it is."""

    spec: ToolSpec
    timeout: float
    """Seconds until the model is told that the tool did not finish."""
    function: Callable[..., Any] | None
    """What runs; None when the frontend executes the tool."""
    is_async: bool
    _arguments: type[msgspec.Struct] | None = None

    @property
    def name(self) -> str:
        """The name by which the model calls it."""
        return self.spec.name

    def structure(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments for the function, made of what the model sent. Raises `InvalidArguments`."""
        if self._arguments is None:
            return dict(arguments)
        try:
            values = msgspec.convert(arguments, self._arguments)
        except msgspec.ValidationError as error:
            raise InvalidArguments(f"the arguments of {self.name} do not fit: {error}") from None
        return {field: getattr(values, field) for field in self._arguments.__struct_fields__}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        if self.function is None:
            raise TypeError(f"{self.name} is executed by the frontend")
        return self.function(*args, **kwargs)


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, timeout: float = DEFAULT_TIMEOUT
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function: `async def`, or a plain function, which then runs in a thread.

    Its parameters' annotations become the JSON Schema that the model is given, and what the model sends is
    structured to them; its docstring describes it, parameters included (Google, NumPy or reST style). What it
    returns is the result: text as it is, anything else as JSON. What it raises is told to the model. Raises
    `InvalidTool` when a parameter has no annotation or one that JSON cannot carry.
    """

    def make(target: Callable[..., Any]) -> Tool:
        return _tool_of(target, name, description, timeout)

    return make if function is None else make(function)


def frontend_tool(
    name: str, description: str, parameters: dict[str, Any] | None = None, *, timeout: float = DEFAULT_TIMEOUT
) -> Tool:
    """A tool that the frontend executes: it sees `AgentResponseToolUseDone` and answers with `ClientToolResult`.

    `parameters` is a JSON Schema of an object. Raises `InvalidTool` for a name or a schema that no model takes.
    """
    schema = parameters or {"type": "object", "properties": {}}
    try:
        msgspec.json.encode(schema)
    except TypeError as error:
        raise InvalidTool(f"{name}: parameters must be a JSON Schema: {error}") from error
    return Tool(ToolSpec(_checked_name(name), description, schema), timeout, None, is_async=True)


def as_text(value: Any) -> str:
    """A tool's return value as the model is given it."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def valid_text(text: str) -> str:
    """The text without what no wire can carry: lone surrogates, as in the name of a file that is not UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidTool(f"{name!r:.80} is no name for a tool: use up to 64 letters, digits, _ and -")
    return name


def _tool_of(function: Callable[..., Any], name: str | None, description: str | None, timeout: float) -> Tool:
    where = f"{getattr(function, '__qualname__', function)!s}"
    tool_name = _checked_name(name or getattr(function, "__name__", type(function).__name__))
    doc = docstring_parser.parse(inspect.getdoc(function) or "")
    described = {parameter.arg_name: parameter.description or "" for parameter in doc.params}
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise InvalidTool(f"{where}: {error}: the annotations must name importable types") from error
    except TypeError as error:
        raise InvalidTool(f"{where} is no function: write one with `def` or `async def` that calls it") from error
    fields: list[tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidTool(f"{where}: {parameter} cannot be a tool's parameter: name each one")
        if parameter.name not in hints:
            raise InvalidTool(f"{where}: annotate {parameter.name!r} with its type: the model is told it")
        annotation: Any = hints[parameter.name]
        if described.get(parameter.name):
            annotation = Annotated[annotation, msgspec.Meta(description=described[parameter.name])]
        default = msgspec.NODEFAULT if parameter.default is parameter.empty else parameter.default
        fields.append((parameter.name, annotation, default))
    try:
        arguments = msgspec.defstruct(tool_name, fields, kw_only=True, forbid_unknown_fields=True)
        schema = _schema(arguments)
    except TypeError as error:
        raise InvalidTool(f"{where}: {error}") from error
    text = description or "\n\n".join(part for part in (doc.short_description, doc.long_description) if part)
    return Tool(ToolSpec(tool_name, text, schema), timeout, function, inspect.iscoroutinefunction(function), arguments)


def _schema(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of an object with these fields; types used in it stand under `$defs`."""
    (reference,), components = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    schema: dict[str, Any] = dict(components.pop(reference["$ref"].rpartition("/")[2]))
    schema.pop("title", None)
    schema.setdefault("properties", {})
    if components:
        schema["$defs"] = dict(components)
    return schema
