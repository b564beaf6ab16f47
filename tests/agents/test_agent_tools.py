"""Calls of a model, carried out by the agent or by the frontend."""

from __future__ import annotations

import functools
import logging
import math
import threading
from typing import Any

import attrs
import pytest
import trio
from agents_kit import PUSH_TO_TALK, of, outputs, statuses, talking
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.agents import Tool, frontend_tool, tool
from realtime_actors.events import (
    AgentError,
    AgentResponseAudioDelta,
    AgentResponseToolResult,
    AgentResponseToolUseDelta,
    AgentResponseToolUseDone,
    Base64Source,
    ClientAudioAppend,
    ClientSessionEnd,
    ClientToolResult,
    ContentBlock,
    ImageBlock,
    ServerSessionUpdated,
    TextBlock,
    ToolResult,
    encode_json,
    encode_msgpack,
)
from realtime_actors.simulators.brain import BareCall, Call, Say, Turn, Twice

FINE = [Say("Fine.")]


@tool
async def get_weather(city: str) -> str:
    """Weather in a city, now."""
    await trio.lowlevel.checkpoint()
    return f"sunny in {city}"


def results_sent(frames: list[dict[str, Any]]) -> list[str]:
    """The outputs among these frames to the provider."""
    items = [frame["item"] for frame in frames if frame["type"] == "conversation.item.create"]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


async def result_of(made: Tool, arguments: str = "{}") -> str:
    """What the model and the frontend are told when the model calls this tool."""
    async with talking([Call(made.name, arguments)], FINE, tools=[made]) as talk:
        talk.say("Go!")
        events = await talk.reply(2)
        assert statuses(events) == ["completed", "completed"]
        [output] = outputs(events)
        assert results_sent(talk.sent()) == [output]
        assert talk.agent.statistics().state == "running"
        for event in events:
            encode_json(event)
            encode_msgpack(event)
        return output


