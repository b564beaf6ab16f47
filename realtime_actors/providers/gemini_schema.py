"""JSON Schema to the subset of OpenAPI 3.0 that Gemini's function declarations take.

Fields and types are those of `Schema` in the official SDK (`google-genai` 3.4.0). What the subset has no word for is
left out: a field that the server does not know closes the session. The arguments that come back are checked against
the whole schema by whoever carries out the call.
"""

from __future__ import annotations

from typing import Any

from .json_wire import as_list, as_object, as_text

__all__ = ["parameters_of"]

Schema = dict[str, Any]

_KEPT = (
    "description",
    "title",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "pattern",
    "default",
)
# Others are refused, or taken only for some types.
_FORMATS = frozenset({"date-time", "float", "double", "int32", "int64"})
_MOST_REFERENCES = 16


def parameters_of(schema: Schema) -> Schema | None:
    """The declaration's `parameters` for this JSON Schema of an object; `None` if there are none to declare."""
    converted = _convert(schema, as_object(schema.get("$defs")), frozenset())
    return converted if converted.get("properties") else None


def _convert(schema: Schema, defs: Schema, inside: frozenset[str]) -> Schema:
    """`inside` are the definitions that this is part of."""
    schema, names = _resolved(schema, defs)
    converted: Schema = {name: schema[name] for name in _KEPT if name in schema}
    if schema.get("format") in _FORMATS:
        converted["format"] = schema["format"]
    converted |= _type(schema)
    if names & inside:  # it refers to itself: there is no end to writing it out
        return converted
    inside |= names
    variants = [as_object(each) for each in as_list(schema.get("anyOf") or schema.get("oneOf"))]
    if variants:
        converted |= _any_of(variants, defs, inside)
    properties = as_object(schema.get("properties"))
    if properties:
        converted["properties"] = {name: _convert(as_object(each), defs, inside) for name, each in properties.items()}
        required = [name for name in as_list(schema.get("required")) if name in properties]
        if required:
            converted["required"] = required
    if converted.get("type") == "ARRAY":
        items = schema.get("items") or _common_item(as_list(schema.get("prefixItems")))
        converted["items"] = _convert(as_object(items), defs, inside) if items else {"type": "STRING"}
    return converted


def _resolved(schema: Schema, defs: Schema) -> tuple[Schema, frozenset[str]]:
    """The schema with what it refers to, or its only part, in its place; and the definitions that were used."""
    names = frozenset[str]()
    for _ in range(_MOST_REFERENCES):
        parts = as_list(schema.get("allOf"))
        if "$ref" in schema:
            name = as_text(schema["$ref"]).rpartition("/")[2]
            names |= {name}
            schema = {**as_object(defs.get(name)), **{key: each for key, each in schema.items() if key != "$ref"}}
        elif len(parts) == 1:
            schema = {**as_object(parts[0]), **{key: each for key, each in schema.items() if key != "allOf"}}
        else:
            break
    return schema, names


def _type(schema: Schema) -> Schema:
    kinds = schema.get("type")
    named = [as_text(kind) for kind in (as_list(kinds) or [kinds])]
    choices = [schema["const"]] if "const" in schema else as_list(schema.get("enum"))
    converted: Schema = {}
    if "null" in named or None in choices:
        converted["nullable"] = True
    # Choices are texts on this wire, whatever their type; an empty one is refused.
    texts = [choice if isinstance(choice, str) else str(choice) for choice in choices if choice not in (None, "")]
    if texts and all(isinstance(choice, str) for choice in choices if choice is not None):
        converted |= {"type": "STRING", "format": "enum", "enum": texts}
        return converted
    others = [kind for kind in named if kind and kind != "null"]
    if len(others) == 1:
        converted["type"] = others[0].upper()
    elif others:
        converted["anyOf"] = [{"type": kind.upper()} for kind in others]
    elif "properties" in schema:
        converted["type"] = "OBJECT"
    if texts and "type" not in converted:
        converted["type"] = "INTEGER" if all(isinstance(choice, int) for choice in choices) else "NUMBER"
    return converted


def _any_of(variants: list[Schema], defs: Schema, inside: frozenset[str]) -> Schema:
    """Variants, or the only one there is beside null."""
    real = [each for each in variants if each.get("type") != "null"]
    nullable: Schema = {"nullable": True} if len(real) < len(variants) else {}
    converted = [_convert(each, defs, inside) for each in real]
    return {**converted[0], **nullable} if len(converted) == 1 else {"anyOf": converted, **nullable}


def _common_item(items: list[Any]) -> Schema | None:
    """Tuples have no word of their own: any of their items at any place."""
    return {"anyOf": items} if items else None
