"""What is exported is what is documented, and the README's code runs."""

import functools
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import trio

import realtime_actors
from realtime_actors import OpenAIRealtimeModel
from realtime_actors.simulators import Call, Reply, Say, ScriptedBrain
from realtime_actors.simulators.openai import OpenAISimulator

ROOT = Path(realtime_actors.__file__).parent.parent
DOCUMENTED = (ROOT / "docs" / "api.md").read_text()
SECTIONS = dict(re.findall(r"^## `([\w.]+)`\n(.*?)(?=^## |\Z)", DOCUMENTED, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_module_exports_what_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    documented = re.findall(r"^- `(\w+)`", SECTIONS[name], re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == set(module.__all__)
    assert len(module.__all__) == len(set(module.__all__))
    for exported in module.__all__:
        assert hasattr(module, exported)


def test_every_package_is_documented() -> None:
    packages = {
        ".".join(path.relative_to(ROOT).parent.parts)
        for path in (ROOT / "realtime_actors").rglob("__init__.py")
        if not path.parent.name.startswith("_")
    }
    # The command line is documented by its --help.
    assert {package for package in packages if not package.startswith("realtime_actors.cli")} == set(SECTIONS)


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_public_class_and_function_says_what_it_is_for(name: str) -> None:
    module = importlib.import_module(name)
    undocumented: list[str] = []
    for exported in module.__all__:
        value = getattr(module, exported)
        if not inspect.isclass(value) and not inspect.isfunction(value):
            continue
        if not inspect.getdoc(value):
            undocumented.append(exported)
        if inspect.isclass(value):
            undocumented += [
                f"{exported}.{member}"
                for member, function in vars(value).items()
                if not member.startswith("_")
                and inspect.isfunction(function)
                and not inspect.getdoc(function)
                # What a handler does is said by the message it takes.
                and not hasattr(function, "__realtime_actors_lane__")
            ]
    assert undocumented == []


def snippets() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


async def test_the_readme_s_agent_answers() -> None:
    namespace: dict[str, Any] = {}
    exec(compile(snippets()[0], "README.md", "exec"), namespace)  # noqa: S102 - it is our own
    brain = ScriptedBrain(
        replies=[Reply([Call("get_weather", '{"city": "Paris"}')]), Reply([Say("Sunny.")], after="get_weather")]
    )
    simulator = OpenAISimulator(brain=brain, speed=0)
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        namespace["OpenAIRealtimeModel"] = functools.partial(OpenAIRealtimeModel, url=simulator.url)
        with trio.fail_after(30):
            speech = await namespace["main"]("sk-test")
        nursery.cancel_scope.cancel()
    assert speech == brain.audio("Sunny.", 24000)
    assert brain.heard[-1].text == "Sunny in Paris."


async def test_the_readme_s_actor_counts() -> None:
    namespace: dict[str, Any] = {}
    exec(compile(snippets()[1], "README.md", "exec"), namespace)  # noqa: S102 - it is our own
    assert await namespace["count"]() == 15
