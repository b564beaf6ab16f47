"""What waits for an application's queue: in order, bounded, and never stale."""

from __future__ import annotations

import asyncio
from typing import Any

import hypothesis.strategies as st
import pytest
from agentscope_kit import Q, eventually
from hypothesis import given, settings

from realtime_actors.agentscope import AudioFormat, QueueOverflow, ServerEvents
from realtime_actors.agentscope.feed import Feed

PCM = AudioFormat(type="audio/pcm", rate=24000)
REPLIES = ("r1", "r2", "r3")
DELTAS = ("agent_response_audio_delta", "agent_response_audio_transcript_delta")


def audio(response_id: str, number: int, size: int = 100) -> ServerEvents.EventBase:
    return ServerEvents.AgentResponseAudioDeltaEvent(
        response_id=response_id, item_id=str(number), delta="A" * size, format=PCM, agent_id="", agent_name=""
    )


def words(response_id: str, number: int) -> ServerEvents.EventBase:
    return ServerEvents.AgentResponseAudioTranscriptDeltaEvent(
        response_id=response_id, item_id=str(number), delta="a", agent_id="", agent_name=""
    )


def control(number: int) -> ServerEvents.EventBase:
    return ServerEvents.AgentErrorEvent(error_type="", code=str(number), message="", agent_id="", agent_name="")


def read(queue: Q) -> list[Any]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


OFFERS = st.tuples(st.sampled_from(("audio", "control", "mine")), st.sampled_from(REPLIES))
CUTS = st.tuples(st.just("cut"), st.sampled_from((*REPLIES, None)))
READS = st.tuples(st.just("read"), st.integers(1, 5))


@settings(deadline=None)
@given(steps=st.lists(st.one_of(OFFERS, CUTS, READS), max_size=60), ahead=st.integers(1, 6))
def test_whatever_happens_order_is_kept_and_nothing_is_stale_or_lost(steps: list[tuple[str, Any]], ahead: int) -> None:
    """Replies are cut, the application reads now and then, and puts things of its own into its queue."""

    async def main() -> None:
        queue: Q = asyncio.Queue()
        feed = Feed(queue, ahead)
        put: list[Any] = []
        got: list[Any] = []
        over: set[str] = set()
        replies: set[str] = set()
        stale: list[Any] = []
        for number, (step, value) in enumerate(steps):
            if step == "read":
                got += [queue.get_nowait() for _ in range(min(value, queue.qsize()))]
            elif step == "mine":
                queue.put_nowait(number)
            elif step == "cut":
                feed.supersede(value and ("", value))
                unread = [each for each in put if each not in got and each not in stale and each.type in DELTAS]
                cut = [each for each in unread if value in (None, each.response_id)]
                stale += cut
                over |= {value} if value else replies
            else:
                event = control(number) if step == "control" else audio(value, number)
                put.append(event)
                if step != "control":
                    replies.add(value)
                    stale += [event] if value in over else []
                before = queue.qsize()
                feed.offer(event)
                assert queue.qsize() <= max(ahead, before)
        feed.close()
        got += read(queue)
        assert [item for item in got if not isinstance(item, int)] == [each for each in put if each not in stale]
        own = [item for item in got if isinstance(item, int)]
        assert own == [number for number, (step, _) in enumerate(steps) if step == "mine"]
        statistics = feed.statistics()
        assert (statistics.waiting, statistics.waiting_bytes, statistics.dropped) == (0, 0, 0)
        assert statistics.superseded == len(stale)

    asyncio.run(main())


def test_agents_that_share_a_queue_take_back_only_their_own() -> None:
    """As those of a room do."""

    async def main() -> None:
        queue: Q = asyncio.Queue()
        one, other = Feed(queue), Feed(queue)
        for number in range(3):
            one.offer(audio("r1", number))
            other.offer(audio("r2", number))
        one.supersede()
        assert [event.response_id for event in read(queue)] == ["r2"] * 3
        assert (one.statistics().superseded, other.statistics().superseded) == (3, 0)

    asyncio.run(main())


def test_equal_ids_of_different_agents_replies_are_of_different_replies() -> None:
    """In a room all share one feed. The end of a cancelled reply takes back what is left of it, and of it alone."""

    async def main() -> None:
        queue: Q = asyncio.Queue()
        feed = Feed(queue)
        for agent in ("a", "b"):
            delta = audio("r1", 1)
            assert isinstance(delta, ServerEvents.AgentResponseAudioDeltaEvent)
            delta.agent_id = agent
            feed.offer(delta)
        feed.offer(
            ServerEvents.AgentResponseDoneEvent(
                response_id="r1",
                input_tokens=0,
                output_tokens=0,
                metadata={"status": "cancelled"},
                agent_id="a",
                agent_name="",
            )
        )
        assert [(event.type, event.agent_id) for event in read(queue)] == [
            ("agent_response_audio_delta", "b"),
            ("agent_response_done", "a"),
        ]

    asyncio.run(main())


def test_the_queue_is_fed_on_when_it_has_been_read() -> None:
    """Though a queue without a bound tells nobody that it was."""

    async def main() -> None:
        queue: Q = asyncio.Queue()
        feed = Feed(queue, 2)
        for number in range(6):
            feed.offer(control(number))
        assert queue.qsize() == 2
        read(queue)
        await eventually(lambda: queue.qsize() == 2)
        assert feed.statistics().waiting == 2
        feed.close()
        assert [event.code for event in read(queue)] == ["2", "3", "4", "5"]

    asyncio.run(main())


def test_a_queue_that_is_joined_is_not_done_too_early() -> None:
    """What is taken back counts as done, what is put back does not."""

    async def main() -> None:
        queue: Q = asyncio.Queue()
        feed = Feed(queue, 8)
        feed.offer(audio("r1", 1))
        feed.offer(control(2))
        joining = asyncio.create_task(queue.join())
        await asyncio.sleep(0)
        feed.supersede(("", "r1"))
        await asyncio.sleep(0)
        assert not joining.done()
        assert queue.get_nowait().code == "2"
        queue.task_done()
        await joining

    asyncio.run(main())


def test_the_oldest_audio_goes_first_and_only_audio() -> None:
    """Until there is none."""

    async def main() -> None:
        queue: Q = asyncio.Queue()
        feed = Feed(queue, 1, capacity=2_000)
        feed.offer(control(0))
        for number in range(1, 9):
            feed.offer(words("r1", number) if number % 3 == 0 else audio("r1", number, 300))
        statistics = feed.statistics()
        assert statistics.dropped > 0
        assert statistics.waiting_bytes <= 2_000
        flood = map(feed.offer, map(control, range(10, 30)))
        with pytest.raises(QueueOverflow, match="no audio is left"):
            list(flood)
        feed.close()
        kept = read(queue)
        assert [event.item_id for event in kept if hasattr(event, "item_id")] == ["3", "6"]
        assert feed.statistics().dropped == 6

    asyncio.run(main())


def test_a_bounded_queue_that_is_full_at_the_end_gets_no_more(caplog: pytest.LogCaptureFixture) -> None:
    """What was left is counted, and logged."""

    async def main() -> None:
        queue: Q = asyncio.Queue(2)
        feed = Feed(queue, 8)
        for number in range(5):
            feed.offer(control(number))
        feed.close()
        assert [event.code for event in read(queue)] == ["0", "1"]
        assert (feed.statistics().dropped, feed.statistics().waiting) == (3, 0)

    asyncio.run(main())
    assert "3 events are lost" in caplog.text
