"""OpenAI's simulator over its transports: pace, what its brain does and fails to do, who may connect."""

import itertools
import json
import math
from collections.abc import AsyncIterator, Sequence

import pytest
import trio
import trio.testing
from realtime_client import audio_of, connected, in_memory, on_a_socket, types

from realtime_actors.simulators import (
    BareCall,
    Call,
    Drop,
    Endless,
    ErrorEvent,
    Fail,
    Incomplete,
    Midway,
    NoUsage,
    OpenAISimulator,
    Overlap,
    Part,
    Raw,
    Reply,
    Say,
    ScriptedBrain,
    Stall,
    TranscriptionFailed,
    Turn,
    Twice,
    buzz,
)
from realtime_actors.transports import HandshakeRejected, MemoryTransport, TrioWebSocketTransport

SILENCE = bytes(48000)


def simulator(*parts: Part, speed: float = 1.0, lifetime: float = 3600.0) -> OpenAISimulator:
    brain = ScriptedBrain(replies=[Reply(parts)], transcripts=["good morning"])
    return OpenAISimulator(brain=brain, speed=speed, lifetime=lifetime, seed=1)


# -- turns -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 0.66), (4.0, 0.165), (0, 0), (math.inf, 0)])
async def test_speaks_at_its_speed(autojump_clock: trio.abc.Clock, speed: float, seconds: float) -> None:
    """The audio of a reply is the brain's, byte for byte, and takes as long as its speed says."""
    served = simulator(Say("Hello there"), speed=speed)
    async with in_memory(served) as client:
        start = trio.current_time()
        await client.say("hi")
        events = await client.until("response.done")
        assert trio.current_time() - start == pytest.approx(seconds)  # pyright: ignore[reportUnknownMemberType]
        assert audio_of(events) == ScriptedBrain().audio("Hello there", 24000)
        transcript = next(e["transcript"] for e in events if e["type"] == "response.output_audio_transcript.done")
        assert transcript == "Hello there"


async def test_a_spoken_turn(autojump_clock: trio.abc.Clock) -> None:
    """Real audio through the real detector: speech, silence, a turn, its transcript and an answer."""
    async with in_memory(simulator(Say("Morning."))) as client:
        await client.update(audio={"input": {"transcription": {"model": "gpt-4o-transcribe"}}})
        await client.append(SILENCE + buzz(1000, 24000) + SILENCE)
        events = await client.until("rate_limits.updated")
        kinds = types(events)
        assert kinds[:6] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
        assert events[0]["audio_start_ms"] == pytest.approx(700, abs=50)  # pyright: ignore[reportUnknownMemberType]
        assert events[1]["audio_end_ms"] == pytest.approx(2200, abs=50)  # pyright: ignore[reportUnknownMemberType]
        if "conversation.item.input_audio_transcription.completed" not in kinds:
            await client.until("conversation.item.input_audio_transcription.completed")
        heard = next(e for e in client.seen if e["type"].endswith("transcription.completed"))
        assert heard["transcript"] == "good morning"
        assert heard["item_id"] == events[0]["item_id"]


async def test_barge_in(autojump_clock: trio.abc.Clock) -> None:
    """Speech over a reply ends it at once, with what was said until then."""
    async with in_memory(simulator(Say("Once upon a time there was a king. " * 10))) as client:
        await client.say("a story")
        await client.until("response.output_audio.delta")
        await client.append(buzz(500, 24000))
        done = (await client.until("response.done"))[-1]["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert len(done["output"][0]["content"][0]["transcript"]) < 100


async def test_a_client_that_cancels_hears_no_more(autojump_clock: trio.abc.Clock) -> None:
    """After the cancelled response's end nothing of it comes, over and over again, at full speed."""
    brain = ScriptedBrain(default=[Endless()])
    async with in_memory(OpenAISimulator(brain=brain, speed=0)) as client:
        for _ in range(100):
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.send("response.cancel")
            done = (await client.until("response.done"))[-1]["response"]
            assert done["status"] == "cancelled"
        await client.say("still there?")
        assert "response.created" in types(await client.until("response.output_audio.delta"))
    ended: set[str] = set()
    for event in client.seen:
        assert event.get("response_id") not in ended
        if event["type"] == "response.done":
            ended.add(event["response"]["id"])


async def test_tools(autojump_clock: trio.abc.Clock) -> None:
    """Speech and two calls in one response; the results go to the brain when the client asks for a response."""
    brain = ScriptedBrain(
        replies=[
            Reply([Say("Wait."), Call("weather", '{"city": "Paris"}'), Call("time")], when="weather"),
            Reply([Say("It rains.")], after="time"),
        ]
    )
    async with in_memory(OpenAISimulator(brain=brain)) as client:
        await client.update(tools=[{"type": "function", "name": name} for name in ("weather", "time")])
        await client.say("Weather and time in Paris?")
        output = (await client.until("response.done"))[-1]["response"]["output"]
        assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
        assert json.loads(output[1]["arguments"]) == {"city": "Paris"}
        assert brain.tools == ["weather", "time"]
        for call in output[1:]:
            result = {"type": "function_call_output", "call_id": call["call_id"], "output": "42"}
            await client.send("conversation.item.create", item=result)
        await client.send("response.create")
        said = (await client.until("response.done"))[-1]["response"]["output"][0]["content"][0]["transcript"]
        assert said == "It rains."
        assert [turn.name for turn in brain.heard if turn.role == "tool"] == ["weather", "time"]


async def test_text_session(autojump_clock: trio.abc.Clock) -> None:
    """With text as output modality the reply is written."""
    async with in_memory(simulator(Say("Hello there"))) as client:
        await client.update(output_modalities=["text"])
        await client.say("hi")
        events = await client.until("response.done")
        assert "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta") == "Hello there"
        assert audio_of(events) == b""


