"""What a function becomes as a tool: its schema, its arguments, its result."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.agents import InvalidArguments, InvalidTool, Tool, frontend_tool, tool

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForTheTypeChecker


class Unit(enum.Enum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


@attrs.frozen
class Place:
    """A place on earth."""

    city: str
    country: str = "FR"
    floor: int = attrs.field(default=0, validator=attrs.validators.ge(0))


@dataclasses.dataclass
class Span:
    first: date
    last: date | None = None


@attrs.frozen
class Side:
    """Beside it.

    Attributes:
        count: How many of it.
    """

    count: int


@dataclasses.dataclass
class Meal:
    """What to eat.

    Attributes:
        side: What comes with it.
    """

    name: Annotated[str, "As on the menu."]
    side: Side | None = None


class Extra(TypedDict, total=False):
    note: str


def properties(made: Tool) -> dict[str, Any]:
    return made.spec.parameters["properties"]


class TestSchema:
    def test_a_plain_function(self) -> None:
        @tool
        def get_weather(city: str, days: int, exact: bool, factor: float) -> str:
            """Weather in a city, now.

            It may rain.

            Args:
                city: The city's name.
                days: How many days ahead.
            """
            return f"{city} {days} {exact} {factor}"

        assert get_weather.name == "get_weather"
        assert get_weather.spec.description == "Weather in a city, now.\n\nIt may rain."
        assert get_weather.spec.parameters == {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city's name."},
                "days": {"type": "integer", "description": "How many days ahead."},
                "exact": {"type": "boolean"},
                "factor": {"type": "number"},
            },
            "required": ["city", "days", "exact", "factor"],
            "additionalProperties": False,
        }

    def test_no_parameters_and_no_docstring(self) -> None:
        @tool
        async def look() -> str:
            return "nothing"

        assert look.spec.description == ""
        assert look.spec.parameters["properties"] == {}
        assert look.is_async

    def test_defaults_are_not_required_and_told(self) -> None:
        @tool
        def look(where: str = "here", far: bool = False, note: str | None = None) -> str:
            return f"{where} {far} {note}"

        assert look.spec.parameters.get("required", []) == []
        assert properties(look)["where"] == {"type": "string", "default": "here"}
        assert properties(look)["note"]["default"] is None
        assert {"type": "null"} in properties(look)["note"]["anyOf"]

    def test_enums_and_literals_are_choices(self) -> None:
        @tool
        def convert(to: Unit, how: Literal["up", "down"] = "up") -> str:
            return f"{to} {how}"

        schema = convert.spec.parameters
        assert sorted(schema["$defs"]["Unit"]["enum"]) == ["celsius", "fahrenheit"]
        assert properties(convert)["to"] == {"$ref": "#/$defs/Unit"}
        assert sorted(properties(convert)["how"]["enum"]) == ["down", "up"]

    def test_nested_types_are_defined_beside(self) -> None:
        @tool
        def visit(places: list[Place], when: Span, extra: Extra, tags: dict[str, int]) -> str:
            return f"{places} {when} {extra} {tags}"

        definitions = visit.spec.parameters["$defs"]
        assert set(definitions) == {"Place", "Span", "Extra"}
        assert definitions["Place"]["required"] == ["city"]
        assert definitions["Span"]["properties"]["first"] == {"type": "string", "format": "date"}
        assert properties(visit)["places"] == {"type": "array", "items": {"$ref": "#/$defs/Place"}}
        assert properties(visit)["tags"]["additionalProperties"] == {"type": "integer"}

    def test_constraints_of_an_annotation_are_told(self) -> None:
        @tool
        def count(to: Annotated[int, msgspec.Meta(ge=1, le=100)]) -> str:
            """Count.

            Args:
                to: The last number.
            """
            return str(to)

        assert properties(count)["to"] == {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "The last number.",
        }

    def test_words_in_an_annotation_are_told_at_any_depth(self) -> None:
        @tool
        def look(
            where: Annotated[str, "The place."],
            when: Annotated[list[Annotated[date, "A day."]] | None, "The days."] = None,
            who: Annotated[int, msgspec.Meta(ge=1), "How many."] = 1,
        ) -> str:
            return f"{where} {when} {who}"

        assert properties(look)["where"] == {"type": "string", "description": "The place."}
        assert properties(look)["when"]["description"] == "The days."
        [days, _] = properties(look)["when"]["anyOf"]
        assert days["items"]["description"] == "A day."
        assert properties(look)["who"] == {"type": "integer", "minimum": 1, "description": "How many.", "default": 1}
        assert look.structure({"where": "here", "when": ["2026-11-22"]})["when"] == [date(2026, 11, 22)]

    def test_fields_of_classes_are_described_by_annotation_or_docstring(self) -> None:
        @tool
        def order(meals: dict[str, Meal]) -> str:
            return str(meals)

        definitions = order.spec.parameters["$defs"]
        assert definitions["Meal"]["description"] == "What to eat."
        assert definitions["Meal"]["properties"]["name"] == {"type": "string", "description": "As on the menu."}
        assert definitions["Meal"]["properties"]["side"]["description"] == "What comes with it."
        assert definitions["Side"]["properties"]["count"]["description"] == "How many of it."
        meal = {"name": "soup", "side": {"count": 2}}
        assert order.structure({"meals": {"Ann": meal}}) == {"meals": {"Ann": Meal("soup", Side(2))}}

    @pytest.mark.parametrize(
        "docstring",
        [
            "Look.\n\nArgs:\n    where: The place.\n",
            "Look.\n\n:param where: The place.\n",
            "Look.\n\nParameters\n----------\nwhere : str\n    The place.\n",
        ],
    )
    def test_parameters_are_described_in_any_usual_style(self, docstring: str) -> None:
        def look(where: str) -> str:
            return where

        look.__doc__ = docstring
        made = tool(look)
        assert made.spec.description == "Look."
        assert properties(made)["where"]["description"] == "The place."

    def test_name_description_and_timeout_can_be_given(self) -> None:
        @tool(name="see", description="See.", timeout=5)
        def look() -> str:
            """Look."""
            return ""

        assert (look.spec.name, look.spec.description, look.timeout) == ("see", "See.", 5)

    def test_a_method_and_an_object_that_can_be_called_are_tools(self) -> None:
        class Garden:
            async def water(self, minutes: int) -> str:
                """Water it."""
                return f"{minutes}"

        made = tool(Garden().water)
        assert (made.name, list(properties(made)), made.is_async) == ("water", ["minutes"], True)

    def test_a_tool_of_the_frontend(self) -> None:
        schema = {"type": "object", "properties": {"color": {"type": "string"}}}
        made = frontend_tool("paint", "Paint it.", schema, timeout=60)
        assert (made.spec.parameters, made.timeout, made.function) == (schema, 60, None)
        assert frontend_tool("paint", "Paint it.").spec.parameters == {"type": "object", "properties": {}}
        with pytest.raises(TypeError, match="executed by the frontend"):
            made()


def positional(a: int, /) -> None: ...
def any_number(*args: int) -> None: ...
def any_names(**kwargs: int) -> None: ...
def not_json(a: object, b: Callable[[], int]) -> None: ...
def unknown_type(a: OnlyForTheTypeChecker) -> None: ...
def two_objects(a: Place | Span) -> None: ...


class TestWrongDeclarations:
    @pytest.mark.parametrize(
        ("function", "words"),
        [
            (positional, "name each one"),
            (any_number, "name each one"),
            (any_names, "name each one"),
            (not_json, "not_json"),
            (unknown_type, "OnlyForTheTypeChecker"),
            (two_objects, "two_objects"),
            (lambda: "", "no name for a tool"),
            (functools.partial(positional, 1), "no name for a tool|no function"),
        ],
    )
    def test_is_refused_in_words_that_name_it(self, function: Callable[..., Any], words: str) -> None:
        with pytest.raises(InvalidTool, match=words):
            tool(function)

    def test_a_parameter_without_a_type(self) -> None:
        def look(where: str) -> str:
            return where

        look.__annotations__.clear()
        with pytest.raises(InvalidTool, match="look: annotate 'where' with its type"):
            tool(look)

    @pytest.mark.parametrize("name", ["", "a b", "x" * 65, "é", "a.b"])
    def test_a_name_that_no_model_takes(self, name: str) -> None:
        with pytest.raises(InvalidTool, match="no name for a tool"):
            frontend_tool(name, "Paint it.")
        with pytest.raises(InvalidTool, match="no name for a tool"):
            tool(name=name or " ")(any_default)

    def test_a_schema_that_is_not_json(self) -> None:
        with pytest.raises(InvalidTool, match="paint: parameters must be a JSON Schema"):
            frontend_tool("paint", "Paint it.", {"type": object})


def any_default(where: str = "here") -> str:
    return where


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["city", "floor", "a"]), inner),
    max_leaves=6,
)


@tool
def everything(
    *, place: Place, unit: Unit, day: date, tags: set[str], pair: tuple[int, str], note: str | None = None
) -> list[Any]:
    """All kinds of arguments."""
    return [place, unit, day, tags, pair, note]


ARGUMENTS: dict[str, Any] = {
    "place": {"city": "Paris"},
    "unit": "celsius",
    "day": "2026-11-22",
    "tags": ["a", "b", "a"],
    "pair": [1, "x"],
}


class TestArguments:
    def test_are_structured_to_their_types(self) -> None:
        keywords = everything.structure(ARGUMENTS)
        expected = [Place("Paris"), Unit.CELSIUS, date(2026, 11, 22), {"a", "b"}, (1, "x"), None]
        assert everything(**keywords) == expected

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"place": "Paris"}, "place"),
            ({"place": {}}, "city"),
            ({"place": {"city": "Paris", "floor": -1}}, "floor"),
            ({"unit": "kelvin"}, "kelvin"),
            ({"day": "tomorrow"}, "day"),
            ({"tags": "a"}, "tags"),
            ({"pair": [1]}, "pair"),
            ({"nonsense": 1}, "nonsense"),
            ({"note": 5}, "note"),
        ],
    )
    def test_that_do_not_fit_are_refused_in_words_for_the_model(self, changes: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidArguments, match=words) as caught:
            everything.structure({**ARGUMENTS, **changes})
        assert "everything" in str(caught.value)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"place": 5}, "place: expected an object with city, country, floor, got 5"),
            ({"place": {"city": ["x"]}}, "place.city: expected a string, got a list"),
            ({"place": {}}, "place: Object missing required field `city`"),
            ({"unit": "kelvin"}, 'unit: expected one of "celsius", "fahrenheit", got "kelvin"'),
            ({"day": "tomorrow"}, "day: Invalid"),
            ({"tags": ["a", 1]}, "tags[1]: expected a string, got 1"),
            ({"pair": [1]}, "pair: Expected `array` of length 2, got 1"),
            ({"note": 5}, "note: expected a string or null, got 5"),
            ({"nonsense": 1}, "there is no 'nonsense', but place, unit, day, tags, pair, note"),
            ({"note": "x" * 100_000 + "\ud800", "unit": 5.5}, 'unit: expected one of "celsius", "fahrenheit", got 5.5'),
        ],
    )
    def test_errors_say_where_and_what_was_expected(self, changes: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidArguments) as caught:
            everything.structure({**ARGUMENTS, **changes})
        assert f"the arguments of everything do not fit: {words}" in str(caught.value)

    def test_all_errors_are_told_at_once(self) -> None:
        with pytest.raises(InvalidArguments) as caught:
            everything.structure({"place": {"city": "Paris"}, "unit": 1, "day": 2, "extra": 3})
        told = str(caught.value)
        assert all(each in told for each in ("unit: ", "day: expected a date", "'extra'", "tags is missing: expected"))

    def test_numbers_in_bounds(self) -> None:
        @tool
        def count(
            to: Annotated[int, msgspec.Meta(ge=1, le=3)], name: Annotated[str, msgspec.Meta(max_length=5)] = ""
        ) -> str:
            return f"{to} {name}"

        with pytest.raises(InvalidArguments, match="to: Expected `int` <= 3; name: Expected `str` of length <= 5"):
            count.structure({"to": 7, "name": "abcdef"})
        with pytest.raises(InvalidArguments, match='to: expected an integer >= 1 and <= 3, got "7"'):
            count.structure({"to": "7"})

    def test_whole_numbers_may_come_with_a_point(self) -> None:
        """Where a wire has only one kind of number, 5 comes as 5.0."""

        @tool
        def count(to: int, each: list[int], by: float = 1.0, what: Any = None) -> str:
            return f"{to} {each} {by} {what}"

        assert count.structure({"to": 5.0, "each": [1.0]}) == {"to": 5, "each": [1], "by": 1.0, "what": None}
        with pytest.raises(InvalidArguments, match=r"to: expected an integer, got 5\.5"):
            count.structure({"to": 5.5, "each": []})

    def test_simple_types_may_be_alternatives(self) -> None:
        @tool
        def look(at: int | str | bool | list[str] | None) -> str:
            return str(at)

        for value in (1, "a", True, ["a"], None):
            assert look.structure({"at": value}) == {"at": value}
        with pytest.raises(InvalidArguments, match=r"at: expected .*an integer.* or .*, got 1\.5"):
            look.structure({"at": 1.5})

    @given(st.dictionaries(st.sampled_from([*ARGUMENTS, "other"]), json_values))
    def test_whatever_comes_fits_or_is_refused_in_words(self, arguments: dict[str, Any]) -> None:
        try:
            everything.structure(arguments)
        except InvalidArguments as error:
            assert len(str(error)) < 2000  # noqa: PT017 - it may fit
            str(error).encode()

    def test_that_are_missing_are_named(self) -> None:
        with pytest.raises(InvalidArguments, match="place"):
            everything.structure({})

    def test_numbers_are_not_made_of_texts(self) -> None:
        @tool
        def count(to: int) -> str:
            return str(to)

        with pytest.raises(InvalidArguments, match="int"):
            count.structure({"to": "5"})

    def test_mutable_defaults_are_not_shared(self) -> None:
        @tool
        def collect(into: list[int] = []) -> list[int]:  # noqa: B006 - what is tested
            into.append(1)
            return into

        assert [collect(**collect.structure({})) for _ in range(2)] == [[1], [1]]

    def test_a_tool_is_still_the_function(self) -> None:
        assert any_default() == tool(any_default)() == "here"
