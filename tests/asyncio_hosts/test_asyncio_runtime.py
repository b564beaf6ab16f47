"""The runtime in a thread of its own, driven from asyncio."""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio
import uvloop
from hosts_kit import (
    DEADLINE,
    Add,
    Counter,
    Crash,
    Exit,
    GetTotal,
    Pass,
    Release,
    SlowStarter,
    Wait,
    in_asyncio,
    runtime_threads,
    until,
)

from realtime_actors.actors import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskTimeout,
    DeadLetter,
    InvalidMessage,
    NameTaken,
    Ref,
    Runtime,
    UnhandledMessage,
    receives,
    trace_context,
)
from realtime_actors.actors import open_runtime as open_trio_runtime
from realtime_actors.asyncio import AsyncioRef, AsyncioRuntime, CrossingFull, WrongLoop, open_runtime
from realtime_actors.gateway import AgentRequest, Gateway, GatewaySettings, GetStatus


async def hold(runtime: AsyncioRuntime) -> tuple[threading.Event, asyncio.Task[None]]:
    """Keep the runtime's thread from doing anything, until the event is set."""
    held, release = threading.Event(), threading.Event()

    async def block(_: Runtime) -> None:
        held.set()
        release.wait(5)

    holding = asyncio.create_task(runtime.run(block))
    await until(held.is_set)
    return release, holding


@in_asyncio
async def test_an_actor_is_told_and_asked_and_stopped() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(start=10), name="counter")
        assert isinstance(counter, AsyncioRef)
        counter.tell(Add(5))
        assert await counter.ask(GetTotal(), timeout=1) == 15
        await counter.send(Add(1))
        assert await counter.ask(GetTotal(), timeout=None) == 16
        assert (counter.path, counter.name, counter.state) == ("counter", "counter", "running")
        assert counter.statistics().handled == 4
        assert runtime.find("counter") == counter
        assert [actor.path for actor in (await runtime.tree()).actors] == ["counter"]
        await counter.stop()
        assert (await counter.wait_stopped()).reason == "stopped"
        assert runtime.find("counter") is None
    assert runtime_threads() == []


def test_it_runs_in_another_event_loop_too() -> None:
    async def host() -> int:
        async with open_runtime() as runtime:
            counter = await runtime.spawn(Counter())
            for _ in range(1000):
                counter.tell(Add(1))
            return await counter.ask(GetTotal(), timeout=5)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(host()) == 1000
    assert runtime_threads() == []


@in_asyncio
async def test_messages_told_arrive_in_order_and_before_the_end() -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(log=log))
        for amount in range(5000):
            counter.tell(Add(amount))
            if amount % 100 == 0:
                await counter.ask(GetTotal(), timeout=5)
        assert await counter.ask(GetTotal(), timeout=5) == sum(range(5000))
    assert log == ["started", "stopped"]


@in_asyncio
async def test_a_function_runs_in_the_runtime_s_thread() -> None:
    async def where(runtime: Runtime, word: str) -> tuple[str, str, int]:
        await trio.lowlevel.checkpoint()
        return word, threading.current_thread().name, len(runtime.tree().actors)

    async with open_runtime() as runtime:
        assert await runtime.run(where, "here") == ("here", "realtime_actors", 0)


@in_asyncio
async def test_a_ref_in_a_message_is_the_one_of_the_other_thread() -> None:
    async with open_runtime() as runtime:
        counter, other = await runtime.spawn(Counter()), await runtime.spawn(Counter())
        await other.ask(Pass(Add(7), counter.ref), timeout=1)
        assert await counter.ask(GetTotal(), timeout=1) == 7


@in_asyncio
async def test_a_gateway_listens_beside_the_host() -> None:
    def no_agent(request: AgentRequest) -> Actor:
        return Counter()

    async with open_runtime() as runtime:
        gateway = await runtime.spawn(Gateway(no_agent, GatewaySettings(port=0)))
        address = (await gateway.ask(GetStatus(), timeout=5)).address
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