async def test_telephone_session(autojump_clock: trio.abc.Clock) -> None:
    """G.711 both ways: the detector hears it, the reply has a byte for each of 8,000 samples a second."""
    async with in_memory(simulator(Say("Hello"))) as client:
        law = {"format": {"type": "audio/pcma"}}
        await client.update(audio={"input": law, "output": law})
        await client.append(b"\xd5" * 4000)
        await client.say("hi")
        assert len(audio_of(await client.until("response.done"))) == 5 * 60 * 8


# -- failures ----------------------------------------------------------------------------------------------------------


async def test_raw_frames_and_errors(autojump_clock: trio.abc.Clock) -> None:
    """A script can send anything: a malformed frame, an error without a code, an invented event."""
    invented = '{"type": "response.done", "response": {"id": "$response_id"}}'
    async with in_memory(
        simulator(Raw("{not json"), ErrorEvent("odd", code=None), Raw(invented), Raw(b"\0"))
    ) as client:
        await client.say("hi")
        await client.until("response.created")
        assert await client.websocket.receive() == "{not json"
        assert (await client.receive())["error"]["code"] is None
        invention = json.loads(await client.websocket.receive())
        assert await client.websocket.receive() == b"\0"
        assert (await client.until("response.done"))[-1]["response"]["id"] == invention["response"]["id"]


async def test_strange_calls_and_usage(autojump_clock: trio.abc.Clock) -> None:
    """A call in its last event alone, arguments that are no JSON, usage null, events that come twice."""
    async with in_memory(simulator(BareCall("f", "{oops"), Twice(Call("g", "{}")), NoUsage())) as client:
        await client.say("hi")
        events = await client.until("response.done")
        kinds = types(events)
        bare = kinds.index("response.function_call_arguments.done")
        assert "response.output_item.added" not in kinds[:bare]
        assert events[bare]["arguments"] == "{oops"
        ids = [e["event_id"] for e in events if e["type"].startswith("response.function_call_arguments")][1:]
        assert len(ids) == 2 * len(set(ids)) == 4
        assert events[-1]["response"]["usage"] is None
        result = {"type": "function_call_output", "call_id": events[bare]["call_id"], "output": "x"}
        await client.send("conversation.item.create", item=result)
        await client.until("conversation.item.done")


async def test_overlapping_responses(autojump_clock: trio.abc.Clock) -> None:
    """Deltas of a second response come between those of the first."""
    async with in_memory(simulator(Midway("The first of two.", 200, Overlap("The second.")))) as client:
        await client.say("hi")
        events = await client.until("response.done")
        events += await client.until("response.done")
        speakers = [e["response_id"] for e in events if e["type"] == "response.output_audio.delta"]
        changes = sum(1 for one, other in itertools.pairwise(speakers) if one != other)
        assert len(set(speakers)) == 2
        assert changes > 3


@pytest.mark.parametrize(
    ("part", "status", "details"),
    [
        (
            Fail("no more", code="insufficient_quota", type="insufficient_quota"),
            "failed",
            {
                "type": "failed",
                "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "no more"},
            },
        ),
        (Incomplete("content_filter"), "incomplete", {"type": "incomplete", "reason": "content_filter"}),
    ],
)
@pytest.mark.parametrize("midway", [False, True])
async def test_bad_ends(
    autojump_clock: trio.abc.Clock, part: Fail | Incomplete, status: str, details: object, midway: bool
) -> None:
    """A response can fail or stay incomplete, also in the middle of a word; the next one goes well."""
    script = [Midway("Hello there", 300, part)] if midway else [Say("Hello"), part, Say("never")]
    async with in_memory(simulator(*script)) as client:
        await client.say("hi")
        events = await client.until("response.done")
        done = events[-1]["response"]
        assert (done["status"], done["status_details"]) == (status, details)
        assert audio_of(events) == ScriptedBrain().audio("Hello there" if midway else "Hello", 24000)[:14400]
        await client.send("response.create")
        assert (await client.until("response.done"))[-1]["response"]["status"] == "completed"


