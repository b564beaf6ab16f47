"""Subscriptions that are read in asyncio."""

from __future__ import annotations

import asyncio
import time
from typing import TypeVar

import pytest
import trio
from hosts_kit import Counter, Say, TakeBack, in_asyncio, until

from realtime_actors.actors import InvalidName, Lost, Runtime, SubscriptionOverflow
from realtime_actors.agents import RealtimeAgent
from realtime_actors.asyncio import AsyncioSubscription, open_runtime
from realtime_actors.events import (
    AgentResponseAudioDelta,
    AgentResponseDone,
    ClientResponseCancel,
    ClientTextAppend,
)
from realtime_actors.providers import OpenAIRealtimeModel
from realtime_actors.simulators import OpenAISimulator, Reply, ScriptedBrain
from realtime_actors.simulators import Say as Speak

T = TypeVar("T")


@in_asyncio
async def test_what_is_published_is_read_in_order() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="ann")
        async with runtime.subscribe("counters.>", capacity=5000) as events:
            for number in range(3000):
                counter.tell(Say(str(number)))
            read: list[str] = []
            async for event in events:
                read.append(event.text)
                if len(read) == 3000:
                    break
        assert read == [str(number) for number in range(3000)]
        assert events.statistics().delivered == 3000


@in_asyncio
async def test_several_subscriptions_each_get_what_matches() -> None:
    async with open_runtime() as runtime:
        ann = await runtime.spawn(Counter(), name="ann")
        bob = await runtime.spawn(Counter(), name="bob")
        async with runtime.subscribe("counters.ann") as one, runtime.subscribe("counters.*") as both:
            ann.tell(Say("a"))
            bob.tell(Say("b"))
            assert await one.receive() == Say("a")
            assert {await both.receive(), await both.receive()} == {Say("a"), Say("b")}


@in_asyncio
async def test_a_bad_pattern_is_refused_on_entering() -> None:
    async with open_runtime() as runtime:
        with pytest.raises(InvalidName, match="no pattern"):
            await runtime.subscribe("counters..x").__aenter__()


@in_asyncio
async def test_a_slow_reader_loses_the_oldest_and_is_told_how_many() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="ann")
        async with runtime.subscribe("counters.>", capacity=3) as events:
            for number in range(10):
                await counter.send(Say(str(number)))
            await counter.stop(drain=True)
            assert await events.receive() == Lost(7)
            assert [(await events.receive()).text for _ in range(3)] == ["7", "8", "9"]
            assert events.statistics().dropped == 7


@in_asyncio
async def test_one_that_closes_on_overflow_raises_after_what_it_has() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="ann")
        async with runtime.subscribe("counters.>", capacity=2, overflow="close") as events:
            for number in range(4):
                await counter.send(Say(str(number)))
            await counter.stop(drain=True)
            assert [(await events.receive()).text for _ in range(2)] == ["0", "1"]
            with pytest.raises(SubscriptionOverflow):
                await events.receive()


@in_asyncio
async def test_a_weight_of_one_s_own_bounds_it() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="ann")
        async with runtime.subscribe("counters.>", capacity=10, weigh=lambda event: len(event.text)) as events:
            for text in ("123456", "1234", "12"):
                await counter.send(Say(text))
            await counter.stop(drain=True)
            assert await events.receive() == Lost(1)
            assert [(await events.receive()).text for _ in range(2)] == ["1234", "12"]


@in_asyncio
async def test_what_is_taken_back_while_the_reader_sleeps_is_not_read() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="ann")
        async with runtime.subscribe("counters.>") as events:
            for number in range(100):
                counter.tell(Say(str(number)))
            assert await events.receive() == Say("0")  # some of the rest has been announced to this loop by now
            await counter.send(TakeBack("done"))
            await counter.stop(drain=True)
            assert await events.receive() == TakeBack("done")
            statistics = events.statistics()
            assert (statistics.delivered, statistics.superseded, statistics.waiting) == (2, 99, 0)


@in_asyncio
async def test_what_is_taken_back_between_the_wake_up_and_the_read_is_not_read() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="ann")
        async with runtime.subscribe("counters.>") as events:
            reading = asyncio.create_task(events.receive())
            await asyncio.sleep(0)
            counter.tell(Say("stale"))
            counter.tell(TakeBack("done"))
            deadline = time.monotonic() + 5
            # The wake-up is on its way to this loop, which is kept from taking it until all is published.
            while events.statistics().superseded == 0 and time.monotonic() < deadline:
                pass
            assert await reading == TakeBack("done")


