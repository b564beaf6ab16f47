"""The examples do what they say."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import realtime_actors
from examples.moderation import Moderated, Moderator
from examples.own_provider import SpokenModel, Think, parrot
from examples.own_supervisor import Dictation, Read, Sound
from examples.record_and_replay import Recorder, Replay, read_recording
from realtime_actors import (
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseCreated,
    AgentResponseDone,
    AudioFormat,
    Child,
    ClientAudioAppend,
    ClientResponseCancel,
    ClientTextAppend,
    RealtimeAgent,
    Ref,
    RestartBudgetExceeded,
    Runtime,
    Subscription,
    Supervisor,
    open_runtime,
)
from realtime_actors.audio import read_wav
from realtime_actors.simulators import OpenAISimulator, Reply, Say, ScriptedBrain

EXAMPLES = Path(realtime_actors.__file__).parent.parent / "examples"
Polly = tuple[Runtime, Ref, Subscription]


@asynccontextmanager
async def polly(think: Think = parrot) -> AsyncGenerator[Polly]:
    async with open_runtime() as runtime, runtime.bus.subscribe("agents.polly.>") as events:
        agent = await runtime.spawn(RealtimeAgent("Polly", "Repeat.", SpokenModel(think=think)), name="polly")
        yield runtime, agent, events


async def until(events: Subscription, kind: type) -> list[Any]:
    seen: list[Any] = []
    with trio.fail_after(30):
        while not seen or not isinstance(seen[-1], kind):
            seen.append(await events.receive())
    return seen


async def long_speech(instructions: str, conversation: Sequence[str]) -> str:
    return "And another thing is that this goes on. " * 500


# -- a provider of one's own


async def test_a_provider_of_one_s_own_speaks() -> None:
    async with polly() as (_, agent, events):
        agent.tell(ClientTextAppend("s1", "Hello there"))
        seen = await until(events, AgentResponseDone)
        assert [event.transcript for event in seen if isinstance(event, AgentResponseAudioTranscriptDone)] == [
            "You said: Hello there"
        ]
        speech = b"".join(event.delta for event in seen if isinstance(event, AgentResponseAudioDelta))
        assert len(speech) > 24000  # half a second
        assert seen[-1].metadata["status"] == "completed"


async def test_it_is_told_the_whole_conversation() -> None:
    heard: list[tuple[str, ...]] = []

    async def think(instructions: str, conversation: Sequence[str]) -> str:
        heard.append((instructions, *conversation))
        return f"Answer {len(heard)}"

    async with polly(think) as (_, agent, events):
        for question in ("One?", "Two?"):
            agent.tell(ClientTextAppend("s1", question))
            await until(events, AgentResponseDone)
    assert heard == [("Repeat.", "One?"), ("Repeat.", "One?", "Answer 1", "Two?")]


async def test_it_is_interrupted_in_the_middle_of_a_word() -> None:
    async with polly(long_speech) as (_, agent, events):
        agent.tell(ClientTextAppend("s1", "Tell me all"))
        await until(events, AgentResponseAudioDelta)
        agent.tell(ClientResponseCancel("s1"))
        seen = await until(events, AgentResponseDone)
        assert seen[-1].metadata["status"] == "cancelled"
        agent.tell(ClientTextAppend("s1", "And now?"))
        await until(events, AgentResponseAudioDelta)


async def test_a_model_that_fails_fails_one_reply() -> None:
    async def think(instructions: str, conversation: Sequence[str]) -> str:
        if conversation[-1] == "Fail":
            raise ConnectionError("the model is asleep")
        return "Fine."

    async with polly(think) as (_, agent, events):
        agent.tell(ClientTextAppend("s1", "Fail"))
        failed = (await until(events, AgentResponseDone))[-1]
        assert failed.metadata["status"] == "failed"
        assert "the model is asleep" in failed.metadata["error_message"]
        agent.tell(ClientTextAppend("s1", "Again"))
        assert (await until(events, AgentResponseDone))[-1].metadata["status"] == "completed"


def test_it_fits_into_a_hundred_lines() -> None:
    source = (EXAMPLES / "own_provider.py").read_text()
    provider = source[source.index("@attrs.frozen(kw_only=True)\nclass SpokenModel") : source.index("async def parrot")]
    assert len(provider.splitlines()) < 100


def test_the_provider_s_example_runs_as_it_is(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "own_provider.py"), "What", "can", "you", "do?"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert done.stdout.startswith("answer.wav: ")
    assert read_wav(tmp_path / "answer.wav").duration_ms > 500


# -- recording


async def test_what_was_recorded_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "session.msgpack"
    piece = ClientAudioAppend("s1", bytes(960), AudioFormat(rate=24000))
    async with polly() as (runtime, agent, events):
        recorder = await runtime.spawn(Recorder(agent, path), name="recorder")
        recorder.tell(piece)
        recorder.tell(ClientTextAppend("s1", "Hello"))
        said = (await until(events, AgentResponseDone))[1:]  # the first one, that it is ready, was before
        await recorder.stop(drain=True)
    recorded = [event for _, event in read_recording(path)]
    assert {type(event) for event in recorded[:2]} == {ClientAudioAppend, ClientTextAppend}
    assert recorded[2:] == said
    seconds = [second for second, _ in read_recording(path)]
    assert seconds == sorted(seconds)
    async with open_runtime() as runtime, runtime.bus.subscribe("agents.again.>") as events:
        replay = await runtime.spawn(Replay(path, "again", speed=0))
        await replay.wait_stopped()
        assert [await events.receive() for _ in said] == said


async def test_a_replay_keeps_its_pace(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    path = tmp_path / "session.msgpack"
    created, done = AgentResponseCreated("r1", "polly", "Polly"), AgentResponseDone("r1", 0, 0, {}, "polly", "Polly")
    async with open_runtime() as runtime:
        silent = await runtime.spawn(Dictation(), name="polly")
        recorder = await runtime.spawn(Recorder(silent, path))
        for event in (created, done):
            await trio.sleep(1.5)
            runtime.bus.publish(f"agents.polly.{event.type}", event)
        await recorder.stop(drain=True)
    assert [round(second, 3) for second, _ in read_recording(path)] == [1.5, 3]
    async with open_runtime() as runtime, runtime.bus.subscribe("agents.again.>") as events:
        began = trio.current_time()
        await runtime.spawn(Replay(path, "again", speed=2))
        assert await events.receive() == created
        assert trio.current_time() - began == pytest.approx(0.75)
        assert await events.receive() == done
        assert trio.current_time() - began == pytest.approx(1.5)


async def test_a_cancel_passes_the_recorder_as_fast_as_it_would_the_agent(tmp_path: Path) -> None:
    async with polly(long_speech) as (runtime, agent, events):
        recorder = await runtime.spawn(Recorder(agent, tmp_path / "session.msgpack"))
        recorder.tell(ClientTextAppend("s1", "Tell me all"))
        await until(events, AgentResponseAudioDelta)
        recorder.tell(ClientResponseCancel("s1"))
        assert (await until(events, AgentResponseDone))[-1].metadata["status"] == "cancelled"


def test_a_recording_that_was_cut_off_is_read_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "session.msgpack"
    trio.run(test_what_was_recorded_is_replayed, tmp_path)
    whole = len(list(read_recording(path)))
    path.write_bytes(path.read_bytes()[:-3])
    assert len(list(read_recording(path))) == whole - 1
    monkeypatch.setattr(sys, "argv", ["record_and_replay.py", str(path)])
    runpy.run_path(str(EXAMPLES / "record_and_replay.py"), run_name="__main__")
    assert "client_text_append" in capsys.readouterr().out


# -- moderation


async def test_a_reply_with_a_bad_word_is_stopped_and_the_next_is_not() -> None:
    async def think(instructions: str, conversation: Sequence[str]) -> str:
        return f"{conversation[-1]}. " + await long_speech(instructions, conversation)

    async with polly(think) as (runtime, agent, events), runtime.bus.subscribe("moderation.>") as verdicts:
        await runtime.spawn(Moderator(frozenset({"darn"})), name="moderator")
        agent.tell(ClientTextAppend("s1", "DARN it"))
        seen = await until(events, AgentResponseDone)
        assert seen[-1].metadata["status"] == "cancelled"
        assert await verdicts.receive() == Moderated("polly", seen[-1].response_id, "darn")
        agent.tell(ClientTextAppend("s1", "Bless it"))
        await until(events, AgentResponseAudioDelta)
        assert verdicts.statistics().waiting == 0


async def test_agents_below_others_are_moderated_too() -> None:
    async def think(instructions: str, conversation: Sequence[str]) -> str:
        return "darn. " + await long_speech(instructions, conversation)

    async with open_runtime() as runtime, runtime.bus.subscribe("agents.polly.>") as events:
        await runtime.spawn(Moderator(frozenset({"darn"})))
        agent = Child(RealtimeAgent("Polly", "Repeat.", SpokenModel(think=think)), name="polly")
        await runtime.spawn(Supervisor([agent]), name="team")
        polly = runtime.find("team.polly")
        assert polly is not None
        polly.tell(ClientTextAppend("s1", "Say it"))
        assert (await until(events, AgentResponseDone))[-1].metadata["status"] == "cancelled"


# -- a supervisor of one's own


async def test_what_comes_after_the_crashed_one_begins_anew(autojump_clock: trio.testing.MockClock) -> None:
    async with open_runtime() as runtime:
        dictation = await runtime.spawn(Dictation(), name="dictation")
        microphone, logbook = runtime.find("dictation.microphone"), runtime.find("dictation.logbook")
        assert microphone is not None
        assert logbook is not None
        for word in ("one", "two"):
            dictation.tell(Sound(word))
        await trio.sleep(1)
        assert await logbook.ask(Read(), timeout=1) == ["one", "two"]
        dictation.tell(Sound("?"))
        await trio.sleep(1)
        dictation.tell(Sound("three"))
        await trio.sleep(1)
        assert await logbook.ask(Read(), timeout=1) == ["three"]
        assert await microphone.ask(Read(), timeout=1) == 4
        for _ in range(2):
            dictation.tell(Sound("?"))
            await trio.sleep(5)
        ended = await dictation.wait_stopped()
        assert isinstance(ended.cause, RestartBudgetExceeded)


def test_the_supervisor_s_example_runs_as_it_is() -> None:
    command = [sys.executable, str(EXAMPLES / "own_supervisor.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert "It gave up: dictation.recogniser ended (crashed) after 2 restarts" in done.stdout


async def test_a_room_s_example_runs_as_it_is() -> None:
    """In asyncio, against a server elsewhere."""
    lines = ["Tea.", "Coffee.", "Tea, I say.", "Never."]
    brain = ScriptedBrain(replies=[Reply([Say(line)]) for line in lines], ms_per_character=15)
    simulator = OpenAISimulator(brain=brain, speed=0, seed=1)
    async with trio.open_nursery() as nursery:
        await nursery.start(simulator.serve)
        command = [sys.executable, str(EXAMPLES / "room_asyncio.py"), "--url", simulator.url, "Tea or coffee?"]
        with trio.fail_after(60):
            ended = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
        nursery.cancel_scope.cancel()
    assert ended.stderr == b""
    said = ended.stdout.decode().splitlines()
    assert said == ["Ann: Tea or coffee?", "Ada: Tea.", "Bert: Coffee.", "Ada: Tea, I say.", "Bert: Never."]
