"""A scenario with a provider: what an agent publishes, as lines that can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import trio
from parity_providers import Provider
from parity_scenarios import Scenario

from realtime_actors.actors import Ref, Runtime
from realtime_actors.agents import RealtimeAgent, tool
from realtime_actors.audio import iter_chunks
from realtime_actors.events import (
    AgentError,
    AgentInputTranscriptionDelta,
    AgentInputTranscriptionDone,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDelta,
    AgentResponseToolUseDone,
    AudioFormat,
    ClientAudioAppend,
    ClientAudioCommit,
    ClientEvent,
    ClientImageAppend,
    ClientResponseCancel,
    ClientResponseCreate,
    ClientSessionCreate,
    ClientTextAppend,
    Event,
    ServerSessionUpdated,
)
from realtime_actors.providers import InvalidModel, ProviderRefused
from realtime_actors.simulators import buzz
from realtime_actors.simulators.script import read_script
from realtime_actors.testing import Failures, Probe, run_virtual
from realtime_actors.transports import MemoryTransport

__all__ = ["play", "sequence"]

RATE = 24000
PICTURE = b"\xff\xd8\xff\xe0" + bytes(200)
CALM = 30.0
"""Seconds after the user's last step in which nothing may be missed: no reply at all is noticed after 20."""


@tool
async def get_weather(city: str, seconds: float = 0) -> str:
    """Weather in a city, after this time."""
    await trio.sleep(seconds + len(city) / 1000)  # of two calls at once it must be certain which ends first
    return f"Sunny in {city}."


def play(scenario: Scenario, provider: Provider) -> list[str]:
    """What an agent publishes in this scenario, in no time."""
    return run_virtual(_play, scenario, provider, failures=Failures(ProviderRefused))


async def _play(runtime: Runtime, scenario: Scenario, provider: Provider) -> list[str]:
    brain = read_script(scenario.script)
    # When the user's words are told is open on most wires; here all tell them before the reply, if they can.
    simulator = provider.simulator(brain=brain, speed=scenario.speed, seed=1, transcripts="before")
    transport = MemoryTransport(simulator.respond)
    probe = await Probe.spawn(runtime, within=60, capacity=10_000)
    probe.subscribe("agents.friday.>")
    unknown = scenario.settings.keys() - attrs.fields_dict(type(provider.model)).keys()
    if unknown:
        return [f"no such setting: {' '.join(unknown)}"]
    try:
        model = attrs.evolve(provider.model, turn_detection=scenario.detection, **scenario.settings)
        prototype = RealtimeAgent("Friday", "Be brief.", model, [get_weather], transport=transport)
        agent = await runtime.spawn(prototype, name="friday")
    except (InvalidModel, ProviderRefused) as error:
        return [f"{type(error).__name__}: {error}"]
    events: list[Any] = []
    for step in scenario.user:
        events += await _do(step, agent, probe, transport)
    await trio.sleep(CALM)
    return sequence([*events, *probe.take_all()], model.provider)


