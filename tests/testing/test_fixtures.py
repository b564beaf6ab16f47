"""The fixtures, and runtimes that fail a test."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from realtime_actors.actors import Actor, ActorCrashed, Child, Runtime, Supervisor, receives
from realtime_actors.agents import RealtimeAgent
from realtime_actors.events import AgentResponseAudioDelta, AgentResponseDone, ClientTextAppend
from realtime_actors.testing import (
    ExpectationFailed,
    Failures,
    InvalidExpectation,
    Probe,
    SimulatedOpenAI,
    open_test_runtime,
    run_virtual,
)
from realtime_actors.testing.fixtures import *  # noqa: F403 - as users do

pytest_plugins = ["pytester"]


@attrs.frozen
class Divide:
    by: int


@attrs.frozen
class Unknown:
    number: int = 0


@attrs.define(eq=False)
class Divider(Actor):
    @receives
    async def divide(self, message: Divide) -> float:
        return 10 / message.by


async def use(runtime: Runtime, message: object, **options: object) -> None:
    divider = await runtime.spawn(Divider(), name="divider", **options)  # pyright: ignore[reportArgumentType]
    divider.tell(message)
    await trio.testing.wait_all_tasks_blocked()


async def failure(message: object, failures: Failures | None = None, **options: object) -> ExpectationFailed | None:
    """How a test fails that tells an actor this."""
    try:
        async with open_test_runtime(failures=failures) as runtime:
            await use(runtime, message, **options)
    except ExpectationFailed as error:
        return error
    return None


async def test_a_crash_fails_the_test_with_its_cause(virtual_clock: MockClock) -> None:
    error = await failure(Divide(0))
    assert error is not None
    assert "\n  divider crashed: ZeroDivisionError('division by zero')\n" in str(error)
    assert "failures.allow(ZeroDivisionError)" in str(error)
    assert isinstance(error.__cause__, ZeroDivisionError)


async def test_a_crash_that_is_restarted_fails_too(virtual_clock: MockClock) -> None:
    assert await failure(Divide(0), restart="permanent") is not None


async def test_all_is_well(virtual_clock: MockClock) -> None:
    assert await failure(Divide(5)) is None


async def test_a_message_without_a_handler_fails_the_test(virtual_clock: MockClock) -> None:
    error = await failure(Unknown())
    assert error is not None
    assert "divider has no handler for Unknown(number=0)" in str(error)
    assert "failures.allow_dead_letters(Unknown)" in str(error)
    assert error.__cause__ is None


async def test_a_message_without_room_fails_the_test(virtual_clock: MockClock) -> None:
    async def test() -> None:
        async with open_test_runtime() as runtime:
            divider = await runtime.spawn(Divider(), name="divider", capacity=1)
            runtime.bus.subscribe_ref("numbers", divider)
            for number in (1, 2, 3):
                runtime.bus.publish("numbers", Divide(number))

    with pytest.raises(ExpectationFailed, match=r"divider had no room for Divide\(by=3\)"):
        await test()


async def test_what_a_stopped_actor_leaves_is_no_failure(virtual_clock: MockClock) -> None:
    async with open_test_runtime() as runtime:
        divider = await runtime.spawn(Divider())
        divider.tell(Divide(1))
        await divider.stop()
        divider.tell(Divide(1))


async def test_what_is_allowed_does_not_fail(virtual_clock: MockClock) -> None:
    failures = Failures(ArithmeticError)
    failures.allow_dead_letters(Unknown)
    assert await failure(Divide(0), failures) is None
    assert await failure(Unknown(), failures) is None


async def test_something_else_than_what_is_allowed_fails(virtual_clock: MockClock) -> None:
    failures = Failures(ValueError)
    failures.allow_dead_letters(Divide)
    assert await failure(Divide(0), failures) is not None
    assert await failure(Unknown(), failures) is not None


async def test_what_supervisors_make_of_it_is_allowed_with_it(virtual_clock: MockClock) -> None:
    failures = Failures(ZeroDivisionError)
    async with open_test_runtime(failures=failures) as runtime:
        top = await runtime.spawn(Supervisor([Child(Divider(), name="divider")], max_restarts=0), name="top")
        divider = runtime.find("top.divider")
        assert divider is not None
        with pytest.raises(ActorCrashed):
            await divider.ask(Divide(0), timeout=1)
        assert (await top.wait_stopped()).reason == "crashed"


async def test_a_group_of_errors_is_allowed_when_each_is(virtual_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class Grouped(Actor):
        @receives
        async def divide(self, message: Divide) -> None:
            raise ExceptionGroup("both", [ValueError(), KeyError()])

    for allowed, fails in (((ValueError,), True), ((ValueError, KeyError), False)):
        failures = Failures(*allowed)
        caught = None
        try:
            async with open_test_runtime(failures=failures) as runtime:
                grouped = await runtime.spawn(Grouped())
                grouped.tell(Divide(1))
                await trio.testing.wait_all_tasks_blocked()
        except ExpectationFailed as error:
            caught = error
        assert (caught is not None) is fails


async def test_what_the_test_raises_comes_out_with_a_note_on_the_crash(virtual_clock: MockClock) -> None:
    async def test() -> None:
        async with open_test_runtime() as runtime:
            probe = await Probe.spawn(runtime, name="probe")
            await use(runtime, Divide(0))
            await probe.expect(Divide)

    with pytest.raises(ExpectationFailed, match="nothing came") as caught:
        await test()
    assert "divider crashed: ZeroDivisionError" in caught.value.__notes__[0]


async def test_a_flood_of_failures_is_counted(virtual_clock: MockClock) -> None:
    async def test() -> None:
        async with open_test_runtime() as runtime:
            divider = await runtime.spawn(Divider(), name="divider")
            for number in range(2000):
                divider.tell(Unknown(number))

    with pytest.raises(ExpectationFailed) as caught:
        await test()
    assert "divider has no handler for Unknown(number=0)\n" in str(caught.value)
    assert "976 more, which were too many to be looked at" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_only_errors_are_allowed() -> None:
    with pytest.raises(InvalidExpectation, match="types of errors, not 'ValueError'"):
        Failures().allow("ValueError")  # pyright: ignore[reportArgumentType] - it is wrong


def test_a_crash_comes_out_of_run_virtual() -> None:
    with pytest.raises(ExpectationFailed, match="divider crashed"):
        run_virtual(use, Divide(0))
    failures = Failures(ZeroDivisionError)
    run_virtual(use, Divide(0), failures=failures)


def test_run_virtual_takes_no_time_and_returns_what_is_returned() -> None:
    async def main(runtime: Runtime, seconds: float) -> float:
        began = trio.current_time()
        await trio.sleep(seconds)
        return trio.current_time() - began

    assert run_virtual(main, 1e6) == 1e6


async def test_the_fixtures(runtime: Runtime, probe: Probe, failures: Failures, virtual_clock: MockClock) -> None:
    failures.allow(ZeroDivisionError)
    await use(runtime, Divide(0))
    probe.ref.tell(Divide(7))
    await probe.expect(Divide, by=7, within=1000)
    await probe.expect_nothing(within=1000)


async def talk(runtime: Runtime, probe: Probe, openai: SimulatedOpenAI) -> None:
    openai.replies("Hello.", "Goodbye.")
    probe.subscribe("agents.friday.>")
    agent = RealtimeAgent("Friday", "Be brief.", openai.model, transport=openai.transport)
    friday = await runtime.spawn(agent, name="friday")
    for text in ("Hello.", "Goodbye."):
        friday.tell(ClientTextAppend("s1", "Hi"))
        events = await probe.until(AgentResponseDone, within=10)
        audio = b"".join(event.delta for event in events if isinstance(event, AgentResponseAudioDelta))
        assert audio == openai.brain.audio(text, 24000)
    assert openai.simulator.statistics().connections == 1


async def test_openai_on_a_socket(runtime: Runtime, probe: Probe, openai_simulator: SimulatedOpenAI) -> None:
    assert openai_simulator.simulator.address is not None
    await talk(runtime, probe, openai_simulator)


async def test_openai_in_memory(
    runtime: Runtime, probe: Probe, openai_in_memory: SimulatedOpenAI, virtual_clock: MockClock
) -> None:
    await talk(runtime, probe, openai_in_memory)


WAYS = ['pytest_plugins = ["realtime_actors.testing.fixtures"]', "from realtime_actors.testing.fixtures import *"]
IN_THE_FIELD = """
import attrs, trio
from realtime_actors import Actor, receives