@in_asyncio
async def test_errors_come_out_as_they_are_with_their_cause_and_traceback() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="counter")
        with pytest.raises(NameTaken):
            await runtime.spawn(Counter(), name="counter")
        with pytest.raises(UnhandledMessage):
            await counter.ask(attrs.make_class("Other", [])(), timeout=1)
        with pytest.raises(AskTimeout):
            await counter.ask(Wait(), timeout=0.01)
        counter.tell(Release())
        with pytest.raises(ActorCrashed) as crashed:
            await counter.ask(Crash(), timeout=1)
        assert isinstance(crashed.value.__cause__, ValueError)
        assert "raise ValueError" in "".join(traceback.format_exception(crashed.value.__cause__))
        with pytest.raises(ActorStopped):
            await counter.ask(GetTotal(), timeout=1)


@in_asyncio
async def test_a_start_that_fails_comes_out_of_spawn() -> None:
    class Failing(Counter):
        async def started(self) -> None:
            raise ConnectionError("no way")

    async with open_runtime() as runtime:
        with pytest.raises(ConnectionError, match="no way") as failed:
            await runtime.spawn(Failing(), name="failing")
        assert any("failing" in note for note in failed.value.__notes__)


@in_asyncio
async def test_what_is_no_message_is_refused_where_it_is_told() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter())
        with pytest.raises(InvalidMessage, match=r"builtins\.str is no message type"):
            counter.tell("hello")


@in_asyncio
async def test_a_crossing_that_is_full_raises_and_counts() -> None:
    async with open_runtime(capacity=3) as runtime:
        counter = await runtime.spawn(Counter())
        release, holding = await hold(runtime)
        for _ in range(3):
            counter.tell(Add(1))
        with pytest.raises(CrossingFull, match="3 messages are on their way"):
            counter.tell(Add(1))
        statistics = runtime.statistics()
        assert (statistics.waiting, statistics.capacity, statistics.refused) == (3, 3, 1)
        release.set()
        await holding
        assert await counter.ask(GetTotal(), timeout=1) == 3


@in_asyncio
async def test_what_a_full_mailbox_refuses_becomes_a_dead_letter() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="counter", capacity=1)
        async with runtime.subscribe("runtime.dead_letter.>") as letters:
            waiting = asyncio.create_task(counter.ask(Wait(), timeout=None))
            await until(lambda: counter.statistics().in_hand == "Wait")
            counter.tell(Add(1))
            counter.tell(Add(2))
            letter = await letters.receive()
            assert isinstance(letter, DeadLetter)
            assert (letter.message, letter.reason) == (Add(2), "mailbox_full")
            counter.tell(Release())
            assert await waiting == "released"


@in_asyncio
async def test_send_waits_for_room() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), capacity=1)
        waiting = asyncio.create_task(counter.ask(Wait(), timeout=None))
        await until(lambda: counter.statistics().in_hand == "Wait")
        await counter.send(Add(1))
        sending = asyncio.create_task(counter.send(Add(2)))
        await asyncio.sleep(0.02)
        assert not sending.done()
        counter.tell(Release())
        await asyncio.gather(waiting, sending)
        assert await counter.ask(GetTotal(), timeout=1) == 3


@in_asyncio
async def test_the_trace_context_crosses() -> None:
    class Tracing(Counter):
        @receives
        def add(self, message: Add) -> None:
            self.log.append(f"{message.amount} {trace_context.get()}")

        @receives
        async def wait(self, _: Wait) -> str:
            return str(trace_context.get())

    log: list[str] = []
    async with open_runtime() as runtime:
        actor = await runtime.spawn(Tracing(log=log))
        trace_context.set("one")
        actor.tell(Add(1))
        trace_context.set("two")
        actor.tell(Add(2))
        assert await actor.ask(Wait(), timeout=1) == "two"
        trace_context.set(None)
        actor.tell(Add(3))
        assert await actor.ask(Wait(), timeout=1) == "None"
        assert log[1:] == ["1 one", "2 two", "3 None"]


# -- cancellation


