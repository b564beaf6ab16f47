"""The tools that `serve` is told of by their import paths."""

import importlib
import os
import sys
from collections.abc import Iterable
from typing import cast

from realtime_actors.agents import Tool
from realtime_actors.cli.errors import CommandFailed

__all__ = ["load_tools"]


def load_tools(paths: Iterable[str], setting: str = "--tools") -> list[Tool]:
    """The tools at these import paths (`module:name`), each a tool or several.

    Raises `CommandFailed`, which names the `setting` that the paths are from.
    """
    sys.path.insert(0, os.getcwd())
    tools: dict[str, Tool] = {}
    for path in paths:
        for tool in _load(path, setting):
            if tools.setdefault(tool.name, tool) is not tool:
                raise CommandFailed(f"{setting} {path}: there is a tool named {tool.name} already")
    return list(tools.values())


def _load(path: str, setting: str) -> list[Tool]:
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        raise CommandFailed(f"{setting} {path}: write it as MODULE:NAME, for example mypackage.tools:get_weather")
    try:
        found: object = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever a module of somebody else does
        words = " ".join(str(error).split())
        if not isinstance(error, ImportError):
            words = f"{type(error).__name__}: {words}" if words else type(error).__name__
        raise CommandFailed(f"{setting} {path}: {module_name} cannot be imported: {words}") from error
    for part in name.split("."):
        found = getattr(found, part, None)
    several = list(cast("Iterable[object]", found)) if isinstance(found, Iterable) else [found]
    tools = [each for each in several if isinstance(each, Tool)]
    if not tools or len(tools) < len(several):
        raise CommandFailed(f"{setting} {path}: {name} is no tool and no list of tools: make them with @tool")
    return tools
