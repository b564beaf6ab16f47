"""The toolkit: what a model is told of functions, and how they are called."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest

from realtime_actors.agents import InvalidTool
from realtime_actors.agentscope import NotSupported, TextBlock, Toolkit, ToolResponse, ToolUseBlock


def said(text: str) -> ToolResponse:
    return ToolResponse(content=[TextBlock(type="text", text=text)])


def called(toolkit: Toolkit, name: str, **arguments: Any) -> list[ToolResponse]:
    """All responses of a call."""

    async def call() -> list[ToolResponse]:
        block = ToolUseBlock(type="tool_use", id="call_1", name=name, input=arguments)
        return [response async for response in await toolkit.call_tool_function(block)]

    return asyncio.run(call())


def last(toolkit: Toolkit, name: str, **arguments: Any) -> str:
    return called(toolkit, name, **arguments)[-1].content[0]["text"]


def book(seat: str, count: int = 1, who: Any = None, note: str = "", *rest: str, **more: str) -> ToolResponse:
    """Book seats.

    They cannot be given back.

    Args:
        seat: Which one.
        count (int): How many.
    """
    return said(f"{seat} {count} {who} {note}")


del book.__annotations__["note"]  # AgentScope's functions need none


def schema_of(toolkit: Toolkit) -> dict[str, Any]:
    (schema,) = toolkit.get_json_schemas()
    assert schema["type"] == "function"
    return schema["function"]


def test_a_function_is_described_by_its_annotations_and_docstring() -> None:
    """In the form that AgentScope gives to models; parameters without an annotation take anything."""
    toolkit = Toolkit()
    toolkit.register_tool_function(book)
    function = schema_of(toolkit)
    assert function["name"] == "book"
    assert function["description"] == "Book seats.\nThey cannot be given back."
    parameters = function["parameters"]
    assert list(parameters["properties"]) == ["seat", "count", "who", "note"]
    assert parameters["properties"]["seat"] == {"type": "string", "description": "Which one."}
    assert parameters["properties"]["count"]["default"] == 1
    assert "type" not in parameters["properties"]["note"]
    assert parameters["required"] == ["seat"]


def test_a_description_can_be_given_or_shortened() -> None:
    """By the arguments that AgentScope has for it."""
    toolkit = Toolkit()
    toolkit.register_tool_function(book, func_name="reserve", include_long_description=False)
    assert (schema_of(toolkit)["name"], schema_of(toolkit)["description"]) == ("reserve", "Book seats.")
    toolkit.clear()
    schema: dict[str, Any] = {"type": "function", "function": {"name": "x", "parameters": {"type": "object"}}}
    toolkit.register_tool_function(book, func_description="Books.", json_schema=schema)
    assert schema_of(toolkit) == {"name": "book", "description": "Books.", "parameters": {"type": "object"}}
    assert schema["function"]["name"] == "x"


def test_preset_arguments_are_not_the_model_s_business() -> None:
    """Given by name, or by `functools.partial`, whatever they are."""
    toolkit = Toolkit()
    toolkit.register_tool_function(functools.partial(book, "1a", who=object), preset_kwargs={"count": 2})
    assert list(schema_of(toolkit)["parameters"]["properties"]) == ["note"]
    assert last(toolkit, "book", note="x") == "1a 2 <class 'object'> x"


async def waits() -> ToolResponse:
    await asyncio.sleep(0)
    return said("waited")


async def streams() -> AsyncGenerator[ToolResponse]:
    yield said("a")
    await asyncio.sleep(0)
    yield said("ab")


def generates() -> Generator[ToolResponse]:
    yield said("a")
    yield said("ab")


async def gives_stream() -> AsyncGenerator[ToolResponse]:
    await asyncio.sleep(0)
    return streams()


def gives_text() -> str:
    return "ab"


def gives_data() -> list[int]:
    return [1, 2]


@pytest.mark.parametrize(
    ("function", "texts"),
    [
        (waits, ["waited"]),
        (streams, ["a", "ab"]),
        (generates, ["a", "ab"]),
        (gives_text, ["ab"]),
        (gives_data, ["[1,2]"]),
    ],
)
def test_functions_of_every_kind_are_called(function: Callable[..., Any], texts: list[str]) -> None:
    """Plain and asynchronous ones, generators of both kinds, and what native tools may return."""
    toolkit = Toolkit()
    toolkit.register_tool_function(function)
    assert [each.content[0]["text"] for each in called(toolkit, function.__name__)] == texts


def test_a_response_may_be_processed_before_the_model_has_it() -> None:
    """By a plain or an asynchronous function; `None` leaves it as it is."""

    def louder(call: ToolUseBlock, response: ToolResponse) -> ToolResponse | None:
        return said(f"{call['id']} {response.content[0]['text'].upper()}")

    async def later(call: ToolUseBlock, response: ToolResponse) -> ToolResponse | None:
        await asyncio.sleep(0)
        return None

    toolkit = Toolkit()
    toolkit.register_tool_function(gives_text, postprocess_func=louder)
    toolkit.register_tool_function(waits, postprocess_func=later)
    assert last(toolkit, "gives_text") == "call_1 AB"
    assert last(toolkit, "waits") == "waited"


def breaks() -> Generator[ToolResponse]:
    """Breaks in the middle."""
    yield said("so far")
    raise ValueError("broken")


def test_what_goes_wrong_is_a_response() -> None:
    """So that the model can say so."""
    toolkit = Toolkit()
    toolkit.register_tool_function(breaks)
    toolkit.register_tool_function(book)
    assert last(toolkit, "breaks") == "Error: ValueError: broken"
    assert "there is no tool named 'gone'; there are: breaks, book" in last(toolkit, "gone")
    assert last(toolkit, "book", sea="1a").startswith("Error: TypeError")


def test_a_name_that_is_taken() -> None:
    """As `namesake_strategy` says."""
    toolkit = Toolkit()
    toolkit.register_tool_function(gives_text, func_name="it")
    with pytest.raises(ValueError, match="registered already"):
        toolkit.register_tool_function(waits, func_name="it")
    toolkit.register_tool_function(waits, func_name="it", namesake_strategy="skip")
    assert last(toolkit, "it") == "ab"
    toolkit.register_tool_function(waits, func_name="it", namesake_strategy="override")
    assert last(toolkit, "it") == "waited"
    toolkit.register_tool_function(gives_text, func_name="it", namesake_strategy="rename")
    (_, renamed) = toolkit.tools
    assert toolkit.tools[renamed].json_schema["function"]["name"] == renamed
    assert last(toolkit, renamed) == "ab"
    toolkit.remove_tool_function("it")
    toolkit.remove_tool_function("it")
    with pytest.raises(ValueError, match="no function"):
        toolkit.remove_tool_function("it", allow_not_exist=False)
    assert list(toolkit.tools) == [renamed]


def test_what_is_agentscope_s_alone_says_so() -> None:
    """At the registration, or the first use."""
    toolkit = Toolkit()
    with pytest.raises(NotSupported, match="its own Toolkit"):
        toolkit.register_tool_function(book, group_name="travel")
    with pytest.raises(AttributeError, match="no register_mcp_client: groups, MCP"):
        toolkit.register_mcp_client()
    with pytest.raises(InvalidTool):
        toolkit.register_tool_function(gives_text, func_name="not a name")