@in_asyncio
async def test_a_cancelled_ask_is_over_in_the_thread_too() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), name="counter", capacity=1)
        async with runtime.subscribe("runtime.dead_letter.>") as letters:
            asking = asyncio.create_task(counter.ask(Wait(), timeout=None))
            await until(lambda: counter.statistics().in_hand == "Wait")
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert runtime.statistics().calls == 0
            counter.tell(Release())
            letter = await letters.receive()  # its answer, which nobody waits for
            assert (letter.message, letter.reason) == ("released", "late_answer")


@in_asyncio
async def test_a_cancelled_send_sends_nothing() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), capacity=1)
        waiting = asyncio.create_task(counter.ask(Wait(), timeout=None))
        await until(lambda: counter.statistics().in_hand == "Wait")
        await counter.send(Add(1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await counter.send(Add(100))
        counter.tell(Release())
        await waiting
        assert await counter.ask(GetTotal(), timeout=1) == 1


@in_asyncio
async def test_a_call_that_is_cancelled_on_its_way_does_nothing() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter())
        release, holding = await hold(runtime)
        calls = [asyncio.create_task(call) for call in (counter.send(Add(1)), counter.ask(Add(10), timeout=None))]
        await until(lambda: runtime.statistics().waiting == 2)
        for call in calls:
            call.cancel()
        await until(lambda: runtime.statistics().waiting == 4)
        release.set()
        await holding
        assert all(
            isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*calls, return_exceptions=True)
        )
        assert await counter.ask(GetTotal(), timeout=1) == 0


@in_asyncio
async def test_any_thread_of_the_host_may_tell() -> None:
    async with open_runtime() as runtime:
        counter = await runtime.spawn(Counter(), capacity=4000)

        def tell_often() -> None:
            for _ in range(1000):
                counter.tell(Add(1))

        await asyncio.gather(*(asyncio.to_thread(tell_often) for _ in range(4)))
        assert await counter.ask(GetTotal(), timeout=5) == 4000


@in_asyncio
async def test_a_cancelled_spawn_leaves_no_actor() -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        spawning = asyncio.create_task(runtime.spawn(SlowStarter(log, trio.Event()), name="slow"))
        await until(lambda: log == ["starting"])
        spawning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spawning
        assert log == ["starting", "cancelled"]
        assert runtime.find("slow") is None


@in_asyncio
async def test_a_spawn_cancelled_when_it_had_succeeded_leaves_no_actor_either() -> None:
    log: list[str] = []
    async with open_runtime() as runtime:
        spawning = asyncio.create_task(runtime.spawn(Counter(log=log), name="counter"))
        await asyncio.sleep(0)
        deadline = asyncio.get_running_loop().time() + 5
        while runtime.find("counter") is None or log != ["started"]:  # the loop cannot take the answer meanwhile
            assert asyncio.get_running_loop().time() < deadline
        threading.Event().wait(0.02)
        spawning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spawning
        await until(lambda: log == ["started", "stopped"])
        assert runtime.find("counter") is None


@in_asyncio
async def test_what_ignores_its_cancellation_is_waited_for_only_so_long(caplog: pytest.LogCaptureFixture) -> None:
    begun, release = threading.Event(), threading.Event()

    async def stubborn(_: Runtime) -> None:
        begun.set()
        await trio.to_thread.run_sync(release.wait)

    async with open_runtime(shutdown_timeout=0.05) as runtime:
        calling = asyncio.create_task(runtime.run(stubborn))
        await until(begun.is_set)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert "ignores that it was cancelled" in caplog.text
        release.set()


# -- the end


@in_asyncio
async def test_an_error_in_the_block_comes_out_after_an_orderly_end() -> None:
    log: list[str] = []
    with pytest.raises(LookupError, match="mine"):  # noqa: PT012 - the block is what is tested
        async with open_runtime() as runtime:
            await runtime.spawn(Counter(log=log))
            raise LookupError("mine")
    assert log == ["started", "stopped"]
    assert runtime_threads() == []


