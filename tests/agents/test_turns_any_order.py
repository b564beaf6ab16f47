"""The turns under whatever a provider, a user and tools may do, in any order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from realtime_actors.agents.turns import (
    AbortTool,
    Began,
    Effect,
    Emit,
    Ended,
    Mistaken,
    RunTool,
    Send,
    Silence,
    Supersede,
    Turns,
)
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
    ToolUse,
)

REPLIES = st.integers(0, 5).map("r{}".format)
NAMES = ["book", "book", "look", "look", "look", "look"]
CALLS = st.integers(0, 5).map(lambda number: ToolUse(f"call_{number}", NAMES[number], {}, f'"call_{number}"'))
STATUSES = st.sampled_from(["completed", "cancelled", "failed", "incomplete"])
CONFLICTS = st.sampled_from([None, "already_active", "nothing_active"])


def finishes(use: ToolUse) -> bool:
    return use.name == "book"


class AnyOrder(RuleBasedStateMachine):
    """Carries out the effects, and checks that each is allowed at its place."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns("friday", "Friday", finishes=finishes)
        self.begun: set[str] = set()
        self.ended: set[str] = set()
        self.done_by_provider: set[str] = set()
        self.cancelled_by_us: set[str] = set()
        self.superseded: set[str] = set()
        self.running: dict[str, ToolUse] = {}
        self.ran: set[str] = set()
        self.given_up: set[str] = set()
        self.answered: set[str] = set()
        self.told: set[str] = set()
        self.outstanding: str | None = None
        self.request_ids = [""]
        self.asked = 0
        self.reasons_to_ask = 0
        self.requests: list[str] = []
        self.requests_ended: set[str] = set()

    def carry_out(self, effects: list[Effect], *, session_lost: bool = False) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                assert not session_lost
                self.send(effect)
            elif isinstance(effect, Emit):
                self.emit(effect)
            else:
                self.do(effect)

    def emit(self, effect: Emit) -> None:
        match effect:
            case Emit(AgentResponseCreated(response_id)):
                assert response_id not in self.begun, "a reply began twice"
                self.begun.add(response_id)
                self.outstanding = None
            case Emit(AgentResponseDone(response_id, metadata=metadata)):
                assert response_id in self.begun - self.ended, "a reply ended that was not there"
                self.ended.add(response_id)
                if metadata["status"] == "cancelled":
                    assert response_id in self.superseded, "a cancelled reply ended with its deltas still queued"
            case Emit(AgentResponseToolResult(tool_result)):
                assert tool_result.id in self.ran
                assert tool_result.id not in self.told, "two results of one call were shown"
                self.told.add(tool_result.id)
            case Emit(AgentError()):
                pass
            case _:
                raise AssertionError(effect)

    def send(self, effect: Send) -> None:
        match effect:
            case Send(CreateResponse(request_id)):
                assert self.outstanding is None, "a second request was made while one is open"
                assert not self.turns.generating, "a reply was asked for while one was generated"
                assert not self.begun - self.done_by_provider - self.cancelled_by_us
                self.outstanding = request_id
                self.request_ids.append(request_id)
                self.asked += 1
            case Send(CancelResponse(request_id, response_id)):
                assert response_id not in self.cancelled_by_us, "a reply was cancelled twice"
                self.cancelled_by_us.add(response_id)
                self.request_ids.append(request_id)
            case Send(AppendToolResult(call_id=call_id)):
                assert call_id not in self.answered, "the model was given two results of one call"
                assert call_id not in self.given_up, "the model was given the result of a call that it does not know"
                self.answered.add(call_id)
            case Send(AppendText(text=text)):
                [call_id] = [call_id for call_id in self.ran if f'"{call_id}"' in text]
                assert call_id in self.given_up - self.answered
                self.answered.add(call_id)
            case _:
                raise AssertionError(effect)

    def do(self, effect: Effect) -> None:
        match effect:
            case Supersede(response_id):
                assert response_id in self.begun
                self.superseded.add(response_id)
            case RunTool(use):
                assert use.id not in self.ran, "a call was carried out twice"
                self.ran.add(use.id)
                self.running[use.id] = use
            case AbortTool(call_id):
                del self.running[call_id]
            case Silence(response_id):
                assert response_id is None or response_id in self.begun
            case Began(requests, response_id):
                assert response_id in self.begun - self.ended
                assert not self.requests_ended & set(requests), "a reply went on for somebody whose reply was over"
            case Mistaken(requests, response_id):
                assert requests
                assert response_id in self.begun
                assert not self.requests_ended & set(requests)
            case Ended(requests):
                assert requests
                assert not self.requests_ended & set(requests), "a reply was over twice"
                self.requests_ended |= set(requests)
            case _:
                raise AssertionError(effect)

    @rule(response_id=REPLIES, knows_all=st.booleans())
    def created(self, response_id: str, knows_all: bool) -> None:
        # The provider takes up the next reply when those it was told to cancel are over.
        self.cancelled_by_us |= self.ended
        self.carry_out(self.turns.created(response_id, knows_all))

    @rule(response_id=REPLIES, use=CALLS)
    def called(self, response_id: str, use: ToolUse) -> None:
        self.carry_out(self.turns.called(response_id, use))

    @rule(response_id=REPLIES, status=STATUSES)
    def done(self, response_id: str, status: str) -> None:
        self.done_by_provider.add(response_id)
        batch = response_id in self.begun - self.ended and status != "cancelled"
        self.reasons_to_ask += batch
        self.carry_out(self.turns.done(ModelResponseDone(response_id, 1, 1, {"status": status})))

    @rule(interrupts=st.booleans())
    def heard_speech(self, interrupts: bool) -> None:
        effects = self.turns.heard_speech(interrupts)
        assert interrupts or not effects
        if interrupts:
            self.cancelled_by_us |= self.begun  # by the provider, that is
        self.carry_out(effects)

    @rule(replies_itself=st.booleans())
    def heard_silence(self, replies_itself: bool) -> None:
        self.carry_out(self.turns.heard_silence(replies_itself))

    @rule(data=st.data(), conflict=CONFLICTS)
    def failed(self, data: st.DataObject, conflict: str | None) -> None:
        request_id = data.draw(st.sampled_from([*self.request_ids[-5:], "unknown"]))
        if request_id == self.outstanding:
            self.outstanding = None
        self.reasons_to_ask += conflict == "already_active"
        notice = RequestFailed(request_id, "error", "code", "message", conflict)  # pyright: ignore[reportArgumentType]
        self.carry_out(self.turns.failed(notice))

    @rule()
    def lost(self) -> None:
        self.outstanding = None
        self.done_by_provider |= self.begun
        self.reasons_to_ask += 1 + len(self.running)
        self.given_up |= set(self.running)
        self.carry_out(self.turns.lost(), session_lost=True)
        assert self.begun == self.ended
        self.carry_out(self.turns.resumed())

    @rule()
    def want_reply(self) -> None:
        self.reasons_to_ask += 1
        self.carry_out(self.turns.want_reply())

    @rule()
    def want_reply_and_wait(self) -> None:
        self.reasons_to_ask += 1
        self.requests.append(f"request_{len(self.requests)}")
        self.carry_out(self.turns.want_reply(self.requests[-1]))

    @rule(data=st.data())
    def interrupt(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from([*self.requests[-5:], "unknown"]))
        self.carry_out(self.turns.interrupt(request))
        assert request == "unknown" or request in self.requests_ended

    @rule()
    def cancel(self) -> None:
        self.carry_out(self.turns.cancel())
        assert self.requests_ended == set(self.requests)
        assert self.begun == self.ended
        assert all(map(finishes, self.running.values()))

    @rule(use=CALLS)
    def given_up_by_the_provider(self, use: ToolUse) -> None:
        runs = use.id in self.running
        self.given_up |= {use.id} & set(self.running)
        self.carry_out(self.turns.calls_cancelled([use.id]))
        assert (use.id in self.running) == (runs and finishes(use))

    @rule(use=CALLS)
    def answer(self, use: ToolUse) -> None:
        """Of a call that runs, that was aborted, or that nobody knows."""
        ran = self.running.pop(use.id, None) is not None
        effects = self.turns.answered(use, "output")
        assert ran or not any(isinstance(effect, Emit) for effect in effects)
        self.carry_out(effects)
        assert not ran or use.id in self.answered

    @invariant()
    def passes_between_its_beginning_and_its_end(self) -> None:
        for number in range(6):
            response_id = f"r{number}"
            assert self.turns.passes(response_id) == (response_id in self.begun - self.ended)
            assert self.turns.is_over(response_id) == (response_id in self.ended)

    @invariant()
    def asks_for_no_more_than_there_is_reason_to(self) -> None:
        assert self.asked <= self.reasons_to_ask

    def teardown(self) -> None:
        """However it came about: once everything has ended, nothing is left over and a reply can be asked for."""
        for use in list(self.running.values()):
            self.answer(use)
        for number in range(6):
            self.done(f"r{number}", "completed")
        assert self.begun == self.ended
        assert self.ran == self.told
        while self.outstanding is not None:
            refused, self.outstanding = RequestFailed(self.outstanding, "error", "", ""), None
            self.carry_out(self.turns.failed(refused))
        asked = self.asked
        self.carry_out(self.turns.want_reply())
        assert self.asked == asked + 1
        self.carry_out(self.turns.stopped())
        assert self.requests_ended == set(self.requests), "somebody waits for ever"


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
