"""What is said of AgentScope's names that are not here, when they are imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

__all__ = ["missing"]


def missing(module: str, names: Mapping[str, str]) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a module: raises an `ImportError` that says why one of these names is not in it.

    Any other name is an `AttributeError`, as ever.
    """

    def refuse(name: str) -> NoReturn:
        if name in names:
            raise ImportError(f"{name} is not in {module}: {names[name]}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return refuse