@in_asyncio
async def test_a_reader_of_a_flood_lets_others_run() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="ann")
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with runtime.subscribe("counters.>", capacity=1000) as events:
            for number in range(640):
                await counter.send(Say(str(number)))
            await counter.stop(drain=True)
            task = asyncio.create_task(other())
            for _ in range(640):
                await events.receive()
            task.cancel()
        assert turns >= 9


@in_asyncio
async def test_a_reader_that_gave_up_loses_nothing() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="ann")
        async with runtime.subscribe("counters.>") as events:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await events.receive()
            counter.tell(Say("a"))
            assert await events.receive() == Say("a")


@pytest.mark.parametrize("turns", range(4))
def test_one_that_is_cancelled_while_it_begins_is_not_left_on_the_bus(turns: int) -> None:
    weighed: list[object] = []

    def weigh(event: object) -> int:
        weighed.append(event)
        return 1

    async def publish(runtime: Runtime) -> None:
        runtime.bus.publish("words.one", Say("a"))

    @in_asyncio
    async def host() -> None:
        async with open_runtime() as runtime:
            subscription = runtime.subscribe("words.>", weigh=weigh)
            entering = asyncio.create_task(subscription.__aenter__())
            for _ in range(turns):
                await asyncio.sleep(0)
            entering.cancel()
            try:
                await entering
            except asyncio.CancelledError:
                pass
            else:  # it was faster
                await subscription.__aexit__(None, None, None)
            await runtime.run(publish)

    host()
    assert weighed == []


@in_asyncio
async def test_one_task_reads_at_a_time() -> None:
    async with open_runtime() as runtime:
        async with runtime.subscribe("counters.>") as events:
            first = asyncio.create_task(events.receive())
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another task is reading"):
                await events.receive()
            first.cancel()
        with pytest.raises(RuntimeError, match="entered before"):
            await events.__aenter__()
        with pytest.raises(RuntimeError, match="begins with"):
            await runtime.subscribe("counters.>").receive()


@in_asyncio
async def test_after_the_block_nothing_more_comes_and_what_was_there_can_be_read() -> None:
    async def publish(runtime: Runtime, text: str) -> None:
        runtime.bus.publish("words.one", Say(text))

    async with open_runtime() as runtime:
        async with runtime.subscribe("words.>") as events:
            await runtime.run(publish, "a")
        await runtime.run(publish, "b")
        assert [event.text async for event in events] == ["a"]
        with pytest.raises(trio.EndOfChannel):
            await events.receive()


@in_asyncio
async def test_reading_ends_with_the_runtime() -> None:
    async def read(events: AsyncioSubscription) -> list[str]:
        async with events:
            entered.set()
            return [type(event).__name__ async for event in events]

    entered = asyncio.Event()
    async with open_runtime() as runtime:
        reading = asyncio.create_task(read(runtime.subscribe("runtime.>")))
        await entered.wait()
        await runtime.spawn(Counter(), name="ann")
    assert await reading == ["ActorStarted", "ActorTerminated"]


@in_asyncio
async def test_no_delta_of_a_cancelled_reply_is_read_by_one_who_slept() -> None:
    text = " ".join(f"word{number}" for number in range(500))
    simulator = OpenAISimulator(brain=ScriptedBrain(replies=[Reply([Speak(text)])]), speed=40)

    async def simulate(_: Runtime) -> None:
        await simulator.serve()

    async def next_of(events: AsyncioSubscription, kind: type[T]) -> T:
        while not isinstance(event := await events.receive(), kind):
            pass
        return event

    async with open_runtime() as runtime:
        serving = asyncio.create_task(runtime.run(simulate))
        await until(lambda: simulator.address is not None)
        model = OpenAIRealtimeModel(model_name="gpt-realtime", api_key="sk-test", voice="marin", url=simulator.url)
        agent = await runtime.spawn(RealtimeAgent(name="Friday", instructions="", model=model), name="friday")
        pattern = "agents.friday.>"
        async with runtime.subscribe(pattern) as events, runtime.subscribe(f"{pattern[:-1]}*") as watcher:
            agent.tell(ClientTextAppend(session_id="s", text="hello"))
            heard = await next_of(events, AgentResponseAudioDelta)
            # From here on it sleeps: speech gathers, the reply is cancelled, and all is over before it reads on.
            await until(lambda: events.statistics().waiting > 10)
            agent.tell(ClientResponseCancel(session_id="s"))
            done = await next_of(watcher, AgentResponseDone)
            assert (done.response_id, done.metadata["status"]) == (heard.response_id, "cancelled")
            assert await events.receive() == done
            assert events.statistics().superseded > 10
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