class TestCalls:
    async def test_a_call_is_carried_out_and_followed_by_a_reply(self, autojump_clock: MockClock) -> None:
        async with talking([Call("get_weather", '{"city": "Paris"}')], FINE, tools=[get_weather]) as talk:
            talk.say("How is the weather?")
            events = await talk.reply(2)
            [done] = of(AgentResponseToolUseDone, events)
            assert (done.tool_use.name, done.tool_use.input) == ("get_weather", {"city": "Paris"})
            assert of(AgentResponseToolUseDelta, events)
            [result] = of(AgentResponseToolResult, events)
            assert result.tool_result == ToolResult(done.tool_use.id, "get_weather", "sunny in Paris")
            assert statuses(events) == ["completed", "completed"]
            [sent] = [f["item"] for f in talk.sent() if f.get("item", {}).get("type") == "function_call_output"]
            assert (sent["call_id"], sent["output"]) == (done.tool_use.id, "sunny in Paris")
            assert talk.brain.tools == ["get_weather"]

    async def test_several_calls_at_once_are_followed_by_one_reply(self, autojump_clock: MockClock) -> None:
        meeting = trio.Event()
        at_once = 0

        @tool
        async def meet(name: str) -> str:
            """Waits until all three are there."""
            nonlocal at_once
            at_once += 1
            if at_once == 3:
                meeting.set()
            await meeting.wait()
            return name

        calls = [Call("meet", '{"name": "%s"}' % name) for name in "abc"]  # noqa: UP031 - braces
        async with talking(calls, FINE, tools=[meet]) as talk:
            talk.say("Meet!")
            events = await talk.reply(2)
            assert sorted(outputs(events)) == ["a", "b", "c"]
            await wait_all_tasks_blocked()
            assert len(talk.sent("response.create")) == 2
            assert of(AgentError, talk.seen) == []

    async def test_a_result_is_given_as_far_as_a_provider_takes_it(self, autojump_clock: MockClock) -> None:
        @tool
        async def read() -> str:
            """Reads a book."""
            return "a" * 1_000_000

        output = await result_of(read)
        assert output == "a" * 200_000 + "\n(cut: the result has 1000000 characters)"

    async def test_words_beside_a_call_are_heard(self, autojump_clock: MockClock) -> None:
        call = Call("get_weather", '{"city": "Paris"}')
        async with talking([Say("Let me see."), call], FINE, tools=[get_weather]) as talk:
            talk.say("How is the weather?")
            events = await talk.reply(2)
            assert len({delta.response_id for delta in of(AgentResponseAudioDelta, events)}) == 2

    async def test_a_call_that_is_only_told_as_done_is_carried_out_once(self, autojump_clock: MockClock) -> None:
        call = BareCall("get_weather", '{"city": "Paris"}')
        async with talking([Twice(call)], FINE, tools=[get_weather]) as talk:
            talk.say("How is the weather?")
            assert outputs(await talk.reply(2)) == ["sunny in Paris"]

    async def test_a_slow_call_is_answered_after_its_reply_has_ended(self, autojump_clock: MockClock) -> None:
        @tool
        async def slow() -> str:
            """Takes its time."""
            await trio.sleep(20)
            return "at last"

        async with talking([Call("slow")], FINE, tools=[slow]) as talk:
            talk.say("Go!")
            await talk.reply()
            before = trio.current_time()
            events = await talk.reply()
            assert trio.current_time() - before == pytest.approx(20)
            assert outputs(events) == ["at last"]

    async def test_text_in_the_meantime_is_answered_at_once(self, autojump_clock: MockClock) -> None:
        @tool
        async def slow() -> str:
            """Takes its time."""
            await trio.sleep(20)
            return "at last"

        async with talking([Call("slow")], FINE, FINE, tools=[slow]) as talk:
            talk.say("Go!")
            await talk.reply()
            talk.say("And you?")
            events = await talk.reply()
            assert outputs(events) == []
            assert outputs(await talk.reply()) == ["at last"]

    async def test_more_than_32_at_once_are_too_many(self, autojump_clock: MockClock) -> None:
        @tool
        async def slow() -> str:
            """Takes its time."""
            await trio.sleep(5)
            return "done"

        async with talking([Call("slow")] * 40, FINE, tools=[slow]) as talk:
            talk.say("Go!")
            events = await talk.reply(2)
            told = outputs(events)
            assert told.count("done") == 32
            assert len([output for output in told if "more than 32" in output]) == 8
            assert results_sent(talk.sent()) == told

    async def test_a_lost_connection_does_not_lose_a_call_and_deadlocks_nothing(
        self, autojump_clock: MockClock
    ) -> None:
        """Complaint: a result that is lost with the session leaves the conversation waiting for ever."""

        @tool
        async def slow() -> str:
            """Takes its time."""
            await trio.sleep(20)
            return "at last"

        async with talking([Call("slow")], FINE, tools=[slow]) as talk:
            talk.say("Go!")
            await talk.reply()
            await trio.sleep(12)
            talk.drop()
            await talk.until(ServerSessionUpdated)
            events = await talk.reply()
            assert outputs(events) == ["at last"]
            assert statuses(events) == ["completed"]
            assert talk.brain.heard[-1] == Turn("tool", "at last", "slow", talk.brain.heard[-1].call_id)

    async def test_a_result_finds_room_however_much_was_said(self, autojump_clock: MockClock) -> None:
        """While the provider cannot be reached, texts are refused at some point: a result is not."""

        @tool
        async def slow() -> str:
            """Takes its time."""
            await trio.sleep(20.6)
            return "at last"

        async with talking([Call("slow")], FINE, FINE, tools=[slow]) as talk:
            talk.say("Go!")
            await talk.reply()
            await trio.sleep(20)
            talk.network.reachable = False
            talk.drop()
            await trio.sleep(0.1)
            for number in range(300):
                talk.say(str(number))
                if number == 150:
                    await wait_all_tasks_blocked()
            await talk.until_results(1)
            talk.network.reachable = True
            await talk.reply()
            assert "overloaded" in [error.code for error in of(AgentError, talk.seen)]
            assert results_sent(talk.sent()) == ["at last"]

    async def test_a_result_that_was_on_its_way_when_the_connection_was_lost_is_told_again(
        self, autojump_clock: MockClock
    ) -> None:
        @tool
        async def look() -> str:
            """Look."""
            talk.drop()
            return "nothing"

        async with talking([Call("look")], FINE, tools=[look]) as talk:
            talk.say("Go!")
            await talk.until(ServerSessionUpdated)
            assert statuses(await talk.reply()) == ["completed"]
            assert talk.brain.heard[-1] == Turn("tool", "nothing", "look", talk.brain.heard[-1].call_id)


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ('{"city": "Par', "not JSON"),
            ("[1, 2]", "no JSON object"),
            ("null", "no JSON object"),
            ('{"city": 5}', "city"),
            ('{"town": "Paris"}', "city|town"),
            ("", "city"),
            ('{"city": "Paris"} and more', "not JSON"),
        ],
    )
    async def test_arguments_that_do_not_fit_are_told_to_the_model_and_never_guessed_at(
        self, arguments: str, words: str, autojump_clock: MockClock
    ) -> None:
        ran: list[str] = []

        @tool
        async def look(city: str) -> str:
            """Look."""
            ran.append(city)
            return ""

        output = await result_of(look, arguments)
        assert output.startswith("Error: ")
        assert any(word in output for word in words.split("|"))
        assert ran == []

    async def test_a_tool_that_raises(self, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
        @tool
        async def fail() -> str:
            """Fails."""
            raise ValueError("no such place")

        assert await result_of(fail) == "Error: ValueError: no such place"
        assert "the tool fail failed" in caplog.text

    async def test_a_tool_in_a_thread_that_raises(self) -> None:
        @tool
        def fail() -> str:
            """Fails."""
            raise ValueError("no such place")

        assert await result_of(fail) == "Error: ValueError: no such place"

    async def test_a_tool_of_several_tasks_that_fail(self, autojump_clock: MockClock) -> None:
        @tool
        async def fail() -> str:
            """Fails twice."""
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, -1)
            return ""

        assert (await result_of(fail)).startswith("Error: ExceptionGroup")

    async def test_an_unknown_tool(self, autojump_clock: MockClock) -> None:
        async with talking([Call("get_news")], FINE, tools=[get_weather]) as talk:
            talk.say("Go!")
            [output] = outputs(await talk.reply(2))
            assert output == "Error: there is no tool named 'get_news'; there are: get_weather."

    async def test_a_tool_that_takes_too_long(self, autojump_clock: MockClock) -> None:
        @tool(timeout=7)
        async def hang() -> str:
            """Hangs."""
            await trio.sleep_forever()
            return ""

        before = trio.current_time()
        assert await result_of(hang) == "Error: the tool hang did not finish within 7 s."
        assert trio.current_time() - before == pytest.approx(7)

    async def test_a_tool_with_a_deadline_of_its_own(self, autojump_clock: MockClock) -> None:
        @tool
        async def hang() -> str:
            """Hangs."""
            with trio.fail_after(1):
                await trio.sleep_forever()
            return ""

        assert (await result_of(hang)).startswith("Error: TooSlowError")


