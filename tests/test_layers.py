"""Layers import one way only."""

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest

import realtime_actors

PACKAGE = Path(realtime_actors.__file__).parent

LAYERS = [
    "actors",
    "events",
    "telemetry",
    "audio",
    "transports",
    "providers",
    "agents",
    "rooms",
    "gateway",
    "simulators",
    "asyncio",
    "agentscope",
    "testing",
    "cli",
]
"""A layer imports only itself and those before it."""

FORBIDDEN = {
    # Providers and simulators are checks of each other: what they shared would be checked by nobody.
    "simulators": {"telemetry", "events", "providers", "agents", "rooms", "gateway"},
    # The kernel's neighbours that know nothing of each other.
    "audio": {"telemetry", "events"},
    "transports": {"telemetry", "events", "audio"},
}


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE]


def imported_layers(source: str, package: Sequence[str]) -> set[str]:
    """The layers that a module imports, wherever in it; `package` are the words of the package it is in."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else list[str]()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        parts = [name.split(".") for name in names]
        found |= {words[1] for words in parts if words[0] == "realtime_actors" and len(words) > 1}
    return found & set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_layers_below_its_own(path: Path) -> None:
    inside = path.relative_to(PACKAGE).parts
    layer = inside[0]
    assert layer in LAYERS, f"{layer} is no layer: put the module into one, or name the new layer here"
    allowed = set(LAYERS[: LAYERS.index(layer) + 1]) - FORBIDDEN.get(layer, set())
    assert imported_layers(path.read_text(), ["realtime_actors", *inside[:-1]]) <= allowed


@pytest.mark.parametrize(
    "source",
    [
        "import realtime_actors.gateway.http",
        "from realtime_actors.gateway import Gateway",
        "from realtime_actors import gateway",
        "from ..gateway import Gateway",
        "from .. import gateway",
        "def later():\n    import realtime_actors.gateway",
    ],
)
def test_every_form_of_import_is_seen(source: str) -> None:
    assert imported_layers(source, ["realtime_actors", "actors"]) == {"gateway"}
