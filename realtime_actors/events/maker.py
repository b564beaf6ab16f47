"""A faster way to make frozen objects, for those of which there are thousands in a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import attrs

__all__ = ["maker"]

P = ParamSpec("P")
T = TypeVar("T")


def maker(cls: Callable[P, T]) -> Callable[P, T]:
    """What makes the same objects as the frozen, slotted attrs class `cls`, from the same arguments.

    A frozen class sets each of its fields through `object.__setattr__`, which is most of what an object of it costs.
    A twin with the same slots sets them plainly, and its object is given the frozen class when it is complete.
    """
    frozen = cast(type[attrs.AttrsInstance], cls)

    def freeze(self: Any) -> None:
        self.__class__ = frozen

    twin = attrs.make_class(
        frozen.__name__,
        {
            field.name: attrs.field(
                init=field.init, default=field.default, converter=field.converter, alias=field.alias
            )
            for field in attrs.fields(frozen)
            if not field.inherited
        },
        bases=frozen.__bases__,
        class_body={
            # Not those of a frozen base, so that the interpreter's own are used, which are fast.
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
            "__attrs_post_init__": freeze,
        },
        slots=True,
        eq=False,
        repr=False,
    )
    return cast(Callable[P, T], twin)
