"""How to test an actor and an agent of your own: run it with `pytest examples/test_your_own_actor.py`.

It needs pytest and pytest-trio. No test here takes time, opens a socket or needs a key.
"""

import attrs
import pytest
import trio
from trio.testing import MockClock

from realtime_actors import (
    Actor,
    AgentError,
    AgentResponseAudioTranscriptDelta,
    AgentResponseDone,
    AgentResponseToolResult,
    ClientResponseCancel,
    ClientTextAppend,
    RealtimeAgent,
    Ref,
    Runtime,
    ServerSessionUpdated,
    Terminated,
    ToolUse,
    receives,
    tool,
)
from realtime_actors.events import (
    AppendText,
    AppendToolResult,
    CancelResponse,
    CreateResponse,
    DeleteItem,
    ModelResponseDone,
)
from realtime_actors.testing import (
    Cut,
    Emit,
    Expect,
    Failures,
    FaultyTransport,
    Probe,
    ScriptedModel,
    SimulatedOpenAI,
    reply_events,
)
from realtime_actors.testing.fixtures import *  # noqa: F403 - runtime, probe, failures, virtual_clock, openai_in_memory

pytestmark = pytest.mark.trio

# -- an actor: orders that are forgotten when nobody pays


@attrs.frozen
class Order:
    number: int
    price: int


@attrs.frozen
class Pay:
    number: int


@attrs.frozen
class GetStock:
    pass


@attrs.frozen
class Shipped:
    number: int


@attrs.frozen
class Expired:
    number: int


@attrs.define
class Shop(Actor):
    warehouse: Ref
    customer: Ref
    patience: float = 600
    open_orders: dict[int, Order] = attrs.field(init=False, factory=dict[int, Order])

    @receives
    async def order(self, message: Order) -> bool:
        if message.price <= 0:
            raise ValueError(f"an order for {message.price}")
        if await self.warehouse.ask(GetStock(), timeout=5) == 0:
            return False
        self.open_orders[message.number] = message
        self.context.send_after(self.patience, Expired(message.number))
        return True

    @receives
    def pay(self, message: Pay) -> None:
        self.customer.tell(Shipped(self.open_orders.pop(message.number).number))

    @receives
    def expire(self, message: Expired) -> None:
        if self.open_orders.pop(message.number, None) is not None:
            self.customer.tell(message)


async def open_shop(runtime: Runtime, probe: Probe) -> Ref:
    """A shop whose warehouse and customer are the test."""
    probe.answer(GetStock, 1)
    return await runtime.spawn(Shop(warehouse=probe.ref, customer=probe.ref), name="shop", restart="permanent")


async def test_what_is_paid_is_shipped(runtime: Runtime, probe: Probe, virtual_clock: MockClock) -> None:
    shop = await open_shop(runtime, probe)
    assert await shop.ask(Order(1, price=20), timeout=1)
    await probe.expect(GetStock)
    shop.tell(Pay(1))
    await probe.expect(Shipped, number=1)
    await probe.expect_nothing(within=3600)  # an hour passes at once


async def test_what_nobody_pays_expires(runtime: Runtime, probe: Probe, virtual_clock: MockClock) -> None:
    shop = await open_shop(runtime, probe)
    await shop.ask(Order(1, price=20), timeout=1)
    await probe.until(Expired, number=1, within=601)
    assert trio.current_time() == 600


async def test_an_empty_warehouse(runtime: Runtime, probe: Probe, virtual_clock: MockClock) -> None:
    shop = await open_shop(runtime, probe)
    probe.answer(GetStock, 0)
    assert not await shop.ask(Order(1, price=20), timeout=1)


async def test_a_bad_order_crashes_the_shop_which_opens_again(
    runtime: Runtime, probe: Probe, failures: Failures, virtual_clock: MockClock
) -> None:
    failures.allow(ValueError)  # without this line the crash fails the test
    shop = await open_shop(runtime, probe)
    shop.tell(Order(1, price=-20))
    assert await shop.ask(Order(2, price=20), timeout=60)


async def test_the_end_of_the_shop_is_told(runtime: Runtime, probe: Probe, virtual_clock: MockClock) -> None:
    shop = await open_shop(runtime, probe)
    probe.watch(shop)
    await shop.stop()
    await probe.expect(Terminated, ref=shop, reason="stopped")


# -- an agent: each command that it gives its model is in the script, or the test fails


@tool
async def get_weather(city: str) -> str:
    """Weather in a city, now."""
    return f"Sunny in {city}."


async def start(runtime: Runtime, probe: Probe, agent: RealtimeAgent) -> Ref:
    """An agent that the test hears."""
    probe.subscribe("agents.friday.>")
    return await runtime.spawn(agent, name="friday")


async def test_a_tool_is_called(runtime: Runtime, probe: Probe, virtual_clock: MockClock) -> None:
    script = [
        Expect(AppendText, text="What is the weather in Paris?"),
        Expect(CreateResponse),
        Emit(*reply_events(calls=[ToolUse("call-1", "get_weather", {"city": "Paris"}, '{"city": "Paris"}')])),
        Expect(AppendToolResult, call_id="call-1", output="Sunny in Paris."),
        Expect(CreateResponse),
        Emit(*reply_events("It is sunny.", response_id="response-2")),
    ]
    async with ScriptedModel(script) as model:
        friday = await start(runtime, probe, RealtimeAgent("Friday", "Be brief.", model, [get_weather]))
        friday.tell(ClientTextAppend("s1", "What is the weather in Paris?"))
        await probe.until(AgentResponseToolResult)
        await probe.until(AgentResponseDone, response_id="response-2")


async def test_a_cancel_reaches_the_model(runtime: Runtime, probe: Probe, virtual_clock: MockClock) -> None:
    script = [
        Expect(AppendText),
        Expect(CreateResponse),
        Emit(*reply_events("Once upon a time")[:-1]),
        Expect(CancelResponse, response_id="response-1"),
        Expect(DeleteItem, item_id="response-1-item"),  # its words were ahead of its sound: nobody has heard it
        Emit(ModelResponseDone("response-1", metadata={"status": "cancelled"})),
    ]
    async with ScriptedModel(script) as model:
        friday = await start(runtime, probe, RealtimeAgent("Friday", "Be brief.", model))
        friday.tell(ClientTextAppend("s1", "Tell me a story."))
        await probe.until(AgentResponseAudioTranscriptDelta)
        friday.tell(ClientResponseCancel("s1"))
        await probe.until(AgentResponseDone, where=lambda done: done.metadata["status"] == "cancelled")


# -- the same agent, with a simulator of OpenAI's wire behind it and a network that fails


async def test_a_lost_connection(
    runtime: Runtime, probe: Probe, openai_in_memory: SimulatedOpenAI, virtual_clock: MockClock
) -> None:
    openai_in_memory.replies("A long story.", "Yes, I am.")
    network = FaultyTransport(openai_in_memory.transport, [Cut(containing="response.output_audio.delta", frame=2)])
    agent = RealtimeAgent("Friday", "Be brief.", openai_in_memory.model, transport=network)
    friday = await start(runtime, probe, agent)
    friday.tell(ClientTextAppend("s1", "Tell me a story."))
    await probe.until(AgentError, code="connection_lost")
    await probe.until(ServerSessionUpdated, within=10)
    friday.tell(ClientTextAppend("s1", "Are you there?"))
    await probe.until(AgentResponseDone, metadata={"status": "completed"})
    assert network.connections == 2