async def test_stall(autojump_clock: trio.abc.Clock) -> None:
    """A stalled response says nothing for as long as the script wants; it can still be cancelled."""
    async with in_memory(simulator(Midway("Hello there", 100, Stall(30)), Stall())) as client:
        tasks = trio.lowlevel.current_statistics().tasks_living
        await client.say("hi")
        await client.until("response.output_audio.delta")
        start = trio.current_time()
        await client.until("response.output_audio.done")
        assert trio.current_time() - start > 30
        await client.until("response.output_item.done")
        with trio.move_on_after(1000) as patience:
            await client.receive()
        assert patience.cancelled_caught
        await client.send("response.cancel")
        assert (await client.until("rate_limits.updated"))[-2]["response"]["status"] == "cancelled"
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == tasks


@pytest.mark.parametrize(("part", "code"), [(Drop(), 1006), (Drop(1011, "oops"), 1011), (Drop(4000), 4000)])
async def test_drops_the_socket_in_the_middle_of_a_word(part: Drop, code: int) -> None:
    """What was said before the drop arrives, then the connection ends with the script's code, or breaks."""
    async with on_a_socket(simulator(Midway("Hello there", 300, part), speed=20)) as client:
        await client.say("hi")
        closed = await client.closed()
        assert (closed.code, closed.local) == (code, False)
        assert len(audio_of(client.seen)) == 14400


async def test_a_brain_that_cannot_hear() -> None:
    """A brain that cannot transcribe gives the failed event; one that breaks closes its connection with 1011."""

    class Deaf(ScriptedBrain):
        async def transcribe(self, pcm: bytes, rate: int) -> str:
            raise TranscriptionFailed("too much noise")

        async def reply(self, turns: Sequence[Turn], tools: Sequence[str]) -> Sequence[Part]:
            raise LookupError("a bug")

        def speak(self, text: str, rate: int) -> AsyncIterator[bytes]:  # type: ignore[override]
            raise NotImplementedError

    async with on_a_socket(OpenAISimulator(brain=Deaf(), speed=0)) as client:
        await client.update(audio={"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}})
        await client.append(SILENCE)
        await client.send("input_audio_buffer.commit")
        failed = (await client.until("conversation.item.input_audio_transcription.failed"))[-1]
        assert failed["error"]["message"] == "too much noise"
        await client.send("response.create")
        assert (await client.closed()).code == 1011


# -- the connection ----------------------------------------------------------------------------------------------------


async def test_expires(autojump_clock: trio.abc.Clock) -> None:
    """At the end of its time a session tells so, and closes with 1001."""
    async with in_memory(simulator(Endless(), lifetime=3600.0)) as client:
        start = trio.current_time()
        closed = await client.closed()
        assert trio.current_time() - start == pytest.approx(3600)  # pyright: ignore[reportUnknownMemberType]
        assert client.seen[-1]["error"]["code"] == "session_expired"
        assert (closed.code, closed.reason) == (1001, "Your session hit the maximum duration of 60 minutes.")


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/v1/realtime?model=gpt-realtime", (), 401, None),
        ("/v1/realtime?model=gpt-realtime", (("Authorization", "Bearer bad-key"),), 401, "invalid_api_key"),
        ("/v1/realtime", (("Authorization", "Bearer sk-x"),), 400, "missing_required_parameter"),
        ("/v1/other", (("Authorization", "Bearer sk-x"),), 404, None),
    ],
)
async def test_refuses_by_http(path: str, headers: tuple[tuple[str, str], ...], status: int, code: str | None) -> None:
    """Without a good key, a model or the path there is no WebSocket, but OpenAI's error in JSON."""
    served = simulator()
    async with trio.open_nursery() as nursery:
        address = await nursery.start(served.serve)
        with pytest.raises(HandshakeRejected) as caught:
            async with TrioWebSocketTransport().connect(f"ws://127.0.0.1:{address.port}{path}", headers=headers):
                pass
        nursery.cancel_scope.cancel()
    assert caught.value.status == status
    error = json.loads(caught.value.body)["error"]
    assert error["code"] == code
    assert "bad-key" not in error["message"]


