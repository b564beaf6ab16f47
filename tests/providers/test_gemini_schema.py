"""JSON Schema as Gemini's declarations take it, judged by the SDK's type, which knows no other field."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_actors.agents import tool
from realtime_actors.providers.gemini_schema import parameters_of


def converted(**properties: Any) -> dict[str, Any]:
    schema = parameters_of({"type": "object", "properties": properties, "additionalProperties": False})
    assert schema is not None
    types.Schema.model_validate(schema)
    return schema["properties"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 9}, {"type": "INTEGER", "minimum": 1}),
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, {"type": "NUMBER", "nullable": True}),
        (
            {"oneOf": [{"type": "number"}, {"type": "boolean"}]},
            {"anyOf": [{"type": "NUMBER"}, {"type": "BOOLEAN"}]},
        ),
        ({"enum": ["a", "", "b"]}, {"type": "STRING", "format": "enum", "enum": ["a", "b"]}),
        ({"const": "a"}, {"type": "STRING", "format": "enum", "enum": ["a"]}),
        ({"enum": [1, 2]}, {"type": "INTEGER"}),
        ({"type": "string", "format": "uuid"}, {"type": "STRING"}),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "array", "items": {"type": "string"}}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
            {"type": "ARRAY", "items": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}},
        ),
        ({"allOf": [{"type": "string"}], "description": "x"}, {"type": "STRING", "description": "x"}),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]},
        ),
    ],
)
def test_each_form(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert converted(value=schema)["value"] == expected


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_no_parameters_are_none_at_all(schema: dict[str, Any]) -> None:
    assert parameters_of(schema) is None


def test_references_are_written_out() -> None:
    schema = {
        "type": "object",
        "properties": {"place": {"$ref": "#/$defs/Place", "description": "Where."}},
        "$defs": {
            "Place": {
                "type": "object",
                "properties": {
                    "next": {"$ref": "#/$defs/Place"},
                    "others": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
                },
            }
        },
    }
    place = (parameters_of(schema) or {})["properties"]["place"]
    assert place["description"] == "Where."
    assert place["properties"]["next"] == {"type": "OBJECT"}  # and so on
    assert place["properties"]["others"] == {"type": "ARRAY", "items": {"type": "OBJECT"}}


def test_the_schema_of_a_tool() -> None:
    @tool
    async def book(
        city: str, nights: int = 1, kind: Literal["room", "suite"] = "room", tags: list[str] | None = None
    ) -> str:
        """Book a room.

        Args:
            city: Where.
        """
        return f"{city} {nights} {kind} {tags}"

    schema = parameters_of(book.spec.parameters)
    types.FunctionDeclaration.model_validate({"name": "book", "parameters": schema})
    assert schema is not None
    assert schema["required"] == ["city"]
    assert schema["properties"]["city"] == {"description": "Where.", "type": "STRING"}
    assert schema["properties"]["kind"]["enum"] == ["room", "suite"]
    assert schema["properties"]["tags"] == {
        "default": None,
        "items": {"type": "STRING"},
        "type": "ARRAY",
        "nullable": True,
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "anyOf", "allOf", "$ref", "$defs", "enum", "const", "required", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["type", "properties", "$defs", "$ref", "anyOf"]), json_values))
def test_whatever_somebody_writes_has_an_end(schema: dict[str, Any]) -> None:
    parameters_of(schema)
