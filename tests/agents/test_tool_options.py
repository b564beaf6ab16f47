"""How calls are carried out: duplicates, progress, what outlives an interruption, what no tool can do to the rest."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Any

import pytest
import trio
from agents_kit import VAD, of, outputs, speech, statuses, talking
from trio.testing import MockClock, wait_all_tasks_blocked

from realtime_actors.agents import InvalidTool, Progress, frontend_tool, tool
from realtime_actors.events import (
    AgentResponseAudioDelta,
    AgentResponseDone,
    AgentResponseToolProgress,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    ClientResponseCancel,
    ClientToolResult,
    encode_json,
    encode_msgpack,
)
from realtime_actors.simulators.brain import Call, Endless, Say
from realtime_actors.simulators.scripted import Reply

FINE = [Say("Fine.")]


class TestDuplicates:
    @pytest.mark.parametrize(
        ("duplicates", "runs", "told"),
        [
            ("run", 3, ["sunny in Paris", "sunny in Paris", "sunny in Rome"]),
            ("join", 2, ["sunny in Paris", "sunny in Paris", "sunny in Rome"]),
            ("refuse", 2, ["Error: the same call of look is being carried out: wait for its result."]),
        ],
    )
    async def test_of_a_call_that_runs(
        self, duplicates: Any, runs: int, told: list[str], autojump_clock: MockClock
    ) -> None:
        """Complaint: a model that repeats a call makes the tool run twice."""
        ran: list[str] = []

        @tool(duplicates=duplicates)
        async def look(city: str, days: int = 1) -> str:
            ran.append(city)
            await trio.sleep(5)
            return f"sunny in {city}"

        calls = [
            Call("look", '{"city": "Paris", "days": 1}'),
            Call("look", '{"days": 1, "city": "Paris"}'),
            Call("look", '{"city": "Rome"}'),
        ]
        async with talking(calls, FINE, tools=[look]) as talk:
            talk.say("Go!")
            events = await talk.reply(2)
            assert len(ran) == runs
            results = outputs(events)
            assert len(results) == 3
            assert set(told) <= set(results)
            assert statuses(events) == ["completed", "completed"]

    async def test_the_same_call_later_runs_again(self, autojump_clock: MockClock) -> None:
        ran: list[str] = []

        @tool(duplicates="refuse")
        async def look() -> str:
            ran.append("")
            return "nothing"

        async with talking([Call("look")], FINE, [Call("look")], FINE, tools=[look]) as talk:
            for _ in range(2):
                talk.say("Go!")
                assert outputs(await talk.reply(2)) == ["nothing"]
            assert len(ran) == 2

    async def test_a_call_that_joined_keeps_it_running_when_the_first_is_cancelled(
        self, autojump_clock: MockClock
    ) -> None:
        ran: list[str] = []

        @tool(duplicates="join")
        async def look() -> str:
            ran.append("")
            await trio.sleep(20)
            return "nothing"

        async with talking([Call("look")], [Call("look")], FINE, tools=[look]) as talk:
            talk.say("Go!")
            await talk.until(AgentResponseToolUseDone)
            talk.say("Go on!")
            await talk.until(AgentResponseToolUseDone)
            first, second = [event.tool_use.id for event in of(AgentResponseToolUseDone, talk.seen)]
            talk.tell(ClientResponseCancel("s1"))
            assert {result.tool_result.id for result in of(AgentResponseToolResult, await talk.until_results(2))} == {
                first,
                second,
            }
            await trio.sleep(30)
            assert of(AgentResponseToolResult, talk.waiting()) == []
            assert len(ran) == 1

    async def test_a_timeout_counts_from_when_it_began(self, autojump_clock: MockClock) -> None:
        @tool(duplicates="join", timeout=10)
        async def hang() -> str:
            await trio.sleep_forever()
            return ""

        async with talking([Call("hang")], [Call("hang")], FINE, FINE, tools=[hang]) as talk:
            talk.say("Go!")
            await talk.reply()
            began = trio.current_time()
            await trio.sleep(6)
            talk.say("Again!")
            results = outputs(await talk.until_results(2))
            assert set(results) == {"Error: the tool hang did not finish within 10 s."}
            assert trio.current_time() - began < 10.1


class TestProgress:
    async def test_is_published_and_the_model_knows_nothing_of_it(self, autojump_clock: MockClock) -> None:
        @tool
        async def book(flight: str, progress: Progress) -> str:
            """Book a flight."""
            progress("Looking for seats", 0.25)
            await trio.sleep(1)
            progress("Paying", 2)
            await trio.sleep(1)
            progress(fraction=math.nan)
            return f"booked {flight}"

        assert list(book.spec.parameters["properties"]) == ["flight"]
        async with talking([Call("book", '{"flight": "LH1"}')], FINE, tools=[book]) as talk:
            talk.say("Go!")
            events = await talk.reply(2)
            call_id = of(AgentResponseToolUseDone, events)[0].tool_use.id
            reports = of(AgentResponseToolProgress, events)
            assert [(each.id, each.name) for each in reports] == [(call_id, "book")] * 3
            assert [(each.text, each.fraction) for each in reports] == [
                ("Looking for seats", 0.25),
                ("Paying", 1.0),
                ("", None),
            ]
            for event in reports:
                encode_json(event)
                encode_msgpack(event)
            assert outputs(events) == ["booked LH1"]

    async def test_is_told_ten_times_a_second_and_the_last_counts(self, autojump_clock: MockClock) -> None:
        kept: list[Progress] = []

        @tool
        async def count(progress: Progress) -> str:
            """Count."""
            kept.append(progress)
            for number in range(1000):
                progress(f"{number}\ud800")
                await trio.sleep(0.001)
            progress("nearly")
            progress("there")
            await trio.sleep(5)
            return "done"

        async with talking([Call("count")], FINE, tools=[count]) as talk:
            talk.say("Go!")
            events = await talk.reply(2)
            reports = of(AgentResponseToolProgress, events)
            assert 10 <= len(reports) <= 12
            assert reports[-1].text == "there"
            kept[0]("too late")
            await trio.sleep(1)
            assert of(AgentResponseToolProgress, talk.waiting()) == []

    async def test_from_a_thread(self) -> None:
        @tool
        def count(progress: Progress) -> str:
            """Count."""
            for number in range(10_000):
                progress(str(number), number / 10_000)
            time.sleep(0.3)
            return "done"

        with trio.fail_after(10):
            async with talking([Call("count")], FINE, tools=[count]) as talk:
                talk.say("Go!")
                events = await talk.reply(2)
                reports = of(AgentResponseToolProgress, events)
                assert 1 <= len(reports) < 100
                assert reports[-1].text == "9999"
                assert outputs(events) == ["done"]

    async def test_a_tool_is_tested_with_one_made_by_hand(self) -> None:
        @tool
        async def book(progress: Progress | None = None) -> str:
            if progress is not None:
                progress("Looking", 0.5)
            return "booked"

        assert await book(Progress()) == await book() == "booked"


class TestInterruptions:
    async def test_a_finished_result_is_not_lost_by_an_interruption(self, autojump_clock: MockClock) -> None:
        """Complaint: the user speaks, and the result of what was just booked never reaches the model."""

        @tool(on_interruption="finish")
        async def book() -> str:
            """Book."""
            await trio.sleep(5)
            return "booked"

        story = Reply([Call("book"), Endless()], when="story")
        async with talking(story, FINE, FINE, model=VAD, tools=[book], speed=1, transcripts=["Stop"]) as talk:
            talk.say("Tell me a story.")
            await talk.until(AgentResponseAudioDelta)
            await talk.speak(speech(600, 16000), 16000)
            events = await talk.reply(2)
            assert statuses(events) == ["cancelled", "completed"]
            events = await talk.until_results(1)
            assert outputs(events) == ["booked"]
            await trio.sleep(5)
            assert of(AgentResponseDone, talk.waiting()) == [], "its result alone asks for no reply"
            talk.say("And?")
            await talk.reply()
            assert "booked" in [turn.text for turn in talk.brain.heard if turn.role == "tool"]

    async def test_a_cancelled_call_is_not_stuck_in_progress(self, autojump_clock: MockClock) -> None:
        """Complaint: a call whose reply was cancelled is shown as running for ever, and the model never told."""
        ended: list[str] = []

        @tool
        async def book() -> str:
            """Book."""
            try:
                await trio.sleep_forever()
            finally:
                ended.append("")
            return ""

        async with talking([Call("book"), Endless()], FINE, tools=[book], speed=1) as talk:
            talk.say("Go!")
            await talk.until(AgentResponseAudioDelta)
            talk.tell(ClientResponseCancel("s1"))
            events = await talk.reply()
            assert outputs(events) == ["The call was cancelled: the user interrupted the reply."]
            await wait_all_tasks_blocked()
            assert ended == [""]
            talk.say("And?")
            assert statuses(await talk.reply()) == ["completed"]
            assert len([turn for turn in talk.brain.heard if turn.role == "tool"]) == 1

    async def test_no_dangling_tasks(self, autojump_clock: MockClock) -> None:
        """Complaint: tools go on when the conversation is over."""

        @tool(on_interruption="finish")
        async def hang(progress: Progress) -> str:
            """Hang."""
            while True:
                progress("still")
                progress("here")
                await trio.sleep(0.01)

        paint = frontend_tool("paint", "Paint.", needs_approval=True)
        tasks = trio.lowlevel.current_statistics().tasks_living
        async with talking([Call("hang"), Call("paint"), Endless()], tools=[hang, paint], speed=1) as talk:
            talk.say("Go!")
            await talk.until(AgentResponseAudioDelta)
            talk.tell(ClientResponseCancel("s1"))
            await talk.reply()
            await talk.agent.stop()
            assert {each.tool_result.name for each in of(AgentResponseToolResult, [*talk.seen, *talk.waiting()])} == {
                "hang",
                "paint",
            }
        assert trio.lowlevel.current_statistics().tasks_living == tasks

    async def test_a_tool_that_cannot_be_cancelled_is_answered_in_time(self, autojump_clock: MockClock) -> None:
        @tool(timeout=3)
        async def stubborn() -> str:
            """Will not stop."""
            with trio.CancelScope(shield=True):
                await trio.sleep(60)
            return "too late"

        async with talking([Call("stubborn")], FINE, tools=[stubborn]) as talk:
            talk.say("Go!")
            before = trio.current_time()
            assert outputs(await talk.reply(2)) == ["Error: the tool stubborn did not finish within 3 s."]
            assert trio.current_time() - before < 4
            await trio.sleep(60)
            assert of(AgentResponseToolResult, talk.waiting()) == []


class TestNothingWaitsForATool:
    async def test_a_tool_does_not_block_the_session(self) -> None:
        """Complaint: a blocking function stops all audio. Here another reply streams meanwhile, at its pace."""
        release = threading.Event()

        @tool
        def block() -> str:
            """Blocks."""
            release.wait(20)
            return "done"

        saying = Reply([Say("Once upon a time there was a voice.")], when="story")
        with trio.fail_after(20):
            async with talking([Call("block")], saying, FINE, tools=[block], speed=2) as talk:
                talk.say("Go!")
                await talk.reply()
                talk.say("A story!")
                gaps: list[float] = []
                last = time.perf_counter()
                while not isinstance(event := await talk.receive(), AgentResponseDone):
                    if isinstance(event, AgentResponseAudioDelta):
                        now = time.perf_counter()
                        gaps.append(now - last)
                        last = now
                assert len(gaps) > 5
                assert sorted(gaps)[len(gaps) // 2] < 0.2
                assert outputs(talk.seen) == []
                release.set()
                assert outputs(await talk.reply()) == ["done"]

    async def test_an_async_tool_that_blocks_the_loop_is_named_in_the_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        @tool
        async def forgot_to_await() -> str:
            """Blocks everybody."""
            time.sleep(1.5)  # noqa: ASYNC251 - what is tested
            return "done"

        with trio.fail_after(20), caplog.at_level(logging.WARNING):
            async with talking([Call("forgot_to_await")], FINE, tools=[forgot_to_await]) as talk:
                talk.say("Go!")
                assert outputs(await talk.reply(2)) == ["done"]
        [record] = [each for each in caplog.records if "the event loop has been blocked" in each.message]
        assert "by a background task of friday (RealtimeAgent)" in record.message
        assert "forgot_to_await" in record.message


class TestCrashes:
    async def test_an_error_that_cannot_say_what_it_is(self, autojump_clock: MockClock) -> None:
        class Broken(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        @tool
        async def fail() -> str:
            raise Broken

        async with talking([Call("fail")], FINE, tools=[fail]) as talk:
            talk.say("Go!")
            assert outputs(await talk.reply(2)) == ["Error: Broken: (its words raise RuntimeError)"]


class TestFrontendTools:
    async def test_have_a_deadline_of_their_own(self, autojump_clock: MockClock) -> None:
        """Complaint: a frontend that is gone leaves the model waiting for ever."""
        paint = frontend_tool("paint", "Paint.", timeout=5)
        async with talking([Call("paint")], FINE, tools=[paint]) as talk:
            talk.say("Red!")
            before = trio.current_time()
            assert outputs(await talk.reply(2)) == ["Error: the tool paint did not finish within 5 s."]
            assert 5 <= trio.current_time() - before < 6

    async def test_that_are_to_finish_are_answered_after_an_interruption(self, autojump_clock: MockClock) -> None:
        paint = frontend_tool("paint", "Paint.", on_interruption="finish")
        async with talking([Call("paint"), Endless()], FINE, tools=[paint], speed=1) as talk:
            talk.say("Red!")
            [done] = of(AgentResponseToolUseDone, await talk.until(AgentResponseToolUseDone))
            await talk.until(AgentResponseAudioDelta)
            talk.tell(ClientResponseCancel("s1"))
            assert outputs(await talk.reply()) == []
            talk.tell(ClientToolResult("s1", done.tool_use.id, "paint", "painted"))
            assert outputs(await talk.until_results(1)) == ["painted"]
            talk.say("And?")
            await talk.reply()
            assert "painted" in [turn.text for turn in talk.brain.heard if turn.role == "tool"]


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"on_interruption": "stop"}, "look: on_interruption='stop': choose 'cancel' or 'finish'"),
            ({"duplicates": "no"}, "look: duplicates='no': choose 'run' or 'join' or 'refuse'"),
            ({"timeout": 0}, "look: timeout=0: give seconds above 0"),
            ({"timeout": math.nan}, "look: timeout=nan"),
            ({"approval_timeout": -1}, "look: approval_timeout=-1"),
        ],
    )
    def test_that_are_none_are_refused(self, options: Any, words: str) -> None:
        with pytest.raises(InvalidTool, match=words):
            frontend_tool("look", "Look.", **options)
