"""Metrics, as Prometheus would scrape them."""

import asyncio
import threading
import urllib.request

import attrs
import pytest
import trio
import trio.testing
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from telemetry_kit import Clerk, Counter, Fail, GetTotal, Relay

import realtime_actors.asyncio as asyncio_hosts
from realtime_actors.actors import Actor, droppable, open_runtime, receives
from realtime_actors.events import AgentTurnMeasured
from realtime_actors.telemetry.prometheus import PrometheusInstrument
from realtime_actors.telemetry.prometheus.collector import TreeCollector


@droppable
@attrs.frozen
class Sound:
    pass


@attrs.define(eq=False)
class Hearer(Actor):
    @receives
    async def hear(self, _: Sound) -> None:
        await trio.sleep(1)


class Scraped:
    """The samples of a scrape."""

    def __init__(self, text: str) -> None:
        self._samples = {
            (sample.name.removeprefix("realtime_actors_"), frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def get(self, name: str, **labels: str) -> float | None:
        return self._samples.get((name, frozenset(labels.items())))

    @property
    def labels(self) -> set[str]:
        """All values of all labels."""
        return {value for _, labels in self._samples for _, value in labels}


def scrape(registry: CollectorRegistry) -> Scraped:
    return Scraped(generate_latest(registry).decode())


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


async def test_messages_are_counted_and_timed(
    registry: CollectorRegistry, autojump_clock: trio.testing.MockClock
) -> None:
    metrics = PrometheusInstrument(registry=registry)
    async with open_runtime(instruments=[metrics]) as runtime:
        await runtime.spawn(metrics.observer(), name="metrics")
        hearer = await runtime.spawn(Hearer(), name="secret-session-id")
        for _ in range(3):
            hearer.tell(Sound())
        await trio.sleep(10)
        seen = scrape(registry)
        labels = {"actor": "Hearer", "message": "Sound"}
        assert seen.get("messages_handled_total", **labels) == 3
        assert seen.get("messages_failed_total", **labels) == 0
        assert seen.get("handler_seconds_sum", **labels) == 3.0
        assert seen.get("handler_seconds_bucket", le="1.0", **labels) == 3
        assert seen.get("handler_seconds_bucket", le="0.5", **labels) == 0
        assert seen.get("mailbox_wait_seconds_sum", **labels) == 3.0
        assert not any("secret" in label for label in seen.labels)


async def test_a_handler_that_a_stop_cancels_has_neither_succeeded_nor_failed(
    registry: CollectorRegistry, autojump_clock: trio.testing.MockClock
) -> None:
    metrics = PrometheusInstrument(registry=registry)
    async with open_runtime(instruments=[metrics]) as runtime:
        await runtime.spawn(metrics.observer(), name="metrics")
        hearer = await runtime.spawn(Hearer(), stop_timeout=0.5)
        hearer.tell(Sound())
        await trio.testing.wait_all_tasks_blocked()
        await hearer.stop()
        seen = scrape(registry)
        labels = {"actor": "Hearer", "message": "Sound"}
        assert seen.get("messages_handled_total", **labels) == 0
        assert seen.get("messages_failed_total", **labels) == 0
        assert seen.get("handler_seconds_sum", **labels) == 0.5


async def test_what_happens_to_actors_is_counted(registry: CollectorRegistry) -> None:
    metrics = PrometheusInstrument(registry=registry)
    async with open_runtime(instruments=[metrics]) as runtime:
        await runtime.spawn(metrics.observer(), name="metrics")
        counter = await runtime.spawn(Counter(), restart="permanent", max_restarts=5)
        clerk = await runtime.spawn(Clerk(counter))
        for _ in range(2):
            counter.tell(Fail("of no interest"))
            await trio.testing.wait_all_tasks_blocked()
        counter.tell(Relay(1))
        await clerk.stop()
        clerk.tell(Relay(1))
        await trio.testing.wait_all_tasks_blocked()
        seen = scrape(registry)
        assert seen.get("started_total", actor="Counter") == 3
        assert seen.get("restarts_total", actor="Counter") == 2
        assert seen.get("messages_failed_total", actor="Counter", message="Fail") == 2
        assert seen.get("terminated_total", reason="stopped") == 1
        assert seen.get("dead_letters_total", reason="crashed", message="Fail") == 2
        assert seen.get("dead_letters_total", reason="unhandled", message="Relay") == 1
        assert seen.get("dead_letters_total", reason="stopped", message="Relay") == 1
        assert seen.get("events_lost_total") == 0


async def test_the_turns_of_agents_are_counted_and_timed(registry: CollectorRegistry) -> None:
    metrics = PrometheusInstrument(registry=registry)
    async with open_runtime() as runtime:
        await runtime.spawn(metrics.observer())
        times, tools = {"first_audio": 400.0, "done": 2000.0}, {"weather": 250.0}
        turn = AgentTurnMeasured("r", "friday", "Friday", "speech", "completed", times, tools, 7, 30)
        for _ in range(2):
            runtime.bus.publish("turns.friday", turn)
        await trio.testing.wait_all_tasks_blocked()
        scraped = scrape(registry)
        assert scraped.get("turns_total", source="speech", status="completed") == 2
        assert scraped.get("turn_seconds_count", time="first_audio") == 2
        assert scraped.get("turn_seconds_sum", time="first_audio") == pytest.approx(0.8)
        assert scraped.get("tool_seconds_sum", tool="weather") == pytest.approx(0.5)
        assert scraped.get("tokens_total", direction="output") == 60


async def test_the_actors_at_the_moment_of_the_scrape(
    registry: CollectorRegistry, autojump_clock: trio.testing.MockClock
) -> None:
    metrics = PrometheusInstrument(registry=registry)
    async with open_runtime(instruments=[metrics]) as runtime:
        await runtime.spawn(metrics.observer(), name="metrics")
        one = await runtime.spawn(Hearer(), capacity=4, overflow="drop_oldest")
        await runtime.spawn(Hearer())
        for _ in range(4):
            one.tell(Sound())
        await trio.sleep(0.25)
        seen = scrape(registry)
        assert seen.get("actors", actor="Hearer", state="running") == 2
        assert seen.get("mailbox_messages", actor="Hearer", lane="data") == 3
        assert seen.get("mailbox_messages", actor="Hearer", lane="control") == 0
        assert seen.get("mailbox_fullest_ratio", actor="Hearer") == 0.75
        assert seen.get("in_hand_seconds", actor="Hearer") == 0.25
        assert (seen.get("event_loop_lag_seconds") or 0) < 1
        for _ in range(3):
            one.tell(Sound())
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(2)
        assert scrape(registry).get("messages_dropped_total", queue="Hearer") == 2
    # The runtime is over: what was counted stays, the actors are gone.
    seen = scrape(registry)
    assert seen.get("actors", actor="Hearer", state="running") is None
    assert seen.get("started_total", actor="Hearer") == 2


async def test_a_scrape_comes_in_a_thread_of_its_own(registry: CollectorRegistry) -> None:
    metrics = PrometheusInstrument(registry=registry)
    async with open_runtime(instruments=[metrics]) as runtime:
        await runtime.spawn(metrics.observer(), name="metrics")
        counter = await runtime.spawn(Counter())
        await counter.ask(GetTotal(), timeout=1)
        server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
        url = f"http://127.0.0.1:{server.server_port}/metrics"

        def read() -> str:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()

        try:
            seen = Scraped(await trio.to_thread.run_sync(read))
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
        assert seen.get("actors", actor="Counter", state="running") == 1
        assert seen.get("messages_handled_total", actor="Counter", message="GetTotal") == 1


async def test_the_observer_leaves_the_registry_however_it_ends(registry: CollectorRegistry) -> None:
    """Else the next scrape would wait for a runtime that is no more, and no other one could be observed."""
    metrics = PrometheusInstrument(registry=registry)
    for _ in range(2):
        async with open_runtime() as runtime:
            observer = await runtime.spawn(metrics.observer())
            assert scrape(registry).get("actors", actor="MetricsObserver", state="running") == 1
            await observer.stop()
            assert "realtime_actors_actors" not in generate_latest(registry).decode()
        with trio.move_on_after(0) as scope:
            async with open_runtime() as runtime:
                with trio.CancelScope(shield=True):
                    await runtime.spawn(metrics.observer())
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert "realtime_actors_actors" not in generate_latest(registry).decode()


async def test_a_registry_takes_one_runtime(registry: CollectorRegistry) -> None:
    metrics = PrometheusInstrument(registry=registry)
    async with open_runtime() as runtime:
        first = await runtime.spawn(metrics.observer())
        with pytest.raises(ValueError, match="Duplicated timeseries"):
            await runtime.spawn(metrics.observer())
        assert first.state == "running"
        assert scrape(registry).get("actors", actor="MetricsObserver", state="running") == 1


def test_in_an_asyncio_host(registry: CollectorRegistry) -> None:
    """Scraped in a thread of the host's, and in the host's own event loop."""

    async def main() -> list[Scraped]:
        metrics = PrometheusInstrument(registry=registry)
        async with asyncio_hosts.open_runtime(instruments=[metrics]) as runtime:
            await runtime.spawn(metrics.observer(), name="metrics")
            counter = await runtime.spawn(Counter())
            await counter.ask(GetTotal(), timeout=5)
            return [await asyncio.to_thread(scrape, registry), scrape(registry)]

    for seen in asyncio.run(main()):
        assert seen.get("actors", actor="Counter", state="running") == 1
        assert seen.get("messages_handled_total", actor="Counter", message="GetTotal") == 1
    assert "realtime_actors_actors" not in generate_latest(registry).decode()


async def test_a_loop_that_does_not_answer_shows_in_its_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape must neither hang nor fail then: that is when metrics are needed."""
    monkeypatch.setattr("realtime_actors.telemetry.prometheus.collector._PATIENCE", 0.05)
    async with open_runtime() as runtime:
        collector = TreeCollector(runtime.tree, trio.lowlevel.current_trio_token())
        names: list[str] = []
        thread = threading.Thread(target=lambda: names.extend(family.name for family in collector.collect()))
        thread.start()
        thread.join()  # blocks the loop
    assert names == ["realtime_actors_event_loop_lag_seconds"]


def test_a_loop_that_is_over_has_no_metrics() -> None:
    async def main() -> TreeCollector:
        async with open_runtime() as runtime:
            return TreeCollector(runtime.tree, trio.lowlevel.current_trio_token())

    assert list(trio.run(main).collect()) == []
