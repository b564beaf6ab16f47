"""What an agent remembers: pure, without an agent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.agents import InvalidMemory, Memory
from realtime_actors.agents.memory import Conversation
from realtime_actors.events import (
    AgentInputStarted,
    AgentInputTranscriptionDone,
    AgentResponseAudioTranscriptDone,
    AgentResponseDone,
    AgentResponseToolResult,
    AgentResponseToolUseDone,
    AgentSpeech,
    AppendImage,
    AppendText,
    AppendToolResult,
    HistoryItem,
    Note,
    ToolCallItem,
    ToolResult,
    ToolResultItem,
    ToolUse,
    UserImage,
    UserSpeech,
    UserText,
)

WHO = "friday", "Friday"


class Told:
    """A conversation, and short words for what happens in it."""

    def __init__(self, **bounds: Any) -> None:
        self.conversation = Conversation(Memory(**bounds))

    @property
    def items(self) -> list[HistoryItem]:
        return list(self.conversation.items)

    def writes(self, text: str, item_id: str = "u1") -> None:
        self.conversation.added(AppendText(item_id, text))

    def shows(self, size: int, item_id: str = "p1") -> None:
        self.conversation.added(AppendImage(item_id, bytes(size), "image/png"))

    def result(self, call_id: str, output: str = "Sunny.") -> None:
        self.conversation.added(AppendToolResult(f"r_{call_id}", call_id, "get_weather", output))

    def speaks(self, item_id: str) -> None:
        self.conversation.saw(AgentInputStarted(item_id, 0, *WHO))

    def understood(self, item_id: str, transcript: str) -> None:
        self.conversation.saw(AgentInputTranscriptionDone(transcript, item_id, *WHO))

    def says(self, text: str, item_id: str = "a1", response_id: str = "resp1") -> None:
        for word in re.findall(r"\s*\S+|\s+$", text):
            self.conversation.said(response_id, item_id, word)

    def calls(self, call_id: str, response_id: str = "resp1", arguments: str = '{"city": "Oslo"}') -> None:
        use = ToolUse(call_id, "get_weather", {"city": "Oslo"}, arguments)
        self.conversation.saw(AgentResponseToolUseDone(response_id, f"f_{call_id}", use, *WHO))

    def ends(self, response_id: str = "resp1", status: str = "completed") -> None:
        self.conversation.saw(AgentResponseDone(response_id, 0, 0, {"status": status}, *WHO))


def test_a_conversation_of_every_kind_of_item() -> None:
    told = Told()
    told.writes("Hi")
    told.shows(3)
    told.speaks("s1")
    told.understood("s1", "How is the weather?")
    told.says("Let me see.")
    told.calls("c1")
    told.ends()
    told.result("c1")
    assert told.items == [
        UserText("u1", "Hi"),
        UserImage("p1", "image/png", 3),
        UserSpeech("s1", "How is the weather?"),
        AgentSpeech("a1", "Let me see.", response_id="resp1"),
        ToolCallItem("f_c1", "c1", "get_weather", '{"city": "Oslo"}'),
        ToolResultItem("r_c1", "c1", "get_weather", "Sunny."),
    ]


class TestOrder:
    def test_words_of_the_user_that_come_after_the_reply_stand_before_it(self) -> None:
        told = Told()
        told.speaks("s1")
        told.says("Hello.")
        told.ends()
        told.understood("s1", "Hi there.")
        assert told.items == [UserSpeech("s1", "Hi there."), AgentSpeech("a1", "Hello.", response_id="resp1")]

    def test_words_of_speech_that_was_not_announced_stand_before_the_reply_that_is_being_said(self) -> None:
        told = Told()
        told.says("Hello.")
        told.understood("s1", "Hi there.")
        told.ends()
        assert [item.role for item in told.items] == ["user", "agent"]

    def test_a_turn_that_was_committed_has_its_place_before_its_words_are_known(self) -> None:
        told = Told()
        told.conversation.committed("req1")
        told.says("Hello.")
        told.ends()
        told.conversation.committed("req2")
        told.says("Again.", "a2", "resp2")
        told.understood("s1", "Hi there.")
        told.understood("s2", "And again?")
        told.ends("resp2")
        assert told.items == [
            UserSpeech("s1", "Hi there."),
            AgentSpeech("a1", "Hello.", response_id="resp1"),
            UserSpeech("s2", "And again?"),
            AgentSpeech("a2", "Again.", response_id="resp2"),
        ]

    @pytest.mark.parametrize("announced_first", [True, False])
    def test_a_turn_that_is_both_announced_and_committed_is_one(self, announced_first: bool) -> None:
        told = Told()
        if announced_first:
            told.speaks("s1")
        told.conversation.committed("req1")
        if not announced_first:
            told.speaks("s1")
        told.understood("s1", "Hi there.")
        assert told.items == [UserSpeech("s1", "Hi there.")]

    def test_the_transcript_at_the_end_counts(self) -> None:
        told = Told()
        told.says("Helo")
        told.conversation.saw(AgentResponseAudioTranscriptDone("resp1", "a1", *WHO, "Hello."))
        told.ends()
        assert told.items == [AgentSpeech("a1", "Hello.", response_id="resp1")]

    def test_noise_is_no_speech(self) -> None:
        told = Told()
        told.speaks("s1")
        told.understood("s1", " ")
        told.understood("s2", "")
        assert told.items == []


class TestWhatWasHeard:
    """Words that nobody heard are not remembered as said."""

    def test_the_transcript_is_cut_at_a_word_in_proportion_to_what_was_heard(self) -> None:
        told = Told()
        told.says("Once upon a time there was a king.")
        told.ends(status="cancelled")
        told.conversation.cut("a1", 500, 1000)
        assert told.items == [AgentSpeech("a1", "Once upon a time", True, "resp1")]

    def test_nothing_heard_is_nothing_said(self) -> None:
        told = Told()
        told.says("Once upon a time.")
        told.conversation.cut("a1", 0, 1000)
        told.ends(status="cancelled")
        told.says(" there was", "a1")
        assert told.items == []

    def test_a_reply_that_was_generated_to_its_end_may_yet_be_cut(self) -> None:
        told = Told()
        told.says("One two three four.")
        told.ends()
        told.conversation.cut("a1", 300, 1000)
        assert told.items == [AgentSpeech("a1", "One", True, "resp1")]

    def test_a_reply_that_was_heard_to_its_end_is_whole(self) -> None:
        told = Told()
        told.says("One two.")
        told.ends()
        told.conversation.cut("a1", 1000, 1000)
        assert told.items == [AgentSpeech("a1", "One two.", response_id="resp1")]

    @pytest.mark.parametrize("status", ["cancelled", "failed", "incomplete"])
    def test_a_reply_that_broke_off_is_marked(self, status: str) -> None:
        told = Told()
        told.says("Once upon")
        told.ends(status=status)
        assert told.items == [AgentSpeech("a1", "Once upon", True, "resp1")]

    def test_of_words_that_were_ahead_of_their_speech_those_are_kept_that_were_said(self) -> None:
        """All words had come, and a second of the speech: how long that is, is known by what was said before."""
        told = Told()
        told.says("Well. " * 50)
        told.conversation.spoken("a1", 300 * 100.0)
        told.says("One two three four five six seven eight nine ten eleven twelve.", "a2", "resp2")
        told.conversation.cut("a2", 1000, 1000, is_whole=False)
        assert told.items[1:] == [AgentSpeech("a2", "One two", True, "resp2")]

    def test_what_has_no_blanks_is_cut_between_characters(self) -> None:
        told = Told()
        told.conversation.said("resp1", "a1", "今天天气很好")
        told.conversation.cut("a1", 500, 1000)
        assert told.items == [AgentSpeech("a1", "今天天", True, "resp1")]

    @given(st.text(max_size=40), st.integers(-10, 1200), st.integers(1, 1000))
    def test_what_is_left_is_a_beginning_and_not_longer_than_what_was_heard(
        self, text: str, heard: int, received: int
    ) -> None:
        told = Told()
        told.conversation.said("resp1", "a1", text)
        told.conversation.cut("a1", heard, received)
        for item in told.items:
            assert isinstance(item, AgentSpeech)
            assert item.transcript
            assert text.startswith(item.transcript)
            assert len(item.transcript) <= round(len(text) * min(heard, received) / received)
            assert item.interrupted


class TestBounds:
    def test_the_oldest_goes_first_and_a_result_goes_with_its_call(self) -> None:
        told = Told(max_items=3)
        told.calls("c1")
        told.result("c1")
        told.writes("One", "u1")
        told.writes("Two", "u2")
        assert told.items == [UserText("u1", "One"), UserText("u2", "Two")]
        assert not told.conversation.seed().complete

    def test_a_result_without_its_call_or_a_second_one_is_not_kept(self) -> None:
        told = Told()
        told.result("c9")
        told.calls("c1")
        told.result("c1")
        told.conversation.added(AppendToolResult("r2", "c1", "get_weather", "Rain."))
        assert [item.id for item in told.items] == ["f_c1", "r_c1"]

    def test_one_text_takes_a_quarter_at_most(self) -> None:
        told = Told(max_characters=40)
        told.writes("x" * 30)
        told.calls("c1", arguments='{"city": "' + "x" * 30 + '"}')
        assert told.items == [UserText("u1", "x" * 10), ToolCallItem("f_c1", "c1", "get_weather", "{}")]
        assert not told.conversation.seed().complete

    def test_pictures_are_notes_unless_they_are_to_be_kept(self) -> None:
        told = Told(max_image_bytes=10)
        for index, size in enumerate((6, 6, 20, 4)):
            told.shows(size, f"p{index}")
        kept = [isinstance(item, UserImage) and item.image is not None for item in told.items]
        assert kept == [False, True, False, True]

    def test_nothing_is_kept_where_nothing_may_be(self) -> None:
        told = Told(max_items=0)
        told.writes("Hi")
        told.says("Hello there.")
        told.ends()
        assert told.items == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"max_items": -1},
            {"max_characters": 1.5},
            {"max_image_bytes": True},
            {"summarise": 3},
            {"summary_timeout": 0},
        ],
    )
    def test_bounds_that_make_no_sense_are_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidMemory):
            Memory(**wrong)


class TestSeeds:
    def test_what_is_told_in_another_way_is_left_out(self) -> None:
        told = Told()
        told.writes("One", "u1")
        told.writes("Two", "u2")
        seed = told.conversation.seed({"u2"})
        assert seed.items == (UserText("u1", "One"),)
        assert seed.complete

    def test_what_the_provider_keeps_is_not_told_again(self) -> None:
        told = Told()
        told.writes("One", "u1")
        told.conversation.saved(live=False)
        told.writes("Two", "u2")
        assert told.conversation.seed().since == (UserText("u2", "Two"),)
        told.conversation.saved(live=True)
        told.writes("Three", "u3")
        assert told.conversation.seed().since == ()

    def test_what_may_have_come_too_late_for_the_provider_to_keep_is_told_again(self) -> None:
        told = Told()
        told.writes("One", "u1")
        told.writes("Two", "u2")
        told.conversation.saved(live=False, without={"u2"})
        told.speaks("s1")
        told.conversation.saved(live=False, without={"u2"})
        assert told.conversation.seed().since == (UserText("u2", "Two"), UserSpeech("s1"))
        told.conversation.saved(live=False)
        assert told.conversation.seed().since == (UserSpeech("s1"),)

    def test_speech_without_words_and_pictures_that_are_gone_are_not_all(self) -> None:
        told = Told()
        told.speaks("s1")
        assert not told.conversation.seed().complete
        told.understood("s1", "Hi.")
        assert told.conversation.seed().complete
        told.shows(3)
        assert not told.conversation.seed().complete

    def test_a_history_that_is_taken_over(self) -> None:
        items = [UserText("u1", "Hi"), UserText("u1", "twice"), ToolResultItem("r1", "c1", "get_weather", "no call")]
        assert Conversation(Memory(), items).items == (UserText("u1", "Hi"),)


class TestSummaries:
    def test_the_older_half_is_due_when_a_bound_is_near(self) -> None:
        told = Told(max_items=8)
        for index in range(5):
            told.writes(f"{index}", f"u{index}")
        assert told.conversation.oldest() == ()
        told.writes("5", "u5")
        due = told.conversation.oldest()
        assert [item.id for item in due] == ["u0", "u1", "u2", "u3"]
        told.conversation.summarised(due, Note("n1", "Numbers."))
        assert [item.id for item in told.items] == ["n1", "u4", "u5"]
        assert not told.conversation.seed().complete

    def test_calls_and_their_results_are_not_torn_apart(self) -> None:
        told = Told(max_items=4)
        told.writes("Hi")
        told.calls("c1")
        told.result("c1")
        assert [item.id for item in told.conversation.oldest()] == ["u1", "f_c1", "r_c1"]

    def test_what_may_yet_change_waits(self) -> None:
        told = Told(max_items=4)
        told.writes("Hi")
        told.calls("c1")
        told.writes("Well?", "u2")
        assert told.conversation.oldest() == ()  # one item alone is no less as a summary

    def test_what_went_meanwhile_is_in_the_summary_all_the_same(self) -> None:
        told = Told(max_items=4)
        for index in range(4):
            told.writes(f"{index}", f"u{index}")
        due = told.conversation.oldest()
        told.writes("4", "u4")
        told.conversation.summarised(due, Note("n1", "Numbers."))
        assert [item.id for item in told.items] == ["n1", "u2", "u3", "u4"]


ids = st.integers(0, 5)
texts = st.text(max_size=30)
happenings = st.one_of(
    st.tuples(st.just("writes"), texts, ids.map("u{}".format)),
    st.tuples(st.just("shows"), st.integers(0, 12), ids.map("p{}".format)),
    st.tuples(st.just("speaks"), ids.map("s{}".format)),
    st.tuples(st.just("understood"), ids.map("s{}".format), texts),
    st.tuples(st.just("says"), texts, ids.map("a{}".format), ids.map("resp{}".format)),
    st.tuples(st.just("calls"), ids.map("c{}".format)),
    st.tuples(st.just("result"), ids.map("c{}".format), texts),
    st.tuples(st.just("ends"), ids.map("resp{}".format), st.sampled_from(["completed", "cancelled"])),
    st.tuples(st.just("committed"), ids.map("q{}".format)),
    st.tuples(st.just("refused"), ids.map("u{}".format)),
    st.tuples(st.just("cut"), ids.map("a{}".format), st.integers(0, 9), st.integers(1, 9)),
    st.tuples(st.just("summarise"), texts),
)


@given(
    st.lists(happenings, max_size=60),
    st.fixed_dictionaries(
        {"max_items": st.integers(0, 8), "max_characters": st.integers(0, 80), "max_image_bytes": st.integers(0, 12)}
    ),
)
def test_whatever_happens_the_bounds_hold(steps: list[tuple[Any, ...]], bounds: dict[str, int]) -> None:
    told = Told(**bounds)
    conversation = told.conversation
    for number, (name, *arguments) in enumerate(steps):
        if name == "summarise":
            due = conversation.oldest()
            if due:
                conversation.summarised(due, Note(f"n{number}", arguments[0]))
        else:
            getattr(told if hasattr(told, name) else conversation, name)(*arguments)
        items = told.items
        assert len(items) <= bounds["max_items"]
        assert conversation.characters <= bounds["max_characters"]
        assert conversation.characters == sum(map(_characters, items))
        assert (
            sum(item.size for item in items if isinstance(item, UserImage) and item.image) <= bounds["max_image_bytes"]
        )
        assert len({item.id for item in items}) == len(items)
        calls: set[str] = set()
        for item in items:
            if isinstance(item, ToolCallItem):
                calls.add(item.call_id)
            if isinstance(item, ToolResultItem):
                assert item.call_id in calls
        assert Conversation(Memory(max_image_bytes=100), items).items == tuple(items)


def _characters(item: HistoryItem) -> int:
    fields = ("text", "transcript", "arguments", "output")
    texts = [getattr(item, field, None) or "" for field in fields]
    return sum(map(len, texts)) + (len(item.name) if isinstance(item, ToolCallItem) else 0)


def test_what_the_provider_refuses_was_not_said() -> None:
    told = Told()
    told.writes("Hi")
    told.speaks("s1")
    told.says("Hello.")
    for item_id in ("u1", "s1", "a1", "nobody"):
        told.conversation.refused(item_id)
    assert told.items == [AgentSpeech("a1", "Hello.", response_id="resp1")]


def test_a_result_that_the_model_is_told_in_words_is_a_result_all_the_same() -> None:
    told = Told()
    told.calls("c1")
    told.conversation.added(AppendText("r1", "[The tool get_weather has finished: Sunny.]", "c1"))
    use = ToolUse("c1", "get_weather", {})
    told.conversation.saw(AgentResponseToolResult(ToolResult.text(use, "Sunny."), *WHO))
    told.conversation.added(AppendText("r2", "[The tool get_news has finished: None.]", "c2"))
    assert told.items[1:] == [
        ToolResultItem("r1", "c1", "get_weather", "Sunny."),
        Note("r2", "[The tool get_news has finished: None.]"),
    ]
