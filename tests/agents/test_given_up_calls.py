"""Calls that the provider gives up when their results are on their way."""

from __future__ import annotations

from realtime_actors.actors import Runtime
from realtime_actors.agents import RealtimeAgent, tool
from realtime_actors.events import (
    AgentResponseToolResult,
    AppendText,
    AppendToolResult,
    ClientTextAppend,
    Configure,
    CreateResponse,
    ItemAdded,
    SessionConfigured,
    ToolCallsCancelled,
    ToolUse,
)
from realtime_actors.testing import Emit, Expect, Probe, ScriptedModel, reply_events, run_virtual


@tool
async def look() -> str:
    """Look."""
    return "A door."


def test_a_result_that_is_ready_is_told_in_words() -> None:
    """What a tool has found is not lost because the user interrupted at that moment."""
    call = ToolUse("c1", "look", {}, "{}")

    async def main(runtime: Runtime) -> None:
        script = [
            Expect(Configure),
            Emit(SessionConfigured()),
            Expect(AppendText, text="Hi"),
            Emit(lambda command: ItemAdded(command.item_id)),
            Expect(CreateResponse),
            Emit(*reply_events("", calls=[call])),
            Expect(AppendToolResult, call_id="c1", output="A door."),
            Emit(ToolCallsCancelled(("c1",))),
            Expect(CreateResponse),
            Expect(AppendText, where=lambda command: "A door." in command.text),
        ]
        async with ScriptedModel(script, acknowledges=False) as model:
            probe = await Probe.spawn(runtime, within=10)
            probe.subscribe("agents.friday.>")
            friday = await runtime.spawn(RealtimeAgent("Friday", "Be brief.", model, [look]), name="friday")
            friday.tell(ClientTextAppend("s1", "Hi"))
            events = await probe.until(AgentResponseToolResult)
            assert events[-1].tool_result.output == "A door."
            await model.finish()
            await friday.stop()

    run_virtual(main)
