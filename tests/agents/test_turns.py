"""The turns as plain code: every rule by an example."""

from typing import Any

from realtime_actors.agents.turns import AbortTool, Effect, Emit, RunTool, Send, Silence, Supersede, Turns
from realtime_actors.events import (
    AgentError,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    AppendText,
    AppendToolResult,
    CancelResponse,
    CreateResponse,
    ModelResponseDone,
    RequestFailed,
    ToolResult,
    ToolUse,
)

CALL = ToolUse("call_1", "look", {}, "{}")
OTHER = ToolUse("call_2", "look", {}, "{}")


def turns() -> Turns:
    return Turns("friday", "Friday")


def done(response_id: str, status: str = "completed", tokens: int = 0) -> ModelResponseDone:
    return ModelResponseDone(response_id, tokens, 2 * tokens, {"status": status})


def refused(request_id: str, conflict: Any = None) -> RequestFailed:
    return RequestFailed(request_id, "invalid_request_error", "some_code", "no", conflict)


def shown(effects: list[Effect]) -> list[str]:  # noqa: PLR0912 - one for each effect
    """Effects in short, in order."""
    found: list[str] = []
    for effect in effects:
        match effect:
            case Emit(AgentResponseCreated(response_id)):
                found.append(f"created {response_id}")
            case Emit(AgentResponseDone(response_id, metadata=metadata)):
                found.append(" ".join(["done", response_id, *metadata.values()]))
            case Emit(AgentResponseToolResult(ToolResult(id=call_id))):
                found.append(f"result {call_id}")
            case Emit(AgentError(message=message)):
                found.append(f"error {message}")
            case Send(CreateResponse()):
                found.append("ask")
            case Send(CancelResponse(response_id=response_id)):
                found.append(f"cancel {response_id}")
            case Send(AppendToolResult(call_id=call_id)):
                found.append(f"answer {call_id}")
            case Supersede(response_id):
                found.append(f"supersede {response_id}")
            case RunTool(use):
                found.append(f"run {use.id}")
            case AbortTool(call_id):
                found.append(f"abort {call_id}")
            case Silence():
                pass  # test_playout_agent.py hears what becomes of it
            case _:
                raise AssertionError(effect)
    return found


def requests_of(effects: list[Effect]) -> list[str]:
    """The ids of the requests in these effects."""
    commands = [effect.command for effect in effects if isinstance(effect, Send)]
    return [each.request_id for each in commands if isinstance(each, CreateResponse | CancelResponse)]


def request_of(effects: list[Effect]) -> str:
    [request] = requests_of(effects)
    return request


def test_a_reply_passes_between_its_creation_and_its_end() -> None:
    state = turns()
    assert not state.passes("r1")
    assert shown(state.created("r1")) == ["created r1"]
    assert state.passes("r1")
    assert not state.is_over("r1")
    assert shown(state.done(done("r1"))) == ["done r1 completed"]
    assert not state.passes("r1")
    assert state.is_over("r1")


def test_an_end_carries_the_tokens_and_the_reason_that_the_provider_gives() -> None:
    state = turns()
    state.created("r1")
    [emit] = state.done(ModelResponseDone("r1", 3, 5, {"status": "incomplete", "reason": "max_output_tokens"}))
    assert isinstance(emit, Emit)
    expected = {"status": "incomplete", "reason": "max_output_tokens"}
    assert emit.event == AgentResponseDone("r1", 3, 5, expected, "friday", "Friday")


def test_an_end_without_a_status_is_a_completed_one() -> None:
    state = turns()
    state.created("r1")
    assert shown(state.done(ModelResponseDone("r1"))) == ["done r1 completed"]


def test_a_reply_that_was_never_announced_begins_with_its_end() -> None:
    assert shown(turns().done(done("r1"))) == ["created r1", "done r1 completed"]


def test_what_comes_twice_or_late_does_nothing() -> None:
    state = turns()
    state.created("r1")
    assert state.created("r1") == []
    state.done(done("r1", tokens=5))
    assert state.done(done("r1", tokens=5)) == []
    assert state.created("r1") == []
    assert state.answered(CALL, "late") == []
    assert (state.input_tokens, state.output_tokens) == (5, 10)


