"""When a conversation is over, and how long its answers took."""

import pytest

from realtime_actors.cli.talking.playout import Playout
from realtime_actors.cli.talking.progress import Progress
from realtime_actors.cli.talking.report import report
from realtime_actors.events import (
    AgentInputDone,
    AgentInputStarted,
    AgentInputTranscriptionDone,
    AgentReady,
    AgentResponseAudioDelta,
    AgentResponseCreated,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    ServerEvent,
    ToolResult,
    ToolUse,
)

WHO = ("friday", "Friday")
CALL = ToolUse("call_1", "get_weather", {"city": "Paris"})


def created(response: str) -> ServerEvent:
    return AgentResponseCreated(response, *WHO)


def audio(response: str) -> ServerEvent:
    return AgentResponseAudioDelta(response, "item", bytes(960), agent_id="friday", agent_name="Friday")


def done(response: str, **metadata: str) -> ServerEvent:
    return AgentResponseDone(response, 0, 0, {"status": "completed", **metadata}, *WHO)


def started(item: str = "user") -> ServerEvent:
    return AgentInputStarted(item, 0, *WHO)


def follow(progress: Progress, *steps: tuple[float, ServerEvent]) -> None:
    for at, event in steps:
        progress.take(event, at)


def test_a_text_is_answered_when_its_reply_is_done() -> None:
    progress = Progress()
    progress.take(AgentReady(*WHO), 0.5)
    assert progress.ready
    progress.send_text(1.0)
    assert not progress.is_answered
    follow(progress, (1.1, created("r1")), (1.25, audio("r1")), (1.3, audio("r1")))
    assert not progress.is_answered
    follow(progress, (2.0, done("r1")))
    assert progress.is_answered
    [exchange] = progress.exchanges
    assert exchange.after_end(exchange.first_audio) == pytest.approx(250)
    assert exchange.after_end(exchange.done) == pytest.approx(1000)


def test_speech_is_timed_from_its_end_and_not_before_it() -> None:
    progress = Progress()
    progress.begin_speech(1.0)
    follow(progress, (1.2, started()))
    assert not progress.is_answered
    progress.end_speech(3.0)
    follow(progress, (3.5, AgentInputDone("user", 2500, *WHO)), (3.5, created("r1")), (3.75, audio("r1")))
    follow(progress, (5.0, done("r1")))
    [exchange] = progress.exchanges
    assert exchange.after_beginning(exchange.heard) == pytest.approx(200)
    assert exchange.after_end(exchange.first_audio) == pytest.approx(750)
    assert exchange.after_end(exchange.done) == pytest.approx(2000)


def test_after_tool_calls_a_second_reply_is_awaited() -> None:
    progress = Progress()
    progress.send_text(0.0)
    follow(progress, (0.1, created("r1")), (0.2, AgentResponseToolUseDone("r1", "i", CALL, *WHO)))
    assert progress.calls == 1
    follow(progress, (0.3, AgentResponseToolResult(ToolResult.text(CALL, "sunny"), *WHO)), (0.4, done("r1")))
    assert not progress.is_answered
    follow(progress, (0.5, created("r2")), (0.6, audio("r2")), (0.7, done("r2")))
    assert progress.is_answered
    assert progress.exchanges[0].done == 0.7


def test_a_tool_that_takes_longer_than_the_reply_is_waited_for() -> None:
    progress = Progress()
    progress.send_text(0.0)
    follow(progress, (0.1, created("r1")), (0.2, AgentResponseToolUseDone("r1", "i", CALL, *WHO)), (0.3, done("r1")))
    assert not progress.is_answered
    follow(progress, (9.0, AgentResponseToolResult(ToolResult.text(CALL, "sunny"), *WHO)))
    assert not progress.is_answered
    follow(progress, (9.1, created("r2")), (9.2, done("r2")))
    assert progress.is_answered