@pytest.mark.parametrize(
    ("model", "headers", "code"),
    [
        ("gpt-9", (), "model_not_found"),
        ("gpt-realtime", (("OpenAI-Beta", "realtime=v1"),), "beta_api_shape_disabled"),
    ],
)
async def test_refuses_by_event(model: str, headers: tuple[tuple[str, str], ...], code: str) -> None:
    """An unknown model and the beta shape get an error event, then the connection is closed."""
    transport = MemoryTransport(simulator().respond)
    keyed = (("Authorization", "Bearer sk-x"), *headers)
    async with connected("ws://memory/v1/realtime", transport, model=model, headers=keyed) as client:
        closed = await client.closed()
        assert types(client.seen) == ["error"]
        assert client.seen[0]["error"]["code"] == code
        assert (closed.code, closed.reason) == (4000, f"invalid_request_error.{code}")


async def test_takes_a_key_as_browsers_send_it() -> None:
    """The key may come as a subprotocol; the one chosen is `realtime`."""
    transport = MemoryTransport(simulator().respond)
    offered = ("realtime", "openai-insecure-api-key.ek_1")
    async with connected("ws://memory/v1/realtime", transport, headers=(), subprotocols=offered) as client:
        assert client.websocket.subprotocol == "realtime"
        assert types(await client.until("session.created")) == ["session.created"]


@pytest.mark.parametrize("frame", ["{", "[]", "nul", b"\0\1", "[" * 500 + "]" * 500])
async def test_a_bad_frame_ends_nothing(frame: str | bytes) -> None:
    """A frame that is no event gets `invalid_event`, and the session goes on."""
    async with in_memory(simulator()) as client:
        await client.websocket.send(frame)
        assert (await client.receive())["error"]["code"] == "invalid_event"
        await client.update()


async def test_a_client_that_does_not_read_holds_back_its_response(autojump_clock: trio.abc.Clock) -> None:
    """An endless reply at full speed to a client that does not read stops: memory stays bounded."""
    served = OpenAISimulator(brain=ScriptedBrain(default=[Endless()]), speed=0)
    async with in_memory(served) as client:
        await client.send("response.create")
        await trio.sleep(60)
        sent = served.statistics().frames_sent
        await trio.sleep(60)
        statistics = served.statistics()
        assert statistics.frames_sent == sent
        assert statistics.stalls > 0
        assert statistics.peak_unsent < 100
        for _ in range(2000):
            await client.receive()
        await client.send("response.cancel")
        await client.until("response.done")


async def test_a_client_that_only_writes_is_held_back(autojump_clock: trio.abc.Clock) -> None:
    """Answers nobody reads stop the reading: a client can fill no memory by asking and asking."""
    served = simulator()
    async with in_memory(served) as client:
        with trio.move_on_after(60) as patience:
            while True:
                await client.send("input_audio_buffer.clear")
        assert patience.cancelled_caught
        assert served.statistics().peak_unsent < 200


async def test_sessions_do_not_disturb_each_other() -> None:
    """Two sessions at once have ids of their own; the end of one is nothing to the other."""
    served = OpenAISimulator(brain=ScriptedBrain(default=[Say("Hello")]), speed=0, seed=3)
    async with in_memory(served) as one, in_memory(served) as other:
        await one.say("hi")
        await other.say("hi")
        ids = [(await client.until("response.done"))[-1]["response"]["id"] for client in (one, other)]
        assert ids[0] != ids[1]
        assert served.statistics().open_connections == 2
        await one.websocket.aclose()
        await other.say("hi")
        await other.until("response.done")
    statistics = served.statistics()
    assert (statistics.connections, statistics.open_connections) == (2, 0)


async def test_the_same_seed_gives_the_same_session(autojump_clock: trio.abc.Clock) -> None:
    """With a seed everything is the same, ids and extras too."""

    async def run() -> list[object]:
        async with in_memory(simulator(Say("Hello there, how are you?"), Call("f"))) as client:
            await client.say("hi")
            await client.until("response.done")
            return [{**event, "session": None} for event in client.seen]

    assert await run() == await run()


async def test_closes_its_sessions_when_it_is_stopped() -> None:
    """A simulator that is cancelled in the middle of a word closes with 1001."""
    served = simulator(Endless())
    async with trio.open_nursery() as nursery:
        scope = await nursery.start(_serve_in_scope, served)
        async with connected(served.url, TrioWebSocketTransport()) as client:
            await client.say("hi")
            await client.until("response.output_audio.delta")
            scope.cancel()
            assert (await client.closed()).code == 1001


async def _serve_in_scope(
    served: OpenAISimulator, *, task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED
) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(served.serve)
        task_status.started(nursery.cancel_scope)


def test_refuses_a_senseless_speed() -> None:
    """A negative speed is refused at once."""
    with pytest.raises(ValueError, match="speed"):
        OpenAISimulator(brain=ScriptedBrain(), speed=-1)
    with pytest.raises(RuntimeError, match="does not serve yet"):
        _ = OpenAISimulator(brain=ScriptedBrain()).url
