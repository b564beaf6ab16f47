"""Traces, with OpenTelemetry's own SDK."""

import asyncio
import subprocess
import sys

import attrs
import pytest
import trio
import trio.testing
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from telemetry_kit import Add, Clerk, Counter, Fail, GetTotal, Inquire, Relay

import realtime_actors.asyncio
from realtime_actors.actors import Actor, ActorCrashed, Ref, open_runtime, receives, trace_context
from realtime_actors.agents import RealtimeAgent
from realtime_actors.events import STREAMING_TYPES, ClientTextAppend
from realtime_actors.telemetry.opentelemetry import OpenTelemetryInstrument
from realtime_actors.testing import simulate_openai


class Traced:
    """A provider that keeps its spans."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("host")

    def spans(self) -> dict[str, ReadableSpan]:
        """The spans by name; each name must be there once."""
        spans = self.exporter.get_finished_spans()
        found = {span.name: span for span in spans}
        assert len(found) == len(spans), [span.name for span in spans]
        return found

    def parents(self) -> dict[str, str | None]:
        """The name of each span's parent."""
        spans = self.spans()
        names = {span.context.span_id: span.name for span in spans.values() if span.context is not None}
        return {name: None if span.parent is None else names[span.parent.span_id] for name, span in spans.items()}


@pytest.fixture
def traced() -> Traced:
    return Traced()


async def test_a_trace_follows_tells_asks_and_forwards_from_the_host_s_span(traced: Traced) -> None:
    async with open_runtime(instruments=[OpenTelemetryInstrument(tracer_provider=traced.provider)]) as runtime:
        counter = await runtime.spawn(Counter(), name="counter")
        clerk = await runtime.spawn(Clerk(counter), name="clerk")
        with traced.tracer.start_as_current_span("telling"):
            clerk.tell(Relay(5))
        await trio.testing.wait_all_tasks_blocked()
        with traced.tracer.start_as_current_span("asking"):
            assert await clerk.ask(Inquire(), timeout=1) == 5
        assert traced.parents() == {
            "telling": None,
            "process Relay": "telling",
            "process Add": "process Relay",
            "asking": None,
            "process Inquire": "asking",
            "process GetTotal": "process Inquire",
        }
        traced.exporter.clear()
        with traced.tracer.start_as_current_span("forwarding"):
            assert await clerk.ask(GetTotal(), timeout=1) == 5
        router, answer, host = traced.exporter.get_finished_spans()
        assert router.parent is not None
        assert answer.parent is not None
        assert host.context is not None
        assert (router.parent.span_id, router.name) == (host.context.span_id, "process GetTotal")
        assert answer.parent == router.context


async def test_what_a_span_says(traced: Traced, autojump_clock: trio.testing.MockClock) -> None:
    @attrs.define(eq=False)
    class Slow(Actor):
        @receives
        async def add(self, _: Add) -> None:
            await trio.sleep(2)

    async with open_runtime(instruments=[OpenTelemetryInstrument(tracer_provider=traced.provider)]) as runtime:
        slow = await runtime.spawn(Slow(), name="slow")
        slow.tell(Add(1))
        await slow.ask(Add(2), timeout=5)
    first, second = traced.exporter.get_finished_spans()
    assert (first.kind, first.parent, first.status.status_code) == (
        trace.SpanKind.CONSUMER,
        None,
        trace.StatusCode.UNSET,
    )
    assert first.attributes == {
        "messaging.system": "realtime_actors",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "slow",
        "realtime_actors.message.type": "Add",
        "realtime_actors.message.waited": 0.0,
    }
    assert second.attributes is not None
    assert second.attributes["realtime_actors.message.waited"] == 2.0
    assert first.context is not None
    assert second.context is not None
    assert first.context.trace_id != second.context.trace_id


async def test_an_error_is_recorded(traced: Traced) -> None:
    async with open_runtime(instruments=[OpenTelemetryInstrument(tracer_provider=traced.provider)]) as runtime:
        counter = await runtime.spawn(Counter(), restart="permanent")
        with pytest.raises(ActorCrashed):
            await counter.ask(Fail("no such row"), timeout=1)
        await counter.ask(Add(1), timeout=1)
    spans = traced.spans()
    failed = spans["process Fail"]
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert failed.status.description == "ValueError: no such row"
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "ValueError"
    assert [event.name for event in failed.events] == ["exception"]
    assert spans["process Add"].status.status_code is trace.StatusCode.UNSET


async def test_a_handler_that_a_stop_cancels_has_not_failed(
    traced: Traced, autojump_clock: trio.testing.MockClock
) -> None:
    @attrs.define(eq=False)
    class Stuck(Actor):
        @receives
        async def add(self, _: Add) -> None:
            await trio.sleep_forever()

    async with open_runtime(instruments=[OpenTelemetryInstrument(tracer_provider=traced.provider)]) as runtime:
        (await runtime.spawn(Stuck())).tell(Add(1))
        await trio.testing.wait_all_tasks_blocked()
    (span,) = traced.exporter.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.UNSET
    assert span.events == ()