def test_two_replies_at_once_end_each_by_its_own_id() -> None:
    state = turns()
    state.created("r1")
    state.created("r2")
    assert shown(state.done(done("r2"))) == ["done r2 completed"]
    assert state.passes("r1")
    assert shown(state.done(done("r1"))) == ["done r1 completed"]


def test_a_reply_is_asked_for_when_none_is_being_generated() -> None:
    state = turns()
    assert shown(state.want_reply()) == ["ask"]
    assert state.want_reply() == []
    state.created("r1")
    assert state.want_reply() == []
    assert shown(state.done(done("r1"))) == ["done r1 completed", "ask"]
    state.created("r2")
    assert shown(state.done(done("r2"))) == ["done r2 completed"]


def test_after_a_refused_request_one_may_be_made_again() -> None:
    state = turns()
    request = request_of(state.want_reply())
    assert shown(state.failed(refused(request))) == ["error no"]
    assert shown(state.want_reply()) == ["ask"]


def test_a_refused_item_does_not_touch_the_request() -> None:
    state = turns()
    state.want_reply()
    assert shown(state.failed(refused("another"))) == ["error no"]
    assert state.want_reply() == []


def test_a_request_that_met_a_reply_of_the_providers_own_is_made_again_after_it() -> None:
    state = turns()
    request = request_of(state.want_reply())
    assert shown(state.created("own")) == ["created own"]
    assert state.failed(refused(request, "already_active")) == []
    assert shown(state.done(done("own"))) == ["done own completed", "ask"]


def test_a_reply_that_the_provider_could_not_begin_by_itself_is_asked_for_after_the_one_in_the_way() -> None:
    state = turns()
    state.created("r1")
    assert state.failed(refused("", "already_active")) == []
    assert shown(state.done(done("r1"))) == ["done r1 completed", "ask"]


def test_a_reply_of_the_providers_own_answers_what_was_wanted_if_it_knows_all() -> None:
    state = turns()
    state.created("r1")
    state.want_reply()
    state.created("own")
    state.done(done("r1"))
    assert shown(state.done(done("own"))) == ["done own completed"]


def test_a_reply_of_the_providers_own_does_not_answer_what_it_had_not_been_given() -> None:
    state = turns()
    state.created("r1")
    state.want_reply()
    state.created("own", knows_all=False)
    state.done(done("r1"))
    assert shown(state.done(done("own"))) == ["done own completed", "ask"]


def test_calls_are_carried_out_at_once_and_followed_by_one_reply() -> None:
    state = turns()
    state.created("r1")
    assert shown(state.called("r1", CALL)) == ["run call_1"]
    assert shown(state.called("r1", OTHER)) == ["run call_2"]
    assert shown(state.answered(CALL, "a")) == ["answer call_1", "result call_1"]
    assert shown(state.done(done("r1"))) == ["done r1 completed"]
    assert shown(state.answered(OTHER, "b")) == ["answer call_2", "result call_2", "ask"]
    state.created("r2")
    assert shown(state.done(done("r2"))) == ["done r2 completed"]


def test_calls_that_are_answered_before_the_reply_has_ended_are_followed_when_it_has() -> None:
    state = turns()
    state.created("r1")
    state.called("r1", CALL)
    assert shown(state.answered(CALL, "a")) == ["answer call_1", "result call_1"]
    assert shown(state.called("r1", OTHER)) == ["run call_2"]
    assert shown(state.answered(OTHER, "b")) == ["answer call_2", "result call_2"]
    assert shown(state.done(done("r1"))) == ["done r1 completed", "ask"]


def test_a_call_is_carried_out_and_answered_once() -> None:
    state = turns()
    state.created("r1")
    state.called("r1", CALL)
    assert state.called("r1", CALL) == []
    state.answered(CALL, "a")
    assert state.answered(CALL, "again") == []
    assert state.called("r1", CALL) == []