@in_asyncio
async def test_cancelling_the_block_ends_in_order_within_the_time_given() -> None:
    class Lingering(Counter):
        async def stopping(self) -> None:
            await trio.sleep_forever()

    log: list[str] = []
    started = asyncio.Event()

    async def host() -> None:
        async with open_runtime(shutdown_timeout=0.1) as runtime:
            await runtime.spawn(Counter(log=log))
            await runtime.spawn(Lingering(log=log), stop_timeout=60)
            started.set()
            await asyncio.sleep(3600)

    hosting = asyncio.create_task(host())
    await started.wait()
    hosting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hosting
    assert log == ["started", "started", "stopped"]
    assert runtime_threads() == []


@in_asyncio
async def test_a_second_cancellation_does_not_tear_the_shutdown() -> None:
    class Careful(Counter):
        async def stopping(self) -> None:
            await trio.sleep(0.1)
            self.log.append("stopped")

    log: list[str] = []

    async def host() -> None:
        async with open_runtime() as runtime:
            await runtime.spawn(Careful(log=log))
            log.append("open")
            await asyncio.sleep(3600)

    hosting = asyncio.create_task(host())
    await until(lambda: "open" in log)
    hosting.cancel()
    await asyncio.sleep(0.01)
    hosting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hosting
    assert log == ["started", "open", "stopped"]


@in_asyncio
async def test_calls_that_wait_at_the_end_fail() -> None:
    async def sleep(_: Runtime) -> None:
        await trio.sleep_forever()

    async with open_runtime(shutdown_timeout=0.1) as runtime:
        counter = await runtime.spawn(Counter(), stop_timeout=0.05)
        asking = asyncio.create_task(counter.ask(Wait(), timeout=None))
        stopped = asyncio.create_task(counter.wait_stopped())
        forever = asyncio.create_task(runtime.run(sleep))
        await until(lambda: counter.statistics().in_hand == "Wait")
    with pytest.raises(ActorStopped):
        await asking
    assert (await stopped).reason == "stopped"
    with pytest.raises(ActorStopped, match="the runtime has ended"):
        await forever
    with pytest.raises(ActorStopped, match="the runtime has ended"):
        counter.tell(Add(1))
    with pytest.raises(ActorStopped, match="the runtime has ended"):
        await counter.ask(GetTotal(), timeout=1)
    with pytest.raises(ActorStopped, match="the runtime has ended"):
        await runtime.spawn(Counter())


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_an_error_that_nobody_supervises_ends_the_host_s_block(error: BaseException) -> None:
    log: list[str] = []

    async def host() -> None:
        async with open_runtime() as runtime:
            other = await runtime.spawn(Counter(log=log))
            counter = await runtime.spawn(Counter())
            counter.tell(Exit(error))
            try:
                await asyncio.sleep(3600)
            finally:
                log.append("body")
            await other.stop()

    began = time.monotonic()
    with pytest.raises(type(error)) as raised:
        asyncio.run(asyncio.wait_for(host(), DEADLINE))
    assert time.monotonic() - began < DEADLINE / 2  # it was not the deadline that ended it
    assert raised.value is error
    assert sorted(log) == ["body", "started", "stopped"]
    assert runtime_threads() == []


@in_asyncio
async def test_the_block_s_task_goes_on_after_such_an_error() -> None:
    with pytest.raises(SystemExit):  # noqa: PT012 - the block is what is tested
        async with open_runtime() as runtime:
            counter = await runtime.spawn(Counter())
            counter.tell(Exit(SystemExit(3)))
            await asyncio.sleep(3600)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0.001)


def test_ctrl_c_in_the_host_ends_in_order() -> None:
    log: list[str] = []

    async def host() -> None:
        async with open_runtime() as runtime:
            await runtime.spawn(Counter(log=log))
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(host())
    assert log == ["started", "stopped"]
    assert runtime_threads() == []


def test_a_task_left_behind_by_asyncio_run_still_ends_in_order() -> None:
    log: list[str] = []

    async def left() -> None:
        async with open_runtime() as runtime:
            await runtime.spawn(Counter(log=log))
            log.append("open")
            await asyncio.sleep(20)

    async def host() -> asyncio.Task[None]:
        task = asyncio.create_task(left())
        await until(lambda: "open" in log)
        return task

    asyncio.run(host())
    assert log == ["started", "open", "stopped"]
    assert runtime_threads() == []


