"""The scripted model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from realtime_actors.actors import Ref, Runtime
from realtime_actors.agents import RealtimeAgent, Tool, tool
from realtime_actors.events import (
    AgentError,
    AgentResponseAudioDelta,
    AgentResponseAudioTranscriptDone,
    AgentResponseDone,
    AgentResponseToolResult,
    AppendAudio,
    AppendText,
    AppendToolResult,
    CancelResponse,
    ClientAudioAppend,
    ClientResponseCancel,
    ClientSessionCreate,
    ClientTextAppend,
    Configure,
    CreateResponse,
    DeleteItem,
    ModelInputStarted,
    ModelResponseAudioDelta,
    ModelResponseCreated,
    ModelResponseDone,
    RequestFailed,
    ServerSessionUpdated,
    SessionConfigured,
    ToolUse,
)
from realtime_actors.providers import Capabilities, InvalidModel, ProviderRefused
from realtime_actors.testing import (
    Cut,
    Disconnect,
    Emit,
    Expect,
    ExpectationFailed,
    Failures,
    FaultyTransport,
    InvalidExpectation,
    Pause,
    Probe,
    ScriptedModel,
    Step,
    open_test_runtime,
    reply_events,
)
from realtime_actors.transports import (
    InvalidRequest,
    MemoryTransport,
    Request,
    Response,
    Transport,
    TrioWebSocketTransport,
)

HELLO = [Expect(AppendText, text="Hi"), Expect(CreateResponse), Emit(*reply_events("Hello."))]


@tool
async def get_weather(city: str) -> str:
    """Weather in a city, now."""
    return f"Sunny in {city}."


async def start(
    runtime: Runtime, model: ScriptedModel, *, tools: Sequence[Tool] = (), transport: Transport | None = None
) -> tuple[Ref, Probe]:
    """An agent with this model, and a probe that hears it."""
    probe = await Probe.spawn(runtime)
    probe.subscribe("agents.friday.>")
    agent = RealtimeAgent("Friday", "Be brief.", model, tools, transport=transport or TrioWebSocketTransport())
    return await runtime.spawn(agent, name="friday"), probe


async def failure_of(test: Callable[[], Awaitable[None]]) -> ExpectationFailed:
    """What a test fails with."""
    with pytest.raises(ExpectationFailed) as caught:
        await test()
    return caught.value


async def failure(*script: Step, do: Callable[[Ref], object], within: float = 1.0, **fields: Any) -> str:
    """How the test fails when an agent with this script is told something."""

    async def test() -> None:
        async with open_test_runtime() as runtime, ScriptedModel(script, within=within, **fields) as model:
            friday, _ = await start(runtime, model)
            do(friday)
            await trio.sleep(50)

    return str(await failure_of(test))


def say(*texts: str) -> Callable[[Ref], object]:
    return lambda friday: [friday.tell(ClientTextAppend("s1", text)) for text in texts]


async def test_an_agent_that_follows_the_script(autojump_clock: MockClock) -> None:
    async with open_test_runtime() as runtime, ScriptedModel(HELLO) as model:
        friday, probe = await start(runtime, model)
        friday.tell(ClientTextAppend("s1", "Hi"))
        events = await probe.until(AgentResponseDone, response_id="response-1")
        assert [event.transcript for event in events if isinstance(event, AgentResponseAudioTranscriptDone)] == [
            "Hello."
        ]
        assert [type(command) for command in model.received] == [AppendText, CreateResponse]


async def test_a_whole_reply_has_audio_and_calls(autojump_clock: MockClock) -> None:
    call = ToolUse("call-1", "get_weather", {"city": "Paris"}, '{"city": "Paris"}')
    script = [
        Expect(AppendText),
        Expect(CreateResponse),
        Emit(*reply_events("Let me see.", audio=[b"\1\0" * 10, b"\2\0"], calls=[call])),
        Expect(AppendToolResult, call_id="call-1", output="Sunny in Paris."),
        Expect(CreateResponse),
        Emit(*reply_events("Sunny.", response_id="response-2", status="incomplete")),
    ]
    async with open_test_runtime() as runtime, ScriptedModel(script) as model:
        friday, probe = await start(runtime, model, tools=[get_weather])
        friday.tell(ClientTextAppend("s1", "Weather?"))
        events = await probe.until(AgentResponseToolResult)
        audio = [event.delta for event in events if isinstance(event, AgentResponseAudioDelta)]
        assert audio == [b"\1\0" * 10, b"\2\0"]
        await probe.until(AgentResponseDone, metadata={"status": "incomplete"})


def test_the_audio_of_a_reply_may_be_one_piece_of_bytes() -> None:
    """It becomes deltas of 20 ms; the last may be shorter."""
    speech = bytes(range(200)) * 10
    deltas = [event.delta for event in reply_events(audio=speech) if isinstance(event, ModelResponseAudioDelta)]
    assert deltas == [speech[:960], speech[960:1920], speech[1920:]]


@pytest.mark.parametrize("delta", [5, [1, 2], None])
def test_a_delta_is_bytes(delta: object) -> None:
    with pytest.raises(TypeError, match="this takes bytes, or base64 text, not "):
        ModelResponseAudioDelta("r", "i", wrong(delta))


async def test_an_unexpected_command_says_which_step_what_came_and_why(autojump_clock: MockClock) -> None:
    said = await failure(*HELLO, do=say("Hullo"))
    assert said.startswith(
        "step 1 of the script expected\n  AppendText(text='Hi')\nbut the agent sent\n  AppendText(item_id="
    )
    assert "(text: expected 'Hi', got 'Hullo')" in said
    script = "\nThe script:\n  ---> 1. Expect AppendText(text='Hi')\n       2. Expect CreateResponse\n       3. Emit "
    assert script in said
    assert trio.current_time() == 0  # at once


async def test_a_command_of_another_type_fails(autojump_clock: MockClock) -> None:
    said = await failure(HELLO[0], HELLO[2], Expect(CancelResponse), do=say("Hi"))
    assert "step 3 of the script expected\n  CancelResponse\nbut the agent sent\n  CreateResponse(" in said
    assert "(it is no CancelResponse)" in said
    assert "  done 2. Emit" in said
    assert "  ---> 3. Expect CancelResponse" in said


async def test_a_condition_that_does_not_hold_fails(autojump_clock: MockClock) -> None:
    expected = Expect(AppendText, where=lambda command: command.text.isupper())
    assert "the function at line" in await failure(expected, do=say("Hi"))


async def test_a_command_after_the_end_fails(autojump_clock: MockClock) -> None:
    said = await failure(*HELLO, do=say("Hi", "And you?"))
    assert "the agent sent what the script does not foresee:\n  AppendText(" in said
    assert said.endswith("  ---> its end")


async def test_a_command_that_the_last_step_brings_about_fails() -> None:
    """On the real clock, without a wait in the test."""
    call = ToolUse("call-1", "get_weather", {"city": "Paris"}, "{}")
    script = [Emit(*reply_events(calls=[call]))]
    with pytest.raises(ExpectationFailed, match="does not foresee:\n  AppendToolResult"):
        async with open_test_runtime() as runtime, ScriptedModel(script) as model:
            await start(runtime, model, tools=[get_weather])


async def test_steps_that_are_left_fail(autojump_clock: MockClock) -> None:
    with pytest.raises(
        ExpectationFailed, match=r"not done within 3 s.*\n.*\n  done 1.*\n  ---> 2. Expect CancelResponse"
    ):
        async with (
            open_test_runtime() as runtime,
            ScriptedModel([Emit(*reply_events("Hi.")), Expect(CancelResponse)], within=3) as model,
        ):
            await start(runtime, model)
    assert trio.current_time() == 3


async def test_what_the_test_raises_comes_out_with_how_far_the_script_is(autojump_clock: MockClock) -> None:
    async def test() -> None:
        async with open_test_runtime() as runtime, ScriptedModel(HELLO) as model:
            _, probe = await start(runtime, model)
            await probe.until(AgentResponseDone)

    error = await failure_of(test)
    assert "expected AgentResponseDone within 1 s" in str(error)
    assert "---> 1. Expect AppendText(text='Hi')" in error.__notes__[0]


async def test_a_test_that_waits_for_ever_is_ended(autojump_clock: MockClock) -> None:
    async def test() -> None:
        async with ScriptedModel(HELLO) as model, open_test_runtime() as runtime:
            friday, _ = await start(runtime, model)
            friday.tell(ClientTextAppend("s1", "Hullo"))
            await trio.sleep_forever()

    assert "step 1" in str(await failure_of(test))


async def test_the_script_can_be_waited_for(autojump_clock: MockClock) -> None:
    async with open_test_runtime() as runtime, ScriptedModel([Pause(5), *HELLO]) as model:
        friday, _ = await start(runtime, model)
        friday.tell(ClientTextAppend("s1", "Hi"))
        with pytest.raises(ExpectationFailed, match="not done within 1 s"):
            await model.finish()
        await model.finish(within=4.5)
        assert trio.current_time() == 5


async def test_a_cancel_in_mid_reply(autojump_clock: MockClock) -> None:
    script = [
        Expect(AppendText),
        Expect(CreateResponse),
        Emit(*reply_events("Once upon a time", audio=[bytes(4800)])[:-1]),
        Expect(CancelResponse, response_id="response-1"),
        Expect(DeleteItem, item_id="response-1-item"),  # the virtual clock has not moved: nothing of it was heard
        Emit(ModelResponseDone("response-1", metadata={"status": "cancelled"})),
    ]
    async with open_test_runtime() as runtime, ScriptedModel(script) as model:
        friday, probe = await start(runtime, model)
        friday.tell(ClientTextAppend("s1", "A story!"))
        await probe.until(AgentResponseAudioDelta)
        friday.tell(ClientResponseCancel("s1"))
        await probe.until(AgentResponseDone, where=lambda done: done.metadata["status"] == "cancelled")


async def test_audio_may_be_ignored(autojump_clock: MockClock) -> None:
    audio = ClientAudioAppend("s1", bytes(960))
    script = [Emit(ModelInputStarted("item", 0)), *HELLO, Expect(AppendAudio)]
    async with open_test_runtime() as runtime, ScriptedModel(script, ignore=[AppendAudio]) as model:
        friday, probe = await start(runtime, model)
        for _ in range(5):
            friday.tell(audio)
        friday.tell(ClientTextAppend("s1", "Hi"))
        await probe.until(AgentResponseDone)
        friday.tell(audio)
        friday.tell(audio)
        await model.finish()
        assert len(model.received) == 3
    assert "AppendAudio(" in await failure(*HELLO, do=lambda friday: friday.tell(audio))


async def test_the_opening_configuration_needs_no_step_and_may_be_one(autojump_clock: MockClock) -> None:
    opening = Expect(Configure, instructions="Be brief.", where=lambda command: command.tools[0].name == "get_weather")
    async with open_test_runtime() as runtime, ScriptedModel([opening, *HELLO]) as model:
        friday, probe = await start(runtime, model, tools=[get_weather])
        friday.tell(ClientTextAppend("s1", "Hi"))
        await probe.until(AgentResponseDone)
    said = await failure(Expect(Configure, instructions="Be long."), do=say())
    assert "(instructions: expected 'Be long.', got 'Be brief.')" in said


async def test_a_later_configuration_needs_a_step(autojump_clock: MockClock) -> None:
    again = ClientSessionCreate({"instructions": "Be long."})
    script = [Expect(Configure), Expect(Configure, instructions="Be long.")]
    async with open_test_runtime() as runtime, ScriptedModel(script) as model:
        friday, probe = await start(runtime, model)
        friday.tell(again)
        await probe.until(ServerSessionUpdated)
    assert "does not foresee:\n  Configure(" in await failure(
        Emit(ModelInputStarted("i", 0)), do=lambda f: f.tell(again)
    )


async def test_a_refusal_repeats_the_id_of_what_it_refuses(autojump_clock: MockClock) -> None:
    def refuse(command: AppendText) -> RequestFailed:
        return RequestFailed(command.item_id, "invalid_request_error", "too_long", "Too long.")

    script = [Expect(AppendText), Emit(refuse), Expect(CreateResponse)]
    async with open_test_runtime() as runtime, ScriptedModel(script) as model:
        friday, probe = await start(runtime, model)
        friday.tell(ClientTextAppend("s1", "Hi"))
        await probe.until(AgentError, code="too_long")


async def test_the_script_may_do_the_acknowledging(autojump_clock: MockClock) -> None:
    script = [Expect(Configure), Pause(2), Emit(SessionConfigured()), *HELLO]
    async with open_test_runtime() as runtime, ScriptedModel(script, acknowledges=False) as model:
        friday, probe = await start(runtime, model)
        assert trio.current_time() == 2
        friday.tell(ClientTextAppend("s1", "Hi"))
        await probe.until(AgentResponseDone)


async def test_a_script_goes_on_after_a_loss(autojump_clock: MockClock) -> None:
    """What was acknowledged is not sent again, what is asked for is."""
    script = [
        Expect(AppendText, text="Hi"),
        Expect(CreateResponse),
        Emit(ModelResponseCreated("lost")),
        Disconnect(),
        Expect(AppendText, text="Are you there?"),
        Expect(CreateResponse),
        Emit(*reply_events("Yes.", response_id="response-2")),
    ]
    async with open_test_runtime() as runtime, ScriptedModel(script) as model:
        friday, probe = await start(runtime, model)
        friday.tell(ClientTextAppend("s1", "Hi"))
        lost = (await probe.until(AgentResponseDone, within=5))[-1]
        assert lost.metadata["reason"] == "connection_lost"
        await probe.until(ServerSessionUpdated, within=5)
        friday.tell(ClientTextAppend("s1", "Are you there?"))
        await probe.until(AgentResponseDone, response_id="response-2")


async def test_a_close_code_reaches_the_agent(autojump_clock: MockClock) -> None:
    failures = Failures(ProviderRefused)
    script = [Expect(AppendText), Disconnect(1008, "policy")]
    async with open_test_runtime(failures=failures) as runtime, ScriptedModel(script, ignore=[CreateResponse]) as model:
        friday, probe = await start(runtime, model)
        friday.tell(ClientTextAppend("s1", "Hi"))
        await probe.until(AgentError, where=lambda error: "policy" in error.message)
        assert (await friday.wait_stopped()).reason == "crashed"


async def test_faults_go_with_a_script(autojump_clock: MockClock) -> None:
    """The text is lost with the socket that it was sent to, and sent again."""
    async with open_test_runtime() as runtime, ScriptedModel(HELLO, within=5) as model:
        faulty = FaultyTransport(model.transport, [Cut(direction="sent", frame=2)])
        friday, probe = await start(runtime, model, transport=faulty)
        friday.tell(ClientTextAppend("s1", "Hi"))
        await probe.until(ServerSessionUpdated, within=5)
        await probe.until(AgentResponseDone)
        assert faulty.connections == 2


async def test_a_function_of_the_script_that_raises_fails_the_test(autojump_clock: MockClock) -> None:
    def broken(_: object) -> SessionConfigured:
        raise KeyError("oops")

    async def test() -> None:
        async with open_test_runtime() as runtime, ScriptedModel([Pause(0.5), Emit(broken)]) as model:
            await start(runtime, model)

    error = await failure_of(test)
    assert "step 2 of the script raised KeyError('oops')." in str(error)
    assert isinstance(error.__cause__, KeyError)
    made = Emit(lambda _: "text")  # pyright: ignore[reportArgumentType, reportUnknownLambdaType] - it is wrong
    assert "step 1 of the script made 'text', which is nothing that a model says." in await failure(made, do=say("Hi"))


async def test_a_second_agent_fails(autojump_clock: MockClock) -> None:
    async def test() -> None:
        async with open_test_runtime() as runtime, ScriptedModel(HELLO) as model:
            await start(runtime, model)
            agent = RealtimeAgent("Other", "Be brief.", model)
            await runtime.spawn(agent, name="other")

    assert "give each agent a ScriptedModel of its own" in str(await failure_of(test))


def wrong(value: object) -> Any:
    """What a type checker would not let pass."""
    return value


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ScriptedModel([]), "a script needs a step"),
        (lambda: ScriptedModel([wrong(CreateResponse("r"))]), "step 1 is CreateResponse.*use Expect, Emit"),
        (lambda: ScriptedModel(HELLO, ignore=[int]), "ignore takes types of commands, not <class 'int'>"),
        (
            lambda: Expect(ModelResponseDone),
            "ModelResponseDone is nothing that an agent tells its model: that is Configure,",
        ),
        (lambda: Expect(wrong("AppendText")), "'AppendText' is nothing"),
        (lambda: Expect(AppendText, txt="Hi"), "AppendText has no field 'txt': it has item_id, text"),
        (lambda: Pause(-1), "a pause of -1 s cannot be"),
        (lambda: Disconnect(7), "7 is no close code"),
        (Emit, "one event or more"),
        (lambda: Emit(wrong("Hello")), "'Hello' is nothing that a model says"),
        (lambda: Emit(ModelResponseDone), "nothing that a model says"),
        (
            lambda: Emit(ModelResponseAudioDelta("r", "i", "Hello!")),
            "delta of ModelResponseAudioDelta.* is no audio: bro",
        ),
        (lambda: Emit(ModelResponseAudioDelta("r", "i", b"odd")), "is no audio: 3 bytes is an odd number"),
        (lambda: reply_events("Hi", audio=b"odd"), "the audio of a reply is PCM16: "),
        (lambda: reply_events("Hi", audio=wrong([0, 0])), "audio is bytes, or a list of bytes, not of int"),
        (lambda: reply_events("Hi", audio=wrong("AAAA")), "audio is bytes, or a list of bytes, not of str"),
    ],
)
def test_a_script_that_cannot_be_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(InvalidExpectation, match=said):
        make()


async def test_a_model_is_what_models_are(autojump_clock: MockClock) -> None:
    with pytest.raises(InvalidModel, match="turn_detection"):
        ScriptedModel(HELLO, turn_detection=None)  # pyright: ignore[reportArgumentType] - it is wrong
    none = Capabilities(text=False, images=False, tools=False, cancel=False, truncate=False, manual_turns=False)
    async with open_test_runtime() as runtime, ScriptedModel([Pause(0.5)], capabilities=none) as model:
        friday, probe = await start(runtime, model)
        friday.tell(ClientTextAppend("s1", "Hi"))
        await probe.until(AgentError, code="unsupported")


async def test_a_script_has_to_be_begun_and_is_played_once(autojump_clock: MockClock) -> None:
    failures = Failures(InvalidExpectation)
    async with open_test_runtime(failures=failures) as runtime:
        model = ScriptedModel([Pause(0)])
        with pytest.raises(InvalidExpectation, match="has not begun: `async with"):
            await start(runtime, model)
        async with model:
            await start(runtime, model)
        with pytest.raises(InvalidExpectation, match="played once"):
            async with model:
                pass


async def test_a_transport_that_does_not_lead_to_the_script_is_named(autojump_clock: MockClock) -> None:
    async def respond(_: Request) -> Response:
        raise AssertionError("it is not asked")

    failures = Failures(InvalidRequest)
    async with open_test_runtime(failures=failures) as runtime, ScriptedModel([Pause(0)], acknowledges=False) as model:
        with pytest.raises(InvalidRequest, match="scripted://"):
            await start(runtime, model, transport=MemoryTransport(respond))
        with pytest.raises(InvalidExpectation, match="leads to that model only"):
            async with model.transport.connect("ws://elsewhere/"):
                pass
        async with model.transport.connect(model.endpoint()):
            pass
