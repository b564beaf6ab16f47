"""Tools: functions that a model may call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict, TypeVar, Unpack, get_args, overload

import attrs
import docstring_parser
import msgspec

from realtime_actors.events import ToolSpec

from .errors import InvalidArguments, InvalidTool
from .parameters import Parameters, parameters_of

__all__ = ["Duplicates", "OnInterruption", "Tool", "ToolOptions", "frontend_tool", "tool"]

F = TypeVar("F", bound=Callable[..., Any])

OnInterruption = Literal["cancel", "finish"]
"""What becomes of a call when the reply that made it is interrupted or cancelled."""

Duplicates = Literal["run", "join", "refuse"]
"""What becomes of a call while another one with the same name and arguments is carried out."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what every provider takes


class ToolOptions(TypedDict, total=False):
    """How the calls of a tool are carried out: the keyword arguments of `tool`, `frontend_tool` and `mcp_tools`."""

    timeout: float
    """Seconds until the model is told that the tool did not finish. 30 unless told otherwise."""
    on_interruption: OnInterruption
    """`"cancel"` (the default): a call ends with the reply that made it. `"finish"`: it goes on, and the model is
    given its result for its next reply; the result by itself asks for none."""
    duplicates: Duplicates
    """`"run"` (the default): the same call is carried out again. `"join"`: it gets the result of the one that runs.
    `"refuse"`: the model is told that it runs already."""
    needs_approval: bool | Callable[[Mapping[str, Any]], bool]
    """Whether a call waits until a frontend has allowed it; or what decides that, given the arguments by name."""
    approval_timeout: float
    """Seconds until a call that nobody allowed is refused. 60 unless told otherwise."""


@attrs.frozen(eq=False)
class Tool:
    """A tool as the agent knows it. Make one with `@tool` or `frontend_tool`; call it as the function it is."""

    spec: ToolSpec
    function: Callable[..., Any] | None
    """What runs; None when the frontend executes the tool."""
    is_async: bool = True
    timeout: float = 30.0
    """Seconds until the model is told that the tool did not finish, from when it was allowed to begin."""
    on_interruption: OnInterruption = "cancel"
    duplicates: Duplicates = "run"
    needs_approval: bool | Callable[[Mapping[str, Any]], bool] = False
    approval_timeout: float = 60.0
    """Seconds until a call that nobody allowed is refused."""
    parameters: Parameters | None = None
    """What the function takes; None where any object is passed on as keyword arguments."""
    progress: str | None = None
    """The keyword argument that takes the call's `Progress`, if there is one."""

    def __attrs_post_init__(self) -> None:
        for option, allowed in (("on_interruption", OnInterruption), ("duplicates", Duplicates)):
            if getattr(self, option) not in get_args(allowed):
                choices = " or ".join(map(repr, get_args(allowed)))
                raise InvalidTool(f"{self.name}: {option}={getattr(self, option)!r:.80}: choose {choices}")
        for option in ("timeout", "approval_timeout"):
            if not getattr(self, option) > 0:
                raise InvalidTool(f"{self.name}: {option}={getattr(self, option)!r:.80}: give seconds above 0")

    @property
    def name(self) -> str:
        """The name by which the model calls it."""
        return self.spec.name

    def structure(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments for the function, made of what the model sent. Raises `InvalidArguments`."""
        if self.parameters is None:
            return dict(arguments)
        try:
            return self.parameters.structure(arguments)
        except InvalidArguments as error:
            raise InvalidArguments(f"the arguments of {self.name} do not fit: {error}") from None

    def must_be_approved(self, arguments: Mapping[str, Any]) -> bool:
        """Whether a call with these arguments (as `structure` gives them) waits to be allowed."""
        return self.needs_approval(arguments) if callable(self.needs_approval) else self.needs_approval

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        if self.function is None:
            raise TypeError(f"{self.name} is executed by the frontend")
        return self.function(*args, **kwargs)


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, **options: Unpack[ToolOptions]
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    **options: Unpack[ToolOptions],
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function: `async def`, or a plain function, which then runs in a thread.

    Its parameters' annotations become the JSON Schema that the model is given, and what the model sends is
    structured to them; its docstring describes it, parameters included (Google, NumPy or reST style), as does
    `Annotated[…, "words"]`. A parameter annotated with `Progress` is not the model's: it is given the call's. What
    the function returns is the result: text as it is, anything else as JSON. What it raises is told to the model.
    `options` are those of `ToolOptions`. Raises `InvalidTool` when a parameter has no annotation or one that JSON
    cannot carry, or an option is none.
    """

    def make(target: Callable[..., Any]) -> Tool:
        where = f"{getattr(target, '__qualname__', target)!s}"
        tool_name = checked_name(name or getattr(target, "__name__", type(target).__name__))
        doc = docstring_parser.parse(inspect.getdoc(target) or "")
        described = {parameter.arg_name: parameter.description or "" for parameter in doc.params}
        parameters = parameters_of(target, where, described)
        text = description or "\n\n".join(part for part in (doc.short_description, doc.long_description) if part)
        spec = ToolSpec(tool_name, text, parameters.schema)
        is_async = inspect.iscoroutinefunction(target)
        return Tool(spec, target, is_async, parameters=parameters, progress=parameters.progress, **options)

    return make if function is None else make(function)


def frontend_tool(
    name: str, description: str, parameters: dict[str, Any] | None = None, **options: Unpack[ToolOptions]
) -> Tool:
    """A tool that the frontend executes: it sees `AgentResponseToolUseDone` and answers with `ClientToolResult`.

    `parameters` is a JSON Schema of an object. The frontend has `timeout` seconds to answer; one that waits to be
    approved is for the frontend to execute when it has approved it. Raises `InvalidTool` for a name or a schema that no
    model takes.
    """
    schema = parameters or {"type": "object", "properties": {}}
    try:
        msgspec.json.encode(schema)
    except TypeError as error:
        raise InvalidTool(f"{name}: parameters must be a JSON Schema: {error}") from error
    return Tool(ToolSpec(checked_name(name), description, schema), None, **options)


def checked_name(name: str) -> str:
    """The name, if it is one that every model takes. Raises `InvalidTool`."""
    if not _NAME.fullmatch(name):
        raise InvalidTool(f"{name!r:.80} is no name for a tool: use up to 64 letters, digits, _ and -")
    return name