async def test_what_is_skipped_has_no_span_and_hands_its_parent_on(traced: Traced) -> None:
    instrument = OpenTelemetryInstrument(tracer_provider=traced.provider, skip=(Relay,))
    async with open_runtime(instruments=[instrument]) as runtime:
        with traced.tracer.start_as_current_span("start-up"):
            counter = await runtime.spawn(Counter())
            clerk = await runtime.spawn(Clerk(counter))
        with traced.tracer.start_as_current_span("host"):
            clerk.tell(Relay(1))
        await trio.testing.wait_all_tasks_blocked()
    assert traced.parents() == {"start-up": None, "host": None, "process Add": "host"}


async def test_a_turn_has_few_spans_when_what_streams_is_skipped(traced: Traced) -> None:
    """All of them are of types that say what happened, under names that are nobody's secret."""
    instrument = OpenTelemetryInstrument(tracer_provider=traced.provider, skip=STREAMING_TYPES)
    async with (
        simulate_openai("This is a reply, and it is not very short. " * 10) as openai,
        open_runtime(instruments=[instrument]) as runtime,
        runtime.bus.subscribe("agents.friday.agent_response_done") as ends,
    ):
        agent = RealtimeAgent("Friday", "Be brief.", openai.model, transport=openai.transport)
        friday = await runtime.spawn(agent, name="friday")
        traced.exporter.clear()
        friday.tell(ClientTextAppend("s1", "Hi"))
        await ends.receive()
    names = list(traced.spans())  # each once
    assert len(names) == 9
    assert not any(name.startswith("process _") for name in names)


async def test_spans_and_baggage_of_one_s_own_in_a_handler(traced: Traced) -> None:
    @attrs.define(eq=False)
    class Looker(Actor):
        other: Ref
        seen: list[object]

        @receives
        def look(self, message: Relay) -> None:
            self.seen.append(baggage.get_baggage("user"))
            with traced.tracer.start_as_current_span("lookup"):
                self.other.tell(Add(message.amount))

    seen: list[object] = []
    async with open_runtime(instruments=[OpenTelemetryInstrument(tracer_provider=traced.provider)]) as runtime:
        counter = await runtime.spawn(Counter())
        looker = await runtime.spawn(Looker(counter, seen))
        token = context.attach(baggage.set_baggage("user", "ann"))
        looker.tell(Relay(1))
        context.detach(token)
        await trio.testing.wait_all_tasks_blocked()
    assert seen == ["ann"]
    assert traced.parents() == {
        "process Relay": None,
        "lookup": "process Relay",
        "process Add": "lookup",
    }


async def test_an_unsampled_trace_stays_so() -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF)
    traced = Traced()
    async with open_runtime(instruments=[OpenTelemetryInstrument(tracer_provider=traced.provider)]) as runtime:
        counter = await runtime.spawn(Counter())
        clerk = await runtime.spawn(Clerk(counter))
        with provider.get_tracer("host").start_as_current_span("host"):
            clerk.tell(Relay(1))
        await trio.testing.wait_all_tasks_blocked()
        assert await counter.ask(GetTotal(), timeout=1) == 1
    assert list(traced.spans()) == ["process GetTotal"]


def test_a_host_on_asyncio(traced: Traced) -> None:
    """An ask takes the current span along by itself, a tell what `trace_context` holds."""

    async def main() -> None:
        instrument = OpenTelemetryInstrument(tracer_provider=traced.provider)
        async with realtime_actors.asyncio.open_runtime(instruments=[instrument]) as runtime:
            counter = await runtime.spawn(Counter())
            clerk = await runtime.spawn(Clerk(counter.ref))
            with traced.tracer.start_as_current_span("telling"):
                trace_context.set(context.get_current())
                clerk.tell(Relay(5))
            trace_context.set(None)
            with traced.tracer.start_as_current_span("asking"):
                assert await clerk.ask(Inquire(), timeout=1) == 5

    asyncio.run(main())
    assert traced.parents() == {
        "telling": None,
        "process Relay": "telling",
        "process Add": "process Relay",
        "asking": None,
        "process Inquire": "asking",
        "process GetTotal": "process Inquire",
    }


@pytest.mark.parametrize(
    ("extra", "package"), [("opentelemetry", "opentelemetry"), ("prometheus", "prometheus_client")]
)
def test_without_its_package_the_extra_is_named(extra: str, package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; import realtime_actors.telemetry.{extra}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith(f"MissingExtra: this needs the extra: pip install 'realtime_actors[{extra}]'")