def test_an_interruption_is_timed_from_its_first_sound_and_the_cut_reply_is_no_answer() -> None:
    progress = Progress()
    progress.send_text(0.0)
    follow(progress, (0.1, created("r1")), (0.2, audio("r1")), (0.2, AgentResponseToolUseDone("r1", "i", CALL, *WHO)))
    progress.begin_speech(1.2)
    # The agent ends the reply before it says that it hears speech.
    follow(progress, (1.5, done("r1", status="cancelled")), (1.5, started()))
    assert progress.calls == 0
    progress.end_speech(2.0)
    assert not progress.is_answered
    follow(progress, (2.6, created("r2")), (2.7, audio("r2")), (3.0, done("r2")))
    assert progress.is_answered
    first, second = progress.exchanges
    assert (first.done, second.cut) == (None, "r1")
    assert second.after_beginning(second.cut_at) == pytest.approx(300)
    text = "\n".join(text for _, text in report(progress, Playout(), None))
    assert "first sound of the interruption -> reply cancelled 300 ms" in text
    assert second.after_end(second.first_audio) == pytest.approx(700)


def test_a_reply_that_the_server_cancels_was_not_interrupted() -> None:
    progress = Progress()
    progress.send_text(0.0)
    follow(progress, (0.1, created("r1")), (0.2, audio("r1")), (0.777, done("r1", status="cancelled")))
    assert progress.is_answered
    lines = list(report(progress, Playout(), None))
    assert lines[0] == ("latency", "reply cancelled")
    assert not any("interruption" in text for _, text in lines)


def test_a_reply_that_ends_because_its_own_question_goes_on_was_not_interrupted_by_its_beginning() -> None:
    progress = Progress()
    progress.begin_speech(0.0)
    follow(progress, (0.2, started()), (1.0, created("r1")), (1.2, done("r1", status="cancelled")), (1.2, started("b")))
    assert not progress.exchanges[0].interrupted


def test_audio_of_the_old_reply_is_not_taken_for_the_answer() -> None:
    progress = Progress()
    progress.send_text(0.0)
    follow(progress, (0.1, created("r1")))
    progress.begin_speech(1.0)
    progress.end_speech(1.1)
    follow(progress, (1.2, audio("r1")), (1.3, done("r1", status="cancelled")), (1.3, started()))
    follow(progress, (2.0, created("r2")), (2.1, audio("r2")))
    assert progress.exchanges[1].first_audio == 2.1


def test_a_server_that_takes_a_pause_for_the_end_has_answered_once_it_heard_nothing_more() -> None:
    progress = Progress()
    progress.begin_speech(0.0)
    follow(progress, (0.2, started()), (1.0, created("r1")), (1.5, done("r1")))
    progress.end_speech(2.0)  # a last sound that was too short to be speech
    assert progress.is_answered


def test_speech_after_a_pause_wants_an_answer_of_its_own() -> None:
    progress = Progress()
    progress.begin_speech(0.0)
    follow(progress, (0.2, started()), (1.0, created("r1")), (1.2, done("r1", status="cancelled")), (1.2, started("b")))
    progress.end_speech(2.0)
    assert not progress.is_answered


def test_the_words_of_the_user_may_come_late() -> None:
    progress = Progress()
    progress.take(started(), 0.0)
    assert progress.untranscribed == {"user"}
    progress.take(AgentInputTranscriptionDone("hello", "user", *WHO), 1.0)
    assert not progress.untranscribed


def test_a_failed_reply_is_told_with_its_reason() -> None:
    progress = Progress()
    progress.send_text(0.0)
    follow(progress, (0.1, created("r1")), (0.2, done("r1", status="failed", error_message="no quota")))
    assert progress.is_answered
    assert progress.failed == "no quota"


def test_the_report_says_how_long_it_took_and_what_was_heard() -> None:
    progress, playout = Progress(), Playout()
    progress.begin_speech(0.0)
    progress.end_speech(1.0)
    follow(progress, (1.1, created("r1")), (1.6, audio("r1")), (3.5, done("r1")))
    playout.play(bytes(48000), 24000, 1.6)
    playout.flush(2.1)
    lines = dict(report(progress, playout, None))
    text = "\n".join(text for _, text in report(progress, playout, None))
    assert "end of speech -> first audio of the answer 600 ms" in text
    assert "end of speech -> answer complete 2,500 ms" in text
    assert "-45 dBFS" in text
    assert lines["reply"] == "0.50 s heard, 0.50 s that had come were not"
