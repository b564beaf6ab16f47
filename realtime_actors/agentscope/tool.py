"""The toolkit, used as `agentscope.tool.Toolkit` is."""

from __future__ import annotations

import functools
import inspect
import logging
import typing
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Literal, NoReturn, cast

import attrs
import docstring_parser
import msgspec

from realtime_actors.agents import tool

from .errors import NotSupported
from .message import TextBlock, ToolUseBlock
from .missing import missing

__all__ = ["RegisteredToolFunction", "ToolResponse", "Toolkit"]

log = logging.getLogger("realtime_actors.agentscope")

_NOT_HERE: dict[str, str] = {
    **dict.fromkeys(
        ("execute_python_code", "execute_shell_command", "view_text_file", "write_text_file", "insert_text_file"),
        "it runs or reads whatever a model says: write a function of your own that does what you mean to allow",
    ),
    **dict.fromkeys(
        (
            "dashscope_text_to_image",
            "dashscope_text_to_audio",
            "dashscope_image_to_text",
            "openai_text_to_image",
            "openai_text_to_audio",
            "openai_edit_image",
            "openai_create_image_variation",
            "openai_image_to_text",
            "openai_audio_to_text",
        ),
        "it is AgentScope's: import it from there, and register it here",
    ),
}


__getattr__ = missing(__name__, _NOT_HERE)


@attrs.define
class ToolResponse:
    """What a function gives, or what it has so far."""

    content: list[Any]
    """Content blocks."""
    metadata: dict[str, Any] | None = None
    stream: bool = False
    is_last: bool = True
    is_interrupted: bool = False
    id: str = attrs.field(factory=lambda: uuid.uuid4().hex)


Postprocess = Callable[[ToolUseBlock, ToolResponse], Any]


@attrs.define
class RegisteredToolFunction:
    """A function of a toolkit."""

    name: str
    original_func: Callable[..., Any]
    json_schema: dict[str, Any]
    """`{"type": "function", "function": {"name", "description", "parameters"}}`."""
    preset_kwargs: Mapping[str, Any]
    """Arguments that the model knows nothing of."""
    postprocess_func: Postprocess | None


