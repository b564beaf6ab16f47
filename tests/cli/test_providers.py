"""Each provider, as a person uses it: its simulator, `serve` before it, and `talk`."""

from __future__ import annotations

import re
from typing import Any

import pytest
from console import Process, Run, Start

from realtime_actors.cli.providers import PROVIDERS
from realtime_actors.gateway import AgentRequest, InvalidSessionConfig

WEATHER = "tests/data/weather.wav"
TOOLS = "realtime_actors.cli.servers.demo_tools:DEMO_TOOLS"
WITH_TOOLS = {"dashscope": "qwen3.5-omni-flash-realtime"}
"""The usual model of this provider has none."""


def simulated(start: Start, provider: str, *options: str) -> str:
    """A simulator that runs; its URL."""
    simulator = start("simulate", provider, "--port", "0", *options)
    return simulator.wait_for(rf"serve --provider {provider} --url (ws://\S+)")[1]


def served(start: Start, *options: str, **environment: str) -> tuple[Process, str]:
    """A gateway that runs, and its URL."""
    server = start("serve", "--port", "0", *options, **environment)
    return server, server.wait_for(r"listens at (ws://127\.0\.0\.1:\d+)/ws/")[1]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_spoken_question_with_a_tool_call(start: Start, run: Run, provider: str) -> None:
    url = simulated(start, provider)
    key = next(iter(PROVIDERS[provider].keys))
    model = ["--model", WITH_TOOLS[provider]] if provider in WITH_TOOLS else []
    options = ("--provider", provider, "--provider-url", url, "--tools", TOOLS, *model)
    _, gateway = served(start, *options, **{key: "any"})
    ended = run("talk", WEATHER, "--url", gateway)
    assert ended.code == 0, ended.err
    assert "what is the weather in paris" in ended.out
    assert re.search(r'get_weather\(\{"city": ?"Paris"\}\)', ended.out)
    assert "in Paris, at" in ended.out.split("result")[1]


def test_a_frontend_chooses_among_several(start: Start, run: Run) -> None:
    url = simulated(start, "xai", "--brain", "scripted")
    options = ("--provider", "xai", "--provider", "openai", "--url", url)
    _, gateway = served(start, *options, XAI_API_KEY="any", OPENAI_API_KEY="any")
    assert run("talk", "--text", "hello", "--url", gateway).code == 0
    assert run("talk", "--text", "hello", "--url", gateway, "--provider", "xai").code == 0
    unknown = run("talk", "--text", "hello", "--url", gateway, "--provider", "acme")
    assert unknown.code == 1
    assert "config.model_provider 'acme' is not to be had here: there is xai, openai" in unknown.err


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_that_is_missing_is_named(run: Run, provider: str) -> None:
    ended = run("serve", "--provider", provider)
    assert ended.code == 1
    assert ended.error.startswith(f"{PROVIDERS[provider]} is not set, and {PROVIDERS[provider].title} wants a key")


def test_azure_wants_its_resource_too(run: Run) -> None:
    ended = run("serve", "--provider", "azure", AZURE_OPENAI_API_KEY="any")
    assert ended.code == 1
    assert "AZURE_OPENAI_ENDPOINT" in ended.error


@pytest.mark.parametrize("chosen", [None, "openai", "xai", "gemini"])
def test_what_a_frontend_asks_for_is_the_model_it_gets(chosen: str | None) -> None:
    from realtime_actors.cli.servers.gateway import Agents  # noqa: PLC0415 - heavy
    from realtime_actors.providers import OpenAIRealtimeModel, XAIRealtimeModel  # noqa: PLC0415 - heavy

    models: dict[str, Any] = {"xai": XAIRealtimeModel(api_key="any"), "openai": OpenAIRealtimeModel(api_key="any")}
    agents = Agents(models, "Friday", "Be brief.")
    request = AgentRequest(user_id="ann", session_id="s1", agent_id="a", model_provider=chosen)
    if chosen == "gemini":
        with pytest.raises(InvalidSessionConfig, match="there is xai, openai"):
            agents(request)
    else:
        assert agents(request).model is models[chosen or "xai"]