@attrs.frozen
class Weather:
    city: str
    degrees: float


class TestOutputs:
    @pytest.mark.parametrize(
        ("value", "output"),
        [
            ("text", "text"),
            ("", ""),
            (None, "null"),
            (5, "5"),
            ({"a": [1, 2.5, None]}, '{"a":[1,2.5,null]}'),
            ([Weather("Paris", 20.5)], '[{"city":"Paris","degrees":20.5}]'),
            ("grün 🌦", "grün 🌦"),
            ("a\ud800b", "a?b"),
            ("\udcff.txt", "?.txt"),
        ],
    )
    async def test_text_goes_as_it_is_and_the_rest_as_json(
        self, value: Any, output: str, autojump_clock: MockClock
    ) -> None:
        @tool
        async def give() -> Any:
            """Gives it."""
            return value

        assert await result_of(give) == output

    @pytest.mark.parametrize("value", [object(), {"a": ["\ud800"]}, {(1, 2): 3}])
    async def test_what_json_cannot_carry_is_an_error(self, value: Any, autojump_clock: MockClock) -> None:
        @tool
        async def give() -> Any:
            """Gives it."""
            return value

        assert (await result_of(give)).startswith("Error: ")

    async def test_an_error_that_no_wire_can_carry(
        self, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Nor can the wire between the processes that run tests: it is not to be in what was logged.
        monkeypatch.setattr(logging.getLogger("realtime_actors.agents"), "disabled", True)

        @tool
        async def fail() -> str:
            """Fails."""
            raise ValueError("no file \udcff.txt")

        assert await result_of(fail) == "Error: ValueError: no file ?.txt"


class TestThreads:
    async def test_a_plain_function_runs_in_a_thread_and_blocks_nothing(self) -> None:
        release = threading.Event()
        names: list[str] = []

        @tool
        def block(minutes: int) -> str:
            """Blocks."""
            names.append(threading.current_thread().name)
            release.wait(5)
            return f"{minutes} minutes"

        with trio.fail_after(5):
            async with talking([Call("block", '{"minutes": 3}')], FINE, tools=[block], model=PUSH_TO_TALK) as talk:
                talk.say("Go!")
                await talk.reply()
                for _ in range(50):
                    talk.tell(ClientAudioAppend("s1", bytes(960)))
                await wait_all_tasks_blocked()
                assert len(talk.sent("input_audio_buffer.append")) >= 49
                release.set()
                assert outputs(await talk.reply()) == ["3 minutes"]
                assert names != [threading.main_thread().name]

    async def test_a_thread_that_takes_too_long_goes_on_and_its_result_is_thrown_away(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        release, ended = threading.Event(), threading.Event()

        @tool(timeout=0.05)
        def block() -> str:
            """Blocks."""
            release.wait(5)
            ended.set()
            return "too late"

        with trio.fail_after(5):
            async with talking([Call("block")], FINE, FINE, tools=[block]) as talk:
                talk.say("Go!")
                assert outputs(await talk.reply(2)) == ["Error: the tool block did not finish within 0.05 s."]
                assert "the tool block still runs in a thread" in caplog.text
                release.set()
                talk.say("And?")
                await talk.reply()
                await trio.to_thread.run_sync(ended.wait)
                await wait_all_tasks_blocked()
                assert outputs(talk.seen) == ["Error: the tool block did not finish within 0.05 s."]

    async def test_the_end_of_the_agent_names_the_thread_and_waits_for_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        begun, release = threading.Event(), threading.Event()
        ended: list[bool] = []

        @tool
        def block() -> str:
            """Blocks."""
            begun.set()
            release.wait(5)
            ended.append(True)
            return ""

        with trio.fail_after(5):
            async with talking([Call("block")], tools=[block]) as talk:
                talk.say("Go!")
                await talk.reply()
                await trio.to_thread.run_sync(begun.wait)
                talk.tell(ClientSessionEnd("s1"))
                with caplog.at_level(logging.WARNING):
                    while "the tool block still runs" not in caplog.text:  # noqa: ASYNC110 - a log is no event
                        await trio.sleep(0.001)
                assert talk.agent.statistics().state != "stopped"
                release.set()
                await talk.agent.wait_stopped()
                assert ended == [True]

    async def test_a_call_that_waits_for_a_thread_and_is_cancelled_is_never_begun(self, mock_clock: MockClock) -> None:
        """The clock stands still until all threads are taken, however long the machine needs for that."""
        release, taken, freed = threading.Event(), threading.Event(), threading.Event()
        begun: list[int] = []
        ended: list[int] = []

        @tool(timeout=0.1)
        def block(number: int) -> str:
            """Blocks."""
            begun.append(number)
            if len(begun) == 32:
                taken.set()
            release.wait(60)
            ended.append(number)
            if len(ended) == 32:
                freed.set()
            return ""

        numbered = [Call("block", '{"number": %d}' % number) for number in range(32)]  # noqa: UP031 - braces
        async with talking(numbered, numbered, FINE, tools=[block]) as talk:
            talk.say("Go!")
            assert await trio.to_thread.run_sync(taken.wait, 60)
            mock_clock.autojump_threshold = 0
            results = outputs(await talk.reply(3))
            mock_clock.autojump_threshold = math.inf  # real threads end in real time
            assert len(results) == 64
            assert all("did not finish" in output for output in results)
            release.set()
            assert await trio.to_thread.run_sync(freed.wait, 60)
            await wait_all_tasks_blocked(0.05)  # whoever still waited for a thread would have one now
            await talk.agent.stop()
            assert sorted(begun) == list(range(32))

    async def test_a_plain_function_that_hands_back_a_coroutine(self) -> None:
        @tool
        @functools.wraps(get_weather.function or str)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return get_weather(*args, **kwargs)

        assert wrapped.name == "get_weather"
        with trio.fail_after(5):
            assert await result_of(wrapped, '{"city": "Rome"}') == "sunny in Rome"


PAINT = frontend_tool("paint", "Paint the page.", {"type": "object", "properties": {"color": {"type": "string"}}})


class TestFrontendTools:
    async def test_the_frontend_answers_the_call(self, autojump_clock: MockClock) -> None:
        async with talking([Call("paint", '{"color": "red"}')], FINE, tools=[PAINT]) as talk:
            talk.say("Red, please.")
            [done] = of(AgentResponseToolUseDone, await talk.reply())
            assert done.tool_use.input == {"color": "red"}
            await trio.sleep(3)
            talk.tell(ClientToolResult("s1", done.tool_use.id, "paint", "painted\ud800"))
            events = await talk.reply()
            assert outputs(events) == ["painted?"]
            assert results_sent(talk.sent()) == ["painted?"]

    async def test_blocks_are_told_to_the_model_as_text(self, autojump_clock: MockClock) -> None:
        image = ImageBlock(Base64Source("image/png", b"\x89PNG"))
        async with talking([Call("paint")], FINE, tools=[PAINT]) as talk:
            talk.say("Red, please.")
            [done] = of(AgentResponseToolUseDone, await talk.reply())
            blocks: list[ContentBlock] = [TextBlock("Here it is:\udcff"), image]
            talk.tell(ClientToolResult("s1", done.tool_use.id, "paint", blocks))
            [result] = of(AgentResponseToolResult, await talk.reply())
            assert result.tool_result.output == [TextBlock("Here it is:?"), image]
            assert results_sent(talk.sent()) == ["Here it is:?\n(image)"]
            encode_json(result)

    async def test_an_answer_to_no_call_is_an_error(self, autojump_clock: MockClock) -> None:
        async with talking([Call("paint")], [Call("get_weather")], tools=[PAINT, get_weather]) as talk:
            talk.tell(ClientToolResult("s1", "call_unknown", "paint", "painted"))
            error = (await talk.until(AgentError))[-1]
            assert error.code == "unknown_call"
            assert "call_unknown" in error.message
            assert results_sent(talk.sent()) == []

    async def test_only_the_first_answer_counts(self, autojump_clock: MockClock) -> None:
        async with talking([Call("paint")], FINE, tools=[PAINT]) as talk:
            talk.say("Red, please.")
            [done] = of(AgentResponseToolUseDone, await talk.reply())
            for output in ("first", "second"):
                talk.tell(ClientToolResult("s1", done.tool_use.id, "paint", output))
            events = await talk.reply()
            assert outputs(events) == ["first"]
            assert [error.code for error in of(AgentError, events)] == ["unknown_call"]

    async def test_a_tool_of_the_agents_own_is_not_answered_by_the_frontend(self, autojump_clock: MockClock) -> None:
        @tool
        async def slow() -> str:
            """Takes its time."""
            await trio.sleep(5)
            return "mine"

        async with talking([Call("slow")], FINE, tools=[slow]) as talk:
            talk.say("Go!")
            [done] = of(AgentResponseToolUseDone, await talk.reply())
            talk.tell(ClientToolResult("s1", done.tool_use.id, "slow", "yours"))
            events = await talk.reply()
            assert [error.code for error in of(AgentError, events)] == ["unknown_call"]
            assert outputs(events) == ["mine"]

    async def test_a_frontend_that_does_not_answer(self, autojump_clock: MockClock) -> None:
        async with talking([Call("paint")], FINE, tools=[PAINT]) as talk:
            talk.say("Red, please.")
            events = await talk.reply(2)
            assert outputs(events) == ["Error: the tool paint did not finish within 30 s."]
            [done] = of(AgentResponseToolUseDone, events)
            talk.tell(ClientToolResult("s1", done.tool_use.id, "paint", "too late"))
            assert (await talk.until(AgentError))[-1].code == "unknown_call"