def test_the_model_is_given_the_text_and_the_frontend_its_own_blocks() -> None:
    state = turns()
    state.created("r1")
    state.called("r1", CALL)
    result = ToolResult("call_1", "look", [])
    send, emit = state.answered(CALL, "text", result)
    assert isinstance(send, Send)
    assert isinstance(send.command, AppendToolResult)
    assert send.command.output == "text"
    assert emit == Emit(AgentResponseToolResult(result, "friday", "Friday"))


def test_a_cancel_ends_the_reply_tells_the_provider_and_withdraws_what_nobody_has_read() -> None:
    state = turns()
    state.created("r1")
    assert shown(state.cancel()) == ["cancel r1", "supersede r1", "done r1 cancelled client_cancelled"]
    assert not state.passes("r1")
    assert shown(state.cancel()) == []
    assert state.done(done("r1", "cancelled", tokens=4)) == []
    assert (state.input_tokens, state.output_tokens) == (4, 8)


def test_a_cancel_with_nothing_to_cancel_does_nothing() -> None:
    state = turns()
    assert state.cancel() == [Silence()]
    assert shown(state.want_reply()) == ["ask"]


def test_a_reply_that_was_cancelled_before_it_began_ends_as_it_begins() -> None:
    state = turns()
    state.want_reply()
    assert shown(state.cancel()) == []
    expected = ["created r1", "cancel r1", "supersede r1", "done r1 cancelled client_cancelled"]
    assert shown(state.created("r1")) == expected
    assert shown(state.created("r2")) == ["created r2"]


def test_a_reply_that_the_provider_is_about_to_begin_can_be_cancelled() -> None:
    state = turns()
    state.heard_speech(interrupts=True)
    state.heard_silence(replies_itself=True)
    assert shown(state.cancel()) == []
    expected = ["created r1", "cancel r1", "supersede r1", "done r1 cancelled client_cancelled"]
    assert shown(state.created("r1")) == expected


def test_what_the_user_says_or_asks_for_after_a_cancel_is_not_cancelled() -> None:
    state = turns()
    state.heard_silence(replies_itself=True)
    state.cancel()
    assert shown(state.want_reply()) == ["ask"]
    assert shown(state.created("r1")) == ["created r1"]

    state = turns()
    state.heard_silence(replies_itself=True)
    state.cancel()
    state.heard_speech(interrupts=True)
    assert shown(state.created("r1")) == ["created r1"]


def test_a_cancelled_request_that_met_a_reply_of_the_providers_own_is_not_made_again() -> None:
    state = turns()
    request = request_of(state.want_reply())
    state.created("own")
    state.cancel()
    assert state.failed(refused(request, "already_active")) == []
    assert state.done(done("own", "cancelled")) == []


def test_a_cancel_also_cancels_what_was_to_follow() -> None:
    state = turns()
    state.created("r1")
    state.want_reply()
    state.cancel()
    assert state.done(done("r1", "cancelled")) == []


def test_a_cancel_while_tools_run_ends_them_and_tells_the_model() -> None:
    state = turns()
    state.created("r1")
    state.called("r1", CALL)
    state.done(done("r1"))
    assert shown(state.cancel()) == ["supersede r1", "abort call_1", "answer call_1", "result call_1"]
    assert state.answered(CALL, "too late") == []
    assert shown(state.want_reply()) == ["ask"]


def test_a_call_of_a_cancelled_reply_is_not_carried_out_and_answered_once() -> None:
    state = turns()
    state.created("r1")
    state.cancel()
    assert shown(state.called("r1", CALL)) == ["answer call_1"]
    assert state.called("r1", CALL) == []


def test_a_cancel_that_came_too_late_is_no_error_and_blocks_nothing() -> None:
    state = turns()
    state.created("r1")
    request = request_of(state.cancel())
    assert state.failed(refused(request, "nothing_active")) == []
    assert shown(state.want_reply()) == ["ask"]


def test_a_late_cancel_of_one_reply_says_nothing_of_another() -> None:
    state = turns()
    state.created("r1")
    state.created("r2")
    first, _ = requests_of(state.cancel())
    state.failed(refused(first, "nothing_active"))
    assert state.generating == {"r2"}
    assert state.want_reply() == []
    assert shown(state.done(done("r2", "cancelled"))) == ["ask"]