def test_a_loop_that_is_closed_early_ends_the_runtime(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    monkeypatch.setattr(logging.getLogger("asyncio"), "disabled", True)  # it has something to say to this, too

    async def leave(runtime: AsyncioRuntime) -> None:
        await runtime.spawn(Counter(log=log))

    def close_early() -> None:
        loop = asyncio.new_event_loop()
        opened = open_runtime()
        loop.run_until_complete(leave(loop.run_until_complete(opened.__aenter__())))
        loop.close()
        for thread in runtime_threads():
            thread.join(10)

    close_early()
    gc.collect()
    assert runtime_threads() == []
    assert log == ["started", "stopped"]
    assert "the host's event loop was closed before the runtime" in caplog.text


def test_a_host_that_leaves_the_runtime_open_can_still_exit() -> None:
    host = """
import asyncio
from realtime_actors.asyncio import open_runtime

opened = open_runtime()
loop = asyncio.new_event_loop()
loop.run_until_complete(opened.__aenter__())
loop.close()
print("left")
"""
    ended = subprocess.run([sys.executable, "-c", host], timeout=20, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert (ended.returncode, ended.stdout) == (0, "left\n"), ended.stderr


def test_the_host_s_api_is_that_of_trio() -> None:
    def parameters(function: Callable[..., object]) -> list[tuple[str, object, object]]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]

    for name in ("tell", "send", "ask", "stop", "wait_stopped", "statistics"):
        assert parameters(getattr(AsyncioRef, name)) == parameters(getattr(Ref, name))
    assert parameters(AsyncioRuntime.spawn) == parameters(Runtime.spawn)
    assert parameters(open_runtime)[:-1] == parameters(open_trio_runtime)


@attrs.frozen
class Use:
    """Has an actor use what belongs to the host, and say what became of it."""

    of_the_host: Callable[[], Awaitable[object]]


@attrs.define(eq=False)
class User(Actor):
    @receives
    async def use(self, message: Use) -> object:
        try:
            return await message.of_the_host()
        except WrongLoop as error:
            return error


@in_asyncio
async def test_what_belongs_to_the_host_says_so_in_an_actor() -> None:
    """Trio would say that it "received unrecognized yield message"."""
    async with open_runtime() as runtime, runtime.subscribe("topic") as events:
        user, counter = await runtime.spawn(User()), await runtime.spawn(Counter())
        for of_the_host in (
            lambda: counter.ask(GetTotal(), timeout=1),
            lambda: counter.send(Add(1)),
            counter.stop,
            counter.wait_stopped,
            lambda: runtime.spawn(Counter()),
            runtime.tree,
            lambda: runtime.run(asyncio.sleep),
            runtime.subscribe("topic").__aenter__,
            events.receive,
        ):
            assert "use ref.ref there" in str(await user.ask(Use(of_the_host), timeout=5))
        assert await counter.ask(GetTotal(), timeout=5) == 0
        assert await user.ask(Use(lambda: counter.ref.ask(GetTotal(), timeout=1)), timeout=5) == 0


@in_asyncio
async def test_what_belongs_to_a_loop_says_so_in_another() -> None:
    """asyncio would say that it "got Future attached to a different loop", and may never come back."""

    def elsewhere(use: Callable[[], Awaitable[object]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(5):
                await use()

        asyncio.run(main())

    async with open_runtime() as runtime, runtime.subscribe("topic") as events:
        counter = await runtime.spawn(Counter())
        for use in (lambda: counter.ask(GetTotal(), timeout=1), lambda: runtime.spawn(Counter()), events.receive):
            with pytest.raises(WrongLoop, match="the event loop that opened the runtime, and was used in another"):
                await asyncio.to_thread(elsewhere, use)
        assert await counter.ask(GetTotal(), timeout=5) == 0
        assert len((await runtime.tree()).actors) == 1
    with pytest.raises(WrongLoop):
        await asyncio.to_thread(elsewhere, counter.stop)


async def test_a_trio_program_is_told_which_runtime_is_for_it() -> None:
    with pytest.raises(WrongLoop, match="for a Trio program it is realtime_actors"):
        async with open_runtime():
            pass