async def _do(step: Mapping[str, Any], agent: Ref, probe: Probe, transport: MemoryTransport) -> list[Any]:
    """Do one step of the user's; gives the events up to what it waits for."""
    match step:
        case {"speaks": ms}:
            await _say(agent, buzz(ms, RATE))
        case {"rests": ms}:
            await _say(agent, bytes(2 * RATE * ms // 1000))
        case {"loses": "the connection"}:
            assert transport.drop_connections() == 1
        case {"waits": seconds}:
            await trio.sleep(seconds)
        case {"awaits": kind, **further}:
            times = further.get("times", 1)
            awaited = [await probe.until(Event, where=lambda event: event.type == kind) for _ in range(times)]
            return [event for events in awaited for event in events]
        case _:
            agent.tell(_client_event(step))
    return []


def _client_event(step: Mapping[str, Any]) -> ClientEvent:
    match step:
        case {"types": text}:
            return ClientTextAppend("s1", text)
        case {"shows": media_type}:
            return ClientImageAppend("s1", PICTURE, {"type": media_type})
        case {"commits": True}:
            return ClientAudioCommit("s1")
        case {"asks": True}:
            return ClientResponseCreate("s1")
        case {"cancels": True}:
            return ClientResponseCancel("s1")
        case {"instructs": text}:
            return ClientSessionCreate({"instructions": text})
        case _:
            raise ValueError(f"no such step: {dict(step)}")


async def _say(agent: Ref, pcm: bytes) -> None:
    for chunk in iter_chunks(pcm, RATE, 20):
        agent.tell(ClientAudioAppend("s1", chunk, AudioFormat(rate=RATE)))
        await trio.sleep(0.02)


@attrs.frozen
class _Said:
    """An event, or the pieces of one thing in a row."""

    type: str
    of: str = ""
    """The item or the call."""
    text: str | None = None
    quoted: bool = True

    def __str__(self) -> str:
        if self.text is None:
            return self.type
        return f"{self.type} {json.dumps(self.text.strip(), ensure_ascii=False) if self.quoted else self.text}"


def sequence(events: Sequence[Any], provider: str) -> list[str]:
    """Events as lines of type, status and text: no ids, no times, no tokens.

    Pieces of one thing in a row are one line. The speech and the words of a reply come interleaved, as the wire has
    them: here they stand together, speech first. How much was said of a reply that was cut short is a matter of time:
    its words are left out. In an error's text there are a provider's name and a reply's id: these are left out, too.
    """
    done = [event for event in events if isinstance(event, AgentResponseDone)]
    whole = {event.response_id for event in done if event.metadata["status"] == "completed"}
    said: list[_Said] = []
    for event in events:
        new = _said(event, whole)
        if isinstance(event, _PIECES):
            _add_piece(said, new)
        else:
            said.append(new)
    names = [provider, *(event.response_id for event in events if isinstance(event, AgentResponseCreated))]
    return [_without(names, str(each)).rstrip() for each in said]


def _without(names: Sequence[str], line: str) -> str:
    for name in names:
        line = line.replace(name, "…")
    return line


def _add_piece(said: list[_Said], new: _Said) -> None:
    for index in range(len(said) - 1, -1, -1):
        old = said[index]
        if (old.type, old.of) == (new.type, new.of):
            said[index] = new if new.text is None or new.type == _CALL else attrs.evolve(old, text=_joined(old, new))
            return
        if not {old.type, new.type} <= _SPEECH_AND_WORDS:
            break
    if said and (said[-1].type, said[-1].of, new.type) == (_WORDS, new.of, _SPEECH):
        said.insert(-1, new)
    else:
        said.append(new)


def _joined(old: _Said, new: _Said) -> str | None:
    return old.text if new.text == _CUT else f"{old.text}{new.text}"


_CUT = "…"
_SPEECH, _WORDS = AgentResponseAudioDelta.type, AgentResponseAudioTranscriptDelta.type
_CALL = AgentResponseToolUseDelta.type
_SPEECH_AND_WORDS = {_SPEECH, _WORDS}
_PIECES = (
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDelta,
    AgentResponseToolUseDelta,
    AgentInputTranscriptionDelta,
)


def _said(event: Any, whole: set[str]) -> _Said:  # noqa: PLR0911 - one for each type
    kind: str = event.type
    match event:
        case AgentResponseAudioDelta():
            return _Said(kind, event.item_id)
        case AgentResponseAudioTranscriptDelta():
            return _Said(kind, event.item_id, event.delta if event.response_id in whole else _CUT)
        case AgentResponseAudioTranscriptDone():
            return _Said(kind, event.item_id, event.transcript if event.response_id in whole else _CUT)
        case AgentResponseToolUseDelta(tool_use=use):
            return _Said(kind, use.id, _compact(use.raw_input))
        case AgentResponseToolUseDone(tool_use=use):
            return _Said(kind, use.id, f"{use.name} {json.dumps(use.input)}", quoted=False)
        case AgentResponseToolResult(tool_result=result):
            return _Said(kind, result.id, str(result.output))
        case AgentInputTranscriptionDelta():
            return _Said(kind, event.item_id, event.delta)
        case AgentInputTranscriptionDone():
            return _Said(kind, event.item_id, event.transcript)
        case AgentResponseDone(metadata=metadata):
            reason = f" ({metadata['reason']})" if "reason" in metadata else ""
            return _Said(kind, text=metadata["status"] + reason, quoted=False)
        case AgentError():
            return _Said(kind, text=f"{event.error_type} {event.code}: {event.message}", quoted=False)
        case ServerSessionUpdated(metadata=metadata):
            return _Said(kind, text=" ".join(f"{key}={value}" for key, value in metadata.items()), quoted=False)
        case _:
            return _Said(kind)


def _compact(arguments: str) -> str:
    """So that blanks in JSON make no difference."""
    try:
        return json.dumps(json.loads(arguments))
    except json.JSONDecodeError:
        return arguments