def test_a_new_reply_shows_that_a_cancelled_one_is_over_even_if_its_end_was_never_told() -> None:
    state = turns()
    state.created("r1")
    state.cancel()
    state.created("r2")
    state.want_reply()
    assert shown(state.done(done("r2"))) == ["done r2 completed", "ask"]


def test_speech_that_interrupts_ends_the_reply_without_a_word_to_the_provider() -> None:
    state = turns()
    state.created("r1")
    assert shown(state.heard_speech(interrupts=True)) == ["supersede r1", "done r1 cancelled turn_detected"]
    assert state.done(done("r1", "cancelled")) == []


def test_speech_also_withdraws_what_is_left_of_a_reply_that_was_generated_faster_than_heard() -> None:
    state = turns()
    state.created("r1")
    state.done(done("r1"))
    assert shown(state.heard_speech(interrupts=True)) == ["supersede r1"]
    assert shown(state.heard_speech(interrupts=True)) == []


def test_speech_that_does_not_interrupt_lets_the_reply_go_on() -> None:
    state = turns()
    state.created("r1")
    assert state.heard_speech(interrupts=False) == []
    assert state.passes("r1")


def test_a_reply_that_follows_calls_waits_until_the_user_has_spoken() -> None:
    state = turns()
    state.created("r1")
    state.called("r1", CALL)
    state.done(done("r1"))
    state.heard_speech(interrupts=True)
    assert shown(state.answered(CALL, "a")) == ["answer call_1", "result call_1"]
    assert shown(state.heard_silence(replies_itself=False)) == ["ask"]


def test_where_the_provider_replies_to_speech_itself_nothing_is_asked_for() -> None:
    state = turns()
    state.created("r1")
    state.called("r1", CALL)
    state.done(done("r1"))
    state.heard_speech(interrupts=True)
    state.answered(CALL, "a")
    assert state.heard_silence(replies_itself=True) == []
    assert shown(state.created("own")) == ["created own"]
    assert shown(state.done(done("own"))) == ["done own completed"]


def test_what_the_user_asks_for_does_not_wait_for_an_end_of_speech_that_may_never_come() -> None:
    state = turns()
    state.heard_speech(interrupts=True)
    assert shown(state.want_reply()) == ["ask"]


def test_nor_for_the_end_of_the_reply_that_speech_has_interrupted_which_may_never_be_told() -> None:
    """Without this an agent is mute from then on: the microphone was switched off in the middle of a word."""
    state = turns()
    state.created("r1")
    state.heard_speech(interrupts=True)
    assert shown(state.want_reply()) == ["ask"]


def test_a_lost_session_ends_what_it_was_generating_and_what_is_wanted_is_asked_for_again() -> None:
    state = turns()
    state.want_reply()
    state.created("r1")
    state.called("r1", CALL)
    state.want_reply()
    assert shown(state.lost()) == ["done r1 failed connection_lost"]
    assert shown(state.resumed()) == ["ask"]
    assert state.created("r1") == []


def test_a_request_that_was_lost_with_its_session_is_made_again_unless_it_was_cancelled() -> None:
    state = turns()
    state.want_reply()
    assert state.lost() == []
    assert shown(state.resumed()) == ["ask"]
    state.cancel()
    assert state.lost() == []
    assert state.resumed() == []


