"""Plain values, as a TOML file has them, into attrs classes: strictly, and with words for all that is wrong."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter, ForbiddenExtraKeysError, IterableValidationError, cols
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn

__all__ = ["Mistakes", "key", "like", "read_tables", "shown"]

T = TypeVar("T")

_SHOWN = 60  # characters of a wrong value


class Mistakes(ValueError):
    """What is wrong with a file: sentences, each of which begins with the name of a key."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = sentences


def read_tables(data: dict[str, Any], kind: type[T]) -> T:
    """A table of tables as this attrs class, whose fields' names are the keys. Raises `Mistakes`."""
    try:
        return _converter.structure(data, kind)
    except ClassValidationError as error:
        raise Mistakes(list(_sentences(error))) from error


def key(text: str) -> str:
    """A key as TOML has it."""
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else repr(text)


def like(word: object, known: Sequence[str]) -> str:
    """Words that ask whether the most similar of those that are known was meant, if one is similar."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for what is wrong

    close = get_close_matches(word, known, 1) if isinstance(word, str) else []
    return f" (did you mean {close[0]}?)" if close else ""


def shown(value: object) -> str:
    """A wrong value, in short."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            text = repr(value)
            return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return "a date or a time"


# -- strictly


class _Wrong(ValueError):
    """What a value has to be; its name stands before that."""


def _of_kind(kinds: tuple[type, ...], words: str, then: Callable[[Any, Any], Any] | None = None) -> Any:
    """A hook that takes nothing but these types: a bool is no number."""

    def structure(value: Any, target: Any) -> Any:
        if type(value) not in kinds:
            raise _Wrong(f"is {shown(value)}; it must be {words}")
        return value if then is None else then(value, target)

    return structure


def _choice(kind: Any) -> Any:
    allowed = get_args(kind)

    def structure(value: Any, _: Any) -> Any:
        if value not in allowed:
            raise _Wrong(f"is {shown(value)}; it must be one of: {', '.join(allowed)}{like(value, allowed)}")
        return value

    return structure


def _table(kind: Any, converter: Converter) -> Any:
    read = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True)
    return _of_kind((dict,), "a table", read)


def _list(kind: Any, converter: Converter) -> Any:
    return _of_kind((list,), "a list", cols.list_structure_factory(kind, converter))


def _named(kind: Any, converter: Converter) -> Any:
    # Its types are not whole.
    make = cast("Callable[[Any, Converter], Any]", cols.mapping_structure_factory)  # pyright: ignore[reportUnknownMemberType]
    return _of_kind((dict,), "a table", make(kind, converter))


def _is(origin: Any) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) is origin


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=True)
    converter.register_structure_hook(str, _of_kind((str,), "a text"))
    converter.register_structure_hook(int, _of_kind((int,), "a whole number"))
    converter.register_structure_hook(float, _of_kind((float, int), "a number", lambda value, _: float(value)))
    converter.register_structure_hook(bool, _of_kind((bool,), "true or false"))
    converter.register_structure_hook_factory(_is(Literal), _choice)
    converter.register_structure_hook_factory(attrs.has, _table)
    converter.register_structure_hook_factory(_is(list), _list)
    converter.register_structure_hook_factory(_is(dict), _named)
    return converter


_converter = _make_converter()


# -- what is wrong, in words


def _sentences(error: BaseException, where: str = "", kind: type | None = None) -> Iterator[str]:
    match error:
        case ClassValidationError() | IterableValidationError():
            inner = error.cl if isinstance(error, ClassValidationError) else kind
            for each in error.exceptions:
                yield from _sentences(each, where + _step(each), inner)
        case ForbiddenExtraKeysError():
            known = [field.name for field in attrs.fields(error.cl)]
            for unknown in sorted(error.extra_fields):
                name = f"{where}.{key(unknown)}".lstrip(".")
                yield f"{name} is no setting; there are: {', '.join(known)}{like(unknown, known)}"
        case KeyError():
            yield f"{where} is missing".lstrip(".")
        case _Wrong():
            yield f"{where} {error}".lstrip(".")
        case _:  # what the class itself says of its fields
            name = "" if kind is None else kind.__name__
            yield re.sub(rf"\b{re.escape(name)}\.(?=\w)", f"{where}.", str(error)).rstrip(".").lstrip(".")


def _step(error: BaseException) -> str:
    """From what a table or list is called to where in it something is wrong, as cattrs has noted it."""
    for note in cast("list[object]", getattr(error, "__notes__", [])):
        if isinstance(note, AttributeValidationNote):
            return f".{note.name}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]" if isinstance(note.index, int) else f".{key(note.index)}"
    return ""
