"""The same work on the peers, interleaved with ours and the floors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import attrs

from benchmarks.benchmark import Benchmark, Contestant, Failed, Values
from benchmarks.provider_path import interruption, to_frontend
from benchmarks.provider_path.capacity import MOST_MS, Search
from benchmarks.provider_path.load import Kind, load_of, sessions_in_words
from benchmarks.provider_path.processes import Driver
from benchmarks.provider_path.trial import relay_trial, trial

from .environments import Environment
from .trials import consumption_trial, conversation_trial, interruption_trial, weight_trial

__all__ = ["AGENTSCOPE_1", "FLOOR", "GROUP", "OPENAI_AGENTS", "OURS", "PEERS", "Peer", "benchmarks"]

GROUP, OURS, FLOOR = "peers", "realtime_actors", "bare Trio socket"
AGENTSCOPE_1, OPENAI_AGENTS = "AgentScope 1.0.21", "OpenAI Agents 0.24.0"

_SIZES, _QUICK_SIZE = (100, 200), 100
_FLOODS = (1, 20)
_SPEAKERS = 20
_FRONTENDS = 100
_ROOMS = (2, 4, 8)
_WEIGHED, _QUICK_WEIGHED = 100, 50


@attrs.frozen
class Peer:
    """One that takes part: its driver, what it needs, and how many sessions a core carries of it, about."""

    name: str
    module: str
    environment: Environment
    carried: int


PEERS = (
    Peer(
        AGENTSCOPE_1,
        "agentscope1",
        Environment(
            "agentscope-1",
            # The first are what it does not pin, and does not run with or without; the last are its tutorial's.
            (
                *("agentscope==1.0.21", "mcp<2", "pydantic<2.13", "greenlet", "tqdm", "scipy", "websockets>=14"),
                *("fastapi", "uvicorn"),
            ),
        ),
        225,
    ),
    Peer(
        "AgentScope 2.0.11",
        "agentscope2",
        Environment("agentscope-2", ("agentscope[realtime]==2.0.11",), but_for=("certifi",)),
        150,
    ),
    Peer(OPENAI_AGENTS, "openai_agents", Environment("openai-agents", ("openai-agents[realtime]==0.24.0",)), 227),
    Peer(
        "LiveKit Agents 1.8.9",
        "livekit_agents",
        Environment("livekit", ("livekit-agents==1.8.9", "livekit-plugins-openai==1.8.9")),
        183,
    ),
    Peer("Pipecat 1.14.0", "pipecat_pipeline", Environment("pipecat", ("pipecat-ai[openai]==1.14.0",)), 59),
)
_FLOORS = (
    (FLOOR, "bare_socket", 800),
    ("websockets on asyncio", "asyncio_websockets", 450),
    ("bare trio-websocket", "bare_trio_websocket", 250),
)
_HOSTED_FLOORS = ((FLOOR, "floor_socket"), ("bare trio-websocket", "floor_trio_websocket"))
"""Those that do what `benchmarks.peers.application` asks for."""

_RELAY_FLOORS = ((FLOOR, "bare_socket", "plain"), ("bare trio-websocket", "bare_trio_websocket", "json"))
_WITH_A_GATEWAY = _WITH_ROOMS = (AGENTSCOPE_1,)
_OF_OURS = ("frontends on one agent", "interruption in passes · 100 others stream")
"""Benchmarks without peers, which have a part in the goals."""

Play = Callable[[Driver | str, bool], Values]


def benchmarks(directory: Path, tell: Callable[[str], None], peers: Sequence[Peer] = PEERS) -> list[Benchmark]:
    """All of them, with peers whose environments are in the directory, or will be: `tell` hears of installations."""
    them = [(peer, _driver(peer, directory, tell)) for peer in peers]
    return [
        *(_listen(sessions, them) for sessions in _SIZES),
        *(_flood(sessions, them) for sessions in _FLOODS),
        _speak(them),
        _interruption(them),
        _consumption(them),
        _weight(them),
        *(_relay(kind, them) for kind in ("stream", "flood")),
        *(_room(agents, them) for agents in _ROOMS),
        _capacity(them),
        *(each for each in to_frontend.benchmarks() + interruption.benchmarks() if each.label in _OF_OURS),
    ]


def _driver(peer: Peer, directory: Path, tell: Callable[[str], None]) -> Driver:
    @cache
    def attempt() -> str | Failed:
        try:
            return peer.environment.python(directory, tell)
        except Failed as error:
            return error

    def python() -> str:
        found = attempt()  # a second attempt would take as long, and find the same
        if isinstance(found, Failed):
            raise found
        return found

    return Driver(f"{__package__}.drivers.{peer.module}", python)


Them = Sequence[tuple[Peer, Driver]]


def _everybody(play: Play, ours: str, floors: Sequence[tuple[str, str]], them: Them) -> list[Contestant]:
    return [
        Contestant(OURS, partial(play, ours), ours=True),
        *(Contestant(name, partial(play, driver)) for name, driver in floors),
        *(Contestant(peer.name, partial(play, driver)) for peer, driver in them),
    ]


def _on_the_path(kind: Kind, sessions: int, them: Them) -> list[Contestant]:
    def play(driver: Driver | str, quick: bool) -> Values:
        return trial(load_of(kind, sessions, quick=quick), driver)

    return _everybody(play, "agents", [(name, driver) for name, driver, _ in _FLOORS], them)


def _hosted(play: Play, floors: bool, them: Them) -> list[Contestant]:
    def play_here(driver: Driver | str, quick: bool) -> Values:
        return play(Driver(f"{__package__}.drivers.{driver}") if isinstance(driver, str) else driver, quick)

    return _everybody(play_here, "own", _HOSTED_FLOORS if floors else (), them)


def _listen(sessions: int, them: Them) -> Benchmark:
    return Benchmark(
        group=GROUP,
        name="provider to application",
        case=sessions_in_words(sessions),
        about="A delta of 20 ms from the provider's socket to the application: CPU time, and time under way.",
        measures={"cpu": "µs", "p50": "ms", "p99": "ms"},
        baseline=FLOOR,
        contestants=_on_the_path("stream", sessions, them),
        quick=sessions == _QUICK_SIZE,
        quick_rounds=1,
    )


def _flood(sessions: int, them: Them) -> Benchmark:
    return Benchmark(
        group=GROUP,
        name="flood",
        case=sessions_in_words(sessions),
        about="Deltas that come as fast as they are read: CPU time of each.",
        measures={"cpu": "µs"},
        baseline=FLOOR,
        contestants=_on_the_path("flood", sessions, them),
        quick=sessions == 1,
        quick_rounds=1,
    )


def _speak(them: Them) -> Benchmark:
    return Benchmark(
        group=GROUP,
        name="application to provider",
        case=sessions_in_words(_SPEAKERS),
        about="A piece of 20 ms from the application to the provider's socket: CPU time. LiveKit sends five in one.",
        measures={"cpu": "µs", "p99": "ms"},
        baseline=FLOOR,
        contestants=_on_the_path("hear", _SPEAKERS, them),
        quick_rounds=1,
    )


def _interruption(them: Them) -> Benchmark:
    return Benchmark(
        group=GROUP,
        name="interruption under a flood",
        about="Of 20,000 deltas of a reply that the application interrupts: those it sees after it is told of the end "
        "(or, where it is not, after its call), and after its call; cancels that reach the provider.",
        measures={"after the end": "deltas", "after the call": "deltas", "cancels": ""},
        baseline=AGENTSCOPE_1,
        contestants=_hosted(lambda driver, _: interruption_trial(driver), False, them),
        quick_rounds=1,
    )


def _consumption(them: Them) -> Benchmark:
    return Benchmark(
        group=GROUP,
        name="slow consumer",
        about="An application that takes 20 deltas a second while the provider floods, for 8 s: growth of the memory.",
        measures={"growth": "MB"},
        baseline=AGENTSCOPE_1,
        contestants=_hosted(lambda driver, _: consumption_trial(driver), True, them),
        quick=False,
    )


def _weight(them: Them) -> Benchmark:
    return Benchmark(
        group=GROUP,
        name="memory of a session",
        about=f"Of {_WEIGHED}: when nothing was said in it, and after a turn (a second of speech, 20 deltas of reply).",
        measures={"idle": "KB", "after a turn": "KB"},
        baseline=FLOOR,
        contestants=_hosted(
            lambda driver, quick: weight_trial(driver, _QUICK_WEIGHED if quick else _WEIGHED), True, them
        ),
        quick_rounds=1,
    )


def _relay(kind: Kind, them: Them) -> Benchmark:
    sessions = _FRONTENDS if kind == "stream" else _FLOODS[-1]

    def contestant(name: str, driver: Driver | str, framing: str) -> Contestant:
        def play(quick: bool) -> Values:
            return relay_trial(load_of(kind, sessions, quick=quick), driver, framing)

        return Contestant(name, play, ours=name == OURS)

    return Benchmark(
        group=GROUP,
        name="provider to frontend" if kind == "stream" else "flood to frontends",
        case=sessions_in_words(sessions),
        about="A delta from the provider's socket to the frontend's, JSON; the peer's under FastAPI and uvicorn.",
        measures={"cpu": "µs", "p99": "ms"} if kind == "stream" else {"cpu": "µs"},
        baseline=FLOOR,
        contestants=[
            contestant(OURS, "agents", "json"),
            *(contestant(*each) for each in _RELAY_FLOORS),
            *(contestant(peer.name, driver, "json") for peer, driver in them if peer.name in _WITH_A_GATEWAY),
        ],
        quick_rounds=1,
    )


def _room(agents: int, them: Them) -> Benchmark:
    return Benchmark(
        group=GROUP,
        name="room",
        case=f"{agents} agents",
        about="An agent speaks in each of five rooms: CPU time of each piece of 20 ms to each other agent of its room.",
        measures={"cpu": "µs"},
        baseline=FLOOR,
        contestants=_hosted(
            lambda driver, quick: conversation_trial(driver, agents, quick=quick),
            True,
            [(peer, driver) for peer, driver in them if peer.name in _WITH_ROOMS],
        ),
        quick=agents == _ROOMS[-1],
        quick_rounds=1,
    )


def _capacity(them: Them) -> Benchmark:
    return Benchmark(
        group=GROUP,
        name="sessions per core",
        about=f"Sessions of which one core hears 99 % of the deltas within {MOST_MS:g} ms.",
        measures={"sessions": ""},
        baseline=FLOOR,
        contestants=[
            Contestant(OURS, Search("agents", 250).play, ours=True),
            *(Contestant(name, Search(driver, start).play) for name, driver, start in _FLOORS),
            *(Contestant(peer.name, Search(driver, peer.carried).play) for peer, driver in them),
        ],
        more_is_better=True,
        quick=False,
    )