class TestLateCalls:
    """Calls that go on after the reply that made them is over."""

    def interrupted(self) -> Turns:
        state = Turns("friday", "Friday", finishes=lambda use: use == CALL)
        state.created("r1")
        state.called("r1", CALL)
        state.called("r1", OTHER)
        expected = ["abort call_2", "answer call_2", "result call_2", "done r1 cancelled turn_detected"]
        told = shown(state.heard_speech(interrupts=True))
        assert [each for each in told if each in expected or "call_1" in each] == expected
        return state

    def test_a_call_that_is_to_finish_survives_the_reply_and_its_result_asks_for_no_reply(self) -> None:
        state = self.interrupted()
        state.heard_silence(replies_itself=True)
        assert shown(state.answered(CALL, "booked")) == ["answer call_1", "result call_1"]
        assert state.answered(CALL, "again") == []

    def test_a_call_that_the_provider_gave_up_is_told_in_text(self) -> None:
        state = self.interrupted()
        assert state.calls_cancelled(["call_1", "unknown"]) == []
        send, emit = state.answered(CALL, "booked")
        assert isinstance(send, Send)
        assert isinstance(send.command, AppendText)
        assert send.command.text == "[The tool look({}), called before, has finished. Its result: booked]"
        assert shown([emit]) == ["result call_1"]

    def test_a_call_that_the_provider_gives_up_ends_and_is_answered_to_the_frontend_only(self) -> None:
        state = turns()
        state.created("r1")
        state.called("r1", CALL)
        state.done(done("r1"))
        assert shown(state.calls_cancelled(["call_1"])) == ["abort call_1", "result call_1"]
        assert state.answered(CALL, "too late") == []
        assert shown(state.want_reply()) == ["ask"]

    def test_a_provider_that_gives_up_calls_goes_on_by_itself(self) -> None:
        state = turns()
        state.created("r1")
        state.called("r1", CALL)
        state.called("r1", OTHER)
        state.done(done("r1"))
        state.answered(CALL, "a")
        assert shown(state.calls_cancelled(["call_2"])) == ["abort call_2", "result call_2"]

    def test_a_call_goes_on_when_the_connection_is_lost_and_the_new_session_replies_to_its_result(self) -> None:
        state = turns()
        state.created("r1")
        state.called("r1", CALL)
        assert shown(state.lost()) == ["done r1 failed connection_lost"]
        assert state.resumed() == []
        send, _, ask = state.answered(CALL, "sunny")
        assert isinstance(send, Send)
        assert isinstance(send.command, AppendText)
        assert shown([ask]) == ["ask"]

    def test_a_cancel_ends_what_a_lost_connection_has_left_running(self) -> None:
        state = turns()
        state.created("r1")
        state.called("r1", CALL)
        state.lost()
        told = shown(state.cancel())
        assert [each for each in told if "call_1" in each] == ["abort call_1", "result call_1"]
        assert state.answered(CALL, "too late") == []

    def test_a_call_that_comes_when_its_reply_is_forgotten_is_answered_all_the_same(self) -> None:
        state = turns()
        state.created("r1")
        state.done(done("r1"))
        assert shown(state.called("r1", CALL)) == ["answer call_1"]
        assert state.called("r1", CALL) == []

    def test_the_end_of_the_agent_is_the_result_of_what_still_runs(self) -> None:
        state = self.interrupted()
        state.created("r2")
        state.called("r2", ToolUse("call_3", "look"))
        told = shown(state.stopped())
        assert [each for each in told if "call" in each] == ["result call_1", "result call_3"]


def test_the_end_of_the_agent_ends_every_reply() -> None:
    state = turns()
    state.created("r1")
    state.created("r2")
    state.done(done("r2"))
    assert shown(state.stopped()) == ["supersede r1", "done r1 cancelled agent_ended"]
    assert state.stopped() == []


def test_a_reply_that_the_provider_cancelled_takes_its_calls_with_it() -> None:
    state = turns()
    state.created("r1")
    state.called("r1", CALL)
    expected = ["abort call_1", "answer call_1", "result call_1", "supersede r1", "done r1 cancelled"]
    assert shown(state.done(done("r1", "cancelled"))) == expected


def test_replies_that_a_provider_never_ends_are_given_up_one_by_one() -> None:
    state = turns()
    for number in range(32):
        state.created(f"r{number}")
    state.called("r0", CALL)
    expected = ["abort call_1", "answer call_1", "result call_1", "done r0 failed never_ended", "created r32"]
    assert shown(state.created("r32")) == expected
    assert len(state.generating) == 32


def test_memory_is_bounded() -> None:
    state = turns()

    def live(numbers: range) -> int:
        for number in numbers:
            state.created(f"r{number:06}")
            state.called(f"r{number:06}", ToolUse(f"c{number:06}", "look"))
            if number % 3:
                state.cancel()
            if number % 5:
                state.done(done(f"r{number:06}"))
        return len(repr(state))

    before = live(range(1000))
    assert live(range(1000, 4000)) < before * 1.1