class Toolkit:
    """Functions that a model may call.

    They may be plain or asynchronous, and generators of either kind, whose last response counts. They run in the event
    loop of the application, plain ones too: what takes long in those belongs into `asyncio.to_thread`.
    """

    def __init__(self) -> None:
        self.tools: dict[str, RegisteredToolFunction] = {}

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"this Toolkit has no {name}: groups, MCP clients, skills and middlewares are AgentScope's. "
            "Its own Toolkit can be given to the agent instead of this one"
        )

    def register_tool_function(  # noqa: PLR0917 - AgentScope's signature
        self,
        tool_func: Callable[..., Any],
        group_name: str = "basic",
        preset_kwargs: Mapping[str, Any] | None = None,
        func_name: str | None = None,
        func_description: str | None = None,
        json_schema: dict[str, Any] | None = None,
        include_long_description: bool = True,
        include_var_positional: bool = False,
        include_var_keyword: bool = False,
        postprocess_func: Postprocess | None = None,
        namesake_strategy: Literal["raise", "override", "skip", "rename"] = "raise",
        async_execution: bool = False,
    ) -> None:
        """Add a function. What the model is told of it is from its annotations and its docstring, or `json_schema`.

        `preset_kwargs` are given to it with each call, and may be set by `functools.partial` as well. What
        `postprocess_func` returns, unless it is `None`, replaces a response. Raises `ValueError` for a name that is
        taken (see `namesake_strategy`), `InvalidTool` for a function that no model can call, and `NotSupported`.
        """
        if group_name != "basic" or include_var_positional or include_var_keyword or async_execution:
            raise NotSupported(
                "groups, variable arguments and async_execution are AgentScope's: its own Toolkit can be given to the "
                "agent instead of this one"
            )
        preset = dict(preset_kwargs or {})
        if isinstance(tool_func, functools.partial):
            partial = cast("functools.partial[Any]", tool_func)
            tool_func = partial.func
            bound = inspect.signature(tool_func).bind_partial(*partial.args, **partial.keywords)
            preset = {**bound.arguments, **preset}
        name = func_name or tool_func.__name__
        if json_schema is None:
            json_schema = _schema(tool_func, name, preset, with_long_description=include_long_description)
        function = {**json_schema["function"], "name": name}
        if func_description:
            function["description"] = func_description
        if name in self.tools:
            if namesake_strategy == "raise":
                raise ValueError(f"a function named {name!r} is registered already: give one another func_name")
            log.warning("a function named %r is registered already: %s", name, namesake_strategy)
            if namesake_strategy == "skip":
                return
            if namesake_strategy == "rename":
                name = function["name"] = f"{name}_{uuid.uuid4().hex[:5]}"
        schema = {"type": "function", "function": function}
        self.tools[name] = RegisteredToolFunction(name, tool_func, schema, preset, postprocess_func)

    def remove_tool_function(self, tool_name: str, allow_not_exist: bool = True) -> None:
        """Remove a function. Raises `ValueError` when there is none of this name and that is not allowed."""
        if self.tools.pop(tool_name, None) is None and not allow_not_exist:
            raise ValueError(f"no function named {tool_name!r} is registered")

    def clear(self) -> None:
        """Remove all functions."""
        self.tools.clear()

    def get_json_schemas(self) -> list[dict[str, Any]]:
        """What a model is told of the functions."""
        return [each.json_schema for each in self.tools.values()]

    async def call_tool_function(self, tool_call: ToolUseBlock) -> AsyncGenerator[ToolResponse]:
        """Carry out a call: `async for response in await toolkit.call_tool_function(block)`.

        What the function raises comes as a response that says so.
        """
        return self._responses(tool_call)

    async def _responses(self, call: ToolUseBlock) -> AsyncGenerator[ToolResponse]:
        registered = self.tools.get(call["name"])
        if registered is None:
            names = ", ".join(self.tools) or "none"
            yield _text(f"Error: there is no tool named {call['name']!r}; there are: {names}.")
            return
        try:
            async for value in _values(registered.original_func(**{**registered.preset_kwargs, **call["input"]})):
                response = value if isinstance(value, ToolResponse) else _text(_as_text(value))
                if registered.postprocess_func is not None:
                    changed = registered.postprocess_func(call, response)
                    response = (await changed if inspect.isawaitable(changed) else changed) or response
                yield response
        except Exception as error:
            log.exception("the tool %s failed", registered.name)
            yield _text(f"Error: {type(error).__name__}: {error}")


async def _values(result: Any) -> AsyncIterator[Any]:
    """What a call gave, whatever the kind of the function."""
    if isinstance(result, AsyncIterator):
        async for each in cast("AsyncIterator[Any]", result):
            yield each
    elif isinstance(result, Iterator):
        for each in cast("Iterator[Any]", result):
            yield each
    else:
        yield await result if inspect.isawaitable(result) else result


def _text(text: str) -> ToolResponse:
    return ToolResponse([TextBlock(type="text", text=text)])


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _schema(
    function: Callable[..., Any], name: str, preset: Mapping[str, Any], *, with_long_description: bool
) -> dict[str, Any]:
    """What the model is told: all parameters that it is to fill in. One without an annotation takes anything."""

    def described() -> None:
        """Stands for the function, with the parameters that the model sees."""

    signature = inspect.signature(function)
    shown = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.name not in preset and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    hints = typing.get_type_hints(function, include_extras=True)
    doc = docstring_parser.parse(inspect.getdoc(function) or "")
    parts = (doc.short_description, doc.long_description if with_long_description else None)
    described.__signature__ = signature.replace(parameters=shown)  # pyright: ignore[reportFunctionMemberAccess] - inspect reads it
    described.__annotations__ = {parameter.name: hints.get(parameter.name, Any) for parameter in shown}
    described.__doc__ = inspect.getdoc(function)
    described.__qualname__ = getattr(function, "__qualname__", name)
    spec = tool(name=name, description="\n".join(part for part in parts if part) or name)(described).spec
    return {
        "type": "function",
        "function": {"name": name, "description": spec.description, "parameters": spec.parameters},
    }