@attrs.frozen
class Go:
    pass

@attrs.define
class Crashing(Actor):
    @receives
    async def go(self, message: Go) -> None:
        raise ValueError("boom")

async def test_crash(runtime, virtual_clock):
    (await runtime.spawn(Crashing(), name="it")).tell(Go())
    await trio.sleep(100)

async def test_crash_and_failure(runtime, probe, virtual_clock):
    (await runtime.spawn(Crashing(), name="it")).tell(Go())
    await probe.expect(Go)

async def test_allowed(runtime, failures, virtual_clock):
    failures.allow(ValueError)
    (await runtime.spawn(Crashing(), name="it")).tell(Go())
    await trio.sleep(100)
"""


@pytest.mark.parametrize(("way", "mode"), list(zip(WAYS, ["trio_mode = true", ""], strict=True)))
def test_in_a_project_of_its_own(pytester: pytest.Pytester, way: str, mode: str) -> None:
    pytester.makeconftest(way)
    pytester.makeini(f"[pytest]\n{mode}")
    marked = "" if mode else "import pytest\npytestmark = pytest.mark.trio\n"
    pytester.makepyfile(marked + IN_THE_FIELD)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*ValueError: boom*"])
    result.stdout.fnmatch_lines(["*it crashed: ValueError('boom')*"])
    result.stdout.fnmatch_lines(["*expected Go within 1 s, and nothing came*"])
