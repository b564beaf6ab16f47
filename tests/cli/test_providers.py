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


@pytest.mark.parametrize(
    ("provider", "environment", "url", "header"),
    [
        ("openai", {"OPENAI_API_KEY": "k"}, "wss://api.openai.com/v1/realtime?model=gpt-realtime", "Bearer k"),
        (
            "openai",
            {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://eu.example.org/v1/"},
            "wss://eu.example.org/v1/realtime?model=gpt-realtime",
            "Bearer k",
        ),
        ("gemini", {"GEMINI_API_KEY": "k", "GOOGLE_API_KEY": "other"}, "v1beta", "k"),
        ("gemini", {"GEMINI_API_KEY": " ", "GOOGLE_API_KEY": "k"}, "v1beta", "k"),
        ("dashscope", {"DASHSCOPE_API_KEY": "k"}, "wss://dashscope.aliyuncs.com/", "Bearer k"),
        (
            "dashscope",
            {"DASHSCOPE_API_KEY": "k", "DASHSCOPE_API_REGION": "ap-southeast-1"},
            "wss://dashscope-intl.aliyuncs.com/",
            "Bearer k",
        ),
        (
            "dashscope",
            {"DASHSCOPE_API_KEY": "k", "DASHSCOPE_API_REGION": "ap-southeast-1", "DASHSCOPE_WORKSPACE_ID": "ws1"},
            "wss://ws1.ap-southeast-1.maas.aliyuncs.com/",
            "ws1",
        ),
        ("xai", {"XAI_API_KEY": "k"}, "wss://api.x.ai/v1/realtime", "Bearer k"),
        (
            "azure",
            {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com/"},
            "wss://me.openai.azure.com/openai/v1/realtime",
            "k",
        ),
        (
            "azure",
            {
                "AZURE_OPENAI_AD_TOKEN": "t",
                "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com",
                "OPENAI_API_VERSION": "2025-04-01-preview",
            },
            "wss://me.openai.azure.com/openai/realtime?api-version=2025-04-01-preview",
            "Bearer t",
        ),
    ],
)
def test_what_is_usual_in_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, provider: str, environment: dict[str, str], url: str, header: str
) -> None:
    """As the provider's own SDK has it."""
    from realtime_actors.cli.servers.serving import model_of  # noqa: PLC0415 - heavy

    monkeypatch.setattr("os.environ", environment)
    model = model_of(provider, model_name="mine" if provider == "azure" else None)
    assert url in model.endpoint()
    assert header in [value for _, value in model.headers()]


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from realtime_actors.cli.servers.serving import model_of  # noqa: PLC0415 - heavy

    monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://eu.example.org/v1"})
    assert model_of("openai", url="ws://127.0.0.1:9/v1/realtime").endpoint().startswith("ws://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("provider", "variable", "value"),
    [
        ("openai", "OPENAI_BASE_URL", "eu.example.org"),
        ("dashscope", "DASHSCOPE_API_REGION", "us-east-1"),
        ("dashscope", "DASHSCOPE_WORKSPACE_ID", "a.b/"),
        ("azure", "AZURE_OPENAI_ENDPOINT", "ftp://me"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(run: Run, provider: str, variable: str, value: str) -> None:
    key = next(iter(PROVIDERS[provider].keys))
    ended = run("serve", "--provider", provider, **{key: "any", variable: value})
    assert ended.code == 1
    assert ended.error.endswith(f"(from the environment: {variable}).")


def test_help_names_the_variables(run: Run) -> None:
    said = run("serve", "--help").out
    for provider in PROVIDERS.values():
        assert all(name in said for name in (*provider.keys, *provider.others))


def test_turn_detection_that_a_provider_has_not_is_refused_in_words(run: Run) -> None:
    ended = run("serve", "--provider", "xai", "--turn-detection", "semantic", XAI_API_KEY="any")
    assert ended.code == 1
    assert "xAI has no SemanticVAD" in ended.error


@pytest.mark.parametrize("name", ["server", "semantic", "local", "manual"])
def test_turn_detection_is_that_of_the_model_or_of_the_agent(name: str) -> None:
    from realtime_actors.cli.servers.gateway import Agents, listener  # noqa: PLC0415 - heavy
    from realtime_actors.providers import OpenAIRealtimeModel  # noqa: PLC0415 - heavy

    detection, local = listener(name)
    assert (detection is None) == (name == "local")
    models: dict[str, Any] = {"openai": OpenAIRealtimeModel(api_key="any")}
    request = AgentRequest(user_id="ann", session_id="s1", agent_id="a")
    agent = Agents(models, "Friday", "Be brief.", turn_detection=local)(request)
    assert agent.turn_detection == local
    assert (local is not None) == (name == "local")


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_help_names_who_may_find_the_turns(run: Run, command: str) -> None:
    assert "[server|semantic|local|manual]" in run(command, "--help").out


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
